"""What the settings that hold names, lists and maps accept. Each function returns the value or raises Wrong."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hippogym.core.action_names import atoms_of, squash
from hippogym.core.keymaps import parse_combination

ActionValue: TypeAlias = int | float | list[Any]
"""A number, or a list of action values."""

ACTION_NAME = "the name of an action (text of 1 to 40 characters)"
ACTION_VALUE = "a number, or a list of numbers (lists may hold lists, up to 4 deep)"
KEY_NAME = "a key such as KeyW, Space or Digit1, or keys joined as in ArrowUp+ArrowRight"
UI_NAME = "a name of letters, digits, _, - and spaces, at most 40 characters"
STEP_FILE = "the name of a file in StepFiles, or game, or nothing"
ORIGIN = "a web origin exactly as a browser sends it: https://host or https://host:port, nothing behind it"
INSTRUCTION = "text of 1 to 10,000 characters"

MAX_ENTRIES = 1_000


@dataclass(frozen=True)
class Finding:
    """One wrong thing in a setting. at: where inside it. said: the whole complaint, where "expected" will not do.

    is_text: whether text is expected there, so that a number only lacks its quotes.
    """

    at: tuple[str, ...] = ()
    expected: str = ""
    said: str = ""
    is_text: bool = False


class Wrong(ValueError):
    """Everything that is wrong with one setting, so that all of it is told at once."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f.said or f.expected for f in self.findings))


def action_space(value: object) -> tuple[str, ...] | Mapping[str, ActionValue]:
    """The ordered list of names (position = action), or the map from name to value."""
    if isinstance(value, list | tuple):
        wrong = [Finding((str(i),), ACTION_NAME) for i, name in enumerate(value) if not is_action_name(name)]
        wrong += too_many_or_none(value)
        wrong += _same_twice(enumerate(value))
        return tuple(_sound(value, wrong))
    if isinstance(value, Mapping):
        wrong = [Finding((name,), ACTION_NAME) for name in value if not is_action_name(name)]
        wrong += [Finding((name,), ACTION_VALUE) for name, of in value.items() if not _is_action_value(of)]
        wrong += too_many_or_none(value)
        wrong += _same_twice((name, name) for name in value)
        return dict(_sound(value, wrong))
    raise Wrong([Finding()])


def key_map(value: object) -> dict[str, str | None]:
    """From key or combination to the name of an action, or None to take the key away from what it did.

    The same keys in another order are the same combination.
    """
    if not isinstance(value, Mapping):
        raise Wrong([Finding()])
    wrong = too_many_or_none(value, least=0)
    first: dict[frozenset[str], str] = {}
    for combination, action in value.items():
        codes = parse_combination(combination) if len(combination) <= 100 else None
        if codes is None:
            wrong.append(Finding((combination,), said=f"not a key; expected {KEY_NAME}"))
        elif (earlier := first.setdefault(frozenset(codes), combination)) != combination:
            wrong.append(Finding((combination,), said=f"the same keys as {earlier}"))
        if action is not None and not is_action_name(action):
            wrong.append(Finding((combination,), ACTION_NAME))
    return dict(_sound(value, wrong))


def controls(value: object) -> dict[str, bool]:
    """From the name of a control on the page to whether it is shown."""
    if not isinstance(value, Mapping):
        raise Wrong([Finding()])
    wrong = too_many_or_none(value, least=0)
    wrong += [Finding((name,), said=f"expected {UI_NAME}") for name in value if not _is_ui_name(name)]
    wrong += [Finding((name,), "true or false") for name, shown in value.items() if not isinstance(shown, bool)]
    return dict(_sound(value, wrong))


def web_origins(value: object) -> tuple[str, ...]:
    """Origins that may embed the page or connect to it."""
    if not isinstance(value, list | tuple):
        raise Wrong([Finding()])
    wrong = [Finding((str(i),), ORIGIN) for i, origin in enumerate(value) if not _is_origin(origin)]
    return tuple(_sound(value, wrong + too_many_or_none(value, least=0)))


def instruction_texts(value: object) -> tuple[str, ...]:
    """One text or several, as the page shows them; always a tuple."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise Wrong([Finding()])
    wrong = [
        Finding((str(i),), INSTRUCTION)
        for i, text in enumerate(texts)
        if not isinstance(text, str) or not 1 <= len(text.strip()) <= 10_000
    ]
    return tuple(_sound(texts, wrong + too_many_or_none(texts, least=0)))


def spelling_free(name: str) -> str | frozenset[str]:
    """What is equal for all spellings of an action's name: upleft, leftUp and UP-LEFT."""
    return atoms_of(name) or squash(name)


def is_action_name(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= 40 and name.isprintable() and name == name.strip() != ""


def _is_action_value(value: object, depth: int = 0) -> bool:
    if isinstance(value, list):
        sound = all(_is_action_value(item, depth + 1) for item in value)
        return 0 < len(value) <= MAX_ENTRIES and depth < 4 and sound
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (isinstance(value, float) or abs(value) < 2**63)


def _is_ui_name(name: str) -> bool:
    return re.fullmatch(r"\w([\w -]{0,38}[\w-])?", name) is not None


def _is_origin(origin: object) -> bool:
    """Lower case, and without the port that the scheme implies, because that is what browsers send."""
    if not isinstance(origin, str) or len(origin) > 300:
        return False
    label = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    found = re.fullmatch(rf"(https?)://({label}(\.{label})*|\[[0-9a-f:.]{{2,45}}\])(?::([1-9][0-9]{{0,4}}))?", origin)
    if found is None:
        return False
    scheme, port = found.group(1), found.groups()[-1]
    return port is None or (int(port) <= 65_535 and (scheme, port) not in {("https", "443"), ("http", "80")})


def too_many_or_none(entries: Any, least: int = 1) -> list[Finding]:
    """A finding where a list or a map has fewer entries than ``least``, or more than a study needs."""
    if least <= len(entries) <= MAX_ENTRIES:
        return []
    return [Finding(said=f"found {len(entries):,} entries, expected {least} to {MAX_ENTRIES:,}")]


def _same_twice(names: Iterable[tuple[object, object]]) -> list[Finding]:
    first: dict[str | frozenset[str], str] = {}
    wrong = []
    for at, name in names:
        if isinstance(name, str) and (earlier := first.setdefault(spelling_free(name), str(at))) != str(at):
            wrong.append(Finding((str(at),), said=f"{name!r:.60} is named twice; the first is {earlier}"))
    return wrong


def _sound(value: Any, wrong: list[Finding]) -> Any:
    if wrong:
        raise Wrong(wrong)
    return value


def optional(read: Callable[[object], Any]) -> Callable[[object], Any]:
    """The same reader, for a setting that may be absent."""
    return lambda value: None if value is None else read(value)
