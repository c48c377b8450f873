// The numbers of the tick that is shown, and the list of what the participant did.

import { asTime, lastAtOrBefore } from "./episode.js";

const ROWS = ["Action", "Keys held", "Reward", "Return", "Latency", "Reaction", "Late"];
const MOST_EVENTS = 5000;

export class Readings {
  constructor(list) {
    this.cells = ROWS.map((name) => {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = name;
      list.append(term, value);
      return value;
    });
  }

  show(episode, index) {
    const value = (name) => episode.moments[name][index];
    const missed = value("missed_ticks") ? `, ${value("missed_ticks")} left out` : "";
    const texts = [
      value("action") === null ? "–" : `${value("action")}${value("origin") === "default" ? " (nothing pressed)" : ""}`,
      value("pressed").join(" + ") || "–",
      number(value("reward")),
      number(value("score")),
      value("shown") ? milliseconds(value("latency_ms")) : "never made",
      milliseconds(value("reaction_ms")),
      `${milliseconds(value("late_ms"))}${missed}`,
    ];
    this.cells.forEach((cell, row) => {
      if (cell.textContent !== texts[row]) cell.textContent = texts[row];
      cell.title = texts[row];
    });
  }
}

export class Events {
  constructor(list, onChoice) {
    this.list = list;
    this.onChoice = onChoice;
    this.current = -1;
  }

  open(episode) {
    this.marks = episode.marks.slice(0, MOST_EVENTS);
    this.times = this.marks.map((mark) => mark.t_s);
    this.current = -1;
    this.list.replaceChildren(...this.marks.map((mark) => this.item(mark)));
    const left = episode.marks.length - this.marks.length;
    if (left > 0) this.list.append(line(`and ${left} more`));
    if (episode.marks.length === 0) this.list.append(line("Nothing."));
  }

  item(mark) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const time = document.createElement("time");
    const text = document.createElement("span");
    time.textContent = asTime(mark.t_s);
    text.textContent = mark.text;
    button.type = "button";
    button.title = mark.text;
    button.dataset.kind = mark.kind;
    button.dataset.text = mark.kind === "feedback" ? mark.text : "";
    button.append(time, text);
    button.addEventListener("click", () => this.onChoice(mark.t_s));
    item.append(button);
    return item;
  }

  /** Mark the newest event at a time, and keep it in view without moving the page. */
  show(seconds) {
    const index = lastAtOrBefore(this.times, seconds + 0.001);
    if (index === this.current) return;
    this.list.children[this.current]?.firstChild.removeAttribute("aria-current");
    this.current = index;
    const item = this.list.children[index];
    if (!item) return;
    item.firstChild.setAttribute("aria-current", "true");
    const above = item.offsetTop - this.list.offsetTop;
    if (above < this.list.scrollTop || above + item.offsetHeight > this.list.scrollTop + this.list.clientHeight) {
      this.list.scrollTop = above - this.list.clientHeight / 2;
    }
  }
}

function line(text) {
  const item = document.createElement("li");
  item.className = "none";
  item.textContent = text;
  return item;
}

function number(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "–";
}

function milliseconds(value) {
  return Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : "–";
}
