"""One participant's stay in the study, as a plain document that JSON can carry. Only ``rules`` makes new ones."""

from typing import Any, Literal, TypedDict

VERSION = 1

GameState = Literal["waiting", "playing", "over"]


class Told(TypedDict):
    """A sentence about a control that was not answered as it must be."""

    name: str
    text: str


class Answer(TypedDict):
    """The latest answer to a step. The answers to earlier tries stand in the ledger's rows.

    page: the file that was shown. sha256: of its content, in hex. shown_s, submitted_s: seconds since 1970.
    focus_s: how long the page was in front. try: from 1, over the whole visit. right: None where nothing is judged.
    """

    page: str | None
    sha256: str | None
    stamp: str
    answers: dict[str, Any]
    shown_s: float | None
    submitted_s: float
    focus_s: float | None
    right: bool | None


_Try = TypedDict("_Try", {"try": int})


class AnswerEntry(Answer, _Try):
    """An Answer with the number of its try, whose name is a word of Python."""


class Game(TypedDict):
    """A game step. episodes, ticks, score: over all its trials, unless the policy was to begin anew.

    trial: the one that runs, or ran last. reason: why it ended. starts: how many trials there were. failures: how
    many of them failed. before: what earlier trials had brought when the latest began.
    """

    state: GameState
    trial: str | None
    episodes: int
    ticks: int
    score: float
    reason: str | None
    starts: int
    failures: int
    before: dict[str, float]


class Visit(TypedDict):
    """id: made by the server. user: a label, never a key. All times in seconds since 1970.

    link: the recruiting site's parameters. groups: page → arm. step: the name of the current one. trail: every step
    shown, in order. stamp: of the current showing, None where nothing can be answered. shown_s: when it was first
    looked at. tries: step → answers so far; tries_before: those the current step had when it was come to. problems:
    what was wrong with the last try. outcome: None as long as the visit lasts. superseded_by: the visit that took
    its place.
    """

    v: int
    id: str
    user: str | None
    project: str
    created_s: float
    seen_s: float
    preview: bool
    door: Literal["page", "next"]
    link: dict[str, str]
    site: str | None
    condition: str | None
    groups: dict[str, str]
    step: str
    trail: list[str]
    stamp: str | None
    shown_s: float | None
    tries: dict[str, int]
    tries_before: int
    problems: list[Told]
    answers: dict[str, AnswerEntry]
    games: dict[str, Game]
    attention_failed: int
    outcome: str | None
    ended_s: float | None
    code: str | None
    superseded_by: str | None


def is_over(visit: Visit) -> bool:
    """Whether nothing more can happen in this visit."""
    return visit["outcome"] is not None or visit["superseded_by"] is not None


def new_game() -> Game:
    """A game that nobody has begun."""
    return {
        "state": "waiting",
        "trial": None,
        "episodes": 0,
        "ticks": 0,
        "score": 0.0,
        "reason": None,
        "starts": 0,
        "failures": 0,
        "before": {"episodes": 0, "ticks": 0, "score": 0.0},
    }
