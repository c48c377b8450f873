"""Signed words between a study's pages and its servers: what nobody can make up, and nobody can use for another.

A token says which visit somebody is. A ticket lets this visit into the game on one server, and says what the server
has to know of it. A receipt is what the server says of the game, handed on by the page. Ticket and receipt are signed
with the key of one server, which is made from the stack's: a server can speak for its own visit and for no other.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

KEY_BYTES: Final = 32
LONGEST: Final = 16_384

Kind = Literal["ticket", "receipt"]

_VISIT: Final = re.compile(r"[0-9a-f]{20}", re.ASCII)
_TOKEN: Final = re.compile(r"([0-9a-f]{20})\.([A-Za-z0-9_-]{43})")


def participant_token(key: bytes, project: str, visit_id: str) -> str:
    """What a participant brings with every request. key: of the stack, 32 secret bytes."""
    return f"{visit_id}.{_text(_keyed(key, 'visit', project, visit_id))}"


def visit_of_token(key: bytes, project: str, token: str) -> str | None:
    """The visit that a token is of; None for one that was never given out in this project."""
    found = _TOKEN.fullmatch(token)
    visit_id, proof = (found[1], found[2]) if found else ("0" * 20, "")
    real = hmac.compare_digest(_text(_keyed(key, "visit", project, visit_id)), proof)
    return visit_id if real else None


def server_key(key: bytes, project: str, server_id: str) -> bytes:
    """The key of one server; with it nobody can tell the stack's, or another server's."""
    return _keyed(key, "server", project, server_id)


def study_key(key: bytes, project: str) -> bytes:
    """The key of a study's completion codes."""
    return _keyed(key, "codes", project)


def sign(key: bytes, kind: Kind, said: Mapping[str, Any]) -> str:
    """``said``, signed: plain values for JSON. key: of the server."""
    body = _text(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    return f"{body}.{_text(_keyed(key, kind, body))}"


def read(key: bytes, kind: Kind, text: str) -> dict[str, Any] | None:
    """What is said under a signature that is right; None for everything else. ``until_s`` is left to the reader."""
    body, dot, proof = text.partition(".")
    if not dot or len(text) > LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(_text(_keyed(key, kind, body)), proof):
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return None
    return said if isinstance(said, dict) else None


@dataclass(frozen=True)
class Ticket:
    """What a ticket says.

    overrides: the settings of the trial as the condition and the step write them. episodes_done: those that need not be
    played again. round: how often the visit had been at this step before. turn: which of the visit's servers it is for.
    """

    visit: str
    user: str | None
    step: str
    condition: str | None
    overrides: tuple[Mapping[str, Any], ...]
    agent: Mapping[str, Any]
    episodes_done: int
    preview: bool
    turn: int
    until_s: float
    round: int = 0


def read_ticket(key: bytes, text: str, now_s: float) -> Ticket | None:
    """A ticket that is signed with this key and still holds; None for everything else."""
    said = read(key, "ticket", text)
    if said is None:
        return None
    try:
        ticket = Ticket(
            visit=str(said["visit"]),
            user=_name(said["user"]),
            step=str(said["step"]),
            condition=_name(said["condition"]),
            overrides=tuple(dict(one) for one in said["overrides"]),
            agent=dict(said["agent"]),
            episodes_done=int(said["episodes_done"]),
            preview=bool(said["preview"]),
            turn=int(said["turn"]),
            until_s=float(said["until_s"]),
            round=int(said.get("round", 0)),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return ticket if now_s < ticket.until_s and _VISIT.fullmatch(ticket.visit) else None


def _name(value: object) -> str | None:
    return None if value is None else str(value)


def _keyed(key: bytes, *words: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    text = json.dumps(["hippogym ticket 1", *words])  # as JSON, so that no two lists of words are the same text
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
