"""How a session stands: what its trial and its participant have shown so far, for who looks on, and for the desk."""

import math
import time
from typing import Any

AS_IF = {"ended": "stopped", "time": "stopped"}  # they go on with the study, as who has pressed Stop


class Standing:
    """Counts for one session. state: starting, then as in the protocol's ``status``."""

    def __init__(self) -> None:
        self.since_s = time.time()
        self.state = "starting"
        self.good = self.bad = self.errors = 0
        self._episode: int | None = None  # from 1, as participants count
        self._episodes: int | None = None
        self._tick = 0
        self._score = 0.0
        self._rate: float | None = None
        self._waits_for_actions = False
        self._fps = 0.0
        self._total: dict[str, Any] = {"episodes": 0, "ticks": 0, "score": 0.0}
        self._frames = self._frames_before = 0
        self._looked_s = time.monotonic()

    def told(self, message: dict[str, Any]) -> None:
        """The participant was told this."""
        if status := message.get("status"):
            self.state = status["state"]
            self._episodes = status["episodes"]
            if status["episode"] != self._episode:
                self._episode, self._tick, self._score = status["episode"], 0, 0.0
        if mode := message.get("stepMode"):
            self._waits_for_actions = mode == "turn"
        if rate := message.get("frameRate"):
            self._rate = rate["rate"]

    def progressed(self, progress: dict[str, Any]) -> None:
        """Where the trial is: episode, tick and score in it, and the total."""
        self._episode = progress["episode"] + 1
        self._tick, self._score = progress["tick"], progress["score"]
        self._total = progress["total"]

    def episode_over(self, episode: dict[str, Any]) -> None:
        """An episode came to its end: what it was, and the total."""
        self._tick, self._score = episode["ticks"], episode["score"]
        self._total = episode["total"]

    def judged(self, command: str) -> None:
        """The participant gave feedback."""
        self.good += command == "good"
        self.bad += command == "bad"

    def frame_sent(self) -> None:
        """A frame went to the participant."""
        self._frames += 1

    def look(self, now_s: float) -> None:
        """Called every second or so: how many frames a second there were since the last time."""
        passed_s = now_s - self._looked_s
        if passed_s > 0:
            self._fps = (self._frames - self._frames_before) / passed_s
        self._frames_before, self._looked_s = self._frames, now_s

    def stats(self) -> dict[str, Any]:
        """For the dashboard. since_s: seconds since 1970. fps: frames a second that were sent lately."""
        return {
            "state": self.state,
            "episode": self._episode,
            "episodes": self._episodes,
            "tick": self._tick,
            "score": finite(self._score),
            "fps": round(self._fps, 1),
            "rate": None if self._waits_for_actions else self._rate,
            "good": self.good,
            "bad": self.bad,
            "errors": self.errors,
            "since_s": self.since_s,
        }

    def progress(self) -> dict[str, Any]:
        """For the desk: of the whole trial so far."""
        return {**self._total, "score": finite(self._total["score"])}

    def result(self, reason: str, ended: dict[str, Any]) -> dict[str, Any]:
        """For the desk, at the end. ended: what the trial said last, {} where it could not."""
        result = {**self.progress(), "reason": AS_IF.get(reason, reason)}
        for key in ("episodes", "ticks", "score"):
            result[key] = ended.get(key, result[key])
        return {**result, "score": finite(result["score"])}


def finite(score: float) -> float:
    """A sum of rewards may be infinite or no number at all; JSON knows neither."""
    return score if math.isfinite(score) else 0.0
