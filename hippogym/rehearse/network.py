"""A participant's line to the server: how long bytes take on it. Pure: it is told the time, and chance is handed in.

The line is that of a TCP connection, which loses nothing and keeps the order. So a packet that was lost shows as a
delay, of everything behind it too, until it has been sent again: one round trip more where later packets tell the
sender of the gap, at least 200 ms where it has to find out by itself (the least retransmission time-out of Linux;
RFC 6298 says one second). Both kinds are taken in equal parts. Each direction has its own queue.
"""

import argparse
import random
from dataclasses import dataclass, field

from hippogym.rehearse.amounts import bits_a_second, duration_s, share

PACKET_BYTES = 1448  # what an Ethernet packet carries of a TCP stream
LEAST_TIMEOUT_S = 0.2
QUEUE_S = 0.25  # so much the line's buffer holds, at its rate; then the sender has to wait
QUEUE_BYTES = 64 * 1024  # of a line without a rate, for each 10 ms of its delay


@dataclass(frozen=True)
class Network:
    """rtt_s: there and back. loss: the share of packets that is lost. rate_bits: a second, each way; None: any."""

    rtt_s: float = 0.0
    loss: float = 0.0
    rate_bits: float | None = None

    @property
    def queue_bytes(self) -> int:
        """How many bytes may be on their way at once, one way."""
        if self.rate_bits is None:
            return round(QUEUE_BYTES * max(1.0, self.rtt_s / 0.01))
        return max(2 * PACKET_BYTES, round(self.rate_bits / 8 * (QUEUE_S + self.rtt_s / 2)))

    def __str__(self) -> str:
        rate = "" if self.rate_bits is None else f", {self.rate_bits / 1e6:g} Mbit/s each way"
        return f"{self.rtt_s * 1000:g} ms there and back, {self.loss:.1%} lost{rate}"


def read_network(text: str) -> Network:
    """``150ms,2%,1Mbit``: round trip, loss, rate; those at the end may be left out. Raises ArgumentTypeError."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not a network such as 150ms,2%,1Mbit")
    loss = share(parts[1]) if len(parts) > 1 else 0.0
    if loss > 0.5:
        raise argparse.ArgumentTypeError(f"{text!r}: over a line that loses more than half, nothing arrives")
    return Network(duration_s(parts[0]), loss, bits_a_second(parts[2]) if len(parts) > 2 else None)


@dataclass
class Lane:
    """One direction of a line. chance: what decides which packets are lost."""

    network: Network
    chance: random.Random
    _free_s: float = field(default=0.0)
    _last_s: float = field(default=0.0)

    def arrival_s(self, size: int, now_s: float) -> float:
        """When ``size`` bytes that are handed over now have arrived, all of them; never before earlier ones."""
        network = self.network
        begins_s = max(now_s, self._free_s)
        self._free_s = begins_s + (size * 8 / network.rate_bits if network.rate_bits else 0.0)
        packets = -(-size // PACKET_BYTES)
        late_s = sum(self._resent_s() for _ in range(packets)) if network.loss else 0.0
        self._last_s = max(self._last_s, self._free_s + network.rtt_s / 2 + late_s)
        return self._last_s

    def _resent_s(self) -> float:
        """How much later one packet comes because it was lost, perhaps more than once."""
        late_s = 0.0
        wait_s = max(LEAST_TIMEOUT_S, 2 * self.network.rtt_s)
        while self.chance.random() < self.network.loss:
            late_s += self.network.rtt_s if self.chance.random() < 0.5 else wait_s
            wait_s *= 2
        return late_s
