"""What the steps and conditions of a study must be to each other."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hippogym.config import trial_rules
from hippogym.config.nearest import did_you_mean
from hippogym.config.overrides import overridden
from hippogym.config.project import Project
from hippogym.config.steps import ENDS, GAME, StepValue, details, page_of, plain_steps
from hippogym.config.trial import Trial
from hippogym.config.yaml_lines import Path, Problem
from hippogym.core.study.factors import Arm, smallest_block
from hippogym.core.study.way import CONTINUE, FINAL
from hippogym.core.study.when import GAME_RESULTS, Comparison, read_comparison


class OneWay(NamedTuple):
    """The steps as written in one place. condition: whose they are, None for the study's own."""

    condition: str | None
    at: Path
    steps: Mapping[str, StepValue]


def ways(project: Project) -> Iterator[OneWay]:
    """The study's own steps and those of every condition that has some."""
    yield OneWay(None, ("project", "steps"), project.steps)
    for name, condition in project.conditions.items():
        if "steps" in condition:
            yield OneWay(name, ("project", "conditions", name, "steps"), condition["steps"])


def conditions_have_a_way(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.conditions and not project.steps:
        words = "found conditions, but there are no steps; write at least steps: {1: game, finalStep: thanks.html}"
        yield Problem(("project", "conditions"), words)
    for name, condition in project.conditions.items():
        if "steps" in condition and not [key for key in condition["steps"] if key != FINAL]:
            path = ("project", "conditions", name, "steps")
            yield Problem(path, "found no numbered step; leave steps out where they are the study's own")


def blocks_fit_the_weights(project: Project, trial: Trial) -> Iterator[Problem]:
    """A block is as large as its shares are whole; the pages with variants have blocks of their own size."""
    size = project.assignment.blockSize
    arms = {name: Arm(arm.get("weight") or 1) for name, arm in project.conditions.items()}
    if size is None or project.assignment.method != "blocks" or not arms:
        return
    smallest = smallest_block(arms)
    if size % smallest:
        words = f"found {size}, expected {smallest} or a multiple of it, so that the weights come out even"
        yield Problem(("project", "assignment", "blockSize"), words)


def failures_lead_somewhere(project: Project, trial: Trial) -> Iterator[Problem]:
    for way in ways(project):
        names = [step["name"] for step in plain_steps(way.steps) if step["end"] is None]
        for key, step in way.steps.items():
            goal = details(step).get("onFail", CONTINUE)
            if goal not in (CONTINUE, *ENDS, *names):
                hint = did_you_mean(goal, [*names, *ENDS, CONTINUE])
                words = f"found {goal!r}, expected {', '.join(ENDS)}, {CONTINUE} or a step of this way{hint}"
                yield Problem((*way.at, key, "onFail"), words)


def comparisons_name_what_is_there(project: Project, trial: Trial) -> Iterator[Problem]:
    """That far as the file itself says it; what a page asks is looked up where the pages are read."""
    for way in ways(project):
        named = plain_steps(way.steps)
        for step in named:
            for comparison, at in comparisons(way, step):
                if words := _unknown(comparison, step, named, project):
                    yield Problem(at, f"{comparison.text}: {words}")


def comparisons(way: OneWay, step: Mapping[str, Any]) -> Iterator[tuple[Comparison, Path]]:
    """The comparisons of a step, each with where it stands."""
    key = str(step["number"])
    is_list = isinstance(details(way.steps[key]).get("when"), list)
    for position, text in enumerate(step["when"]):
        yield read_comparison(text), (*way.at, key, "when", *((str(position),) if is_list else ()))


def _unknown(
    comparison: Comparison, step: Mapping[str, Any], named: list[dict[str, Any]], project: Project
) -> str | None:
    if comparison.name == "attention_failed":
        return None
    if comparison.name == "condition":
        return _no_condition(comparison, project)
    if comparison.subject == "group":
        return None if comparison.detail else "expected group.<page>, such as group.survey == 1"
    about = next((other for other in named if other["name"] == comparison.subject), None)
    if about is None:
        subjects = [other["name"] for other in named] + ["condition", "group", "attention_failed"]
        return f"no step is called {comparison.subject}{did_you_mean(comparison.subject, subjects)}"
    if about["number"] >= step["number"] and not _leads_back(about, step, named):
        return f"{comparison.subject} does not come before this step"
    if about["end"] is not None:
        return f"{comparison.subject} is an end; nothing is answered there"
    if about["page"] == GAME and comparison.detail not in GAME_RESULTS:
        return f"expected {comparison.subject}.score, .episodes, .ticks or .reason"
    return None if comparison.detail else f"expected {comparison.subject}.<name of a control>"


def _leads_back(about: Mapping[str, Any], step: Mapping[str, Any], named: list[dict[str, Any]]) -> bool:
    """Whether somebody who has been at ``about`` can come to ``step`` again, by failing."""
    numbers = {other["name"]: other["number"] for other in named}
    later = (other for other in named if other["number"] >= about["number"])
    return any(numbers.get(other["onFail"], len(named) + 1) <= step["number"] for other in later)


def _no_condition(comparison: Comparison, project: Project) -> str | None:
    if not project.conditions:
        return "there are no conditions"
    for value in comparison.values:
        if value not in project.conditions:
            return f"no condition is called {value}{did_you_mean(value, project.conditions)}"
    return None


# Settings of the trial that are others in a condition or a step


class Layer(NamedTuple):
    """Overriding settings, and where they stand."""

    at: Path
    settings: Mapping[str, Any]


def overridden_trials_hold(project: Project, trial: Trial) -> Iterator[Problem]:
    yield from _of_overridden(project, trial, (trial_rules.frame_rates, trial_rules.named_actions_exist))


def overridden_trials_are_meant(project: Project, trial: Trial) -> Iterator[Problem]:
    rules = (trial_rules.step_size, trial_rules.controls_are_meant, trial_rules.idle_is_said)
    own = {problem.words for rule in rules for problem in rule(trial)}
    yield from (p for p in _of_overridden(project, trial, rules) if p.words not in own)


def _of_overridden(
    project: Project, trial: Trial, rules: tuple[Callable[[Trial], Iterator[Problem]], ...]
) -> Iterator[Problem]:
    told = set()
    for layers in _layers(project):
        changed = overridden(trial, *(layer.settings for layer in layers))
        for problem in (problem for rule in rules for problem in rule(changed)):
            placed = Problem(_where_written(problem.path, layers), problem.words)
            if placed not in told:
                told.add(placed)
                yield placed


def _layers(project: Project) -> Iterator[tuple[Layer, ...]]:
    """The overriding settings of every game that anybody may play, where there are some."""
    own, *others = ways(project)
    of_condition = {way.condition: way for way in others}
    for name, condition in project.conditions.items() or [(None, {})]:
        arm = Layer(("project", "conditions", str(name), "trial"), condition.get("trial", {}))
        for game in _games(of_condition.get(name, own)):
            layers = tuple(layer for layer in (arm, game) if layer.settings)
            if layers:
                yield layers


def _games(way: OneWay) -> Iterator[Layer]:
    for key, step in way.steps.items():
        if page_of(step) == GAME and key != FINAL:
            yield Layer((*way.at, key, "trial"), details(step).get("trial", {}))


def _where_written(path: Path, layers: tuple[Layer, ...]) -> Path:
    """Where the setting of ``path`` has the value that holds: in the last layer that has it, or else the last."""
    name = path[1]
    for layer in reversed(layers):
        if name in layer.settings:
            return (*layer.at, *path[1:])
    return layers[-1].at


# What is worth knowing though it stops nothing


def one_arm_is_none(project: Project, trial: Trial) -> Iterator[Problem]:
    if len(project.conditions) == 1:
        yield Problem(("project", "conditions"), "one condition alone is the same for everybody")


def blocks_have_a_size(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.assignment.blockSize is not None and project.assignment.method != "blocks":
        words = f"says nothing with method {project.assignment.method}; it goes with blocks"
        yield Problem(("project", "assignment", "blockSize"), words)


def games_do_not_come_last(project: Project, trial: Trial) -> Iterator[Problem]:
    for way in ways(project):
        if page_of(way.steps.get(FINAL)) == GAME:
            words = "a game cannot be shown for ever; a page of our own is shown instead"
            yield Problem((*way.at, FINAL), words)
