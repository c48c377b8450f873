"""What is known of every tick beyond the environment's own answer: the columns about the human, in one table.

Their order here is their order in every export; docs/reading.md explains them to the people who work with them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT, FLOAT, TEXT = "int", "float", "text"

HUMAN_COLUMNS: dict[str, str] = {
    "action_name": TEXT,
    "action_origin": TEXT,
    "action_age_ticks": INT,
    "input_seq": INT,
    "input_conn": INT,
    "input_received_ns": INT,
    "input_client_ms": FLOAT,
    "frame_seen": INT,
    "tick_seen": INT,
    "reaction_ms": FLOAT,
    "input_delay_ms": FLOAT,
    "frame": INT,
    "frame_sha256": TEXT,
    "frame_sent_ns": INT,
    "frame_drawn_client_ms": FLOAT,
    "frame_drawn_received_ns": INT,
    "display_delay_ms": FLOAT,
    "clock_offset_ms": FLOAT,
    "clock_error_ms": FLOAT,
    "late_ns": INT,
    "missed_ticks": INT,
    "skipped_frames": INT,
    "rejected": INT,
    "rate": FLOAT,
    "conn": INT,
    "t_mono_ns": INT,
    "t_wall_ns": INT,
}
NO_INT = -1  # in arrays, which cannot hold None
MOST_INT = 2**63


@dataclass(frozen=True)
class InputNote:
    """Something the participant did, with the tick in whose entry it stands."""

    tick: int
    fields: dict[str, Any]


def as_int(value: object) -> int | None:
    """A whole number of 64 bits, None for anything else."""
    if type(value) is int and -MOST_INT <= value < MOST_INT:
        return value
    return None


def as_float(value: object) -> float | None:
    """A number as a float, None for anything else."""
    if type(value) is float:
        return value
    return float(value) if type(value) is int and abs(value) < 2**1000 else None


def as_text(value: object) -> str | None:
    return value if type(value) is str else None


def to_array(values: list[Any], kind: str) -> NDArray[Any]:
    """One column: int64 with -1 for what is not there, float64 with nan, or an array of str with ''."""
    if kind == INT:
        return np.array([NO_INT if value is None else value for value in values], np.int64)
    if kind == FLOAT:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(["" if value is None else value for value in values], object)
