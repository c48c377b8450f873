"""How far a trial is, and how much time its ticks have taken."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Progress:
    """episode: from 0, -1 before the first. tick, score: of this episode; the score is the sum of its rewards.

    episodes: those that are over. total_ticks, total_score: of the whole trial. busy_ns, longest_ns: what all ticks
    took together, and the longest of them.
    """

    episode: int = -1
    tick: int = 0
    score: float = 0.0
    episodes: int = 0
    total_ticks: int = 0
    total_score: float = 0.0
    busy_ns: int = 0
    longest_ns: int = 0

    def begin_episode(self) -> None:
        """The next episode."""
        self.episode += 1
        self.tick = 0
        self.score = 0.0

    def add_tick(self, reward: float) -> None:
        """The environment has taken a step."""
        self.tick += 1
        self.total_ticks += 1
        self.score += reward
        self.total_score += reward

    def add_work(self, took_ns: int) -> None:
        """What that tick took. Waiting is not work."""
        self.busy_ns += took_ns
        self.longest_ns = max(self.longest_ns, took_ns)

    def end_episode(self) -> dict[str, Any]:
        """The episode is over: it has been played, or the participant has given it up. Returns what it came to."""
        self.episodes += 1
        return {"episode": self.episode, "ticks": self.tick, "score": self.score, "total": self.total()}

    def now(self) -> dict[str, Any]:
        """Where the trial is."""
        return {"episode": self.episode, "tick": self.tick, "score": self.score, "total": self.total()}

    def total(self) -> dict[str, Any]:
        """What the whole trial has come to."""
        return {"episodes": self.episodes, "ticks": self.total_ticks, "score": self.total_score}

    def summary(self) -> dict[str, Any]:
        """The same at the end, with what its ticks took."""
        mean_ms = self.busy_ns / 1e6 / max(1, self.total_ticks)
        return {**self.total(), "longest_ms": self.longest_ns / 1e6, "mean_ms": mean_ms}
