// What the page's address asks for, checked: a link must not be able to lead a participant to a stranger's server,
// style sheet or page.

const ID = /^[A-Za-z0-9._@-]{1,64}$/;
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1']);

/** What the server tells the page about the study (`/page-settings`). */
export async function fetchPageSettings() {
  const response = await fetch('/page-settings', { cache: 'no-cache' });
  if (!response.ok) throw new Error(`The server answered ${response.status} when asked about the study.`);
  return response.json();
}

/**
 * The page's address and the study's own settings → what this visit is to be.
 * `problems` are sentences; with `fatal` among them no connection may be made.
 */
export function readSettings(href, pageSettings) {
  const page = new URL(href);
  const asked = (name) => page.searchParams.get(name)?.trim() || null;
  const problems = [];
  const refuse = (text, fatal = false) => {
    problems.push({ text, fatal });
    return null;
  };

  const server = asked('server');
  const serverUrl = server ? allowedServer(server, page, pageSettings) : ownServer(page);
  if (!serverUrl) refuse('This link names a game server that does not belong to this study.', true);

  let userId = asked('userId');
  if (userId && !ID.test(userId)) {
    userId = refuse(
      'This link has a participant ID that cannot be used: letters, digits and . _ @ - only, at most 64 of them.',
      true,
    );
  }
  let projectId = asked('projectId') ?? pageSettings.projectId ?? null;
  if (projectId && !ID.test(projectId)) projectId = refuse('This link names a study that cannot exist.', true);
  else if (!projectId && pageSettings.api) refuse('This link does not say which study it is for.', true);

  let redirect = asked('redirect');
  if (redirect && !allowedAddress(redirect, page, pageSettings)) {
    redirect = refuse('The page that this link wants to go on to does not belong to this study, so it is left out.');
  }
  let css = asked('css');
  if (css && !allowedAddress(css, page, pageSettings)) {
    css = refuse('The style sheet that this link asks for does not belong to this study, so it is left out.');
  }
  return {
    serverUrl,
    elsewhere: server !== null, // the game of a link that names a server has no steps around it
    link: Object.fromEntries(page.searchParams),
    scripts: pageSettings.scripts === true,
    projectName: pageSettings.projectName ?? '',
    userId,
    projectId,
    api: pageSettings.api ?? null,
    rootDomain: pageSettings.rootDomain ?? null,
    dev: pageSettings.dev === true,
    redirect: redirect && allowedAddress(redirect, page, pageSettings),
    css: css && allowedAddress(css, page, pageSettings),
    debug: asked('debug') === 'true',
    problems,
  };
}

/** The game server that this page came from. */
function ownServer(page) {
  return `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/ws`;
}

/** `text` as a websocket address, if it is one that this study may talk to; else null. */
export function allowedServer(text, page, { origins, dev }) {
  const url = parsed(text);
  if (!url || !['ws:', 'wss:'].includes(url.protocol) || url.username || url.password) return null;
  const local = dev && LOCAL_HOSTS.has(url.hostname);
  // A page that came encrypted may not talk in the clear; browsers only except this very machine.
  if (page.protocol === 'https:' && url.protocol === 'ws:' && !local) return null;
  const httpOrigin = `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`;
  if (url.host !== page.host && !isListed(httpOrigin, origins) && !local) return null;
  url.hash = '';
  return url.href;
}

/** `text` as the address of a participant's own server, which has a name below the study's domain; else null. */
export function allowedPlace(text, { rootDomain, dev = false }) {
  const url = parsed(text);
  if (!url || url.username || url.password) return null;
  if (dev && LOCAL_HOSTS.has(url.hostname) && ['ws:', 'wss:'].includes(url.protocol)) return url.href;
  return url.protocol === 'wss:' && rootDomain && url.hostname.endsWith(`.${rootDomain}`) ? url.href : null;
}

/** `text` as the address of a page or file of this study's own or listed origins, else null. */
export function allowedAddress(text, page, { origins }) {
  const url = parsed(text, page.href);
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password) return null;
  return url.origin === page.origin || isListed(url.origin, origins) ? url.href : null;
}

function isListed(origin, origins) {
  return origins.some((listed) => parsed(listed)?.origin === origin);
}

function parsed(text, base = undefined) {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
