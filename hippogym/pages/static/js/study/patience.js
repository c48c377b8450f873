// What could not be said is said again until it is heard, and the participant is told meanwhile.

import { Unheard } from './desk.js';
import { waitBeforeAttempt } from '../backoff.js';

const byId = (id) => document.getElementById(id);

/**
 * Calls `ask` until it is heard, or no longer wanted: then the result is null. A Refusal is an answer, too, and thrown.
 * wait(waitS): a promise for the moment of the next attempt.
 */
export async function patiently(ask, { wait, isWanted = () => true, waitS = waitBeforeAttempt }) {
  for (let attempt = 0; isWanted(); attempt += 1) {
    try {
      const heard = await ask();
      return isWanted() ? heard : null;
    } catch (error) {
      if (!(error instanceof Unheard)) throw error;
      if (isWanted()) await wait(waitS(attempt));
    }
  }
  return null;
}

/** The line that says so: with the seconds until the next attempt, and a button for those who know that it works again. */
export class Trouble {
  #timer = null;
  #go = null;

  constructor() {
    byId('study-trouble-now').addEventListener('click', () => this.#goOn());
    window.addEventListener('online', () => this.#goOn());
  }

  /** text: what is the matter, and that nothing is lost. Returns a promise for the moment to try again. */
  wait(text, waitS) {
    this.#goOn();
    const until = performance.now() + waitS * 1000;
    byId('study-trouble').hidden = false;
    if (byId('study-trouble-text').textContent !== text) byId('study-trouble-text').textContent = text;
    return new Promise((go) => {
      this.#go = go;
      const look = () => {
        const left = Math.ceil((until - performance.now()) / 1000);
        byId('study-trouble-wait').textContent = left > 0 ? `Trying again in ${left} s.` : 'Trying now…';
        if (left <= 0) this.#goOn();
      };
      this.#timer = setInterval(look, 250);
      look();
    });
  }

  over() {
    this.#goOn();
    byId('study-trouble').hidden = true;
    byId('study-trouble-text').textContent = '';
  }

  #goOn() {
    clearInterval(this.#timer);
    if (this.#go) byId('study-trouble-wait').textContent = 'Trying now…';
    this.#go?.();
    this.#go = null;
  }
}
