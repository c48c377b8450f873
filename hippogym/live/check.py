"""Trying the study out before anybody comes: does the agent load, and how does a trial go?"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from hippogym.core import packets
from hippogym.core.frame_header import LAYOUT, FrameHeader
from hippogym.errors import AgentError, StartError
from hippogym.live.process import Target, TrialProcess

START_WITHIN_S = 120.0
AGENT_FILE = "agent.py"


@dataclass
class CheckReport:
    """What a trial without a participant showed.

    ready: what the trial said of its actions. ended: how it ended. ticks: how many were played. size: (width,
    height) of the frames. jpeg_bytes: of the largest frame.
    """

    ready: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    ticks: int = 0
    size: tuple[int, int] = (0, 0)
    jpeg_bytes: int = 0


async def check_agent(target: Target, spec: dict[str, Any]) -> None:
    """Load the agent in a process of its own. Raises AgentError with what is wrong, StartError when it never says."""
    notes: list[dict[str, Any]] = []
    process = TrialProcess(target, spec, lambda kind, payload: notes.append(json.loads(payload)))
    try:
        await process.start()
    except OSError as error:
        raise StartError(f"no process can be started for a trial: {error}.") from error
    try:
        async with asyncio.timeout(START_WITHIN_S):
            await process.gone.wait()
    except TimeoutError as late:
        process.kill()
        raise StartError(f"{AGENT_FILE} has not loaded within {START_WITHIN_S:.0f} s.") from late
    finally:
        code = await process.finish(5)
    if not notes:
        raise AgentError("load", f"{AGENT_FILE} ended the process that loads it (exit code {code}).")
    if problem := notes[-1]["ended"]["problem"]:
        raise AgentError("load", problem)


async def check_trial(target: Target, spec: dict[str, Any], ticks: int, limit_s: float) -> CheckReport:
    """Play some ticks with every action in turn. Raises StartError when it takes longer than limit_s."""
    trial = _TrialWithoutParticipant(target, spec, ticks)
    try:
        async with asyncio.timeout(limit_s):
            await trial.play()
    except TimeoutError as late:
        raise StartError(f"the trial has not played {ticks} ticks within {limit_s:.0f} s.") from late
    finally:
        trial.process.kill()
        await trial.process.finish(5)
    return trial.report


class _TrialWithoutParticipant:
    """Takes the session's place: starts the game, gives it actions, counts its frames."""

    def __init__(self, target: Target, spec: dict[str, Any], ticks: int) -> None:
        self.process = TrialProcess(target, spec, self._on_packet)
        self.report = CheckReport()
        self._wanted = ticks

    async def play(self) -> None:
        await self.process.start()
        self._note(connected=1, v2=True)
        self._input({"userId": "check", "projectId": None})
        self._input({"command": "start"})
        await self.process.gone.wait()

    def _on_packet(self, kind: int, payload: bytes) -> None:
        if kind == packets.FRAME:
            self._on_frame(payload)
            return
        note = json.loads(payload)
        self.report.ready = note.get("ready", self.report.ready)
        self.report.keys = note.get("tell", {}).get("keys", self.report.keys)
        if "ended" in note:
            self.report.ended = note["ended"]
            self.process.gone.set()

    def _on_frame(self, payload: bytes) -> None:
        header = FrameHeader.decode(payload)
        self.report.size = header.size
        self.report.jpeg_bytes = max(self.report.jpeg_bytes, len(payload) - LAYOUT.size)
        self.report.ticks += header.tick > 0
        drawn = {"frame": header.frame, "conn": 1, "t_client_ms": None, "received_ns": 0}
        self._note(sent=[], skipped=0, drawn=drawn)
        if self.report.ticks >= self._wanted:
            self._input({"command": "stop"})
        else:
            names = self.report.ready.get("actions") or ["noop"]
            self._input({"action": names[header.frame % len(names)]})

    def _note(self, **note: Any) -> None:
        self.process.send(packets.pack_note(note))

    def _input(self, message: dict[str, Any]) -> None:
        head = packets.INPUT_HEAD.pack(1, 2, 0)
        self.process.send(packets.pack(packets.INPUT, head + json.dumps(message).encode()))
