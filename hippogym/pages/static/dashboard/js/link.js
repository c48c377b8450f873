// The way to the server: the token from the link, the websocket, and coming back when it breaks.

import { waitBeforeAttempt } from '../../js/backoff.js';

const KEY = 'hippogym.dashboard';
const ANSWER_AFTER_MS = 500; // the server lets eight frames be on their way, and sends about ten a second
const ASK_WITHIN_MS = 8000;
const SILENT_MS = 12000; // it speaks every second

/** The token in a link or in what somebody has pasted; null where there is none. */
export function tokenIn(text) {
  const found = /(?:^|#|&)token=([^&\s]+)/.exec(text);
  if (found) return decodeURIComponent(found[1]);
  const bare = text.trim().replace(/^#/, '');
  return /^[A-Za-z0-9_\-.~+/=]{20,}$/.test(bare) ? bare : null;
}

/** Keeps the token for as long as the tab lives, and takes it out of the address, where others might read it. */
export class Token {
  constructor(place = window) {
    this.place = place;
    const found = tokenIn(place.location.hash);
    if (found) {
      this.set(found);
      place.history.replaceState(null, '', place.location.pathname + place.location.search);
    } else {
      this.value = this.#stored((storage) => storage.getItem(KEY));
    }
  }

  set(value) {
    this.value = value;
    this.#stored((storage) => storage.setItem(KEY, value));
  }

  clear() {
    this.value = null;
    this.#stored((storage) => storage.removeItem(KEY));
  }

  #stored(does) {
    try {
      return does(this.place.sessionStorage);
    } catch {
      return null; // a private window may refuse: then it lives as long as the page
    }
  }
}

/**
 * on: {state(name), refused(code), message(object), frame(buffer)}. States: connecting, live, lost.
 */
export class Link {
  #on;
  #token;
  #socket = null;
  #attempt = 0;
  #number = 0;
  #asked = new Map();
  #frames = 0;
  #answerTimer = null;
  #timer = null;
  #silence = null;

  constructor(token, on) {
    this.#token = token;
    this.#on = on;
  }

  open() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/dashboard/live`);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => socket.send(JSON.stringify({ token: this.#token.value })));
    socket.addEventListener('message', ({ data }) => {
      this.#listen(socket);
      if (typeof data === 'string') this.#take(JSON.parse(data));
      else this.#takeFrame(data);
    });
    socket.addEventListener('close', ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    });
    this.#on.state(this.#attempt ? 'lost' : 'connecting');
  }

  /** Try at once: the network or the window is back. */
  hurry() {
    if (this.#timer === null) return;
    this.#attempt = 1;
    this.open();
  }

  /** Ask the server for something. Resolves to null when it is done, or to the sentence that says why not. */
  ask(what) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return Promise.resolve('The server cannot be reached at the moment.');
    this.#number += 1;
    const n = this.#number;
    if ('watch' in what) this.#frames = -1; // what is still on its way is of the one before
    this.#socket.send(JSON.stringify({ n, ...what }));
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered(n, 'The server has not answered.'), ASK_WITHIN_MS);
      this.#asked.set(n, { resolve, timer, watch: 'watch' in what });
    });
  }

  #take(message) {
    if ('answer' in message) this.#answered(message.answer, message.problem);
    else {
      if (message.hello) {
        this.#attempt = 0;
        this.#on.state('live');
      }
      this.#on.message(message);
    }
  }

  #answered(n, problem) {
    const asked = this.#asked.get(n);
    if (!asked) return;
    this.#asked.delete(n);
    clearTimeout(asked.timer);
    if (asked.watch && n === this.#number) this.#frames = 0;
    asked.resolve(problem);
  }

  #takeFrame(buffer) {
    if (this.#frames < 0) return;
    this.#frames += 1;
    this.#answerTimer ??= setTimeout(() => this.#answerFrames(), ANSWER_AFTER_MS);
    this.#on.frame(buffer);
  }

  #answerFrames() {
    this.#answerTimer = null;
    if (this.#frames > 0 && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ drawn: this.#frames }));
  }

  #listen(socket) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (socket !== this.#socket) return;
      socket.close(); // a network that has gone away may not say so for a long time
      this.#closed(1006);
    }, SILENT_MS);
  }

  #closed(code) {
    this.#socket = null;
    clearTimeout(this.#silence);
    for (const n of [...this.#asked.keys()]) this.#answered(n, 'The connection broke; try again.');
    if (code === 4401 || code === 4429 || code === 4008) {
      this.#on.refused(code);
      return;
    }
    this.#attempt += 1;
    this.#on.state('lost');
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.open();
    }, 1000 * waitBeforeAttempt(this.#attempt));
  }
}
