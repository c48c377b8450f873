"""Is a prediction true? Crowds of 80 % and of 130 % of it play at once, in a server of their own.

They play the study's first game and nothing else (playground.py). The first crowd comes nearer
to the limit than the rehearsal did, and so tells more exactly where it is: the prediction is made anew from it, and
tried again until it lies within a tenth of the one that was tried. Pure, but for what it is handed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hippogym.rehearse.capacity import Prediction, Window, holds, predict, slowest

UNDER, OVER = 0.8, 1.3
NEAR = 0.1
MOST_ROUNDS = 6


@dataclass(frozen=True)
class Trialled:
    """A crowd that was tried. wanted: whether it should hold. slowest: pace of the slowest 5 %, 1 is what is asked."""

    playing: int
    of: int
    wanted: bool
    holds: bool
    slowest: float
    others: float

    @property
    def is_as_predicted(self) -> bool:
        return self.wanted is self.holds


Try = Callable[[int], Awaitable[Window]]


async def confirm(first: Prediction, cores: int, attempt: Try) -> tuple[Prediction, list[Trialled]]:
    """Try the prediction; returns the one that stands in the end, and every crowd that was tried.

    attempt: lets so many play at once, and returns the time in which all of them did.
    """
    tried: list[Trialled] = []
    prediction = first
    for _ in range(MOST_ROUNDS):
        if not prediction.holds:
            return prediction, tried
        of = prediction.holds
        size = max(1, round(UNDER * of))
        window = await attempt(size)
        tried.append(judged(window, size, of, wanted=True))
        if not tried[-1].holds:
            return prediction, tried
        better = predict([window], cores)
        if better.holds is None or abs(better.holds - of) <= max(1.0, NEAR * of):
            break
        prediction = better
    of = prediction.holds or 0
    size = max(of + 1, round(OVER * of))
    tried.append(judged(await attempt(size), size, of, wanted=False))
    return prediction, tried


def judged(window: Window, size: int, of: int, *, wanted: bool) -> Trialled:
    """What came of a crowd. One of which not everybody has come into the game does not hold either."""
    everybody = window.playing >= size
    worst = (slowest([window]) or 0.0) if everybody else 0.0
    others = (window.others_s or 0.0) / window.seconds
    return Trialled(size, of, wanted, everybody and holds([window]), worst, others)
