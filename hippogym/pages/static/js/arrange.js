// Which control goes where. Pure: the names that the study lists → rows and groups of names.

import { actionName } from './keynames.js';

const PAD = [
  ['leftUp', 'up', 'rightUp'],
  ['left', 'fire', 'right'],
  ['leftDown', 'down', 'rightDown'],
];
const GROUPS = [
  ['start', 'pause', 'reset', 'stop'],
  ['good', 'bad'],
  ['trainOnline', 'trainOffline'],
];
const RATE = ['fpsDown', 'fpsSet', 'fpsUp'];
const NEVER_SHOWN = ['requestUI'];

const LABELS = {
  __proto__: null, // a study may call its button anything, also `constructor`
  leftUp: 'Up and left',
  rightUp: 'Up and right',
  leftDown: 'Down and left',
  rightDown: 'Down and right',
  trainOnline: 'Train online',
  trainOffline: 'Train offline',
  fpsDown: 'Slower',
  fpsUp: 'Faster',
};

/**
 * pad: rows of three, null where a place stays empty; rows without any control are left out.
 * more: what else is an action of the environment (`actions` names them all); held like the pad's.
 * groups: the command buttons, in the order people look for them; the study's own come last, in their own order.
 * rate: the parts of the frame-rate control.
 */
export function arrange(names, actions = []) {
  const wanted = new Set(names.filter((name) => typeof name === 'string' && name.trim() !== ''));
  const pad = PAD.map((row) => row.map((name) => (wanted.has(name) ? name : null)));
  const known = new Set([...PAD.flat(), ...GROUPS.flat(), ...RATE, ...NEVER_SHOWN]);
  const own = [...wanted].filter((name) => !known.has(name));
  const isAction = (name) => actions.some((action) => action.toLowerCase() === name.toLowerCase());
  const commands = own.filter((name) => !isAction(name));
  const groups = [...GROUPS.map((group) => group.filter((name) => wanted.has(name))), commands];
  return {
    pad: pad.filter((row) => row.some(Boolean)),
    more: own.filter(isAction),
    groups: groups.filter((group) => group.length > 0),
    rate: RATE.filter((name) => wanted.has(name)),
  };
}

/** What is written on a control, or said of it. A study's own name is kept as it is, beginning with a capital. */
export function controlLabel(name) {
  return LABELS[name] ?? (PAD.flat().includes(name) ? actionName(name) : name[0].toUpperCase() + name.slice(1));
}

/** Whether a command can be given: `state` is the trial's, null while nobody listens. */
export function isPossible(name, state) {
  if (name === 'start') return state === 'waiting' || state === 'paused';
  if (name === 'pause') return state === 'playing';
  return ['waiting', 'playing', 'paused'].includes(state);
}
