"""The study's way: its steps in order, for each condition, and how it can end. Built from plain settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hippogym.core.study.when import Comparison, read_comparison

OUTCOMES = ("complete", "screenedOut", "failedCheck", "withdrew", "fault", "full")
"""How a visit can end."""

FINAL = "finalStep"
"""The name of the step after the last one."""

CONTINUE = "continue"

TEXTS = {
    "complete": "That was all. Thank you for taking part.",
    "screenedOut": "Thank you for your interest. The study is looking for other participants this time.",
    "failedCheck": "The study ends here, because some answers were not as the study needs them. Thank you.",
    "withdrew": "You have left the study. Thank you for the time that you gave.",
    "fault": "The study cannot go on, and that is not your fault. Thank you for taking part.",
    "full": "The study has all the participants that it needs. Thank you for your interest.",
}
"""What a participant is told where the study has no words of its own for an ending."""


@dataclass(frozen=True)
class Step:
    """A page, a game, or the place where the way ends for some.

    number: from 1, within its condition. page: the file as the study writes it, None for a game and for a default
    page. end: the outcome with which the visit ends here; such a step is never shown. when: all must hold, or the
    step is left out. trial: settings of the trial that differ in this game. tries: None as many as it takes.
    on_fail: an outcome, the name of a step, or ``continue``. episodes: how many the game has.
    """

    number: int
    name: str
    page: str | None = None
    is_game: bool = False
    is_final: bool = False
    end: str | None = None
    when: tuple[Comparison, ...] = ()
    trial: Mapping[str, Any] = field(default_factory=dict)
    tries: int | None = None
    on_fail: str = "failedCheck"
    episodes: int | None = None

    @property
    def stem(self) -> str:
        """The page's name without .html, by which its variants are grouped; empty without a page."""
        return stem_of(self.page) if self.page else ""


@dataclass(frozen=True)
class Condition:
    """An arm of the study. trial: settings that differ. agent: what the agent is told. quota: None without end."""

    name: str
    weight: float = 1.0
    quota: int | None = None
    trial: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ending:
    """What a participant is shown at the end. code: ``signed``, ``none``, or a text. redirect: a URL with {names}."""

    page: str | None = None
    text: str = ""
    code: str = "signed"
    redirect: str | None = None


@dataclass(frozen=True)
class Way:
    """All ways through a study. steps: for each condition, and under None where there is none; the last is final."""

    project: str
    title: str
    steps: Mapping[str | None, tuple[Step, ...]]
    conditions: Mapping[str, Condition]
    endings: Mapping[str, Ending]
    resume: str = "resume"
    attention_limit: int | None = None
    can_withdraw: bool = True
    scripts: bool = False
    recruiting: str | None = None
    assignment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_steps(self) -> bool:
        """False for a study that is only a game."""
        return any(len(steps) > 1 for steps in self.steps.values())

    @property
    def give_back_s(self) -> float:
        """Seconds without contact after which an unfinished visit counts as abandoned."""
        return 60.0 * float(self.assignment.get("giveBack", 30))

    def steps_for(self, condition: str | None) -> tuple[Step, ...]:
        """The steps of a condition, the final one last. A condition that is no more has the study's own steps."""
        return self.steps.get(condition, self.steps[None])

    def step_named(self, condition: str | None, name: str) -> Step | None:
        """The step of that name, or None."""
        return next((step for step in self.steps_for(condition) if step.name == name), None)

    def overrides(self, condition: str | None, step: Step) -> tuple[Mapping[str, Any], ...]:
        """What goes over the study's trial settings in this game, the later before the earlier."""
        arm = self.conditions.get(condition) if condition is not None else None
        return (arm.trial if arm else {}, step.trial)

    def ending(self, outcome: str) -> Ending:
        """How the study ends with this outcome; always with words."""
        return self.endings[outcome]

    def pages(self) -> tuple[str, ...]:
        """Every file that may be shown, as the study writes it (without variants), each once, in order."""
        shown = [step.page for steps in self.steps.values() for step in steps]
        shown += [ending.page for ending in self.endings.values()]
        return tuple(dict.fromkeys(page for page in shown if page))


def build_way(settings: Mapping[str, Any]) -> Way:
    """settings: what ``Study.study_settings`` gives."""
    conditions = {name: _condition(name, arm) for name, arm in settings.get("conditions", {}).items()}
    final, base = settings["final"], settings["steps"]
    episodes = settings.get("maxEpisodes")
    steps: dict[str | None, tuple[Step, ...]] = {None: _steps(base, final, episodes)}
    for name, arm in settings.get("conditions", {}).items():
        own = arm.get("steps")
        arm_episodes = arm.get("trial", {}).get("maxEpisodes", episodes)
        steps[name] = _steps(base if own is None else own, arm.get("final") or final, arm_episodes)
    return Way(
        project=settings["id"],
        title=settings.get("name") or settings["id"],
        steps=steps,
        conditions=conditions,
        endings={outcome: _ending(outcome, settings.get("endings", {}), final) for outcome in OUTCOMES},
        resume=settings.get("resume", "resume"),
        attention_limit=settings.get("attentionLimit"),
        can_withdraw=settings.get("withdraw", True),
        scripts=settings.get("scripts", False),
        recruiting=settings.get("recruiting"),
        assignment=settings.get("assignment", {}),
    )


def stem_of(page: str) -> str:
    """``survey`` for survey.html."""
    return page.rpartition(".")[0] or page


def variant(page: str, arm: str | int) -> str:
    """The file that an arm of a group is shown: survey-1.html for survey.html and 1."""
    stem, dot, suffix = page.rpartition(".")
    return f"{stem}-{arm}{dot}{suffix}" if stem else f"{page}-{arm}"


def _steps(steps: Sequence[Mapping[str, Any]], final: Mapping[str, Any], episodes: int | None) -> tuple[Step, ...]:
    built = [_step(step, episodes) for step in steps]
    return (*built, Step(len(built) + 1, FINAL, page=final.get("page"), is_final=True))


def _step(step: Mapping[str, Any], episodes: int | None) -> Step:
    is_game, trial = step.get("page") == "game", step.get("trial") or {}
    return Step(
        number=step["number"],
        name=step["name"],
        page=None if is_game else step.get("page"),
        is_game=is_game,
        end=step.get("end"),
        when=tuple(read_comparison(text) for text in step.get("when", ())),
        trial=trial,
        tries=step.get("tries"),
        on_fail=step.get("onFail") or "failedCheck",
        episodes=trial.get("maxEpisodes", episodes) if is_game else None,
    )


def _condition(name: str, arm: Mapping[str, Any]) -> Condition:
    return Condition(name, arm.get("weight", 1.0), arm.get("quota"), arm.get("trial") or {}, arm.get("agent") or {})


def _ending(outcome: str, endings: Mapping[str, Any], final: Mapping[str, Any]) -> Ending:
    """The complete ending shows finalStep, unless it has a page of its own."""
    given = endings.get(outcome, {})
    page = given.get("page") or (final.get("page") if outcome == "complete" else None)
    return Ending(page, given.get("text") or TEXTS[outcome], given.get("code") or "signed", given.get("redirect"))
