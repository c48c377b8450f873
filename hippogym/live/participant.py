"""The participant as their trial sees them: which connection they have, what they have been told and shown."""

import time
from typing import Any

from hippogym.core.actions import ActionTable
from hippogym.core.frame_rate import FrameRate
from hippogym.core.messages import Malformed
from hippogym.live.agent import Agent
from hippogym.live.channel import Channel
from hippogym.live.display import Display
from hippogym.live.screen import Picture, Screen


class Participant:
    """Whoever is at the other end of the channel.

    conn: the number of their connection, which grows when they come back. connected: whether they are here. v2: the
    version of the protocol that their page speaks. rate: the frame rate that they see, and may change.
    """

    def __init__(self, agent: Agent, table: ActionTable, channel: Channel, settings: dict[str, Any]) -> None:
        self.conn, self.connected, self.v2 = 1, True, True
        self.rate = FrameRate.from_settings(settings)
        self.screen = Screen(agent, channel, settings["jpegQuality"])
        self.display = Display(agent)
        self._controls = [name for name, shown in settings["ui"].items() if shown]
        self.ui = frozenset(self._controls)
        self._table = table
        self._channel = channel
        self._turns = settings["stepMode"] == "turn"
        self._episodes = settings["maxEpisodes"]

    def has_come(self, conn: int, *, v2: bool) -> None:
        """They are here, for the first time or again: what was on its way to them is lost."""
        self.conn, self.connected, self.v2 = conn, True, v2
        self.screen.forget()

    def is_at(self, conn: int) -> bool:
        """Whether they are here, and by this connection."""
        return self.connected and conn == self.conn

    # -- what they are told --------------------------------------------------------------------------------------

    def tell(self, **message: Any) -> None:
        """Send a message of the protocol. Raises ServerGone."""
        if message:
            self._channel.send_note(tell=message)

    def say(self, name: str, text: str) -> None:
        """A sentence. A page of v1 knows no notices, and shows it under ``name`` where the display is."""
        self.tell(notice={"text": text})
        if not self.v2:
            self.tell(display={name: text})

    def unsay(self, text: str) -> None:
        """What was said last holds no longer; ``text`` says so."""
        self.tell(notice={"text": text})
        if not self.v2:
            self.tell(**(self.display.again() or {"display": {}}))

    def refuse(self, refusal: tuple[str, str | None, str, str] | None) -> None:
        """Say why something was not done; None: it was."""
        if refusal is not None:
            self.tell(**Malformed(*refusal).as_wire())

    def show_controls(self, *, begun: bool) -> None:
        """Everything that stands around the picture. begun: the agent has an episode whose display can be asked for."""
        self.tell(
            UI=self._controls,
            keys=self._table.legend(),
            actions=list(self._table.names),
            stepMode="turn" if self._turns else "realtime",
            frameRate=self.rate.as_wire(),
        )
        if begun:
            self.tell(**self.display.again())

    def report_status(self, state: str, episode: int, on_hold: bool, text: str) -> None:
        """Where the trial stands. episode: from 0. on_hold: no Start helps. text: a sentence, or nothing."""
        where = {"episode": episode + 1, "episodes": self._episodes}
        self.tell(status={"state": state, **where, "onHold": on_hold, "text": text})

    # -- what they see -------------------------------------------------------------------------------------------

    def picture(self, episode: int, tick: int, now_ns: int, flags: int, *, must: bool) -> Picture | None:
        """The next frame, None where it could not be shown in time anyway. must: no later one would show the same."""
        must = must or bool(flags) or self._turns
        return self.screen.picture(episode, tick, self.rate.rate, now_ns, flags=flags, must=must)

    def show(self, picture: Picture | None) -> None:
        """Tell what has changed beside the picture, and let it go: its record has been written."""
        self.tell(**self.display.changes())
        if picture is not None:
            self.screen.show(picture, time.monotonic_ns())

    def was_sent(self, frame: int) -> None:
        """A frame has been written to the socket. v1 acknowledges nothing: what the socket took counts as shown."""
        if not self.v2:
            self.screen.arrived(frame, time.monotonic_ns())
