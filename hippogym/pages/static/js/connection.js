// The conversation with the server, and the only module that knows the protocol (docs/protocol.md, version 2).
// It says hello, comes back by itself when the connection is lost, and turns messages into events:
//
//   phase      {name, welcomed}: connecting queued open lost expired replaced full stopping failed ended left
//   welcome    the server's welcome; `resumed` false means a new trial
//   frame      a frame, as parsed in wire.js
//   actions ui keyMap stepMode frameRate status display budget images instructions score notice error done   what the server told
//   queue      {place} in the line of those who wait for a free place; the trial begins by itself
//   receipt    what the server says of the game, for the study: signed text to be handed on
//   ping       {rttMs}
//   sent, received   the text of each message, for the debug panels

import { waitBeforeAttempt } from './backoff.js';
import { closeMeaning, parseFrame, parseMessage, SUBPROTOCOL } from './wire.js';

const SILENCE_MS = 8000; // the server pings every 2 s
const FULL_MS = 20_000; // until one asks again where even the line is full
const STEADY_MS = 1000; // a connection that held this long is not part of a series of failures
const NOTICING_S = 20; // the grace begins when the server notices the loss, at the latest this much after we do

const PHASE_OF_REASON = { __proto__: null, failed: 'failed', server: 'stopping' };

export class Connection {
  phase = { name: 'connecting', welcomed: false };
  #url;
  #hello;
  #tokens;
  #frameId;
  #open;
  #clock;
  #handlers = new Map();
  #socket = null;
  #welcomed = false; // in this trial
  #graceS = 0;
  #attempts = 0;
  #openSince = null;
  #lostSince = null;
  #lastHeard = 0;
  #retry = null;
  #retryAt = null;
  #watch = null;
  #budget = { total: null, used: null };

  /**
   * hello: the fields of hello without the token. tokens: a TokenStore. frameId: () → the frame on the screen (0: none).
   * open: makes the socket. clock: milliseconds that only run forward.
   */
  constructor({
    url,
    hello,
    tokens,
    frameId = () => 0,
    open = (address, protocols) => new WebSocket(address, protocols),
    clock = () => performance.now(),
  }) {
    this.#url = url;
    this.#hello = hello;
    this.#tokens = tokens;
    this.#frameId = frameId;
    this.#open = open;
    this.#clock = clock;
  }

  on(event, handler) {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
    return this;
  }

  // ---- what the page can ask for

  /** Connects for the first time, or after a phase that ended everything; with a token it goes on in that trial. */
  start(url = this.#url) {
    this.#url = url;
    this.#welcomed = false;
    this.#lostSince = null;
    this.#attempts = 0;
    this.#setPhase('connecting');
    this.#watch ??= setInterval(() => this.#checkSilence(), 1000);
    this.#connect();
  }

  /** Does not wait any longer before the next attempt; notices a connection that died while the page slept. */
  hurry() {
    if (this.#retry !== null) this.#connect();
    else this.#checkSilence();
  }

  /** Hangs up, and does not come back. */
  leave() {
    this.#letGo();
    this.#tokens.clear();
    this.#setPhase('left');
  }

  /** Whole seconds until the next attempt; 0 while one is being made. */
  get retryInS() {
    return this.#retryAt === null ? 0 : Math.max(0, Math.ceil((this.#retryAt - this.#clock()) / 1000));
  }

  get isOpen() {
    return this.phase.name === 'open';
  }

  command(command, fields = {}) {
    this.#tell({ command, ...fields });
  }

  changeFrameRate(rate) {
    this.#tell({ changeFrameRate: rate });
  }

  held(keys, controls) {
    this.#tell({ keys, controls });
  }

  acknowledge(frameId, t) {
    this.#send({ ack: frameId, t: rounded(t) });
  }

  // ---- connecting, losing, coming back

  #connect() {
    this.#letGo();
    this.#lastHeard = this.#clock();
    const socket = this.#open(this.#url, [SUBPROTOCOL]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#sendRaw({ ...this.#hello, token: this.#tokens.get() });
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#closed(closeMeaning(code));
  }

  /** Forgets the socket and the planned attempt; nothing that the old socket still says is heard. */
  #letGo() {
    clearTimeout(this.#retry);
    this.#retry = this.#retryAt = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #checkSilence() {
    if (this.#socket && this.#clock() - this.#lastHeard > SILENCE_MS) this.#closed('lost');
  }

  #closed(meaning) {
    this.#letGo();
    if (isOver(this.phase.name)) return;
    if (meaning === 'lost') {
      this.#comeBack();
      return;
    }
    if (meaning === 'full') {
      this.#tryAgain('full', FULL_MS * (1 + Math.random() / 2));
      return;
    }
    if (meaning === 'ended' || meaning === 'failed') this.#tokens.clear();
    this.#setPhase(meaning);
  }

  #comeBack() {
    const now = this.#clock();
    if (this.#openSince !== null && now - this.#openSince >= STEADY_MS) this.#attempts = 0;
    this.#openSince = null;
    this.#lostSince ??= this.#lastHeard;
    if (this.#welcomed && now - this.#lostSince > (this.#graceS + NOTICING_S) * 1000) {
      this.#tokens.clear();
      this.#setPhase('expired');
      return;
    }
    this.#attempts += 1;
    this.#tryAgain('lost', waitBeforeAttempt(this.#attempts - 1) * 1000);
  }

  #tryAgain(phaseName, waitMs) {
    this.#retryAt = this.#clock() + waitMs;
    this.#retry = setTimeout(() => this.#connect(), waitMs);
    this.#setPhase(phaseName);
  }

  #setPhase(name) {
    this.phase = { name, welcomed: this.#welcomed };
    this.#emit('phase', this.phase);
  }

  // ---- receiving

  #receive(data) {
    this.#lastHeard = this.#clock();
    if (typeof data !== 'string') {
      const frame = parseFrame(data);
      if (frame) this.#emit('frame', frame);
      return;
    }
    this.#emit('received', data);
    const message = parseMessage(data);
    if (message) this.#take(message);
  }

  /** Several things may share one message; each is looked at on its own. */
  #take(message) {
    if ('ping' in message) {
      this.#sendRaw({ pong: message.ping, t: rounded(this.#clock()) });
      this.#emit('ping', { rttMs: message.rttMs ?? null });
    }
    if (message.error) this.#takeError(message.error);
    if (message.welcome) this.#takeWelcome(message.welcome);
    if (message.queue) this.#takeQueue(message.queue);
    if (Array.isArray(message.actions)) this.#emit('actions', message.actions);
    if (Array.isArray(message.UI)) this.#emit('ui', message.UI);
    if (Array.isArray(message.keys)) this.#emit('keyMap', message.keys);
    for (const event of ['stepMode', 'frameRate', 'status', 'display', 'notice']) {
      if (message[event]) this.#emit(event, message[event]);
    }
    if ('inputBudget' in message || 'usedInputBudget' in message) this.#takeBudget(message);
    if ('imageL' in message || 'imageR' in message) {
      this.#emit('images', { left: message.imageL, right: message.imageR });
    }
    if ('Instructions' in message) this.#emit('instructions', message.Instructions);
    if ('Score' in message) this.#emit('score', message.Score);
    if (typeof message.receipt === 'string') this.#emit('receipt', message.receipt);
    if (message.done) this.#takeDone(message.done);
  }

  #takeWelcome(welcome) {
    this.#tokens.set(welcome.token);
    this.#graceS = welcome.graceS;
    this.#openSince = this.#clock();
    this.#lostSince = null;
    if (!welcome.resumed) this.#budget = { total: null, used: null };
    // Not resumed though this page was in a trial: that trial is gone.
    this.#emit('welcome', { ...welcome, lostTrial: this.#welcomed && !welcome.resumed });
    this.#welcomed = true;
    this.#setPhase('open');
  }

  #takeQueue(queue) {
    this.#openSince = this.#clock();
    this.#lostSince = null;
    if (this.phase.name !== 'queued') this.#setPhase('queued');
    this.#emit('queue', queue);
  }

  #takeError(error) {
    if (error.code === 'unknown_token') this.#tokens.clear();
    this.#emit('error', error);
  }

  #takeBudget({ inputBudget, usedInputBudget }) {
    this.#budget = { total: inputBudget ?? this.#budget.total, used: usedInputBudget ?? this.#budget.used };
    this.#emit('budget', this.#budget);
  }

  #takeDone(done) {
    this.#tokens.clear();
    this.#emit('done', done);
    this.#setPhase(PHASE_OF_REASON[done.reason] ?? 'ended');
  }

  // ---- sending

  /** Says something that the participant did, together with what they saw then. */
  #tell(message) {
    if (this.isOpen) this.#send({ ...message, frameId: this.#frameId(), t: rounded(this.#clock()) });
  }

  #send(message) {
    if (this.#welcomed) this.#sendRaw(message);
  }

  #sendRaw(message) {
    if (this.#socket?.readyState !== 1) return;
    const text = JSON.stringify(message);
    this.#socket.send(text);
    this.#emit('sent', text);
  }

  #emit(event, value) {
    for (const handler of this.#handlers.get(event) ?? []) handler(value);
  }
}

function isOver(phaseName) {
  return ['ended', 'failed', 'stopping', 'replaced', 'expired', 'left'].includes(phaseName);
}

/** Milliseconds to the microsecond: all that a browser's clock tells, without the digits of its arithmetic. */
function rounded(t) {
  return Math.round(t * 1000) / 1000;
}
