"""Somebody at the study's door: what they bring, and what becomes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hippogym.core.study.visit import Visit, is_over

MOST_PARAMETERS = 32
RESUMED_EVERY_S = 60.0
MOST_EVENTS = 1_000  # of a visit, from which on it is no longer kept that it was resumed
LONGEST = 400  # name and value of a parameter, in characters


@dataclass(frozen=True)
class Newcomer:
    """Somebody at the door. new_id, new_digest, stamp: for a visit that may have to be begun.

    digest: of the token that was brought. user: what v1 calls the participant. client: what the browser says of itself.
    preview: found out when they arrive.
    """

    link: Mapping[str, str]
    digest: str | None
    door: Literal["page", "next"]
    new_id: str
    new_digest: str | None
    stamp: str
    user: str | None = None
    client: Mapping[str, Any] = field(default_factory=dict)
    preview: bool = False


@dataclass(frozen=True)
class Arrived:
    """resumed: the visit was there before. instead_of: the visit whose place it takes."""

    visit: Visit
    resumed: bool
    instead_of: str | None = None


def kept(link: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a link, as far as they are kept."""
    return {name: value for name, value in list(link.items())[:MOST_PARAMETERS] if len(name) + len(value) <= LONGEST}


def is_news(events: Iterable[Mapping[str, Any]], now_s: float) -> bool:
    """Whether it is kept that a visit was resumed: not again at once, and not for ever."""
    happened = list(events)
    last_s = max((event["t_s"] for event in happened if event["kind"] == "resumed"), default=None)
    return len(happened) < MOST_EVENTS and (last_s is None or now_s - last_s >= RESUMED_EVERY_S)


def goes_on(visit: Visit, user: str | None, who: Newcomer) -> bool:
    """Whether the visit that somebody has a token of is the one they come for.

    A machine that several people use has the token of the one before: another label is another person. Researchers who
    look at their study again begin anew.
    """
    if user is not None and user != visit["user"]:
        return False
    return visit["preview"] == who.preview and not (visit["preview"] and is_over(visit))
