"""What a trial stands on: its participant, its record, its clock, and the server at the other end of the channel.

Here is what every trial has to do besides playing; the playing itself is trial.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hippogym.core.action_buffer import ActionBuffer
from hippogym.core.actions import ActionTable
from hippogym.core.held import HeldInputs
from hippogym.core.pacing import FrameClock
from hippogym.core.progress import Progress
from hippogym.live.agent import Agent
from hippogym.live.channel import Channel
from hippogym.live.inbox import Inbox
from hippogym.live.keeper import Keeper, Records
from hippogym.live.participant import Participant

ON_HOLD = "The researcher has paused the game. It goes on by itself."


class Stage:
    """The parts of a trial, and what the server's notes mean to them.

    state: waiting for Start, then playing or paused. on_hold: the researcher has paused it. reason: why it is over,
    None while it goes on. at: how far it is. closed: its record is, with everything in it.
    """

    def __init__(
        self, agent: Agent, table: ActionTable, channel: Channel, recorder: Records, spec: dict[str, Any]
    ) -> None:
        self.agent = agent
        self.channel = channel
        self.header: dict[str, Any] = spec["header"]
        self.settings: dict[str, Any] = spec["settings"]
        self.turns = self.settings["stepMode"] == "turn"
        self.buffer = ActionBuffer(table, self.settings["actionBufferLifespan"], turn=self.turns)
        self.held = HeldInputs(self.buffer, table)
        self.participant = Participant(agent, table, channel, self.settings)
        self.inbox = Inbox(channel)
        self.keeper = Keeper(spec["trial"], recorder, self.inbox, self.participant, self)
        self.clock = FrameClock(self.participant.rate.rate, time.monotonic_ns())

        self.state = "waiting"
        self.on_hold = False
        self.reason: str | None = None
        self.at = Progress(spec.get("episodes_done", 0) - 1)  # who comes back does not play those again
        self.closed = False

    # -- what the server says ------------------------------------------------------------------------------------

    def handle_note(self, note: dict[str, Any]) -> None:
        """Heed a note of the server."""
        match note:
            case {"connected": conn, "v2": v2}:
                self.welcome(conn, v2)
            case {"disconnected": conn} if conn == self.participant.conn:
                self.participant.connected = False
                self.held.release_all()
            case {"end": reason}:
                self.reason = self.reason or reason
            case {"watch": number}:
                self.channel.send_note(watch=number, progress=self.at.now())
            case {"say": text}:
                self.keeper.note_staff(say=text)
                self.participant.say("Message", text)
            case {"hold": on_hold}:
                self.hold(on_hold)
            case _:
                self.keeper.heed(note)

    def welcome(self, conn: int, v2: bool) -> None:
        """The participant is here. Who has come back gets everything that the page shows once more."""
        self.participant.has_come(conn, v2=v2)
        if conn > 1:
            self.participant.show_controls(begun=True)
            self.report_status()
            self.participant.screen.show_again()
            self.clock.restart(time.monotonic_ns())
        if conn > 1 or not v2:
            self.keeper.remind()

    def hold(self, on_hold: bool) -> None:
        """The researcher pauses the game, or lets it go on. What the participant's own Pause and Start mean, stays."""
        self.keeper.note_staff(hold=on_hold)
        self.on_hold = on_hold
        self.held.release_all()
        self.clock.restart(time.monotonic_ns())
        self.report_status()
        if self.participant.v2:
            return  # the status says it all
        if on_hold:
            self.participant.say("Paused", ON_HOLD)
        else:
            self.participant.unsay("The game goes on.")

    def goes_on(self, now_ns: int) -> None:
        """The disk has kept the trial waiting, and has room again."""
        self.clock.restart(now_ns)

    # -- what the server is told ---------------------------------------------------------------------------------

    @contextmanager
    def slow_hook(self, hook: str) -> Iterator[None]:
        """A function of the agent may take its time now (trial.hookTimeout)."""
        self.channel.send_note(busy=hook)
        yield
        self.channel.send_note(busy=None)

    def summary(self) -> dict[str, Any]:
        """How it went, for the log."""
        screen = self.participant.screen
        return {**self.at.summary(), "frames": screen.frame, "skipped": screen.skipped}

    # -- what is kept and shown ----------------------------------------------------------------------------------

    def keep_and_show(self, kind: str, record: dict[str, Any], flags: int = 0, must: bool = False, **ours: Any) -> None:
        """Render, write the record, and only then let the frame go. must: it is to be shown, however busy the line."""
        picture = self.participant.picture(self.at.episode, self.at.tick, time.monotonic_ns(), flags, must=must)
        if picture is None:
            self.keeper.entries.add_skipped(1)
        self.keep(kind, record, **ours, frame=picture.facts() if picture else None)
        self.participant.show(picture)

    def keep(self, kind: str, record: dict[str, Any], **ours: Any) -> None:
        """Write an entry; it is safe from a kill when this returns."""
        self.keeper.keep(kind, self.at.episode, self.at.tick, record, **ours)

    def change_rate(self, wanted: str | float) -> None:
        """The participant wants another frame rate."""
        refusal = self.participant.rate.change(wanted)
        self.participant.refuse(refusal)
        if refusal is None:
            self.clock.set_rate(self.participant.rate.rate, time.monotonic_ns())
        self.participant.tell(frameRate=self.participant.rate.as_wire())

    def report_status(self) -> None:
        """Tell the participant where the trial stands."""
        state = "paused" if self.on_hold and self.state == "playing" else self.state
        self.participant.report_status(state, self.at.episode, self.on_hold, ON_HOLD if self.on_hold else "")
