"""Everybody's places in all factors of a study, kept over its log."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hippogym.core.study.assignment import Entry, assign, preview, settle
from hippogym.core.study.factors import CONDITION, Factor, factor_text
from hippogym.core.study.tally import Count, Tally


@dataclass(frozen=True)
class Placement:
    """arms: factor → arm, for every factor; empty where one is full. full: the factor that has no room.

    entries: to be kept with the visit, all or nothing, and then handed to ``Allocation.add``.
    """

    arms: Mapping[str, str]
    full: str | None
    entries: tuple[Entry, ...]

    @property
    def condition(self) -> str | None:
        """The condition, in a study that has some."""
        return self.arms.get(CONDITION)

    @property
    def groups(self) -> dict[str, str]:
        """Page → variant."""
        return {factor: arm for factor, arm in self.arms.items() if factor != CONDITION}


class Allocation:
    """Who has which place. Nothing here changes but by ``add``, and that is called once the ledger has the entries.

    So the order for a newcomer is: ``place`` → write its entries → ``add`` them; and nobody else is placed meanwhile.
    A crash in between leaves the log as it is, and the newcomer without a place.
    """

    def __init__(self, factors: Sequence[Factor], log: Iterable[Mapping[str, Any]] = ()) -> None:
        log = tuple(log)
        self._tallies = {factor.name: Tally(factor, log) for factor in factors}
        for factor in factors:
            self._tallies[factor.name].change(factor)  # the log may end with what the factor was before an edit

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors as they are today."""
        return tuple(tally.factor for tally in self._tallies.values())

    def place(
        self, visit: str, t_s: float, *, absent: Collection[str] = (), instead_of: str | None = None
    ) -> Placement:
        """A place for a visit in every factor, or in none.

        absent: exactly the visits that are over without being complete, or without contact for too long; only they
        make room. instead_of: an earlier visit of the same participant, whose arms they get again.
        """
        absent = absent if isinstance(absent, set | frozenset | dict) else set(absent)
        arms: dict[str, str] = {}
        entries: list[Entry] = []
        for name, tally in self._tallies.items():
            given = assign(tally, visit, t_s, absent, instead_of)
            announced = self._announced(tally, t_s, given.entries)
            if given.arm is None:
                return Placement({}, name, tuple(announced))
            arms[name] = given.arm
            entries += announced
        return Placement(arms, None, tuple(entries))

    def preview(self, visit: str, t_s: float) -> Placement:
        """Arms for a researcher's own visit, that is never counted."""
        given = {name: preview(tally, visit, t_s) for name, tally in self._tallies.items()}
        arms = {name: assignment.arm for name, assignment in given.items() if assignment.arm is not None}
        return Placement(arms, None, tuple(entry for assignment in given.values() for entry in assignment.entries))

    def settle(self, visit: str, event: str, t_s: float, reason: str = "") -> tuple[Entry, ...]:
        """What is to be logged when a visit is ``complete`` (or ``absent``, ``present``); nothing where that is old."""
        return tuple(e for tally in self._tallies.values() for e in settle(tally, visit, event, t_s, reason))

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """These entries are in the log, in this order. Those of factors that are no more are passed over."""
        for entry in entries:
            tally = self._tallies.get(entry["factor"])
            if tally is not None:
                tally.add(entry)

    def counts(self) -> dict[str, dict[str, Count]]:
        """Factor → arm → count, for whoever looks at how the study goes."""
        return {name: tally.counts for name, tally in self._tallies.items()}

    def _announced(self, tally: Tally, t_s: float, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, after one that says what the factor is, where the log does not say so yet."""
        text = factor_text(tally.factor)
        if not entries or tally.settings == text:
            return list(entries)
        said = {"n": tally.entries, "t_s": t_s, "visit": "", "factor": tally.factor.name, "arm": None,
                "event": "settings", "reason": text}  # fmt: skip
        return [said, *({**entry, "n": entry["n"] + 1} for entry in entries)]
