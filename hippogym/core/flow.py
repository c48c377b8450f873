"""How many frames may be on their way to the screen.

End-to-end flow control by delay. `base` is the trip of a frame that waits for nobody. Of `n` frames on their way as
one leaves (itself included), whose trip then takes `trip`, `n * base / trip` were needed to fill the path and the
others waited in a queue. One or two are kept waiting: fewer would leave a slow link idle, more would only be latency.
This is the estimate of TCP Vegas (Brakmo and Peterson, 1995), with the slow start of TCP, and with the emptying of
the path that BBR calls ProbeRTT (Cardwell et al., 2016): a path that has been crowded for ten seconds is emptied for
one trip, so that a longer route and one's own queue can be told apart. A path that is not crowded is left alone.

On a link that carries `c` frames a second, first in, first out, after the first ten seconds, a frame is
acknowledged within `base + max(3 / c, 150 ms)`, and at least 85 % of the smaller of `c` and the rate are carried:
simulated for links of 2 to 60 frames a second, round trips of 5 to 500 ms and a rate of 30. Jitter comes on top,
with a frame of the link. When the capacity falls, the frames already on their way take as long as they take.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

NS = 1_000_000_000
INITIAL = 4
SMALLEST = 2
LARGEST = 32
SPARE = 2
ENOUGH = 0.75  # frames; as many waiting, and the window stays
QUEUE = 2.0  # as many waiting, and it shrinks
TOLERATED_NS = 50_000_000  # longer than `base` by no more than this, or two periods, is jitter and not a queue
MEASURE_NS = 10 * NS  # a path crowded for this long is emptied once, to see what an unhindered trip takes now
CALM_ROUNDS = 3  # rounds without a queue after which the window grows as quickly as at the beginning
PROBE_NS = 1 * NS
LONGEST_PROBE_NS = 10 * NS


@dataclass(frozen=True)
class _Leaving:
    """A frame on its way: when it left, and how many were on their way then, itself included."""

    at_ns: int
    among: int


@dataclass(frozen=True)
class _Trip:
    """What one acknowledged frame has met: how long it took, and how many were on their way when it left."""

    took_ns: int
    among: int

    def filling(self, base_ns: int) -> float:
        """How many of the frames on their way were needed to fill the path."""
        return self.among * min(1.0, base_ns / max(1, self.took_ns))

    def waiting(self, base_ns: int) -> float:
        """How many of them were in a queue."""
        return self.among - self.filling(base_ns)


class FrameWindow:
    """Decides whether another frame may leave. Told the time in nanoseconds."""

    def __init__(self) -> None:
        self._last_left_ns = 0
        self._tolerated_ns = TOLERATED_NS
        self.forget()

    def forget(self) -> None:
        """A new connection: what was on its way is gone, and the path may be another."""
        self._left: OrderedDict[int, _Leaving] = OrderedDict()
        self._newest = 0
        self._window = INITIAL
        self._base_ns: int | None = None
        self._last_trip_ns = 0
        self._period_ns = self._gap_ns = 0
        self._fast = True
        self._calm_rounds = 0
        self._crowded_since_ns: int | None = None
        self._round_ends = 0
        self._shortest: _Trip | None = None
        self._full = self._was_full = False

    def left(self, frame: int, now_ns: int) -> None:
        """A frame has been handed on."""
        self._left[frame] = _Leaving(now_ns, len(self._left) + 1)
        self._last_left_ns = now_ns
        self._newest = frame

    def arrived(self, frame: int, now_ns: int) -> None:
        """A frame has been drawn; every older one has been drawn or dropped."""
        leaving = self._left.get(frame)
        while self._left and next(iter(self._left)) <= frame:
            self._left.popitem(last=False)
        if leaving is not None:
            self._learn(frame, _Trip(now_ns - leaving.at_ns, leaving.among), now_ns)

    def open(self, rate: float, now_ns: int) -> bool:
        """Whether a frame may leave now, at this frame rate.

        A client that acknowledges nothing still gets a frame a second, so that it can begin to; one whose frames
        take longer than that gets them as much more seldom.
        """
        self._tolerated_ns = max(TOLERATED_NS, int(2 * NS / rate))
        on_their_way = len(self._left)
        patience_ns = min(max(PROBE_NS, 2 * self._last_trip_ns), LONGEST_PROBE_NS)
        if not on_their_way or now_ns - self._last_left_ns >= patience_ns:
            return True
        if self._must_measure(now_ns) or now_ns - self._last_left_ns < self._gap_ns:
            return False
        self._full = self._full or on_their_way >= self._window
        return on_their_way < self.size(rate)

    def size(self, rate: float) -> int:
        """How many frames may be on their way: the window, but no more than this rate can make use of."""
        if self._base_ns is None:
            return self._window
        useful = math.ceil((self._base_ns + self._tolerated_ns) * rate / NS) + SPARE
        return min(self._window, useful)

    def _must_measure(self, now_ns: int) -> bool:
        """Whether nothing may leave until the path is empty, so that the next frame waits for nobody."""
        since_ns = self._crowded_since_ns
        return since_ns is not None and now_ns - since_ns >= MEASURE_NS

    def _learn(self, frame: int, trip: _Trip, now_ns: int) -> None:
        self._last_trip_ns = trip.took_ns
        self._gap_ns = 0
        base_ns = trip.took_ns if self._base_ns is None else min(self._base_ns, trip.took_ns)
        if trip.among == 1 and self._must_measure(now_ns):
            self._fast = trip.took_ns - base_ns > self._tolerated_ns  # the path is longer: find its window anew
            base_ns = trip.took_ns
            self._gap_ns = 0 if self._fast else self._period_ns  # refill the empty path without a burst
            self._crowded_since_ns = None
        self._base_ns = base_ns
        if self._fast:
            self._grow_fast(trip, base_ns)
        if self._shortest is None or trip.took_ns < self._shortest.took_ns:
            self._shortest = trip
        if frame >= self._round_ends:  # one round trip is over; its shortest trip is what counts
            self._judge(self._shortest, trip, base_ns, now_ns)
            self._round_ends, self._shortest = self._newest, None
            self._was_full, self._full = self._full, False

    def _crowded(self, trip: _Trip, base_ns: int, frames: float) -> bool:
        """Whether that many frames were waiting. One that was alone did not wait: a long trip is then the path's."""
        late = trip.took_ns - base_ns > self._tolerated_ns
        return late and trip.waiting(base_ns) >= min(frames, trip.among / 2)

    def _grow_fast(self, trip: _Trip, base_ns: int) -> None:
        """One more for each that arrives, which doubles the window in a round, until the first sign of a queue."""
        if self._crowded(trip, base_ns, ENOUGH):
            self._fast = False
            self._window = min(self._window, max(SMALLEST, trip.among))
        elif (self._full or self._was_full) and self._window <= 2 * trip.among + SPARE:
            self._window = min(LARGEST, self._window + 1)

    def _judge(self, trip: _Trip, newest: _Trip, base_ns: int, now_ns: int) -> None:
        """Once a round: shrink, stay, or grow by one, where the newest trip shows no queue either."""
        if not self._crowded(trip, base_ns, ENOUGH):
            self._crowded_since_ns = None
            if newest.took_ns - base_ns > self._tolerated_ns:
                self._calm_rounds = 0
            if not self._full or self._fast or self._crowded(newest, base_ns, ENOUGH):
                return
            if self._window - trip.filling(base_ns) < QUEUE:
                self._window = min(LARGEST, self._window + 1)
                self._calm_rounds += 1
                self._fast = self._calm_rounds >= CALM_ROUNDS
            return
        self._calm_rounds = 0
        self._period_ns = trip.took_ns // trip.among  # what the link takes for one frame
        if self._crowded_since_ns is None:
            self._crowded_since_ns = now_ns
        if self._crowded(trip, base_ns, QUEUE):
            # At once, not step by step: a queue that is there takes its time to go.
            self._window = min(self._window, max(SMALLEST, math.ceil(trip.filling(base_ns)) + 1))
