// How long a step has been shown, and how long of that the page had the participant's attention: visible, and focused.
// Both go on counting after a reload.

export class ShownTime {
  #clock;
  #isAttended;
  #shownMs = 0;
  #focusMs = 0;
  #last = null; // when it was last counted; null: nothing is shown
  #attended = false;

  /** clock: milliseconds that only run forward. isAttended(): whether the page is in front of the participant now. */
  constructor({ clock = () => performance.now(), isAttended = () => !document.hidden && document.hasFocus() } = {}) {
    this.#clock = clock;
    this.#isAttended = isAttended;
  }

  /** A step is shown from now on; earlier: what was counted of it before a reload. */
  start({ shownMs = 0, focusMs = 0 } = {}) {
    this.#shownMs = shownMs;
    this.#focusMs = focusMs;
    this.#last = this.#clock();
    this.#attended = this.#isAttended();
  }

  /** To be called whenever attention may have come or gone: what went before is counted as it was. */
  look() {
    if (this.#last === null) return;
    const now = this.#clock();
    this.#shownMs += now - this.#last;
    if (this.#attended) this.#focusMs += now - this.#last;
    this.#last = now;
    this.#attended = this.#isAttended();
  }

  /** {shownMs, focusMs} up to now, in whole milliseconds. */
  read() {
    this.look();
    return { shownMs: Math.round(this.#shownMs), focusMs: Math.round(this.#focusMs) };
  }

  listen() {
    for (const event of ['focus', 'blur', 'pageshow', 'pagehide']) window.addEventListener(event, () => this.look());
    document.addEventListener('visibilitychange', () => this.look());
    return this;
  }
}
