// The page of the game: makes its parts and ties them together.

import { describeAgent, describeClient } from './client.js';
import { Connection } from './connection.js';
import { Controls } from './controls.js';
import { Debug } from './debug.js';
import { describe, episodeText, refusalText } from './state/sentences.js';
import { Held } from './held.js';
import { listenToGamepads } from './gamepad.js';
import { listenToKeyboard } from './keyboard.js';
import { Panels } from './panels.js';
import { Screen } from './screen.js';
import { titleAsBefore, titleInLine, titleWaiting, titleYourTurn } from './tabtitle.js';

const PATIENT_MS = 60_000; // until a place that is ready, but out of reach, is said to be so
const MOVES = new Set(['stopping', 'expired']); // ends that are none where the game has a place: it gets another one

const byId = (id) => document.getElementById(id);
const isAsked = () => document.querySelector('dialog[open]') !== null;

/**
 * Makes the game's page, once. settings: as `readSettings` makes them. overlay: an Overlay. tokens: a TokenStore.
 *
 * study: null where there is only the game; else {visit(): what lets this visit in, address(): where the game is, or null
 * for where it always is, over(reason): the trial is over, or cannot be gone on with, lost(): the connection is,
 * receipt(text): what the server says to the study}.
 *
 * Returns {start(), wait(isMove, instructions), leave(), buttonDoes, isLost}: start may be called again after the end, for
 * another trial; wait says that there is no place for the game yet, or none any more.
 */
export function makeGame(settings, { overlay, tokens, study = null }) {
  let status = null;
  let done = null;
  let place = null; // in the line of those who wait for a free one
  let placing = null; // while there is no computer for the game: {isMove, since, readySince}

  const focusGame = () => byId('stage').focus({ preventScroll: true });
  const panels = new Panels();
  const screen = new Screen(byId('game'), {
    onDrawn: (frameId, t) => connection.acknowledge(frameId, t),
    onSize: (width, height) => byId('play').style.setProperty('--ratio', width / height),
  });
  const hello = { userId: settings.userId, projectId: settings.projectId, client: describeClient(window) };
  if (study) Object.defineProperty(hello, 'visit', { enumerable: true, get: study.visit });
  const connection = new Connection({
    url: settings.serverUrl,
    hello,
    tokens,
    frameId: () => screen.frameId,
  });

  // ---- what the participant does

  const held = new Held((keys, controls) => {
    if (controls.length === 0) panelControls.padReleased();
    connection.held(keys, controls);
  });
  const isOpen = () => connection.isOpen && status !== null && !isAsked();
  const keyboard = listenToKeyboard(held, isOpen);
  listenToGamepads(held, isOpen);

  function command(name) {
    if (name === 'stop') {
      askToStop();
      return;
    }
    if (name === 'start') focusGame();
    connection.command(name, name === 'start' ? describeAgent(navigator.userAgent) : {});
  }

  function askToStop() {
    const dialog = byId('ask-stop');
    held.releaseAll();
    dialog.returnValue = '';
    dialog.showModal();
    dialog.onclose = () => {
      if (dialog.returnValue === 'stop') connection.command('stop');
      focusGame();
    };
  }

  const panelControls = new Controls(held, {
    command,
    askRate: (rate) => connection.changeFrameRate(rate),
    tell: (text) => overlay.toast(text),
    say: (text) => overlay.say(text),
    focusGame,
  });

  const buttonDoes = {
    start: () => command('start'),
    hurry: () => connection.hurry(),
    connect: () => connection.start(),
    next: () => location.assign(settings.redirect),
    onwards: () => study.over(done?.reason ?? connection.phase.name),
  };

  // ---- what is shown

  /** What is waited for first is shown until the game is there: that it is being connected is no news then. */
  function phaseToShow() {
    const { name, welcomed } = connection.phase;
    const isOnTheWay = ['connecting', 'lost', 'left', 'stopping', 'expired'].includes(name) && !(name === 'lost' && welcomed);
    if (!isOnTheWay) placing = null;
    if (placing === null || performance.now() - (placing.readySince ?? Infinity) > PATIENT_MS) return connection.phase;
    return { name: placing.isMove ? 'moving' : 'placing', welcomed };
  }

  function show() {
    const phase = phaseToShow();
    const hasPlace = Boolean(study?.address());
    const scene = describe({
      phase,
      waitedS: placing === null ? 0 : (performance.now() - placing.since) / 1000,
      hasPlace,
      status,
      done,
      place,
      retryInS: connection.retryInS,
      canStart: panelControls.has('start'),
      hasRedirect: settings.redirect !== null,
      inStudy: study !== null,
    });
    panelControls.setState(connection.isOpen ? (status?.state ?? null) : null);
    if (!connection.isOpen) byId('ask-stop').close();
    overlay.show(scene);
    byId('episode').textContent = connection.isOpen ? episodeText(status) : '';
  }

  function forgetTrial() {
    status = done = null;
    screen.reset();
    panels.clear();
  }

  function welcome({ resumed, lostTrial, project, game, instructions }) {
    if (!resumed) forgetTrial();
    if (lostTrial) overlay.toast('Your earlier game could not be kept, so this is a new one.');
    if (project) byId('project').textContent = project;
    if (project && !study && place === null) document.title = project;
    titleYourTurn();
    place = null;
    if (game) byId('stage').setAttribute('aria-label', `Game: ${game}`);
    panels.setInstructions(instructions);
  }

  connection
    .on('welcome', welcome)
    .on('phase', ({ name, welcomed }) => {
      // What is still held when the connection comes back holds there, too.
      if (name === 'open' && !held.empty) connection.held(held.keys, held.controls);
      if (name === 'lost') study?.lost();
      const isMove = MOVES.has(name) && Boolean(study?.address());
      if (isMove) {
        overlay.putToastAway();
        study.over(name);
        return;
      }
      const isSaid = ['full', 'queued', 'stopping'].includes(name) || (name === 'ended' && !welcomed);
      if (isSaid) overlay.putToastAway(); // the card says it in more words
      if (name !== 'left') show();
      if (name === 'ended') study?.over(done?.reason ?? (welcomed ? 'ended' : 'unknown'));
    })
    .on('queue', (told) => {
      place = Number.isInteger(told.place) ? told.place : null;
      titleInLine(place);
      show();
    })
    .on('status', (told) => {
      status = told;
      if (told.state === 'playing') titleAsBefore();
      show();
    })
    .on('done', (told) => (done = told))
    .on('actions', (names) => panelControls.setActions(names))
    .on('ui', (names) => {
      panelControls.show(names);
      show();
    })
    .on('frame', (frame) => screen.show(frame))
    .on('frameRate', (rate) => panelControls.setFrameRate(rate))
    .on('keyMap', (keyMap) => {
      keyboard.setKeyMap(keyMap);
      panels.setKeyMap(keyMap);
    })
    .on('stepMode', (mode) => panels.setStepMode(mode))
    .on('display', (display) => panels.setDisplay(display))
    .on('score', (score) => panels.setScore(score))
    .on('budget', (budget) => panels.setBudget(budget))
    .on('images', (images) => panels.setImages(images))
    .on('instructions', (instructions) => panels.setInstructions(instructions))
    .on('receipt', (text) => study?.receipt(text))
    .on('notice', ({ text }) => overlay.toast(text))
    .on('error', (error) => {
      const text = refusalText(error);
      if (text) overlay.toast(text);
    });

  if (settings.debug) new Debug(connection, screen);
  setInterval(() => {
    if (placing !== null || connection.retryInS > 0 || connection.phase.name === 'lost') show();
  }, 250);
  const wakeUp = () => {
    if (!document.hidden) connection.hurry();
  };
  window.addEventListener('gamepadconnected', () => panels.gamepadArrived());
  window.addEventListener('online', wakeUp);
  window.addEventListener('pageshow', wakeUp);
  document.addEventListener('visibilitychange', wakeUp);

  return {
    buttonDoes,
    letGo: () => held.releaseAll(),
    get isLost() {
      return connection.phase.name === 'lost';
    },
    start() {
      forgetTrial();
      place = null;
      if (placing !== null) placing.readySince = performance.now();
      connection.start(study?.address() ?? settings.serverUrl);
      show();
    },
    wait(isMove, instructions) {
      held.releaseAll();
      if (!isMove) panels.setInstructions(instructions); // something to read
      const isAnother = placing === null || placing.isMove !== isMove;
      placing = isAnother ? { isMove, since: performance.now() } : { ...placing, readySince: undefined };
      titleWaiting();
      if (connection.phase.name !== 'left') connection.leave();
      show();
    },
    leave() {
      placing = null;
      titleAsBefore();
      held.releaseAll();
      connection.leave();
    },
  };
}
