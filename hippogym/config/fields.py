"""How a setting is declared: its default, what it accepts and what it is for, in words for a researcher.

The words stand in the pydantic field itself, and both the error messages and docs/config.md are made from them.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

NEEDED: Any = ...


class Section(BaseModel):
    """A part of the file. Strict: "30" is not 30. Frozen: what was read is what holds until the server stops."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def whole(default: int | None, low: int, high: int, meaning: str, example: str) -> Any:
    """A whole number with inclusive bounds."""
    expected = f"a whole number from {low:,} to {high:,}"
    return _field(default, expected, meaning, example, ge=low, le=high)


def number(default: float, low: float, high: float, meaning: str, example: str) -> Any:
    """A finite number with inclusive bounds."""
    expected = f"a number from {low:,g} to {high:,g}"
    return _field(float(default), expected, meaning, example, ge=low, le=high, allow_inf_nan=False)


def flag(default: bool, meaning: str, example: str, shown: str = "") -> Any:
    """True or false. shown: the default in words, where another setting decides it."""
    return _field(default, "true or false", meaning, example, shown=shown)


def choice(default: str | int, expected: str, meaning: str, example: str) -> Any:
    """One of a few values."""
    return _field(default, expected, meaning, example, text=isinstance(default, str))


def text(
    default: Any, expected: str, pattern: str, meaning: str, example: str, *, longest: int = 200, shown: str = ""
) -> Any:
    """A line of text of a certain form. default: NEEDED where there is none."""
    limits: dict[str, Any] = {"pattern": pattern, "max_length": longest}
    return _field(default, expected, meaning, example, text=True, shown=shown, **limits)


def special(default: Any, expected: str, meaning: str, example: str, shown: str = "") -> Any:
    """A setting that is read by one of the functions of ``values``."""
    return _field(default, expected, meaning, example, shown=shown)


def section(default: Any, meaning: str) -> Any:
    """A section below another."""
    return _field(default, "a section: settings below it, indented", meaning, "")


def _field(
    default: Any, expected: str, meaning: str, example: str, *, text: bool = False, shown: str = "", **limits: Any
) -> Any:
    extra: JsonDict = {"expected": expected, "text": text, "shown": shown}
    return Field(default, description=meaning, examples=[example], json_schema_extra=extra, **limits)
