// What the study's page says besides the steps. Pure: what is known → sentences.

export const SENTENCES = {
  arriving: 'The study cannot be reached yet. Please check that you are online; this page keeps trying.',
  sending: 'Saving your answers…',
  unsent: 'Your answers could not be saved yet. They are kept on this page, which keeps trying. Please leave it open.',
  unreachable: 'The connection was lost. This page keeps trying, and goes on by itself.',
  leaving: 'The study cannot be reached at the moment. This page keeps trying to tell it that you leave.',
  welcomeBack: 'Welcome back. You go on where you were.',
  repeated: 'This page had been answered already, so this is where you are now.',
  refused: 'The server did not take this. Please reload the page; what you have typed is kept.',
  unreadableFile: 'The file that you chose cannot be read any more. Please choose it again.',
  openElsewhere: 'The study is open in another window or on another device',
  waitsForIt: 'Please go on there. If that is not possible, leave this page open: within two minutes it lets you begin here.',

  strangeServer: 'The study has named a game server that does not belong to it. Please tell the researcher.',

  filesAgain: (names) =>
    `Please choose ${names.length === 1 ? 'this file' : 'these files'} again: ${names.join(', ')}. Files cannot be kept when a page is reloaded.`,

  no: ({ status, code, text }) => ({
    title: TITLES[code] ?? TITLES[status] ?? 'This does not work at the moment',
    text: text || 'Please reload the page. If that does not help, please tell the researcher.',
  }),
};

const TITLES = {
  __proto__: null,
  done: 'You have already taken part',
  401: 'This visit is over',
  403: 'This link cannot be used',
  404: 'This study is not there',
  413: 'That is too large',
};

/** Whether a no concerns the whole visit, and not what was just asked. */
export function isAboutTheVisit({ status }) {
  return [401, 403, 404].includes(status);
}

/** `Step 2 of 6`; empty where there is no way to speak of. */
export function wayText({ kind, step, of }) {
  return kind === 'end' || !step || !(of > 1) ? '' : `Step ${step} of ${of}`;
}
