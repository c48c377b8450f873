"""Is a prediction true? Crowds of 80 % and of 130 % of it play at once, in a server of their own.

They play the study's first game and nothing else (playground.py). A crowd that comes nearer to the limit than the
rehearsal did tells more exactly where it is. So where a crowd shows that the prediction was not true, or says something
else by more than a tenth, the prediction is made anew from it, and tried again, until a crowd of at least 80 % of it
has held and one of at most 130 % has not. Pure, but for what it is handed.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from hippogym.rehearse.capacity import FILLED, Prediction, Window, holds, predict, slowest

UNDER, OVER = 0.8, 1.3
NEAR = 0.1
MOST_TRIES = 10


@dataclass(frozen=True)
class Trialled:
    """A crowd that was tried. of: the prediction then. wanted: whether it should hold.

    slowest: pace of the slowest 5 %, 1 is what is asked, 0 where not everybody came into play. others: cores.
    """

    playing: int
    of: int
    wanted: bool
    holds: bool
    slowest: float
    others: float

    @property
    def is_as_predicted(self) -> bool:
        return self.wanted is self.holds


@dataclass
class Confirmation:
    """prediction: the one that stands in the end. is_true: whether it was tried both ways, and is."""

    prediction: Prediction
    tried: list[Trialled] = field(default_factory=list)
    is_true: bool = False


Try = Callable[[int], Awaitable[Window]]


async def confirm(first: Prediction, cores: int, attempt: Try) -> Confirmation:
    """Try the prediction. attempt: lets so many play at once, and returns the time in which all of them did."""
    found = Confirmation(first)
    held, broke = 0, math.inf
    while found.prediction.holds and len(found.tried) < MOST_TRIES:
        of = found.prediction.holds
        under, over = max(1, round(UNDER * of)), max(of + 1, round(OVER * of))
        if held >= under and broke <= over:
            found.is_true = True
            break
        wanted = held < under
        size = under if wanted else over
        window = await attempt(size)
        one = judged(window, size, of, wanted=wanted)
        found.tried.append(one)
        if one.holds:
            held, broke = max(held, size), broke if broke > size else math.inf
        else:
            held, broke = held if held < size else 0, min(broke, size)
        found.prediction = _anew(found.prediction, window, one, cores)
    return found


def _anew(before: Prediction, window: Window, one: Trialled, cores: int) -> Prediction:
    """The prediction after a crowd was tried; the same where the crowd has said about the same."""
    if one.wanted and not one.holds:
        fewer = min(one.playing - 1, math.floor(FILLED * one.playing * one.slowest))
        return replace(before, holds=max(1, fewer) if one.playing > 1 else None, alone=None,
                       method=f"a crowd of {one.playing} did not hold")  # fmt: skip
    better = predict([window], cores)
    if not one.holds or better.holds is None or before.holds is None:
        return before
    if one.wanted and abs(better.holds - before.holds) <= max(1.0, NEAR * before.holds):
        return before
    return better


def judged(window: Window, size: int, of: int, *, wanted: bool) -> Trialled:
    """What came of a crowd. One of which not everybody has come into the game does not hold either."""
    everybody = window.playing >= size
    worst = (slowest([window]) or 0.0) if everybody else 0.0
    others = (window.others_s or 0.0) / window.seconds
    return Trialled(size, of, wanted, everybody and holds([window]), worst, others)
