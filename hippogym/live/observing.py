"""The researcher's view of the sessions that go on: figures, what happened lately, and the one-way mirror.

Everything here looks from outside. Nothing is rendered, encoded or asked of a trial for it: figures are what the
sessions know anyway, and the mirror gets the packets that were made for the participant.
"""

import asyncio
import logging
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any

from hippogym.live.session import Session
from hippogym.live.sessions import Sessions
from hippogym.logs import trial_label

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2  # an agent may fail as soon as it starts; that must be seen, too
PULSE_EVERY_S = 5.0
MIRROR_EVERY_S = 0.09  # every third frame of 30 a second: enough to see what goes on, at a third of the cost
PULSES = 720  # an hour
MOST_EVENTS = 200
LONGEST_TEXT = 300

GONE = "This participant is not here any more."
AWAY = "This participant is away at the moment, and would not see it."
LEFT = {
    "finished": "has finished",
    "stopped": "has stopped",
    "ended": "was ended by the researcher",
    "withdrew": "has withdrawn from the study",
    "abandoned": "did not come back",
    "disconnected": "has gone",
    "server": "was told that the server stops",
}


class Newest:
    """A box for one frame: who comes too late for it gets the next. ``put`` is a tap (``Session.taps``).

    It gives out at most one every MIRROR_EVERY_S, together with a frame that comes, while the server is awake for that
    one anyway; one that nothing follows is given out a little later by itself.
    """

    def __init__(self, packet: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._packet = packet
        self._over = False
        self._something = asyncio.Event()
        self._given_s = -MIRROR_EVERY_S
        self._later: asyncio.TimerHandle | None = None
        if packet:
            self._something.set()

    def put(self, packet: bytes) -> None:
        """A frame, in the place of one that nobody has taken; an empty one says that no more come."""
        self._packet = packet or self._packet
        self._over = self._over or not packet
        if self._over or self._loop.time() - self._given_s >= MIRROR_EVERY_S:
            self._give()
        elif self._later is None:
            self._later = self._loop.call_later(2 * MIRROR_EVERY_S, self._give)

    async def take(self) -> bytes:
        """The newest frame, after waiting for one; an empty one at the end."""
        await self._something.wait()
        packet, self._packet = self._packet, b""
        if not self._over:
            self._something.clear()
        self._given_s = self._loop.time()
        return packet

    def close(self) -> None:
        """Nobody takes any more."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _give(self) -> None:
        self.close()
        self._something.set()


@dataclass
class Events:
    """What happened lately, numbered, the oldest forgotten first. May be added to from any thread."""

    _kept: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    _numbers: Iterator[int] = field(default_factory=count)

    def add(self, kind: str, text: str, trial: str | None = None) -> None:
        """kind: joined, left, asked, trouble. text: a sentence without anything that the participant has typed."""
        number = next(self._numbers)
        self._kept.append({"n": number, "t_s": time.time(), "kind": kind, "trial": trial, "text": text[:LONGEST_TEXT]})

    def after(self, number: int) -> list[dict[str, Any]]:
        """Those with a higher number, oldest first."""
        return [event for event in list(self._kept) if event["n"] > number]


class TroubleListener(logging.Handler):
    """Hands warnings and errors of the log to the events. The log names nobody, so they do not either."""

    def __init__(self, events: Events) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging, in whichever thread it was logged."""
        label = trial_label.get()
        trial = None if label == "-" else label
        self._events.add("trouble" if record.levelno >= logging.ERROR else "warning", record.getMessage(), trial)


class Observatory:
    """Looks at sessions. Use as an async context manager: it keeps an hour's pulse, for who opens the dashboard later.

    What asks something of a session returns None when it has been asked, or the sentence that says why not.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._events = Events()
        self._pulse: deque[dict[str, Any]] = deque(maxlen=PULSES)
        self._pulses = count()
        self._known: dict[str, Session] = {}
        self._totals: dict[str, dict[str, int]] = {}
        self._tasks = asyncio.TaskGroup()
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Observatory":
        await self._tasks.__aenter__()
        self._looking = self._tasks.create_task(self._look_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def _look_on(self) -> None:
        listener = TroubleListener(self._events)
        logging.getLogger().addHandler(listener)
        next_pulse_s = time.monotonic()
        try:
            while True:
                self.look()
                if time.monotonic() >= next_pulse_s:
                    next_pulse_s = time.monotonic() + PULSE_EVERY_S
                    self._add_pulse(self.snapshot())
                await asyncio.sleep(LOOK_EVERY_S)
        except Exception:  # who looks on must never be the reason that a study stops
            logger.exception("the dashboard's hour is not kept any more")
        finally:
            logging.getLogger().removeHandler(listener)

    def look(self) -> None:
        """Notice who has come and who has gone."""
        here = {session.trial: session for session in self._sessions.here()}
        for trial, session in here.items():
            if trial not in self._known:
                self._events.add("joined", f"{session.user_id} has joined", trial)
        for trial, session in self._known.items():
            if trial not in here:
                self._note_left(session)
        self._known = here

    def _note_left(self, session: Session) -> None:
        reason = session.goodbye.reason if session.goodbye is not None else "failed"
        if reason in LEFT:
            self._events.add("left", f"{session.user_id} {LEFT[reason]}", session.trial)
        else:
            self._events.add("trouble", f"{session.user_id}: the game has failed; the log says why", session.trial)

    # -- figures -------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[dict[str, Any]]:
        """One dict for each session: what ``Session.stats`` tells."""
        self.look()
        return [session.stats() for session in self._sessions.here()]

    def pulse(self, after: int) -> list[dict[str, Any]]:
        """Every five seconds of the last hour, numbered ``n``, those with a higher number, oldest first.

        here, playing, waiting (in the line): participants; fps: median frames a second of those who play; rttMs:
        median; skipped: frames a second, of all; good, bad: how often, of all, since the pulse before.
        """
        return [point for point in self._pulse if point["n"] > after]

    def happened(self, after: int) -> list[dict[str, Any]]:
        """What happened lately, numbered ``n``, those with a higher number, oldest first."""
        return self._events.after(after)

    def _add_pulse(self, people: Sequence[dict[str, Any]]) -> None:
        playing = [person for person in people if person["state"] == "playing"]
        since = self._since_last(people)
        self._pulse.append(
            {
                "n": next(self._pulses),
                "t_s": time.time(),
                "here": len(people),
                "playing": len(playing),
                "waiting": len(self._sessions.line),
                "fps": middle(person["fps"] for person in playing),
                "rttMs": middle(person["rttMs"] for person in people),
                "skipped": round(since["skipped"] / PULSE_EVERY_S, 2),
                "good": since["good"],
                "bad": since["bad"],
            }
        )

    def _since_last(self, people: Sequence[dict[str, Any]]) -> dict[str, int]:
        """How much the counters have grown, of those who are here."""
        grown = {"skipped": 0, "good": 0, "bad": 0}
        totals = {}
        for person in people:
            before = self._totals.get(person["trial"], {})
            now = {name: int(person[name] or 0) for name in grown}
            for name in grown:
                grown[name] += max(0, now[name] - before.get(name, 0))
            totals[person["trial"]] = now
        self._totals = totals
        return grown

    # -- the mirror ----------------------------------------------------------------------------------------------

    async def watch(self, trial: str) -> AsyncIterator[bytes]:
        """The packets of a session's frames, header and image, as they are sent to the participant; first the last one.

        At most one every MIRROR_EVERY_S. Ends with the session. Who takes them slowly gets the newest ones; the session
        never waits.
        """
        session = self._find(trial)
        if session is None:
            return
        box = Newest(session.frames.newest)
        session.taps.add(box.put)
        try:
            while packet := await box.take():
                yield packet
        finally:
            session.taps.discard(box.put)
            box.close()

    # -- what may be asked of a session --------------------------------------------------------------------------

    def pause(self, trial: str) -> str | None:
        """Stop the game until ``resume``, whatever the participant presses."""
        return self._ask(trial, Session.pause, "was paused by you")

    def resume(self, trial: str) -> str | None:
        """Let a paused game go on."""
        return self._ask(trial, Session.resume, "may go on")

    def end(self, trial: str) -> str | None:
        """End the session. Its record is closed, its participant told."""
        return self._ask(trial, lambda session: session.end("ended"), "is asked to end by you")

    def say(self, trial: str, text: str) -> str | None:
        """Show the participant a sentence. It is recorded."""
        return self._ask(trial, lambda session: session.say(text), "was told a sentence by you")

    def _ask(self, trial: str, do: Callable[[Session], bool | None], words: str) -> str | None:
        session = self._find(trial)
        if session is None:
            return GONE
        if do(session) is False:
            return AWAY
        self._events.add("asked", f"{session.user_id} {words}", session.trial)
        return None

    def _find(self, trial: str) -> Session | None:
        return next((session for session in self._sessions.here() if session.trial == trial), None)


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what is known."""
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 1) if known else None
