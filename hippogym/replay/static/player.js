// Where in the episode we are, and how that moves on while it plays. Told the time, so that it can be tried without one.

export class Player {
  constructor(duration) {
    this.duration = duration;
    this.position = 0;
    this.speed = 1;
    this.playing = false;
    this.last = null;
  }

  /** Begin to play at a time (seconds of any clock); from the beginning where it stands at the end. */
  play(now) {
    if (this.position >= this.duration) this.position = 0;
    this.playing = true;
    this.last = now;
  }

  pause() {
    this.playing = false;
  }

  seek(position) {
    this.position = Math.min(Math.max(position, 0), this.duration);
  }

  /** Move on to a time; returns the position. Stops at the end. */
  tick(now) {
    if (this.playing) {
      // a page in the background is not called: do not jump when it comes back
      this.seek(this.position + Math.min(now - this.last, 0.5) * this.speed);
      this.last = now;
      if (this.position >= this.duration) this.playing = false;
    }
    return this.position;
  }
}
