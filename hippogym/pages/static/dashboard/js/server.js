// The machine's side: room on the disk, what waits to be uploaded, and what happened.

import { byId, Changed, make } from './dom.js';
import { bar } from './plots.js';
import { bytes, clockTime, count, number, percent } from './words.js';

const SHOWN = 60;

export class Server {
  #changed = new Changed();

  show(machine) {
    if (!this.#changed.is(machine)) return;
    const body = byId('server-body');
    body.replaceChildren();
    if (!machine) return;
    if (machine.trouble) {
      body.append(make('p', { class: 'worry' }, machine.trouble));
      return;
    }
    const { totalBytes: total, freeBytes: free } = machine.disk;
    const low = free / total < 0.1 || free < 1e9;
    body.append(
      gauge('Disk', `${bytes(free)} free`, [{ n: total - free, kind: low ? 'left' : 'passed' }], total, `${percent(total - free, total)} of ${bytes(total)} used`, low),
    );
    if (typeof machine.load === 'number') {
      const busy = machine.load > machine.cores;
      body.append(
        gauge('Processor', `load ${number(machine.load, 1)}`, [{ n: Math.min(machine.load, machine.cores), kind: busy ? 'left' : 'passed' }], machine.cores, count(machine.cores, 'core'), busy),
      );
    }
    body.append(machine.spool ? spool(machine.spool) : make('p', { class: 'bar-facts' }, 'Records stay on this machine; nothing is uploaded.'));
  }
}

function gauge(name, value, parts, whole, facts, worry) {
  return make(
    'div',
    { class: 'gauge' },
    make('p', { class: 'bar-head' }, make('span', { class: 'bar-name' }, name), make('span', { class: worry ? 'bar-n worry' : 'bar-n' }, value)),
    bar(parts, whole),
    make('p', { class: 'bar-facts' }, facts),
  );
}

function spool(spool) {
  const all = spool.uploaded + spool.waiting;
  const element = gauge(
    'Uploads',
    spool.waiting ? `${count(spool.waiting, 'record')} to go` : 'nothing waits',
    [{ n: spool.uploaded, kind: 'passed' }, { n: spool.waiting, kind: 'here' }],
    all,
    [`${number(spool.uploaded)} in ${spool.where ?? 'the store'}`, spool.waitingBytes ? `${bytes(spool.waitingBytes)} here only` : '', spool.running ? `${number(spool.running)} still growing` : '']
      .filter(Boolean)
      .join(' · '),
    false,
  );
  for (const text of [spool.trouble, ...spool.reasons].filter(Boolean)) element.append(make('p', { class: 'worry' }, text));
  return element;
}

export class Happened {
  #last = -1;

  show(events) {
    const list = byId('happened-list');
    if ((events.at(-1)?.n ?? -1) < this.#last) {
      list.replaceChildren();
      this.#last = -1;
    }
    for (const event of events) {
      if (event.n <= this.#last) continue;
      this.#last = event.n;
      list.prepend(
        make('li', { class: `event ${event.kind}` }, make('time', {}, clockTime(event.t_s)), make('span', {}, event.text)),
      );
    }
    while (list.childElementCount > SHOWN) list.lastElementChild.remove();
    byId('happened-none').hidden = list.childElementCount > 0;
    list.hidden = !list.childElementCount;
  }
}
