"""What the process does in which episodes are replayed: the researcher's code runs here and nowhere else."""

import hashlib
import os
import socket
import time
from pathlib import Path
from typing import Any

from hippogym import __version__
from hippogym.core.frame_header import FrameHeader
from hippogym.core.record_format import HIPPO_KEY
from hippogym.data.reader import ReadReport, read_entries
from hippogym.data.versions import versions
from hippogym.errors import AgentError
from hippogym.live.agent import Agent, load_agent
from hippogym.live.channel import Channel, ServerGone
from hippogym.live.worker import settle_in
from hippogym.replay.episode import Replayer

TELL_EVERY_S = 0.2


def replay_records(sock: socket.socket, spec: dict[str, Any]) -> None:
    """Replay some records of one trial, in order, in one environment.

    spec: study, its folder; records, [[name, path], …]; wanted, the names whose outcomes are wanted; frames, whether
    their pictures are; digests, whether digests are wanted of all and not only of those that differ.
    Notes that are sent: {at: [record, episode, tick]}, {episode: outcome}, {problem: sentence, hook: name} or
    {over: {versions, agent_sha256}}.
    """
    settle_in()
    os.dup2(2, 1)  # what the agent prints is not our answer
    channel = Channel(sock)
    try:
        _replay(channel, spec)
    except AgentError as problem:
        channel.send_note(problem=str(problem), hook=problem.hook)
    except ServerGone:
        return


def _replay(channel: Channel, spec: dict[str, Any]) -> None:
    path = Path(spec["study"]) / "agent.py"
    agent = load_agent(path)
    run = _Run(channel, agent, spec)
    for name, record in spec["records"]:
        run.record(name, Path(record))
    about = {"versions": versions(__version__), "agent_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    try:
        agent.close()
    finally:
        channel.send_note(over=about)


class _Run:
    """One agent, and the records that it is taken through."""

    def __init__(self, channel: Channel, agent: Agent, spec: dict[str, Any]) -> None:
        self._channel = channel
        self._agent = agent
        self._wanted = frozenset(spec["wanted"])
        self._frames, self._digests = bool(spec["frames"]), bool(spec["digests"])
        self._replayer = Replayer(agent)
        self._told_s = 0.0

    def record(self, name: str, path: Path) -> None:
        """Replay one file, and send what came of it."""
        wanted = name in self._wanted
        self._replayer.on_frame = self._send_frame if wanted and self._frames else None
        report = ReadReport()
        for entry in read_entries(path, report=report):
            if self._agent.game is None:
                self._start(entry)
            if not report.intact:
                self._replayer.give_up("a part of it is damaged or missing")
            self._replayer.take(name, entry)
            self._tell(name, entry, wanted)
        self._replayer.end_episode()
        self._send_finished(wanted)

    def _start(self, entry: dict[str, Any]) -> None:
        ours = entry.get(HIPPO_KEY)
        game = ours.get("game") if type(ours) is dict else None
        if type(ours) is not dict or type(game) is not str:
            raise AgentError("start", "the record does not say which game was played; nothing of it can be replayed")
        about = {name: ours.get(name) for name in ("condition", "parameters", "step", "trial")}
        self._agent.meet({**about, "parameters": about["parameters"] or {}})
        self._agent.start(game)

    def _tell(self, name: str, entry: dict[str, Any], wanted: bool) -> None:
        self._send_finished(wanted)
        now_s = time.monotonic()
        if now_s - self._told_s > TELL_EVERY_S:
            self._told_s = now_s
            ours = entry[HIPPO_KEY] if type(entry.get(HIPPO_KEY)) is dict else {}
            where = [one if type(one := ours.get(key)) is int else 0 for key in ("episode", "tick")]
            self._channel.send_note(at=[name, *where])

    def _send_finished(self, wanted: bool) -> None:
        for outcome in self._replayer.finished:
            if wanted:
                self._channel.send_note(episode=outcome.as_note(self._digests or bool(outcome.differences)))
        self._replayer.finished.clear()

    def _send_frame(self, episode: int | None, tick: int, size: tuple[int, int], image: bytes) -> None:
        header = FrameHeader(0, episode or 0, tick, 0, size)
        self._channel.send_frame(header.encode(), image)
