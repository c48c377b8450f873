"""Can the comparisons of a ``when`` hold together at all? Tried with every value that could make a difference."""

import datetime
import functools
import itertools
import re
from collections.abc import Sequence

from hippogym.core.study.forms import Control, as_number
from hippogym.core.study.when import Comparison, Value, holds

OTHER = "\N{NULL}"  # a text that nobody means
_ANYWHERE = {"number": ("0",), "range": ("0",), "date": ("2000-01-01",), "time": ("12:00",)}
_DATE, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d(:\d\d)?"


def can_hold(comparisons: Sequence[Comparison], control: Control, *, always: bool = False) -> bool:
    """Whether any answer satisfies all comparisons, which are of one name.

    control: what answers under that name. always: whether there is an answer for certain; otherwise there may be none,
    as where the step was left out.
    """
    nothing: list[Value] = [] if always else [None]
    if control.multiple:  # one answer may have several values
        return all(_is_met([c], candidates([c], control) + nothing) for c in comparisons)
    return _is_met(comparisons, candidates(comparisons, control) + nothing)


def candidates(comparisons: Sequence[Comparison], control: Control) -> list[Value]:
    """At least one answer of every kind that the comparisons tell apart."""
    if control.kind == "checkbox" and not control.multiple:
        return [True, False]
    if control.kind in ("radio", "checkbox", "select", "select-multiple"):
        return [option.value for option in control.options]
    named = [value for c in comparisons for value in c.values]
    bounds = [bound for bound in (control.min, control.max) if bound]
    around = [near for value in [*named, *bounds, *_ANYWHERE.get(control.kind, ())] for near in _around(value)]
    numbers = sorted({number for text in around if (number := as_number(text)) is not None})
    between = [f"{(low + high) / 2!r}" for low, high in itertools.pairwise(numbers)]
    return [text for text in [*around, *between, OTHER] if _accepts(control, text)]


def _is_met(comparisons: Sequence[Comparison], values: list[Value]) -> bool:
    return any(all(holds(c, functools.partial(_always, value)) for c in comparisons) for value in values)


def _always(value: Value, name: str) -> Value:
    return value


def _around(value: str) -> list[str]:
    """The value, and the nearest on both sides where there is an order."""
    if (number := as_number(value)) is not None:
        return [value, f"{number - 1:.15g}", f"{number + 1:.15g}"]
    if re.fullmatch(_DATE, value):
        try:
            day = datetime.date.fromisoformat(value).toordinal()
            return [value, *(datetime.date.fromordinal(d).isoformat() for d in (max(1, day - 1), day + 1))]
        except (ValueError, OverflowError):
            return [value]
    return [value, "00:00", "23:59:59"] if re.fullmatch(_TIME, value) else [value]


def _accepts(control: Control, text: str) -> bool:
    """Whether the page would let this be entered, by its kind and its bounds."""
    if control.kind in ("number", "range"):
        number, low, high = as_number(text), as_number(control.min), as_number(control.max)
        return number is not None and (low is None or low <= number) and (high is None or number <= high)
    if control.kind == "date":
        inside = (control.min or "") <= text <= (control.max or "9999-12-31")
        return re.fullmatch(_DATE, text) is not None and inside
    return True
