import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, Refusal, Unheard } from '../../hippogym/pages/static/js/study/desk.js';
import { Drafts } from '../../hippogym/pages/static/js/study/draft.js';
import { endWords, safeAddress } from '../../hippogym/pages/static/js/study/ending.js';
import { patiently } from '../../hippogym/pages/static/js/study/patience.js';
import { problemText, summary } from '../../hippogym/pages/static/js/study/problems.js';
import { isReady, isSame, waitBeforeLook } from '../../hippogym/pages/static/js/study/places.js';
import { Receipts } from '../../hippogym/pages/static/js/study/receipts.js';
import { setAside } from '../../hippogym/pages/static/js/study/styles.js';
import { ShownTime } from '../../hippogym/pages/static/js/study/timing.js';
import { TokenStore } from '../../hippogym/pages/static/js/token.js';
import { visitKey } from '../../hippogym/pages/static/js/study/storage.js';
import { SENTENCES, wayText } from '../../hippogym/pages/static/js/study/words.js';

const KEPT = 'hippogym.receipts:p';

/** A tab's storage. */
function storage(content = {}) {
  return {
    content,
    getItem: (key) => content[key] ?? null,
    setItem: (key, value) => (content[key] = value),
    removeItem: (key) => delete content[key],
  };
}

/** A server that gives the answers it was told, in order, and keeps what it was asked. */
class Server {
  asked = [];

  constructor(...answers) {
    this.answers = answers;
    this.tokens = new TokenStore(null, 'p', '');
    this.desk = new Desk(this.tokens, { fetch: (path, asked) => this.answer(path, asked) });
  }

  async answer(path, { method, headers, body }) {
    this.asked.push({ path, method, headers, content: body ? JSON.parse(body) : null });
    const [status, content] = this.answers.shift();
    if (status === 0) throw new TypeError('Failed to fetch');
    return { status, text: async () => (typeof content === 'string' ? content : JSON.stringify(content)) };
  }
}

const VIEW = { kind: 'page', stamp: 's1' };

test('who arrives is given a token, and shows it from then on', async () => {
  const server = new Server([200, { token: 't1', resumed: false, view: VIEW }], [200, { view: VIEW }]);
  assert.deepEqual(await server.desk.arrive({ userId: 'ann' }, { browser: 'x' }), { resumed: false, view: VIEW, study: {} });
  assert.deepEqual(await server.desk.now(), VIEW);
  const [arrive, now] = server.asked;
  assert.deepEqual(arrive.content, { link: { userId: 'ann' }, client: { browser: 'x' } });
  assert.equal(arrive.headers.Authorization, undefined);
  assert.equal(now.headers.Authorization, 'Bearer t1');
  assert.deepEqual([now.method, now.content], ['GET', null]);
});

test('silence, half an answer and a server in trouble are not taken for an answer', async () => {
  for (const trouble of [[0], [200, '{"view": {"ki'], [200, ''], [500, {}], [502, '<html>'], [503, {}], [429, {}]]) {
    await assert.rejects(new Server(trouble).desk.now(), Unheard, String(trouble));
  }
});

test('a no carries its status, its words and what is wrong with which answer', async () => {
  const problems = [{ name: 'age', text: 'Please answer this.' }];
  const server = new Server([422, { error: { code: 'incomplete', text: 'Not yet.' }, problems }]);
  await assert.rejects(server.desk.answer({ stamp: 's1' }), (error) => {
    assert.ok(error instanceof Refusal);
    assert.deepEqual([error.status, error.code, error.text, error.problems], [422, 'incomplete', 'Not yet.', problems]);
    return true;
  });
  await assert.rejects(new Server([400, 'what?']).desk.now(), (error) => error.status === 400 && error.problems.length === 0);
});

test('a token that the study does not know any more is left behind', async () => {
  const server = new Server([401, { error: {} }], [200, { token: 't2', resumed: false, view: VIEW }]);
  server.tokens.set('old');
  await server.desk.arrive({}, {});
  assert.deepEqual(server.asked.map(({ headers }) => headers.Authorization), ['Bearer old', undefined]);
  assert.equal(server.desk.token, 't2');
});

test('open elsewhere is the same visit where the other tab has left its token meanwhile', async () => {
  const server = new Server([409, { error: {} }], [200, { token: 't1', resumed: true, view: VIEW }]);
  server.answers[0] = [409, { error: {} }];
  const answer = server.answer.bind(server);
  server.answer = (path, asked) => {
    if (server.asked.length === 0) server.tokens.set('of the other tab');
    return answer(path, asked);
  };
  assert.equal((await server.desk.arrive({}, {})).resumed, true);
  assert.equal(server.asked[1].headers.Authorization, 'Bearer of the other tab');
  await assert.rejects(new Server([409, {}]).desk.arrive({}, {}), (error) => error.status === 409);
});

test('what was not heard is said again until it is, waiting longer and longer', async () => {
  let left = 3;
  const waits = [];
  const heard = await patiently(
    async () => {
      if (left > 0) throw new Unheard(`${(left -= 1)}`);
      return 'heard';
    },
    { wait: async (waitS) => waits.push(waitS), waitS: (attempt) => 2 ** attempt },
  );
  assert.equal(heard, 'heard');
  assert.deepEqual(waits, [1, 2, 4]);
});

test('a no is not asked again, and what is no longer wanted is not said', async () => {
  const wait = () => assert.fail('there is nothing to wait for');
  await assert.rejects(patiently(() => Promise.reject(new Refusal(403)), { wait }), Refusal);
  await assert.rejects(patiently(() => Promise.reject(new RangeError('ours')), { wait }), RangeError);
  assert.equal(await patiently(async () => 'late', { wait, isWanted: () => false }), null);
  let asked = 0;
  const silent = () => Promise.reject(new Unheard((asked += 1)));
  assert.equal(await patiently(silent, { wait: async () => {}, isWanted: () => asked < 3, waitS: () => 0 }), null);
  assert.equal(asked, 3);
});

test('shown and attended times are counted apart, and go on after a reload', () => {
  let now = 1000;
  let attended = true;
  const time = new ShownTime({ clock: () => now, isAttended: () => attended });
  time.look(); // nothing is shown yet
  time.start();
  now += 400;
  attended = false;
  time.look();
  now += 250.4;
  attended = true;
  time.look();
  now += 100;
  assert.deepEqual(time.read(), { shownMs: 750, focusMs: 500 });
  const later = new ShownTime({ clock: () => now, isAttended: () => true });
  later.start({ shownMs: 750, focusMs: 500 });
  now += 50;
  assert.deepEqual(later.read(), { shownMs: 800, focusMs: 550 });
  later.start();
  assert.deepEqual(later.read(), { shownMs: 0, focusMs: 0 });
});

test('a draft belongs to one showing of one step, and a browser that keeps nothing is no trouble', () => {
  const items = new Map([['hippogym.draft:p', '{"stamp": "s1", "entries": [["a", 0, "b"]]}']]);
  const storage = { getItem: (key) => items.get(key) ?? null, removeItem: (key) => items.delete(key), setItem: () => {} };
  assert.deepEqual(new Drafts(storage, 'p').of('s1').entries, [['a', 0, 'b']]);
  assert.equal(new Drafts(storage, 'p').of('s2'), null);
  assert.equal(new Drafts(storage, 'other').of('s1'), null);
  for (const nonsense of ['{', '7', '{"stamp": "s1"}', 'null']) {
    items.set('hippogym.draft:p', nonsense);
    assert.equal(new Drafts(storage, 'p').of('s1'), null);
  }
  const refuse = () => {
    throw new Error('denied');
  };
  for (const none of [null, { getItem: refuse, setItem: refuse, removeItem: refuse }]) {
    assert.equal(new Drafts(none, 'p').of('s1'), null);
    new Drafts(none, 'p').forget();
  }
});

test('a sentence for everything that can be wrong with a control', () => {
  const wrong = (what, more = {}) => problemText({ type: 'text', validity: { valid: false, [what]: true }, ...more });
  assert.equal(problemText({ type: 'text', validity: { valid: true } }), '');
  assert.equal(wrong('valueMissing'), 'Please answer this.');
  assert.equal(wrong('valueMissing', { type: 'checkbox' }), 'Please tick this box.');
  assert.equal(wrong('valueMissing', { type: 'radio' }), 'Please choose one.');
  assert.equal(wrong('badInput', { type: 'number' }), 'Please give a number.');
  assert.equal(wrong('badInput', { type: 'date' }), 'Please give a date.');
  assert.equal(wrong('rangeUnderflow', { type: 'number', min: '18' }), 'Please give a number from 18.');
  assert.equal(wrong('rangeOverflow', { type: 'date', max: '2026-01-31' }), 'Please give a date up to 2026-01-31.');
  assert.equal(wrong('patternMismatch', { title: 'Three letters.' }), 'Three letters.');
  assert.equal(wrong('stepMismatch', { type: 'number', step: '' }), 'Please give a whole number.');
  assert.equal(wrong('stepMismatch', { type: 'range', step: '5' }), 'Please give a number in steps of 5.');
  for (const what of ['typeMismatch', 'stepMismatch', 'tooShort', 'tooLong', 'patternMismatch', 'customError']) {
    assert.match(wrong(what, { title: '' }), /^Please .*\.$/, what);
  }
});

test('the summary counts what needs another look, and the tries that are left', () => {
  assert.equal(summary(1), 'One answer needs another look.');
  assert.equal(summary(3), '3 answers need another look.');
  assert.equal(summary(1, 1, true), 'One answer is not right yet. You have one try left.');
  assert.equal(summary(2, 4, true), '2 answers are not right yet. You have 4 tries left.');
  assert.equal(summary(0, null, true), 'That is not right yet.');
});

test('the way is told while there is one', () => {
  assert.equal(wayText({ kind: 'page', step: 2, of: 6 }), 'Step 2 of 6');
  assert.equal(wayText({ kind: 'end', step: 6, of: 6 }), '');
  assert.equal(wayText({ kind: 'page', step: 1, of: 1 }), '');
});

test('every ending has words, also one of a later server', () => {
  for (const outcome of ['complete', 'screenedOut', 'failedCheck', 'withdrew', 'fault', 'full', 'constructor']) {
    assert.ok(endWords({ outcome }).text, outcome);
  }
  assert.equal(endWords({ outcome: 'full', text: 'Sorry.' }).text, 'Sorry.');
  assert.equal(endWords({ outcome: 'complete', code: 'A' }).label, 'Your completion code');
  assert.equal(endWords({ outcome: 'failedCheck', code: 'A' }).label, 'Your code');
  assert.match(endWords({ outcome: 'complete', redirect: 'https://app.prolific.com/x?cc=A' }).onwards, /go back to prolific\.com/);
});

test('nobody is led to anything but a web page', () => {
  assert.equal(safeAddress('https://app.example/x?cc=A'), 'https://app.example/x?cc=A');
  for (const address of ['javascript:alert(1)', 'data:text/html,x', '//x', '', 'file:///etc/passwd']) {
    assert.equal(safeAddress(address), null, address);
  }
});

test('each person that links speak of has a visit of their own in this browser', () => {
  const keys = [{}, { PROLIFIC_PID: 'a' }, { PROLIFIC_PID: 'b' }, { workerId: 'a' }, { userId: 'a' }, { preview: '' }].map(visitKey);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(visitKey({ preview: 'no' }), visitKey({}));
  assert.equal(visitKey({ PROLIFIC_PID: 'a', SESSION_ID: '1' }), visitKey({ PROLIFIC_PID: 'a', SESSION_ID: '2' }));
});

test('a no has a title and a next step whatever the server says', () => {
  assert.equal(SENTENCES.no({ status: 403, code: 'done', text: 'Thank you.' }).title, 'You have already taken part');
  for (const status of [400, 401, 404, 418]) {
    const { title, text } = SENTENCES.no({ status, code: 'constructor', text: '' });
    assert.ok(title && /researcher/.test(text), String(status));
  }
});

test('a study elsewhere is asked there, with its name and what has happened', async () => {
  const tokens = new TokenStore(null, 'p', '');
  const asked = [];
  const fetch = async (address, { method, body }) => {
    asked.push([method, address, body]);
    return { status: 200, text: async () => JSON.stringify({ view: VIEW }) };
  };
  const desk = new Desk(tokens, { api: 'https://api.example', projectId: 'a pilot', fetch });
  await desk.now();
  await desk.now({ afterGame: true });
  await desk.handOn(['r1']);
  assert.deepEqual(asked, [
    ['GET', 'https://api.example/study/now?projectId=a+pilot', undefined],
    ['GET', 'https://api.example/study/now?projectId=a+pilot&after=game', undefined],
    ['POST', 'https://api.example/study/now?projectId=a+pilot', '{"receipts":["r1"]}'],
  ]);
});

test('what a server has said is kept until it was taken, also over a reload', async () => {
  const tab = storage();
  const pauses = [];
  const heard = [];
  let trouble = 2;
  const handOn = async (texts) => {
    if (trouble-- > 0) throw new Unheard('away');
    heard.push(texts);
  };
  const about = { storage: tab, key: 'p', handOn, pause: async (waitS) => pauses.push(waitS) };
  const receipts = new Receipts(about);
  receipts.take('began');
  receipts.take('over');
  assert.deepEqual(JSON.parse(tab.content[KEPT]), ['began', 'over']);
  assert.equal(new Receipts(about).isEmpty, false);
  await receipts.handedOn();
  assert.deepEqual(heard.flat(), ['began', 'over']);
  assert.equal(pauses.length, 2);
  assert.deepEqual(tab.content, {});
  assert.ok(receipts.isEmpty);
});

test('what is refused is not said for ever, and what is too much is what is oldest', async () => {
  let calls = 0;
  const refusing = new Receipts({ storage: null, key: 'p', handOn: async () => { calls += 1; throw new Refusal(400); } });
  refusing.take('forged');
  await refusing.handedOn();
  assert.deepEqual([calls, refusing.isEmpty], [1, true]);
  const tab = storage();
  const waiting = new Receipts({ storage: tab, key: 'p', handOn: () => new Promise(() => {}) });
  for (let n = 0; n < 20; n += 1) waiting.take(`r${n}`);
  assert.deepEqual(JSON.parse(tab.content[KEPT]), Array.from({ length: 8 }, (_, n) => `r${n + 12}`));
  tab.content[KEPT] = '{"broken';
  assert.ok(new Receipts({ storage: tab, key: 'p', handOn: async () => {} }).isEmpty);
});

test('a place is looked for often at first, then every ten seconds, and never in step', () => {
  assert.ok(waitBeforeLook(0, 0) >= 1.5 && waitBeforeLook(0, 1) <= 2.5);
  assert.ok(waitBeforeLook(1000, 1) <= 12.5 && waitBeforeLook(1000, 0) >= 7.5);
  assert.notEqual(waitBeforeLook(3, 0.1), waitBeforeLook(3, 0.9));
  const game = (place) => ({ kind: 'game', name: 'g', stamp: null, game: { place } });
  assert.ok(isReady(game(undefined)) && isReady(game({ state: 'ready' })) && !isReady(game({ state: 'waiting' })));
  assert.ok(isSame(game({ state: 'waiting' }), game({ state: 'ready' })) && !isSame(null, game()));
});

test('style attributes are set aside, and nothing else is touched', () => {
  const html = '<p class="a" style="color: red" title="a > b">He wrote style="x" &lt;p style="y"&gt;</p><br><img src="a" style="b">';
  assert.equal(setAside(html), html.replace('" style="color', '" data-own-style="color').replace('style="b"', 'data-own-style="b"'));
  const plain = '<p title="it is style=none">a < b</p><style>p { content: "<b style=\'\'>" }</style>';
  assert.equal(setAside(plain), plain);
});
