// The controls that the study asks for: command buttons, the speed, and the direction pad.

import { arrange, controlLabel, isPossible } from './arrange.js';
import { icon } from './icons.js';
import { buildPad } from './pad.js';
import { buildRate } from './rate.js';

const CONFIRMED_FOR_MS = 700;

export class Controls {
  #root = document.getElementById('commands');
  #padRoot = document.getElementById('pad');
  #pad = null;
  #rate = null;
  #buttons = new Map(); // command → button
  #names = [];
  #actions = [];
  #state = null;
  #frameRate = null;
  #held;
  #does;

  /** does: {command(name), askRate(rate), tell(text), say(text), focusGame()}. */
  constructor(held, does) {
    this.#held = held;
    this.#does = does;
  }

  /** The environment's actions: a control with such a name is held, any other is a command. To be told before `show`. */
  setActions(names) {
    this.#actions = names;
  }

  /** Replaces all controls by those named. */
  show(names) {
    if (JSON.stringify(names) === JSON.stringify(this.#names)) return;
    this.#names = names;
    const { pad, more, groups, rate } = arrange(names, this.#actions);
    this.#held.releaseAll();
    this.#pad = buildPad(this.#padRoot, pad, more, this.#held);
    this.#buttons.clear();
    const elements = groups.map((group) => this.#group(group));
    this.#rate = rate.length ? this.#buildRate(rate) : null;
    if (this.#rate) elements.push(this.#rate.element);
    this.#root.replaceChildren(...elements);
    this.#root.hidden = elements.length === 0;
    this.#update();
  }

  has(name) {
    return this.#names.includes(name);
  }

  /** The trial's state, or null while nobody listens. */
  setState(state) {
    this.#state = state;
    this.#update();
  }

  setFrameRate(frameRate) {
    this.#frameRate = frameRate;
    this.#update();
  }

  padReleased() {
    this.#pad?.releaseAll();
  }

  #update() {
    for (const [name, button] of this.#buttons) {
      button.disabled = !isPossible(name, this.#state);
      if (name === 'start') button.lastChild.textContent = this.#state === 'paused' ? 'Resume' : 'Start';
    }
    this.#padRoot.inert = !isPossible('pad', this.#state);
    this.#rate?.update(this.#frameRate, this.#state !== null);
  }

  #group(names) {
    const group = document.createElement('div');
    group.className = 'group';
    for (const name of names) {
      const button = this.#button(name);
      this.#buttons.set(name, button);
      group.append(button);
    }
    return group;
  }

  #button(name) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = `button command ${name === 'start' ? 'primary' : ''}`;
    button.dataset.control = name;
    const picture = icon(name);
    const label = document.createElement('span');
    label.textContent = controlLabel(name);
    button.append(...(picture ? [picture] : []), label);
    button.addEventListener('click', (event) => {
      this.#does.command(name);
      if (name !== 'stop' && name !== 'start' && name !== 'pause') this.#confirm(button, name);
      // A mouse or a finger goes back to the game; who came by keyboard stays where they are.
      if (event.detail > 0 && name !== 'stop') this.#does.focusGame();
    });
    return button;
  }

  #confirm(button, name) {
    this.#does.say(`${controlLabel(name)}: sent`);
    button.classList.add('confirmed');
    setTimeout(() => button.classList.remove('confirmed'), CONFIRMED_FOR_MS);
  }

  #buildRate(parts) {
    return buildRate(parts, {
      ask: (rate) => this.#does.askRate(rate),
      tell: (text) => this.#does.tell(text),
      leave: () => this.#does.focusGame(),
    });
  }
}
