// A gamepad, if one is there: the cross or the left stick, and two buttons, as keys of their own.

const STICK_FROM = 0.5;
const BUTTONS = [
  [12, 'PadUp'],
  [13, 'PadDown'],
  [14, 'PadLeft'],
  [15, 'PadRight'],
  [0, 'PadA'],
  [1, 'PadB'],
];

/** What is held on one gamepad, as key codes. */
export function padCodes({ buttons, axes }) {
  const codes = new Set(BUTTONS.filter(([index]) => buttons[index]?.pressed).map(([, code]) => code));
  const [x = 0, y = 0] = axes;
  if (x <= -STICK_FROM) codes.add('PadLeft');
  if (x >= STICK_FROM) codes.add('PadRight');
  if (y <= -STICK_FROM) codes.add('PadUp');
  if (y >= STICK_FROM) codes.add('PadDown');
  return codes;
}

/** Looks at the gamepads at each repaint, as long as one is connected; gamepads send no events of their own. */
export function listenToGamepads(held, isOpen) {
  let before = new Set();
  let polling = false;

  function look() {
    const pads = [...navigator.getGamepads()].filter((pad) => pad?.connected);
    const now = new Set(isOpen() && document.hasFocus() ? pads.flatMap((pad) => [...padCodes(pad)]) : []);
    for (const code of now) if (!before.has(code)) held.pressKey(code);
    for (const code of before) if (!now.has(code)) held.releaseKey(code);
    before = now;
    polling = pads.length > 0;
    if (polling) requestAnimationFrame(look);
  }

  window.addEventListener('gamepadconnected', () => {
    if (polling) return;
    polling = true;
    requestAnimationFrame(look);
  });
}
