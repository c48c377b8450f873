// What has been answered so far: a plot for each question. Free texts are only counted: they are for `hippogym answers`.

import { byId, Changed, make } from './dom.js';
import { bar, histogram } from './plots.js';
import { count, number, percent, score } from './words.js';

const MOST_OPTIONS = 12;

export class Answers {
  #changed = new Changed();

  show(study) {
    const answers = study?.answers ?? [];
    if (!this.#changed.is(answers)) return;
    const body = byId('answers-body');
    body.replaceChildren();
    if (!answers.some((question) => question.n > 0)) {
      body.append(make('p', { class: 'nothing' }, 'No answers yet.'));
      return;
    }
    const steps = new Map();
    for (const question of answers) steps.set(question.step, [...(steps.get(question.step) ?? []), question]);
    for (const [step, questions] of steps) {
      body.append(make('h3', {}, step), make('ul', { class: 'questions' }, ...questions.map(questionItem)));
    }
  }
}

function questionItem(question) {
  const right = typeof question.right === 'number' && question.n > 0 ? ` · ${percent(question.right, question.n)} right` : '';
  return make(
    'li',
    { class: 'question' },
    make('h4', {}, question.label || question.name),
    picture(question),
    make('p', { class: 'bar-facts' }, `${count(question.n, 'answer')}${right}`),
  );
}

function picture(question) {
  if (question.kind === 'choice' && question.counts?.length) return options(question.counts);
  if (question.kind === 'number' && question.values?.length) return histogram(question.values, score);
  return make('p', { class: 'texts' }, question.kind === 'text' ? 'Free text' : 'No answers yet');
}

function options(counts) {
  const most = Math.max(1, ...counts.map(([, n]) => n));
  const shown = counts.slice(0, MOST_OPTIONS);
  const more = counts.length - shown.length;
  return make(
    'ul',
    { class: 'options' },
    ...shown.map(([option, n]) =>
      make('li', {}, make('span', { class: 'option' }, String(option)), bar([{ n, kind: 'passed' }], most), make('span', { class: 'option-n' }, number(n))),
    ),
    more > 0 ? make('li', { class: 'more' }, `and ${count(more, 'other answer')}`) : null,
  );
}
