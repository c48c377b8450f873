"""A record as the story of its episodes: where each began, every tick with what is known about it, how it ended.

Entries tell things when they become known: that a frame was drawn stands some entries after the frame. Here each
tick waits for that, for a limited number of ticks, and comes out complete. Memory holds those ticks and no more, so
records of any length can be read. Nothing in an entry is trusted; what has the wrong type counts as missing.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hippogym.core.record_format import HIPPO_KEY
from hippogym.data.columns import HUMAN_COLUMNS, as_int, as_text
from hippogym.data.human import HumanSide
from hippogym.data.reader import ReadReport, read_entries
from hippogym.data.sources import Found
from hippogym.data.summary import COMMON

OUTCOME = ("observation", "reward", "terminated", "truncated", "done", "info")
_MOST_WAITING = 256
_MOST_WAITING_BYTES = 64 * 2**20


@dataclass
class Head:
    """An episode begins. observation and info: what its reset gave, None where the record does not hold them.

    source: name of the record. verified: its entries carry checksums, and they are right. number: the episode's.
    seed: what the environment was seeded with, None where it was not. human: the columns of the reset itself.
    original: the record is of the first HIPPO Gym: no times, no applied actions, no observation to begin from.
    """

    source: str
    verified: bool
    number: int | None
    header: dict[str, Any] = field(default_factory=dict)
    trial: str | None = None
    participant: str | None = None
    observation: Any = None
    info: dict[Any, Any] | None = None
    human: dict[str, Any] = field(default_factory=dict)
    original: bool = False

    @property
    def seed(self) -> int | None:
        used = self.header.get("seed_used")
        return as_int(self.header.get("seed")) if used is True else as_int(used)

    @property
    def project(self) -> str | None:
        return as_text(self.header.get("project"))

    @property
    def game(self) -> str | None:
        return as_text(self.header.get("game"))

    @property
    def condition(self) -> str | None:
        told = self.header.get("participant")
        told = told.get("condition") if type(told) is dict else None
        return as_text(self.header.get("condition", told))


@dataclass
class Tick:
    """One step of the environment, and the observation, reward and flags that it gave.

    action: what went into the environment: what the agent says it applied, else what it was given, None in original
    records. reward: None where there is none. inputs: what the participant did since the tick before.
    missing_before: how many ticks are missing between the one before and this one.
    """

    number: int
    observation: Any
    action: Any
    reported_action: Any
    reward: float | None
    terminated: bool
    truncated: bool
    done: bool
    info: dict[Any, Any] | None
    extra: dict[Any, Any]
    human: dict[str, Any]
    inputs: list[dict[str, Any]]
    missing_before: int = 0


@dataclass
class Tail:
    """An episode is over. reason: as recorded, ``interrupted`` where nothing says. ended: its last entry is there.

    missing: how many of its ticks are missing. inputs: what the participant did after the last tick.
    """

    reason: str
    ended: bool
    ticks: int
    missing: int
    inputs: list[dict[str, Any]]


Part = Head | Tick | Tail


def read_parts(found: Found, report: ReadReport | None = None) -> Iterator[Part]:
    """The episodes of one record, in order: for each a Head, its Ticks, a Tail.

    report: filled while reading, as by read_entries. Raises OSError where the record cannot be opened.
    """
    report = ReadReport() if report is None else report
    with found.open() as file:
        story = _Story(found, report)
        for entry in read_entries(file, report=report):
            yield from story.take(entry)
        yield from story.finish()


class _Story:
    """Turns entries into parts."""

    def __init__(self, found: Found, report: ReadReport) -> None:
        self._found = found
        self._report = report
        self._human = HumanSide()
        self._waiting: deque[Part] = deque()
        self._waiting_bytes = 0
        self._head: Head | None = None
        self._inputs: list[dict[str, Any]] = []
        self._ticks = self._missing = self._last = 0
        self._episodes = 0
        self._over = False  # an original episode is done; the next entry begins another

    def take(self, entry: dict[Any, Any]) -> Iterator[Part]:
        ours = entry.get(HIPPO_KEY)
        if type(ours) is not dict:
            yield from self._take_original(entry)
            return
        kind, number = ours.get("kind"), as_int(ours.get("episode"))
        if self._head is not None and (kind == "reset" or self._head.number != number):
            yield from self._end("interrupted", ended=False)
        self._inputs += self._human.take(ours)
        if self._head is None:
            self._begin(ours, entry, number, was_reset=kind == "reset")
        if kind == "tick":
            self._add_tick(ours, entry)
        elif kind == "end":
            yield from self._end(as_text(ours.get("reason")) or "unknown", ended=True)
        yield from self._ready()

    def finish(self) -> Iterator[Part]:
        """The record is over."""
        if self._head is not None:
            yield from self._end("done" if self._over else "interrupted", ended=False)

    # -- one kind of entry each --------------------------------------------------------------------------------

    def _begin(self, ours: dict[Any, Any], entry: dict[Any, Any], number: int | None, *, was_reset: bool) -> None:
        header = {name: value for name, value in ours.items() if name not in COMMON} if was_reset else {}
        told = header.get("participant")
        user = told.get("userId") if type(told) is dict else told
        self._ticks = self._missing = self._last = 0
        self._human.new_episode()
        self._head = Head(
            source=self._found.name,
            verified=self._report.verified,
            number=number,
            header=header,
            trial=as_text(ours.get("trial")),
            participant=user if type(user) is str else None if user is None else repr(user),
            observation=entry.get("observation") if was_reset else None,
            info=_dict(entry.get("info")) if was_reset else None,
            human=self._human.columns(ours, 0),
        )
        self._put(self._head)

    def _add_tick(self, ours: dict[Any, Any], entry: dict[Any, Any]) -> None:
        number = as_int(ours.get("tick"))
        if number is None:
            number = self._last + 1
        missing = max(0, number - self._last - 1)
        self._missing += missing
        applied = ours.get("action")
        action = applied.get("value") if type(applied) is dict else None
        reported = ours.get("reported_action")
        self._put_tick(number, entry, reported if reported is not None else action, reported,
                       self._human.columns(ours, number), missing)  # fmt: skip

    def _put_tick(
        self, number: int, entry: dict[Any, Any], action: Any, reported: Any, human: dict[str, Any], missing: int
    ) -> None:
        self._last = number
        self._ticks += 1
        info = _dict(entry.get("info"))
        done, terminated, truncated = _ends(entry, info)
        extra = {name: value for name, value in entry.items() if name not in OUTCOME and name != HIPPO_KEY}
        self._put(
            Tick(
                number=number,
                observation=entry.get("observation"),
                action=action,
                reported_action=reported,
                reward=_number(entry.get("reward")),
                terminated=terminated,
                truncated=truncated,
                done=done,
                info=info,
                extra=extra,
                human=human,
                inputs=self._inputs,
                missing_before=missing,
            )
        )
        self._inputs = []

    def _take_original(self, entry: dict[Any, Any]) -> Iterator[Part]:
        """An entry of the first HIPPO Gym: what the agent returned, over the client's fields; nothing else."""
        if self._over and self._head is not None:
            yield from self._end("done", ended=False)
        if self._head is None:
            self._over = False
            self._ticks = self._missing = self._last = 0
            number = self._found.file.split("_")[1:2] if self._found.file.startswith("episode_") else []
            given = int(number[0]) if number and number[0].isdecimal() and len(number[0]) < 10 else self._episodes
            self._head = Head(self._found.name, self._report.verified, given, original=True)
            self._put(self._head)
        if self._head.participant is None and type(entry.get("userId")) is str:
            self._head.participant = entry["userId"]
        self._put_tick(self._last + 1, entry, None, None, dict.fromkeys(HUMAN_COLUMNS), 0)
        self._over = _flag(entry.get("done")) and self._found.file.startswith("trial_")
        yield from self._ready()

    def _end(self, reason: str, *, ended: bool) -> Iterator[Part]:
        yield from self._waiting
        self._waiting.clear()
        self._waiting_bytes = 0
        yield Tail(reason, ended, self._ticks, self._missing, self._inputs)
        self._head, self._inputs = None, []
        self._episodes += 1

    # -- waiting for what is known later -----------------------------------------------------------------------

    def _put(self, part: Head | Tick) -> None:
        self._waiting.append(part)
        self._waiting_bytes += getattr(part.observation, "nbytes", 0)

    def _ready(self) -> Iterator[Part]:
        while self._waiting:
            part = self._waiting[0]
            assert not isinstance(part, Tail)
            full = len(self._waiting) > _MOST_WAITING or self._waiting_bytes > _MOST_WAITING_BYTES
            if not full and not self._human.settled(part.human):
                return
            self._waiting.popleft()
            self._waiting_bytes -= getattr(part.observation, "nbytes", 0)
            yield part


def _dict(value: object) -> dict[Any, Any] | None:
    return value if type(value) is dict else None


def _ends(entry: dict[Any, Any], info: dict[Any, Any] | None) -> tuple[bool, bool, bool]:
    """done, terminated, truncated. Where only ``done`` is told, gym's note about its time limit tells which."""
    told = {name: _flag(entry[name]) for name in ("terminated", "truncated") if entry.get(name) is not None}
    done = _flag(entry.get("done")) or any(told.values())
    if not told:
        limit = done and info is not None and _flag(info.get("TimeLimit.truncated"))
        return done, done and not limit, limit
    return done, told.get("terminated", False), told.get("truncated", False)


def _flag(value: Any) -> bool:
    """True for True, also as 1 or as an array of one True."""
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()
    return type(value) in (bool, int, float) and value == 1


def _number(value: Any) -> float | None:
    """A reward as a number; None where it is none, such as a list of several."""
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()
    if type(value) not in (bool, int, float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
