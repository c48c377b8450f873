// The dashboard: puts the parts together. The server pushes what changes; nothing here asks for it.

import { Answers } from './answers.js';
import { byId, setAttribute, setText } from './dom.js';
import { Link, Token, tokenIn } from './link.js';
import { Mirror } from './mirror.js';
import { People } from './people.js';
import { Happened, Server } from './server.js';
import { Desk } from './state.js';
import { Tiles } from './tiles.js';
import { Way } from './way.js';

const REFUSED = {
  4401: 'This link is not valid any more: the server makes a new one each time it starts, and prints it. Paste that one here.',
  4429: 'Too many tries from here. Wait a minute, then try again.',
  4008: 'Too many dashboards are open. Close one, then try again.',
};
const LINK_STATES = { connecting: ['waiting', 'Connecting'], live: ['playing', 'Live'], lost: ['lost', 'Connection lost'] };

const token = new Token();
const desk = new Desk();
const link = new Link(token, { state: showLink, refused, message, frame: (buffer) => mirror.take(buffer) });
const mirror = new Mirror(link, () => showPeople());
const people = new People((trial) => {
  mirror.open(trial);
  mirror.show(desk);
  showPeople();
});
const tiles = new Tiles();
const way = new Way();
const answers = new Answers();
const server = new Server();
const happened = new Happened();

function message(told) {
  if (told.over) {
    mirror.over(told.over);
    return;
  }
  const changed = desk.take(told);
  if (changed.has('hello')) {
    showHello();
    mirror.watch(true);
  }
  showPeople();
  tiles.show(desk);
  mirror.show(desk);
  if (changed.has('study')) {
    way.show(desk.study);
    answers.show(desk.study);
  }
  if (changed.has('machine')) server.show(desk.machine);
  if (changed.has('happened')) happened.show(desk.happened);
}

function showHello() {
  byId('door').hidden = true;
  byId('desk').hidden = false;
  setText(byId('project'), desk.hello.project || 'HIPPO Gym');
  document.title = `${desk.hello.project || 'HIPPO Gym'} · dashboard`;
  for (const element of document.querySelectorAll('[data-steps]')) element.hidden = !desk.hello.steps;
}

function showPeople() {
  people.show(desk, byId('people-sort').value, byId('people-filter').value, mirror.trial);
}

function showLink(state) {
  const [dot, text] = LINK_STATES[state];
  setAttribute(byId('link'), 'data-state', dot);
  setText(byId('link'), text);
  byId('desk').classList.toggle('stale', state === 'lost');
}

function refused(code) {
  if (code === 4401) token.clear();
  showDoor(REFUSED[code]);
}

function showDoor(text) {
  byId('desk').hidden = true;
  byId('door').hidden = false;
  setAttribute(byId('link'), 'data-state', 'waiting');
  setText(byId('link'), 'Closed');
  if (text) setText(byId('door-text'), text);
  byId('door-token').focus();
}

byId('door-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const found = tokenIn(byId('door-token').value);
  if (!found) {
    setText(byId('door-text'), 'That is neither a dashboard’s link nor its token. The server prints the link when it starts.');
    return;
  }
  byId('door-token').value = '';
  token.set(found);
  setText(byId('link'), 'Connecting');
  link.open();
});
byId('people-sort').addEventListener('change', showPeople);
byId('people-filter').addEventListener('input', showPeople);
addEventListener('online', () => link.hurry());
addEventListener('hashchange', () => {
  if (tokenIn(location.hash)) location.reload(); // a new link, pasted over the old one
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) link.hurry();
});

if (token.value) link.open();
else showDoor();
