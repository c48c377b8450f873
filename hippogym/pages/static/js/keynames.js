// What keys and actions are called when speaking to a person.

const NAMES = {
  __proto__: null,
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Space: 'Space',
  Escape: 'Esc',
  ControlLeft: 'Left Ctrl',
  ControlRight: 'Right Ctrl',
  ShiftLeft: 'Left Shift',
  ShiftRight: 'Right Shift',
  AltLeft: 'Left Alt',
  AltRight: 'Right Alt',
  NumpadEnter: 'Numpad Enter',
  Minus: '-',
  Equal: '=',
  Comma: ',',
  Period: '.',
  Slash: '/',
  Semicolon: ';',
  Quote: "'",
  BracketLeft: '[',
  BracketRight: ']',
  PadUp: 'Gamepad ↑',
  PadDown: 'Gamepad ↓',
  PadLeft: 'Gamepad ←',
  PadRight: 'Gamepad →',
  PadA: 'Gamepad A',
  PadB: 'Gamepad B',
};

/**
 * The name of a key. `layout` maps a code to what is printed on this person's keyboard (`KeyW` is a Z in France); where
 * the browser does not tell, the letters of an English keyboard are used.
 */
export function keyName(code, layout = null) {
  if (NAMES[code]) return NAMES[code];
  const printed = layout?.get(code);
  if (printed) return printed.toUpperCase();
  if (/^(Key[A-Z]|Digit\d)$/.test(code)) return code.slice(-1);
  if (/^Numpad\d$/.test(code)) return `Numpad ${code.slice(-1)}`;
  return spaced(code);
}

/** What is on the keyboards of blind participants' screen readers is spoken better as a word than as an arrow. */
export function spokenKeyName(code, layout = null) {
  const arrows = { '↑': 'up arrow', '↓': 'down arrow', '←': 'left arrow', '→': 'right arrow' };
  return keyName(code, layout).replace(/[↑↓←→]/g, (arrow) => arrows[arrow]);
}

const isPad = (code) => /^Pad[A-Z]/.test(code);

/** The name of an action or of a study's own button, as a label: `main_engine` → `Main engine`, `upright` → `Up and right`. */
export function actionName(name) {
  if (name === 'noop') return 'Do nothing';
  const words = together(name) ?? spaced(name.replaceAll('_', ' ')).trim();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
}

/** Several directions, or one with fire, written as one word; null for any other name. */
function together(name) {
  const joined = name.toLowerCase().replaceAll('_', '');
  const parts = joined.match(/up|down|left|right|fire/g) ?? [];
  if (parts.length < 2 || parts.join('') !== joined) return null;
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

function spaced(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`);
}

/**
 * The lines of the key map that need a key, those of one key first, those of several keys at once after them. The keys of
 * a gamepad are named only to those who have one in their hands.
 */
export function legendLines(keyMap, hasGamepad = false) {
  const single = [];
  const combined = [];
  for (const { action, keys } of keyMap) {
    const pressed = keys.filter((combination) => combination.length > 0 && (hasGamepad || !combination.some(isPad)));
    const alone = pressed.filter((combination) => combination.length === 1);
    const together = pressed.filter((combination) => combination.length > 1);
    if (alone.length) single.push({ action, keys: alone });
    if (together.length) combined.push({ action, keys: together });
  }
  return { single, combined };
}
