"""How many participants a machine holds at the asked rate, reckoned from a rehearsal. Pure.

What is looked at is the game's own pace: every frame says which tick it is and when the server made it, so the pace
is known whatever the network did, and whether or not every frame was shown. A crowd *holds* when the pace of the
slowest 5 % is at least 95 % of the asked rate: late ticks are never made up for, so a machine that is too slow shows
there and nowhere else.

The prediction is of work. In windows of some seconds the server's CPU time, that of the rehearsal itself, and the
ticks and starts in them are counted; least squares give what a tick and what a start costs. A machine holds as many
as fill 90 % of the cores that others leave free. Where in the rehearsal itself a crowd did not hold, the largest that
did is the answer, and nothing is reckoned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KEPT_PACE = 0.95
FILLED = 0.9
LEAST_TICKS = 100  # fewer say nothing about what a tick costs
FEW = 3  # windows in which a crowd did not hold, before it counts


@dataclass(frozen=True)
class Window:
    """Some seconds of a rehearsal.

    playing: participants in a game from its begin to its end. paces: of each, ticks made / ticks asked. ticks,
    starts: of all games. server_s, bots_s: CPU seconds of the server with its trials, and of the rehearsal.
    others_s: those of everything else on the machine. None where the server is on another machine.
    """

    seconds: float
    playing: int
    paces: tuple[float, ...]
    ticks: int
    starts: int
    bots_s: float
    server_s: float | None = None
    others_s: float | None = None

    @property
    def holds(self) -> bool:
        return bool(self.paces) and slowest(self.paces) >= KEPT_PACE


@dataclass(frozen=True)
class Costs:
    """CPU seconds: of one tick at the server, of one at the bots that take its frame, of one start."""

    tick_s: float
    bot_tick_s: float
    start_s: float


@dataclass(frozen=True)
class Prediction:
    """holds: how many at once, with the bots beside them on the machine; None where nothing can be said, why: then why.

    alone: how many where the participants are elsewhere. seen: the largest crowd that was seen to hold. broke: the
    smallest that was seen not to. free_cores: what others left of the machine. method: in a sentence.
    """

    holds: int | None
    alone: int | None
    seen: int
    broke: int | None
    free_cores: float | None
    costs: Costs | None
    method: str


def slowest(paces: Sequence[float]) -> float:
    """The pace of the slowest 5 %: the 5th percentile, linear between neighbours; 0 where nobody plays."""
    return float(np.percentile(np.asarray(paces), 5)) if len(paces) else 0.0


def predict(windows: Sequence[Window], rate: float, cores: int) -> Prediction:
    """What the windows of a rehearsal say. rate: ticks a second that are asked for; cores: of the machine."""
    seen, broke = observed(windows)
    costs = reckon_costs(windows)
    free = free_cores(windows, cores)
    if broke is not None:
        holds = min(seen, broke - 1) or None
        told = f"seen: {broke} at once did not keep the pace; the largest crowd that did was {seen}"
        return Prediction(holds, None, seen, broke, free, costs, told)
    if costs is None or free is None:
        where = "the server's CPU cannot be seen from here" if _elsewhere(windows) else "too little was played"
        return Prediction(seen or None, None, seen, None, free, None, f"the largest crowd that was seen; {where}")
    with_bots = math.floor(FILLED * free / ((costs.tick_s + costs.bot_tick_s) * rate))
    alone = math.floor(FILLED * free / (costs.tick_s * rate))
    told = (
        f"reckoned: {costs.tick_s * 1e6:.0f} µs of CPU a tick and participant, {costs.bot_tick_s * 1e6:.0f} µs for its "
        f"bot, {FILLED:.0%} of the {free:.2f} cores that others leave; seen: up to {seen} at once"
    )
    return Prediction(max(seen, with_bots), max(seen, alone), seen, None, free, costs, told)


def observed(windows: Sequence[Window]) -> tuple[int, int | None]:
    """(the largest crowd that was seen to hold, the smallest from which on crowds were seen not to; None: no such).

    One bad window may be anybody's: a crowd counts as too large where at least FEW windows of it, and more than half
    of those with as many or more, did not hold.
    """
    broke = None
    for size in sorted({window.playing for window in windows if window.playing}):
        larger = [window for window in windows if window.playing >= size]
        bad = [window for window in larger if not window.holds]
        here = [window for window in bad if window.playing == size]
        if here and len(bad) >= FEW and 2 * len(bad) > len(larger):
            broke = size
            break
    held = [window.playing for window in windows if window.holds and (broke is None or window.playing < broke)]
    return max(held, default=0), broke


def reckon_costs(windows: Sequence[Window]) -> Costs | None:
    """What a tick and a start cost, by least squares over the windows; None where too little was played."""
    told = [window for window in windows if window.server_s is not None and window.ticks]
    if sum(window.ticks for window in told) < LEAST_TICKS:
        return None
    tick_s, start_s = _two_costs(told, [window.server_s or 0.0 for window in told])
    bot_tick_s, _ = _two_costs(told, [window.bots_s for window in told])
    return Costs(tick_s, bot_tick_s, start_s)


def _two_costs(windows: Sequence[Window], spent_s: Sequence[float]) -> tuple[float, float]:
    """(of a tick, of a start). Where starts explain nothing, or less, ticks have to explain all."""
    ticks = np.array([window.ticks for window in windows], float)
    starts = np.array([window.starts for window in windows], float)
    spent = np.asarray(spent_s, float)
    if len(windows) >= 4 and np.ptp(starts) > 0:
        (tick_s, start_s), *_ = np.linalg.lstsq(np.stack([ticks, starts], axis=1), spent)
        if tick_s > 0 and start_s >= 0:
            return float(tick_s), float(start_s)
    return float(spent.sum() / ticks.sum()), 0.0


def free_cores(windows: Sequence[Window], cores: int) -> float | None:
    """What others left of the machine while people played; the median, at least a tenth of a core."""
    left = [cores - window.others_s / window.seconds for window in windows if window.others_s is not None]
    return max(0.1, float(np.median(left))) if left else None


def _elsewhere(windows: Sequence[Window]) -> bool:
    return all(window.server_s is None for window in windows)
