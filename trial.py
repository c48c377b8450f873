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
from contextlib import suppress
from pathlib import Path
from typing import Any

from hippogym.core import messages, packets
from hippogym.core.actions import ActionTable
from hippogym.core.frame_header import LAST_OF_EPISODE
from hippogym.data.recorder import Recorder
from hippogym.errors import AgentError, RecordError
from hippogym.live.agent import Agent
from hippogym.live.channel import Channel, ServerGone, read_note
from hippogym.live.stage import Stage
from hippogym.live.trial_process import run_trial

logger = logging.getLogger("trial")


def play(sock: socket.socket, spec: dict[str, Any]) -> None:
    """What a trial's process runs (hippogym/live/trial_process.py); here is the trial itself."""

    def begin(agent: Agent, table: ActionTable, channel: Channel, spec: dict[str, Any]) -> Trial:
        folder = Path(spec["records"]) / spec["trial"]
        return Trial(agent, table, channel, Recorder(folder, spec["trial"], per=spec["settings"]["dataFile"]), spec)

    run_trial(sock, spec, begin)


class Trial(Stage):
    """Everything that happens between a participant's hello and the end of their last episode.

    What it stands on (agent, participant, record, clock, …) is its Stage; see there for what self.… is.
    """

    episode_over = False  # its last state is on the screen, the next one begins at the next tick

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play until the trial is over. Whatever ends it, the record is closed."""
        problem: AgentError | None = None
        try:
            self.participant.show_controls(begun=False)
            if self.episodes_left():
                self.begin_episode()
            else:
                self.reason = "finished"
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
        if self.keeper.entries.holds_inputs and self.wait_s() is None and self.reason is None:
            self.keep("event", {})

    def handle_all(self) -> None:
        for kind, payload in self.inbox.take():
            if kind == packets.INPUT:
                self.handle_input(payload)
            else:
                self.handle_note(read_note(payload))

    def wait_s(self) -> float | None:
        """Seconds until the next tick, None when no tick is coming by itself."""
        playing = self.state == "playing" and self.participant.connected and not self.on_hold
        if not playing or (self.turns and not self.episode_over and not self.buffer.waiting):
            return None
        return self.clock.wait_ns(time.monotonic_ns()) / 1e9

    def tick(self) -> None:
        """One step of the environment: step → render → encode → record → send."""
        began_ns = time.monotonic_ns() - self.keeper.waited_ns
        punctual = self.clock.tick(time.monotonic_ns())
        if self.episode_over:
            self.begin_episode()
            return
        applied = self.buffer.next()
        if applied is None:
            return
        result = self.agent.step(applied.value)
        self.at.add_tick(result.reward or 0.0)
        flags = LAST_OF_EPISODE if result.done else 0
        ours: dict[str, Any] = {"action": vars(applied), "late_ns": punctual.late_ns, "missed_ticks": punctual.missed}
        if result.action_reported is not None:
            ours["reported_action"] = result.action_reported
        self.keep_and_show("tick", result.record, flags, **ours)
        self.at.add_work(time.monotonic_ns() - self.keeper.waited_ns - began_ns)
        if result.done:
            self.finish_episode()

    # -- episodes ------------------------------------------------------------------------------------------------

    def begin_episode(self) -> None:
        """Reset the environment, open its record with what it began from, show the first frame."""
        self.end_episode()
        self.at.begin_episode()
        self.episode_over = False
        base = self.settings["seed"]
        seed = secrets.randbits(31) if base is None else base + self.at.episode
        with self.slow_hook("reset"):
            result = self.agent.reset(seed)
        header = {**self.header, "episode": self.at.episode, "seed": seed, "seed_used": result.seed_used}
        with self.slow_hook("record"):  # brings files to the disk, which may take its time
            self.keeper.open_episode(self.at.episode, header)
        record = {"observation": result.observation, "info": result.info}
        self.keep_and_show("reset", record, must=True, **header)
        self.clock.set_rate(self.participant.rate.rate, time.monotonic_ns())
        self.report_status()

    def finish_episode(self) -> None:
        """The environment is done. Its last state stays on the screen for a moment."""
        self.episode_over = True
        self.held.release_all()
        self.channel.send_note(episode_over=self.at.end_episode())
        if not self.episodes_left():
            self.reason = "finished"
        pause_ns = round(self.settings["episodePause"] * 1e9)
        self.clock.hold(time.monotonic_ns(), max(pause_ns, self.clock.period_ns))

    def end_episode(self, **more: Any) -> None:
        """Close the record of the episode, if one is open."""
        if not self.keeper.is_open:
            return
        reason = "done" if self.episode_over else self.reason or "reset"
        summary = {"reason": reason, "ticks": self.at.tick, "return": self.at.score, **more}
        if self.keeper.unkept_ticks:
            summary["unkept_ticks"] = self.keeper.unkept_ticks
        try:
            self.keep("end", {}, **summary)
        finally:
            self.keeper.close_episode(reason, summary)
            if reason == "reset":
                self.channel.send_note(episode_over=self.at.end_episode())

    def episodes_left(self) -> bool:
        """Whether there is another episode after this one."""
        return self.at.episode + 1 < int(self.settings["maxEpisodes"])

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
                self.keeper.close()
            self.closed = True
        except RecordError as trouble:
            logger.error("the record stays open, to be closed by the repair at the next start: %s", trouble)

    # -- what the participant did --------------------------------------------------------------------------------

    def handle_input(self, payload: bytes) -> None:
        """A client's message, as it came: recorded, given to the agent, acted upon."""
        noted = self.keeper.note_input(payload)
        if noted is None or self.reason is not None:
            return  # when it is over, what comes is kept and changes nothing
        message, seq, conn = noted
        if self.agent.has_message:
            with self.slow_hook("message"):
                self.agent.message(copy.deepcopy(dict(message.fields)))  # the record's own stays as it was
        match message:
            case messages.Command(name=name):
                self.obey(name)
            case messages.ChangeFrameRate(wanted=wanted):
                self.change_rate(wanted)
            case messages.Keys() | messages.Action() if self.participant.is_at(conn):  # else put off for too long
                self.participant.refuse(self.held.take(message, seq))

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
            case "reset" if self.episodes_left():
                self.begin_episode()
            case "reset":
                self.participant.refuse(("not_allowed", "command", "an episode that is left", "reset in the last one"))
                self.participant.tell(notice={"text": "This is the last episode; it cannot be begun again."})
            case "stop":
                self.reason = "stopped"
            case "requestUI":
                self.participant.show_controls(begun=True)
