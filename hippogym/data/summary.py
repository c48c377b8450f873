"""What a manifest says about a record, found by reading the record itself: episodes, ticks, times, how it ended."""

import os
from dataclasses import dataclass, field
from typing import Any

from hippogym.core.record_format import HIPPO_KEY
from hippogym.data import manifest
from hippogym.data.reader import ReadReport, read_entries

# what stands under the key ``hippogym`` of every entry; the rest of an episode's first entry is its header
COMMON = frozenset(
    (
        "v kind seq trial episode tick t_mono_ns t_wall_ns conn rate "
        "inputs sent drawn rejected skipped_frames clock frame"
    ).split()
)


@dataclass(slots=True)
class Summary:
    """Filled by ``of``. Nothing in the record is trusted: what has the wrong type is passed over."""

    report: ReadReport = field(default_factory=ReadReport)
    episodes: list[dict[str, Any]] = field(default_factory=list)
    trial: str | None = None
    ticks: int = 0
    ended: bool = False
    reason: str = "interrupted"
    first_wall_s: float | None = None
    last_wall_s: float | None = None

    @classmethod
    def of(cls, fd: int) -> "Summary":
        """Of the record with this descriptor, whose position is moved."""
        os.lseek(fd, 0, os.SEEK_SET)
        summary = cls()
        with open(fd, "rb", closefd=False) as file:
            for entry in read_entries(file, report=summary.report):
                ours = entry.get(HIPPO_KEY)
                summary._note(ours if type(ours) is dict else {}, summary.report.last_seq)
        return summary

    def _note(self, ours: dict[Any, Any], seq: int | None) -> None:
        kind, number = ours.get("kind"), ours.get("episode")
        self._note_time(ours.get("t_wall_ns"))
        if self.trial is None and type(ours.get("trial")) is str and manifest.TRIAL_ID.fullmatch(ours["trial"]):
            self.trial = ours["trial"]
        if not self.episodes or (kind == "reset" and self.episodes[-1]["last_seq"] is not None):
            header = {name: value for name, value in ours.items() if name not in COMMON} if kind == "reset" else {}
            self.episodes.append(manifest.episode(number if type(number) is int else None, header, seq or 0))
        episode = self.episodes[-1]
        episode["last_seq"] = seq
        episode["reason"] = "interrupted"
        self.ended = kind == "end"
        if kind == "tick":
            self.ticks += 1
            episode["ticks"] += 1
        elif kind == "end":
            reason = ours.get("reason")
            self.reason = episode["reason"] = reason if type(reason) is str else "unknown"

    def _note_time(self, wall_ns: object) -> None:
        if type(wall_ns) is int and 0 <= wall_ns < 2**62:
            self.last_wall_s = wall_ns / 1e9
            if self.first_wall_s is None:
                self.first_wall_s = self.last_wall_s
