import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actionName, keyName, legendLines, spokenKeyName } from '../../hippogym/pages/static/js/keynames.js';
import { budgetWords, paragraphsOf, readable } from '../../hippogym/pages/static/js/panels.js';
import { describeAgent } from '../../hippogym/pages/static/js/client.js';
import { TokenStore } from '../../hippogym/pages/static/js/token.js';
import { withoutSecrets } from '../../hippogym/pages/static/js/debug.js';

test('keys have the names that are printed on them', () => {
  const names = ['ArrowUp', 'Space', 'KeyW', 'Digit7', 'Numpad4', 'ShiftLeft', 'PadA', 'F2'].map((code) => keyName(code));
  assert.deepEqual(names, ['↑', 'Space', 'W', '7', 'Numpad 4', 'Left Shift', 'Gamepad A', 'F2']);
  assert.equal(keyName('KeyW', new Map([['KeyW', 'z']])), 'Z', 'on a French keyboard');
  assert.equal(spokenKeyName('ArrowUp'), 'up arrow');
});

test('the names of actions are read as words', () => {
  assert.equal(actionName('leftUp'), 'Left and up');
  assert.equal(actionName('fire_main_engine'), 'Fire main engine');
  assert.equal(actionName('upright'), 'Up and right');
  assert.equal(actionName('uprightfire'), 'Up, right and fire');
  assert.equal(actionName('fire'), 'Fire');
  assert.equal(actionName('upload'), 'Upload');
});

test('the legend shows what needs a key, and keeps several keys at once apart', () => {
  const { single, combined } = legendLines([
    { action: 'noop', keys: [[]] },
    { action: 'up', keys: [['ArrowUp'], ['KeyW'], ['KeyI', 'KeyJ']] },
    { action: 'silent', keys: [] },
  ]);
  assert.deepEqual(single, [{ action: 'up', keys: [['ArrowUp'], ['KeyW']] }]);
  assert.deepEqual(combined, [{ action: 'up', keys: [['KeyI', 'KeyJ']] }]);
});

test('a gamepad is spoken of only where there is one', () => {
  const keyMap = [
    { action: 'up', keys: [['ArrowUp'], ['PadUp']] },
    { action: 'fire', keys: [['PadA']] },
    { action: 'pad', keys: [['PageUp']] },
  ];
  const without = legendLines(keyMap).single;
  assert.deepEqual(without.map(({ action, keys }) => [action, keys]), [['up', [['ArrowUp']]], ['pad', [['PageUp']]]]);
  assert.deepEqual(legendLines(keyMap, true).single, keyMap);
});

test('a budget of nothing is all used up, and one of nothing used is empty', () => {
  assert.deepEqual(budgetWords(0, 0), { text: '0 of 0 used', part: 1 });
  assert.deepEqual(budgetWords(100, 0), { text: '0 of 100 used', part: 0 });
  assert.deepEqual(budgetWords(100, null), { text: '0 of 100 used', part: 0 });
  assert.deepEqual(budgetWords(10, 25), { text: '25 of 10 used', part: 1 });
  assert.deepEqual(budgetWords(null, 3), { text: '3 used', part: 0 });
});

test('instructions are text with blank lines, or a list', () => {
  assert.deepEqual(paragraphsOf('One\ntwo.\n\n  Three. '), ['One\ntwo.', 'Three.']);
  assert.deepEqual(paragraphsOf(['One.', 7, 'Two.']), ['One.', 'Two.']);
  for (const nothing of [null, undefined, '', [], {}]) assert.deepEqual(paragraphsOf(nothing), []);
});

test('any value of the display can be shown', () => {
  assert.deepEqual([12.34567, 3, 'x', null, { a: 1 }, undefined].map(readable), ['12.346', '3', 'x', 'null', '{"a":1}', '']);
});

test('browsers are recognised by what they say of themselves', () => {
  const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';
  assert.deepEqual(describeAgent(chrome), { system: 'Linux', systemVersion: 'x86_64', browser: 'Chrome', browserVersion: '126' });
  const edge = chrome.replace('X11; Linux x86_64', 'Windows NT 10.0; Win64; x64') + ' Edg/126.0.0.0';
  assert.deepEqual(describeAgent(edge), { system: 'Windows', systemVersion: '10.0', browser: 'Edge', browserVersion: '126' });
  const phone =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';
  assert.deepEqual(describeAgent(phone), { system: 'iOS', systemVersion: '17', browser: 'Safari', browserVersion: '17' });
  assert.deepEqual(describeAgent('?'), { system: '', systemVersion: '', browser: '', browserVersion: '' });
});

test('the right to come back is kept per study and participant', () => {
  const items = new Map();
  const storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
  new TokenStore(storage, 'pacman', 'ann').set('t1');
  assert.equal(new TokenStore(storage, 'pacman', 'ann').get(), 't1');
  assert.equal(new TokenStore(storage, 'pacman', 'ben').get(), null);
  assert.equal(new TokenStore(storage, 'other', 'ann').get(), null);
  new TokenStore(storage, 'pacman', 'ann').clear();
  assert.equal(items.size, 0);
});

test('a browser that keeps nothing still comes back until the page is left', () => {
  const refuse = () => {
    throw new Error('denied');
  };
  for (const storage of [null, { getItem: refuse, setItem: refuse, removeItem: refuse }]) {
    const tokens = new TokenStore(storage, 'pacman', null);
    tokens.set('t1');
    assert.equal(tokens.get(), 't1');
    tokens.clear();
    assert.equal(tokens.get(), null);
  }
});

test('the debug panels do not show the right to come back', () => {
  const text = withoutSecrets(JSON.stringify({ welcome: { token: 'secret', resumed: false } }));
  assert.doesNotMatch(text, /secret/);
  assert.match(text, /resumed/);
});
