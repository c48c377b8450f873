import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrange, controlLabel, isPossible } from '../../hippogym/pages/static/js/arrange.js';
import { judgeRate } from '../../hippogym/pages/static/js/rate.js';

test('every direction has its place on the pad, and rows without any are left out', () => {
  const all = ['leftUp', 'up', 'rightUp', 'left', 'fire', 'right', 'leftDown', 'down', 'rightDown'];
  assert.deepEqual(arrange(all.toReversed?.() ?? [...all].reverse()).pad.flat(), all);
  assert.deepEqual(arrange(['right', 'left']).pad, [['left', null, 'right']]);
  assert.deepEqual(arrange(['start']).pad, []);
});

test('commands come in groups that people know; the study’s own last, in their own order', () => {
  const { groups, rate } = arrange(['zoom', 'stop', 'good', 'fpsUp', 'start', 'askRobot', 'trainOnline', 'fpsSet', 'pause']);
  assert.deepEqual(groups, [['start', 'pause', 'stop'], ['good'], ['trainOnline'], ['zoom', 'askRobot']]);
  assert.deepEqual(rate, ['fpsSet', 'fpsUp']);
});

test('what is an action of the environment is held, whatever its name; everything else is a command', () => {
  const { more, groups, pad } = arrange(['start', 'hit', 'Stick', 'askRobot', 'up'], ['stick', 'hit', 'up', 'start']);
  assert.deepEqual(more, ['hit', 'Stick']);
  assert.deepEqual(groups, [['start'], ['askRobot']], 'Start is Start');
  assert.deepEqual(pad, [[null, 'up', null]]);
});

test('requestUI, doubles and what is not a name are not shown', () => {
  assert.deepEqual(arrange(['requestUI', 'start', 'start', '', ' ', null, 3, {}]).groups, [['start']]);
});

test('labels begin with a capital', () => {
  assert.equal(controlLabel('trainOffline'), 'Train offline');
  assert.equal(controlLabel('leftUp'), 'Up and left');
  assert.equal(controlLabel('askRobot'), 'AskRobot');
  assert.equal(controlLabel('constructor'), 'Constructor', 'a name that every object has');
});

test('Start and Pause are possible when they would do something, the others while there is a game', () => {
  const possible = (state) => ['start', 'pause', 'reset', 'good'].filter((name) => isPossible(name, state));
  assert.deepEqual(possible('waiting'), ['start', 'reset', 'good']);
  assert.deepEqual(possible('playing'), ['pause', 'reset', 'good']);
  assert.deepEqual(possible('paused'), ['start', 'reset', 'good']);
  for (const state of [null, 'starting', 'ended', 'failed']) assert.deepEqual(possible(state), [], `${state}`);
});

test('a rate inside the bounds is asked for, both bounds included', () => {
  const known = { rate: 30, min: 1, max: 60 };
  assert.deepEqual(judgeRate('45', known), { send: 45 });
  assert.deepEqual(judgeRate('60', known), { send: 60 });
  assert.deepEqual(judgeRate('12,5', known), { send: 12.5 });
  assert.deepEqual(judgeRate('30', known), {});
});

test('a rate outside the bounds becomes the nearest, and the bounds are said', () => {
  const { send, tell } = judgeRate('500', { rate: 30, min: 1, max: 60 });
  assert.equal(send, 60);
  assert.match(tell, /From 1 to 60/);
  assert.equal(judgeRate('-3', { rate: 1, min: 1, max: 60 }).send, undefined, 'already there');
});

test('what is not a number is not sent', () => {
  for (const text of ['', ' ', 'fast', 'NaN', 'Infinity', '1e999']) {
    const { send, tell } = judgeRate(text, { rate: 30, min: 1, max: 60 });
    assert.equal(send, undefined, text);
    assert.match(tell, /number/);
  }
});
