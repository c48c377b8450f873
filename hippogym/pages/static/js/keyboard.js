// The keyboard: which keys are the game's, and when. Only keys that the key map names are taken, by their place on the
// keyboard (`event.code`); everything else stays the browser's.

const TYPING = new Set(['INPUT', 'SELECT', 'TEXTAREA']);
const PRESSABLE = new Set(['BUTTON', 'A', 'SUMMARY']);
const PRESS_KEYS = new Set(['Space', 'Enter', 'NumpadEnter']);
const MODIFIERS = {
  ctrlKey: ['ControlLeft', 'ControlRight'],
  metaKey: ['MetaLeft', 'MetaRight'],
  altKey: ['AltLeft', 'AltRight'],
};

/** Every key that some line of the key map names. */
export function codesOf(keyMap) {
  return new Set(keyMap.flatMap((line) => line.keys.flat()));
}

/** Whether a key that goes down belongs to the game: `codes` are the game's keys. */
export function isForTheGame(event, codes) {
  if (!codes.has(event.code) || event.isComposing) return false;
  for (const [flag, itsCodes] of Object.entries(MODIFIERS)) {
    // With Ctrl, Alt or Meta down it is a shortcut of the browser, unless that key itself is one of the game's.
    if (event[flag] && !itsCodes.some((code) => codes.has(code))) return false;
  }
  const { tagName, isContentEditable } = event.target ?? {};
  if (TYPING.has(tagName) || isContentEditable) return false;
  // A focused button is pressed with Space and Enter, whatever else they mean.
  return !(PRESSABLE.has(tagName) && PRESS_KEYS.has(event.code));
}

/** Listens on `window` and tells `held`; `isOpen()` says whether there is a game to play now. */
export function listenToKeyboard(held, isOpen) {
  let codes = new Set();

  window.addEventListener('keydown', (event) => {
    // (Filling in a form by the browser is told as a key without a code.) A Mac does not tell which keys go up while Meta is down.
    if (event.code?.startsWith('Meta')) held.releaseAll();
    if (!isOpen() || !isForTheGame(event, codes)) return;
    event.preventDefault();
    if (!event.repeat) held.pressKey(event.code);
  });

  window.addEventListener('keyup', (event) => held.releaseKey(event.code));

  // A button that is held down with Enter would otherwise be pressed thirty times a second.
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.repeat && event.target.tagName === 'BUTTON' && PRESS_KEYS.has(event.code)) event.preventDefault();
    },
    { capture: true },
  );

  const letGo = () => held.releaseAll();
  window.addEventListener('blur', letGo);
  window.addEventListener('pagehide', letGo);
  document.addEventListener('visibilitychange', letGo);

  return {
    setKeyMap(keyMap) {
      codes = codesOf(keyMap);
    },
  };
}
