"""What happened to one participant of a rehearsal, as they saw it. It is held against the data afterwards."""

from dataclasses import dataclass, field
from typing import Any

from hippogym.rehearse.plan import Person

COMING, HERE, DONE, LEFT, FAILED = "coming", "here", "done", "left", "failed"


class Trouble(Exception):
    """The study did not do what it must. The sentence says what; the participant can go no further."""


@dataclass(frozen=True)
class Entered:
    """An answer that the server has acknowledged. step: its name; stamp: of the showing that was answered."""

    step: str
    stamp: str
    answers: dict[str, Any]


@dataclass
class Played:
    """A game. ticks: of each episode, the last tick that was seen. reason: why it ended, None where it did not."""

    step: str
    ticks: dict[int, int] = field(default_factory=dict)
    frames: int = 0
    overtaken: int = 0  # frames that were skipped, as their numbers tell
    waited_s: float = 0.0  # in the line, for a place
    joined_s: float | None = None  # from the connection to the first picture
    reason: str | None = None

    def add(self, more: "Played") -> None:
        """What was seen on another connection."""
        for episode, tick in more.ticks.items():
            self.ticks[episode] = max(tick, self.ticks.get(episode, 0))
        self.frames += more.frames
        self.waited_s += more.waited_s


@dataclass
class Story:
    """state: COMING, HERE, DONE (the study has ended for them), LEFT (as planned) or FAILED.

    steps: each step that was shown and how long it took, in seconds. troubles: (step, sentence).
    """

    person: Person
    state: str = COMING
    step: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)
    entered: list[Entered] = field(default_factory=list)
    games: list[Played] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    reloads: int = 0
    second_tabs: int = 0
    refusals: int = 0
    wrong_tries: int = 0
    outcome: str | None = None
    code: str | None = None
    redirect: str | None = None
    began_s: float | None = None
    took_s: float | None = None
    in_line: bool = False

    def note(self, trouble: str) -> None:
        """Something was not as it must be; the participant goes on."""
        self.troubles.append((self.step, trouble))
