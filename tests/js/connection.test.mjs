import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Connection } from '../../hippogym/pages/static/js/connection.js';
import { TokenStore } from '../../hippogym/pages/static/js/token.js';

/** A socket that opens, speaks and closes when the test says so. */
class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
    this.closed = true;
  }

  opens() {
    this.readyState = 1;
    this.onopen();
  }

  says(...messages) {
    for (const message of messages) this.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  closes(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

const WELCOME = { token: 't1', resumed: false, graceS: 120 };

class Rig {
  now = 0;
  sockets = [];
  events = [];
  phases = [];
  tokens = new TokenStore(null, 'p', 'u');
  frameId = 0;

  constructor() {
    this.connection = new Connection({
      url: 'ws://here/ws',
      hello: { userId: 'u', projectId: 'p', client: {} },
      tokens: this.tokens,
      frameId: () => this.frameId,
      open: (url, protocols) => {
        this.sockets.push(new FakeSocket(url, protocols));
        return this.sockets.at(-1);
      },
      clock: () => this.now,
    });
    this.connection.on('phase', ({ name }) => this.phases.push(name));
    for (const event of ['welcome', 'frame', 'ui', 'status', 'budget', 'error', 'done', 'ping', 'display', 'notice']) {
      this.connection.on(event, (value) => this.events.push([event, value]));
    }
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets time pass, in steps small enough for every timer. */
  wait(seconds) {
    for (let step = 0; step < seconds * 10; step += 1) {
      this.now += 100;
      mock.timers.tick(100);
    }
  }

  begin(welcome = {}) {
    this.connection.start();
    this.socket.opens();
    this.socket.says({ welcome: { ...WELCOME, ...welcome } });
    return this;
  }
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }));
afterEach(() => mock.timers.reset());

test('hello says who this is, and offers version 2 only', () => {
  const rig = new Rig().begin();
  assert.deepEqual(rig.socket.protocols, ['hippogym.v2']);
  assert.deepEqual(rig.socket.sent, [{ userId: 'u', projectId: 'p', client: {}, token: null }]);
  assert.deepEqual(rig.phases, ['connecting', 'open']);
  assert.equal(rig.tokens.get(), 't1');
});

test('what the participant does is told with what they saw and when', () => {
  const rig = new Rig().begin();
  rig.frameId = 7;
  rig.now = 1234;
  rig.connection.held(['ArrowUp'], ['fire']);
  rig.connection.command('start', { browser: 'Chrome' });
  rig.connection.changeFrameRate('faster');
  rig.connection.acknowledge(7, 1230.5);
  assert.deepEqual(rig.socket.sent.slice(1), [
    { keys: ['ArrowUp'], controls: ['fire'], frameId: 7, t: 1234 },
    { command: 'start', browser: 'Chrome', frameId: 7, t: 1234 },
    { changeFrameRate: 'faster', frameId: 7, t: 1234 },
    { ack: 7, t: 1230.5 },
  ]);
});

test('nothing but hello is sent before the welcome', () => {
  const rig = new Rig();
  rig.connection.start();
  rig.connection.command('start');
  rig.socket.opens();
  rig.connection.held(['ArrowUp'], []);
  rig.connection.acknowledge(1, 1);
  assert.equal(rig.socket.sent.length, 1);
});

test('a ping is answered at once', () => {
  const rig = new Rig().begin();
  rig.now = 50;
  rig.socket.says({ ping: 3, rttMs: null });
  assert.deepEqual(rig.socket.sent.at(-1), { pong: 3, t: 50 });
  assert.deepEqual(rig.events.at(-1), ['ping', { rttMs: null }]);
});

test('several things in one message are each heard, unknown ones are not in the way', () => {
  const rig = new Rig().begin();
  rig.socket.says({ UI: ['start'], status: { state: 'waiting' }, inputBudget: 0, somethingNew: 1 });
  assert.deepEqual(rig.events.slice(1), [
    ['ui', ['start']],
    ['status', { state: 'waiting' }],
    ['budget', { total: 0, used: null }],
  ]);
});

test('one half of the budget keeps the other', () => {
  const rig = new Rig().begin();
  rig.socket.says({ inputBudget: 10, usedInputBudget: 0 }, { usedInputBudget: 4 });
  assert.deepEqual(rig.events.at(-1), ['budget', { total: 10, used: 4 }]);
});

test('rubbish from the server breaks nothing', () => {
  const rig = new Rig().begin();
  rig.socket.says('', 'done', 'null', '[]', '3', '{"status":null}', '{');
  rig.socket.onmessage({ data: new ArrayBuffer(3) });
  assert.equal(rig.events.length, 1, 'nothing after the welcome');
  assert.ok(rig.connection.isOpen);
});

test('a lost connection comes back by itself, with the right to', () => {
  const rig = new Rig().begin();
  rig.wait(2);
  rig.socket.closes(1006);
  assert.deepEqual(rig.phases.at(-1), 'lost');
  rig.wait(0.3);
  assert.equal(rig.sockets.length, 2, 'the first wait is at most 0.3 s');
  rig.socket.opens();
  assert.equal(rig.socket.sent[0].token, 't1');
  rig.socket.says({ welcome: { ...WELCOME, resumed: true } });
  assert.ok(rig.connection.isOpen);
  assert.equal(rig.events.at(-1)[1].lostTrial, false);
});

test('attempts that fail are made ever more seldom', () => {
  const rig = new Rig();
  rig.connection.start();
  const made = [];
  for (let second = 0; second < 60; second += 1) {
    if (rig.socket.readyState === 0) rig.socket.closes(1006);
    rig.wait(1);
    made.push(rig.sockets.length);
  }
  assert.ok(made[59] >= 8 && made[59] <= 20, `${made[59]} attempts in a minute`);
  assert.equal(rig.connection.phase.welcomed, false);
});

test('silence for 8 s is a lost connection, and pings are enough to break it', () => {
  const rig = new Rig().begin();
  for (let ping = 0; ping < 10; ping += 1) {
    rig.wait(2);
    rig.socket.says({ ping });
  }
  assert.ok(rig.connection.isOpen);
  const before = rig.socket;
  rig.wait(7.9);
  assert.ok(rig.connection.isOpen);
  rig.wait(1.2);
  assert.equal(rig.connection.phase.name, 'lost');
  assert.ok(before.closed);
});

test('an attempt that gets no answer is given up and made again', () => {
  const rig = new Rig();
  rig.connection.start();
  rig.wait(10);
  assert.ok(rig.sockets.length >= 2);
});

test('what the old socket still says is not heard', () => {
  const rig = new Rig().begin();
  const old = rig.socket;
  rig.wait(2);
  old.closes(1006);
  assert.deepEqual([old.onopen, old.onmessage, old.onclose], [null, null, null]);
});

test('being online again ends the waiting', () => {
  const rig = new Rig().begin();
  rig.socket.closes(1006);
  rig.connection.hurry();
  assert.equal(rig.sockets.length, 2);
  assert.equal(rig.connection.retryInS, 0);
});

test('after the grace, and the time the server needs to notice, the page gives up and says so', () => {
  const rig = new Rig().begin({ graceS: 30 });
  rig.wait(2);
  rig.socket.closes(1006);
  for (let second = 0; second < 70; second += 1) {
    if (rig.socket.readyState === 0) rig.socket.closes(1006);
    rig.wait(1);
    if (second < 45) assert.equal(rig.connection.phase.name, 'lost', `after ${second} s`);
  }
  assert.equal(rig.connection.phase.name, 'expired');
  assert.equal(rig.tokens.get(), null);
  const before = rig.sockets.length;
  rig.wait(60);
  assert.equal(rig.sockets.length, before, 'no more attempts');
  rig.connection.start();
  assert.equal(rig.connection.phase.name, 'connecting');
});

test('a trial that could not be kept is told apart from one that goes on', () => {
  const rig = new Rig().begin();
  rig.wait(2);
  rig.socket.closes(1006);
  rig.wait(1);
  rig.socket.opens();
  rig.socket.says({ error: { code: 'unknown_token' } }, { welcome: { ...WELCOME, token: 't2' } });
  assert.equal(rig.events.at(-1)[1].lostTrial, true);
  assert.equal(rig.tokens.get(), 't2');
});

for (const [code, phase] of [[4001, 'replaced'], [1012, 'stopping'], [4500, 'failed'], [1000, 'ended']]) {
  test(`after ${code} the page says ${phase} and does not come back by itself`, () => {
    const rig = new Rig().begin();
    rig.wait(2);
    rig.socket.closes(code);
    rig.wait(60);
    rig.connection.hurry();
    assert.equal(rig.phases.at(-1), phase);
    assert.equal(rig.sockets.length, 1);
  });
}

test('who finds no place asks again after a while, or at once when told to', () => {
  const rig = new Rig();
  rig.connection.start();
  rig.socket.opens();
  rig.socket.closes(4008);
  assert.equal(rig.phases.at(-1), 'full');
  assert.ok(rig.connection.retryInS >= 20, 'the others ask, too');
  for (let waitedS = 0; rig.sockets.length === 1 && waitedS < 31; waitedS += 1) rig.wait(1);
  assert.equal(rig.sockets.length, 2);
  rig.socket.opens();
  rig.socket.closes(4008);
  rig.connection.hurry();
  assert.equal(rig.sockets.length, 3);
  rig.socket.opens();
  rig.socket.says({ welcome: WELCOME });
  assert.equal(rig.phases.at(-1), 'open');
});

test('in the line the places are told, pings are answered, and the game begins by itself', () => {
  const rig = new Rig();
  rig.connection.on('queue', (queue) => rig.events.push(['queue', queue]));
  rig.connection.start();
  rig.socket.opens();
  rig.socket.says({ queue: { place: 2 } }, { queue: { place: 1 } });
  assert.deepEqual(rig.phases, ['connecting', 'queued']);
  assert.deepEqual(rig.events.filter(([name]) => name === 'queue').map(([, { place }]) => place), [2, 1]);
  rig.socket.says({ ping: 7 });
  assert.equal(rig.socket.sent.at(-1).pong, 7);
  rig.socket.says({ welcome: WELCOME });
  assert.equal(rig.phases.at(-1), 'open');
});

test('a line that has gone silent is joined again', () => {
  const rig = new Rig();
  rig.connection.start();
  rig.socket.opens();
  rig.socket.says({ queue: { place: 2 } });
  rig.wait(60);
  assert.ok(rig.sockets.length > 1);
});

test('who leaves hangs up and does not come back', () => {
  const rig = new Rig().begin();
  rig.connection.leave();
  rig.wait(60);
  rig.connection.hurry();
  assert.equal(rig.phases.at(-1), 'left');
  assert.equal(rig.sockets.length, 1);
  assert.equal(rig.tokens.get(), null);
});

test('a page that was replaced can take the game back with its token', () => {
  const rig = new Rig().begin();
  rig.socket.closes(4001);
  rig.connection.start();
  rig.socket.opens();
  assert.equal(rig.socket.sent[0].token, 't1');
});

for (const [reason, phase] of [['finished', 'ended'], ['stopped', 'ended'], ['failed', 'failed'], ['server', 'stopping'], ['constructor', 'ended']]) {
  test(`done because of ${reason} is ${phase}, whatever the close code after it`, () => {
    const rig = new Rig().begin();
    rig.socket.says({ done: { reason, text: '' } });
    assert.equal(rig.phases.at(-1), phase);
    assert.equal(rig.tokens.get(), null, 'there is nothing to come back to');
    rig.socket.closes(1006);
    rig.wait(60);
    assert.equal(rig.phases.at(-1), phase);
    assert.equal(rig.sockets.length, 1);
  });
}
