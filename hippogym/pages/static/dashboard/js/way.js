// The study's steps as a funnel, and how many are in each condition.

import { byId, Changed, make } from './dom.js';
import { bar, legend } from './plots.js';
import { duration, number, outcome, percent } from './words.js';

export class Way {
  #changed = new Changed();

  show(study) {
    if (!this.#changed.is(study)) return;
    const body = byId('way-body');
    const arms = byId('arms');
    body.replaceChildren();
    if (!study || study.trouble) {
      body.append(make('p', { class: 'nothing' }, study?.trouble ?? 'Nothing is known yet.'));
      arms.hidden = true;
      return;
    }
    body.append(...this.#funnel(study.steps ?? []), outcomes(study));
    this.#arms(study, arms);
  }

  #funnel(steps) {
    if (!steps.some((step) => step.reached > 0)) return [make('p', { class: 'nothing' }, 'Nobody has begun yet.')];
    const whole = Math.max(...steps.map((step) => step.reached));
    const list = make('ol', { class: 'funnel' }, ...steps.map((step, index) => funnelStep(step, index, whole)));
    return [list, legend(['passed', 'went on'], ['here', 'here now'], ['left', 'left here'])];
  }

  #arms(study, panel) {
    const groups = new Map();
    for (const group of study.groups ?? []) groups.set(group.factor, [...(groups.get(group.factor) ?? []), group]);
    const factors = [...(study.conditions?.length ? [['', study.conditions]] : []), ...groups];
    panel.hidden = !factors.length;
    const body = byId('arms-body');
    body.replaceChildren();
    for (const [factor, list] of factors) {
      if (factor) body.append(make('h3', {}, `Variants of ${factor}`));
      body.append(armList(list));
    }
    if (factors.length) body.append(legend(['passed', 'complete'], ['here', 'under way'], ['mark', 'quota']));
  }
}

function funnelStep(step, index, whole) {
  const passed = Math.max(0, step.reached - step.here - step.left);
  const end = step.kind === 'end';
  const parts = end
    ? [{ n: step.reached, kind: 'passed' }]
    : [
        { n: passed, kind: 'passed' },
        { n: step.here, kind: 'here' },
        { n: step.left, kind: 'left' },
      ];
  const facts = [
    end ? null : `${number(step.here)} here`,
    end ? null : `${number(step.left)} left`,
    typeof step.medianS === 'number' ? `median ${duration(step.medianS)}` : null,
  ];
  return make(
    'li',
    { class: `funnel-step ${step.kind}` },
    make(
      'p',
      { class: 'bar-head' },
      make('span', { class: 'bar-name' }, `${index + 1}. ${step.title ?? step.name}`),
      make('span', { class: 'bar-n' }, `${number(step.reached)} `, make('small', {}, percent(step.reached, whole))),
    ),
    bar(parts, whole),
    make('p', { class: 'bar-facts' }, facts.filter(Boolean).join(' · ')),
  );
}

function outcomes(study) {
  const told = Object.entries(study.outcomes ?? {}).filter(([, n]) => n > 0);
  const visits = study.visits ?? {};
  const chips = told.map(([name, n]) => make('li', { class: `chip ${name}` }, make('b', {}, number(n)), ` ${outcome(name)}`));
  if (visits.abandoned) chips.push(make('li', { class: 'chip abandoned' }, make('b', {}, number(visits.abandoned)), ' gave up'));
  if (visits.preview) chips.push(make('li', { class: 'chip' }, make('b', {}, number(visits.preview)), ' of your own, not counted'));
  return make('ul', { class: 'chips', 'aria-label': 'How visits ended' }, ...chips);
}

function armList(arms) {
  const most = Math.max(1, ...arms.map((arm) => Math.max(arm.complete + arm.live, arm.quota ?? 0)));
  return make(
    'ul',
    { class: 'arms' },
    ...arms.map((arm) => {
      const facts = [
        `${number(arm.complete)} complete`,
        `${number(arm.live)} under way`,
        arm.returned ? `${number(arm.returned)} given back` : null,
        typeof arm.quota === 'number' ? (arm.complete + arm.live >= arm.quota ? 'closed: quota reached' : `quota ${number(arm.quota)}`) : null,
        arm.weight !== undefined && arm.weight !== 1 ? `weight ${arm.weight}` : null,
      ];
      return make(
        'li',
        {},
        make('p', { class: 'bar-head' }, make('span', { class: 'bar-name' }, arm.name), make('span', { class: 'bar-n' }, number(arm.complete + arm.live))),
        bar([{ n: arm.complete, kind: 'passed' }, { n: arm.live, kind: 'here' }], most, arm.quota ?? null),
        make('p', { class: 'bar-facts' }, facts.filter(Boolean).join(' · ')),
      );
    }),
  );
}

