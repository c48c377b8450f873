"""Keeps what happens in a trial, however long the disk takes to have room for it.

What the record is made of is the recorder's business (hippogym.data), which is handed in. While the disk is full the
game waits, the participant is told, the server's notes are heeded, and Stop; what else the participant does is put off.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hippogym.core import messages, packets
from hippogym.core.entries import Entries, Moment
from hippogym.errors import RecordError
from hippogym.live.channel import read_note
from hippogym.live.inbox import Inbox, read_input
from hippogym.live.participant import Participant

logger = logging.getLogger("trial")

DISK_FULL_RETRY_S = 1.0
LAST_TRIES_S = 3.0  # for a trial that ends while the disk is full; then the repair has to close its record
DISK_FULL = "The game is paused: the server has no room left to keep it. It goes on by itself when there is."


class Records(Protocol):
    """The recorder (hippogym.data.recorder). All of these may raise RecordError."""

    @property
    def is_open(self) -> bool:
        """Whether an episode is open."""
        ...

    def open_episode(self, episode: int, header: Mapping[str, Any]) -> None:
        """Begin an episode."""
        ...

    def write(self, entry: Mapping[str, Any]) -> object:
        """Keep an entry."""
        ...

    def close_episode(self, reason: str, summary: Mapping[str, Any]) -> object:
        """End the episode."""
        ...

    def close(self) -> None:
        """End the record."""
        ...


class WhoseRecord(Protocol):
    """The trial, as far as it has to do with waiting for the disk. reason: why it is over, None while it goes on."""

    reason: str | None

    def handle_note(self, note: dict[str, Any]) -> None:
        """Heed a note of the server."""
        ...

    def goes_on(self, now_ns: int) -> None:
        """There is room again; the time of waiting does not count."""
        ...


class Keeper:
    """The record of one trial.

    entries: collect what belongs into the next entry. waited_ns: how long the disk has kept the trial waiting.
    unkept_ticks: how many ticks found no room before the trial was over; nobody has seen them.
    """

    def __init__(
        self, label: str, recorder: Records, inbox: Inbox, participant: Participant, trial: WhoseRecord
    ) -> None:
        self.entries = Entries(label)
        self.waited_ns = 0
        self.unkept_ticks = 0
        self._recorder = recorder
        self._inbox = inbox
        self._participant = participant
        self._trial = trial
        self._no_room = False
        self._give_up_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the record of an episode is open."""
        return self._recorder.is_open

    def open_episode(self, episode: int, header: Mapping[str, Any]) -> None:
        """Open an episode's record, as soon as there is room."""
        self._patiently(lambda: self._recorder.open_episode(episode, header))

    def keep(self, kind: str, episode: int, tick: int, record: dict[str, Any], /, **ours: Any) -> None:
        """Write an entry. It is in the operating system's hands when this returns, so a kill cannot lose it."""
        times = {"t_mono_ns": time.monotonic_ns(), "t_wall_ns": time.time_ns()}
        conn, rate = self._participant.conn, self._participant.rate.rate
        moment = Moment(**times, episode=episode, tick=tick, conn=conn, rate=rate)
        entry = self.entries.build(kind, moment, record, **ours)
        try:
            self._patiently(lambda: self._recorder.write(entry))
        except RecordError:
            self.entries.put_back(entry)
            self.unkept_ticks += kind == "tick"
            raise

    def close_episode(self, reason: str, summary: Mapping[str, Any]) -> None:
        """Close the episode's record."""
        self._patiently(lambda: self._recorder.close_episode(reason, summary))

    def close(self) -> None:
        """Nothing more comes. Raises RecordError where the record stays open, for the repair to close."""
        self._recorder.close()

    def remind(self) -> None:
        """Who comes while the game waits for the disk is told why nothing moves."""
        if self._no_room:
            self._participant.say("Paused", DISK_FULL)

    # -- what belongs into the next entry --------------------------------------------------------------------------

    def note_input(self, payload: bytes) -> tuple[messages.Message, int, int] | None:
        """A client's message. Returns it, its number in the record, and the number of the connection it came by.

        None for what cannot be used; the server has looked before, so that is rare.
        """
        conn, _, received_ns = packets.INPUT_HEAD.unpack_from(payload)
        message = read_input(payload, self._participant.ui)
        if isinstance(message, messages.Malformed):  # it was good before its token was taken out
            self.entries.add_rejected(None, conn, received_ns, self._participant.screen.frame)
            return None
        seq = self.entries.add_input(
            message.fields,
            conn=conn,
            received_ns=received_ns,
            frame=message.frame,
            t_client_ms=message.t_client_ms,
            on_top=conn == 1 or not isinstance(message, messages.Hello),  # who this is, is said once
        )
        return message, seq, conn

    def note_staff(self, **did: Any) -> None:
        """What the researcher did, while they looked on, to the participant's game."""
        self.entries.add_staff({"t_mono_ns": time.monotonic_ns(), **did})

    def heed(self, note: dict[str, Any]) -> None:
        """What the server knows and the record wants to: of frames, messages that were refused, the client's clock."""
        match note:
            case {"sent": sent, "skipped": skipped}:
                self._note_shown(sent, skipped, note.get("drawn"))
            case {"rejected": code, "v2": v2, "conn": conn}:
                frame = self._participant.screen.frame
                self.entries.add_rejected(None if v2 else code, conn, time.monotonic_ns(), frame)
            case {"clock": clock}:
                self.entries.set_clock(**clock)

    def _note_shown(self, sent: list[dict[str, Any]], skipped: int, drawn: dict[str, Any] | None) -> None:
        """What has become of the frames: written to the socket, overtaken, drawn."""
        self.entries.add_skipped(skipped)
        for one in sent:
            self.entries.add_sent(one)
            self._participant.was_sent(one["frame"])
        if drawn is not None:
            self.entries.add_drawn(drawn)
            self._participant.screen.arrived(drawn["frame"], time.monotonic_ns())

    # -- while the disk is full ----------------------------------------------------------------------------------

    def _patiently(self, write: Callable[[], object]) -> None:
        """Do it again and again while the disk is full; the participant sees why nothing moves.

        Raises RecordError where waiting does not help, or not for much longer because the trial is over.
        """
        began_ns = time.monotonic_ns()
        told = False
        while True:
            try:
                write()
                break
            except RecordError as problem:
                if not problem.disk_full or self._out_of_patience():
                    raise
            if not told:
                told = True
                self._say_no_room()
            self._wait_for_room()
        if told:
            self._say_there_is_room()
            now_ns = time.monotonic_ns()
            self.waited_ns += now_ns - began_ns
            self._trial.goes_on(now_ns)

    def _out_of_patience(self) -> bool:
        """Whether a trial that is over has tried for long enough."""
        if self._trial.reason is None:
            return False
        if self._give_up_s is None:
            self._give_up_s = time.monotonic() + LAST_TRIES_S
        return time.monotonic() >= self._give_up_s

    def _wait_for_room(self) -> None:
        self._inbox.receive(DISK_FULL_RETRY_S)
        refused = 0
        for kind, payload in self._inbox.take_new():
            note = None if kind == packets.INPUT else read_note(payload)
            if note is not None and "rejected" not in note:
                self._trial.handle_note(note)
                continue
            if note is None and is_stop(read_input(payload, self._participant.ui)):
                self._trial.reason = self._trial.reason or "stopped"
            refused += not self._inbox.put_off(kind, payload)
        if refused:
            self.entries.add_refused(refused)
            self._participant.refuse(("too_many", None, "messages that can be kept", "more"))
        time.sleep(DISK_FULL_RETRY_S / 10)

    def _say_no_room(self) -> None:
        if not self._no_room:
            self._no_room = True
            logger.error("the disk is full; the game waits")
            self.remind()

    def _say_there_is_room(self) -> None:
        self._no_room = False
        logger.info("the disk has room again; the game goes on")
        if self._trial.reason is None:
            self._participant.unsay("The game goes on.")


def is_stop(message: messages.Message | messages.Malformed) -> bool:
    """Whether the participant wants to end the trial."""
    return isinstance(message, messages.Command) and message.name == "stop"
