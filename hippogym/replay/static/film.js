// Fetches pictures, some of them before they are needed, and draws the one that is.

const KEPT = 240;
const AHEAD = 24;
const SMALL = 320;

export class Film {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.pictures = new Map(); // index → promise of an ImageBitmap, null where it could not be had
    this.episode = null;
    this.wanted = -1;
    this.shown = -1;
  }

  open(episode) {
    this.episode = episode;
    this.forget();
    this.wanted = this.shown = -1;
  }

  /** Show what was on the screen at a moment, as soon as it is here, unless something else is wanted by then. */
  async show(moment, ahead) {
    const episode = this.episode;
    const index = (this.wanted = episode.pictures[moment]);
    if (index < 0) return;
    const picture = this.get(index);
    const end = Math.min(moment + (ahead ? AHEAD : 2), episode.length - 1);
    for (let next = moment + 1; next <= end; next += 1) this.get(episode.pictures[next]);
    const image = await picture;
    if (image === null || episode !== this.episode) return;
    if (index !== this.wanted && Math.abs(this.shown - this.wanted) <= Math.abs(index - this.wanted)) return;
    this.shown = index;
    if (this.canvas.width !== image.width || this.canvas.height !== image.height) {
      this.canvas.width = image.width;
      this.canvas.height = image.height;
      this.canvas.classList.toggle("small", image.width <= SMALL);
    }
    this.context.drawImage(image, 0, 0);
  }

  get(index) {
    const picture = this.pictures.get(index) ?? this.load(index);
    this.pictures.delete(index);
    this.pictures.set(index, picture);
    if (this.pictures.size > KEPT) this.drop(this.pictures.keys().next().value);
    return picture;
  }

  async load(index) {
    const url = `frames/${this.episode.number ?? 0}/${this.episode.moments.tick[index]}.jpg`;
    try {
      const answer = await fetch(url);
      return answer.ok ? await createImageBitmap(await answer.blob()) : null;
    } catch {
      this.pictures.delete(index); // the command was stopped, or is busy: ask again when it is wanted again
      return null;
    }
  }

  drop(index) {
    const picture = this.pictures.get(index);
    this.pictures.delete(index);
    picture.then((image) => image?.close());
  }

  forget() {
    for (const index of [...this.pictures.keys()]) this.drop(index);
  }
}
