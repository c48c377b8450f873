"""What happened when in an episode, for those who look at it: ticks, what the participant did, how long it all took.

Read from the record alone; the pictures come from a replay. All times are seconds from the beginning of the file.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hippogym.data.columns import as_float, as_int, as_text
from hippogym.data.sources import Found, find_records
from hippogym.data.terminal import harmless
from hippogym.data.ticks import Head, Tail, Tick, read_parts

DEFAULT_RATE = 30.0
FEEDBACK = {"good": "good", "bad": "bad"}
_LONGEST = 200


@dataclass
class Moment:
    """A tick (0: the reset) and what was known at its end.

    action: its name, origin: held, buffered or default. pressed: what was held down. score: the rewards so far.
    frame_sha256: of the picture that was made for it, None where none was. latency_ms: from the tick until its picture
    was drawn (by the acknowledgement's arrival where the client's clock is not known). reaction_ms: from the picture
    to the input that caused the action.
    """

    tick: int
    t_s: float
    action: str | None = None
    origin: str | None = None
    reward: float | None = None
    score: float = 0.0
    pressed: list[str] = field(default_factory=list)
    frame_sha256: str | None = None
    latency_ms: float | None = None
    reaction_ms: float | None = None
    late_ms: float | None = None
    missed_ticks: int = 0


@dataclass
class Mark:
    """Something the participant did. kind: key, action, feedback, command or other."""

    t_s: float
    kind: str
    text: str


@dataclass
class Timeline:
    """One episode. rate: the highest that was asked for. missing: ticks that the record has lost."""

    episode: int | None
    game: str | None
    rate: float = DEFAULT_RATE
    moments: list[Moment] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    reason: str = ""
    missing: int = 0


def timelines(path: Path) -> list[Timeline]:
    """Of all episodes of a record. Raises RecordError where there is none, OSError where it cannot be read."""
    (found,) = find_records(path)
    return list(_episodes(found))


def _episodes(found: Found) -> Iterator[Timeline]:
    story = _Story()
    for part in read_parts(found):
        if isinstance(part, Head):
            story.begin(part)
        elif isinstance(part, Tick):
            story.add(part)
        else:
            yield story.end(part)


class _Story:
    def __init__(self) -> None:
        self._zero_ns: int | None = None
        self._last_s = 0.0
        self._line = Timeline(None, None)
        self._ticks: list[tuple[Moment, dict[str, Any]]] = []  # some columns become known later
        self._held: list[str] = []

    def begin(self, head: Head) -> None:
        self._line = Timeline(head.number, head.game)
        self._held = []
        moment = Moment(0, self._time(head.human))
        self._ticks = [(moment, head.human)]

    def add(self, tick: Tick) -> None:
        self._take(tick.inputs)
        human = tick.human
        before = self._ticks[-1][0]
        score = before.score + (tick.reward or 0.0)
        late_ns = human.get("late_ns")
        self._ticks.append(
            (
                Moment(
                    tick=tick.number,
                    t_s=self._time(human),
                    action=harmless(human["action_name"]) if human.get("action_name") is not None else None,
                    origin=human.get("action_origin"),
                    reward=tick.reward,
                    score=score,
                    pressed=list(self._held),
                    late_ms=None if late_ns is None else late_ns / 1e6,
                    missed_ticks=human.get("missed_ticks") or 0,
                ),
                human,
            )
        )
        self._line.rate = max(self._line.rate if len(self._ticks) > 2 else 0.0, human.get("rate") or DEFAULT_RATE)

    def end(self, tail: Tail) -> Timeline:
        self._take(tail.inputs)
        for moment, human in self._ticks:
            moment.frame_sha256 = human.get("frame_sha256")
            moment.latency_ms, moment.reaction_ms = _latency_ms(human), human.get("reaction_ms")
            self._line.moments.append(moment)
        self._line.reason, self._line.missing = harmless(tail.reason), tail.missing
        self._ticks = []
        return self._line

    def _time(self, human: dict[str, Any]) -> float:
        """When the tick was, never before the one before."""
        t_ns = human.get("t_mono_ns")
        if t_ns is None:
            self._last_s += 1 / DEFAULT_RATE
        else:
            self._zero_ns = t_ns if self._zero_ns is None else self._zero_ns
            self._last_s = max(self._last_s, (t_ns - self._zero_ns) / 1e9)
        return self._last_s

    def _take(self, inputs: Iterable[dict[str, Any]]) -> None:
        for given in inputs:
            message, received_ns = given.get("message"), as_int(given.get("received_ns"))
            if type(message) is not dict or "userId" in message:
                continue
            self._hold(message)
            kind, text = kind_of(message)
            t_s = self._last_s
            if received_ns is not None and self._zero_ns is not None:
                t_s = (received_ns - self._zero_ns) / 1e9
            self._line.marks.append(Mark(max(t_s, 0.0), kind, harmless(text, _LONGEST)))

    def _hold(self, message: dict[Any, Any]) -> None:
        """What is held down after this message."""
        if "keys" in message or "controls" in message:
            held = [*_texts(message.get("keys")), *_texts(message.get("controls"))]
            self._held = [harmless(code, 24) for code in held][:16]
        elif as_text(message.get("action")) is not None:
            key = as_text(message.get("actionType"))
            if key == "noop":
                self._held = []
            elif key not in (None, "mousedown"):
                self._held = [harmless(key, 24)]


def kind_of(message: dict[Any, Any]) -> tuple[str, str]:
    """What a participant's message is (a Mark's kind), and what to show of it."""
    command = as_text(message.get("command"))
    if command is not None:
        name = command.strip().lower()
        return ("feedback", FEEDBACK[name]) if name in FEEDBACK else ("command", command)
    if "changeFrameRate" in message:
        return "command", f"frame rate: {message['changeFrameRate']}"
    if "keys" in message or "controls" in message:
        return "key", " + ".join([*_texts(message.get("keys")), *_texts(message.get("controls"))]) or "let go"
    if as_text(message.get("action")) is not None:
        return "action", str(message["action"])
    if type(message.get("info")) is str:
        return "other", message["info"]
    return "other", json.dumps(message, ensure_ascii=False, default=repr)


def _texts(value: object) -> list[str]:
    return [one for one in value if type(one) is str] if type(value) is list else []


def _latency_ms(human: dict[str, Any]) -> float | None:
    delay_ms = as_float(human.get("display_delay_ms"))
    if delay_ms is not None:
        return delay_ms
    drawn_ns, made_ns = human.get("frame_drawn_received_ns"), human.get("t_mono_ns")
    return None if drawn_ns is None or made_ns is None else (drawn_ns - made_ns) / 1e6
