"""How the study goes, for the researcher's dashboard: a funnel, the arms, the answers so far. Previews do not count."""

import statistics
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hippogym.bookkeeping.books import Books
from hippogym.bookkeeping.seams import LedgerBook
from hippogym.core.study.factors import CONDITION, Factor
from hippogym.core.study.forms import Control, as_number
from hippogym.core.study.tally import Count
from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import Step, Way

PATIENCE = 50.0  # it is made anew after this many times as long as it took: the ledger's thread has other work
MOST_VALUES = 2_000
MOST_OPTIONS = 50
MOST_THERE = 500

_CHOICES = ("radio", "checkbox", "select", "select-multiple")
_NUMBERS = ("number", "range")


class Overview:
    """Makes the overview, and keeps it while nothing has changed."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._made: dict[str, Any] = {}
        self._state: object = None
        self._due_s = 0.0

    def now(self, ledger: LedgerBook, now_s: float) -> dict[str, Any]:
        """The overview; its shape is in pages/dashboard_routes.py. now_s: seconds since 1970."""
        began_s = time.monotonic()
        state = ledger.state()
        if self._made and (state == self._state or began_s < self._due_s):
            return self._made
        visits = [held.visit for held in ledger.all()]
        absent = self._books.presence.absent(self._books.way.give_back_s, now_s)
        counts, factors = self._books.counts(ledger)
        self._made = overview(self._books, visits, absent) | _arms(counts, factors)
        self._state = state
        self._due_s = time.monotonic() + PATIENCE * (time.monotonic() - began_s)
        return self._made


def overview(books: Books, visits: Iterable[Visit], absent: Collection[str]) -> dict[str, Any]:
    """All of it but the arms. absent: visits that are over without being complete, or that nobody has heard of."""
    every = list(visits)
    counted = [visit for visit in every if not visit["preview"] and visit["superseded_by"] is None]
    live = [visit for visit in counted if not is_over(visit) and visit["id"] not in absent]
    left = [visit for visit in counted if not is_over(visit) and visit["id"] in absent]
    outcomes = Counter(visit["outcome"] for visit in counted if visit["outcome"] is not None)
    return {
        "visits": {
            "total": len(counted),
            "live": len(live),
            "abandoned": len(left),
            "preview": sum(visit["preview"] for visit in every),
        },
        "outcomes": dict(outcomes),
        "there": [_one_of(visit) for visit in every if not is_over(visit) and visit["id"] not in absent][-MOST_THERE:],
        "steps": [_step(books, step, counted, live, left) for step in _steps(books.way)],
        "answers": [told for step in _steps(books.way) for told in _questions(books, step, counted)],
    }


def _one_of(visit: Visit) -> dict[str, Any]:
    """Who is somewhere on the way, previews too."""
    return {
        "visit": visit["id"],
        "user": visit["user"],
        "step": visit["step"],
        "condition": visit["condition"],
        "since_s": visit["created_s"],
        "preview": visit["preview"],
    }


def _steps(way: Way) -> list[Step]:
    """Those of the study, and then what conditions have besides; the final one last."""
    every = [step for steps in way.steps.values() for step in steps if step.end is None]
    by_name = {step.name: step for step in reversed(every)}
    names = list(dict.fromkeys(step.name for step in every if not step.is_final))
    return [*(by_name[name] for name in names), *[step for step in every if step.is_final][:1]]


def _step(books: Books, step: Step, counted: list[Visit], live: list[Visit], left: list[Visit]) -> dict[str, Any]:
    page = books.pages.get(step.page) if step.page is not None else None
    title = page.title if page is not None else step.name
    if step.is_final:
        reached = sum(visit["outcome"] == "complete" for visit in counted)
        return {"name": step.name, "title": title, "kind": "end", "reached": reached, "here": 0, "left": 0}
    gone = [visit for visit in counted if visit["outcome"] not in (None, "complete")] + left
    spent = [
        answer["submitted_s"] - answer["shown_s"]
        for visit in counted
        if (answer := visit["answers"].get(step.name)) is not None and answer["shown_s"] is not None
    ]
    return {
        "name": step.name,
        "title": title,
        "kind": "game" if step.is_game else "page",
        "reached": sum(step.name in visit["trail"] for visit in counted),
        "here": sum(visit["step"] == step.name for visit in live),
        "left": sum((visit["trail"] or [""])[-1] == step.name for visit in gone),
        "medianS": round(statistics.median(spent), 1) if spent else None,
    }


def _questions(books: Books, step: Step, counted: list[Visit]) -> Iterable[dict[str, Any]]:
    """Every control of a step's page, or of its variants, with what was answered."""
    controls: dict[str, Control] = {}
    for name in books.files_of(step):
        for control in books.pages[name].form.controls:
            controls.setdefault(control.name, control)
    given = [visit["answers"][step.name]["answers"] for visit in counted if step.name in visit["answers"]]
    for name, control in controls.items():
        values = [answers[name] for answers in given if answers.get(name) not in (None, "")]
        yield {"step": step.name, "name": name, "label": control.label or name, "n": len(values)} | _told(
            control, values
        )


def _told(control: Control, values: list[Any]) -> dict[str, Any]:
    if control.kind in _CHOICES:
        chosen = Counter(str(one).lower() if isinstance(one, bool) else str(one)
                         for value in values for one in (value if isinstance(value, list) else [value]))  # fmt: skip
        known = [option.value for option in control.options if option.value in chosen]
        others = [option for option in chosen if option not in known]
        return {"kind": "choice", "counts": [[option, chosen[option]] for option in [*known, *others]][:MOST_OPTIONS]}
    if control.kind in _NUMBERS:
        numbers = [as_number(value) for value in values[-MOST_VALUES:] if isinstance(value, str)]
        return {"kind": "number", "values": [number for number in numbers if number is not None]}
    return {"kind": "text"}


def _arms(counts: Mapping[str, Mapping[str, Count]], factors: Iterable[Factor]) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    for factor in factors:
        for name, arm in factor.arms.items():
            count = counts[factor.name][name]
            told = {"name": name, "weight": arm.weight, "quota": arm.quota, "complete": count.completed,
                    "live": count.live - count.absent, "returned": count.vacant + count.absent}  # fmt: skip
            (conditions if factor.name == CONDITION else groups).append(told | {"factor": factor.name})
    return {"conditions": conditions, "groups": groups}
