// A step's HTML, made ready to be shown in our page: which ids are taken, where links lead, what needs an answer, what a
// range says, and, where the study allows it, its scripts.

import { groupsIn } from './answers.js';

/** HTML → a fragment to be put into the page. The server has cleaned it; the policy of the page holds whatever it is. */
export function fragmentOf(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  const fragment = template.content;
  keepIdsApart(fragment);
  // Whoever looks something up elsewhere finds their answers where they left them; places on this page are on this page.
  for (const link of fragment.querySelectorAll('a[href^="#"]')) link.removeAttribute('target');
  for (const control of fragment.querySelectorAll('input[type=file][multiple]')) control.multiple = false; // an answer is one file
  return fragment;
}

/** An id that our page has already is changed, together with what refers to it. */
function keepIdsApart(fragment) {
  for (const element of fragment.querySelectorAll('[id]')) {
    const before = element.id;
    if (!before || !document.getElementById(before)) continue;
    const after = `step-${before}`;
    element.id = after;
    for (const label of fragment.querySelectorAll('[for]')) if (label.htmlFor === before) label.htmlFor = after;
    for (const link of fragment.querySelectorAll('a[href]')) {
      if (link.getAttribute('href') === `#${before}`) link.setAttribute('href', `#${after}`);
    }
    for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'list']) {
      for (const element of fragment.querySelectorAll(`[${name}]`)) {
        const ids = element.getAttribute(name).split(/\s+/);
        element.setAttribute(name, ids.map((id) => (id === before ? after : id)).join(' '));
      }
    }
  }
}

/** Puts a star where an answer is needed, for those who see; others are told by the control itself. Returns how many. */
export function markRequired(root) {
  const needed = [...groupsIn(root).values()].map((controls) => controls.filter((control) => control.required)).flat();
  const marked = new Set(needed.map((control) => wordsOf(control, root)).filter(Boolean));
  for (const words of marked) {
    const star = document.createElement('span');
    star.className = 'needed';
    star.textContent = '\u00a0*';
    star.ariaHidden = 'true';
    const inside = words.querySelector('input:not([type=radio], [type=checkbox]), select, textarea');
    if (inside) inside.before(star);
    else words.append(star);
  }
  return marked.size;
}

/** Where a control's question stands: the legend of a group that is one question, else its label. */
function wordsOf(control, root) {
  const group = control.closest('fieldset');
  if (group && control.type === 'radio' && root.contains(group) && groupsIn(group).size === 1) {
    const legend = group.querySelector(':scope > legend');
    if (legend) return legend;
  }
  return control.type === 'radio' ? null : (control.labels?.[0] ?? null);
}

/** Where a range stands is shown beside it, and follows it. */
export function showRanges(root) {
  for (const range of root.querySelectorAll('input[type=range]')) {
    const said = document.createElement('output');
    said.className = 'range-value';
    const show = () => (said.textContent = range.value);
    show();
    range.addEventListener('input', show);
    range.after(said);
  }
}

/** Runs the scripts of a step in their order. Those that came as text stay asleep: the browser runs only what is made anew. */
export async function runScripts(root) {
  for (const asleep of root.querySelectorAll('script')) {
    const awake = document.createElement('script');
    for (const { name, value } of asleep.attributes) awake.setAttribute(name, value);
    awake.async = false;
    awake.textContent = asleep.textContent;
    const loaded = asleep.src ? new Promise((go) => (awake.onload = awake.onerror = go)) : null;
    asleep.replaceWith(awake);
    await loaded;
  }
}
