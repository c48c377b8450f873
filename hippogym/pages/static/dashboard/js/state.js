// Everything that the server has told, put together. Pure: it knows no page and no socket.

const TRACE_POINTS = 240; // of each participant, one a second
const PULSE_POINTS = 720;
const HAPPENED = 200;
const TRACED = ['score', 'fps', 'rttMs'];

export class Desk {
  constructor() {
    this.hello = { project: '', places: null, steps: false };
    this.forget();
  }

  /** A new connection is told everything again. */
  forget() {
    this.people = new Map();
    this.traces = new Map();
    this.pulse = [];
    this.happened = [];
    this.study = null;
    this.machine = null;
    this.trouble = null;
    this.nowS = null;
  }

  /** Take a message; returns the names of what it changed. */
  take(message) {
    const changed = new Set();
    if (message.hello) {
      this.forget();
      this.hello = message.hello;
      changed.add('hello').add('people').add('pulse').add('happened').add('study').add('machine');
    }
    if (typeof message.now_s === 'number') this.nowS = message.now_s;
    if (message.people) this.#takePeople(message.people, changed);
    if (message.pulse) {
      this.pulse = [...this.pulse, ...message.pulse].slice(-PULSE_POINTS);
      changed.add('pulse');
    }
    if (message.happened) {
      this.happened = [...this.happened, ...message.happened].slice(-HAPPENED);
      changed.add('happened');
    }
    for (const name of ['study', 'machine']) {
      if (name in message) {
        this[name] = message[name];
        changed.add(name);
      }
    }
    if (typeof message.now_s === 'number') this.#trace();
    return changed;
  }

  #takePeople({ changed: persons = [], gone = [], trouble = null }, changed) {
    this.trouble = trouble;
    for (const person of persons) {
      this.people.set(person.trial, { ...this.people.get(person.trial), ...person });
    }
    for (const trial of gone) {
      this.people.delete(trial);
      this.traces.delete(trial);
    }
    changed.add('people');
  }

  /** A point for everybody, also for those of whom nothing has changed. */
  #trace() {
    for (const [trial, person] of this.people) {
      let trace = this.traces.get(trial);
      if (!trace) this.traces.set(trial, (trace = { score: [], fps: [], rttMs: [], episodes: [] }));
      for (const name of TRACED) push(trace[name], { t: this.nowS, v: person[name] ?? null });
      push(trace.episodes, person.episode ?? null);
    }
  }

  /** Everybody: who is in a game, and who is on a page of the study; the latter have no `state`, and nothing to watch. */
  everybody() {
    const playing = [...this.people.values()];
    const visits = new Set(playing.map((person) => person.visit));
    const reading = (this.study?.there ?? []).filter((one) => !visits.has(one.visit));
    return [...playing, ...reading.map((one) => ({ ...one, trial: `visit-${one.visit}`, state: null, connected: true }))];
  }

  /** Participants in the wanted order, those whose facts hold the text. */
  listed(order, text = '') {
    const wanted = text.trim().toLowerCase();
    const persons = this.everybody().filter((person) => !wanted || holds(person, wanted));
    return persons.sort((a, b) => compare(a, b, order) || compare(a, b, 'since'));
  }
}

function push(list, point) {
  list.push(point);
  if (list.length > TRACE_POINTS) list.shift();
}

function holds(person, wanted) {
  return [person.user, person.condition, person.step, person.state, person.trial].some(
    (fact) => typeof fact === 'string' && fact.toLowerCase().includes(wanted),
  );
}

/** Who has a reason to be looked at. */
export function inTrouble(person) {
  return !person.connected || (person.errors ?? 0) > 0 || (person.rttMs ?? 0) > 400 || tooSlow(person);
}

/** Playing at less than four fifths of the wanted rate. */
export function tooSlow(person) {
  return person.state === 'playing' && !person.onHold && typeof person.fps === 'number' && person.fps < 0.8 * (person.rate ?? 0);
}

function compare(a, b, order) {
  switch (order) {
    case 'user':
      return String(a.user).localeCompare(String(b.user), undefined, { numeric: true });
    case 'fps':
      return (a.fps ?? Infinity) - (b.fps ?? Infinity) || 0;
    case 'rttMs':
      return (b.rttMs ?? -1) - (a.rttMs ?? -1);
    case 'trouble':
      return Number(inTrouble(b)) - Number(inTrouble(a));
    default:
      return (a.since_s ?? 0) - (b.since_s ?? 0) || (a.trial < b.trial ? -1 : 1);
  }
}
