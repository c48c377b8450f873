// What a game's server says to the study, signed, goes through the page: kept here until the study has taken it, also
// over a reload. It is one of two ways; the server tells the study itself, too, so nothing depends on this page alone.

import { Refusal } from './desk.js';
import { waitBeforeAttempt } from '../backoff.js';

const MOST = 8; // as many as are taken at a time; each one says how far the game is, and the newest says most

export class Receipts {
  #storage;
  #key;
  #handOn;
  #pause;
  #sending = null;
  #kept; // for a browser that keeps nothing

  /** storage: of this tab, or null. handOn(texts): raises Refusal, Unheard. pause(waitS): a promise. */
  constructor({ storage, key, handOn, pause = (waitS) => new Promise((go) => setTimeout(go, waitS * 1000)) }) {
    this.#storage = storage;
    this.#key = `hippogym.receipts:${key}`;
    this.#handOn = handOn;
    this.#pause = pause;
    this.#kept = this.#read();
  }

  get isEmpty() {
    return this.#kept.length === 0;
  }

  take(text) {
    this.#keep([...this.#kept, text].slice(-MOST));
    this.handedOn();
  }

  /** Those of a visit that is over are nobody's. */
  forget() {
    this.#keep([]);
  }

  /** A promise for the moment when all that is kept has been taken, or refused. */
  handedOn() {
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #send() {
    for (let attempt = 0; this.#kept.length > 0; attempt += 1) {
      const sent = this.#kept;
      try {
        await this.#handOn(sent);
      } catch (error) {
        if (!(error instanceof Refusal)) {
          await this.#pause(waitBeforeAttempt(attempt));
          continue;
        }
      }
      attempt = 0;
      this.#keep(this.#kept.filter((text) => !sent.includes(text)));
    }
  }

  #keep(texts) {
    this.#kept = texts;
    try {
      if (texts.length) this.#storage?.setItem(this.#key, JSON.stringify(texts));
      else this.#storage?.removeItem(this.#key);
    } catch {
      // It is kept as long as the page is open.
    }
  }

  #read() {
    try {
      const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? '[]');
      return Array.isArray(kept) ? kept.filter((text) => typeof text === 'string').slice(-MOST) : [];
    } catch {
      return [];
    }
  }
}
