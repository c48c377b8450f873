// The timeline: what was applied, what was pressed, feedback, rewards and latency, one lane each. Drawn once for each
// size; where we are is a line of its own over it.

const LABEL = 15;
const LANES = [
  ["Action applied", 20],
  ["Keys held", 14],
  ["Feedback, commands, messages", 16],
  ["Reward", 24],
  ["Latency", 34],
];
const PADDING = 6;
export const HEIGHT = LANES.reduce((sum, [, height]) => sum + height + LABEL + PADDING, PADDING);

export class Lanes {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  draw(episode) {
    const width = this.canvas.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
    this.canvas.style.height = `${HEIGHT}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, HEIGHT);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `11px ${colour("sans")}`;
    const drawing = { episode, width, colour, font, context: this.context, x: (t) => (t / episode.duration) * width };
    const lanes = [drawActions, drawKeys, drawMarks, drawRewards, drawLatency];
    let top = PADDING;
    LANES.forEach(([label, height], index) => {
      const more = lanes[index](drawing, top + LABEL, height);
      write(drawing, more ? `${label}: ${more}` : label, 8, top + 8, "muted");
      top += height + LABEL + PADDING;
    });
    if (episode.verdict?.tick !== null && episode.verdict?.tick !== undefined) drawDifference(drawing);
  }
}

function write({ context, colour, font }, text, left, middle, ink) {
  context.font = font;
  context.textBaseline = "middle";
  context.fillStyle = colour(ink);
  context.fillText(text, left, middle);
}

/** Runs of equal values: [from index, to index (not included), value]. A value holds until the tick that follows. */
export function runs(values) {
  const found = [];
  for (let from = 0, at = 1; at <= values.length; at += 1) {
    if (at === values.length || values[at] !== values[from]) {
      found.push([from, at, values[from]]);
      from = at;
    }
  }
  return found;
}

function blocks(drawing, values, top, height, paint) {
  const { episode, x, context } = drawing;
  for (const [from, to, value] of runs(values)) {
    if (value === null) continue;
    // a tick's action was applied in the period that ends with the tick
    const left = x(from > 0 ? episode.times[from - 1] : 0);
    const right = Math.max(x(episode.times[to - 1]), left + 1);
    paint(value, left, right);
    context.fillRect(left, top, right - left, height);
    const inside = right - left - 8;
    context.font = drawing.font;
    if (height >= 16 && context.measureText(value).width <= inside) {
      write(drawing, value, left + 5, top + height / 2 + 0.5, "on-lane");
    }
  }
}

function drawActions(drawing, top, height) {
  const { episode, context, colour } = drawing;
  const { action, origin } = episode.moments;
  const own = action.map((name, index) => (origin[index] === "default" ? null : name));
  const names = [...new Set(action.filter((name) => name !== null))].sort();
  blocks(drawing, own, top, height, (name) => {
    context.fillStyle = colour(`lane-${(names.indexOf(name) % 6) + 1}`);
  });
  return "";
}

function drawKeys(drawing, top, height) {
  const { episode, context, colour } = drawing;
  const held = episode.moments.pressed.map((keys) => (keys.length ? keys.join(" + ") : null));
  blocks(drawing, held, top, height, () => {
    context.fillStyle = colour("strong-line");
  });
  return held.some((keys) => keys !== null) ? "" : "none";
}

function drawMarks(drawing, top, height) {
  const { episode, context, colour, x } = drawing;
  let count = 0;
  for (const mark of episode.marks) {
    if (mark.kind === "key" || mark.kind === "action") continue;
    count += 1;
    const at = Math.min(Math.max(x(Math.min(mark.t_s, episode.duration)), 3), drawing.width - 3);
    const bad = mark.text === "bad" && mark.kind === "feedback";
    context.fillStyle = mark.kind === "feedback" ? colour(bad ? "danger" : "accent") : colour("muted");
    context.beginPath();
    if (mark.kind === "feedback") {
      const [tip, foot] = bad ? [top + height - 2, top + 2] : [top + 2, top + height - 2];
      context.moveTo(at, tip);
      context.lineTo(at + 5, foot);
      context.lineTo(at - 5, foot);
    } else {
      context.rect(at - 1.5, top + 2, 3, height - 4);
    }
    context.fill();
  }
  return count ? "" : "none";
}

function drawRewards(drawing, top, height) {
  const { episode, context, colour, x } = drawing;
  const rewards = episode.moments.reward.map((reward) => (Number.isFinite(reward) ? reward : 0));
  const most = Math.max(...rewards.map(Math.abs), 0);
  if (most === 0) return "none";
  const below = rewards.some((reward) => reward < 0);
  const above = rewards.some((reward) => reward > 0);
  const zero = top + (below && above ? height / 2 : above ? height : 0);
  const room = below && above ? height / 2 : height;
  const least = Math.max(1, Math.min(6, drawing.width / rewards.length - 1));
  rewards.forEach((reward, index) => {
    if (reward === 0) return;
    const size = Math.max((Math.abs(reward) / most) * room, 2);
    context.fillStyle = colour(reward > 0 ? "lane-4" : "danger");
    context.fillRect(x(episode.times[index]) - least / 2, reward > 0 ? zero - size : zero, least, size);
  });
  return `to ${below ? "±" : ""}${Number(most.toPrecision(3))}`;
}

function drawLatency(drawing, top, height) {
  const { episode, context, colour, x } = drawing;
  const known = episode.moments.latency_ms;
  const values = known.filter((value) => Number.isFinite(value) && value >= 0).sort((a, b) => a - b);
  if (values.length === 0) return "not known";
  const most = Math.max(values[Math.floor(0.99 * (values.length - 1))] * 1.25, 10);
  context.strokeStyle = colour("lane-6");
  context.lineWidth = 1.5;
  context.beginPath();
  let before = false;
  known.forEach((value, index) => {
    const is = Number.isFinite(value) && value >= 0;
    if (is) {
      const y = top + height - 1 - (Math.min(value, most) / most) * (height - 2);
      if (before) context.lineTo(x(episode.times[index]), y);
      else context.moveTo(x(episode.times[index]), y);
    }
    before = is;
  });
  context.stroke();
  context.fillStyle = colour("danger");
  known.forEach((value, index) => {
    if (!episode.moments.shown[index]) context.fillRect(x(episode.times[index]), top + height - 4, 1.5, 4);
  });
  return `median ${Math.round(values[values.length >> 1])} ms, most ${Math.round(values[values.length - 1])} ms`;
}

function drawDifference(drawing) {
  const { episode, context, colour, x, width } = drawing;
  const at = Math.min(Math.max(x(episode.times[episode.ofTick(episode.verdict.tick)]), 1), width - 1);
  context.fillStyle = colour("danger");
  context.fillRect(at - 1, 0, 2, HEIGHT);
}
