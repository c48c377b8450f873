// The right to come back to a trial, kept by this browser, so that a reload or a second tab goes on in the same game.

/** `storage` may be null, or refuse (private windows do): then the token lives as long as the page. */
export class TokenStore {
  #key;
  #storage;
  #token = null;

  constructor(storage, projectId, userId) {
    this.#storage = storage;
    this.#key = `hippogym.token:${projectId ?? ''}:${userId ?? ''}`;
  }

  get() {
    return this.#quietly((storage) => storage.getItem(this.#key)) ?? this.#token;
  }

  set(token) {
    this.#token = token;
    this.#quietly((storage) => storage.setItem(this.#key, token));
  }

  clear() {
    this.#token = null;
    this.#quietly((storage) => storage.removeItem(this.#key));
  }

  #quietly(does) {
    try {
      return this.#storage ? does(this.#storage) : null;
    } catch {
      return null;
    }
  }
}

/** The browser's storage, or null where asking for it is already refused. */
export function browserStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
