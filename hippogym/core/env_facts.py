"""What an environment says of itself, as plain values that fit through any pipe."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""What goes into an environment: int, float, str, or tuples of them (for arrays), or a dict of them."""


@dataclass(frozen=True)
class EnvFacts:
    """space: the action space as a dict, or None where the environment has none:

        ``{"type": "Discrete", "n": 9, "start": 0}``
        ``{"type": "Box", "low": [...], "high": [...], "shape": [2], "dtype": "float32"}`` (low and high nested
        like the shape, both absent where the space has more than 1024 numbers)
        ``{"type": "MultiDiscrete", "nvec": [...], "start": [...]}``, ``{"type": "MultiBinary", "n": 8 or [2, 3]}``
        ``{"type": <any other>, "repr": "Dict(...)"}``
    meanings: what the environment calls its actions, in their order (``get_action_meanings``).
    keys_to_action: the environment's own keys, as pairs of codes held together and the action they give; the pair
        without a code is the action when nothing is held.
    name: ``ALE/MsPacman-v5``, or the class of an environment without a registered name.
    """

    space: dict[str, Any] | None = None
    meanings: tuple[str, ...] | None = None
    keys_to_action: tuple[tuple[tuple[str, ...], Value], ...] | None = None
    name: str = ""


def as_value(value: Any) -> Value:
    """The same value without numpy and without lists: tuples, so that nobody can change it later."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(as_value(item) for item in value)
    if isinstance(value, dict):
        return {key: as_value(item) for key, item in value.items()}
    return value
