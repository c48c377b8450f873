// Plots as SVG, drawn by hand: a line, bars, a histogram. The numbers are worked out apart from the drawing.

import { draw, make, setAttribute } from './dom.js';

/** The path of a line through values (null: a gap) in a box of so many units; `top` is the value at its upper edge. */
export function linePath(values, width, height, top, bottom = 0) {
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const span = top - bottom || 1;
  let path = '';
  let pen = 'M';
  values.forEach((value, index) => {
    if (value === null || value === undefined) {
      pen = 'M';
      return;
    }
    const y = height - (height * (Math.min(Math.max(value, bottom), top) - bottom)) / span;
    path += `${pen}${round(index * step)} ${round(y)}`;
    pen = 'L';
  });
  return path;
}

/** The next number of the kind 1, 2, 5, 10, … that is not below `value`. */
export function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value * 0.9999);
}

/** Values counted into at most `most` bins of equal width: [{from, to, n}]. Whole numbers get bins of their own. */
export function binned(values, most = 12) {
  if (!values.length) return [];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const whole = values.every(Number.isInteger);
  let size = (high - low) / most || 1;
  if (whole) size = Math.max(1, Math.ceil((high - low + 1) / most));
  const number = whole ? Math.ceil((high - low + 1) / size) : low === high ? 1 : most;
  const bins = Array.from({ length: number }, (_, index) => ({ from: low + index * size, to: low + (index + 1) * size, n: 0 }));
  for (const value of values) bins[Math.min(number - 1, Math.floor((value - low) / size))].n += 1;
  return bins;
}

export function median(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

/** A line that can be drawn again with new values; `label` says in words what it shows. */
export class Line {
  #path;
  #area;
  #width;
  #height;

  constructor({ width = 120, height = 32, area = false, name = '' } = {}) {
    this.#width = width;
    this.#height = height;
    this.#area = area ? draw('path', { class: 'plot-area' }) : null;
    this.#path = draw('path', { class: 'plot-line', 'vector-effect': 'non-scaling-stroke' });
    this.element = draw(
      'svg',
      { viewBox: `0 -2 ${width} ${height + 4}`, preserveAspectRatio: 'none', class: `plot ${name}`, 'aria-hidden': 'true' },
      this.#area,
      this.#path,
    );
  }

  show(values, { top = null, bottom = 0 } = {}) {
    const known = values.filter((value) => value !== null && value !== undefined);
    const upper = top ?? niceTop(Math.max(0, ...known));
    const path = linePath(values, this.#width, this.#height, upper, bottom);
    setAttribute(this.#path, 'd', path);
    if (this.#area) setAttribute(this.#area, 'd', areaUnder(path, this.#height));
  }
}

/** The same line, closed along the lower edge; each piece between gaps for itself. */
export function areaUnder(path, height) {
  return path
    .split('M')
    .filter(Boolean)
    .map((piece) => {
      const points = piece.split('L');
      const [first, last] = [points[0], points.at(-1)].map((point) => point.split(' ')[0]);
      return `M${first} ${height}L${points.join('L')}L${last} ${height}Z`;
    })
    .join('');
}

/** A horizontal bar out of parts [{n, kind, label}], as long as `whole` allows; a mark stands at `mark`. */
export function bar(parts, whole, mark = null) {
  const shown = parts.filter((part) => part.n > 0);
  const svg = draw('svg', { class: 'bar', viewBox: '0 0 1000 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  svg.append(draw('rect', { class: 'bar-track', x: 0, y: 0, width: 1000, height: 10 }));
  let at = 0;
  for (const part of shown) {
    const width = whole > 0 ? (1000 * part.n) / whole : 0;
    svg.append(draw('rect', { class: `bar-${part.kind}`, x: round(at), y: 0, width: round(width), height: 10 }));
    at += width;
  }
  if (mark !== null && whole > 0) {
    const x = Math.min(997, Math.max(0, (1000 * mark) / whole - 1.5));
    svg.append(draw('rect', { class: 'bar-mark', x: round(x), y: -1, width: 3, height: 12 }));
  }
  return svg;
}

/** A histogram with its ends and its middle written below. */
export function histogram(values, format) {
  const bins = binned(values);
  const top = Math.max(1, ...bins.map((bin) => bin.n));
  const svg = draw('svg', { class: 'histogram', viewBox: '0 0 120 40', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const width = 120 / Math.max(1, bins.length);
  bins.forEach((bin, index) => {
    const height = (40 * bin.n) / top;
    svg.append(
      draw('rect', { x: round(index * width + 0.6), y: round(40 - height), width: round(width - 1.2), height: round(height) }),
    );
  });
  const ends = make(
    'p',
    { class: 'ends' },
    make('span', {}, format(Math.min(...values))),
    make('span', {}, `median ${format(median(values))}`),
    make('span', {}, format(Math.max(...values))),
  );
  return make('div', {}, svg, ends);
}

/** What the colours mean. */
export function legend(...entries) {
  return make(
    'p',
    { class: 'legend' },
    ...entries.map(([kind, text]) => make('span', { class: `key key-${kind}` }, text)),
  );
}
