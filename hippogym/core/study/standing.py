"""Where a visit stands: its step, what is known of it, and which steps are left out."""

from typing import Any

from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import Step, Way, variant
from hippogym.core.study.when import UNKNOWN, Unknown, Value, holds


def current(way: Way, visit: Visit) -> Step:
    """The step at which the visit is. Where the study has been changed under it: the next that it has not seen."""
    steps = way.steps_for(visit["condition"])
    here = next((step for step in steps if step.name == visit["step"]), None)
    if here is not None:
        return here
    return next((step for step in steps if step.end is None and step.name not in visit["trail"]), steps[-1])


def page_of(step: Step, visit: Visit) -> str | None:
    """The step's file, in the variant of the visit's group."""
    arm = visit["groups"].get(step.stem)
    return step.page if step.page is None or arm is None else variant(step.page, arm)


def tries_of(visit: Visit, step: Step) -> int:
    """How often the step was answered in this visit."""
    return visit["tries"].get(step.name, 0)


def index_of(way: Way, visit: Visit, step: Step) -> int:
    """The step's position in its way, from 0."""
    return way.steps_for(visit["condition"]).index(step)


def is_wanted(way: Way, visit: Visit, step: Step) -> bool | None:
    """Whether all comparisons of a step hold; None where that cannot be known yet."""
    found = [holds(comparison, lambda name: value_of(way, visit, name)) for comparison in step.when]
    return False if False in found else None if None in found else True


def value_of(way: Way, visit: Visit, name: str) -> Value | Unknown:
    """What a name in a comparison stands for now."""
    subject, _, detail = name.partition(".")
    if name == "condition":
        return visit["condition"]
    if name == "attention_failed":
        return visit["attention_failed"]
    if subject == "group":
        return visit["groups"].get(detail)
    if subject in visit["answers"]:
        return _plain(visit["answers"][subject]["answers"].get(detail))
    if (game := visit["games"].get(subject)) is not None and game["state"] == "over":
        results: dict[str, Value] = {key: game[key] for key in ("score", "episodes", "ticks", "reason")}
        return results.get(detail)
    return UNKNOWN if _lies_ahead(way, visit, subject) else None


def _lies_ahead(way: Way, visit: Visit, subject: str) -> bool:
    """Whether the step of that name may still be shown, so that what it will bring is not known yet."""
    step = way.step_named(visit["condition"], subject)
    return step is not None and not is_over(visit) and step.number >= current(way, visit).number


def _plain(value: Any) -> Value:
    return str(value["file"]) if isinstance(value, dict) else value
