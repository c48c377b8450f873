"""Makes records with the real recorder, as a trial would, without a server and with a clock that is told."""

from pathlib import Path
from typing import Any

from hippogym.core.entries import Entries, Moment
from hippogym.data.recorder import Recorder

PERIOD_NS = 33_333_333
START_NS = 1_000_000_000
WALL_NS = 1_790_000_000_000_000_000
NOBODY = {"name": "noop", "value": 0, "origin": "default", "age_ticks": 0, "seq": None}


class Play:
    """A trial's record in the making. ``entries`` takes what the participant did and what became of frames."""

    def __init__(self, records: Path, trial: str = "trial-a", per: str = "episode", **header: Any) -> None:
        self.entries = Entries(trial)
        self.recorder = Recorder(records / trial, trial, per=per)
        self.header = {
            "project": "study",
            "game": "CartPole-v1",
            "participant": {"userId": "Ann", "projectId": "study"},
            "actions": {"names": ["noop", "go"], "values": [0, 1], "default": "noop"},
            "versions": {"python": "3.11"},
            **header,
        }
        self.trial, self.episode, self.tick_number, self.now_ns = trial, -1, 0, START_NS
        self.conn = 1

    def keep(self, kind: str, record: dict[str, Any], **ours: Any) -> None:
        moment = Moment(self.now_ns, WALL_NS + self.now_ns, self.episode, self.tick_number, self.conn, 30.0)
        self.recorder.write(self.entries.build(kind, moment, record, **ours))

    def begin(self, observation: Any = 0, info: Any = None, seed: int = 7, frame: Any = None) -> "Play":
        self.episode += 1
        self.tick_number = 0
        header = {**self.header, "episode": self.episode, "seed": seed, "seed_used": True}
        self.recorder.open_episode(self.episode, header)
        self.keep("reset", {"observation": observation, "info": info or {}}, **header, frame=frame)
        return self

    def tick(self, observation: Any = 0, action: Any = 0, reward: Any = 1.0, **more: Any) -> "Play":
        """One tick. more: terminated, truncated, info, frame, applied (the whole ``action``), reported_action."""
        self.now_ns += PERIOD_NS
        self.tick_number += 1
        record = {"observation": observation, "reward": reward, "terminated": more.pop("terminated", False)}
        record |= {"truncated": more.pop("truncated", False), "info": more.pop("info", {})}
        record["done"] = record["terminated"] or record["truncated"]
        applied = {**NOBODY, "value": action, **more.pop("applied", {})}
        ours = {"action": applied, "late_ns": 0, "missed_ticks": 0, "frame": more.pop("frame", None)}
        self.keep("tick", {**record, **more.pop("record", {})}, **ours, **more)
        return self

    def end(self, reason: str = "done") -> Path:
        """Close the episode; the record's path."""
        self.keep("end", {}, reason=reason, ticks=self.tick_number, **{"return": float(self.tick_number)})
        return self.recorder.close_episode(reason, {"ticks": self.tick_number})

    def close(self) -> None:
        self.recorder.close()


def simple_record(
    records: Path, trial: str = "trial-a", episodes: int = 1, ticks: int = 3, **header: Any
) -> list[Path]:
    """Records of short episodes with whole numbers as observations."""
    play = Play(records, trial, **header)
    paths = []
    for _ in range(episodes):
        play.begin(observation=0)
        for number in range(1, ticks + 1):
            play.tick(observation=number, action=number % 2, terminated=number == ticks)
        paths.append(play.end())
    play.close()
    return paths
