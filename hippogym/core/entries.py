"""What is kept of a tick, put together from what happened since the last one (docs/records.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OURS = "hippogym"
KINDS = ("reset", "tick", "event", "end")


@dataclass(frozen=True)
class Moment:
    """When and where an entry is made: both clocks, the episode and its tick, the connection, the frame rate."""

    t_mono_ns: int
    t_wall_ns: int
    episode: int
    tick: int
    conn: int
    rate: float


class Entries:
    """Collects inputs and the fate of frames, and empties itself into each entry."""

    def __init__(self, trial: str) -> None:
        self._trial = trial
        self._input_seq = 0
        self._built_fields: dict[str, Any] = {}
        self._clear()

    def _clear(self) -> None:
        self._fields: dict[str, Any] = {}
        self._inputs: list[dict[str, Any]] = []
        self._sent: list[dict[str, Any]] = []
        self._drawn: list[dict[str, Any]] = []
        self._rejected = 0
        self._skipped = 0
        self._staff: list[dict[str, Any]] = []
        self._clock: dict[str, float] | None = None

    @property
    def holds_inputs(self) -> bool:
        """Whether something the participant, or the researcher, did waits to be kept."""
        return bool(self._inputs) or self._rejected > 0 or bool(self._staff)

    def add_input(
        self,
        fields: Mapping[str, Any],
        *,
        conn: int,
        received_ns: int,
        frame: int | None,
        t_client_ms: float | None,
        on_top: bool = True,
    ) -> int:
        """Something the participant did. Returns its number, unique within the trial.

        on_top: whether its fields also stand beside the agent's, as they always did.
        """
        self._input_seq += 1
        if on_top:
            self._fields.update(fields)
        self._inputs.append(
            {
                "seq": self._input_seq,
                "conn": conn,
                "received_ns": received_ns,
                "t_client_ms": t_client_ms,
                "frame": frame,
                "message": dict(fields),
            }
        )
        return self._input_seq

    def add_sent(self, note: Mapping[str, Any]) -> None:
        """A frame was written to the participant's socket: frame, conn, sent_ns."""
        self._sent.append(dict(note))

    def add_drawn(self, note: Mapping[str, Any]) -> None:
        """A frame was drawn on the participant's screen: frame, conn, t_client_ms, received_ns."""
        self._drawn.append(dict(note))

    def add_rejected(self, code: str | None, conn: int, received_ns: int, frame: int) -> None:
        """A message could not be used. code: what was wrong, for a v1 client, which gets no answer but an entry."""
        self._rejected += 1
        if code is not None:
            fields = {"error": "unable to parse message", "code": code}
            self.add_input(fields, conn=conn, received_ns=received_ns, frame=frame, t_client_ms=None)

    def add_skipped(self, frames: int = 1) -> None:
        """Frames that the participant never got: not encoded, or overtaken by a newer one."""
        self._skipped += frames

    def add_refused(self, messages: int) -> None:
        """Messages for which there was no room."""
        self._rejected += messages

    def add_staff(self, did: Mapping[str, Any]) -> None:
        """What the researcher did to the running game: t_mono_ns, and ``say`` or ``hold``."""
        self._staff.append(dict(did))

    def set_clock(self, offset_ms: float, error_ms: float) -> None:
        """How the client's clock relates to ours now."""
        self._clock = {"offset_ms": offset_ms, "error_ms": error_ms}

    def build(self, kind: str, moment: Moment, record: Mapping[str, Any], **ours: Any) -> dict[str, Any]:
        """The entry: the agent's record, beside it the client's fields, and everything of ours under one key.

        What a client can make large comes last, since an entry has limits (core/plain.py) and is filled in order.
        """
        block = {
            "v": 1,
            "kind": kind,
            "trial": self._trial,
            **vars(moment),
            **ours,
            "rejected": self._rejected,
            "skipped_frames": self._skipped,
            "clock": self._clock,
            "sent": self._sent,
            "drawn": self._drawn,
            **({"staff": self._staff} if self._staff else {}),
            "inputs": self._inputs,
        }
        entry = {**record, **{name: value for name, value in self._fields.items() if name not in record}, OURS: block}
        self._built_fields = self._fields
        self._clear()
        return entry

    def put_back(self, entry: Mapping[str, Any]) -> None:
        """The entry built last could not be kept: what the participant did and saw belongs into the next one."""
        block = entry[OURS]
        self._inputs = block["inputs"] + self._inputs
        self._fields = {**self._built_fields, **self._fields}
        self._sent = block["sent"] + self._sent
        self._drawn = block["drawn"] + self._drawn
        self._staff = block.get("staff", []) + self._staff
        self._rejected += block["rejected"]
        self._skipped += block["skipped_frames"]
        self._clock = self._clock or block["clock"]
