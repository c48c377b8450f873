"""Watches an environment's own reset() while the agent's reset() runs.

Most agents write ``env.reset()`` and return nothing, so that the first observation of every episode would be lost; and
few pass a seed on. For as long as the agent's function runs, the environment's method is replaced by one that
remembers what came out, and that adds the seed where the caller gave none and the environment takes one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class ObservedReset:
    """result: what the environment's reset returned last, None before. seed_used: whether the seed was added."""

    def __init__(self, env: Any, seed: int | None) -> None:
        self.result: Any = None
        self.seed_used = False
        self._env = env
        self._original: Callable[..., Any] = env.reset
        self._seed = seed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._seed is not None and not self.seed_used and not args and kwargs.get("seed") is None:
            kwargs |= self._seeded()
        self.result = self._original(*args, **kwargs)
        return self.result

    def _seeded(self) -> dict[str, Any]:
        """The argument that seeds this reset: none for environments before gym 0.26, which have a method for it."""
        bare = getattr(self._env, "unwrapped", self._env)
        if takes(self._original, "seed") and takes(bare.reset, "seed"):
            self.seed_used = True
            return {"seed": self._seed}
        if callable(getattr(bare, "seed", None)):
            self._env.seed(self._seed)
            self.seed_used = True
        return {}


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function can be called with this keyword."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False  # built-in functions do not always say
    named = name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return named or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


@contextmanager
def observe_reset(env: Any, seed: int | None) -> Iterator[ObservedReset | None]:
    """Replaces env.reset for the duration of the block; None where there is no such method or it cannot be replaced."""
    own = getattr(env, "__dict__", None)
    if not isinstance(own, dict) or not callable(getattr(env, "reset", None)):
        yield None
        return
    observed = ObservedReset(env, seed)
    before = own.get("reset")
    own["reset"] = observed
    try:
        yield observed
    finally:
        own.pop("reset", None)
        if before is not None:
            own["reset"] = before
