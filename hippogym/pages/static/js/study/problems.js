// What is missing or not right: said beside each control, tied to it for those who listen, summed up above, and the focus
// goes to the first. As soon as something is changed, its complaint goes.

import { groupsIn } from './answers.js';

const NUMBER_KINDS = new Set(['number', 'range']);

/** What the browser itself can tell is missing or impossible, before anything is sent: [{name, text}], in document order. */
export function problemsIn(root) {
  const problems = [];
  for (const [name, controls] of groupsIn(root)) {
    const text = controls.map(problemText).find(Boolean);
    if (text) problems.push({ name, text });
  }
  return problems;
}

/** A sentence on the validity of a control; empty where all is well. */
export function problemText({ type, validity, min, max, step, minLength, maxLength, title }) {
  if (validity.valid) return '';
  if (validity.badInput) return NUMBER_KINDS.has(type) ? 'Please give a number.' : `Please give a ${type}.`;
  if (validity.valueMissing) return missingText(type);
  if (validity.typeMismatch) return type === 'email' ? 'Please give an e-mail address.' : 'Please give a web address.';
  const what = NUMBER_KINDS.has(type) ? 'number' : type;
  if (validity.rangeUnderflow) return `Please give a ${what} from ${min}.`;
  if (validity.rangeOverflow) return `Please give a ${what} up to ${max}.`;
  if (validity.stepMismatch) return stepText(what, step);
  if (validity.tooShort) return `Please use at least ${minLength} characters.`;
  if (validity.tooLong) return `Please use at most ${maxLength} characters.`;
  if (validity.patternMismatch) return title || 'Please write this in the form that is asked for.';
  return 'Please have another look at this.';
}

function stepText(what, step) {
  if (what !== 'number') return `Please give another ${what}.`;
  return step && step !== '1' ? `Please give a number in steps of ${step}.` : 'Please give a whole number.';
}

function missingText(type) {
  if (type === 'checkbox') return 'Please tick this box.';
  if (type === 'file') return 'Please choose a file.';
  return ['radio', 'select-one', 'select-multiple'].includes(type) ? 'Please choose one.' : 'Please answer this.';
}

/** How many things there are to look at again; `triesLeft`: of a quiz, null where they are not counted. */
export function summary(count, triesLeft = null, judged = false) {
  const things = count === 1 ? 'One answer' : `${count} answers`;
  if (!judged) return count ? `${things} ${count === 1 ? 'needs' : 'need'} another look.` : '';
  const tries = triesLeft === null ? '' : triesLeft === 1 ? ' You have one try left.' : ` You have ${triesLeft} tries left.`;
  return `${count ? `${things} ${count === 1 ? 'is' : 'are'} not right yet.` : 'That is not right yet.'}${tries}`;
}

export class Complaints {
  #root;
  #alert;
  #made = 0;

  /** root: holds the controls. alert: where the summary is said. */
  constructor(root, alert) {
    this.#root = root;
    this.#alert = alert;
    for (const event of ['input', 'change']) {
      root.addEventListener(event, ({ target }) => {
        if (target.name) this.#withdraw(target.name);
      });
    }
  }

  clear() {
    for (const message of this.#root.querySelectorAll('[data-complaint]')) this.#withdraw(message.dataset.complaint);
    this.#alert.replaceChildren();
  }

  /** problems: [{name, text}]. text: the summary. */
  show(problems, text) {
    this.clear();
    const groups = groupsIn(this.#root);
    const elsewhere = problems.filter(({ name }) => !groups.has(name)).map((problem) => problem.text);
    let first = null;
    for (const [name, controls] of groups) {
      const said = problems.filter((problem) => problem.name === name).map((problem) => problem.text);
      if (!said.length) continue;
      this.#complain(name, controls, said.join(' '));
      first ??= controls.find((control) => control.type !== 'hidden') ?? null;
    }
    this.#alert.replaceChildren(...[text, ...elsewhere].filter(Boolean).map(paragraph));
    first?.focus({ preventScroll: true });
    (first && this.#root.querySelector(`[data-complaint="${CSS.escape(first.name)}"]`))?.scrollIntoView({ block: 'center' });
  }

  #complain(name, controls, text) {
    this.#made += 1;
    const message = paragraph(text);
    message.id = `study-complaint-${this.#made}`;
    message.className = 'complaint';
    message.dataset.complaint = name;
    place(message, controls, this.#root);
    for (const control of controls) {
      control.setAttribute('aria-invalid', 'true');
      setIds(control, (ids) => [...ids, message.id]);
    }
  }

  #withdraw(name) {
    for (const message of this.#root.querySelectorAll(`[data-complaint="${CSS.escape(name)}"]`)) {
      message.remove();
      for (const control of groupsIn(this.#root).get(name) ?? []) {
        control.removeAttribute('aria-invalid');
        setIds(control, (ids) => ids.filter((id) => id !== message.id));
      }
    }
  }
}

function setIds(control, change) {
  const before = (control.getAttribute('aria-describedby') ?? '').split(/\s+/).filter(Boolean);
  const after = change(before);
  if (after.length) control.setAttribute('aria-describedby', after.join(' '));
  else control.removeAttribute('aria-describedby');
}

/** Of a group at its head, below the legend; of a control alone right after it and its label. */
function place(message, controls, root) {
  const [first] = controls;
  const fieldset = first.closest('fieldset');
  if (fieldset && root.contains(fieldset) && (controls.length > 1 || only(fieldset, first))) {
    const legend = fieldset.querySelector(':scope > legend');
    if (legend) legend.after(message);
    else fieldset.prepend(message);
    return;
  }
  const label = first.closest('label') ?? null;
  const whole = label && root.contains(label) ? label : first;
  if (controls.length > 1) whole.before(message);
  else whole.after(message);
}

function only(fieldset, control) {
  return [...groupsIn(fieldset).keys()].every((name) => name === control.name);
}

function paragraph(text) {
  const made = document.createElement('p');
  made.textContent = text;
  return made;
}
