"""How many participants a machine holds at the asked rate, reckoned from a rehearsal. Pure.

What is looked at is the game's own pace: every frame says which tick it is and when the server made it, so the pace
is known whatever the network did, and whether or not every frame was shown. A crowd *holds* when the pace of the
slowest 5 % is at least 95 % of the asked rate: late ticks are never made up for, so a machine that is too slow shows
there and nowhere else.

The prediction is of work. In windows of some seconds the server's CPU time, that of the rehearsal itself, and the
ticks and starts in them are counted, which gives what a tick and what a start costs. A machine holds as many as fill
90 % of the cores that others leave free. Where in the rehearsal itself a crowd did not hold, the largest that
did is the answer, and nothing is reckoned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KEPT_PACE = 0.95
FILLED = 0.9
LEAST_TICKS = 100  # fewer say nothing about what a tick costs
LEAST_HEARD_S = 3.0  # of a game, before its pace says anything: one late tick is none
FEW = 3  # windows of a crowd, before it is judged


@dataclass(frozen=True)
class Heard:
    """What was heard of one player's game in a window: so many seconds of it, and ticks made / ticks asked in them."""

    player: int
    seconds: float
    pace: float


@dataclass(frozen=True)
class Window:
    """Some seconds of a rehearsal.

    playing: participants in a game from its begin to its end; heard: of them. ticks, starts: of all games. server_s,
    bots_s: CPU seconds of the server with its trials, and of the rehearsal. others_s: those of everything else on the
    machine. None where the server is on another machine.
    """

    seconds: float
    playing: int
    heard: tuple[Heard, ...]
    ticks: int
    starts: int
    bots_s: float
    server_s: float | None = None
    others_s: float | None = None


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


def slowest(windows: Sequence[Window]) -> float | None:
    """The pace of the slowest 5 % over these windows: the 5th percentile over the players, linear between neighbours.

    None where too little was heard of everybody.
    """
    heard: dict[int, list[Heard]] = {}
    for one in (one for window in windows for one in window.heard):
        heard.setdefault(one.player, []).append(one)
    seconds = {player: sum(one.seconds for one in its) for player, its in heard.items()}
    paces = [
        min(1.0, sum(one.pace * one.seconds for one in its) / seconds[player])
        for player, its in heard.items()
        if seconds[player] >= LEAST_HEARD_S
    ]
    return float(np.percentile(np.asarray(paces), 5)) if paces else None


def holds(windows: Sequence[Window]) -> bool:
    """Whether the slowest 5 % keep the pace in these windows."""
    pace = slowest(windows)
    return pace is not None and pace >= KEPT_PACE


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
        why = "the server's CPU cannot be seen from here" if _elsewhere(windows) else "too little was played"
        told = f"the largest crowd that was seen; {why}" if seen else why
        return Prediction(seen or None, None, seen, None, free, None, told)
    with_bots = math.floor(FILLED * free / ((costs.tick_s + costs.bot_tick_s) * rate))
    alone = math.floor(FILLED * free / (costs.tick_s * rate))
    told = (
        f"reckoned: {costs.tick_s * 1e6:.0f} µs of CPU a tick and participant, {costs.bot_tick_s * 1e6:.0f} µs for its "
        f"bot, {FILLED:.0%} of the {free:.2f} cores that others leave; seen: up to {seen} at once"
    )
    return Prediction(max(seen, with_bots), max(seen, alone), seen, None, free, costs, told)


def observed(windows: Sequence[Window]) -> tuple[int, int | None]:
    """(the largest crowd that was seen to hold, the smallest that was seen not to; None: there was none).

    From the largest crowd down, windows of like crowds are put together until there are FEW of them, as a single one
    may be anybody's bad moment, and judged; until one holds.
    """
    broke = None
    group: list[Window] = []
    played = sorted((window for window in windows if window.playing), key=lambda window: -window.playing)
    for at, window in enumerate(played):
        group.append(window)
        if len(group) < FEW or any(after.playing == window.playing for after in played[at + 1 : at + 2]):
            continue
        pace = slowest(group)
        if pace is not None and pace >= KEPT_PACE:
            break
        if pace is not None:
            broke = window.playing
            group = []
    held = [window.playing for window in played if broke is None or window.playing < broke]
    return max(held, default=0), broke


def reckon_costs(windows: Sequence[Window]) -> Costs | None:
    """What a tick and a start cost; None where too little was played. windows: in the order in which they were seen.

    Windows in which, and just before which, nobody started tell what ticks cost, and the others what starts add to
    that. Where there are too few of such calm ones, least squares over all windows have to tell both.
    """
    told = [window for window in windows if window.server_s is not None]
    if sum(window.ticks for window in told) < LEAST_TICKS:
        return None
    calm = [now for now, before in zip(told, [None, *told], strict=False) if _is_calm(now, before)]
    tick_s, start_s = _two_costs(told, calm, [window.server_s or 0.0 for window in told])
    bot_tick_s, _ = _two_costs(told, calm, [window.bots_s for window in told])
    return Costs(tick_s, bot_tick_s, start_s)


def _is_calm(window: Window, before: Window | None) -> bool:
    return window.ticks > 0 and window.starts == 0 and (before is None or before.starts == 0)


def _two_costs(windows: Sequence[Window], calm: Sequence[Window], spent_s: Sequence[float]) -> tuple[float, float]:
    """(of a tick, of a start), in seconds."""
    ticks, starts = sum(window.ticks for window in windows), sum(window.starts for window in windows)
    calm_ticks = sum(window.ticks for window in calm)
    if calm_ticks >= LEAST_TICKS:
        ids = {id(window) for window in calm}
        calm_s = sum(spent for window, spent in zip(windows, spent_s, strict=True) if id(window) in ids)
        tick_s = calm_s / calm_ticks
        return tick_s, max(0.0, (sum(spent_s) - ticks * tick_s) / starts) if starts else 0.0
    if len(windows) >= 4 and starts:
        both = np.array([[window.ticks, window.starts] for window in windows], float)
        (tick_s, start_s), *_ = np.linalg.lstsq(both, np.asarray(spent_s))
        if tick_s > 0 and start_s >= 0:
            return float(tick_s), float(start_s)
    return sum(spent_s) / ticks, 0.0


def free_cores(windows: Sequence[Window], cores: int) -> float | None:
    """What others left of the machine while people played; the median, at least a tenth of a core."""
    left = [cores - window.others_s / window.seconds for window in windows if window.others_s is not None]
    return max(0.1, float(np.median(left))) if left else None


def _elsewhere(windows: Sequence[Window]) -> bool:
    return bool(windows) and all(window.server_s is None for window in windows)
