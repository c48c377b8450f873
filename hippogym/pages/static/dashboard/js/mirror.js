// One participant from near: their screen as they get it, how it went, and what may be done.

import { parseFrame } from '../../js/wire.js';
import { byId, make, setAttribute, setText } from './dom.js';
import { bounds, stateDot, stateName } from './people.js';
import { Line } from './plots.js';
import { duration, number, score, UNKNOWN } from './words.js';

const NARROW = '(max-width: 64rem)';
const RATE_OVER_S = 2;

export class Mirror {
  #link;
  #closed;
  #dialog = byId('mirror');
  #canvas = byId('mirror-screen');
  #trial = null;
  #asked = null;
  #newest = null;
  #drawing = false;
  #arrived = [];
  #facts = new Map();
  #lines = new Map();
  #opener = null;

  /** closed(): nobody is looked at any more. */
  constructor(link, closed) {
    this.#link = link;
    this.#closed = closed;
    this.#dialog.addEventListener('close', () => this.#left());
    byId('mirror-close').addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.#dialog.matches(':modal')) this.#dialog.close();
    });
    byId('mirror-pause').addEventListener('click', () => this.#pause());
    byId('mirror-end').addEventListener('click', () => this.#sure(true));
    byId('mirror-sure-no').addEventListener('click', () => this.#sure(false));
    byId('mirror-sure-yes').addEventListener('click', () => this.#end());
    byId('mirror-say').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#say();
    });
    document.addEventListener('visibilitychange', () => this.watch());
    for (const [name, title] of [['score', 'Return'], ['fps', 'Frames a second'], ['rttMs', 'Round trip, ms']]) {
      const line = new Line({ width: 240, height: 40, area: true });
      const value = make('span', { class: 'bar-n' });
      this.#lines.set(name, { line, value });
      byId('mirror-plots').append(make('div', {}, make('p', { class: 'bar-head' }, make('span', { class: 'bar-name' }, title), value), line.element));
    }
  }

  get trial() {
    return this.#trial;
  }

  open(trial) {
    if (this.#trial === trial) return;
    this.#opener = document.activeElement;
    this.#trial = trial;
    this.#blank('Waiting for a picture…');
    this.#tell('');
    this.#sure(false);
    byId('mirror-text').value = '';
    for (const id of ['mirror-pause', 'mirror-end', 'mirror-text']) byId(id).disabled = false;
    if (!this.#dialog.open) {
      if (matchMedia(NARROW).matches) this.#dialog.showModal();
      else this.#dialog.show();
    }
    byId('mirror-name').focus();
    this.watch();
  }

  /** Ask for the frames, or for none while nobody can see them. Again after each new connection. */
  watch(anew = false) {
    const wanted = document.hidden ? null : this.#trial;
    if (wanted === this.#asked && !anew) return;
    if (wanted === null && anew) {
      this.#asked = null;
      return;
    }
    this.#asked = wanted;
    this.#arrived = [];
    this.#newest = null;
    this.#link.ask({ watch: wanted }).then((problem) => {
      if (problem && this.#asked === wanted) this.#tell(problem);
    });
  }

  /** A frame has come: it is drawn when the browser draws, and overtaken by a newer one. */
  take(buffer) {
    const now = performance.now();
    this.#arrived = [...this.#arrived.filter((at) => now - at < RATE_OVER_S * 1000), now];
    this.#newest = buffer;
    if (!this.#drawing) this.#draw();
  }

  async #draw() {
    this.#drawing = true;
    try {
      while (this.#newest) {
        const buffer = this.#newest;
        this.#newest = null;
        const frame = parseFrame(buffer);
        const bitmap = await createImageBitmap(new Blob([frame.image], { type: frame.type }));
        await new Promise(requestAnimationFrame);
        if (this.#trial !== null) this.#put(bitmap, frame);
        bitmap.close();
      }
    } catch {
      this.#blank('This picture could not be read.');
    } finally {
      this.#drawing = false;
    }
  }

  #put(bitmap, frame) {
    if (this.#canvas.width !== frame.width || this.#canvas.height !== frame.height) {
      this.#canvas.width = frame.width;
      this.#canvas.height = frame.height;
    }
    this.#canvas.getContext('2d').drawImage(bitmap, 0, 0);
    byId('mirror-wait').hidden = true;
    const rate = this.#arrived.length / RATE_OVER_S;
    setText(byId('mirror-caption'), `As the participant sees it · frame ${number(frame.frameId)} · ${number(rate, 0)} a second here`);
    setAttribute(this.#canvas, 'data-frame', frame.frameId);
  }

  #blank(text) {
    this.#canvas.width = 0;
    this.#canvas.height = 0;
    this.#canvas.removeAttribute('data-frame');
    const wait = byId('mirror-wait');
    wait.hidden = false;
    setText(wait, text);
    setText(byId('mirror-caption'), '');
  }

  /** The facts of whom we look at. */
  show(desk) {
    if (this.#trial === null) return;
    const person = desk.people.get(this.#trial);
    if (!person) {
      this.over(this.#trial);
      return;
    }
    setText(byId('mirror-name'), person.user ?? person.trial);
    setText(byId('mirror-state'), stateName(person));
    setAttribute(byId('mirror-state'), 'data-state', stateDot(person));
    setText(byId('mirror-pause'), person.onHold ? 'Go on' : 'Pause');
    setAttribute(byId('mirror-pause'), 'data-does', person.onHold ? 'resume' : 'pause');
    const facts = [
      ['Condition', person.condition],
      ['Step', person.step],
      ['Episode', typeof person.episode === 'number' ? `${person.episode}${person.episodes ? ` of ${person.episodes}` : ''}` : null],
      ['Tick', number(person.tick)],
      ['Return', score(person.score)],
      ['Skipped', number(person.skipped)],
      ['Feedback', `+${number(person.good ?? 0)} −${number(person.bad ?? 0)}`],
      ['Errors', number(person.errors ?? 0)],
      ['Here for', duration(desk.nowS - person.since_s)],
      ['Trial', person.trial],
    ];
    for (const [name, value] of facts) this.#fact(name, value);
    const trace = desk.traces.get(this.#trial);
    for (const [name, { line, value }] of this.#lines) {
      line.show((trace?.[name] ?? []).map((point) => point.v), name === 'score' ? bounds(trace?.score) : {});
      setText(value, name === 'score' ? score(person.score) : number(person[name], name === 'fps' ? 1 : 0));
    }
  }

  #fact(name, value) {
    let fact = this.#facts.get(name);
    if (!fact) {
      fact = { element: make('div', {}, make('dt', {}, name)), value: make('dd') };
      fact.element.append(fact.value);
      byId('mirror-facts').append(fact.element);
      this.#facts.set(name, fact);
    }
    fact.element.hidden = value === null || value === undefined;
    setText(fact.value, value ?? UNKNOWN);
  }

  /** This session is over. What was seen last stays. */
  over(trial) {
    if (trial !== this.#trial) return;
    setText(byId('mirror-state'), 'has left');
    setAttribute(byId('mirror-state'), 'data-state', 'waiting');
    for (const id of ['mirror-pause', 'mirror-end', 'mirror-text']) byId(id).disabled = true;
    this.#sure(false);
    if (this.#canvas.width === 0) setText(byId('mirror-wait'), 'This session is over.');
  }

  async #pause() {
    const does = byId('mirror-pause').dataset.does ?? 'pause';
    this.#tell((await this.#link.ask({ [does]: this.#trial })) ?? (does === 'pause' ? 'The game is paused.' : 'The game goes on.'));
  }

  async #end() {
    this.#sure(false);
    this.#tell((await this.#link.ask({ end: this.#trial })) ?? 'The session is ending.');
  }

  async #say() {
    const input = byId('mirror-text');
    const text = input.value;
    const problem = await this.#link.ask({ say: this.#trial, text });
    if (problem === null && input.value === text) input.value = '';
    this.#tell(problem ?? `Said: “${text.trim()}”`);
  }

  #sure(asked) {
    byId('mirror-sure').hidden = !asked;
    byId('mirror-end').hidden = asked;
    if (asked) byId('mirror-sure-no').focus();
  }

  #tell(text) {
    setText(byId('mirror-result'), text);
  }

  #left() {
    this.#trial = null;
    this.watch();
    this.#blank('');
    this.#opener?.focus?.();
    this.#closed();
  }
}
