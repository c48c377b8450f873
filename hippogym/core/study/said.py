"""What a browser says of itself and of an answer, as far as it is kept. The same at every door of a study."""

import math
from typing import Any, Final

MOST_FACTS: Final = 24
LONGEST_FACT: Final = 300
MOST_MS: Final = 1e11


def facts_of(given: object) -> dict[str, Any]:
    """What a browser says of itself: a few plain values."""
    if not isinstance(given, dict):
        return {}
    plain = [(key, value) for key, value in given.items() if isinstance(value, str | bool | int | float)]
    return {
        key[:LONGEST_FACT]: value[:LONGEST_FACT] if isinstance(value, str) else value
        for key, value in plain[:MOST_FACTS]
        if not (isinstance(value, int | float) and abs(value) > MOST_MS)
    }


def milliseconds(value: object) -> float | None:
    """A time that can be; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if 0 <= value <= MOST_MS else None


def about_answer(body: dict[str, Any]) -> dict[str, Any]:
    """What is kept beside an answer: for how long it was shown and looked at, and the browser. body: as it was sent."""
    focus_ms = milliseconds(body.get("focusMs"))
    return {
        "shown_ms": milliseconds(body.get("shownMs")),
        "focus_s": None if focus_ms is None else focus_ms / 1000,
        "client": facts_of(body.get("client")),
    }
