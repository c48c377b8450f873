"""What a participant's client may say, as frozen dataclasses, and the function that reads it (docs/protocol.md).

``decode`` never raises: what cannot be used comes back as ``Malformed``, which is answered (v2) or counted (v1),
because a participant's strange input is data, not an error of ours.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_MESSAGE_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_HELD = 16
MAX_VALUES = 2000
MAX_DIGITS = 300
MAX_INTEGER = 2**53
LONGEST_TEXT = 256
LONGEST_VISIT = 16_384  # it may be a ticket, which says all that a server has to know (core/study/tickets.py)

Common = tuple[Mapping[str, Any], int | None, float | None]  # what every Message begins with

COMMANDS = ("start", "pause", "stop", "reset", "requestUI", "good", "bad", "trainOnline", "trainOffline")
USER_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
LONG_NUMBER = re.compile(
    rf"(?<![-+.0-9eE])[-+.0-9eE]{{{MAX_DIGITS + 1}}}"
)  # tried only where a run begins: linear time
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)  # an unclosed one ends with the text: linear too


@dataclass(frozen=True)
class Message:
    """What all messages share.

    fields: the client's object, as it came. frame: the newest frame on its screen. t_client_ms: its own clock.
    """

    fields: Mapping[str, Any]
    frame: int | None
    t_client_ms: float | None


@dataclass(frozen=True)
class Hello(Message):
    """Who this is. user_id is None where the server has to make one.

    token: the right to come back to a trial. visit: the right to play the game of a visit (v2).
    """

    user_id: str | None
    project_id: str | None
    token: str | None
    visit: str | None


@dataclass(frozen=True)
class Command(Message):
    """A button of the page, by the name the study gives it; ``known`` is false for a v1 client's strange ones."""

    name: str
    known: bool


@dataclass(frozen=True)
class ChangeFrameRate(Message):
    """``faster``, ``slower``, or frames per second."""

    wanted: str | float


@dataclass(frozen=True)
class Keys(Message):
    """Everything held down, in the order of pressing: key codes, and on-screen controls by name."""

    codes: tuple[str, ...]
    controls: tuple[str, ...]


@dataclass(frozen=True)
class Action(Message):
    """An action by name. key: the key that went down (or up, with ``noop``); None for a tap."""

    name: str
    key: str | None


@dataclass(frozen=True)
class Ack(Message):
    """A frame has been drawn."""

    drawn: int


@dataclass(frozen=True)
class Pong(Message):
    """The answer to a ping of the server."""

    number: int


@dataclass(frozen=True)
class Info(Message):
    """Anything that is the researcher's business alone."""


@dataclass(frozen=True)
class Malformed:
    """A message that cannot be used. ``got`` names a type, never the text."""

    code: str
    field: str | None
    expected: str
    got: str

    def as_wire(self) -> dict[str, Any]:
        """The error message for a v2 client."""
        return {"error": {"code": self.code, "field": self.field, "expected": self.expected, "got": self.got}}


def decode(data: str | bytes, *, v2: bool, ui: frozenset[str]) -> Message | Malformed:
    """Read one websocket message.

    ui: the names of the study's controls, which are commands too. v2: whether refusals can be answered; a v1
    client gets every allowance that existing clients could depend on.
    """
    if isinstance(data, bytes):
        return Malformed("binary", None, "a text message", "binary")
    if len(data) > MAX_MESSAGE_BYTES or len(data.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
        return Malformed("too_large", None, f"at most {MAX_MESSAGE_BYTES} bytes", "more")
    if _has_long_number(data):
        return _not_json()
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        return _too_deep()
    except ValueError:
        return _not_json()
    if not isinstance(value, dict):
        return Malformed("not_object", None, "an object", _kind(value))
    return _unbearable(value) or _Reader(value, v2, ui).read()


class _Refused(Exception):
    """Carries a Malformed out of the field readers; never leaves this module."""

    def __init__(self, malformed: Malformed) -> None:
        self.malformed = malformed


class _Reader:
    """Reads the fields of one object."""

    def __init__(self, fields: dict[str, Any], v2: bool, ui: frozenset[str]) -> None:
        self.fields = fields
        self.v2 = v2
        self.ui = ui

    def read(self) -> Message | Malformed:
        try:
            return self._read()
        except _Refused as refused:
            return refused.malformed

    def _read(self) -> Message:
        common: Common = (self.fields, self._count("frameId"), self._time())
        self._count("frameCount")
        if "userId" in self.fields:
            return Hello(
                *common,
                self._user_id(),
                self._text_or_none("projectId"),
                self._right("token"),
                self._right("visit", LONGEST_VISIT),
            )
        if "command" in self.fields:
            return self._command(common)
        if "changeFrameRate" in self.fields:
            return ChangeFrameRate(*common, self._wanted_rate())
        if self.v2 and ("keys" in self.fields or "controls" in self.fields):
            return Keys(*common, self._names("keys"), self._names("controls"))
        if "action" in self.fields:
            return self._action(common)
        if self.v2 and "ack" in self.fields:
            return Ack(*common, self._whole("ack"))
        if self.v2 and "pong" in self.fields:
            return Pong(*common, self._whole("pong"))
        if self.v2 and "info" not in self.fields:
            raise _Refused(Malformed("unknown_message", None, "a field that says what this is", "none"))
        return Info(*common)

    def _command(self, common: Common) -> Command:
        text = self._text("command").strip().lower()
        for name in (*COMMANDS, *self.ui):
            if text == name.lower():
                return Command(*common, name, True)
        if self.v2:
            raise _Refused(Malformed("unknown_command", "command", "a command or a name in ui", "another text"))
        return Command(*common, text, False)

    def _action(self, common: Common) -> Action:
        key = self._text_or_none("actionType")
        return Action(*common, self._text("action"), None if key in (None, "", "mousedown") else key)

    def _wanted_rate(self) -> str | float:
        wanted = self.fields["changeFrameRate"]
        if isinstance(wanted, bool) or not isinstance(wanted, str | int | float):
            raise self._wrong("changeFrameRate", "faster, slower or a number")
        if isinstance(wanted, str):
            text = wanted.strip().lower()
            if text in ("faster", "slower"):
                return text
            try:
                wanted = float(text) if len(text) <= 32 else math.nan
            except ValueError:
                wanted = math.nan
        if not math.isfinite(wanted):
            raise _Refused(Malformed("bad_value", "changeFrameRate", "faster, slower or a number", "another text"))
        return float(wanted)

    def _user_id(self) -> str | None:
        value = self.fields["userId"]
        if value is None or value == "":
            return None
        if isinstance(value, str) and USER_ID.fullmatch(value) and ".." not in value:
            return value
        if not self.v2:
            return None  # a v1 client cannot be told; it plays under a name that the server makes
        if not isinstance(value, str):
            raise self._wrong("userId", "a string or null")
        raise _Refused(
            Malformed("bad_value", "userId", "at most 64 letters, digits, . _ @ -", f"{len(value)} characters")
        )

    def _right(self, field: str, longest: int = LONGEST_TEXT) -> str | None:
        """A secret; v1 has none."""
        return (self._text_or_none(field, longest) or None) if self.v2 else None

    def _names(self, field: str) -> tuple[str, ...]:
        names = self.fields.get(field)
        if names is None:
            return ()
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong(field, "a list of strings")
        if len(names) > MAX_HELD or any(len(name) > 64 for name in names):
            raise _Refused(Malformed("bad_value", field, f"at most {MAX_HELD} short names", "more"))
        return tuple(dict.fromkeys(names))

    def _text(self, field: str, longest: int = LONGEST_TEXT) -> str:
        value = self.fields[field]
        if not isinstance(value, str):
            raise self._wrong(field, "a string")
        if len(value) > longest:
            raise _Refused(Malformed("bad_value", field, f"at most {longest} characters", f"{len(value)} characters"))
        return value

    def _text_or_none(self, field: str, longest: int = LONGEST_TEXT) -> str | None:
        if self.fields.get(field) is None:
            return None
        if not self.v2 and not isinstance(self.fields[field], str):
            return None
        return self._text(field, longest)

    def _whole(self, field: str) -> int:
        value = self.fields[field]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(field, "a whole number")
        if not 0 <= value <= MAX_INTEGER:
            raise _Refused(Malformed("bad_value", field, "0 to 2^53", "outside"))
        return value

    def _count(self, field: str) -> int | None:
        if self.fields.get(field) is None:
            return None
        if self.v2:
            return self._whole(field)
        value = self.fields[field]
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER
        return value if good else None

    def _time(self) -> float | None:
        value = self.fields.get("t")
        if value is None or not self.v2:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong("t", "milliseconds")
        if abs(value) > MAX_INTEGER:
            raise _Refused(Malformed("bad_value", "t", "milliseconds within 2^53", "outside"))
        return float(value)

    def _wrong(self, field: str, expected: str) -> _Refused:
        return _Refused(Malformed("bad_type", field, expected, _kind(self.fields.get(field))))


def _has_long_number(data: str) -> bool:
    """Whether there is a number of over MAX_DIGITS characters, outside of strings.

    Two searches in C; functions of ours for each number would take a hundred times as long.
    """
    return LONG_NUMBER.search(data) is not None and LONG_NUMBER.search(STRINGS.sub('""', data)) is not None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _kind(value: object) -> str:
    """The JSON name of a value's type."""
    for types, name in (
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "string"),
        (list, "list"),
        (dict, "object"),
    ):
        if isinstance(value, types):
            return name
    return "null"


def _unbearable(value: dict[str, Any]) -> Malformed | None:
    """What is wrong with the whole: too many values, too many levels, or a number like 1e999."""
    count = 0
    layer: list[dict[str, Any] | list[Any]] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[dict[str, Any] | list[Any]] = []
        for parent in layer:
            count += len(parent)
            if count > MAX_VALUES:
                return Malformed("too_large", None, f"at most {MAX_VALUES} values", "more")
            for child in parent.values() if isinstance(parent, dict) else parent:
                if isinstance(child, dict | list):
                    inner.append(child)
                elif isinstance(child, float) and not math.isfinite(child):
                    return _not_json()
        if not inner:
            return None
        layer = inner
    return _too_deep()


def _not_json() -> Malformed:
    return Malformed("not_json", None, "JSON", "something else")


def _too_deep() -> Malformed:
    return Malformed("too_deep", None, f"at most {MAX_DEPTH} levels", "more")
