"""How many frames may be on their way to the screen.

End-to-end flow control: as many frames as the round trip needs, and two to spare. More would only wait in the
network's buffers, where each one is latency. The idea is a window of one bandwidth-delay product, with the
smallest recent round trip as the delay.
"""

import math
from collections import OrderedDict, deque

NS = 1_000_000_000
SPARE = 2
LARGEST = 32
FORGET_NS = 10 * NS
PROBE_NS = 1 * NS


class FrameWindow:
    """Decides whether another frame may leave. Told the time in nanoseconds."""

    def __init__(self) -> None:
        self._left: OrderedDict[int, int] = OrderedDict()
        self._trips: deque[tuple[int, int]] = deque(maxlen=256)
        self._last_left_ns = 0

    def forget(self) -> None:
        """A new connection: what was on its way is gone."""
        self._left.clear()
        self._trips.clear()

    def left(self, frame: int, now_ns: int) -> None:
        """A frame has been handed on."""
        self._left[frame] = now_ns
        self._last_left_ns = now_ns

    def arrived(self, frame: int, now_ns: int) -> None:
        """A frame has been drawn; every older one has been drawn or dropped."""
        left_ns = self._left.get(frame)
        if left_ns is not None:
            self._trips.append((now_ns, now_ns - left_ns))
        while self._left and next(iter(self._left)) <= frame:
            self._left.popitem(last=False)

    def open(self, rate: float, now_ns: int) -> bool:
        """Whether a frame may leave now, at this frame rate.

        A client that acknowledges nothing still gets a frame a second, so that it can begin to.
        """
        return len(self._left) < self.size(rate, now_ns) or now_ns - self._last_left_ns >= PROBE_NS

    def size(self, rate: float, now_ns: int) -> int:
        """How many frames may be on their way."""
        while self._trips and now_ns - self._trips[0][0] > FORGET_NS:
            self._trips.popleft()
        trip_ns = min((trip for _, trip in self._trips), default=0)
        return min(LARGEST, math.ceil(trip_ns * rate / NS) + SPARE)
