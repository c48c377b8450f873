import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, episodeText, refusalText } from '../../hippogym/pages/static/js/state/sentences.js';

const OPEN = { name: 'open', welcomed: true };
const scene = (name, more = {}) => describe({ phase: { name, welcomed: true }, ...more });
const state = (name, more = {}) => describe({ phase: OPEN, status: { state: name, text: '' }, ...more });

test('every state has a label, a sentence and, where one is needed, a next step', () => {
  const phases = ['connecting', 'lost', 'expired', 'replaced', 'full', 'stopping', 'failed', 'ended', 'refused'];
  const states = ['starting', 'waiting', 'paused', 'ended', 'failed'];
  for (const shown of [...phases.map((name) => scene(name)), ...states.map((name) => state(name))]) {
    assert.ok(shown.title && shown.label, shown.name);
    const goesOnByItself = shown.busy;
    const nextStep = shown.button || /(close this page|researcher)/.test(shown.text);
    assert.ok(goesOnByItself || nextStep, `${shown.name} leaves the participant alone`);
  }
});

test('in a study an end of the game leads on, and never sends anybody away', () => {
  for (const name of ['ended', 'failed', 'expired', 'stopping', 'replaced']) {
    const shown = scene(name, { inStudy: true, done: { reason: 'finished', text: 'Thank you! You can close this page.' } });
    assert.ok(shown.busy || shown.button?.does === 'onwards', name);
    assert.doesNotMatch(shown.text, /close this page|new game/, name);
  }
  assert.equal(state('paused', { inStudy: true }).title, state('paused').title);
});

test('who waits in line is told the place, and that nothing is to be done', () => {
  assert.match(scene('queued', { place: 3 }).title, /number 3/);
  assert.equal(scene('queued', { place: 1 }).title, 'You are next');
  assert.equal(scene('queued').title, 'You are in line');
  assert.match(scene('queued').text, /by itself/);
  assert.match(scene('full', { retryInS: 12 }).wait, /12 s/);
});

test('while playing nothing covers the game', () => {
  assert.equal(state('playing').title, '');
});

test('a lost game waits; one that never began is only out of reach', () => {
  const lost = describe({ phase: { name: 'lost', welcomed: true }, retryInS: 3 });
  assert.match(lost.text, /waits for you/);
  assert.equal(lost.wait, 'Trying again in 3 s.');
  const never = describe({ phase: { name: 'lost', welcomed: false }, retryInS: 0 });
  assert.doesNotMatch(never.text, /Your game/);
  assert.equal(never.wait, 'Trying now…');
});

test('what happened to the connection matters more than what the trial last said', () => {
  const shown = describe({ phase: { name: 'lost', welcomed: true }, status: { state: 'playing', text: '' } });
  assert.equal(shown.name, 'lost');
});

test('the server’s own words are used where it has some', () => {
  assert.equal(state('waiting').text, 'Press Start to begin.');
  const told = describe({ phase: OPEN, status: { state: 'waiting', text: 'Put on your headphones.' } });
  assert.equal(told.text, 'Put on your headphones.');
});

test('a stopping server is not said to stop twice', () => {
  const told = (text) => scene('stopping', { done: { reason: 'server', text } }).text;
  assert.equal(told('The server is stopping. What you did has been kept.'), 'What you did has been kept.');
  assert.match(told('The server is stopping.'), /tell the researcher/);
});

test('a status of a later server is not an empty page', () => {
  assert.equal(state('somethingNew').name, 'starting');
});

test('the end leads on where there is somewhere to go, and says so where there is not', () => {
  const done = { reason: 'finished', text: 'All 20 episodes are done.' };
  const onwards = scene('ended', { done, hasRedirect: true });
  assert.deepEqual(onwards.button, { label: 'Next', does: 'next' });
  assert.equal(onwards.text, 'All 20 episodes are done.');
  const last = scene('ended', { done });
  assert.equal(last.button, null);
  assert.match(last.text, /close this page/);
  const saysItself = scene('ended', { done: { reason: 'finished', text: 'Thanks! You can close this page now.' } });
  assert.equal(saysItself.text.match(/close this page/g).length, 1);
});

test('without a Start button nobody is told to press it', () => {
  for (const name of ['waiting', 'paused']) {
    const shown = state(name, { canStart: false });
    assert.equal(shown.button, null);
    assert.doesNotMatch(shown.text, /Press/);
  }
});

test('nobody is told to press Start while the researcher has paused the game', () => {
  const status = { state: 'paused', text: 'The researcher has paused the game.', onHold: true };
  const shown = describe({ phase: OPEN, status });
  assert.equal(shown.button, null);
  assert.equal(shown.text, status.text);
  assert.ok(describe({ phase: OPEN, status: { ...status, onHold: false } }).button);
});

test('episodes are counted only where there is something to count', () => {
  assert.equal(episodeText({ episode: 2, episodes: 20 }), 'Episode 2 of 20');
  assert.equal(episodeText({ episode: 2, episodes: null }), 'Episode 2');
  assert.equal(episodeText(null), '');
});

test('a refusal is spoken of only where the participant can do something about it', () => {
  assert.match(refusalText({ code: 'out_of_range', expected: 'from 1 to 60' }), /from 1 to 60/);
  assert.ok(refusalText({ code: 'not_allowed' }));
  assert.equal(refusalText({ code: 'bad_type' }), '');
});

test('who waits for a computer is told for how long, and that nothing is to be done', () => {
  const waiting = (name, waitedS) => scene(name, { inStudy: true, waitedS });
  assert.match(waiting('placing', 20).text, /one or two minutes/);
  assert.match(waiting('placing', 20).wait, /20 s/);
  assert.match(waiting('placing', 200).text, /longer than usual/);
  assert.match(waiting('moving', 65.7).wait, /1 min 5 s/);
  assert.match(waiting('moving', 5).text, /kept/);
  for (const name of ['placing', 'moving']) assert.ok(waiting(name, 5).busy && waiting(name, 5).label && !waiting(name, 5).button);
});

test('a place that is there, but out of reach, is said to be so', () => {
  const never = (more) => describe({ phase: { name: 'lost', welcomed: false }, inStudy: true, ...more });
  assert.match(never({ hasPlace: true }).text, /networks/);
  assert.equal(never({ hasPlace: false }).title, describe({ phase: { name: 'lost', welcomed: false } }).title);
});
