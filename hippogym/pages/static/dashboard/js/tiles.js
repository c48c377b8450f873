// The line of figures at the top: how it goes now, and how it went in the last hour.

import { byId, make, setAttribute, setText } from './dom.js';
import { Line, median } from './plots.js';
import { count, number } from './words.js';

/** [id, what it is, its unit, which field of a pulse, whether the area below is filled] */
const TILES = [
  ['here', 'In the game', '', 'here', true],
  ['rate', 'Frames a second', 'fps', 'fps', false],
  ['trip', 'Round trip', 'ms', 'rttMs', false],
  ['skipped', 'Frames skipped', 'a second', 'skipped', true],
  ['feedback', 'Feedback', '', 'feedback', true],
];

export class Tiles {
  #tiles = new Map();

  constructor() {
    for (const [id, title, unit, field, area] of TILES) {
      const value = make('span', { class: 'tile-value' }, '–');
      const small = make('span', { class: 'tile-unit' }, unit);
      const note = make('p', { class: 'tile-note' });
      const line = new Line({ area, name: `plot-${id}` });
      const element = make('div', { class: 'tile', id: `tile-${id}` }, make('h3', {}, title), make('p', {}, value, ' ', small), line.element, note);
      byId('tiles').append(element);
      this.#tiles.set(id, { value, small, note, line, field, unit });
    }
  }

  /** desk: the state; the newest figures come from the people, the lines from the pulse. */
  show(desk) {
    const people = [...desk.people.values()];
    const playing = people.filter((person) => person.state === 'playing');
    const away = people.filter((person) => !person.connected).length;
    const newest = desk.pulse.at(-1) ?? {};
    const good = sum(people, 'good');
    const bad = sum(people, 'bad');
    const reading = desk.everybody().length - people.length;
    this.#say('here', number(people.length), desk.hello.places ? `of ${count(desk.hello.places, 'place')}` : '', [
      `${playing.length} playing`,
      reading ? `${number(reading)} on pages` : '',
      newest.waiting ? `${number(newest.waiting)} in line` : '',
      away ? `${away} away` : '',
    ]);
    this.#say('rate', number(middle(playing, 'fps'), 1), 'fps', [playing.length ? 'median of those who play' : 'nobody plays']);
    this.#say('trip', number(middle(people, 'rttMs')), 'ms', [worst(people)]);
    this.#say('skipped', number(newest.skipped ?? 0, 1), 'a second', [`overtaken by newer ones; ${number(sum(people, 'skipped'))} so far`]);
    this.#say('feedback', number(good + bad), '', [`${number(good)} good, ${number(bad)} bad`]);
    for (const tile of this.#tiles.values()) {
      const values = desk.pulse.map((point) => (tile.field === 'feedback' ? (point.good ?? 0) + (point.bad ?? 0) : point[tile.field]));
      tile.line.show(values);
      setAttribute(tile.line.element, 'class', `plot${values.length > 1 ? '' : ' empty'}`);
    }
  }

  #say(id, value, unit, notes) {
    const tile = this.#tiles.get(id);
    setText(tile.value, value);
    setText(tile.small, unit);
    setText(tile.note, notes.filter(Boolean).join(' · '));
  }
}

function values(people, field) {
  return people.map((person) => person[field]).filter((value) => typeof value === 'number');
}

function sum(people, field) {
  return values(people, field).reduce((total, value) => total + value, 0);
}

function middle(people, field) {
  return median(values(people, field));
}

function worst(people) {
  const trips = values(people, 'rttMs');
  return trips.length ? `longest ${number(Math.max(...trips))} ms` : 'median';
}
