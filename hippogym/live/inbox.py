"""What the server has sent to a trial and the trial has not handled yet, in the order in which it came."""

from collections import deque
from collections.abc import Iterator

from hippogym.core import messages, packets
from hippogym.live.channel import Channel

MOST_PUT_OFF_BYTES = 1 << 20  # as much as the server keeps for a trial that does not read


class Inbox:
    """Packets from the channel. What cannot be handled now is put off, and comes first when it can."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._put_off: deque[tuple[int, bytes]] = deque()
        self._put_off_bytes = 0
        self._new: deque[tuple[int, bytes]] = deque()

    def receive(self, wait_s: float | None) -> None:
        """Add what is there; with nothing to handle, wait for it at most wait_s (None: for ever). Raises ServerGone.

        All of it is in before any of it is handled: handling may come back here, when it has to wait for the disk.
        """
        some = bool(self._put_off or self._new)
        self._new.extend(self._channel.receive(0 if some else wait_s))

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Everything, oldest first; each packet leaves the inbox as it is given."""
        while self._put_off or self._new:
            if not self._put_off:
                self._put_off_bytes = 0
                yield self._new.popleft()
            else:
                yield self._put_off.popleft()

    def take_new(self) -> Iterator[tuple[int, bytes]]:
        """The same without what has been put off."""
        while self._new:
            yield self._new.popleft()

    def put_off(self, kind: int, payload: bytes) -> bool:
        """Keep a packet for later; False where there is no room for it."""
        if self._put_off_bytes + len(payload) > MOST_PUT_OFF_BYTES:
            return False
        self._put_off_bytes += len(payload)
        self._put_off.append((kind, payload))
        return True


def read_input(payload: bytes, ui: frozenset[str]) -> messages.Message | messages.Malformed:
    """A client's message in an INPUT packet, as the server has read it. ui: the names of the controls it sees."""
    _, version, _ = packets.INPUT_HEAD.unpack_from(payload)
    text = payload[packets.INPUT_HEAD.size :].decode("utf-8", "surrogatepass")
    return messages.decode(text, v2=version == 2, ui=ui)
