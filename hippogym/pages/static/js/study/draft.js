// What has been typed and not yet sent outlives a reload of the page: kept by the browser, in this tab only, until it is
// sent or the step is over. Files cannot be kept; that there was one can.

import { controlsIn, groupsIn } from './answers.js';

export class Drafts {
  #key;
  #storage;

  /** `storage` may be null, or refuse (private windows do): then nothing is kept. */
  constructor(storage, projectId) {
    this.#storage = storage;
    this.#key = `hippogym.draft:${projectId ?? ''}`;
  }

  /** stamp: of the showing of the step. times: {shownMs, focusMs} so far. */
  keep(stamp, root, times) {
    this.#quietly((storage) => storage.setItem(this.#key, JSON.stringify({ stamp, times, entries: entriesOf(root) })));
  }

  /** The draft of this showing, or null. */
  of(stamp) {
    const draft = this.#quietly((storage) => JSON.parse(storage.getItem(this.#key) ?? 'null'));
    return draft?.stamp === stamp && Array.isArray(draft.entries) ? draft : null;
  }

  forget() {
    this.#quietly((storage) => storage.removeItem(this.#key));
  }

  #quietly(does) {
    try {
      return this.#storage ? does(this.#storage) : null;
    } catch {
      return null; // refused, full, or not ours
    }
  }
}

/** Everything in `root` as plain values: [[name, which of that name, value], …]. */
export function entriesOf(root) {
  const counts = new Map();
  return controlsIn(root)
    .filter((control) => control.type !== 'password' && control.type !== 'hidden')
    .map((control) => {
      const nth = counts.get(control.name) ?? 0;
      counts.set(control.name, nth + 1);
      return [control.name, nth, stateOf(control)];
    });
}

/** Puts the values back where the same controls are. Returns the names of files that have to be chosen again. */
export function putBack(entries, root) {
  const left = new Map(entries.map(([name, nth, state]) => [JSON.stringify([name, nth]), state]));
  const counts = new Map();
  const lost = [];
  for (const control of controlsIn(root)) {
    const nth = counts.get(control.name) ?? 0;
    counts.set(control.name, nth + 1);
    const state = left.get(JSON.stringify([control.name, nth]));
    if (state !== undefined) lost.push(...restore(control, state));
  }
  return lost;
}

function stateOf(control) {
  if (control.type === 'radio' || control.type === 'checkbox') return control.checked;
  if (control.type === 'select-multiple') return [...control.selectedOptions].map((option) => option.index);
  if (control.type === 'file') return [...control.files].map((file) => file.name);
  return control.value;
}

function restore(control, state) {
  if (control.type === 'radio' || control.type === 'checkbox') control.checked = state === true;
  else if (control.type === 'select-multiple') {
    for (const option of control.options) option.selected = Array.isArray(state) && state.includes(option.index);
  } else if (control.type === 'file') return Array.isArray(state) ? state : [];
  else if (typeof state === 'string') control.value = state;
  return [];
}

/** Puts answers that were given before, as the server keeps them, back into their controls. */
export function fillIn(answers, root) {
  for (const [name, controls] of groupsIn(root)) {
    const answer = Object.hasOwn(answers, name) ? answers[name] : null;
    const [first] = controls;
    if (answer === null || first.type === 'hidden' || first.type === 'file') continue;
    if (first.type === 'radio') for (const control of controls) control.checked = control.value === answer;
    else if (first.type === 'checkbox' && controls.length === 1) first.checked = answer === true;
    else if (Array.isArray(answer)) {
      for (const control of controls) control.checked = answer.includes(control.value);
      for (const option of first.options ?? []) option.selected = answer.includes(option.value);
    } else if (typeof answer === 'string') controls.at(-1).value = answer;
  }
}
