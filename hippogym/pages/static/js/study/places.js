// Where a game is played. On AWS everybody gets a computer of their own, which takes a minute or two to start, and which
// may be taken away in the middle of a game: then there will be another one, with another ticket.
// Where the page comes from the server that runs the games there is no place to wait for: the view has none.

const FIRST_S = 2;
const LONGEST_S = 10;
const GROWS = 1.3;

/** Seconds until the next look, from 2 s up to 10 s, a quarter more or less, so that a class does not ask in step. */
export function waitBeforeLook(looks, random = Math.random()) {
  return Math.min(LONGEST_S, FIRST_S * GROWS ** Math.min(looks, 32)) * (0.75 + random / 2);
}

/** Whether two views are the same showing of the same step. */
export function isSame(one, other) {
  return Boolean(one && other) && ['kind', 'name', 'stamp'].every((key) => one[key] === other[key]);
}

export const placeOf = (view) => view?.game?.place ?? null;
export const isReady = (view) => placeOf(view) === null || placeOf(view).state === 'ready';

/** A pause that can be cut short: when the page is looked at again, or the network is back. */
export class Pause {
  #go = null;
  #timer = null;

  for(waitS) {
    this.cut();
    return new Promise((go) => {
      this.#go = go;
      this.#timer = setTimeout(go, waitS * 1000);
    });
  }

  cut() {
    clearTimeout(this.#timer);
    this.#go?.();
    this.#go = null;
  }
}
