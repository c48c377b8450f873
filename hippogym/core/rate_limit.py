"""How many messages, or bytes, a client may send."""


class TokenBucket:
    """``rate`` a second, and up to ``burst`` at once. Told the time in nanoseconds."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate_per_ns = rate / 1e9
        self._burst = burst
        self._tokens = burst
        self._seen_ns: int | None = None

    def allow(self, now_ns: int) -> bool:
        """Whether one more is within the limit; it is counted if so."""
        return self.take(now_ns, 1)

    def take(self, now_ns: int, amount: float) -> bool:
        """Whether so much more is within the limit; it is counted if so. More than ``burst`` never is."""
        if self._seen_ns is not None:
            self._tokens = min(self._burst, self._tokens + (now_ns - self._seen_ns) * self._rate_per_ns)
        self._seen_ns = now_ns
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True
