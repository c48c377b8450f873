"""Names of actions: the many spellings of one name, and what a direction is made of."""

import re

_PARTS = {
    **{"up": "up", "down": "down", "left": "left", "right": "right", "fire": "fire"},
    **{"north": "up", "south": "down", "west": "left", "east": "right"},
}
_PART = re.compile("|".join(_PARTS))
_OPPOSITES = ({"up", "down"}, {"left", "right"})
_NOOPS = frozenset("noop nop none nothing donothing noaction idle wait stay still coast".split())


def squash(name: str) -> str:
    """The name in lower case without spaces, underscores and dashes between letters: equal for all its spellings.

    Signs stay where they mean something, as in ``0-``, ``0+`` and ``-1``.
    """
    text = name.strip().lower()
    return re.sub(r"[\s_]+|(?<=[a-z])-(?=[a-z])", "", text) or text


def atoms_of(name: str) -> frozenset[str]:
    """The parts of a direction: ``leftUp`` is left and up, ``UPRIGHTFIRE`` up, right and fire.

    Empty for any name that is not wholly made of directions and ``fire``, or that contradicts itself.
    """
    text = squash(name)
    parts = _PART.findall(text)
    atoms = frozenset(_PARTS[part] for part in parts)
    whole = "".join(parts) == text and len(atoms) == len(parts)
    return atoms if whole and not any(pair <= atoms for pair in _OPPOSITES) else frozenset()


def same_name(one: str, other: str) -> bool:
    """Whether two names mean one action: ``upleft`` and ``LEFT_UP``, ``noop`` and ``NOOP``."""
    return squash(one) == squash(other) or (bool(atoms_of(one)) and atoms_of(one) == atoms_of(other))


def is_noop(name: str) -> bool:
    """Whether a name says that nothing is to be done (``noop``, ``idle``, …); first clients send it on release."""
    return squash(name) in _NOOPS
