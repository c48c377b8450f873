// What this browser keeps of a visit, and under which name.

const LABELS = ['PROLIFIC_PID', 'workerId', 'survey_code', 'id', 'userId'];

/** The browser's storage of this tab, or null where asking for it is already refused. */
export function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

/**
 * The name under which the right to come back is kept: one for each person that links speak of, as several may use this
 * browser, and another for the researcher's previews.
 */
export function visitKey(link) {
  const name = LABELS.find((label) => link[label]);
  const who = name ? `${name}=${link[name]}` : '';
  const isPreview = 'preview' in link && !['false', '0', 'no'].includes(link.preview.toLowerCase());
  return `visit:${isPreview ? 'preview:' : ''}${who}`;
}

/** Does something in one tab of this browser after the other, where the browser can promise that. */
export function oneAtATime(name, does) {
  return navigator.locks ? navigator.locks.request(name, does) : does();
}
