"""Who may open the dashboard: whoever has the token. It is made at each start, or the study's own; never a default."""

import hashlib
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from enum import Enum

from hippogym.core.rate_limit import TokenBucket
from hippogym.errors import StartError

SHORTEST_TOKEN = 20
TRIES_A_SECOND = 0.2
TRIES_AT_ONCE = 5
MOST_ADDRESSES = 4096


class Verdict(Enum):
    """What has come of a try."""

    OPEN = "open"
    WRONG = "wrong"
    LATER = "later"  # too many tries from there; this one was not even looked at


def dashboard_token(given: str | None) -> str:
    """The token: a new one, 192 bits of chance, or the one that the environment gives.

    Raises StartError for one that could be guessed: shorter than 20 characters, or hardly more than one character.
    """
    if given is None:
        return secrets.token_urlsafe(24)
    if len(given) < SHORTEST_TOKEN or len(set(given)) < SHORTEST_TOKEN // 2 or not given.isascii():
        raise StartError(
            f"HIPPOGYM_DASHBOARD_TOKEN can be guessed: at least {SHORTEST_TOKEN} characters, mostly different ones. "
            "Leave it out, and a new token is made at each start."
        )
    return given


class Door:
    """Compares tokens in constant time, and gives each address few tries. A right one clears its address."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)
        self._tries: OrderedDict[str, TokenBucket] = OrderedDict()

    def try_token(self, token: str, address: str, now_ns: int) -> Verdict:
        """Whether this token, said from this address, opens."""
        place = _network(address)
        bucket = self._tries.pop(place, None) or TokenBucket(TRIES_A_SECOND, TRIES_AT_ONCE)
        allowed = bucket.allow(now_ns)
        if allowed and hmac.compare_digest(self._digest, _digest(token)):
            return Verdict.OPEN
        self._tries[place] = bucket
        if len(self._tries) > MOST_ADDRESSES:
            self._tries.popitem(last=False)
        return Verdict.WRONG if allowed else Verdict.LATER


def _digest(token: str) -> bytes:
    """Of equal length, so that not even the length can be told from the time that comparing takes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _network(address: str) -> str:
    """What counts as one address: who has an IPv6 address has 2**64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False))
