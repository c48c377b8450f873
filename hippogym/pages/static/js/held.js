// Everything that is held down at this moment, in the order of pressing: keys (gamepad included) and on-screen controls.
// Whoever presses tells this set; at each change the set tells `onChange` all of itself.

const AT_MOST = 16;

export class Held {
  #keys = [];
  #controls = [];
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
  }

  get keys() {
    return this.#keys.slice(0, AT_MOST);
  }

  get controls() {
    return this.#controls.slice(0, AT_MOST);
  }

  get empty() {
    return this.#keys.length === 0 && this.#controls.length === 0;
  }

  hasKey(code) {
    return this.#keys.includes(code);
  }

  pressKey(code) {
    this.#add(this.#keys, code);
  }

  releaseKey(code) {
    this.#remove(this.#keys, code);
  }

  pressControl(name) {
    this.#add(this.#controls, name);
  }

  releaseControl(name) {
    this.#remove(this.#controls, name);
  }

  /** Lets go of everything, as when the window loses the focus: what is released there is never told to us. */
  releaseAll() {
    if (this.empty) return;
    this.#keys = [];
    this.#controls = [];
    this.#tell();
  }

  #add(list, name) {
    if (list.includes(name)) return;
    list.push(name);
    this.#tell();
  }

  #remove(list, name) {
    const at = list.indexOf(name);
    if (at < 0) return;
    list.splice(at, 1);
    this.#tell();
  }

  #tell() {
    this.#onChange(this.keys, this.controls);
  }
}
