"""How many participants a machine holds at the asked rate, reckoned from a rehearsal. Pure.

What is looked at is the game's own pace: every frame says which tick it is and when the server made it, so the pace
is known whatever the network did, and whether or not every frame was shown. A crowd *holds* when the pace of the
slowest 5 % is at least 95 % of the asked rate: late ticks are never made up for, so a machine that is too slow shows
there and nowhere else.

The prediction is of work. In windows of some seconds the server's CPU time, that of the rehearsal itself, the time
that was played and the starts are counted, which gives what a player and what a start costs, with all that playing
brings along: pauses, new episodes, records. A machine holds as many players as fill 90 % of the cores that others
leave free. Where in the rehearsal itself a crowd did not hold, the largest that
did is the answer, and nothing is reckoned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KEPT_PACE = 0.95
FILLED = 0.9
LEAST_PLAYED_S = 20.0  # less says nothing about what a player costs
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

    playing: participants in a game from its begin to its end; heard: of them. played_s: by all, one second of two
    players counts two. starts: of games. server_s, bots_s: CPU seconds of the server with its trials, and of the
    rehearsal. others_s: those of everything else on the machine. None where the server is on another machine.
    """

    seconds: float
    playing: int
    heard: tuple[Heard, ...]
    played_s: float
    starts: int
    bots_s: float
    server_s: float | None = None
    others_s: float | None = None


@dataclass(frozen=True)
class Costs:
    """player, bot: cores that a player takes at the server, and the program that plays. start_s: CPU seconds."""

    player: float
    bot: float
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


def predict(windows: Sequence[Window], cores: int) -> Prediction:
    """What the windows of a rehearsal say. cores: of the machine."""
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
    with_bots = math.floor(FILLED * free / (costs.player + costs.bot))
    alone = math.floor(FILLED * free / costs.player)
    told = (
        f"reckoned: {costs.player:.1%} of a core for each player, {costs.bot:.1%} for its bot, {FILLED:.0%} of the "
        f"{free:.2f} cores that others leave; seen: up to {seen} at once"
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
    """What a player and a start cost; None where too little was played. windows: in the order they were seen in.

    Windows in which, and just before which, nobody started tell what players cost, and the others what starts add to
    that. Where there are too few of such calm ones, least squares over all windows have to tell both.
    """
    told = [window for window in windows if window.server_s is not None]
    if sum(window.played_s for window in told) < LEAST_PLAYED_S:
        return None
    calm = [_is_calm(now, before) for now, before in zip(told, [None, *told], strict=False)]
    player, start_s = _two_costs(told, calm, [window.server_s or 0.0 for window in told])
    bot, _ = _two_costs(told, calm, [window.bots_s for window in told])
    return Costs(player, bot, start_s)


def _is_calm(window: Window, before: Window | None) -> bool:
    return window.played_s > 0 and window.starts == 0 and (before is None or before.starts == 0)


def _two_costs(windows: Sequence[Window], calm: Sequence[bool], spent_s: Sequence[float]) -> tuple[float, float]:
    """(cores of a player, CPU seconds of a start)."""
    played_s, starts = sum(window.played_s for window in windows), sum(window.starts for window in windows)
    calm_played_s = sum(window.played_s for window, is_calm in zip(windows, calm, strict=True) if is_calm)
    if calm_played_s >= LEAST_PLAYED_S:
        player = sum(spent for spent, is_calm in zip(spent_s, calm, strict=True) if is_calm) / calm_played_s
        return player, max(0.0, (sum(spent_s) - played_s * player) / starts) if starts else 0.0
    if len(windows) >= 4 and starts:
        both = np.array([[window.played_s, window.starts] for window in windows], float)
        (player, start_s), *_ = np.linalg.lstsq(both, np.asarray(spent_s))
        if player > 0 and start_s >= 0:
            return float(player), float(start_s)
    return sum(spent_s) / played_s, 0.0


def free_cores(windows: Sequence[Window], cores: int) -> float | None:
    """What others left of the machine while people played; the median, at least a tenth of a core."""
    left = [cores - window.others_s / window.seconds for window in windows if window.others_s is not None]
    return max(0.1, float(np.median(left))) if left else None


def _elsewhere(windows: Sequence[Window]) -> bool:
    return bool(windows) and all(window.server_s is None for window in windows)
