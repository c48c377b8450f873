"""Reads the maps inside a setting (a step, a condition, an ending): known names, each with what it accepts."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from hippogym.config.nearest import did_you_mean
from hippogym.config.values import Finding

At: TypeAlias = tuple[str, ...]


class Entry(NamedTuple):
    """What stands behind a name. fits: whether a value will do. is_text: so that a number needs quotes."""

    expected: str
    fits: Callable[[object], bool]
    is_text: bool = False


def read_map(value: object, at: At, entries: Mapping[str, Entry], wrong: list[Finding]) -> dict[str, Any]:
    """The entries that are right; what is wrong with the others is added to ``wrong``.

    A name with nothing behind it is as if it were not there.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        wrong.append(Finding(at, "a map: " + ", ".join(entries)))
        return {}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if name not in entries:
            wrong.append(Finding((*at, name), said=f"not known here{did_you_mean(name, entries)}"))
        elif inner is not None and not entries[name].fits(inner):
            wrong.append(Finding((*at, name), entries[name].expected, is_text=entries[name].is_text))
        elif inner is not None:
            found[name] = inner
    return found


def whole_between(low: int, high: int) -> Entry:
    """A whole number with inclusive bounds."""
    return Entry(f"a whole number from {low:,} to {high:,}", lambda value: type(value) is int and low <= value <= high)


def number_between(low: float, high: float) -> Entry:
    """A finite number with inclusive bounds."""

    def fits(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return Entry(f"a number from {low:,g} to {high:,g}", fits)


def line_like(pattern: str, expected: str) -> Entry:
    """A text of a certain form."""
    return Entry(expected, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, True)


def one_of(*names: str) -> Entry:
    """One of a few words."""
    expected = ", ".join(names[:-1]) + f" or {names[-1]}"
    return Entry(expected, lambda value: isinstance(value, str) and value in names, True)


def is_plain(value: object) -> bool:
    """Whether JSON can carry it: no infinities, nothing that is not a number."""
    if isinstance(value, Mapping):
        return all(is_plain(item) for item in value.values())
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
