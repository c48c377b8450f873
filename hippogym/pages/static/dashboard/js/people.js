// The table of those who are here. A row is made once; afterwards only what has changed in it is written.

import { byId, make, setAttribute, setText } from './dom.js';
import { Line } from './plots.js';
import { inTrouble, tooSlow } from './state.js';
import { duration, number, score, UNKNOWN } from './words.js';

/** [class, heading, how it is written, whether it is a matter of concern] */
const COLUMNS = [
  ['status', 'State', (person) => stateName(person)],
  ['episode', 'Episode', (person) => episode(person)],
  ['return', 'Return', (person) => score(person.score)],
  ['fps', 'Rate', (person) => withUnit(person.fps, 'fps'), tooSlow],
  ['trip', 'Round trip', (person) => withUnit(person.rttMs, 'ms'), (person) => (person.rttMs ?? 0) > 400],
  ['skipped', 'Skipped', (person) => number(person.skipped)],
  ['feedback', 'Feedback', (person) => (person.state === null ? UNKNOWN : `+${number(person.good ?? 0)} −${number(person.bad ?? 0)}`)],
  ['errors', 'Errors', (person) => number(person.errors), (person) => (person.errors ?? 0) > 0],
  ['since', 'Here for', (person, nowS) => duration(nowS - person.since_s)],
];

const STATES = {
  __proto__: null,
  waiting: 'not started',
  playing: 'playing',
  paused: 'paused',
  starting: 'starting',
  queued: 'in the line',
  ending: 'ending',
};

function withUnit(value, unit) {
  return typeof value === 'number' ? `${number(value)} ${unit}` : UNKNOWN;
}

/** What a session's state is called; who has no connection is away. */
export function stateName(person) {
  if (!person.connected) return 'away';
  if (person.onHold) return 'held by you';
  return person.state === null ? 'on a page' : (STATES[person.state] ?? person.state);
}

/** The state as the house style knows it, for its dot. */
export function stateDot(person) {
  if (!person.connected) return 'lost';
  if (person.onHold) return 'paused';
  return person.state === 'playing' || person.state === 'paused' ? person.state : 'waiting';
}

function episode(person) {
  if (typeof person.episode !== 'number') return UNKNOWN;
  return person.episodes ? `${number(person.episode)} of ${number(person.episodes)}` : number(person.episode);
}

export class People {
  #rows = new Map();
  #body;
  #choose;

  /** choose(trial): somebody wants to see this participant. */
  constructor(choose) {
    this.#choose = choose;
    const headings = ['Participant', ...COLUMNS.map(([, heading]) => heading), 'Return so far'];
    const classes = ['who', ...COLUMNS.map(([name]) => name), 'trace'];
    byId('people-table').tHead.append(
      make('tr', { role: 'row' }, ...headings.map((text, index) => make('th', { role: 'columnheader', scope: 'col', class: classes[index] }, text))),
    );
    this.#body = byId('people-table').tBodies[0];
  }

  show(desk, order, text, chosen) {
    const listed = desk.listed(order, text);
    const none = byId('people-none');
    none.hidden = listed.length > 0;
    byId('people-table').hidden = !listed.length;
    if (desk.trouble) setText(none, desk.trouble);
    else setText(none, desk.everybody().length ? 'Nobody here fits.' : 'Nobody is here yet. Who comes appears by itself.');
    const seen = new Set();
    let place = this.#body.firstElementChild;
    for (const person of listed) {
      const row = this.#row(person.trial);
      this.#write(row, person, desk, person.trial === chosen);
      seen.add(person.trial);
      if (row.element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row.element, place);
    }
    for (const [trial, row] of this.#rows) {
      if (seen.has(trial)) continue;
      row.element.remove();
      this.#rows.delete(trial);
    }
  }

  #row(trial) {
    const known = this.#rows.get(trial);
    if (known) return known;
    const name = make('button', { type: 'button', class: 'name' });
    const about = make('span', { class: 'about' });
    const cells = COLUMNS.map(([kind, heading]) => {
      const value = make('span', { class: kind === 'status' ? 'state' : 'value' });
      return { value, element: make('td', { role: 'cell', class: kind }, make('span', { class: 'label' }, heading), value) };
    });
    const line = new Line({ width: 120, height: 24 });
    const element = make(
      'tr',
      { role: 'row', 'data-trial': trial },
      make('th', { role: 'rowheader', scope: 'row', class: 'who' }, name, about),
      ...cells.map((cell) => cell.element),
      make('td', { role: 'cell', class: 'trace' }, line.element),
    );
    name.addEventListener('click', () => this.#choose(trial));
    const row = { element, name, about, cells, line };
    this.#rows.set(trial, row);
    return row;
  }

  #write(row, person, desk, chosen) {
    setText(row.name, person.user ?? person.trial);
    setText(row.about, [person.step, person.condition, person.preview ? 'preview' : null].filter(Boolean).join(' · '));
    row.name.disabled = person.state === null;
    setAttribute(row.name, 'aria-label', person.state === null ? null : `Watch ${person.user ?? person.trial}`);
    COLUMNS.forEach(([kind, , write, worries], index) => {
      const { value } = row.cells[index];
      setText(value, write(person, desk.nowS));
      if (kind === 'status') setAttribute(value, 'data-state', stateDot(person));
      if (worries) value.classList.toggle('worry', worries(person));
    });
    row.element.classList.toggle('trouble', inTrouble(person));
    row.element.classList.toggle('chosen', chosen);
    setAttribute(row.name, 'aria-expanded', chosen ? 'true' : 'false');
    const points = desk.traces.get(person.trial)?.score;
    row.line.show((points ?? []).map((point) => point.v), span(points));
  }
}

/** The edges for a small line that shows only how it went. */
function span(points = []) {
  const values = points.map((point) => point.v).filter((value) => value !== null);
  if (!values.length) return {};
  const [top, bottom] = [Math.max(...values), Math.min(...values)];
  return top === bottom ? { top: top + 1, bottom: bottom - 1 } : { top, bottom };
}

/** The upper and lower edge for a line of returns, which may be below nothing. */
export function bounds(points = []) {
  const values = points.map((point) => point.v).filter((value) => value !== null);
  const top = Math.max(0, ...values);
  const bottom = Math.min(0, ...values);
  return { top: top === bottom ? 1 : top, bottom };
}
