"""What one re-execution of one episode has shown, in a form that fits through a pipe."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hippogym.replay.comparing import MISSING, difference, digest


@dataclass
class Outcome:
    """Of one episode in one run.

    source: name of its file. ticks: how many were compared. frames, unencoded: pictures that were compared, and ticks
    without one (the participant's connection could not take it).
    differences: what differed (``observation``, ``reward``, ``frame``, …) → the first tick where it did, and how.
    digests: the same names → tick → 16 hex digits for what was replayed, to compare runs with each other.
    gap: why no more of it could be replayed. missing: what the record lacks for a complete comparison.
    header: what the episode's reset says about it.
    """

    source: str
    number: int | None
    ticks: int = 0
    frames: int = 0
    unencoded: int = 0
    differences: dict[str, tuple[int, str]] = field(default_factory=dict)
    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    gap: str = ""
    missing: str = ""
    header: dict[str, Any] = field(default_factory=dict)

    def compare(self, name: str, tick: int, recorded: Any, replayed: Any) -> None:
        """Hold two plain values against each other; MISSING for one that is not there."""
        mine = digest(replayed)
        self.digests.setdefault(name, {})[str(tick)] = mine.hex()
        if name not in self.differences and digest(recorded) != mine:
            self.differences[name] = (tick, difference(recorded, replayed))

    def raised(self, tick: int, hook: str, sentence: str) -> None:
        """The agent raised where the record goes on."""
        self.digests.setdefault(hook, {})[str(tick)] = digest(sentence).hex()
        self.differences.setdefault(hook, (tick, sentence))

    def as_note(self, digests: bool) -> dict[str, Any]:
        """For the pipe. digests: whether they are wanted."""
        return asdict(self) if digests else asdict(replace(self, digests={}))

    @classmethod
    def from_note(cls, note: dict[str, Any]) -> "Outcome":
        """What as_note made."""
        differences = {name: (int(tick), str(how)) for name, (tick, how) in note["differences"].items()}
        return cls(**{**note, "differences": differences})


__all__ = ["MISSING", "Outcome"]
