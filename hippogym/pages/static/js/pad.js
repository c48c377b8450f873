// The direction pad on the screen, and buttons for the environment's other actions: held as long as a finger, a mouse button or a key is on it, several at a time.

import { controlLabel } from './arrange.js';
import { icon } from './icons.js';
import { actionName } from './keynames.js';

const PRESS_KEYS = new Set(['Enter', 'Space']);

export function buildPad(root, rows, more, held) {
  const places = rows.flat().map((name) => (name ? directionButton(name) : document.createElement('span')));
  if (more.length) {
    const others = document.createElement('div');
    others.className = 'others';
    others.append(...more.map((name) => padButton(name, actionName(name))));
    places.push(others);
  }
  root.replaceChildren(...places);
  root.hidden = places.length === 0;
  const pressed = new Map(); // who presses (a pointer's id, or 'key') → name of the control

  function press(who, name) {
    const before = pressed.get(who);
    if (before === name) return;
    release(who);
    if (!name) return;
    pressed.set(who, name);
    mark(name);
    held.pressControl(name);
  }

  function release(who) {
    const name = pressed.get(who);
    if (!name) return;
    pressed.delete(who);
    mark(name);
    if (!isPressed(name)) held.releaseControl(name);
  }

  const isPressed = (name) => [...pressed.values()].includes(name);

  function mark(name) {
    root.querySelector(`[data-control="${CSS.escape(name)}"]`)?.classList.toggle('pressed', isPressed(name));
  }

  root.onpointerdown = (event) => {
    if (event.button !== 0) return;
    const name = nameOf(event.target);
    if (!name) return;
    event.preventDefault(); // the focus stays with the game
    root.setPointerCapture(event.pointerId);
    press(event.pointerId, name);
  };
  // A thumb slides from one direction to the next without being lifted.
  root.onpointermove = (event) => {
    if (!root.hasPointerCapture(event.pointerId)) return;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    press(event.pointerId, root.contains(under) ? (nameOf(under) ?? pressed.get(event.pointerId)) : null);
  };
  root.onpointerup = root.onpointercancel = root.onlostpointercapture = (event) => release(event.pointerId);
  root.oncontextmenu = (event) => event.preventDefault();

  root.onkeydown = (event) => {
    if (!PRESS_KEYS.has(event.code) || !nameOf(event.target)) return;
    event.preventDefault();
    if (!event.repeat) press('key', nameOf(event.target));
  };
  root.onkeyup = (event) => {
    if (PRESS_KEYS.has(event.code)) release('key');
  };
  root.onfocusout = () => release('key');
  // Switches and screen readers click without pressing anything first: that is a tap.
  root.onclick = (event) => {
    if (event.detail !== 0 || !nameOf(event.target)) return;
    press('click', nameOf(event.target));
    release('click');
  };

  return {
    /** Somebody else released everything; only the marks are left to take away. */
    releaseAll() {
      for (const [who, name] of [...pressed]) {
        pressed.delete(who);
        mark(name);
      }
    },
  };
}

function nameOf(element) {
  return element?.closest?.('[data-control]')?.dataset.control ?? null;
}

function directionButton(name) {
  const button = padButton(name, controlLabel(name), icon(name));
  button.classList.add(name);
  return button;
}

function padButton(name, label, face = label) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'pad-button';
  button.dataset.control = name;
  button.setAttribute('aria-label', label);
  button.append(face);
  return button;
}
