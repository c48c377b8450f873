"""Real trials, played by a program in a participant's place: their records are what people's records are."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import yaml

from communicator import describe
from hippogym.config import load_study
from hippogym.core import packets
from hippogym.core.frame_header import FrameHeader
from hippogym.live.process import TrialProcess
from tests.patience import PATIENCE_S
from tests.servers import write_study
from trial import play

RATE = 2000.0  # frames per second that are asked for, and never reached


class Player:
    """Gives actions at random, says good and bad, looks at every frame, and stops after so many ticks.

    frames: acknowledges only so many, like somebody whose connection has become slow.
    """

    def __init__(self, spec: dict[str, Any], ticks: int, frames: int = 10**9) -> None:
        self.process = TrialProcess(play, spec, self._on_packet)
        self.ended: dict[str, Any] = {}
        self.actions: list[str] = []
        self._wanted, self._ticks, self._stopped = ticks, 0, False
        self._frames = frames
        self._random = random.Random(spec["trial"])

    async def visit(self) -> dict[str, Any]:
        """From hello to the end; returns what the trial says at its end."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.process.start()
                self._note(connected=1, v2=True)
                self.say(userId="participant", projectId=None)
                self.say(command="start")
                await self.process.gone.wait()
            await self.process.finish(10)
        finally:
            self.process.kill()
            await self.process.finish(5)
        return self.ended

    def say(self, **message: Any) -> None:
        head = packets.INPUT_HEAD.pack(1, 2, time.monotonic_ns())
        self.process.send(packets.pack(packets.INPUT, head + json.dumps(message).encode()))

    def _note(self, **note: Any) -> None:
        self.process.send(packets.pack_note(note))

    def _on_packet(self, kind: int, payload: bytes) -> None:
        if kind == packets.FRAME:
            self._look(FrameHeader.decode(payload))
            return
        note = json.loads(payload)
        self.actions = note.get("ready", {}).get("actions", self.actions)
        if "ended" in note:
            self.ended = note["ended"]
            self.process.gone.set()

    def _look(self, header: FrameHeader) -> None:
        now_ns = time.monotonic_ns()
        sent = [{"frame": header.frame, "conn": 1, "sent_ns": now_ns}]
        drawn = {"frame": header.frame, "conn": 1, "t_client_ms": now_ns / 1e6, "received_ns": now_ns}
        if header.frame <= self._frames:
            self._note(sent=sent, skipped=0, drawn=drawn)
        self._ticks += header.tick > 0
        if self._ticks >= self._wanted:
            if not self._stopped:
                self.say(command="stop")
            self._stopped = True
            return
        if self.actions:
            self.say(action=self._random.choice(self.actions), frameId=header.frame)
        if header.frame % 4 == 3:
            self.say(command=self._random.choice(("good", "good", "bad")), frameId=header.frame)


async def play_trial(
    study: Path, label: str, *, ticks: int = 40, frames: int = 10**9, user: str = "participant", **settings: Any
) -> Path:
    """Play in a study; returns the folder of the trial's records."""
    spec = describe(load_study(study), study, study / "Trials", dev=True)
    spec |= {"trial": label, "participant": {"userId": user, "projectId": None}}
    spec["settings"] |= {"startingFrameRate": RATE, "maxFrameRate": RATE, **settings}
    await Player(spec, ticks, frames).visit()
    return study / "Trials" / label


def study_of(folder: Path, game: str, agent: str | Path | None = None, **trial: Any) -> Path:
    """A study that says hardly more than its game. Episodes follow each other at once, as many as there are."""
    settings = {"game": game, "maxEpisodes": 10_000, "episodePause": 0, "defaultAction": None, **trial}
    settings = {name: value for name, value in settings.items() if value is not None}
    return write_study(folder, yaml.safe_dump({"trial": settings}), agent)
