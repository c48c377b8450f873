"""Checks what the functions of an agent return: the one place that knows every form in which environments answer."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippogym.errors import AgentError

LARGEST_SIDE = 4096
LONGEST_TEXT = 500
MOST_ROWS = 64  # of a display
WIRE = "wire"
LARGEST_WIRE_BYTES = 2**20  # what v1's clients took at most

# What only the server may say (docs/protocol.md): with a "done" of its own, an agent would end its participant's game.
SERVERS_OWN = frozenset(
    "UI frame frameId display welcome keys actions stepMode frameRate status notice ping rttMs error done queue "
    "receipt".split()
)

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class ResetResult:
    """observation and info: of the new episode, None where the agent and its environment gave none.

    seed_used: whether the seed asked for reached the environment.
    """

    observation: Any
    info: Any
    seed_used: bool


@dataclass(frozen=True)
class StepResult:
    """record: what is to be kept, as the agent returned it, or the parts of a tuple by their names.

    terminated, truncated: None where the agent did not tell them apart. reward: None where there is none.
    action_reported: what a dict says was really applied, None where it says nothing.
    """

    record: dict[str, Any]
    done: bool
    terminated: bool | None
    truncated: bool | None
    reward: float | None
    action_reported: Any


def describe(value: Any) -> str:
    """What came, in a few words: the type, and the shape of an array or the keys of a dict."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(str(key)[:30] for key in list(value)[:10]) or '(none)'}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"an object of type {type(value).__name__}"


def read_frame(returned: Any) -> Frame:
    """The image that render() returned, as a C-contiguous uint8 array (height, width, 3).

    Accepts (height, width, 3), (height, width) in grey, (height, width, 4) whose transparency is dropped, and the list
    of such frames that ``rgb_array_list`` environments return, of which the newest counts. Else AgentError.
    """
    frame = returned[-1] if isinstance(returned, list | tuple) and returned else returned
    problem = _frame_problem(frame)
    if problem:
        raise AgentError(
            "render",
            f"render() returned {describe(returned)}, expected an image as a uint8 array of shape (height, width, 3), "
            f"(height, width) or (height, width, 4): {problem}",
        )
    if frame.ndim == 2:
        return np.repeat(frame[:, :, np.newaxis], 3, axis=2)
    return _contiguous(frame[:, :, :3])


def _frame_problem(frame: Any) -> str | None:
    if frame is None:
        return "Gymnasium's environments draw if they are made with render_mode='rgb_array'"
    if not isinstance(frame, np.ndarray):
        return "it is not a numpy array"
    if frame.dtype != np.uint8:
        return "the colours must be whole numbers from 0 to 255, such as (frame * 255).astype(np.uint8) makes of 0 to 1"
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (3, 4)):
        channels_first = frame.ndim == 3 and frame.shape[0] in (3, 4)
        return "the colours come last: np.transpose(frame, (1, 2, 0))" if channels_first else "that is no image's shape"
    if not all(1 <= side <= LARGEST_SIDE for side in frame.shape[:2]):
        return f"each side must have 1 to {LARGEST_SIDE} pixels"
    return None


def _contiguous(frame: Frame) -> Frame:
    """The frame itself, or a copy in the usual order of bytes.

    Rows that are in order are copied whole. Anything else (pygame's surfaces, which are turned and have a fourth byte;
    colours in reverse or as planes) is 3 to 9 times faster as three copies of one colour each: 0.3 instead of 2.3 ms
    at 600 by 400.
    """
    if frame.flags.c_contiguous:
        return frame
    if frame.strides[1:] == (3, 1):
        return np.ascontiguousarray(frame)
    copy = np.empty(frame.shape, np.uint8)
    for colour in range(3):
        copy[:, :, colour] = frame[:, :, colour]
    return copy


def read_step(returned: Any) -> StepResult:
    """What step() returned: a dict with ``done``, gym's four values or Gymnasium's five. Else AgentError."""
    if isinstance(returned, dict):
        return _read_step_dict(returned)
    if isinstance(returned, tuple | list) and len(returned) == 4:
        observation, reward, done, info = returned
        ended = _flag(done, "done")
        truncated = bool(info["TimeLimit.truncated"]) if _has(info, "TimeLimit.truncated") else None
        record = {"observation": observation, "reward": reward, "done": done, "info": info}
        return StepResult(record, ended, None if truncated is None else ended and not truncated, truncated,
                          _number(reward), None)  # fmt: skip
    if isinstance(returned, tuple | list) and len(returned) == 5:
        observation, reward, terminated, truncated, info = returned
        ends = _flag(terminated, "terminated"), _flag(truncated, "truncated")
        record = {"observation": observation, "reward": reward, "terminated": terminated, "truncated": truncated}
        record |= {"done": any(ends), "info": info}
        return StepResult(record, any(ends), *ends, _number(reward), None)
    raise AgentError(
        "step",
        f"step() returned {describe(returned)}, expected a dict with at least 'done', or the tuple that env.step() "
        "returns (observation, reward, terminated, truncated, info)",
    )


def _read_step_dict(record: dict[str, Any]) -> StepResult:
    ends = [_flag(record[key], key) if record.get(key) is not None else None for key in ("terminated", "truncated")]
    if "done" not in record and ends == [None, None]:
        raise AgentError("step", f"step() returned {describe(record)}, but 'done' is missing: is the episode over?")
    done = _flag(record["done"], "done") if "done" in record else any(ends)
    return StepResult(dict(record), done, ends[0], ends[1], _number(record.get("reward")), record.get("action"))


def _has(info: Any, key: str) -> bool:
    return isinstance(info, dict) and key in info


def _flag(value: Any, name: str) -> bool:
    """True or False, also as numpy's, as 0 or 1, or as an array of one of these. Else AgentError."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool | np.bool_) or (isinstance(value, int | float | np.number) and value in (0, 1)):
        return bool(value)
    raise AgentError("step", f"step() returned {describe(value)} as {name!r}, expected True or False")


def _number(value: Any) -> float | None:
    """A reward as a number (nan and inf are numbers, too); None where it is none, such as a list of several."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, int | float | np.integer | np.floating | np.bool_):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def read_reset(returned: Any, observed: Any, env: Any) -> tuple[Any, Any]:
    """Observation and info of a new episode: what reset() returned, or else what the environment's own reset gave."""
    result = observed if returned is None or returned is env else returned
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
        return result
    return result, None


def read_display(returned: Any) -> dict[str, Any] | None:
    """What display() returned: names and what stands beside them, as text or plain numbers. Else AgentError.

    The first 64 of them; more would be no help to a participant, and a burden for the connection.

    Under ``wire`` it may have messages for clients that know more than ours: a dict of JSON values, passed on as it is.
    """
    if returned is None:
        return None
    if not isinstance(returned, dict):
        raise AgentError("display", f"display() returned {describe(returned)}, expected a dict from names to values")
    rows = ((name, value) for name, value in returned.items() if name != WIRE)
    shown: dict[str, Any] = {
        str(name)[:LONGEST_TEXT]: _shown(value) for name, value in itertools.islice(rows, MOST_ROWS)
    }
    if returned.get(WIRE) is not None:
        shown[WIRE] = _read_wire(returned[WIRE])
    return shown


def _read_wire(wire: Any) -> dict[str, Any]:
    """A copy, in plain JSON values, that the agent cannot change any more. numpy's scalars count as numbers."""
    if not isinstance(wire, dict):
        raise AgentError("display", f"display() returned {describe(wire)} as {WIRE!r}, expected a dict of JSON values")
    try:
        text = json.dumps(wire, allow_nan=False, default=_plain_scalar)
    except (TypeError, ValueError, RecursionError) as problem:
        raise AgentError(
            "display", f"display() returned under {WIRE!r} what is not JSON: {str(problem)[:LONGEST_TEXT]}"
        ) from problem
    if len(text) > LARGEST_WIRE_BYTES:
        raise AgentError(
            "display", f"display() returned {len(text)} bytes of JSON under {WIRE!r}, at most {LARGEST_WIRE_BYTES} go"
        )
    plain: dict[str, Any] = json.loads(text)
    if taken := sorted(SERVERS_OWN & plain.keys()):
        raise AgentError(
            "display", f"display() returned {', '.join(taken)} under {WIRE!r}: only the server says that to a client"
        )
    return plain


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(describe(value))


def _shown(value: Any) -> str | int | float | bool:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        value = value.item()
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return value if isinstance(value, float) and np.isfinite(value) else str(value)[:LONGEST_TEXT]
