"""The human side of each tick: which input caused it, what was on the screen, how long everything took.

Put together from the notes that entries hold (docs/records.md). Fed with one entry after the other.
"""

from typing import Any, TypeVar

from hippogym.data.columns import HUMAN_COLUMNS, as_float, as_int, as_text

_REMEMBERED = 1024  # inputs and frames; what is older is of no tick that is still to come
_Value = TypeVar("_Value")


class HumanSide:
    """Remembers inputs and frames for as long as something may refer to them."""

    def __init__(self) -> None:
        self._inputs: dict[int, dict[str, Any]] = {}
        self._caused: int | None = None  # the input that the newest tick came from
        self._drawn: dict[int, tuple[int | None, float | None]] = {}  # frame → connection, client's time
        self._shown: dict[int, dict[str, Any]] = {}  # frame → the columns of its tick
        self._ticks: dict[int, int] = {}  # frame → tick, in this episode
        self._settled = -1  # the newest frame of which nothing more will be known
        self._clock: tuple[float | None, float | None] = (None, None)
        self._conn: int | None = None
        self._skipped = self._rejected = 0

    def new_episode(self) -> None:
        """Frames of the episode before have no tick in this one."""
        self._ticks.clear()

    def take(self, ours: dict[Any, Any]) -> list[dict[str, Any]]:
        """The notes of an entry. Returns what the participant did."""
        conn = as_int(ours.get("conn"))
        if conn != self._conn:
            self._conn, self._clock = conn, (None, None)  # another connection may be another machine
        clock = ours.get("clock")
        if type(clock) is dict:
            self._clock = as_float(clock.get("offset_ms")), as_float(clock.get("error_ms"))
        self._skipped += as_int(ours.get("skipped_frames")) or 0
        self._rejected += as_int(ours.get("rejected")) or 0
        for note in _dicts(ours.get("sent")):
            self._note_sent(note)
        for note in _dicts(ours.get("drawn")):
            self._note_drawn(note)
        inputs = _dicts(ours.get("inputs"))
        for given in inputs:
            seq = as_int(given.get("seq"))
            if seq is not None:
                _remember(self._inputs, seq, given, keep=self._caused)
        return inputs

    def columns(self, ours: dict[Any, Any], tick: int) -> dict[str, Any]:
        """The columns of an entry of kind tick or reset, after ``take``; when its frame was drawn is added later."""
        columns: dict[str, Any] = dict.fromkeys(HUMAN_COLUMNS)
        for name in ("late_ns", "missed_ticks", "conn", "t_mono_ns", "t_wall_ns"):
            columns[name] = as_int(ours.get(name))
        columns["rate"] = as_float(ours.get("rate"))
        columns["clock_offset_ms"], columns["clock_error_ms"] = self._clock
        columns["skipped_frames"], columns["rejected"] = self._skipped, self._rejected
        self._skipped = self._rejected = 0
        action = ours.get("action")
        if type(action) is dict:
            self._add_cause(columns, action)
        frame = ours.get("frame")
        if type(frame) is dict and (number := as_int(frame.get("id"))) is not None:
            columns["frame"], columns["frame_sha256"] = number, as_text(frame.get("sha256"))
            _remember(self._ticks, number, tick)
            _remember(self._shown, number, columns)
        return columns

    def settled(self, columns: dict[str, Any]) -> bool:
        """Whether nothing more will become known of a tick: it had no frame, or a later one has been drawn."""
        frame = columns.get("frame")
        return frame is None or frame <= self._settled

    def _add_cause(self, columns: dict[str, Any], action: dict[Any, Any]) -> None:
        """The applied action, and the input that it came from: its times, and what was on the screen."""
        columns["action_name"], columns["action_origin"] = as_text(action.get("name")), as_text(action.get("origin"))
        columns["action_age_ticks"] = as_int(action.get("age_ticks"))
        seq = columns["input_seq"] = as_int(action.get("seq"))
        first, self._caused = seq != self._caused, seq
        given = None if seq is None else self._inputs.get(seq)
        if given is None:
            return
        conn, frame = as_int(given.get("conn")), as_int(given.get("frame"))
        received_ns, client_ms = as_int(given.get("received_ns")), as_float(given.get("t_client_ms"))
        columns |= {"input_conn": conn, "input_received_ns": received_ns, "input_client_ms": client_ms}
        columns |= {"frame_seen": frame, "tick_seen": None if frame is None else self._ticks.get(frame)}
        if not first:
            return
        if received_ns is not None and columns["t_mono_ns"] is not None:
            columns["input_delay_ms"] = (columns["t_mono_ns"] - received_ns) / 1e6
        seen_conn, seen_ms = self._drawn.get(frame, (None, None)) if frame is not None else (None, None)
        if seen_ms is not None and client_ms is not None and seen_conn == conn:
            columns["reaction_ms"] = client_ms - seen_ms

    def _note_sent(self, note: dict[str, Any]) -> None:
        columns = self._shown.get(_key(note.get("frame")))
        if columns is not None and columns["frame_sent_ns"] is None:  # sent again to who came back: the first counts
            columns["frame_sent_ns"] = as_int(note.get("sent_ns"))

    def _note_drawn(self, note: dict[str, Any]) -> None:
        frame, client_ms = as_int(note.get("frame")), as_float(note.get("t_client_ms"))
        if frame is None or frame in self._drawn:
            return
        _remember(self._drawn, frame, (as_int(note.get("conn")), client_ms))
        self._settled = max(self._settled, frame)
        columns = self._shown.get(frame)
        if columns is None:
            return
        columns["frame_drawn_client_ms"] = client_ms
        columns["frame_drawn_received_ns"] = as_int(note.get("received_ns"))
        offset_ms = self._clock[0]
        if client_ms is not None and offset_ms is not None and columns["t_mono_ns"] is not None:
            columns["display_delay_ms"] = client_ms - offset_ms - columns["t_mono_ns"] / 1e6


def _remember(memory: dict[int, _Value], key: int, value: _Value, keep: int | None = None) -> None:
    """Add to a memory that forgets its oldest, but not the one under ``keep``."""
    memory[key] = value
    if len(memory) > _REMEMBERED:
        oldest = next(each for each in memory if each != keep)
        del memory[oldest]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if type(each) is dict] if type(value) is list else []


def _key(value: object) -> int:
    number = as_int(value)
    return -1 if number is None else number
