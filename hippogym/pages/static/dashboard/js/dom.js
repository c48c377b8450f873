// Small ways to make and change elements. What has not changed is not touched, so that many people cost the page little.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes (null and false are left out) and children (elements or texts). */
export function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function draw(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Whether this differs from what was told last: whole parts are drawn anew only then. */
export class Changed {
  #before = null;

  is(value) {
    const now = JSON.stringify(value);
    const changed = now !== this.#before;
    this.#before = now;
    return changed;
  }
}
