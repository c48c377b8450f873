"""Keys by the names that browsers give them, and which keys an action gets when nobody says.

A *code* is a ``KeyboardEvent.code``: the place of a key on the keyboard, whatever is printed on it (``KeyW``,
``ArrowUp``, ``Space``). Gamepads have codes of our own: ``PadUp PadDown PadLeft PadRight PadA PadB``.
"""

import re
from collections.abc import Iterable

from hippogym.core.action_names import atoms_of, squash

PAD_CODES = ("PadUp", "PadDown", "PadLeft", "PadRight", "PadA", "PadB")

DIRECTION_KEYS: tuple[dict[str, str], ...] = (
    {"up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight", "fire": "Space"},
    {"up": "KeyW", "down": "KeyS", "left": "KeyA", "right": "KeyD", "fire": "Space"},
    {"up": "PadUp", "down": "PadDown", "left": "PadLeft", "right": "PadRight", "fire": "PadA"},
)

NAMED_KEYS: dict[str, tuple[str, ...]] = {
    "pickup": ("KeyP", "Space", "PadA"),
    "dropoff": ("KeyO", "PadB"),
    "hit": ("KeyH", "Space", "PadA"),
    "stick": ("KeyS", "PadB"),
    "jump": ("Space", "PadA"),
}
NOOP_KEY = "KeyN"  # needed where the environment waits: doing nothing is a turn, too

FALLBACK_KEYS = (
    *(f"Digit{digit}" for digit in range(10)),
    *(f"Key{letter}" for letter in "QWERTYUIOPASDFGHJKLZXCVBNM"),
)

# One column of the keyboard for each dimension of a Box: the upper key raises it, the lower one lowers it.
PAIR_KEYS = tuple((f"Key{up}", f"Key{down}") for up, down in ("QA", "WS", "ED", "RF", "TG", "YH", "UJ", "IK"))

_OTHER_CODES = (
    "Enter Tab Escape Backspace Delete Insert Home End PageUp PageDown Minus Equal BracketLeft BracketRight "
    "Semicolon Quote Backquote Backslash Comma Period Slash IntlBackslash CapsLock ShiftLeft ShiftRight ControlLeft "
    "ControlRight AltLeft AltRight MetaLeft MetaRight NumpadAdd NumpadSubtract NumpadMultiply NumpadDivide "
    "NumpadDecimal NumpadEnter"
).split()
_CODES = (
    *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "KeyW", "KeyS", "KeyA", "KeyD"),
    *("PadUp", "PadDown", "PadLeft", "PadRight"),
    *(f"Key{letter}" for letter in "BCEFGHIJKLMNOPQRTUVXYZ"),
    *(f"Digit{digit}" for digit in range(10)),
    *(f"Numpad{digit}" for digit in range(10)),
    *(f"F{number}" for number in range(1, 13)),
    *_OTHER_CODES,
    *("Space", "PadA", "PadB"),
)
_RANK = {code: rank for rank, code in enumerate(_CODES)}

_ALIASES = {
    **{code.lower(): code for code in _CODES},
    **{code[3:].lower(): code for code in _CODES if code.startswith("Key")},
    **{code[5:]: code for code in _CODES if code.startswith("Digit")},
    **{direction.lower(): f"Arrow{direction}" for direction in ("Up", "Down", "Left", "Right")},
    **{f"{direction.lower()}arrow": f"Arrow{direction}" for direction in ("Up", "Down", "Left", "Right")},
    **{f"{modifier.lower()}": f"{modifier}Left" for modifier in ("Shift", "Control", "Alt", "Meta")},
    **{"ctrl": "ControlLeft", "lshift": "ShiftLeft", "rshift": "ShiftRight", "return": "Enter", "esc": "Escape"},
    **{" ": "Space", "spacebar": "Space", "-": "Minus", "=": "Equal", "[": "BracketLeft", "]": "BracketRight"},
    **{";": "Semicolon", "'": "Quote", "`": "Backquote", "\\": "Backslash", ",": "Comma", ".": "Period"},
    **{"/": "Slash", "\r": "Enter", "\n": "Enter", "\t": "Tab", "\x1b": "Escape", "\x08": "Backspace"},
}

# The numbers that pygame 1 and pygame 2 give to keys that are no characters.
_PYGAME_CODES = {
    **{273: "ArrowUp", 274: "ArrowDown", 275: "ArrowRight", 276: "ArrowLeft"},
    **{1073741906: "ArrowUp", 1073741905: "ArrowDown", 1073741903: "ArrowRight", 1073741904: "ArrowLeft"},
    **{303: "ShiftRight", 304: "ShiftLeft", 305: "ControlRight", 306: "ControlLeft"},
    **{1073742049: "ShiftLeft", 1073742053: "ShiftRight", 1073742048: "ControlLeft", 1073742052: "ControlRight"},
}


def code_of(key: object) -> str | None:
    """The code of one key as environments and people name it, or None where there is no such key.

    key: a code (``ArrowUp``), a character (``w``), a word (``space``, ``left``, ``ctrl``), ``ord`` of a
        character, or the number of a pygame key.
    """
    if isinstance(key, int) and not isinstance(key, bool):
        if key in _PYGAME_CODES:
            return _PYGAME_CODES[key]
        return _ALIASES.get(chr(key).lower()) if 0 <= key < 128 else None
    if not isinstance(key, str):
        return None
    return _ALIASES.get(key.lower() if len(key) == 1 else re.sub(r"[\s_-]+", "", key).lower())


def parse_combination(text: str) -> tuple[str, ...] | None:
    """The codes in ``ArrowUp+ArrowRight`` (or ``w + d``), without repeats; None where one is unknown."""
    codes = [code_of(part.strip()) for part in text.split("+")]
    return sort_codes({code for code in codes if code is not None}) if all(codes) else None


def sort_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Codes in the order in which a person reads a combination: up before right, Space last."""
    return tuple(sorted(codes, key=lambda code: (_RANK.get(code, len(_RANK)), code)))


def keys_for_name(name: str) -> list[frozenset[str]]:
    """The combinations that an action of this name gets by itself; none where the name says nothing.

    Directions and ``fire`` come on the arrows, on WASD and on a gamepad, diagonals as two keys together.
    """
    atoms = atoms_of(name)
    if atoms:
        combinations = [frozenset(family[atom] for atom in atoms) for family in DIRECTION_KEYS]
        return list(dict.fromkeys(combinations))
    return [frozenset({code}) for code in NAMED_KEYS.get(squash(name), ())]
