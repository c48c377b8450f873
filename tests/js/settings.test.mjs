import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedPlace, readSettings } from '../../hippogym/pages/static/js/settings.js';

const STUDY = { projectId: 'pacman', projectName: 'Pac-Man', origins: ['https://lab.example', 'http://old.example:8080'], dev: false };
const PAGE = 'https://study.example:5000/';
const read = (query, { page = PAGE, ...study } = {}) =>
  readSettings(page + (query ? `?${new URLSearchParams(query)}` : ''), { ...STUDY, ...study });
const isFatal = ({ problems }) => problems.some((problem) => problem.fatal);

test('without parameters the page talks to where it came from', () => {
  assert.deepEqual(read(null), {
    serverUrl: 'wss://study.example:5000/ws',
    userId: null,
    projectId: 'pacman',
    redirect: null,
    css: null,
    debug: false,
    elsewhere: false,
    link: {},
    scripts: false,
    projectName: 'Pac-Man',
    api: null,
    rootDomain: null,
    dev: false,
    problems: [],
  });
  assert.equal(read(null, { page: 'http://127.0.0.1:5000/' }).serverUrl, 'ws://127.0.0.1:5000/ws');
});

test('everything that the link carries is there for the study to recognise', () => {
  const { link, elsewhere } = read({ PROLIFIC_PID: '5f', STUDY_ID: 's', preview: '', __proto__: 'x' });
  assert.deepEqual({ ...link }, { PROLIFIC_PID: '5f', STUDY_ID: 's', preview: '' });
  assert.equal(elsewhere, false);
  assert.equal(read({ server: 'wss://lab.example/any/path' }).elsewhere, true);
});

test('a server of this study is accepted', () => {
  for (const server of ['wss://study.example:5000/ws', 'wss://lab.example/any/path', 'wss://lab.example:443']) {
    const settings = read({ server });
    assert.equal(settings.serverUrl, new URL(server).href, server);
    assert.ok(!isFatal(settings));
  }
  const inTheClear = read({ server: 'ws://old.example:8080/' }, { page: 'http://study.example/' });
  assert.equal(inTheClear.serverUrl, 'ws://old.example:8080/');
});

const STRANGE_SERVERS = [
  'wss://evil.example',
  'wss://study.example',
  'wss://study.example:5001',
  'wss://study.example:5000@evil.example',
  'wss://study.example:5000.evil.example',
  'wss://user:password@lab.example',
  'wss://lab.example.evil.example',
  'wss://evil-lab.example',
  'wss://lab.example:444',
  'ws://lab.example',
  'ws://study.example:5000',
  'https://lab.example',
  'javascript:alert(1)',
  'lab.example',
  '//lab.example',
  'wss://',
  'ws://localhost:5000',
  'ws://127.0.0.1:5000',
];
for (const server of STRANGE_SERVERS) {
  test(`a stranger's server is refused: ${server}`, () => {
    const settings = read({ server });
    assert.equal(settings.serverUrl, null);
    assert.ok(isFatal(settings), 'no connection may be made');
    assert.match(settings.problems[0].text, /^[A-Z].*\.$/, 'a sentence');
  });
}

test('in development this machine is welcome, and only there', () => {
  for (const server of ['ws://localhost:1234/', 'ws://127.0.0.1:5000/', 'wss://localhost/']) {
    assert.equal(read({ server }, { dev: true }).serverUrl, server);
    assert.ok(isFatal(read({ server })));
  }
  assert.ok(isFatal(read({ server: 'ws://localhost.evil.example' }, { dev: true })));
});

for (const name of ['redirect', 'css']) {
  test(`${name} leads only to the study's own addresses`, () => {
    assert.equal(read({ [name]: '/next' })[name], 'https://study.example:5000/next');
    assert.equal(read({ [name]: 'https://lab.example/a?b=c' })[name], 'https://lab.example/a?b=c');
    const strange = ['https://evil.example/', '//evil.example', 'javascript:alert(1)', 'data:text/css,a{}', 'https:\\\\evil.example'];
    strange.push('http://study.example:5000/', 'blob:https://study.example:5000/x', 'https://lab.example@evil.example', '\tjavascript:alert(1)');
    for (const address of strange) {
      const settings = read({ [name]: address });
      assert.equal(settings[name], null, address);
      assert.equal(settings.problems.length, 1, address);
      assert.ok(!isFatal(settings), 'the game can be played all the same');
    }
  });
}

test('an ID is a label, and anything else is refused before it is sent', () => {
  for (const userId of ['p-17', 'a.b_c@d-e', 'x'.repeat(64)]) assert.equal(read({ userId }).userId, userId);
  for (const userId of ['../../etc', 'a b', 'x'.repeat(65), '<b>', 'ä']) assert.ok(isFatal(read({ userId })), userId);
  assert.equal(read({ userId: '' }).userId, null);
  assert.equal(read({ projectId: 'other' }).projectId, 'other');
  assert.ok(isFatal(read({ projectId: '../x' })));
});

test('debug is exactly true', () => {
  assert.equal(read({ debug: 'true' }).debug, true);
  for (const debug of ['1', 'TRUE', 'yes', '']) assert.equal(read({ debug }).debug, false, debug);
});

test('a page for all studies of a lab needs a link that says which one', () => {
  const lab = { projectId: undefined, api: 'https://api.example' };
  assert.ok(isFatal(read(null, lab)));
  const settings = read({ projectId: 'pilot' }, lab);
  assert.deepEqual([settings.projectId, settings.api, isFatal(settings)], ['pilot', 'https://api.example', false]);
});

test('a game is only played at a server of the lab', () => {
  const lab = { rootDomain: 'lab.example' };
  assert.ok(allowedPlace('wss://0123.lab.example:5000', lab));
  for (const other of ['wss://lab.example.evil.example:5000', 'wss://evillab.example', 'ws://0123.lab.example:5000', 'x', null]) {
    assert.equal(allowedPlace(other, lab), null, String(other));
  }
  assert.equal(allowedPlace('wss://u:p@0123.lab.example', lab), null);
  assert.equal(allowedPlace('ws://127.0.0.1:5000', lab), null);
  assert.ok(allowedPlace('ws://127.0.0.1:5000', { ...lab, dev: true }));
  assert.equal(allowedPlace('wss://0123.lab.example', {}), null);
});
