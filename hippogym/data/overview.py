"""What is in records, at a glance: one line of facts per episode."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hippogym.data.reader import ReadReport
from hippogym.data.sources import Found, find_records
from hippogym.data.ticks import Head, Tail, Tick, read_parts
from hippogym.errors import HippoError

_PAUSE_PERIODS = 10  # an interval longer than so many ticks, and than a second, is a pause and no slow tick
_PAUSE_NS = 10**9


@dataclass
class Line:
    """One episode. returned: the sum of its rewards, None where there are none. duration_s: from its first entry to
    its last tick, None for records without times. rate: ticks a second while it was played.

    state: ``complete``, ``repaired`` (closed after an interruption), ``open`` (still written, or not yet repaired),
    ``damaged``, ``cut short`` (no end), ``unverified`` (the first HIPPO Gym's, without checksums).
    """

    source: str
    participant: str | None
    trial: str | None
    game: str | None
    episode: int | None
    ticks: int = 0
    missing: int = 0
    returned: float | None = None
    duration_s: float | None = None
    rate: float | None = None
    reason: str = ""
    state: str = ""


def overview(where: str | Path) -> Iterator[Line]:
    """A line for every episode at a path or ``s3://`` address, in the order of their names.

    Raises RecordError where there is nothing, OSError where something cannot be read.
    """
    for found in find_records(where):
        yield from overview_of(found)


def overview_of(found: Found) -> Iterator[Line]:
    """The lines of one record. The last one waits for the record's end, so that damage behind it shows."""
    report = ReadReport()
    pulse = _Pulse()
    line: Line | None = None
    held: Line | None = None
    for part in read_parts(found, report):
        if isinstance(part, Head):
            if held is not None:
                yield held
            held = None
            line = Line(found.name, None, part.trial, part.game, part.number)
            pulse = _Pulse()
            pulse.note(part.human.get("t_mono_ns"), part.human.get("rate"), is_tick=False)
            head = part
        elif line is not None and isinstance(part, Tick):
            line.ticks += 1
            if part.reward is not None:
                line.returned = (line.returned or 0.0) + part.reward
            pulse.note(part.human.get("t_mono_ns"), part.human.get("rate"), is_tick=True)
        elif line is not None and isinstance(part, Tail):
            line.participant = head.participant
            line.reason, line.missing = part.reason, part.missing
            line.duration_s, line.rate = pulse.duration_s(), pulse.rate()
            line.state = _state(found, report, part)
            held, line = line, None
    if held is not None:
        if report.damaged and found.closed:
            held.state = "damaged"
        yield held
    elif report.damaged:
        yield Line(found.name, None, None, None, None, reason="nothing can be read", state="damaged")


class _Pulse:
    """How fast an episode was really played."""

    def __init__(self) -> None:
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._tick_ns: int | None = None
        self._played_ns = self._intervals = 0

    def note(self, t_ns: int | None, rate: float | None, *, is_tick: bool) -> None:
        if t_ns is None:
            return
        if self._first_ns is None:
            self._first_ns = t_ns
        self._last_ns = t_ns
        if not is_tick:
            return
        if self._tick_ns is not None:
            interval_ns = t_ns - self._tick_ns
            period_ns = 1e9 / rate if rate and rate > 0 else 0.0
            if 0 < interval_ns <= max(_PAUSE_NS, _PAUSE_PERIODS * period_ns):
                self._played_ns += interval_ns
                self._intervals += 1
        self._tick_ns = t_ns

    def duration_s(self) -> float | None:
        return None if self._first_ns is None or self._last_ns is None else (self._last_ns - self._first_ns) / 1e9

    def rate(self) -> float | None:
        return self._intervals * 1e9 / self._played_ns if self._played_ns else None


def _state(found: Found, report: ReadReport, tail: Tail) -> str:
    if not found.closed:
        return "open"
    if not report.verified:
        return "damaged" if report.damaged else "unverified"
    if report.damaged or report.missing or tail.missing:
        return "damaged"
    try:
        told = found.manifest()
    except (OSError, HippoError):
        return "damaged"
    if told is not None and told.get("recovered") is not None:
        return "repaired"
    return "complete" if tail.ended else "cut short"
