"""How many are in each arm of a factor: what its log comes to, entry by entry."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hippogym.core.study.factors import Factor, factor_from_text, slot

State = Literal["live", "absent", "completed", "gone"]

_MOVES: dict[str, tuple[tuple[State | None, ...], State]] = {
    "absent": (("live",), "absent"),
    "present": (("absent",), "live"),
    "return": (("live", "absent"), "gone"),
    "complete": (("live", "absent", "gone", None), "completed"),
}
"""For each event, the states that it changes, and into what."""


@dataclass(frozen=True)
class Count:
    """One arm. absent: those of the live whose place may be taken. vacant: places given back and not taken yet."""

    completed: int = 0
    live: int = 0
    absent: int = 0
    vacant: int = 0

    @property
    def held(self) -> int:
        """Completed plus live: what stays even."""
        return self.completed + self.live

    @property
    def there(self) -> int:
        """Completed, and taking part as far as is known: by this a newcomer is placed."""
        return self.held - self.absent


class Tally:
    """What the log of one factor comes to. Only ``add`` changes it."""

    def __init__(self, factor: Factor, log: Iterable[Mapping[str, Any]] = ()) -> None:
        self.factor = factor
        self.entries = self.drawn = self.previews = 0
        self.settings: str | None = None  # the factor that the latest decisions rest on
        self.position = 0  # in the row of blocks
        self._counts: dict[str, Count] = {arm: Count() for arm in factor.arms}
        self._visits: dict[str, tuple[str, State]] = {}
        self._live: dict[str, str] = {}  # visit → arm, without the absent
        self._absent: dict[str, str] = {}  # visit → arm, who was missed first comes first
        for entry in log:
            if entry["factor"] == factor.name:
                self.add(entry)

    @property
    def counts(self) -> dict[str, Count]:
        """Arm → count. An arm that the study has no more is still there, after those of today."""
        return dict(self._counts)

    def count(self, arm: str) -> Count:
        """One arm's count."""
        return self._counts.get(arm, Count())

    def arm_of(self, visit: str) -> str | None:
        """The arm in which the visit has a place, or had one."""
        return self._visits[visit][0] if visit in self._visits else None

    def state_of(self, visit: str) -> State | None:
        """gone: its place was given back. None: it never had one."""
        return self._visits[visit][1] if visit in self._visits else None

    def absence(self, absent: Collection[str]) -> tuple[list[str], list[str]]:
        """If exactly these are absent: who was not until now, and who was and is not. Others than ours are left out."""
        asked = absent if isinstance(absent, set | frozenset | dict) else set(absent)
        return [visit for visit in self._live if visit in asked], [
            visit for visit in self._absent if visit not in asked
        ]

    @property
    def absent(self) -> dict[str, str]:
        """The absent ones and their arms; who was missed first comes first."""
        return dict(self._absent)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Another entry is in the log. One that comes twice, such as a second ``complete``, changes nothing."""
        event, visit, arm = entry["event"], entry["visit"], entry["arm"]
        self.entries += 1
        if event == "settings":
            self.settings = entry["reason"]
            self.change(factor_from_text(self.factor.name, entry["reason"]))
        elif event == "preview":
            self.previews += 1
        elif event in ("assign", "keep"):
            self._take(visit, arm, drawn=event == "assign")
        elif event in _MOVES:
            self._move(visit, arm, event)

    def would_change(self, visit: str, event: str) -> bool:
        """Whether such an entry would be news: ``complete``, ``absent``, ``present`` or ``return`` of a known visit."""
        return visit in self._visits and self.state_of(visit) in _MOVES[event][0]

    def change(self, factor: Factor) -> None:
        """From now on the factor is this; the log is to say so before the next decision. The name stays."""
        if _layout(factor) != _layout(self.factor):
            self.position = 0
        self.factor = factor
        self._counts = {arm: self.count(arm) for arm in (*factor.arms, *self._counts)}

    def _take(self, visit: str, arm: str, *, drawn: bool) -> None:
        count = self.count(arm)
        if drawn:
            self.drawn += 1
            if self.factor.method == "blocks" and not count.vacant:
                self.position = _after(self.factor, self.position, arm)
        self._counts[arm] = replace(count, live=count.live + 1, vacant=max(0, count.vacant - 1))
        self._visits[visit] = (arm, "live")
        self._live[visit] = arm

    def _move(self, visit: str, arm: str, event: str) -> None:
        before, after = _MOVES[event]
        state = self.state_of(visit)
        if state not in before:
            return
        count = self.count(arm)
        self._counts[arm] = Count(
            completed=count.completed + (after == "completed"),
            live=count.live - (state in ("live", "absent")) + (after in ("live", "absent")),
            absent=count.absent - (state == "absent") + (after == "absent"),
            vacant=count.vacant + (after == "gone"),
        )
        self._visits[visit] = (arm, after)
        for kept, visits in (("live", self._live), ("absent", self._absent)):
            visits.pop(visit, None)
            if kept == after:
                visits[visit] = arm


def _layout(factor: Factor) -> tuple[object, ...]:
    """What the row of blocks depends on."""
    return factor.method, factor.places_in_block, tuple(factor.shares.items()), factor.seed


def _after(factor: Factor, position: int, arm: str) -> int:
    """The position after the next place of the arm; those of full arms before it are passed over."""
    if not factor.arms.get(arm) or not factor.shares[arm]:
        return position
    while slot(factor, position) != arm:
        position += 1
    return position + 1
