"""Who gets into which arm of a factor, with the reason, such that the log shows it again.

Arms are kept even over those who completed and those who take part (*live*). Who breaks off is only found out after a
while, and may yet come back. So the place stays theirs, marked *absent*, until a newcomer needs it; then it is given
back and taken over in one step. Hence arms of equal weight differ by at most one place, whenever one looks and however
many leave; newcomers go first where most have left; and who comes back early enough has lost nothing. Who comes back
too late goes on in the arm that they have seen: one more there, which newcomers make up for. (Of the people who are
really there, nobody can promise as much: three who leave one arm together are missed until three have come.)

Each step is an entry of the log, a plain dict: ``n`` (in its factor, from 0), ``t_s``, ``visit``, ``factor``, ``arm``,
``event``, ``reason``. A decision rests on nothing else, so ``replay`` comes to the same arms.

    settings   the factor itself, as JSON in the reason; what follows rests on it
    assign     a newcomer's place, decided; after a ``return`` in the same arm, the place that was given back
    keep       a place that was not decided anew: somebody comes again to the arm that they have seen
    absent     over without being complete, or without contact for too long: the place may be taken
    present    heard of again before anybody has taken it
    return     the place is given back
    complete   went the whole way: the place is theirs for good
    full       turned away: no arm has a place left
    preview    a researcher's own visit: shown an arm, counted nowhere
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from hippogym.core.study.factors import Factor, one_by_weight, one_of, slot
from hippogym.core.study.tally import Count, Tally

Entry = dict[str, Any]


@dataclass(frozen=True)
class Assignment:
    """arm: None where every arm is full. entries: to be logged before it holds; none where it held already."""

    arm: str | None
    reason: str
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What a decision rests on. waiting: the arms of those whose place may be taken, who was missed first is first."""

    counts: Mapping[str, Count]
    waiting: Sequence[str]
    drawn: int
    position: int


def assign(
    tally: Tally, visit: str, t_s: float, absent: Collection[str] = (), instead_of: str | None = None
) -> Assignment:
    """An arm for a visit: the one it has or had, that of the visit it comes instead of, or one that is decided now.

    absent: exactly the visits whose place may be taken now. Changes nothing: once the entries are safe in the log,
    ``tally.add`` them. Asked again without that, the answer is the same.
    """
    arm = tally.arm_of(visit)
    if arm is not None and tally.state_of(visit) != "gone":
        return Assignment(arm, "has a place already")
    if arm is not None:
        return _kept(tally, visit, t_s, arm, "came back when the place had been given away")
    if instead_of is not None and (arm := tally.arm_of(instead_of)) is not None:
        return _kept(tally, visit, t_s, arm, "the arm that this participant has seen", instead_of)
    return _decided(tally, visit, t_s, absent)


def settle(tally: Tally, visit: str, event: str, t_s: float, reason: str = "") -> tuple[Entry, ...]:
    """The entry for what has become of a visit: ``complete``, ``absent``, ``present`` or ``return``; none if it is old.

    Only ``complete`` has to be told at once: the next ``assign`` hears of who is absent.
    """
    told = [(event, visit, tally.arm_of(visit), reason)] if tally.would_change(visit, event) else []
    return _entries(tally, t_s, told)


def preview(tally: Tally, visit: str, t_s: float) -> Assignment:
    """An arm for a researcher's own visit: each arm in its turn, whatever its weight, and counted nowhere."""
    arms = list(tally.factor.arms)
    arm, reason = arms[tally.previews % len(arms)], "previews see the arms in turn"
    return Assignment(arm, reason, _entries(tally, t_s, [("preview", visit, arm, reason)]))


def replay(factor: Factor, log: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """Every decision of the log, decided again. The same arms as ``decided`` reads, or somebody has changed the log.

    factor: for a log that does not say it itself.
    """
    tally, arms = Tally(factor), []
    for entry in log:
        if entry["factor"] != factor.name:
            continue
        if entry["event"] in ("assign", "full"):
            arms.append(decide(tally.factor, standing(tally))[0])
        tally.add(entry)
    return arms


def decided(factor: Factor, log: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """The arms of a factor's decisions, as they stand in the log; None for who was turned away."""
    return [entry["arm"] for entry in log if entry["factor"] == factor.name and entry["event"] in ("assign", "full")]


def standing(tally: Tally, left: Sequence[str] = (), back: Collection[str] = ()) -> Standing:
    """How things stand, once these have left and those are back."""
    waiting = [arm for visit, arm in tally.absent.items() if visit not in back]
    waiting += [arm for arm in map(tally.arm_of, left) if arm is not None]
    counts = {arm: replace(tally.count(arm), absent=waiting.count(arm)) for arm in tally.factor.arms}
    return Standing(counts, waiting, tally.drawn, tally.position)


def decide(factor: Factor, now: Standing) -> tuple[str | None, str]:
    """The arm for a newcomer, and why."""
    unfilled = [arm for arm in factor.arms if _has_room(factor, arm, now.counts[arm])]
    if not unfilled:
        return None, f"full: {_told(now, factor.arms)}"
    if len(unfilled) == 1:
        return unfilled[0], f"the only one with room: {_told(now, factor.arms)}"
    if factor.method == "random":
        return one_by_weight(factor, unfilled, now.drawn), f"drawn: {_told(now, unfilled)}"
    if factor.method == "blocks":
        return _in_blocks(factor, unfilled, now)
    return _balanced(factor, unfilled, now)


def _balanced(factor: Factor, unfilled: Sequence[str], now: Standing) -> tuple[str, str]:
    """The arm that is furthest behind its share (by Sainte-Laguë's divisors, which favour neither small nor large)."""
    behind = {arm: Fraction(2 * now.counts[arm].there + 1) / factor.shares[arm] for arm in unfilled}
    least = min(behind.values())
    level = [arm for arm in unfilled if behind[arm] == least]
    if len(level) == 1:
        return level[0], f"furthest behind: {_told(now, unfilled)}"
    return one_of(factor, level, now.drawn), f"drawn among {', '.join(level)}: {_told(now, unfilled)}"


def _in_blocks(factor: Factor, unfilled: Sequence[str], now: Standing) -> tuple[str, str]:
    """A place that somebody has left, or else the next one in the row of blocks."""
    for arm in unfilled:
        if now.counts[arm].vacant:
            return arm, f"a place that was given back: {_told(now, unfilled)}"
    for arm in now.waiting:
        if arm in unfilled:
            return arm, f"the place of somebody who is gone: {_told(now, unfilled)}"
    position = now.position
    while slot(factor, position) not in unfilled:
        position += 1
    block, place = divmod(position, factor.places_in_block)
    return slot(factor, position), f"place {place + 1} of block {block + 1}: {_told(now, unfilled)}"


def _has_room(factor: Factor, arm: str, count: Count) -> bool:
    quota = factor.arms[arm].quota
    return factor.shares[arm] > 0 and (quota is None or count.there < quota)


def _told(now: Standing, arms: Iterable[str]) -> str:
    return ", ".join(f"{arm} {now.counts[arm].there}" for arm in arms)


def _decided(tally: Tally, visit: str, t_s: float, absent: Collection[str]) -> Assignment:
    left, back = tally.absence(absent)
    now = standing(tally, left, back)
    arm, reason = decide(tally.factor, now)
    told: list[tuple[str, str, str | None, str]] = []
    told += [("absent", gone, tally.arm_of(gone), "over, or without contact") for gone in left]
    told += [("present", here, tally.arm_of(here), "heard of again") for here in back]
    if arm is not None and now.counts[arm].absent and not now.counts[arm].vacant:
        told.append(("return", _missed_first(tally, arm, left, back), arm, "the place is needed"))
    told.append(("full" if arm is None else "assign", visit, arm, reason))
    return Assignment(arm, reason, _entries(tally, t_s, told))


def _kept(tally: Tally, visit: str, t_s: float, arm: str, reason: str, instead_of: str | None = None) -> Assignment:
    told: list[tuple[str, str, str | None, str]] = [("keep", visit, arm, reason)]
    if instead_of is not None and tally.state_of(instead_of) in ("live", "absent"):
        told.insert(0, ("return", instead_of, arm, "the same participant has come again"))
    return Assignment(arm, reason, _entries(tally, t_s, told))


def _missed_first(tally: Tally, arm: str, left: Sequence[str], back: Collection[str]) -> str:
    earlier = (visit for visit, its_arm in tally.absent.items() if its_arm == arm and visit not in back)
    return next(earlier, "") or next(visit for visit in left if tally.arm_of(visit) == arm)


def _entries(tally: Tally, t_s: float, told: Iterable[tuple[str, str, str | None, str]]) -> tuple[Entry, ...]:
    return tuple(
        {"n": tally.entries + after, "t_s": t_s, "visit": visit, "factor": tally.factor.name, "arm": arm,
         "event": event, "reason": reason}
        for after, (event, visit, arm, reason) in enumerate(told)
    )  # fmt: skip
