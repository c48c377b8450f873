// The page of the game: makes the parts and ties them together.

import { browserStorage, TokenStore } from './token.js';
import { describeAgent, describeClient } from './client.js';
import { Connection } from './connection.js';
import { Controls } from './controls.js';
import { Debug } from './debug.js';
import { describe, episodeText, refusalText } from './state/sentences.js';
import { fetchPageSettings, readSettings } from './settings.js';
import { Held } from './held.js';
import { listenToGamepads } from './gamepad.js';
import { listenToKeyboard } from './keyboard.js';
import { Overlay } from './overlay.js';
import { Panels } from './panels.js';
import { Screen } from './screen.js';

const byId = (id) => document.getElementById(id);

function visit(settings) {
  let status = null;
  let done = null;

  const focusGame = () => byId('stage').focus({ preventScroll: true });
  const overlay = new Overlay({ onButton: (does) => buttonDoes[does]?.(), onToastClosed: focusGame });
  const panels = new Panels();
  const screen = new Screen(byId('game'), {
    onDrawn: (frameId, t) => connection.acknowledge(frameId, t),
    onSize: (width, height) => byId('play').style.setProperty('--ratio', width / height),
  });
  const connection = new Connection({
    url: settings.serverUrl,
    hello: { userId: settings.userId, projectId: settings.projectId, client: describeClient(window) },
    tokens: new TokenStore(browserStorage(), settings.projectId, settings.userId),
    frameId: () => screen.frameId,
  });

  // ---- what the participant does

  const held = new Held((keys, controls) => {
    if (controls.length === 0) panelControls.padReleased();
    connection.held(keys, controls);
  });
  const isOpen = () => connection.isOpen && status !== null && !byId('ask-stop').open;
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
  };

  // ---- what is shown

  function show() {
    const scene = describe({
      phase: connection.phase,
      status,
      done,
      retryInS: connection.retryInS,
      canStart: panelControls.has('start'),
      hasRedirect: settings.redirect !== null,
    });
    panelControls.setState(connection.isOpen ? (status?.state ?? null) : null);
    if (!connection.isOpen) byId('ask-stop').close();
    overlay.show(scene);
    byId('episode').textContent = connection.isOpen ? episodeText(status) : '';
  }

  function welcome({ resumed, lostTrial, project, game, instructions }) {
    if (!resumed) {
      status = done = null;
      screen.reset();
      panels.clear();
    }
    if (lostTrial) overlay.toast('Your earlier game could not be kept, so this is a new one.');
    if (project) document.title = byId('project').textContent = project;
    if (game) byId('stage').setAttribute('aria-label', `Game: ${game}`);
    panels.setInstructions(instructions);
  }

  connection
    .on('welcome', welcome)
    .on('phase', ({ name }) => {
      // What is still held when the connection comes back holds there, too.
      if (name === 'open' && !held.empty) connection.held(held.keys, held.controls);
      if (name === 'full' || name === 'stopping') overlay.putToastAway(); // the card says it in more words
      show();
    })
    .on('status', (told) => {
      status = told;
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
    .on('notice', ({ text }) => overlay.toast(text))
    .on('error', (error) => {
      const text = refusalText(error);
      if (text) overlay.toast(text);
    });

  if (settings.debug) new Debug(connection, screen);
  if (settings.problems.length) overlay.toast(sentences(settings.problems));
  setInterval(() => {
    if (connection.phase.name === 'lost') show();
  }, 250);
  const wakeUp = () => {
    if (!document.hidden) connection.hurry();
  };
  window.addEventListener('gamepadconnected', () => panels.gamepadArrived());
  window.addEventListener('online', wakeUp);
  window.addEventListener('pageshow', wakeUp);
  document.addEventListener('visibilitychange', wakeUp);

  show();
  connection.start();
}

/** A link that must not be followed gets a sentence, and no connection. */
function refuse(problems) {
  const overlay = new Overlay({ onButton() {}, onToastClosed() {} });
  const scene = describe({ phase: { name: 'refused', welcomed: false } });
  overlay.show({ ...scene, text: `${sentences(problems)} ${scene.text}` });
}

const sentences = (problems) => problems.map(({ text }) => text).join(' ');

function addStyle(href) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = href;
  document.head.append(link);
}

const settings = readSettings(location.href, await fetchPageSettings());
if (settings.css) addStyle(settings.css);
if (settings.problems.some((problem) => problem.fatal)) refuse(settings.problems);
else visit(settings);
