"""The only place that looks at environment variables."""

import os
from dataclasses import dataclass, field

from hippogym.errors import ConfigError


@dataclass(frozen=True)
class Environment:
    """What the process's environment says about where to listen, and what opens the dashboard; None: nothing."""

    ADDRESS: str | None
    PORT: int | None
    DASHBOARD_TOKEN: str | None = field(default=None, repr=False)


def environment() -> Environment:
    """ADDRESS, PORT and HIPPOGYM_DASHBOARD_TOKEN as they are set now; an empty one counts as not set.

    Raises ConfigError. (A trial's process forgets everything that begins with HIPPOGYM_, see live/worker.py.)
    """
    return Environment(
        os.environ.get("ADDRESS", "").strip() or None,
        _port(os.environ.get("PORT", "").strip()),
        os.environ.get("HIPPOGYM_DASHBOARD_TOKEN", "").strip() or None,
    )


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise ConfigError(f"The environment variable PORT is {text[:60]!r}; expected a whole number from 0 to 65535.")
    return int(text)
