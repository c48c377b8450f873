"""Play every environment that is registered here, and write what came of it to docs/environments.md.

    python -m scripts.sweep_environments                  # all of them: about ten minutes
    python -m scripts.sweep_environments --only ALE/Pong-v5 Taxi-v4
    python -m scripts.sweep_environments --write-docs     # all of them, and make the page anew

Each gets a real trial, in a process of its own with the shipped agent.py: join, start, 100 ticks with random keys out
of those that the trial says mean something, stop. Then the record is read, and held against what was sent and seen.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import gymnasium
import simplejpeg
import yaml

import agent
from communicator import describe
from hippogym.config import load_study
from hippogym.core import packets
from hippogym.core.frame_header import LAYOUT, FrameHeader
from hippogym.live.process import TrialProcess, preload
from scripts.environments_page import PAGE, newest, page, wants_turns
from scripts.sweep_checks import Record
from trial import play

ROOT = Path(__file__).parent.parent
TICKS = 100
AT_A_TIME = 2
DEADLINE_S = 60.0
WHOLE_RUN_S = 3600.0
RATE = 120  # the fastest a study may ask for


@dataclass
class Trial:
    """What came of one environment.

    idle: the action when nothing is pressed. problem: why it failed, empty where it passed; missing: whether that is
    because something is not installed.
    """

    name: str
    mode: str
    space: str = ""
    actions: list[str] = field(default_factory=list)
    idle: str = ""
    keys: list[str] = field(default_factory=list)
    keyless: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    ticks: int = 0
    episodes: int = 0
    mean_ms: float = 0.0
    problem: str = ""
    missing: bool = False


class Participant:
    """In the place of a session and the browser behind it: presses keys at random, looks at every frame."""

    def __init__(self, spec: dict[str, Any], ticks: int) -> None:
        self.process = TrialProcess(play, spec, self._on_packet)
        self.ended: dict[str, Any] = {}
        self.ready: dict[str, Any] = {}
        self.legend: list[dict[str, Any]] = []
        self.seen: dict[int, str] = {}  # frame → sha256
        self.said: list[dict[str, Any]] = []
        self.size = (0, 0)
        self.complaints: list[str] = []
        self._wanted = ticks
        self._ticks = 0
        self._random = random.Random(spec["settings"]["game"])

    async def visit(self) -> int | None:
        """From hello to the end of the process; returns its exit code. Raises TimeoutError."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self.process.start()
                self._note(connected=1, v2=True)
                self._say(userId="sweep", projectId=None)
                self._say(command="start")
                await self.process.gone.wait()
            return await self.process.finish(10)
        finally:
            self.process.kill()
            await self.process.finish(5)

    def _on_packet(self, kind: int, payload: bytes) -> None:
        if kind == packets.FRAME:
            self._look(payload)
            return
        note = json.loads(payload)
        told = note.get("tell", {})
        self.ready = note.get("ready", self.ready)
        self.legend = told.get("keys", self.legend)
        if "error" in told:
            self.complaints.append(f"a message was refused: {told['error']}")
        if "ended" in note:
            self.ended = note["ended"]
            self.process.gone.set()

    def _look(self, payload: bytes) -> None:
        header, image = FrameHeader.decode(payload), payload[LAYOUT.size :]
        self.seen[header.frame] = hashlib.sha256(image).hexdigest()
        self.size = header.size
        try:
            height, width, _ = simplejpeg.decode_jpeg(image).shape
        except ValueError as problem:
            self.complaints.append(f"a frame is no JPEG: {problem}")
        else:
            if (width, height) != header.size:
                self.complaints.append(f"a frame is {width} × {height}, its header says {header.size}")
        drawn = {"frame": header.frame, "conn": 1, "t_client_ms": None, "received_ns": time.monotonic_ns()}
        self._note(sent=[], skipped=0, drawn=drawn)
        self._ticks += header.tick > 0
        if self._ticks < self._wanted:
            self._press(header.frame)
        elif {"command": "stop"} not in self.said:
            self._say(command="stop")

    def _press(self, frame: int) -> None:
        """Let everything go, then hold nothing, a key, or the keys of two actions."""
        combinations = [combination for entry in self.legend for combination in entry["keys"]]
        few = min(self._random.choice((0, 1, 1, 1, 2)), len(combinations))
        pressed = dict.fromkeys(key for keys in self._random.sample(combinations, few) for key in keys)
        self._say(keys=[], frameId=frame)
        self._say(keys=list(pressed) or self._random.choice(combinations), frameId=frame)

    def _note(self, **note: Any) -> None:
        self.process.send(packets.pack_note(note))

    def _say(self, **message: Any) -> None:
        self.said.append(message)
        head = packets.INPUT_HEAD.pack(1, 2, time.monotonic_ns())
        self.process.send(packets.pack(packets.INPUT, head + json.dumps(message).encode()))


class Sweep:
    """Plays environments, a few at a time, in a folder that is thrown away."""

    def __init__(self, folder: Path, ticks: int) -> None:
        self._folder = folder
        self._ticks = ticks
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._one_at_a_time = threading.Lock()

    async def run(self, names: Iterable[str]) -> list[Trial]:
        """One trial for each name. What the time did not suffice for has a problem, too."""
        trials = [Trial(name, "turn" if wants_turns(gymnasium.spec(name)) else "realtime") for name in names]
        try:
            async with asyncio.timeout(WHOLE_RUN_S), asyncio.TaskGroup() as tasks:
                for number, trial in enumerate(trials):
                    tasks.create_task(self._play(trial, f"sweep-{number:04d}"))
        except TimeoutError:
            for trial in trials:
                trial.problem = trial.problem or ("" if trial.ticks else "not tried: the sweep took too long")
        return trials

    async def _play(self, trial: Trial, label: str) -> None:
        async with self._places:
            participant = Participant(self._spec(trial, label), self._ticks)
            try:
                code = await participant.visit()
            except TimeoutError:
                trial.problem = f"has not played {self._ticks} ticks within {DEADLINE_S:.0f} s"
            else:
                await self._conclude(trial, participant, label, code)
            shutil.rmtree(self._folder / label)
            print(f"{trial.name:40} {trial.problem or 'pass'}", flush=True)

    async def _conclude(self, trial: Trial, participant: Participant, label: str, code: int | None) -> None:
        trial.size, trial.mean_ms = participant.size, participant.ended.get("mean_ms", 0.0)
        trial.actions, trial.notes = participant.ready.get("actions", []), participant.ready.get("problems", [])
        trial.keys = sorted({code for entry in participant.legend for keys in entry["keys"] for code in keys})
        trial.keyless = [entry["action"] for entry in participant.legend if not entry["keys"]]
        if participant.ended.get("reason") == "stopped" and code == 0:
            await asyncio.to_thread(self._examine, trial, participant, label)
        else:
            trial.problem, trial.missing = self._why_it_failed(label, participant.ended.get("reason"), code)

    def _spec(self, trial: Trial, label: str) -> dict[str, Any]:
        """As communicator.py makes it: a study that says hardly more than its game."""
        folder = self._folder / label
        folder.mkdir()
        shutil.copy(ROOT / "agent.py", folder)
        settings = {"game": trial.name, "stepMode": trial.mode, "maxFrameRate": RATE, "startingFrameRate": RATE}
        settings |= {"maxEpisodes": 100 * TICKS, "episodePause": 0}  # a hand of Blackjack is over after a tick or two
        (folder / "config.yml").write_text(yaml.safe_dump({"trial": settings}))
        spec = describe(load_study(folder), folder, folder / "Trials", dev=False)  # dev=False: the log is JSON
        return {**spec, "trial": label}

    def _why_it_failed(self, label: str, reason: object, code: int | None) -> tuple[str, bool]:
        """A sentence, and whether it says that something is not installed."""
        log = (self._folder / "log").read_text("utf-8", "replace").splitlines()
        lines = [json.loads(line) for line in log if line.startswith("{")]
        errors = [line["message"] for line in lines if line["trial"] == label and line["level"] == "ERROR"]
        if not errors:
            return f"the process ended by itself: {reason}, exit code {code}", False
        sentence = errors[-1].rsplit(" raised ", 1)[-1].split(": ", 1)[-1]
        for sign in ("is not installed", "No module named", "pip install", "have been moved to"):
            if sign in sentence:
                return sentence, True
        return errors[-1], False

    def _examine(self, trial: Trial, participant: Participant, label: str) -> None:
        """Hold the record against what was said and seen, and against the environment's space."""
        with self._one_at_a_time:  # environments are made in this process only here
            env = agent.start(trial.name)
            space = env.action_space
            env.close()
        trial.space = str(space)
        record = Record(self._folder / label / "Trials" / label)
        trial.ticks, trial.episodes = len(record.of_kind("tick")), len(record.files)
        if trial.mode == "realtime":
            trial.idle = next((reset["actions"]["default"] for reset in record.of_kind("reset")), "")
        turns = trial.mode == "turn"
        found = record.problems(participant.said, participant.seen, space, ticks=self._ticks, turns=turns)
        trial.problem = "; ".join([*participant.complaints[:3], *found])


@contextmanager
def trials_log(path: Path) -> Iterator[None]:
    """What trials write to standard error goes to a file: their fork server begins with what is ours at that moment."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        preload("hippogym.live.preload", "trial")
        forkserver.ensure_running()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    yield


def main() -> int:
    """Sweep. Returns the exit code: 0 where everything passed that is installed."""
    parser = argparse.ArgumentParser(prog="sweep_environments", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="ID", help="these environments (all that are registered)")
    parser.add_argument("--newest", action="store_true", help="leave out older versions and older names")
    parser.add_argument("--ticks", type=int, default=TICKS, help=f"ticks to play in each ({TICKS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found there")
    parser.add_argument("--write-docs", action="store_true", help="make docs/environments.md anew")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only or () if name not in gymnasium.registry]
    if unknown:
        parser.error(f"not registered here: {', '.join(unknown)}")
    names = arguments.only or sorted(newest(gymnasium.registry) if arguments.newest else gymnasium.registry)
    with tempfile.TemporaryDirectory() as folder, trials_log(Path(folder) / "log"):
        trials = asyncio.run(Sweep(Path(folder), arguments.ticks).run(names))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))
    if arguments.write_docs:
        PAGE.write_text(page(trials, gymnasium.registry, arguments.ticks))
    failed = [trial for trial in trials if trial.problem and not trial.missing]
    print(f"{len(trials)} tried, {len(failed)} failed, {sum(trial.missing for trial in trials)} are not installed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
