"""The line of those who wait for a free place. First come, first served; nobody waits twice.

A place that becomes free belongs to whoever is called, from that moment on: newcomers do not overtake them, and while
they are on their way in it counts as taken.
"""

import asyncio
import ipaddress
from collections import Counter
from typing import Literal

State = Literal["waiting", "called", "replaced", "closed"]


class LineFull(Exception):
    """So many wait already that this one would not."""


class Place:
    """One participant's place in the line.

    state: waiting; called, when a place in the game is theirs; replaced, when the same visit waits elsewhere; closed,
    when the server stops. number: how many are before them, and one. changed: set whenever one of the two has.
    """

    def __init__(self, visit: str | None, address: str) -> None:
        self.state: State = "waiting"
        self.number = 0
        self.changed = asyncio.Event()
        self.visit = visit
        self.network = network_of(address)

    def become(self, state: State) -> None:
        """Another state."""
        self.state = state
        self.changed.set()

    def move_to(self, number: int) -> None:
        """Another number."""
        if number != self.number:
            self.number = number
            self.changed.set()


class Line:
    """At most ``most`` places, and half of them for one address: a whole class may wait, but nobody fills it alone."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._most_of_one_network = max(1, most // 2)
        self._places: list[Place] = []
        self._networks: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def called(self) -> int:
        """How many are on their way in."""
        return sum(place.state == "called" for place in self._places)

    def join(self, visit: str | None, address: str) -> Place:
        """A place at the end; for a visit that waits already, in another tab perhaps, that one's. Raises LineFull."""
        place = Place(visit, address)
        earlier = next((other for other in self._places if visit is not None and other.visit == visit), None)
        if earlier is not None:
            self._replace(earlier, place)
            return place
        if len(self._places) >= self.most or self._networks[place.network] >= self._most_of_one_network:
            raise LineFull
        self._places.append(place)
        self._networks[place.network] += 1
        self._renumber()
        return place

    def leave(self, place: Place) -> None:
        """The place is given up, or has been made use of."""
        if place in self._places:
            self._places.remove(place)
            self._left(place)
            self._renumber()

    def call(self, free: int) -> None:
        """So many places in the game are free, not counting those of people who have been called."""
        for place in self._places:
            if free <= 0:
                break
            if place.state == "waiting":
                place.become("called")
                free -= 1
        self._renumber()

    def close(self) -> None:
        """Nobody will be called any more."""
        for place in self._places:
            place.become("closed")

    def _replace(self, earlier: Place, place: Place) -> None:
        """The newer one takes over what the earlier one was: also its call."""
        place.state, place.number = earlier.state, earlier.number
        self._places[self._places.index(earlier)] = place
        self._left(earlier)
        self._networks[place.network] += 1
        earlier.become("replaced")

    def _left(self, place: Place) -> None:
        self._networks[place.network] -= 1
        if not self._networks[place.network]:
            del self._networks[place.network]

    def _renumber(self) -> None:
        number = 0
        for place in self._places:
            number += place.state == "waiting"
            place.move_to(number)


def network_of(address: str) -> str:
    """What counts as one address: who has an IPv6 address has 2**64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if known.version == 4 else str(ipaddress.ip_network((known, 64), strict=False))
