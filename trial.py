"""One participant, one environment, one loop.

A Trial runs in a process of its own. It calls the five functions of agent.py, at a steady frame rate, with the
action that the participant's inputs come to; it keeps a record of every tick, and only then sends the frame. The
server is at the other end of the channel: inputs come in, frames go out.
"""

import copy
import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hippogym.core import messages, packets
from hippogym.core.action_buffer import ActionBuffer
from hippogym.core.actions import ActionTable, build_action_table
from hippogym.core.entries import Entries, Moment
from hippogym.core.frame_header import LAST_OF_EPISODE
from hippogym.core.frame_rate import FrameRate
from hippogym.core.held import HeldInputs
from hippogym.core.pacing import FrameClock
from hippogym.data.recorder import Recorder
from hippogym.errors import AgentError, RecordError
from hippogym.live.agent import Agent, load_agent
from hippogym.live.channel import Channel, ServerGone, read_note
from hippogym.live.display import Display
from hippogym.live.inbox import Inbox
from hippogym.live.screen import Screen
from hippogym.live.spaces import read_spaces
from hippogym.live.worker import settle_in
from hippogym.logs import start_logging, trial_label

logger = logging.getLogger("trial")

DISK_FULL_RETRY_S = 1.0
LAST_TRIES_S = 3.0  # for a trial that ends while the disk is full; then the repair has to close its record
DISK_FULL = "The game is paused: the server has no room left to keep it. It goes on by itself when there is."


class Trial:
    """Everything that happens between a participant's hello and the end of their last episode."""

    def __init__(
        self, agent: Agent, table: ActionTable, channel: Channel, recorder: Recorder, spec: dict[str, Any]
    ) -> None:
        self.agent = agent
        self.table = table
        self.channel = channel
        self.inbox = Inbox(channel)
        self.recorder = recorder
        self.header: dict[str, Any] = spec["header"]
        self.settings: dict[str, Any] = spec["settings"]
        self.turns = self.settings["stepMode"] == "turn"
        self.controls = [name for name, shown in self.settings["ui"].items() if shown]
        self.ui = frozenset(self.controls)
        self.buffer = ActionBuffer(table, self.settings["actionBufferLifespan"], turn=self.turns)
        self.held = HeldInputs(self.buffer, table)
        self.entries = Entries(spec["trial"])
        self.rate = FrameRate.from_settings(self.settings)
        self.clock = FrameClock(self.rate.rate, time.monotonic_ns())
        self.screen = Screen(agent, channel, self.settings["jpegQuality"])
        self.display = Display(agent)

        self.state = "waiting"  # for Start; then playing or paused
        self.reason: str | None = None  # why the trial is over
        self.conn, self.connected, self.v2 = 1, True, True
        self.episode = -1
        self.ticks = 0  # of this episode
        self.score = 0.0
        self.episode_over = False  # its last state is on the screen, the next one begins at the next tick
        self.total_ticks = 0
        self.longest_ns = self.busy_ns = 0
        self.no_room = False  # the disk is full, and the game paused
        self.waited_ns = 0  # for room on the disk
        self.unkept_ticks = 0  # that found no room before the trial was over; nobody has seen them
        self.give_up_s: float | None = None
        self.closed = False  # the record is, with everything in it

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play until the trial is over. Whatever ends it, the record is closed."""
        problem: AgentError | None = None
        try:
            self.show_controls()
            self.begin_episode()
            while self.reason is None:
                self.listen()
                if self.reason is None and self.wait_s() == 0:
                    self.tick()
        except ServerGone:
            self.reason = "server_lost"
        except AgentError as found:
            self.reason = "agent_error"
            problem = found
        except RecordError as trouble:
            if self.reason is None:
                raise
            logger.error("the last thing that happened could not be kept: %s", trouble)
        finally:
            self.close_record(problem)
        if problem is not None:
            raise problem

    def listen(self) -> None:
        """Handle everything that waits; with no tick coming, wait for something."""
        self.inbox.receive(self.wait_s())
        self.handle_all()
        if self.entries.holds_inputs and self.wait_s() is None and self.reason is None:
            self.keep("event", {})

    def handle_all(self) -> None:
        for kind, payload in self.inbox.take():
            if kind == packets.INPUT:
                self.handle_input(payload)
            else:
                self.handle_note(read_note(payload))

    def wait_s(self) -> float | None:
        """Seconds until the next tick, None when no tick is coming by itself."""
        playing = self.state == "playing" and self.connected
        if not playing or (self.turns and not self.episode_over and not self.buffer.waiting):
            return None
        return self.clock.wait_ns(time.monotonic_ns()) / 1e9

    def tick(self) -> None:
        """One step of the environment: step → render → encode → record → send."""
        now_ns, waited_ns = time.monotonic_ns(), self.waited_ns
        punctual = self.clock.tick(now_ns)
        if self.episode_over:
            self.begin_episode()
            return
        applied = self.buffer.next()
        if applied is None:
            return
        result = self.agent.step(applied.value)
        self.ticks += 1
        self.total_ticks += 1
        self.score += result.reward or 0.0
        flags = LAST_OF_EPISODE if result.done else 0
        ours: dict[str, Any] = {"action": vars(applied), "late_ns": punctual.late_ns, "missed_ticks": punctual.missed}
        if result.action_reported is not None:
            ours["reported_action"] = result.action_reported
        self.keep_and_show("tick", result.record, flags, **ours)
        work_ns = time.monotonic_ns() - now_ns - (self.waited_ns - waited_ns)
        self.busy_ns += work_ns
        self.longest_ns = max(self.longest_ns, work_ns)
        if result.done:
            self.finish_episode()

    # -- episodes ------------------------------------------------------------------------------------------------

    def begin_episode(self) -> None:
        """Reset the environment, open its record with what it began from, show the first frame."""
        self.end_episode()
        self.episode += 1
        self.ticks = 0
        self.score = 0.0
        self.episode_over = False
        base = self.settings["seed"]
        seed = secrets.randbits(31) if base is None else base + self.episode
        with self.slow_hook("reset"):
            result = self.agent.reset(seed)
        header = {**self.header, "episode": self.episode, "seed": seed, "seed_used": result.seed_used}
        with self.slow_hook("record"):  # brings files to the disk, which may take its time
            self.patiently(lambda: self.recorder.open_episode(self.episode, header))
        record = {"observation": result.observation, "info": result.info}
        self.keep_and_show("reset", record, must=True, **header)
        self.clock.set_rate(self.rate.rate, time.monotonic_ns())
        self.report_status()

    def finish_episode(self) -> None:
        """The environment is done. Its last state stays on the screen for a moment."""
        self.episode_over = True
        self.held.release_all()
        if self.episode + 1 >= self.settings["maxEpisodes"]:
            self.reason = "finished"
        pause_ns = round(self.settings["episodePause"] * 1e9)
        self.clock.hold(time.monotonic_ns(), max(pause_ns, self.clock.period_ns))

    def end_episode(self, **more: Any) -> None:
        """Close the record of the episode, if one is open."""
        if not self.recorder.is_open:
            return
        reason = "done" if self.episode_over else self.reason or "reset"
        summary = {"reason": reason, "ticks": self.ticks, "return": self.score, **more}
        if self.unkept_ticks:
            summary["unkept_ticks"] = self.unkept_ticks
        try:
            self.keep("end", {}, **summary)
        finally:
            self.patiently(lambda: self.recorder.close_episode(reason, summary))

    def close_record(self, problem: AgentError | None) -> None:
        """The trial is over. What the participant did last is kept as well; where there is no room, see recovery.py."""
        more = {} if problem is None else {"hook": problem.hook, "error": type(problem.__cause__).__name__}
        self.reason = self.reason or "failed"
        try:
            try:
                with suppress(ServerGone, AgentError):
                    self.handle_all()
                self.end_episode(**more)
            finally:
                self.recorder.close()
            self.closed = True
        except RecordError as trouble:
            logger.error("the record stays open, to be closed by the repair at the next start: %s", trouble)

    # -- what the participant did --------------------------------------------------------------------------------

    def handle_input(self, payload: bytes) -> None:
        """A client's message, as it came: recorded, given to the agent, acted upon."""
        conn, _, received_ns = packets.INPUT_HEAD.unpack_from(payload)
        message = self.decode(payload)
        if isinstance(message, messages.Malformed):  # it was good before its token was taken out
            self.entries.add_rejected(None, conn, received_ns, self.screen.frame)
            return
        seq = self.entries.add_input(
            message.fields,
            conn=conn,
            received_ns=received_ns,
            frame=message.frame,
            t_client_ms=message.t_client_ms,
            on_top=conn == 1 or not isinstance(message, messages.Hello),  # who this is, is said once
        )
        if self.reason is not None:
            return  # it is over: what comes now is kept, and changes nothing
        if self.agent.has_message:
            with self.slow_hook("message"):
                self.agent.message(copy.deepcopy(dict(message.fields)))  # the record's own stays as it was
        match message:
            case messages.Command(name=name):
                self.obey(name)
            case messages.ChangeFrameRate(wanted=wanted):
                refusal = self.rate.change(wanted)
                self.refuse(refusal)
                if refusal is None:
                    self.clock.set_rate(self.rate.rate, time.monotonic_ns())
                self.tell(frameRate=self.rate.as_wire())
            case messages.Keys() | messages.Action() if self.connected and conn == self.conn:  # else: put off too long
                self.refuse(self.held.take(message, seq))

    def decode(self, payload: bytes) -> messages.Message | messages.Malformed:
        _, version, _ = packets.INPUT_HEAD.unpack_from(payload)
        text = payload[packets.INPUT_HEAD.size :].decode("utf-8", "surrogatepass")
        return messages.decode(text, v2=version == 2, ui=self.ui)

    def obey(self, command: str) -> None:
        """What the buttons do; those that are not here are the researcher's business."""
        match command:
            case "start" if self.state != "playing":
                self.state = "playing"
                self.clock.restart(time.monotonic_ns())
                self.report_status()
            case "pause" if self.state == "playing":
                self.state = "paused"
                self.held.release_all()
                self.report_status()
            case "reset" if self.episode + 1 < self.settings["maxEpisodes"]:
                self.begin_episode()
            case "reset":
                self.refuse(("not_allowed", "command", "an episode that is left", "reset in the last one"))
                self.tell(notice={"text": "This is the last episode; it cannot be begun again."})
            case "stop":
                self.reason = "stopped"
            case "requestUI":
                self.show_controls()

    def refuse(self, refusal: tuple[str, str, str, str] | None) -> None:
        if refusal is not None:
            self.tell(**messages.Malformed(*refusal).as_wire())

    # -- what the server says ------------------------------------------------------------------------------------

    def handle_note(self, note: dict[str, Any]) -> None:
        match note:
            case {"sent": sent, "skipped": skipped}:
                self.note_shown(sent, skipped, note.get("drawn"))
            case {"rejected": code, "v2": v2, "conn": conn}:
                self.entries.add_rejected(None if v2 else code, conn, time.monotonic_ns(), self.screen.frame)
            case {"clock": clock}:
                self.entries.set_clock(**clock)
            case {"connected": conn, "v2": v2}:
                self.welcome(conn, v2)
            case {"disconnected": conn} if conn == self.conn:
                self.connected = False
                self.held.release_all()
            case {"end": reason}:
                self.reason = self.reason or reason
            case {"watch": number}:
                self.channel.send_note(watch=number)

    def note_shown(self, sent: list[dict[str, Any]], skipped: int, drawn: dict[str, Any] | None) -> None:
        """What has become of the frames: written to the socket, overtaken, drawn."""
        self.entries.add_skipped(skipped)
        for one in sent:
            self.entries.add_sent(one)
            if not self.v2:  # it acknowledges nothing: what the socket took counts as shown
                self.screen.arrived(one["frame"], time.monotonic_ns())
        if drawn is not None:
            self.entries.add_drawn(drawn)
            self.screen.arrived(drawn["frame"], time.monotonic_ns())

    def welcome(self, conn: int, v2: bool) -> None:
        """The participant is here. Who has come back gets everything that the page shows once more."""
        self.conn, self.connected, self.v2 = conn, True, v2
        self.screen.forget()
        if conn > 1:
            self.show_controls()
            self.report_status()
            self.screen.show_again()
            self.clock.restart(time.monotonic_ns())
        if self.no_room and (conn > 1 or not v2):
            self.say_no_room()

    # -- what the participant gets -------------------------------------------------------------------------------

    def show_controls(self) -> None:
        self.tell(
            UI=self.controls,
            keys=self.table.legend(),
            actions=list(self.table.names),
            stepMode=self.settings["stepMode"],
            frameRate=self.rate.as_wire(),
        )
        if self.episode >= 0:
            self.tell(**self.display.again())

    def report_status(self) -> None:
        episodes = self.settings["maxEpisodes"]
        self.tell(status={"state": self.state, "episode": self.episode + 1, "episodes": episodes, "text": ""})

    def keep_and_show(self, kind: str, record: dict[str, Any], flags: int = 0, must: bool = False, **ours: Any) -> None:
        """Render, write the record, and only then let the frame go."""
        now_ns = time.monotonic_ns()
        must = must or bool(flags) or self.turns  # no later tick would show what was left out
        picture = self.screen.picture(self.episode, self.ticks, self.rate.rate, now_ns, flags=flags, must=must)
        if picture is None:
            self.entries.add_skipped(1)
        self.keep(kind, record, **ours, frame=picture.facts() if picture else None)
        self.tell(**self.display.changes())
        if picture is not None:
            self.screen.show(picture, time.monotonic_ns())

    def tell(self, **message: Any) -> None:
        if message:
            self.channel.send_note(tell=message)

    # -- what is kept --------------------------------------------------------------------------------------------

    def keep(self, kind: str, record: dict[str, Any], **ours: Any) -> None:
        """Write an entry. It is in the operating system's hands when this returns, so a kill cannot lose it."""
        times = {"t_mono_ns": time.monotonic_ns(), "t_wall_ns": time.time_ns()}
        moment = Moment(**times, episode=self.episode, tick=self.ticks, conn=self.conn, rate=self.rate.rate)
        entry = self.entries.build(kind, moment, record, **ours)
        try:
            self.patiently(lambda: self.recorder.write(entry))
        except RecordError:
            self.entries.put_back(entry)
            self.unkept_ticks += kind == "tick"
            raise

    def patiently(self, write: Callable[[], object]) -> None:
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
                if not problem.disk_full or self.out_of_patience():
                    raise
            if not told:
                told = True
                if not self.no_room:
                    self.no_room = True
                    logger.error("the disk is full; the game waits")
                    self.say_no_room()
            self.wait_for_room()
        if told:
            self.no_room = False
            logger.info("the disk has room again; the game goes on")
            self.say_there_is_room()
            now_ns = time.monotonic_ns()
            self.waited_ns += now_ns - began_ns
            self.clock.restart(now_ns)

    def out_of_patience(self) -> bool:
        """Whether a trial that is over has tried for long enough."""
        if self.reason is None:
            return False
        if self.give_up_s is None:
            self.give_up_s = time.monotonic() + LAST_TRIES_S
        return time.monotonic() >= self.give_up_s

    def wait_for_room(self) -> None:
        """The disk is full. The server's notes are heeded, and Stop; what else the participant does is put off."""
        self.inbox.receive(DISK_FULL_RETRY_S)
        refused = 0
        for kind, payload in self.inbox.take_new():
            note = None if kind == packets.INPUT else read_note(payload)
            if note is not None and "rejected" not in note:
                self.handle_note(note)
                continue
            if note is None and is_stop(self.decode(payload)):
                self.reason = self.reason or "stopped"
            refused += not self.inbox.put_off(kind, payload)
        if refused:
            self.entries.add_refused(refused)
            self.tell(**messages.Malformed("too_many", None, "messages that can be kept", "more").as_wire())
        time.sleep(DISK_FULL_RETRY_S / 10)

    def say_no_room(self) -> None:
        self.tell(notice={"text": DISK_FULL})
        if not self.v2:  # it knows no notices
            self.tell(display={"Paused": DISK_FULL})

    def say_there_is_room(self) -> None:
        if self.reason is not None:
            return
        self.tell(notice={"text": "The game goes on."})
        if not self.v2:
            self.tell(**(self.display.again() or {"display": {}}))

    @contextmanager
    def slow_hook(self, hook: str) -> Iterator[None]:
        """Tell the server that a function of the agent may take its time now (trial.hookTimeout)."""
        self.channel.send_note(busy=hook)
        yield
        self.channel.send_note(busy=None)


def is_stop(message: messages.Message | messages.Malformed) -> bool:
    return isinstance(message, messages.Command) and message.name == "stop"


def play(sock: socket.socket, spec: dict[str, Any]) -> None:
    """What a trial's process does, from its start to its end."""
    settle_in()
    start_logging(plain=spec["dev"])
    trial_label.set(spec["trial"])
    channel = Channel(sock)
    trial: Trial | None = None
    reason = "failed"
    try:
        trial = prepare(channel, spec)
        trial.run()
        reason = trial.reason or reason
    except AgentError as problem:
        logger.error("%s", problem, exc_info=problem.__cause__ or problem)
    except RecordError as problem:
        logger.error("the record could not be written: %s", problem)
    except ServerGone:
        return  # nobody is left to tell; the record is closed
    say_how_it_ended(channel, trial, reason)
    if trial is not None:
        close_agent(trial.agent)


def prepare(channel: Channel, spec: dict[str, Any]) -> Trial:
    """Load the agent, start its environment, find out what its actions are. Raises AgentError."""
    settings = spec["settings"]
    channel.send_note(busy="start")
    agent = load_agent(Path(spec["study"]) / "agent.py")
    agent.start(settings["game"])
    try:
        table = build_action_table(agent.facts(), settings["actionSpace"], settings["keys"], settings["defaultAction"])
    except ValueError as problem:
        raise AgentError("start", f"The actions of {settings['game']} cannot be named: {problem}") from problem
    ready = {"actions": list(table.names), "problems": list(table.problems), "default": table.default}
    channel.send_note(busy=None, ready=ready)
    actions = {"names": list(table.names), "values": list(table.values), "default": table.default}
    about = {"trial": spec["trial"], "participant": spec["participant"]}
    header = {**spec["header"], **about, "actions": actions, "spaces": read_spaces(agent.env)}
    recorder = Recorder(Path(spec["records"]) / spec["trial"], spec["trial"], per=settings["dataFile"])
    return Trial(agent, table, channel, recorder, {**spec, "header": header})


def say_how_it_ended(channel: Channel, trial: Trial | None, reason: str) -> None:
    ended: dict[str, Any] = {"reason": reason, "closed": trial is None or trial.closed}
    if trial is not None:
        ended |= {
            "ticks": trial.total_ticks,
            "frames": trial.screen.frame,
            "skipped": trial.screen.skipped,
            "longest_ms": trial.longest_ns / 1e6,
            "mean_ms": trial.busy_ns / 1e6 / max(1, trial.total_ticks),
        }
    try:
        channel.send_note(ended=ended)
    except ServerGone:
        return


def close_agent(agent: Agent) -> None:
    """The record is closed and the participant told: an error here is the researcher's to see, nobody else's."""
    try:
        agent.close()
    except AgentError as problem:
        logger.error("%s", problem, exc_info=problem.__cause__ or problem)


def look_at_agent(sock: socket.socket, spec: dict[str, Any]) -> None:
    """Before anything listens: does agent.py load, and has it what it needs?"""
    settle_in()
    channel = Channel(sock)
    try:
        load_agent(Path(spec["study"]) / "agent.py")
        channel.send_note(ended={"problem": None})
    except AgentError as problem:
        channel.send_note(ended={"problem": str(problem)})
