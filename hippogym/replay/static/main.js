// The page of `hippogym replay --serve`: fetches what is known of the record, and lets somebody walk through it.

import { Episode, asTime } from "./episode.js";
import { Film } from "./film.js";
import { Lanes } from "./lanes.js";
import { Player } from "./player.js";
import { Events, Readings } from "./readings.js";

const PLAY = "M7 4.5v15l13-7.5z";
const PAUSE = "M6 4.5h4.5v15H6zM13.5 4.5H18v15h-4.5z";
const byId = (id) => document.getElementById(id);
const now = () => performance.now() / 1000;

class Page {
  constructor(told) {
    this.episodes = told.episodes.map((one) => new Episode(one));
    this.film = new Film(byId("picture"));
    this.lanes = new Lanes(byId("lanes-canvas"));
    this.readings = new Readings(byId("readings"));
    this.events = new Events(byId("events"), (seconds) => this.go(seconds));
    byId("record").textContent = told.record;
    byId("record").title = told.record;
    this.listEpisodes();
    this.listen();
    this.open(0);
    requestAnimationFrame(() => this.frame());
  }

  listEpisodes() {
    const choice = byId("episode-choice");
    this.episodes.forEach((episode, index) => choice.add(new Option(String((episode.number ?? index) + 1), String(index))));
    byId("episode-label").hidden = this.episodes.length < 2;
    choice.addEventListener("change", () => this.open(Number(choice.value)));
  }

  open(index) {
    const episode = (this.episode = this.episodes[index]);
    this.player = new Player(episode.duration);
    this.player.speed = Number(byId("speed").value);
    this.index = -1;
    byId("game").textContent = episode.game ?? "Replay";
    document.title = `Replay of ${episode.game ?? "a record"}`;
    this.tellVerdict(episode.verdict);
    this.film.open(episode);
    this.events.open(episode);
    this.lanes.draw(episode);
    const slider = byId("lanes");
    slider.setAttribute("aria-valuemin", "0");
    slider.setAttribute("aria-valuemax", String(episode.moments.tick[episode.length - 1]));
    this.show();
  }

  tellVerdict(verdict) {
    const chip = byId("verdict");
    const where = verdict?.status === "differs" ? ` at tick ${verdict.tick}` : "";
    const status = verdict?.status ?? "not replayed";
    chip.textContent = status[0].toUpperCase() + status.slice(1) + where;
    chip.dataset.status = status;
    const note = byId("note");
    note.hidden = !verdict || verdict.status === "verified";
    if (note.hidden) return;
    const told = {
      differs: `From tick ${verdict.tick} on, this is not what was recorded.`,
      "not deterministic": `From tick ${verdict.tick} on, this may not be what was recorded: chance is at work that no seed decides.`,
      "cannot be replayed": `It cannot be replayed after tick ${verdict.tick}.`,
    };
    note.textContent = [told[status], ...verdict.lines.map((line) => line.trim())].join(" ");
  }

  listen() {
    byId("play").addEventListener("click", () => this.toggle());
    byId("to-start").addEventListener("click", () => this.go(0));
    byId("back").addEventListener("click", () => this.step(-1));
    byId("on").addEventListener("click", () => this.step(1));
    byId("speed").addEventListener("change", (event) => {
      this.player.speed = Number(event.target.value);
    });
    const slider = byId("lanes");
    slider.addEventListener("pointerdown", (event) => {
      slider.setPointerCapture(event.pointerId);
      this.point(event);
    });
    slider.addEventListener("pointermove", (event) => {
      if (slider.hasPointerCapture(event.pointerId)) this.point(event);
    });
    document.addEventListener("keydown", (event) => this.press(event));
    const redraw = () => {
      this.lanes.draw(this.episode);
      this.moveHead();
    };
    new ResizeObserver(redraw).observe(slider);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.code === "Space") {
      if (event.target.closest("button")) return; // it is pressed by that
      if (!event.repeat) this.toggle();
    } else if (event.code in steps && event.shiftKey) this.go(this.player.position + steps[event.code]);
    else if (event.code in steps) this.step(steps[event.code]);
    else if (event.code === "Home") this.go(0);
    else if (event.code === "End") this.go(this.episode.times[this.episode.length - 1]);
    else return;
    event.preventDefault();
  }

  point(event) {
    const box = byId("lanes-canvas").getBoundingClientRect();
    this.go(((event.clientX - box.left) / box.width) * this.episode.duration);
  }

  toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play(now());
    this.show();
  }

  step(ticks) {
    this.player.pause();
    const index = Math.min(Math.max(this.index + ticks, 0), this.episode.length - 1);
    this.go(this.episode.times[index], index);
  }

  go(seconds, index) {
    this.player.seek(seconds);
    this.show(index);
  }

  frame() {
    const playing = this.player.playing;
    this.player.tick(now());
    if (playing) this.show();
    requestAnimationFrame(() => this.frame());
  }

  /** index: which of several moments at the same time is meant. */
  show(index = this.episode.at(this.player.position)) {
    const { player, episode } = this;
    this.moveHead();
    const play = byId("play");
    const label = player.playing ? "Pause" : "Play";
    if (play.getAttribute("aria-label") !== label) {
      play.setAttribute("aria-label", label);
      byId("play-shape").setAttribute("d", player.playing ? PAUSE : PLAY);
    }
    byId("time").textContent = `${asTime(player.position)} of ${asTime(episode.duration)}`;
    this.events.show(player.position);
    if (index === this.index) return;
    this.index = index;
    const tick = episode.moments.tick[index];
    byId("tick").textContent = `· tick ${tick} of ${episode.moments.tick[episode.length - 1]}`;
    const slider = byId("lanes");
    slider.setAttribute("aria-valuenow", String(tick));
    slider.setAttribute("aria-valuetext", `tick ${tick}, ${asTime(player.position)}`);
    this.readings.show(episode, index);
    this.film.show(index, player.playing);
  }

  moveHead() {
    const along = (this.player.position / this.episode.duration) * byId("lanes-canvas").clientWidth;
    byId("head").style.transform = `translateX(${along}px)`;
  }
}

async function begin() {
  try {
    const answer = await fetch("data.json");
    if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
    window.replay = new Page(await answer.json());
  } catch (problem) {
    byId("failure").textContent = `The record could not be loaded: ${problem.message}. Is the command still running?`;
    byId("failure").hidden = false;
  }
}

begin();
