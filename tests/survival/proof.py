"""Compares what participants saw with what their records hold."""

import hashlib
import pickle
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

from hippogym.data.reader import ReadReport, read_entries
from tests.clients import Seen
from tests.records import manifest, plain_loop


@dataclass
class Tally:
    """Counts of a campaign. What must be 0 in the end: see ``wrong``."""

    participants: int = 0
    frames_seen: int = 0
    ticks_kept: int = 0
    files: int = 0
    repaired: int = 0
    torn: int = 0
    lost: int = 0  # frames that somebody saw, without an entry
    untrue: int = 0  # the entry of a frame tells of another picture, episode or tick
    duplicated: int = 0  # ticks that are there more than once
    gaps: int = 0  # ticks that are missing between two others, damaged or missing entries
    unreadable: int = 0  # files that the plain loop over pickles does not read to the end
    unclosed: int = 0  # files without a manifest that fits them
    notes: list[str] = field(default_factory=list)

    MUST_BE_0 = ("lost", "untrue", "duplicated", "gaps", "unreadable", "unclosed")

    @property
    def wrong(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.MUST_BE_0 if getattr(self, name)}

    def add(self, other: "Tally") -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def __str__(self) -> str:
        counts = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "notes"}
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())


@dataclass
class Kept:
    """What the records of one trial hold."""

    participant: str | None = None
    frames: dict[int, tuple[str, int, int]] = field(default_factory=dict)  # id → sha256, episode, tick
    ticks: Counter[tuple[int, int]] = field(default_factory=Counter)


def read_trial(folder: Path, tally: Tally, *, repaired: bool = True) -> Kept:
    """Everything in a trial's folder. repaired: each file must be closed and whole by now."""
    kept = Kept()
    for path in sorted(folder.glob("*.pkl*" if repaired else "*.pkl")):
        if path.suffix == ".torn":
            tally.torn += 1
            continue
        tally.files += 1
        report = ReadReport()
        entries = list(read_entries(path, report=report))
        for entry in entries:
            take_entry(entry["hippogym"], kept)
        tally.gaps += len(report.missing) + len(report.damaged)
        note_file(path, len(entries), tally, repaired=repaired)
    tally.ticks_kept += len(kept.ticks)
    tally.duplicated += sum(count - 1 for count in kept.ticks.values())
    for episode, last in dict(sorted(kept.ticks)).items():
        tally.gaps += sum((episode, tick) not in kept.ticks for tick in range(last))
    return kept


def take_entry(ours: dict, kept: Kept) -> None:
    if ours["kind"] not in ("reset", "tick"):
        return
    kept.participant = kept.participant or ours.get("participant", {}).get("userId")
    kept.ticks[ours["episode"], ours["tick"]] += 1
    if ours["frame"] is not None:
        kept.frames[ours["frame"]["id"]] = (ours["frame"]["sha256"], ours["episode"], ours["tick"])


def note_file(path: Path, entries: int, tally: Tally, *, repaired: bool) -> None:
    """Does the plain loop read it; does its manifest fit it?"""
    try:
        tally.unreadable += len(plain_loop(path)) != entries
    except (pickle.UnpicklingError, EOFError, ValueError) as problem:
        tally.unreadable += 1
        tally.notes.append(f"{path}: {problem!r}")
    if not repaired:
        return
    if path.suffix != ".pkl" or not path.with_suffix(".json").exists():
        tally.unclosed += 1
        tally.notes.append(f"{path} is not closed")
        return
    told = manifest(path)
    tally.repaired += told["recovered"] is not None
    fits = (told["bytes"], told["sha256"]) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    tally.unclosed += not (fits and told["entries"] == entries)


def compare(name: str, seen: list[Seen], kept: Kept, tally: Tally) -> None:
    """Every frame that this participant saw has its entry, and the entry is true."""
    tally.participants += 1
    tally.frames_seen += len(seen)
    for one in seen:
        entry = kept.frames.get(one.frame)
        if entry is None:
            tally.lost += 1
            tally.notes.append(
                f"{name}: frame {one.frame}, episode {one.episode}, tick {one.tick} was seen and is lost"
            )
            continue
        sha256, episode, tick = entry
        same = sha256 == hashlib.sha256(one.image).hexdigest()
        tally.untrue += not (same and one.episode in (None, episode) and one.tick in (None, tick))
