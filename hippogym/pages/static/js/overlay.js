// What the page says to the participant: the card over the game, the label at the top, short messages, and the words
// for screen readers.

const TOAST_FOR_MS = 12000;
const byId = (id) => document.getElementById(id);

export class Overlay {
  #scene = null;
  #onButton;
  #toastTimer = null;

  /** onButton(does): the card's button was pressed. onToastClosed(): by hand. */
  constructor({ onButton, onToastClosed }) {
    this.#onButton = onButton;
    byId('overlay-button').addEventListener('click', () => this.#onButton(this.#scene.button?.does));
    byId('toast-close').addEventListener('click', () => {
      this.putToastAway();
      onToastClosed();
    });
  }

  /** Shows a scene as `describe` in state/sentences.js makes it. */
  show(scene) {
    const isNew = scene.name !== this.#scene?.name;
    const movedUp = !isNew && scene.name === 'queued' && scene.title !== this.#scene.title;
    this.#scene = scene;
    const covers = scene.title !== '';
    const button = byId('overlay-button');
    const hadFocus = byId('overlay').contains(document.activeElement);
    byId('overlay').hidden = !covers;
    byId('overlay').dataset.scene = scene.name;
    setText('overlay-title', scene.title);
    setText('overlay-text', scene.text);
    setText('overlay-wait', scene.wait);
    setText('turn', covers ? '' : scene.text);
    byId('overlay-busy').hidden = !scene.busy;
    button.hidden = scene.button === null;
    if (scene.button) setText('overlay-button', scene.button.label);
    setText('state', scene.label);
    byId('state').dataset.state = scene.name;
    if (isNew) this.#arrive(scene, covers, hadFocus);
    if (movedUp) this.say(scene.title);
  }

  /** A new state is read out, and the focus goes where the next step is, unless the person is busy elsewhere. */
  #arrive(scene, covers, hadFocus) {
    this.say(covers ? [scene.title, scene.text].filter(Boolean).join('. ') : scene.label);
    const { activeElement: focused, body } = document;
    const isFree = hadFocus || !focused || focused === body || focused.id === 'stage' || focused.disabled;
    if (!isFree) return;
    if (!covers) byId('stage').focus({ preventScroll: true });
    else if (scene.button?.does === 'start') byId('overlay-button').focus({ preventScroll: true });
    // A key that is still being pressed must not press a button that has just appeared: the words get the focus.
    else byId('overlay-title').focus({ preventScroll: true });
  }

  /** Only for those who listen. */
  say(text) {
    const live = byId('live');
    live.textContent = live.textContent === text ? `${text}\u00a0` : text;
  }

  /** A message that changes nothing; it leaves by itself. */
  toast(text) {
    setText('toast-text', text);
    byId('toast').classList.add('shown');
    byId('toast-close').hidden = false;
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => this.putToastAway(), TOAST_FOR_MS);
  }

  putToastAway() {
    clearTimeout(this.#toastTimer);
    byId('toast').classList.remove('shown');
    byId('toast-close').hidden = true;
    setText('toast-text', '');
  }
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  if (id.startsWith('overlay-') && id !== 'overlay-button') element.hidden = text === '';
}
