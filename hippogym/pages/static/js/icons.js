// The small pictures on buttons, drawn by hand on a grid of 24.

const PATHS = {
  __proto__: null,
  start: 'M8 5.5v13l10.5-6.5z',
  pause: 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z',
  stop: 'M6.5 6.5h11v11h-11z',
  reset: 'M12 5a7 7 0 1 1-6.6 4.7l1.9.7A5 5 0 1 0 12 7v3L7.5 6 12 2z',
  good: 'M4 10.5h3.5V20H4zM9 20V10l3.6-6.5c1.5 0 2.4 1.2 2 2.7L14 9h4.6c1.2 0 2 1.1 1.7 2.2l-1.9 7.2c-.2 1-1 1.6-2 1.6z',
  arrow: 'M12 4.5l7 8h-4.5v7h-5v-7H5z',
  fire: 'M12 6a6 6 0 1 1 0 12 6 6 0 0 1 0-12z',
};
PATHS.bad = PATHS.good;

const TURNS = {
  __proto__: null,
  bad: 180,
  rightUp: 45,
  right: 90,
  rightDown: 135,
  down: 180,
  leftDown: 225,
  left: 270,
  leftUp: 315,
};

const ARROWS = new Set(['up', 'rightUp', 'right', 'rightDown', 'down', 'leftDown', 'left', 'leftUp']);

/** The picture for a control's name, or null where it has none. */
export function icon(name) {
  const shape = PATHS[ARROWS.has(name) ? 'arrow' : name];
  if (!shape) return null;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  path.setAttribute('d', shape);
  if (TURNS[name]) path.setAttribute('transform', `rotate(${TURNS[name]} 12 12)`);
  svg.append(path);
  return svg;
}
