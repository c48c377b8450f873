// The steps of a study that are games: where one is played, what becomes of it when its computer is taken away or the line
// breaks, and what comes after it. Where it goes on is for the study to say; here it is only asked.

import { allowedPlace } from '../settings.js';
import { isReady, isSame, Pause, placeOf, waitBeforeLook } from './places.js';
import { makeGame } from '../game.js';
import { Receipts } from './receipts.js';
import { Refusal } from './desk.js';
import { SENTENCES } from './words.js';
import { tabStorage, visitKey } from './storage.js';
import { TokenStore } from '../token.js';

const AFTER_GAME_MS = 1800; // time to read that the game is over
const SETTLING_S = [0.5, 1, 2, 3, 4]; // what a game has come to is known a moment after it is over
const OVER = new Set(['finished', 'stopped', 'ended', 'time']); // ends of a game after which it is not played again
const MOVES = new Set(['stopping', 'expired']); // its computer is gone, and there will be another one
const HAND_ON_MS = 5000; // for what the game's server has said; the study hears of it by itself, too
const STEADY_MS = 20_000; // a game that has run for so long was not just closed again

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

export class Playing {
  #settings;
  #desk;
  #overlay;
  #way;
  #game = null;
  #receipts;
  #pause = new Pause();
  #begins = 0; // counts the beginnings of games: only the newest is still wanted
  #attempts = 0; // to begin this one
  #began = 0; // when the last of them was
  #isLooking = false; // whether the game has been moved
  #isSettling = false; // a game is over, and what comes next is not known yet

  /**
   * way: the study, as far as it matters here: {view(), keep(view): the same step, with news of its place, show(view),
   * asking(ask): asks until it is heard, or null, refused(refusal)}.
   */
  constructor({ settings, desk, overlay, way }) {
    this.#settings = settings;
    this.#desk = desk;
    this.#overlay = overlay;
    this.#way = way;
    this.#receipts = new Receipts({
      storage: tabStorage(),
      key: `${settings.projectId}:${visitKey(settings.link)}`,
      handOn: (texts) => desk.handOn(texts),
    });
  }

  /** What its button does, where the page says something over the game. */
  buttonDoes(does) {
    this.#game?.buttonDoes[does]?.();
  }

  letGo() {
    this.#game?.letGo();
  }

  leave() {
    this.#game?.leave();
  }

  /** The page is looked at, or the network is back: whatever is waited for is looked for now. */
  hurry() {
    this.#pause.cut();
  }

  /** The visit that this browser had is over; what was said of it is nobody's. */
  forget() {
    this.#receipts.forget();
  }

  /** A page that was closed in the middle of a game may still have to say how it ended. Returns whether it had. */
  async handOnWhatIsLeft() {
    if (this.#receipts.isEmpty) return false;
    await this.#handOn();
    return true;
  }

  /** The study has come to a game. */
  begin() {
    this.#game ??= makeGame(this.#settings, {
      overlay: this.#overlay,
      tokens: new TokenStore(null, null, null), // the visit is the right to come back
      study: {
        visit: () => placeOf(this.#way.view())?.ticket ?? this.#desk.token,
        address: () => placeOf(this.#way.view())?.url ?? null,
        over: (reason) => this.#afterGame(reason),
        lost: () => this.#lookForPlace(),
        receipt: (text) => this.#receipts.take(text),
      },
    });
    this.#attempts = 0;
    this.#begin();
  }

  /** The game begins, or goes on, when it has a place. isMove: it had one before. */
  async #begin({ isMove = false } = {}) {
    const mine = (this.#begins += 1);
    const isWanted = () => mine === this.#begins && this.#way.view()?.kind === 'game';
    const hadPlace = placeOf(this.#way.view()) !== null;
    const mustLook = hadPlace && (isMove || this.#attempts > 1); // what was said of the place before may be old
    for (let looks = 0; !isReady(this.#way.view()) || (mustLook && looks === 0); looks += 1) {
      this.#game.wait(isMove, this.#way.view().game.instructions);
      await this.#pause.for(waitBeforeLook(looks + this.#attempts));
      if (!isWanted()) return;
      const view = await this.#now({ afterGame: isMove });
      if (!isWanted() || !view) return;
      if (!isSame(view, this.#way.view())) {
        this.#way.show(view);
        return;
      }
      this.#way.keep(view);
    }
    const place = placeOf(this.#way.view());
    if (place !== null && !allowedPlace(place.url, this.#settings)) {
      this.#way.refused(new Refusal(403, { text: SENTENCES.strangeServer }));
      return;
    }
    this.#attempts = performance.now() - this.#began > STEADY_MS ? 1 : this.#attempts + 1;
    this.#began = performance.now();
    this.#game.start();
  }

  /** The game's server is silent. It may come back in a moment; or it is gone, and the game is moved. */
  async #lookForPlace() {
    const game = this.#way.view();
    if (placeOf(game) === null || this.#isLooking) return;
    this.#isLooking = true;
    const isWanted = () => this.#game.isLost && isSame(this.#way.view(), game);
    for (let looks = 0; isWanted(); looks += 1) {
      await this.#pause.for(waitBeforeLook(looks));
      if (!isWanted()) break;
      const view = await this.#desk.now({ afterGame: true }).catch(() => null); // the card says that the line is lost
      if (view === null || !isWanted()) continue;
      if (!isSame(view, game)) {
        this.#way.show(view);
        break;
      }
      const isElsewhere = !isReady(view) || placeOf(view).url !== placeOf(this.#way.view()).url;
      this.#way.keep(view); // with a newer ticket, too
      if (isElsewhere) this.#begin({ isMove: true });
    }
    this.#isLooking = false;
  }

  /** The trial is over, or cannot be gone on with: what comes next is for the study to say. */
  async #afterGame(reason) {
    if (this.#isSettling) return;
    this.#isSettling = true;
    const game = this.#way.view();
    const isMove = MOVES.has(reason) && placeOf(game) !== null;
    if (isMove) this.#game.wait(true);
    if (OVER.has(reason)) await pause(AFTER_GAME_MS);
    await this.#handOn();
    const next = await this.#settled(game, OVER.has(reason) ? SETTLING_S : isMove || reason === 'replaced' ? [0] : [0.5, 0.5]);
    this.#isSettling = false;
    if (!isSame(this.#way.view(), game)) return; // the person has left the study meanwhile
    if (next) this.#way.show(next);
    else this.#begin({ isMove }); // the same game is still to be played
  }

  /** The view after a game, or null where it stays this game. What a game has come to is known a moment after its end. */
  async #settled(game, waits) {
    for (const waitS of waits) {
      const view = await this.#now({ afterGame: true });
      if (!isSame(this.#way.view(), game)) return null;
      if (view && !isSame(view, game)) return view;
      if (view) this.#way.keep(view);
      await pause(waitS * 1000);
    }
    return null;
  }

  #now(about) {
    return this.#way.asking(() => this.#desk.now(about));
  }

  async #handOn() {
    await Promise.race([this.#receipts.handedOn(), pause(HAND_ON_MS)]);
  }
}
