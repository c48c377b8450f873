// One episode as the page uses it: times from 0, and which tick is shown at which time.

export class Episode {
  constructor(told) {
    this.number = told.episode;
    this.game = told.game;
    this.reason = told.reason;
    this.verdict = told.verdict;
    this.moments = told.moments;
    this.start = told.moments.t_s[0];
    this.times = told.moments.t_s.map((t) => t - this.start);
    this.marks = told.marks.map((mark) => ({ ...mark, t_s: Math.max(0, mark.t_s - this.start) }));
    this.length = this.times.length;
    // of a tick without a picture, what stays on the screen is the last one before
    let last = -1;
    this.pictures = told.moments.picture.map((is, index) => (is ? (last = index) : last));
    this.duration = Math.max(this.times[this.length - 1] + 1 / told.rate, 0.05);
  }

  /** The index of the newest moment at a time in seconds. */
  at(seconds) {
    return Math.max(0, lastAtOrBefore(this.times, seconds));
  }

  /** The index of the moment of a tick; ticks may be missing. */
  ofTick(tick) {
    return Math.max(0, lastAtOrBefore(this.moments.tick, tick));
  }
}

/** The index of the last of these rising numbers that is not above the limit; -1 where there is none. */
export function lastAtOrBefore(numbers, limit) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function asTime(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - 60 * minutes).toFixed(1);
  return minutes ? `${minutes}:${rest.padStart(4, "0")}` : `${rest} s`;
}
