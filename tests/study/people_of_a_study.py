"""A study's data folder with people in it, made by the study's own rules and its real ledger."""

from pathlib import Path

from hippogym.core.study import rules
from hippogym.core.study.codes import make_code
from hippogym.core.study.recruiting import recognise
from hippogym.core.study.way import build_way
from hippogym.data.code_key import code_key
from hippogym.data.ledger.sqlite import FILE, SqliteLedger

WAY = build_way(
    {
        "id": "s",
        "name": "A study",
        "steps": [{"number": 1, "name": "hello", "page": "hello.html"}, {"number": 2, "name": "game", "page": "game"}],
        "final": {"page": "thanks.html"},
        "maxEpisodes": 1,
    }
)
BEGAN_S = 1_790_000_000.0


def made_visit(visit_id, link, outcome=None, *, score=0.0, minutes=10.0, key=None, **changed):
    """A visit that came by this link and, with an outcome, has ended so."""
    site, user = recognise(link)
    visit = rules.begin(WAY, visit_id, user, "s", link, False, "page", None, {}, "stamp", BEGAN_S, site)
    if score:
        visit = rules.answer(WAY, visit, "stamp", {}, None, {}, "next", BEGAN_S + 1).visit
        visit = rules.game_began(WAY, visit, "t", BEGAN_S + 2)
        visit = rules.game_progress(WAY, visit, {"episodes": 0, "ticks": 5, "score": score}, BEGAN_S + 3)
    if outcome is not None:
        visit = rules.end(WAY, visit, outcome, BEGAN_S + 60 * minutes)
        visit = {**visit, "code": make_code(key, outcome, visit_id) if key is not None else None}
    return {**visit, **changed}


def keep_visits(folder: Path, *visits) -> bytes:
    """Keep them in the folder's ledger; returns the key of its codes."""
    folder.mkdir(exist_ok=True, parents=True)
    ledger = SqliteLedger(folder / FILE)
    with ledger.writing():
        for visit in visits:
            ledger.create(visit, None)
    ledger.close()
    return code_key(folder)
