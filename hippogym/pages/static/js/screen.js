// The screen: pictures arrive, the newest is drawn, and whoever asks is told when. The only module that touches the canvas.

const SMALL_PX = 256; // up to this size a picture is made of pixels that somebody meant
const REPAINT_WITHIN_MS = 100; // some browsers stop repainting without saying that the page is hidden

export class Screen {
  frameId = 0; // what is on the screen; 0: nothing yet
  counts = { received: 0, drawn: 0, skipped: 0, broken: 0 };
  #canvas;
  #context;
  #onDrawn;
  #onSize;
  #next = null; // the newest frame that waits for the decoder
  #decoding = false;
  #ready = null; // {frame, bitmap}: decoded, waits for the repaint
  #repaint = null;
  #trial = 0; // frames of an earlier trial must not be drawn over this one

  /** onDrawn(frameId, t) at the moment of drawing; onSize(width, height) when the picture's size changes. */
  constructor(canvas, { onDrawn, onSize }) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#onDrawn = onDrawn;
    this.#onSize = onSize;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#draw();
    });
  }

  /** A new trial begins: its frames are numbered anew. */
  reset() {
    this.#trial += 1;
    this.frameId = 0;
    this.#next = null;
    this.#dropReady();
  }

  show(frame) {
    this.counts.received += 1;
    if (this.#next) this.counts.skipped += 1;
    this.#next = frame;
    if (!this.#decoding) this.#decode();
  }

  async #decode() {
    this.#decoding = true;
    while (this.#next) {
      const frame = this.#next;
      const trial = this.#trial;
      this.#next = null;
      const bitmap = await decoded(frame);
      if (!bitmap) this.counts.broken += 1;
      else if (trial !== this.#trial) bitmap.close();
      else this.#schedule(frame, bitmap);
    }
    this.#decoding = false;
  }

  #schedule(frame, bitmap) {
    if (this.#ready) this.counts.skipped += 1;
    this.#ready?.bitmap.close();
    this.#ready = { frame, bitmap };
    if (document.hidden) this.#draw();
    else if (!this.#repaint) {
      this.#repaint = {
        frame: requestAnimationFrame(() => this.#draw()),
        timer: setTimeout(() => this.#draw(), REPAINT_WITHIN_MS),
      };
    }
  }

  #draw() {
    this.#forgetRepaint();
    if (!this.#ready) return;
    const { frame, bitmap } = this.#ready;
    this.#ready = null;
    this.#fit(frame, bitmap);
    this.#context.drawImage(bitmap, frame.x, frame.y, frame.width || bitmap.width, frame.height || bitmap.height);
    bitmap.close();
    this.frameId = frame.frameId;
    this.counts.drawn += 1;
    this.#onDrawn(frame.frameId, performance.now());
  }

  /** A picture that begins in the corner is the whole screen; any other is a part of it. */
  #fit(frame, bitmap) {
    if (frame.x || frame.y) return;
    const width = frame.width || bitmap.width;
    const height = frame.height || bitmap.height;
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#canvas.classList.toggle('small', width <= SMALL_PX && height <= SMALL_PX);
    this.#onSize(width, height);
  }

  #forgetRepaint() {
    if (!this.#repaint) return;
    cancelAnimationFrame(this.#repaint.frame);
    clearTimeout(this.#repaint.timer);
    this.#repaint = null;
  }

  #dropReady() {
    this.#forgetRepaint();
    this.#ready?.bitmap.close();
    this.#ready = null;
  }

  get size() {
    return { width: this.#canvas.width, height: this.#canvas.height };
  }
}

/** The picture of a frame, or null where it is not one. */
async function decoded({ image, type }) {
  try {
    return await createImageBitmap(new Blob([image], { type }));
  } catch {
    return null;
  }
}
