"""What the settings of a trial must be to each other: of the study's own, and of those that a step or a condition has.

Each rule is a function from the trial to findings, whose paths are below the section ``trial``.
"""

from collections.abc import Iterator, Mapping

from hippogym.config.fields import Section
from hippogym.config.nearest import did_you_mean, nearest_name
from hippogym.config.trial import KNOWN_UI, Trial
from hippogym.config.values import spelling_free
from hippogym.config.yaml_lines import Path, Problem
from hippogym.core.action_names import is_noop


def frame_rates(trial: Trial) -> Iterator[Problem]:
    if trial.minFrameRate > trial.maxFrameRate:
        yield _out_of_order(trial, "minFrameRate", "maxFrameRate")
    elif trial.minFrameRate > trial.startingFrameRate:
        yield _out_of_order(trial, "minFrameRate", "startingFrameRate")
    elif trial.startingFrameRate > trial.maxFrameRate:
        yield _out_of_order(trial, "startingFrameRate", "maxFrameRate")


def _out_of_order(trial: Trial, lower: str, higher: str) -> Problem:
    """The complaint is about the one that is written; there is no line to point at for a default."""
    if lower in trial.model_fields_set:
        return Problem(("trial", lower), f"found {held(trial, lower)}, expected no more than {named(trial, higher)}")
    return Problem(("trial", higher), f"found {held(trial, higher)}, expected no less than {named(trial, lower)}")


def step_size(trial: Trial) -> Iterator[Problem]:
    if trial.allowFrameRateChange and trial.frameRateStepSize > trial.maxFrameRate - trial.minFrameRate:
        words = f"{trial.frameRateStepSize} is more than lies between minFrameRate and maxFrameRate"
        yield Problem(("trial", "frameRateStepSize"), f"{words}; fpsUp and fpsDown will change nothing")


def named_actions_exist(trial: Trial) -> Iterator[Problem]:
    if trial.actionSpace is None:
        return
    names = list(trial.actionSpace)
    known = {spelling_free(name) for name in names}
    wanted: dict[Path, str | None] = {("trial", "keys", key): name for key, name in (trial.keys or {}).items()}
    wanted["trial", "defaultAction"] = trial.defaultAction
    for path, name in wanted.items():
        if name is not None and spelling_free(name) not in known:
            hint = did_you_mean(name, names)
            yield Problem(path, f"found {name!r}, expected a name from actionSpace{hint}")


def controls_are_meant(trial: Trial) -> Iterator[Problem]:
    for name in trial.ui:
        nearest = None if name in KNOWN_UI else nearest_name(name, list(KNOWN_UI), likeness=0.85)
        if nearest:
            yield Problem(("trial", "ui", name), f"a button of your own; did you mean {nearest}?")


def idle_is_said(trial: Trial) -> Iterator[Problem]:
    names = trial.actionSpace
    if isinstance(names, Mapping) and trial.stepMode == "realtime" and trial.defaultAction is None:
        if not any(is_noop(name) for name in names):
            words = "no action is called noop and there is no defaultAction: what holds when nobody acts is left open"
            yield Problem(("trial", "actionSpace"), words)


def named(section: Section, name: str) -> str:
    return f"{name}, which is {held(section, name)}"


def held(section: Section, name: str) -> str:
    """The value that holds, and whether anybody wrote it."""
    return f"{getattr(section, name):g}" + ("" if name in section.model_fields_set else " by default")
