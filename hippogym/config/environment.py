"""The only place that looks at environment variables."""

import base64
import binascii
import os
import re
from dataclasses import dataclass, field

from hippogym.config.values import ORIGIN, Wrong, web_origins
from hippogym.errors import ConfigError

KEY_BYTES = 32


@dataclass(frozen=True)
class Environment:
    """What the process's environment says; None: nothing.

    ADDRESS, PORT: where to listen. DASHBOARD_TOKEN: opens the dashboard. The others are of a server on AWS. TICKET_KEY:
    32 bytes, with which tickets are signed that let participants in. UNTIL_S: seconds since 1970 when its games end.
    STUDY_BUCKET: where receipts are put, and records looked up. PAGE_ORIGIN: of the page from which participants come.
    """

    ADDRESS: str | None
    PORT: int | None
    DASHBOARD_TOKEN: str | None = field(default=None, repr=False)
    TICKET_KEY: bytes | None = field(default=None, repr=False)
    UNTIL_S: float | None = None
    STUDY_BUCKET: str | None = None
    PAGE_ORIGIN: str | None = None


def environment() -> Environment:
    """ADDRESS, PORT, HIPPOGYM_DASHBOARD_TOKEN and a server's own, as they are set now; an empty one is not set.

    TICKET_KEY is taken out of it, so that no process that is started from now on inherits it. Raises ConfigError.
    (A trial's process forgets everything that begins with HIPPOGYM_, see live/worker.py.)
    """
    return Environment(
        _text("ADDRESS"),
        _port(_text("PORT") or ""),
        _text("HIPPOGYM_DASHBOARD_TOKEN"),
        _key(os.environ.pop("TICKET_KEY", "").strip()),
        _seconds(_text("UNTIL_S")),
        _text("STUDY_BUCKET"),
        _origin(_text("PAGE_ORIGIN")),
    )


def _text(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise ConfigError(f"The environment variable PORT is {text[:60]!r}; expected a whole number from 0 to 65535.")
    return int(text)


def _key(text: str) -> bytes | None:
    """What is wrong with it is said without it."""
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"The environment variable TICKET_KEY is not base64 of {KEY_BYTES} bytes.")
    return key


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII):
        raise ConfigError(f"The environment variable UNTIL_S is {text[:60]!r}; expected seconds since 1970.")
    return float(text)


def _origin(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return web_origins([text])[0]
    except Wrong:
        raise ConfigError(f"The environment variable PAGE_ORIGIN is {text[:60]!r}; expected {ORIGIN}.") from None
