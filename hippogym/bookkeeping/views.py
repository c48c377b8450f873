"""What a participant is sent of their visit: the view, as plain JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hippogym.bookkeeping.seams import PageText
from hippogym.core.study import rules
from hippogym.core.study.visit import Visit
from hippogym.core.study.way import Ending, Way

_BRACES = re.compile(r"\{([A-Za-z_][\w.-]{0,63})\}", re.ASCII)
SUPERSEDED = "This study was opened again in another browser or on another device, and goes on there."


@dataclass(frozen=True)
class Views:
    """pages: of the step files. instructions: of the game, as the page shows them beside it."""

    way: Way
    pages: Mapping[str, PageText]
    instructions: Sequence[str]

    def of(self, visit: Visit) -> dict[str, Any]:
        """The view of a visit as it is now."""
        seen = rules.view(self.way, visit)
        superseded = seen.kind == "end" and seen.outcome is None
        page = self.pages.get(seen.page) if seen.page is not None and not superseded else None
        step = seen.step
        return {
            "kind": seen.kind,
            "stamp": seen.stamp,
            "step": seen.number,
            "of": seen.of,
            "name": step.name,
            "title": page.title if page is not None else self.way.title,
            "html": page.html if page is not None else "",
            "problems": [{"name": problem.name, "text": problem.text} for problem in seen.problems],
            "answers": dict(seen.answers) if seen.answers else None,
            "triesLeft": seen.tries_left,
            "canWithdraw": self.way.can_withdraw and seen.kind != "end",
            "preview": visit["preview"],
            "end": self._end(visit) if seen.kind == "end" else None,
            "game": self._game(visit) if seen.kind == "game" else None,
        }

    def _game(self, visit: Visit) -> dict[str, Any]:
        step = rules.current(self.way, visit)
        game = visit["games"].get(step.name)
        told: Sequence[str] = self.instructions
        for overrides in self.way.overrides(visit["condition"], step):
            told = overrides.get("instructions", told)
        return {
            "instructions": list(told),
            "episodes": step.episodes,
            "episodesDone": game["episodes"] if game is not None else 0,
            "state": game["state"] if game is not None else "waiting",
        }

    def _end(self, visit: Visit) -> dict[str, Any]:
        outcome = visit["outcome"]
        if outcome is None:
            return {"outcome": "superseded", "text": SUPERSEDED, "code": None, "redirect": None}
        ending = self.way.ending(outcome)
        return {
            "outcome": outcome,
            "text": ending.text,
            "code": visit["code"],
            "redirect": redirect_of(ending, visit),
        }


def redirect_of(ending: Ending, visit: Visit) -> str | None:
    """Where the participant is led: the address with every name in braces filled in, percent-encoded.

    Names are ``code``, ``userId`` and the parameters of the link. None where one is missing, or where it leads nowhere
    on the web: then the page shows the code.
    """
    known = {**visit["link"], "code": visit["code"], "userId": visit["user"]}
    address = ending.redirect or ""
    if not address or any(not known.get(name) for name in _BRACES.findall(address)):
        return None
    filled = _BRACES.sub(lambda found: quote(known[found[1]] or "", safe="", errors="replace"), address)
    return filled if filled.startswith(("https://", "http://")) else None
