// A sentence and a next step for every state that a participant can find the page in. Pure: what is known → what to say.

const LABELS = {
  connecting: 'Connecting',
  unreachable: 'Connecting',
  lost: 'Reconnecting',
  expired: 'Connection lost',
  replaced: 'Open elsewhere',
  full: 'Full',
  queued: 'Waiting',
  placing: 'Preparing',
  moving: 'Moving',
  stopping: 'Stopped',
  failed: 'Stopped',
  ended: 'Ended',
  refused: 'Not started',
  starting: 'Starting',
  waiting: 'Ready',
  playing: 'Playing',
  paused: 'Paused',
};

/**
 * What to show over the game.
 *
 * phase: of the connection. status, done: as the server last told, or null. retryInS: seconds to the next attempt.
 * place: in the line of those who wait, or null. canStart: whether this study shows Start. hasRedirect: whether there is
 * a page to go on to. inStudy: whether the game is a step of a study, which goes on by itself. waitedS: for a computer of
 * one's own to play on; hasPlace: whether there is one.
 * Returns {name, label, title, text, wait, button: {label, does} | null, busy}. An empty title means: show the game.
 * `wait` is the part of the text that changes by the second, and so is not to be read out.
 */
export function describe({ phase, inStudy = false, ...known }) {
  const facts = { welcomed: phase.welcomed, status: null, done: null, place: null, retryInS: 0, canStart: true, hasRedirect: false, waitedS: 0, hasPlace: false, ...known };
  if (facts.status?.onHold) facts.canStart = false; // the researcher has paused the game: only they can let it go on
  const name = stateName(phase, facts.status);
  const said = (inStudy && IN_A_STUDY[name] ? IN_A_STUDY : SCENES)[name](facts);
  return { name, label: LABELS[name], title: '', text: '', wait: '', button: null, busy: false, ...said };
}

function stateName(phase, status) {
  if (phase.name === 'lost') return phase.welcomed ? 'lost' : 'unreachable';
  if (phase.name !== 'open') return phase.name;
  return status && SCENES[status.state] ? status.state : 'starting';
}

const SCENES = {
  __proto__: null,

  connecting: () => ({ title: 'Connecting…', busy: true }),

  unreachable: ({ retryInS }) => ({
    title: 'Connecting takes longer than usual',
    text: 'The game cannot be reached yet. Please check that you are online; this page keeps trying.',
    wait: waitText(retryInS),
    button: { label: 'Try now', does: 'hurry' },
    busy: true,
  }),

  lost: ({ retryInS }) => ({
    title: 'The connection was lost',
    text: 'Your game waits for you and goes on where it was.',
    wait: waitText(retryInS),
    button: { label: 'Try now', does: 'hurry' },
    busy: true,
  }),

  expired: () => ({
    title: 'The connection was lost for too long',
    text: 'Your game could not be kept any longer. You can begin a new one.',
    button: { label: 'Start a new game', does: 'connect' },
  }),

  replaced: () => ({
    title: 'The game is open in another tab or window',
    text: 'You can go on there, or bring the game back to this page.',
    button: { label: 'Play here instead', does: 'connect' },
  }),

  queued: ({ place }) => ({
    title: place === 1 ? 'You are next' : place ? `You are number ${place} in line` : 'You are in line',
    text: 'All places are taken at the moment. Your game starts by itself when it is your turn: just keep this page open.',
    busy: true,
  }),

  full: ({ retryInS }) => ({
    title: 'All places are taken',
    text: 'Very many people want to play at the moment. Keep this page open: it asks again by itself.',
    wait: waitText(retryInS),
    button: { label: 'Try now', does: 'hurry' },
    busy: true,
  }),

  stopping: ({ done }) => ({
    title: 'The server is stopping',
    text:
      (done?.text ?? '').replace(/^The server is stopping\.\s*/, '') || // which the title says
      'Your game has ended, and everything up to here is kept. Please tell the researcher.',
    button: { label: 'Try again', does: 'connect' },
  }),

  failed: ({ status, done, hasRedirect }) => ({
    title: 'The game had to stop',
    text: withNext(
      done?.text || (status?.state === 'failed' && status.text) || 'Something went wrong in the game; it was not your doing.',
      hasRedirect,
      'Please tell the researcher.',
    ),
    button: nextButton(hasRedirect),
  }),

  ended: ({ status, done, hasRedirect }) => ({
    title: done?.reason === 'stopped' ? 'You ended the game' : 'The game is over',
    text: withNext(
      done?.text || (status?.state === 'ended' && status.text) || 'Thank you for playing.',
      hasRedirect,
      'You can close this page.',
    ),
    button: nextButton(hasRedirect),
  }),

  refused: () => ({
    title: 'This link does not work',
    text: 'Please ask the researcher for a new one.',
  }),

  starting: ({ status }) => ({
    title: 'Getting the game ready…',
    text: status?.text ?? '',
    busy: true,
  }),

  waiting: ({ status, canStart }) => ({
    title: canStart ? 'Ready when you are' : 'The game is about to begin',
    text: status.text || (canStart ? 'Press Start to begin.' : ''),
    button: canStart ? { label: 'Start', does: 'start' } : null,
  }),

  playing: ({ status }) => ({ text: status.text ?? '' }),

  paused: ({ status, canStart }) => ({
    title: 'Paused',
    text: status.text || (canStart ? 'Press Resume to go on.' : ''),
    button: canStart ? { label: 'Resume', does: 'start' } : null,
  }),
};

const LONG_S = 180; // after which it is no longer as usual

/** Where there is a way to go on, an end of the game is not the end; and which step it is, the study has to be asked. */
const IN_A_STUDY = {
  __proto__: null,

  placing: ({ waitedS }) => ({
    title: 'Your game is being prepared',
    text:
      waitedS < LONG_S
        ? 'A computer is being started just for you. This usually takes one or two minutes. The game then opens by itself, so you only need to keep this page open.'
        : 'This takes longer than usual today. You have not lost anything, and there is nothing that you need to do: please keep this page open.',
    wait: waitedText(waitedS),
    busy: true,
  }),

  moving: ({ waitedS }) => ({
    title: 'Your game is being moved',
    text:
      waitedS < LONG_S
        ? 'The computer that it ran on is not available any more, so it goes on on another one. This usually takes one or two minutes. What you did is kept, and the game comes back by itself.'
        : 'This takes longer than usual today. What you did is kept, and there is nothing that you need to do: please keep this page open.',
    wait: waitedText(waitedS),
    busy: true,
  }),

  unreachable: (facts) => ({
    ...SCENES.unreachable(facts),
    ...(facts.hasPlace && {
      title: 'Your game cannot be reached from here',
      text: 'It is ready, and this page keeps trying. The networks of some companies and schools let no games through: if you can, please try another one.',
    }),
  }),

  replaced: () => ({ ...SCENES.replaced(), button: { label: 'Go on here instead', does: 'onwards' } }),

  ended: ({ welcomed, done }) => ({
    title: !welcomed ? 'One moment…' : done?.reason === 'stopped' ? 'You ended the game' : 'The game is over',
    text: welcomed ? 'Thank you for playing. The study goes on in a moment.' : '',
    busy: true,
  }),

  failed: () => ({
    title: 'The game had to stop',
    text: 'Something went wrong in the game. It was not your doing, and what you did has been kept.',
    button: { label: 'Go on', does: 'onwards' },
  }),

  expired: () => ({
    title: 'The connection was lost for too long',
    text: 'The game could not wait any longer. What you did has been kept, and the study goes on.',
    button: { label: 'Go on', does: 'onwards' },
  }),

  stopping: () => ({
    title: 'The study takes a short break',
    text: 'The server is stopping. What you did has been kept. Please try again in a few minutes.',
    button: { label: 'Try again', does: 'onwards' },
  }),
};

function waitText(retryInS) {
  return retryInS > 0 ? `Trying again in ${retryInS} s.` : 'Trying now…';
}

function waitedText(waitedS) {
  const minutes = Math.floor(waitedS / 60);
  const seconds = `${Math.floor(waitedS % 60)} s`;
  return `You have waited for ${minutes > 0 ? `${minutes} min ${seconds}` : seconds}.`;
}

function nextButton(hasRedirect) {
  return hasRedirect ? { label: 'Next', does: 'next' } : null;
}

/** A next step for those who have no Next button, unless the server's own words already say it. */
function withNext(text, hasRedirect, nextStep) {
  return hasRedirect || text.includes(nextStep.slice(0, -1)) ? text : `${text} ${nextStep}`;
}

/** The answer to something refused, where the participant can do something about it; else empty. */
export function refusalText({ code, expected }) {
  switch (code) {
    case 'out_of_range':
      return `That speed is not possible here${expected ? `: ${expected}` : ''}.`;
    case 'not_allowed':
      return 'The speed cannot be changed in this study.';
    case 'too_many':
      return 'That was a little fast: some key presses were left out.';
    default:
      return '';
  }
}

/** `Episode 2 of 20`; without a number where there is nothing to count. */
export function episodeText(status) {
  if (!status?.episode) return '';
  return status.episodes ? `Episode ${status.episode} of ${status.episodes}` : `Episode ${status.episode}`;
}
