"""What settings must be to each other, and what a researcher should know about them though it stops nothing.

Each rule is a function from the study to findings. A rule is left out where a setting that it reads is itself wrong:
its complaint would be about a default that nobody wrote.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from hippogym.config import study_rules, trial_rules
from hippogym.config.project import MEMORY_GB, Project
from hippogym.config.steps import page_of
from hippogym.config.trial import Trial
from hippogym.config.trial_rules import held, named
from hippogym.config.yaml_lines import Path, Problem


class Rule(NamedTuple):
    """reads: the settings that must be right before the rule is asked. kind: whether its findings stop the server."""

    reads: tuple[str, ...]
    kind: Literal["problem", "warning"]
    find: Callable[[Project, Trial], Iterator[Problem]]


def findings(
    project: Project, trial: Trial, wrong: set[Path], kind: Literal["problem", "warning"]
) -> Iterator[Problem]:
    """wrong: the paths of settings that have a problem of their own."""
    wrong_names = {".".join(path) for path in wrong}
    for rule in RULES:
        if rule.kind == kind and not any(_touches(name, wrong_names) for name in rule.reads):
            yield from rule.find(project, trial)


def _touches(name: str, wrong_names: set[str]) -> bool:
    return any(w == name or w.startswith(name + ".") or name.startswith(w + ".") for w in wrong_names)


def _memory(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.awsSetup is not None:
        low, high = MEMORY_GB[project.awsSetup.cpu]
        if not low <= project.awsSetup.memory <= high:
            memory, cpu = held(project.awsSetup, "memory"), named(project.awsSetup, "cpu")
            words = f"found {memory}, expected {low} to {high} GB to go with {cpu}"
            yield Problem(("project", "awsSetup", "memory"), words)


def _who_share_fit(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.awsSetup is not None and project.awsSetup.participantsPerTask > trial.maxParticipants:
        each, most = held(project.awsSetup, "participantsPerTask"), named(trial, "maxParticipants")
        words = f"found {each}, but a server takes no more than trial.{most}"
        yield Problem(("project", "awsSetup", "participantsPerTask"), words)


def _aws_is_described(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.useAWS and project.awsSetup is None:
        yield Problem(("project", "useAWS"), "found True, expected a section awsSetup beside it (or False)")


def _aws_needs(name: Literal["bucket", "region"]) -> Callable[[Project, Trial], Iterator[Problem]]:
    """One rule for each, so that a wrong bucket does not hide a missing region."""

    def find(project: Project, trial: Trial) -> Iterator[Problem]:
        if project.useAWS and project.awsSetup is not None and getattr(project.awsSetup, name) is None:
            words = "missing; AWS cannot be used without it (useAWS: False does without AWS)"
            yield Problem(("project", "awsSetup", name), words)

    return find


def _upload_has_a_place(project: Project, trial: Trial) -> Iterator[Problem]:
    if project.useAWS:
        return  # then the bucket's absence is complained about in its own place
    if trial.s3upload and (project.awsSetup is None or project.awsSetup.bucket is None):
        yield Problem(("trial", "s3upload"), "found True, expected project.awsSetup.bucket to say where to")


def _upload_is_off(project: Project, trial: Trial) -> Iterator[Problem]:
    if trial.s3upload and not project.useAWS and project.awsSetup is not None:
        yield Problem(("trial", "s3upload"), "nothing is uploaded, because project.useAWS is False")


def _events_are_steps(project: Project, trial: Trial) -> Iterator[Problem]:
    start, stop = project.events.startServerStep, project.events.stopServerStep
    last = len([key for key in project.steps if key != "finalStep"]) + 1  # finalStep is the step after the last
    for name, step in (("startServerStep", start), ("stopServerStep", stop)):
        if step is not None and not project.steps:
            yield Problem(("project", "events", name), f"found {step}, but there are no steps")
        elif step is not None and step > last:
            words = f"found {step}, expected a step from 1 to {last} (the last, {last}, being finalStep)"
            yield Problem(("project", "events", name), words)
    if start is not None and stop is not None and stop < start:
        yield Problem(
            ("project", "events", "stopServerStep"), f"found {stop}, expected no less than {start}, the start"
        )


def _the_game_has_its_server(project: Project, trial: Trial) -> Iterator[Problem]:
    games = [int(key) for key, step in project.steps.items() if page_of(step) == "game" and key != "finalStep"]
    start, stop = project.events.startServerStep, project.events.stopServerStep
    if project.steps and not games:
        yield Problem(("project", "steps"), "no step is game, so participants will not play")
    if games and start is not None and start > min(games):
        yield Problem(
            ("project", "events", "startServerStep"), f"the game is step {min(games)}, before its server starts"
        )
    if games and stop is not None and stop <= max(games):
        yield Problem(
            ("project", "events", "stopServerStep"), f"the game is step {max(games)}; its server stops before"
        )


def _plain_http(project: Project, trial: Trial) -> Iterator[Problem]:
    for position, origin in enumerate(project.origins):
        local = origin.startswith(("http://localhost", "http://127.0.0.1", "http://[::1]"))
        if origin.startswith("http://") and not local:
            words = "http without encryption; what participants send can be read on the way"
            yield Problem(("project", "origins", str(position)), words)


def _of_trial(find: Callable[[Trial], Iterator[Problem]]) -> Callable[[Project, Trial], Iterator[Problem]]:
    return lambda project, trial: find(trial)


_FRAME_RATES = ("trial.minFrameRate", "trial.startingFrameRate", "trial.maxFrameRate")
_STEPS = ("project.steps", "project.conditions")

RULES = (
    Rule(_FRAME_RATES, "problem", _of_trial(trial_rules.frame_rates)),
    Rule(("project.awsSetup.cpu", "project.awsSetup.memory"), "problem", _memory),
    Rule(("project.awsSetup.participantsPerTask", "trial.maxParticipants"), "problem", _who_share_fit),
    Rule(("project.useAWS", "project.awsSetup"), "problem", _aws_is_described),
    Rule(("project.useAWS", "project.awsSetup.bucket"), "problem", _aws_needs("bucket")),
    Rule(("project.useAWS", "project.awsSetup.region"), "problem", _aws_needs("region")),
    Rule(("trial.s3upload", "project.useAWS", "project.awsSetup.bucket"), "problem", _upload_has_a_place),
    Rule(("project.steps", "project.events"), "problem", _events_are_steps),
    Rule(
        ("trial.actionSpace", "trial.keys", "trial.defaultAction"),
        "problem",
        _of_trial(trial_rules.named_actions_exist),
    ),
    Rule(("trial", *_STEPS), "problem", study_rules.overridden_trials_hold),
    Rule(_STEPS, "problem", study_rules.conditions_have_a_way),
    Rule(("project.assignment", "project.conditions"), "problem", study_rules.blocks_fit_the_weights),
    Rule(_STEPS, "problem", study_rules.failures_lead_somewhere),
    Rule(_STEPS, "problem", study_rules.comparisons_name_what_is_there),
    Rule(
        ("trial.frameRateStepSize", "trial.minFrameRate", "trial.maxFrameRate"),
        "warning",
        _of_trial(trial_rules.step_size),
    ),
    Rule(("trial.s3upload", "project.awsSetup", "project.useAWS"), "warning", _upload_is_off),
    Rule(("project.steps", "project.events"), "warning", _the_game_has_its_server),
    Rule(("trial.ui",), "warning", _of_trial(trial_rules.controls_are_meant)),
    Rule(("trial.actionSpace",), "warning", _of_trial(trial_rules.idle_is_said)),
    Rule(("project.origins",), "warning", _plain_http),
    Rule(("trial", *_STEPS), "warning", study_rules.overridden_trials_are_meant),
    Rule(("project.conditions",), "warning", study_rules.one_arm_is_none),
    Rule(("project.assignment",), "warning", study_rules.blocks_have_a_size),
    Rule(_STEPS, "warning", study_rules.games_do_not_come_last),
)
