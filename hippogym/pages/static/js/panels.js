// What stands beside the game: the agent's display, the budget, instructions, what the keys do, two pictures.

import { actionName, keyName, legendLines, spokenKeyName } from './keynames.js';

const MANY_COMBINATIONS = 8;
const byId = (id) => document.getElementById(id);

export class Panels {
  #shown = {};
  #score = null;
  #layout = null;
  #keyMap = [];
  #hasGamepad = false;
  #inTurns = false;

  /** Rows of name and value; what is neither text nor number is shown as JSON, so that a mistake can be seen. */
  setDisplay(display) {
    this.#shown = typeof display === 'object' && !Array.isArray(display) ? display : {};
    this.#showReadings();
  }

  setScore(score) {
    this.#score = score;
    this.#showReadings();
  }

  #showReadings() {
    const rows = Object.entries(this.#shown);
    if (this.#score !== null && this.#score !== undefined) rows.unshift(['Score', this.#score]);
    fillList(byId('display'), rows.map(([name, value]) => [capital(name), readable(value)]));
    byId('display').hidden = rows.length === 0;
    this.#showOrHide();
  }

  setBudget({ total, used }) {
    const usable = Number.isFinite(total) || Number.isFinite(used);
    const budget = byId('budget');
    budget.hidden = !usable;
    if (usable) {
      const { text, part } = budgetWords(total, used);
      byId('budget-text').textContent = text;
      byId('budget-bar').value = part;
    }
    this.#showOrHide();
  }

  setInstructions(instructions) {
    const paragraphs = paragraphsOf(instructions);
    for (const id of ['instructions-text', 'overlay-brief']) {
      byId(id).replaceChildren(...paragraphs.map((text) => element('p', text)));
    }
    byId('instructions').hidden = byId('overlay-brief').hidden = paragraphs.length === 0;
    this.#showOrHide();
  }

  async setKeyMap(keyMap) {
    this.#keyMap = keyMap;
    this.#showLegend();
    this.#layout ??= await printedKeys();
    if (this.#layout) this.#showLegend();
  }

  /** `turn`: the environment waits for each action. */
  setStepMode(mode) {
    this.#inTurns = mode === 'turn';
    this.#showLegend();
  }

  /** There is a gamepad now: what its buttons do is worth knowing. */
  gamepadArrived() {
    this.#hasGamepad = true;
    this.#showLegend();
  }

  #showLegend() {
    // Where time passes by itself, doing nothing needs no key; where it waits, that is a turn like any other.
    const lines = this.#inTurns ? this.#keyMap : this.#keyMap.filter(({ action }) => action !== 'noop');
    const { single, combined } = legendLines(lines, this.#hasGamepad);
    const together = single.length + combined.length <= MANY_COMBINATIONS;
    this.#fillLegend(byId('legend-single'), together ? [...single, ...combined] : single);
    this.#fillLegend(byId('legend-combined'), together ? [] : combined);
    byId('legend-more').hidden = together || combined.length === 0;
    byId('legend').hidden = single.length + combined.length === 0;
    this.#showOrHide();
  }

  #fillLegend(list, lines) {
    const rows = lines.map(({ action, keys }) => {
      const value = document.createElement('dd');
      keys.forEach((combination, index) => {
        if (index) value.append(element('span', 'or', 'or'));
        value.append(this.#combination(combination));
      });
      return row(element('dt', actionName(action)), value);
    });
    list.replaceChildren(...rows);
  }

  #combination(codes) {
    const whole = element('span', '', 'combination');
    codes.forEach((code, index) => {
      if (index) whole.append(element('span', '+', 'plus'));
      const key = element('kbd', '');
      const seen = element('span', keyName(code, this.#layout));
      const spoken = spokenKeyName(code, this.#layout);
      if (spoken !== seen.textContent) {
        seen.setAttribute('aria-hidden', 'true');
        key.append(element('span', spoken, 'unseen'));
      }
      key.append(seen);
      whole.append(key);
    });
    return whole;
  }

  setImages({ left, right }) {
    setImage(byId('image-left'), left);
    setImage(byId('image-right'), right);
  }

  /** A new trial: what the old one showed is no longer true. */
  clear() {
    this.#score = null;
    this.setDisplay({});
    this.setBudget({ total: null, used: null });
    this.setImages({ left: null, right: null });
  }

  #showOrHide() {
    byId('readings').hidden = byId('display').hidden && byId('budget').hidden;
    byId('guide').hidden = byId('instructions').hidden && byId('legend').hidden;
  }
}

/** What the budget's bar says, and how much of it is filled, from 0 to 1. Either number may be missing. */
export function budgetWords(total, used) {
  if (!Number.isFinite(total)) return { text: `${readable(used)} used`, part: 0 };
  const spent = Number.isFinite(used) ? used : 0;
  const part = total > 0 ? Math.min(1, Math.max(0, spent / total)) : 1;
  return { text: `${readable(spent)} of ${readable(total)} used`, part };
}

/** Text with blank lines, or a list of texts → paragraphs. */
export function paragraphsOf(instructions) {
  const texts = Array.isArray(instructions) ? instructions : [instructions];
  return texts
    .filter((text) => typeof text === 'string')
    .flatMap((text) => text.split(/\n\s*\n/))
    .map((text) => text.trim())
    .filter(Boolean);
}

/** A value of the display as text: numbers with at most three digits after the point. */
export function readable(value) {
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  return typeof value === 'string' ? value : JSON.stringify(value) ?? '';
}

/** Changes the texts in place where the names stay: a score that changes at each frame must not rebuild its panel. */
export function fillList(list, rows) {
  const names = [...list.querySelectorAll('dt')].map((name) => name.textContent);
  const same = names.length === rows.length && rows.every(([name], index) => name === names[index]);
  if (!same) {
    list.replaceChildren(...rows.map(([name, value]) => row(element('dt', name), element('dd', value))));
    return;
  }
  list.querySelectorAll('dd').forEach((cell, index) => {
    if (cell.textContent !== rows[index][1]) cell.textContent = rows[index][1];
  });
}

function setImage(image, source) {
  if (source === undefined) return;
  if (source) image.src = source;
  else image.removeAttribute('src');
  image.hidden = !source;
}

/** What is printed on the keys of this person's keyboard; only some browsers tell. */
async function printedKeys() {
  try {
    return (await navigator.keyboard?.getLayoutMap?.()) ?? null;
  } catch {
    return null; // not told inside a frame of another page
  }
}

function row(...cells) {
  const line = document.createElement('div');
  line.append(...cells);
  return line;
}

function element(tag, text, className = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function capital(name) {
  return name ? name[0].toUpperCase() + name.slice(1) : name;
}
