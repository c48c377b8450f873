"""What a participant sees next. The one place where a visit moves; everybody else keeps and shows.

Each function takes the way, the visit and the time (seconds since 1970) and returns the visit as it is then. The one
it was given is never changed, and where nothing happens the very same document comes back. Ids, tokens and stamps
are handed in. Everything may be repeated without harm: a second call finds another stamp or state and does nothing.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hippogym.core.study.forms import Form, Problem
from hippogym.core.study.quiz import Judgement, judge
from hippogym.core.study.showing import View, view
from hippogym.core.study.standing import current, index_of, is_wanted, page_of, tries_of, value_of
from hippogym.core.study.visit import VERSION, AnswerEntry, Game, Visit, is_over, new_game
from hippogym.core.study.way import CONTINUE, FINAL, OUTCOMES, Step, Way

__all__ = [
    "ADVANCING", "Answered", "View", "abandoned", "answer", "begin", "current", "end", "game_began", "game_over",
    "game_progress", "is_wanted", "mend", "page_of", "seen", "shown", "supersede", "value_of", "view", "withdraw",
]  # fmt: skip

ADVANCING = ("finished", "stopped")
"""Reasons for which a trial ends and the participant moves on."""

MOST_FAILURES = 2
"""Trials of a step that may fail before the visit ends with ``fault``."""


@dataclass(frozen=True)
class Answered:
    """What an answer has led to.

    stored: the row for the ledger, None where nothing is kept. repeated: the stamp was not the current one.
    problems: what is missing or cannot be; then nothing has changed, and the same stamp is waited for.
    """

    visit: Visit
    stored: dict[str, Any] | None = None
    repeated: bool = False
    problems: tuple[Problem, ...] = ()


def begin(
    way: Way,
    id: str,
    user: str | None,
    project: str,
    link: Mapping[str, str],
    preview: bool,
    door: Literal["page", "next"],
    condition: str | None,
    groups: Mapping[str, str | int],
    stamp: str,
    now_s: float,
    site: str | None = None,
) -> Visit:
    """A new visit, at its first step."""
    visit: Visit = {
        "v": VERSION, "id": id, "user": user, "project": project, "created_s": now_s, "seen_s": now_s,
        "preview": preview, "door": door, "link": dict(link), "site": site, "condition": condition,
        "groups": {page: str(arm) for page, arm in groups.items()}, "step": FINAL, "trail": [], "stamp": None,
        "shown_s": None, "tries": {}, "tries_before": 0, "problems": [], "answers": {}, "games": {},
        "attention_failed": 0, "outcome": None, "ended_s": None, "code": None, "superseded_by": None,
    }  # fmt: skip
    return _go(way, visit, 0, stamp, now_s)


def seen(visit: Visit, now_s: float) -> Visit:
    """The participant has been heard of."""
    return visit if is_over(visit) else {**visit, "seen_s": max(now_s, visit["seen_s"])}


def shown(way: Way, visit: Visit, now_s: float) -> Visit:
    """The current step was sent to the participant: when for the first time is remembered."""
    if is_over(visit):
        return visit
    first = visit["shown_s"] if visit["shown_s"] is not None else now_s
    return seen({**visit, "shown_s": first}, now_s)


def answer(
    way: Way,
    visit: Visit,
    stamp: str | None,
    answers: Mapping[str, Any],
    form: Form | None,
    facts: Mapping[str, Any],
    next_stamp: str,
    now_s: float,
) -> Answered:
    """The participant has pressed Submit under ``stamp``.

    form: of the page that was shown; None for a page of our own making, which asks nothing. facts: ``sha256`` of the
    page, ``focus_s``, ``shown_ms`` and ``client`` (what the browser says of itself), each of them if known.
    """
    step = current(way, visit)
    if is_over(visit) or step.is_game or stamp is None or stamp != visit["stamp"]:
        return Answered(visit, repeated=True)
    form = form or Form(())
    if problems := form.check(answers):
        return Answered(visit, problems=tuple(problems))
    complete = form.complete(answers)
    judgement = judge(form, complete)
    row = _row(step, visit, stamp, complete, judgement, facts, now_s)
    return Answered(_after_answer(way, _with_answer(visit, step, row), step, judgement, next_stamp, now_s), row)


def game_began(way: Way, visit: Visit, trial: str, now_s: float) -> Visit:
    """A trial has begun for the game at which the visit is."""
    step = current(way, visit)
    if is_over(visit) or not step.is_game or _game(visit, step)["trial"] == trial:
        return visit
    game = _game(visit, step)
    before = {"episodes": game["episodes"], "ticks": game["ticks"], "score": game["score"]}
    begun: Game = {**game, "state": "playing", "trial": trial, "reason": None, "before": before}
    begun["starts"] = game["starts"] + 1
    return seen(_with_game(visit, step, begun), now_s)


def game_progress(way: Way, visit: Visit, progress: Mapping[str, Any], now_s: float) -> Visit:
    """progress: ``episodes``, ``ticks`` and ``score`` of the running trial alone, and its ``trial`` if known."""
    step = current(way, visit)
    if is_over(visit) or not step.is_game or not _runs(_game(visit, step), progress):
        return visit
    return seen(_with_game(visit, step, _counted(_game(visit, step), progress)), now_s)


def game_over(way: Way, visit: Visit, result: Mapping[str, Any], next_stamp: str, now_s: float) -> Visit:
    """The trial has ended: move on, wait for another trial, or end, by its ``reason`` and the study's ``resume``."""
    step = current(way, visit)
    if is_over(visit) or not step.is_game or not _runs(_game(visit, step), result):
        return visit
    game = _counted(_game(visit, step), result)
    reason = str(result.get("reason"))
    game["reason"] = reason
    game["failures"] += reason == "failed"
    played = step.episodes is not None and game["episodes"] >= step.episodes
    if reason in ADVANCING or (played and way.resume == "resume"):
        game["state"] = "over"
        return _go(way, _with_game(visit, step, game), index_of(way, visit, step) + 1, next_stamp, now_s)
    if way.resume == "refuse" or game["failures"] > MOST_FAILURES:
        game["state"] = "over"
        return end(way, _with_game(visit, step, game), "fault", now_s)
    game["state"] = "waiting"
    if way.resume == "restart":
        game = {**game, "episodes": 0, "ticks": 0, "score": 0.0}
    return _with_game(visit, step, game)


def withdraw(way: Way, visit: Visit, now_s: float) -> Visit:
    """The participant leaves the study."""
    return end(way, visit, "withdrew", now_s)


def end(way: Way, visit: Visit, outcome: str, now_s: float) -> Visit:
    """The visit is over. The first outcome holds."""
    if outcome not in OUTCOMES:
        raise ValueError(f"{outcome!r} is not one of {', '.join(OUTCOMES)}")
    if is_over(visit):
        return visit
    games: dict[str, Game] = {name: {**game, "state": "over"} for name, game in visit["games"].items()}
    ended: Visit = {**visit, "outcome": outcome, "ended_s": now_s, "stamp": None, "problems": [], "games": games}
    ended["seen_s"] = max(now_s, visit["seen_s"])
    return ended


def supersede(visit: Visit, by: str, now_s: float) -> Visit:
    """Another visit of the same participant takes this one's place."""
    return visit if is_over(visit) else {**visit, "superseded_by": by, "ended_s": now_s, "stamp": None}


def mend(way: Way, visit: Visit, stamp: str, now_s: float) -> Visit:
    """To be asked of a visit at the start of a server, or when it is found: the study may have changed under it.

    A visit whose step is no more, or is a game where it was a page, goes on at the next step that it has not seen.
    """
    step = current(way, visit)
    fits = visit["step"] == step.name and step.is_game == (visit["stamp"] is None)
    return visit if is_over(visit) or fits else _go(way, visit, index_of(way, visit, step), stamp, now_s)


def abandoned(visit: Visit, give_back_s: float, now_s: float) -> bool:
    """Whether an unfinished visit has not been heard of for so long that its place is given to somebody else."""
    return not is_over(visit) and now_s - visit["seen_s"] > give_back_s


# How a visit moves


def _go(way: Way, visit: Visit, index: int, stamp: str, now_s: float) -> Visit:
    """To the first step from ``index`` on that is not left out; it may be an end."""
    steps = way.steps_for(visit["condition"])
    wanted = (s for s in steps[index:] if s.is_final or is_wanted(way, {**visit, "step": s.name}, s) is True)
    step = next(wanted, steps[-1])  # nothing is after the last, where the study was changed under the visit
    moved: Visit = {**visit, "step": step.name, "shown_s": None, "problems": [], "stamp": None}
    moved["seen_s"] = max(now_s, visit["seen_s"])
    moved["tries_before"] = tries_of(visit, step)
    if step.end is not None or step.is_final:
        return end(way, moved, step.end or "complete", now_s)
    moved["trail"] = [*visit["trail"], step.name]
    if not step.is_game:
        moved["stamp"] = stamp
    return moved if not step.is_game else _with_game(moved, step, new_game())


def _after_answer(way: Way, visit: Visit, step: Step, judgement: Judgement, stamp: str, now_s: float) -> Visit:
    limit = way.attention_limit
    if limit is not None and visit["attention_failed"] > limit:
        return end(way, visit, "failedCheck", now_s)
    index = index_of(way, visit, step)
    if not judgement.wrong:
        return _go(way, visit, index + 1, stamp, now_s)
    if step.tries is None or tries_of(visit, step) - visit["tries_before"] < step.tries:
        told: Visit = {**visit, "stamp": stamp, "shown_s": None, "seen_s": max(now_s, visit["seen_s"])}
        told["problems"] = [{"name": p.name, "text": p.text} for p in judgement.wrong]
        return told
    if step.on_fail in OUTCOMES:
        return end(way, visit, step.on_fail, now_s)
    target = None if step.on_fail == CONTINUE else way.step_named(visit["condition"], step.on_fail)
    return _go(way, visit, index + 1 if target is None else index_of(way, visit, target), stamp, now_s)


# Answers


def _row(
    step: Step,
    visit: Visit,
    stamp: str,
    answers: dict[str, Any],
    judgement: Judgement,
    facts: Mapping[str, Any],
    now_s: float,
) -> dict[str, Any]:
    """What the ledger keeps of this try."""
    return {
        "step": step.name,
        "page": page_of(step, visit),
        "sha256": facts.get("sha256"),
        "stamp": stamp,
        "try": tries_of(visit, step) + 1,
        "answers": answers,
        "shown_s": visit["shown_s"],
        "submitted_s": now_s,
        "focus_s": facts.get("focus_s"),
        "shown_ms": facts.get("shown_ms"),
        "client": facts.get("client") or {},
        "right": judgement.right,
        "attention_failed": list(judgement.attention_failed),
    }


def _with_answer(visit: Visit, step: Step, row: Mapping[str, Any]) -> Visit:
    kept: AnswerEntry = {
        "page": row["page"], "sha256": row["sha256"], "stamp": row["stamp"], "try": row["try"],
        "answers": {name: _without_content(value) for name, value in row["answers"].items()},
        "shown_s": row["shown_s"], "submitted_s": row["submitted_s"], "focus_s": row["focus_s"], "right": row["right"],
    }  # fmt: skip
    answered: Visit = {**visit, "answers": {**visit["answers"], step.name: kept}}
    answered["tries"] = {**visit["tries"], step.name: row["try"]}
    if row["try"] == 1:  # whoever is sent back to a page has met its attention checks already
        answered["attention_failed"] = visit["attention_failed"] + len(row["attention_failed"])
    return answered


def _without_content(value: Any) -> Any:
    """A file's content stays in the ledger's row; the visit only knows of it."""
    if not isinstance(value, dict):
        return value
    content = base64.b64decode(value["base64"])
    about = {"file": value["file"], "type": value.get("type", ""), "bytes": len(content)}
    return about | {"sha256": hashlib.sha256(content).hexdigest()}


# Games


def _game(visit: Visit, step: Step) -> Game:
    return visit["games"].get(step.name) or new_game()


def _with_game(visit: Visit, step: Step, game: Game) -> Visit:
    return {**visit, "games": {**visit["games"], step.name: game}}


def _runs(game: Game, told: Mapping[str, Any]) -> bool:
    """Whether what is told is of the trial that runs, and not of one before it."""
    return game["state"] == "playing" and told.get("trial") in (None, game["trial"])


def _counted(game: Game, told: Mapping[str, Any]) -> Game:
    before = game["before"]
    counted: Game = {**game}
    counted["episodes"] = int(before["episodes"]) + int(told.get("episodes") or 0)
    counted["ticks"] = int(before["ticks"]) + int(told.get("ticks") or 0)
    counted["score"] = before["score"] + float(told.get("score") or 0.0)
    return counted
