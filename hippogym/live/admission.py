"""Who may play: what the study's desk (hippogym.live.desk) says of a visit, and what it is told of its game.

A study without steps has no desk: whoever says hello may play.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Admission:
    """A visit whose current step is a game.

    user: the participant's label, None where the server has to make one. spec_overrides: ``settings`` (all trial
    settings of this step, checked), ``condition`` (name or None), ``agent`` (the condition's parameters), ``step`` (the
    name), ``episodes_done`` (those that need not be played again), ``preview`` and ``header`` (what else the record
    says of it); what is not there is as in every other trial.
    """

    visit_id: str
    user: str | None
    spec_overrides: Mapping[str, Any] = field(default_factory=dict)


class FrontDesk(Protocol):
    """What the sessions ask of the desk. All may be asked again without harm.

    Who tells it something may get a receipt: a text that the participant's page hands on to the study. None where the
    desk is the study's own, and needs no messenger.
    """

    async def admit(self, token: str) -> Admission | None:
        """The visit of this token; None where it is not at a game, or the token is nobody's."""
        ...

    async def admit_user(self, user: str) -> Admission | None:
        """The same for clients of version 1, whose pages come from /next: only visits that came by that door."""
        ...

    async def began(self, visit_id: str, trial: str, step: str | None = None) -> str | None:
        """A trial begins for this visit, in the game of this step."""
        ...

    async def progress(self, visit_id: str, progress: Mapping[str, Any]) -> str | None:
        """How far it is: ``trial``, ``episodes`` that are over, ``ticks`` and ``score`` so far, of this trial alone."""
        ...

    async def over(self, visit_id: str, result: Mapping[str, Any]) -> str | None:
        """It has ended: the same with its ``reason``. Awaited before the participant is told."""
        ...
