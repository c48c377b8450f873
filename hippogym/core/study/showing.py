"""What is to be shown to a participant. Asking for it changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hippogym.core.study.forms import Problem
from hippogym.core.study.standing import current, is_wanted, page_of, tries_of
from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import Step, Way, stem_of, variant


@dataclass(frozen=True)
class View:
    """What is to be shown. number, of: "step 2 of 6", without steps that are known to be left out.

    page: the file of the step, with its group's variant, or of the ending; None for a page of our own making.
    problems: of the last try. answers: what the step was answered last, so that a try does not begin from nothing.
    """

    kind: Literal["page", "game", "end"]
    stamp: str | None
    number: int
    of: int
    step: Step
    page: str | None
    problems: tuple[Problem, ...] = ()
    tries_left: int | None = None
    outcome: str | None = None
    answers: Mapping[str, Any] | None = None


def view(way: Way, visit: Visit) -> View:
    """What the participant is to be shown. It changes nothing, however often it is asked."""
    step = current(way, visit)
    number, of = place(way, visit, step)
    if is_over(visit):
        outcome = visit["outcome"] or "fault"
        return View("end", None, number, of, step, _ending_page(way, visit, outcome), outcome=visit["outcome"])
    if step.is_game:
        return View("game", None, number, of, step, None)
    told = tuple(Problem(p["name"], p["text"]) for p in visit["problems"])
    left = None if step.tries is None else step.tries - (tries_of(visit, step) - visit["tries_before"])
    last = visit["answers"].get(step.name)
    page = page_of(step, visit)
    return View("page", visit["stamp"], number, of, step, page, told, left, answers=last["answers"] if last else None)


def _ending_page(way: Way, visit: Visit, outcome: str) -> str | None:
    page = way.ending(outcome).page
    arm = visit["groups"].get(stem_of(page)) if page else None
    return page if page is None or arm is None else variant(page, arm)


def place(way: Way, visit: Visit, here: Step) -> tuple[int, int]:
    """The current step's place among those that this participant has seen or may still see."""
    steps = [step for step in way.steps_for(visit["condition"]) if step.end is None and not step.is_final]
    counted = [
        step
        for step in steps
        if step is here
        or (step.name in visit["trail"] and step.number < here.number)
        or (step.number > here.number and is_wanted(way, visit, step) is not False)
    ]
    return (counted.index(here) + 1 if here in counted else len(counted)), len(counted)
