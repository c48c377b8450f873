// The frame-rate control: the server's real rate, and the wish to change it.

import { controlLabel } from './arrange.js';

/**
 * What becomes of a typed rate: {send} to ask for it, {tell} to say why not; {} where nothing changes.
 * Outside the bounds the nearest bound is asked for, and said.
 */
export function judgeRate(text, { rate, min, max }) {
  const wanted = Number(text.trim().replace(',', '.'));
  if (text.trim() === '' || !Number.isFinite(wanted)) return { tell: `Please type a number from ${min} to ${max}.` };
  const possible = Math.min(max, Math.max(min, wanted));
  const tell = possible === wanted ? undefined : `From ${min} to ${max} frames a second are possible here.`;
  return { ...(possible === rate ? {} : { send: possible }), ...(tell ? { tell } : {}) };
}

/** Builds the parts named in `parts`; `ask(rate)` sends the wish, `tell(text)` speaks to the participant. */
export function buildRate(parts, { ask, tell, leave }) {
  const group = document.createElement('div');
  group.className = 'group rate';
  group.setAttribute('role', 'group');
  group.setAttribute('aria-label', 'Speed');
  const built = Object.fromEntries(parts.map((name) => [name, name === 'fpsSet' ? rateBox() : rateButton(name)]));
  group.append(...parts.map((name) => built[name]));
  const input = built.fpsSet?.querySelector('input');
  let known = null;
  let shown = '';

  built.fpsDown?.addEventListener('click', () => ask('slower'));
  built.fpsUp?.addEventListener('click', () => ask('faster'));

  function showRate() {
    if (!input || !known) return;
    input.value = shown = String(Math.round(known.rate * 100) / 100);
    input.min = known.min;
    input.max = known.max;
    input.title = known.allowed ? `From ${known.min} to ${known.max}` : 'Fixed in this study';
  }

  function commit() {
    if (!known || !input || input.value === shown) return;
    const { send, tell: words } = judgeRate(input.value, known);
    if (words) tell(words);
    if (send !== undefined) ask(send);
    showRate(); // until the server says that it is so, the old rate is the real one
  }

  input?.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') showRate();
    if (event.key === 'Enter') commit();
    if (event.key === 'Escape' || event.key === 'Enter') leave();
  });
  input?.addEventListener('blur', commit);

  return {
    element: group,
    update(frameRate, isOpen) {
      const changed = frameRate && frameRate.rate !== known?.rate;
      known = frameRate ?? known;
      const usable = Boolean(isOpen && known?.allowed);
      if (input) input.disabled = !usable;
      if (built.fpsDown) built.fpsDown.disabled = !usable || known.rate <= known.min;
      if (built.fpsUp) built.fpsUp.disabled = !usable || known.rate >= known.max;
      if (changed || document.activeElement !== input) showRate();
    },
  };
}

function rateBox() {
  const label = document.createElement('label');
  label.className = 'rate-box';
  const words = document.createElement('span');
  words.textContent = 'Frames a second';
  const input = document.createElement('input');
  input.id = 'fpsSet';
  input.type = 'number';
  input.step = 'any';
  input.inputMode = 'decimal';
  input.autocomplete = 'off';
  input.disabled = true;
  label.append(words, input);
  return label;
}

function rateButton(name) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'button';
  button.dataset.control = name;
  button.textContent = name === 'fpsUp' ? '+' : '−';
  button.setAttribute('aria-label', controlLabel(name));
  button.title = controlLabel(name);
  return button;
}
