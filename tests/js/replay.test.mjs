import assert from "node:assert/strict";
import { test } from "node:test";

import { Episode, asTime, lastAtOrBefore } from "../../hippogym/replay/static/episode.js";
import { runs } from "../../hippogym/replay/static/lanes.js";
import { Player } from "../../hippogym/replay/static/player.js";

test("the newest moment at a time is found", () => {
  const times = [0, 1, 1, 2.5];
  for (const [limit, index] of [[-1, -1], [0, 0], [0.9, 0], [1, 2], [2.4, 2], [9, 3]]) {
    assert.equal(lastAtOrBefore(times, limit), index);
  }
  assert.equal(lastAtOrBefore([], 1), -1);
});

test("an episode begins at 0, wherever its file began, and ticks may be missing", () => {
  const moments = { t_s: [5, 6, 8], tick: [0, 1, 4], picture: [true, false, true] };
  const episode = new Episode({ episode: 1, rate: 10, moments, marks: [{ t_s: 4.5, kind: "key", text: "" }, { t_s: 7 }] });
  assert.deepEqual(episode.times, [0, 1, 3]);
  assert.deepEqual(episode.marks.map((mark) => mark.t_s), [0, 2]);
  assert.equal(episode.duration, 3.1);
  assert.deepEqual(episode.pictures, [0, 0, 2]);
  assert.deepEqual([0, 1, 3, 4, 9].map((tick) => episode.ofTick(tick)), [0, 1, 1, 2, 2]);
  assert.deepEqual([-1, 0.5, 2.9, 99].map((time) => episode.at(time)), [0, 0, 1, 2]);
});

test("playing follows the clock at its speed, stops at the end, and begins again from there", () => {
  const player = new Player(2);
  player.speed = 2;
  player.play(100);
  assert.equal(player.tick(100.25), 0.5);
  player.pause();
  assert.equal(player.tick(101), 0.5);
  player.play(110);
  assert.equal(player.tick(110.4).toFixed(6), "1.300000");
  player.tick(110.8);
  assert.deepEqual([player.position, player.playing], [2, false]);
  player.play(200);
  assert.equal(player.tick(200.1).toFixed(6), "0.200000");
});

test("a page that was in the background does not jump", () => {
  const player = new Player(100);
  player.play(0);
  assert.equal(player.tick(60), 0.5);
});

test("nobody leaves the episode", () => {
  const player = new Player(2);
  for (const [wanted, got] of [[-1, 0], [3, 2], [1, 1]]) {
    player.seek(wanted);
    assert.equal(player.position, got);
  }
});

test("equal neighbours are one block", () => {
  assert.deepEqual(runs(["a", "a", null, "b"]), [[0, 2, "a"], [2, 3, null], [3, 4, "b"]]);
  assert.deepEqual(runs([]), []);
});

test("times are short", () => {
  assert.deepEqual([0, 9.96, 61, 600.25].map(asTime), ["0.0 s", "10.0 s", "1:01.0", "10:00.3"]);
});
