import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codesOf, isForTheGame } from '../../hippogym/pages/static/js/keyboard.js';
import { padCodes } from '../../hippogym/pages/static/js/gamepad.js';

const CODES = codesOf([
  { action: 'noop', keys: [[]] },
  { action: 'up', keys: [['ArrowUp'], ['KeyW']] },
  { action: 'fire', keys: [['Space']] },
  { action: 'upright', keys: [['ArrowUp', 'ArrowRight']] },
]);
const press = (code, more = {}) => isForTheGame({ code, target: { tagName: 'BODY' }, ...more }, CODES);

test('the key map decides which keys are the game’s', () => {
  assert.deepEqual(CODES, new Set(['ArrowUp', 'KeyW', 'Space', 'ArrowRight']));
  assert.ok(press('ArrowUp'));
  assert.ok(press('KeyW', { shiftKey: true }));
  assert.ok(!press('ArrowLeft'));
  assert.ok(!press('F5'));
});

test('shortcuts stay the browser’s', () => {
  for (const modifier of ['ctrlKey', 'metaKey', 'altKey']) assert.ok(!press('KeyW', { [modifier]: true }), modifier);
});

test('a modifier that is itself a key of the game is no shortcut', () => {
  const codes = new Set(['ControlLeft', 'ArrowUp']);
  const target = { tagName: 'BODY' };
  assert.ok(isForTheGame({ code: 'ControlLeft', ctrlKey: true, target }, codes));
  assert.ok(isForTheGame({ code: 'ArrowUp', ctrlKey: true, target }, codes));
  assert.ok(!isForTheGame({ code: 'ArrowUp', altKey: true, target }, codes));
});

test('who types is not disturbed', () => {
  for (const tagName of ['INPUT', 'SELECT', 'TEXTAREA']) assert.ok(!press('KeyW', { target: { tagName } }), tagName);
  assert.ok(!press('KeyW', { target: { tagName: 'DIV', isContentEditable: true } }));
  assert.ok(!press('KeyW', { isComposing: true }));
});

test('Space presses a focused button, while arrows still play', () => {
  const target = { tagName: 'BUTTON' };
  assert.ok(!press('Space', { target }));
  assert.ok(press('ArrowUp', { target }));
});

test('the cross, the stick and two buttons of a gamepad are keys', () => {
  const buttons = Array.from({ length: 16 }, () => ({ pressed: false }));
  assert.deepEqual(padCodes({ buttons, axes: [0.1, -0.2] }), new Set());
  buttons[0] = buttons[12] = { pressed: true };
  assert.deepEqual(padCodes({ buttons, axes: [1, -1] }), new Set(['PadUp', 'PadA', 'PadRight']));
  assert.deepEqual(padCodes({ buttons: [], axes: [] }), new Set(), 'a pad with nothing on it');
});
