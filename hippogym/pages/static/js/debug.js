// The panels of `?debug=true`: what goes in and out, and how the stream is doing. Keeps nothing unless it is shown.

import { fillList } from './panels.js';

const AT_MOST_ENTRIES = 200;
const AT_MOST_TEXT = 2000;
const byId = (id) => document.getElementById(id);

export class Debug {
  #screen;
  #rttMs = null;
  #frameBytes = 0;
  #last = { t: performance.now(), drawn: 0 };
  #lists = { in: byId('debug-in'), out: byId('debug-out') };

  constructor(connection, screen) {
    this.#screen = screen;
    byId('debug').hidden = false;
    document.body.classList.add('with-debug');
    connection
      .on('received', (text) => this.#add('in', text))
      .on('sent', (text) => {
        // One a frame; the numbers count them, and nothing else could be read between them.
        if (!text.startsWith('{"ack"')) this.#add('out', text);
      })
      .on('ping', ({ rttMs }) => (this.#rttMs = rttMs))
      .on('frame', ({ image }) => (this.#frameBytes = image.byteLength));
    setInterval(() => this.#showNumbers(), 1000);
  }

  #add(direction, text) {
    const entry = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = (performance.now() / 1000).toFixed(2);
    entry.append(time, withoutSecrets(text));
    const list = this.#lists[direction];
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.append(entry);
    while (list.childElementCount > AT_MOST_ENTRIES) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  #showNumbers() {
    const { received, drawn, skipped, broken } = this.#screen.counts;
    const now = performance.now();
    const fps = ((drawn - this.#last.drawn) * 1000) / (now - this.#last.t);
    this.#last = { t: now, drawn };
    const { width, height } = this.#screen.size;
    fillList(byId('debug-numbers'), [
      ['Frames a second', fps.toFixed(1)],
      ['Round trip', this.#rttMs === null ? '–' : `${this.#rttMs.toFixed(1)} ms`],
      ['Received', String(received)],
      ['Drawn', String(drawn)],
      ['Skipped here', String(skipped)],
      ['Undecodable', String(broken)],
      ['Frame on screen', String(this.#screen.frameId)],
      ['Picture', `${width} × ${height}`],
      ['Frame size', `${(this.#frameBytes / 1024).toFixed(1)} KiB`],
    ]);
  }
}

/** Screens get photographed: the right to come back does not stand on one. */
export function withoutSecrets(text) {
  return text.slice(0, AT_MOST_TEXT).replace(/("token":\s*")[^"]+/g, '$1…');
}
