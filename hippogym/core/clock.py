"""How a client's clock relates to ours, from pings and pongs.

The method is that of NTP's client mode (RFC 5905, section 8) with one client time per exchange: the client answered
somewhere within the round trip, so the offset at its middle is wrong by at most half of it.
"""

from collections import deque
from dataclasses import dataclass

KEPT = 32


@dataclass(frozen=True)
class ClockEstimate:
    """client time = server time + offset_ms, give or take error_ms. rtt_ms: the newest round trip."""

    offset_ms: float
    error_ms: float
    rtt_ms: float


class ClientClock:
    """Keeps the last exchanges and answers with the one that had the shortest round trip."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def sample(self, sent_ns: int, received_ns: int, client_ms: float) -> ClockEstimate:
        """One exchange: when the ping left, when its pong came, and the client's time in it."""
        rtt_ms = max(0, received_ns - sent_ns) / 1e6
        middle_ms = (sent_ns + received_ns) / 2e6
        self._samples.append((rtt_ms, client_ms - middle_ms))
        best_rtt_ms, offset_ms = min(self._samples)
        return ClockEstimate(offset_ms, best_rtt_ms / 2, rtt_ms)
