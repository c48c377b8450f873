import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Token, tokenIn } from '../../hippogym/pages/static/dashboard/js/link.js';
import { areaUnder, binned, linePath, median, niceTop } from '../../hippogym/pages/static/dashboard/js/plots.js';
import { Desk, inTrouble } from '../../hippogym/pages/static/dashboard/js/state.js';
import { bytes, duration, number, percent, score } from '../../hippogym/pages/static/dashboard/js/words.js';

const person = (trial, more = {}) => ({
  trial, user: trial, state: 'playing', fps: 30, rate: 30, rttMs: 20, errors: 0, connected: true, since_s: 1, ...more,
});

test('what is told in pieces adds up to everybody and everything', () => {
  const desk = new Desk();
  desk.take({ hello: { project: 'p', places: 3, steps: true } });
  desk.take({ now_s: 1, people: { changed: [person('a', { score: 0 }), person('b')], gone: [] }, study: { steps: [] } });
  const changed = desk.take({ now_s: 2, people: { changed: [{ trial: 'a', score: 5 }], gone: ['b'] } });
  assert.deepEqual([...changed], ['people']);
  assert.deepEqual([...desk.people.values()], [person('a', { score: 5 })]);
  assert.deepEqual(desk.traces.get('a').score, [{ t: 1, v: 0 }, { t: 2, v: 5 }]);
  assert.equal(desk.traces.has('b'), false);
});

test('a new connection begins with a clean sheet', () => {
  const desk = new Desk();
  desk.take({ hello: {}, });
  desk.take({ now_s: 1, people: { changed: [person('a')] }, pulse: [{ n: 0 }], happened: [{ n: 0 }] });
  desk.take({ hello: {} });
  assert.equal(desk.people.size + desk.pulse.length + desk.happened.length, 0);
});

test('traces and lists do not grow for ever', () => {
  const desk = new Desk();
  desk.take({ now_s: 0, people: { changed: [person('a')] } });
  for (let n = 1; n < 1000; n += 1) desk.take({ now_s: n, pulse: [{ n }], happened: [{ n }] });
  assert.equal(desk.traces.get('a').score.length, 240);
  assert.equal(desk.pulse.length, 720);
  assert.equal(desk.happened.length, 200);
  assert.equal(desk.happened.at(-1).n, 999);
});

test('people are listed in the order that is asked for, and found by name, condition or step', () => {
  const desk = new Desk();
  const people = [
    person('a', { user: 'p-10', since_s: 3, fps: 29, rttMs: 500, condition: 'Advice' }),
    person('b', { user: 'p-9', since_s: 2, fps: 12, rttMs: 30 }),
    person('c', { user: 'q', since_s: 1, fps: null, rttMs: null, state: 'waiting' }),
  ];
  desk.take({ now_s: 1, people: { changed: people } });
  const order = (by, text) => desk.listed(by, text).map((one) => one.trial).join('');
  assert.equal(order('since'), 'cba');
  assert.equal(order('user'), 'bac', 'numbers in names count as numbers');
  assert.equal(order('fps'), 'bac');
  assert.equal(order('rttMs'), 'abc');
  assert.equal(order('trouble'), 'bac', 'a slow game and a long way are trouble');
  assert.equal(order('since', ' advice'), 'a');
  assert.equal(order('since', 'zzz'), '');
});

test('who is away, slow, far or has met an error is in trouble', () => {
  assert.equal(inTrouble(person('a')), false);
  for (const more of [{ connected: false }, { fps: 20 }, { rttMs: 900 }, { errors: 1 }]) {
    assert.equal(inTrouble(person('a', more)), true, JSON.stringify(more));
  }
});

test('a line goes from edge to edge, leaves gaps, and stays in its box', () => {
  assert.equal(linePath([0, 5, 10], 100, 20, 10), 'M0 20L50 10L100 0');
  assert.equal(linePath([0, null, 10], 100, 20, 10), 'M0 20M100 0');
  assert.equal(linePath([99, -99], 10, 20, 10), 'M0 0L10 20');
  assert.equal(linePath([], 10, 20, 10), '');
  assert.equal(areaUnder('M0 5L10 8M20 1L30 2', 20), 'M0 20L0 5L10 8L10 20ZM20 20L20 1L30 2L30 20Z');
});

test('axes end at round numbers', () => {
  assert.deepEqual([0, 0.3, 1, 1.2, 7, 30, 101].map(niceTop), [1, 0.5, 1, 2, 10, 50, 200]);
});

test('every value is in one bin, whatever the values', () => {
  for (const values of [[1], [1, 1, 1], [0, 1, 2, 3], [18, 25, 99], [0.1, 0.2, 5.5], [-3, 0, 3], Array.from({ length: 500 }, (_, n) => n)]) {
    const bins = binned(values);
    assert.equal(bins.reduce((total, bin) => total + bin.n, 0), values.length, String(values));
    assert.ok(bins.length <= 12);
  }
  assert.deepEqual(binned([]), []);
  assert.deepEqual(binned([1, 2, 2, 4]).map((bin) => bin.n), [1, 2, 0, 1], 'small whole numbers have bins of their own');
});

test('numbers are written as people read them', () => {
  assert.equal(number(1234.5), '1,235');
  assert.equal(number(null), '–');
  assert.equal(number(NaN), '–');
  assert.equal(score(0.123456), '0.12');
  assert.equal(score(-1234.5), '-1,235');
  assert.deepEqual([0, 59.4, 60, 3599, 3600, 7500].map(duration), ['0 s', '59 s', '1 min', '1 h 00', '1 h 00', '2 h 05']);
  assert.deepEqual([0, 999, 1000, 12_345_678, 2.5e12].map(bytes), ['0 B', '999 B', '1.0 KB', '12 MB', '2.5 TB']);
  assert.equal(percent(1, 3), '33 %');
  assert.equal(percent(0, 0), '');
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([]), null);
});

test('a token is found in a link, after its #, or by itself, and in nothing else', () => {
  const token = 'abcDEF_0123456789-xyz~';
  assert.equal(tokenIn(`http://localhost:5000/dashboard#token=${token}`), token);
  assert.equal(tokenIn(`#token=${token}`), token);
  assert.equal(tokenIn(` ${token}\n`), token);
  for (const text of ['', '#', 'short', 'a sentence that is long enough but no token', '#people']) assert.equal(tokenIn(text), null);
});

test('the token leaves the address at once, and survives a reload of the tab', () => {
  const kept = new Map();
  const sessionStorage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
  const shown = [];
  const place = (hash) => ({
    location: { hash, pathname: '/dashboard', search: '' }, sessionStorage,
    history: { replaceState: (state, title, url) => shown.push(url) },
  });
  assert.equal(new Token(place('#token=abcdefghijklmnopqrstuvwx')).value, 'abcdefghijklmnopqrstuvwx');
  assert.deepEqual(shown, ['/dashboard']);
  const again = new Token(place(''));
  assert.equal(again.value, 'abcdefghijklmnopqrstuvwx');
  again.clear();
  assert.equal(new Token(place('')).value, null);
});
