"""Asks an environment for its spaces: whoever exports a record needs them, and may not have the environment."""

import logging
from typing import Any

from hippogym.core.spaces import Description, describe_space

logger = logging.getLogger(__name__)


def read_spaces(env: Any) -> dict[str, Description | None]:
    """``{"observation": …, "action": …}`` as core.spaces describes them, None where the environment has none.

    Never raises: the question may run anybody's code, and a record without the answer is still a record.
    """
    return {"observation": _ask(env, "observation_space"), "action": _ask(env, "action_space")}


def _ask(env: Any, name: str) -> Description | None:
    try:
        return describe_space(getattr(env, name, None))
    except Exception as problem:  # the environment's own code runs here
        logger.warning("the environment's %s cannot be described: %s", name, type(problem).__name__)
        return None
