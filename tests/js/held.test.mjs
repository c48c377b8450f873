import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Held } from '../../hippogym/pages/static/js/held.js';

function recorded() {
  const told = [];
  return { told, held: new Held((keys, controls) => told.push([keys, controls])) };
}

test('each change tells the whole set, in the order of pressing', () => {
  const { told, held } = recorded();
  held.pressKey('ArrowUp');
  held.pressKey('ArrowRight');
  held.pressControl('fire');
  held.releaseKey('ArrowUp');
  assert.deepEqual(told, [
    [['ArrowUp'], []],
    [['ArrowUp', 'ArrowRight'], []],
    [['ArrowUp', 'ArrowRight'], ['fire']],
    [['ArrowRight'], ['fire']],
  ]);
});

test('what changes nothing tells nothing', () => {
  const { told, held } = recorded();
  held.pressKey('KeyA');
  held.pressKey('KeyA');
  held.releaseKey('KeyB');
  held.releaseControl('left');
  assert.equal(told.length, 1);
});

test('letting go of everything is told once, and only if something was held', () => {
  const { told, held } = recorded();
  held.releaseAll();
  held.pressKey('KeyA');
  held.pressControl('up');
  held.releaseAll();
  held.releaseAll();
  assert.deepEqual(told.slice(2), [[[], []]]);
  assert.ok(held.empty);
});

test('sixteen of each are told at most, as the wire allows', () => {
  const { told, held } = recorded();
  for (let key = 0; key < 20; key += 1) held.pressKey(`Key${key}`);
  assert.equal(told.at(-1)[0].length, 16);
});

test('a told list is the listener’s own', () => {
  const { told, held } = recorded();
  held.pressKey('KeyA');
  told[0][0].push('forged');
  assert.deepEqual(held.keys, ['KeyA']);
});
