// Where the page begins: it asks what the study is like, and then shows the study's steps, or only the game.

import { browserStorage, TokenStore } from './token.js';
import { describe } from './state/sentences.js';
import { fetchPageSettings, readSettings } from './settings.js';
import { makeGame } from './game.js';
import { Overlay } from './overlay.js';
import { Study } from './study/study.js';

const byId = (id) => document.getElementById(id);
const sentences = (problems) => problems.map(({ text }) => text).join(' ');

/** A link that must not be followed gets a sentence, and no connection. */
function refuse(problems) {
  const overlay = new Overlay({ onButton() {}, onToastClosed() {} });
  const scene = describe({ phase: { name: 'refused', welcomed: false } });
  showGame();
  overlay.show({ ...scene, text: `${sentences(problems)} ${scene.text}` });
}

function playOnly(settings) {
  const overlay = new Overlay({
    onButton: (does) => game.buttonDoes[does]?.(),
    onToastClosed: () => byId('stage').focus({ preventScroll: true }),
  });
  const tokens = new TokenStore(browserStorage(), settings.projectId, settings.userId);
  const game = makeGame(settings, { overlay, tokens });
  if (settings.problems.length) overlay.toast(sentences(settings.problems));
  showGame();
  game.start();
}

function showGame() {
  byId('play').hidden = byId('game-says').hidden = false;
}

function addStyle(href) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = href;
  document.head.append(link);
}

const pageSettings = await fetchPageSettings();
const settings = readSettings(location.href, pageSettings);
if (settings.css) addStyle(settings.css);
if (settings.problems.some((problem) => problem.fatal)) refuse(settings.problems);
else if (pageSettings.steps && !settings.elsewhere) new Study(settings).start();
else playOnly(settings);
