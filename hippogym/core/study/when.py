"""The comparisons of ``when:``, such as ``survey.age >= 18``: read once, asked of every visit.

A name is ``condition``, ``group.<page>``, ``<step>.<control>``, ``<game step>.score`` (or episodes, ticks, reason)
or ``attention_failed``. Numbers are compared as numbers, dates as dates, everything else as text, exactly.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | float | bool | None | list[str]
"""What a name stands for. None: nothing was answered, or the step was not shown."""

OPERATORS = ("==", "!=", "<=", ">=", "<", ">", "in")
GAME_RESULTS = ("score", "episodes", "ticks", "reason")

_COMPARISON = re.compile(r"\s*(?P<name>.+?)\s*(?P<operator>==|!=|<=|>=|<|>|\sin\s)\s*(?P<value>.*?)\s*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d(:\d\d)?")


class Unknown:
    """What a name stands for before the participant has come that far."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Comparison:
    """One comparison. values: one text, or with ``in`` several. text: as it was written."""

    name: str
    operator: str
    values: tuple[str, ...]
    text: str

    @property
    def subject(self) -> str:
        """What the name begins with: a step's name, ``condition``, ``group`` or ``attention_failed``."""
        return self.name.partition(".")[0]

    @property
    def detail(self) -> str:
        """What follows the first dot: a control, a page or a result of a game; empty without a dot."""
        return self.name.partition(".")[2]


def read_comparison(text: str) -> Comparison:
    """Raises ValueError with a sentence about what is wrong."""
    found = _COMPARISON.fullmatch(text)
    if found is None or found["name"][-1] in "=<>!":
        raise ValueError("expected a comparison such as survey.age >= 18 (with == != < <= > >= or in)")
    name, operator = found["name"], found["operator"].strip()
    values = _values(found["value"], operator)
    if operator[0] in "<>" and _ordered(values[0]) is None:
        raise ValueError(f"{operator} compares numbers, dates and times; {values[0]!r:.60} is none")
    return Comparison(name, operator, values, text.strip())


def holds(comparison: Comparison, value_of: Callable[[str], Value | Unknown]) -> bool | None:
    """Whether the comparison holds; None where it cannot be known yet.

    What was not answered is equal to nothing: of all comparisons only ``!=`` holds. Of several values (boxes, a list
    of several) one is enough for ``==`` and ``in``, and none may be there for ``!=``.
    """
    value = value_of(comparison.name)
    if isinstance(value, Unknown):
        return None
    values = value if isinstance(value, list) else [] if value is None else [value]
    if comparison.operator == "!=":
        return not any(_same(item, comparison.values[0]) for item in values)
    if comparison.operator in ("==", "in"):
        return any(_same(item, wanted) for item in values for wanted in comparison.values)
    return any(_in_order(item, comparison.operator, comparison.values[0]) for item in values)


def _values(text: str, operator: str) -> tuple[str, ...]:
    parts = [_unquoted(part) for part in text.split(",")] if operator == "in" else [_unquoted(text)]
    if not text or not all(part for part in parts):
        raise ValueError(f"nothing stands behind {operator}")
    if operator != "in" and re.match(r"[=<>!]", text):
        raise ValueError(f"{operator}{text[0]} is no comparison; there are == != < <= > >= and in")
    return tuple(parts)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _as_text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.15g}"


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text.strip(), re.IGNORECASE) else None


def _ordered(text: str) -> float | str | None:
    """What can be ordered: a number, or a date or time, whose text is in its order."""
    number = _number(text)
    return number if number is not None else text if _DATE.fullmatch(text) else None


def _same(value: str | float | bool, wanted: str) -> bool:
    text = _as_text(value)
    if isinstance(value, bool):
        return text == wanted.lower()
    number, other = _number(text), _number(wanted)
    return number == other if number is not None and other is not None else text == wanted


def _in_order(value: str | float | bool, operator: str, wanted: str) -> bool:
    left, right = _ordered(_as_text(value)), _ordered(wanted)
    if left is None or right is None or isinstance(left, str) != isinstance(right, str):
        return False
    smaller = left < right  # type: ignore[operator]  # both numbers, or both texts
    return {"<": smaller, "<=": smaller or left == right, ">": not smaller and left != right, ">=": not smaller}[
        operator
    ]
