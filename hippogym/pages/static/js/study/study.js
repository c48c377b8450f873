// The participant's way through the study: what the server says is shown, what the person says is sent, and nothing is
// skipped: the page never decides where it goes on, it only asks.

import { browserStorage, TokenStore } from '../token.js';
import { Desk, Refusal } from './desk.js';
import { Ending } from './ending.js';
import { StepPage } from './page.js';
import { Trouble, patiently } from './patience.js';
import { describeClient } from '../client.js';
import { isAboutTheVisit, SENTENCES, wayText } from './words.js';
import { isSame } from './places.js';
import { Overlay } from '../overlay.js';
import { oneAtATime, tabStorage, visitKey } from './storage.js';
import { Playing } from './playing.js';

const OPEN_ELSEWHERE_S = 15;

const byId = (id) => document.getElementById(id);
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

export class Study {
  #settings;
  #desk;
  #overlay;
  #page;
  #ending;
  #playing;
  #view = null;
  #trouble = new Trouble();
  #asked = 0; // counts what has been asked: only the newest is still wanted
  #isAsking = false;

  constructor(settings) {
    this.#settings = settings;
    const { api, projectId } = settings;
    this.#desk = new Desk(new TokenStore(browserStorage(), projectId, visitKey(settings.link)), { api, projectId });
    this.#overlay = new Overlay({
      onButton: (does) => this.#playing.buttonDoes(does),
      onToastClosed: () => (this.#view?.kind === 'game' ? byId('stage').focus({ preventScroll: true }) : null),
    });
    this.#page = new StepPage({
      storage: tabStorage(),
      projectId: settings.projectId,
      scripts: settings.scripts,
      isElsewhere: api !== null,
      onSubmit: () => this.#submit(),
    });
    this.#playing = new Playing({
      settings,
      desk: this.#desk,
      overlay: this.#overlay,
      way: {
        view: () => this.#view,
        keep: (view) => (this.#view = view),
        show: (view) => this.#show(view),
        asking: (ask) => this.#asking(SENTENCES.unreachable, ask),
        refused: (refusal) => this.#refused(refusal),
      },
    });
    this.#ending = new Ending((text) => this.#overlay.say(text));
    byId('study-leave').addEventListener('click', () => this.#askToLeave());
    for (const [target, event] of [[document, 'visibilitychange'], [window, 'pageshow'], [window, 'online']]) {
      target.addEventListener(event, () => this.#lookAgain());
    }
  }

  async start() {
    const { problems, link } = this.#settings;
    if (problems.length) this.#overlay.toast(problems.map(({ text }) => text).join(' '));
    const view = await this.#asking(SENTENCES.arriving, async () => {
      const { resumed, view, study } = await this.#arrive(link);
      if (study.name) this.#call(study.name);
      if (resumed && view.kind !== 'end' && view.step > 1) this.#overlay.toast(SENTENCES.welcomeBack);
      if (!resumed) this.#playing.forget();
      return (await this.#playing.handOnWhatIsLeft()) ? this.#desk.now({ afterGame: true }) : view;
    });
    if (view) this.#show(view, { arrived: true });
  }

  /** The study's name, which a page for all studies of a lab learns only now. */
  #call(name) {
    this.#settings.projectName = byId('project').textContent = name;
  }

  /** A visit that is open elsewhere is free after a while: this page waits for it. */
  async #arrive(link) {
    for (let said = false; ; said = true) {
      try {
        return await oneAtATime('hippogym.arrive', () => this.#desk.arrive(link, describeClient(window)));
      } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 409) throw error;
        if (!said) this.#say(SENTENCES.openElsewhere, SENTENCES.waitsForIt);
        await pause(OPEN_ELSEWHERE_S * 1000);
      }
    }
  }

  // ---- what is shown

  #show(view, { arrived = false } = {}) {
    const before = this.#view;
    this.#view = view;
    if (before?.kind === 'game' && view.kind !== 'game') this.#playing.leave();
    this.#showAround(view);
    if (isSame(before, view)) return;
    byId('study').hidden = view.kind === 'game';
    byId('play').hidden = byId('game-says').hidden = view.kind !== 'game';
    if (view.kind === 'game') this.#play();
    else this.#showPage(view, { again: before?.name === view.name && before.kind === 'page', arrived });
  }

  /** What stands around every step: where one is, the way out, and whether it counts. */
  #showAround(view) {
    const way = wayText(view);
    document.title = [...new Set([view.title, way, this.#settings.projectName])].filter(Boolean).join(' · ');
    byId('study-way').hidden = byId('study-bar').hidden = way === '';
    byId('study-way').textContent = way;
    byId('study-bar').firstElementChild.style.inlineSize = `${(100 * view.step) / Math.max(1, view.of)}%`;
    byId('study-leave').hidden = !view.canWithdraw || view.kind === 'end';
    byId('study-preview').hidden = !view.preview;
    document.body.classList.toggle('in-preview', view.preview === true);
  }

  /** again: the step that was just answered comes once more, as a quiz does. arrived: the page has just been opened. */
  #showPage(view, { again, arrived }) {
    this.#ending.hide();
    const lost = this.#page.show(view);
    if (view.kind === 'end') this.#ending.show(view.end ?? {}, { justNow: !arrived, hasPage: Boolean(view.html) });
    if (!again && !arrived) this.#arriveAt(view);
    const problems = view.problems ?? [];
    if (again || problems.length) this.#page.complain(problems, { judged: true, triesLeft: view.triesLeft ?? null });
    if (lost.length) this.#overlay.toast(SENTENCES.filesAgain(lost));
  }

  /** The next step begins at its top, and with its heading for those who listen or go by keyboard. */
  #arriveAt(view) {
    window.scrollTo(0, 0);
    const heading = byId('study-content').querySelector('h1, h2, h3') ?? byId('study-form');
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    this.#overlay.say([wayText(view), view.title].filter(Boolean).join(': '));
  }

  #play() {
    this.#page.forget();
    this.#playing.begin();
  }

  /** A page of our own making, where there is nothing to show. */
  #say(title, text) {
    this.#page.rest();
    byId('study').hidden = false;
    byId('study-sending').hidden = byId('study-needed').hidden = true;
    const heading = Object.assign(document.createElement('h2'), { textContent: title, tabIndex: -1 });
    const words = Object.assign(document.createElement('p'), { textContent: text });
    byId('study-content').replaceChildren(heading, words);
    heading.focus({ preventScroll: true });
  }

  // ---- what is sent

  async #submit() {
    this.#page.lock(SENTENCES.sending);
    let given;
    try {
      given = { ...(await this.#page.answers()), client: describeClient(window) };
    } catch {
      this.#page.unlock();
      this.#overlay.toast(SENTENCES.unreadableFile);
      return;
    }
    const told = await this.#asking(SENTENCES.unsent, () => this.#desk.answer(given), (refusal) => {
      this.#page.unlock();
      if (refusal.problems.length) this.#page.complain(refusal.problems);
      else this.#overlay.toast(refusal.text || SENTENCES.refused);
    });
    if (!told) return;
    this.#page.unlock();
    if (told.repeated && told.view.stamp !== given.stamp) this.#overlay.toast(SENTENCES.repeated);
    this.#show(told.view);
  }

  /** Another tab may have gone on, or the page may have slept: the server knows where the visit is. */
  async #lookAgain() {
    if (!document.hidden) this.#playing.hurry();
    // (The game's own connection hears of it by itself.)
    if (document.hidden || this.#isAsking || this.#view?.kind !== 'page') return;
    const asked = this.#asked;
    try {
      const view = await this.#desk.now();
      if (asked === this.#asked) this.#show(view);
    } catch (error) {
      if (error instanceof Refusal) this.#refused(error);
    }
  }

  // ---- leaving

  #askToLeave() {
    const dialog = byId('ask-leave');
    this.#playing.letGo();
    byId('ask-leave-delete').checked = false;
    dialog.returnValue = '';
    dialog.showModal();
    dialog.onclose = () => {
      if (dialog.returnValue === 'leave') this.#leave(byId('ask-leave-delete').checked);
    };
  }

  async #leave(deleteToo) {
    const view = await this.#asking(SENTENCES.leaving, () => this.#desk.withdraw(deleteToo));
    if (!view) return;
    this.#page.unlock();
    this.#show(view);
  }

  // ---- asking the server

  /**
   * Asks until it is heard, or until something else has been asked. A no is shown, or given to `onRefusal`; then, and where
   * it is not wanted any more, the result is null.
   */
  async #asking(text, ask, onRefusal = (refusal) => this.#refused(refusal)) {
    const mine = (this.#asked += 1);
    const isWanted = () => mine === this.#asked;
    this.#isAsking = true;
    try {
      return await patiently(ask, { wait: (waitS) => this.#trouble.wait(text, waitS), isWanted });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (isWanted()) (isAboutTheVisit(error) ? (refusal) => this.#refused(refusal) : onRefusal)(error);
      return null;
    } finally {
      if (isWanted()) {
        this.#isAsking = false;
        this.#trouble.over();
      }
    }
  }

  #refused(refusal) {
    byId('play').hidden = byId('game-says').hidden = byId('study-leave').hidden = true;
    this.#playing.leave();
    this.#page.unlock();
    this.#view = null;
    const { title, text } = SENTENCES.no(refusal);
    this.#say(title, text);
  }
}
