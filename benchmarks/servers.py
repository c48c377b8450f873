"""Starts and stops the servers that are measured, each as a process of its own on a free port of the loopback."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from benchmarks.study import REPOSITORY

START_S = 60.0
STOP_S = 20.0
URL = re.compile(r"\b(?:http|ws)(://[^\s/]+:\d+/)")

COMMANDS = {
    "ours": [str(REPOSITORY / "communicator.py"), "dev"],
    "plain": ["-m", "benchmarks.plain_server"],
}
PROTOCOLS = {"ours": "v2", "plain": "v1"}


class RunningServer:
    """A server with everything that it has started. url: of its websocket."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self._process = process

    def tree(self) -> list[psutil.Process]:
        """The server and all its descendants, a fork server's children among them."""
        return [self._process, *self._process.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds of the whole tree so far, those of processes that have ended and been waited for included."""
        return sum(_each(self.tree(), lambda process: sum(process.cpu_times()[:4])))

    def memory_bytes(self) -> float:
        """Memory of the whole tree; what processes share is counted once (PSS)."""
        return sum(_each(self.tree(), _proportional_bytes))


def _each(tree: list[psutil.Process], ask: Callable[[psutil.Process], float]) -> list[float]:
    answers = []
    for process in tree:
        try:
            answers.append(ask(process))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # it has just ended
    return answers


def _proportional_bytes(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.uss))  # only Linux knows PSS


@asynccontextmanager
async def serving(kind: str, study: Path, core: int | None) -> AsyncIterator[RunningServer]:
    """Run the server ``kind`` of COMMANDS on the study until the block is left; then nothing of it is left either.

    core: the only one it may run on, None for any. Raises RuntimeError with its last words where it does not start.
    """
    arguments = ["--study", str(study), "--data", str(study / "Trials"), "--address", "127.0.0.1", "--port", "0"]
    with (study / "server.out").open("wb") as out, (study / "server.err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMANDS[kind],
            *arguments,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    watched = psutil.Process(process.pid)
    server = RunningServer("", watched)
    try:
        if core is not None:
            watched.cpu_affinity([core])
        server.url = await _find_url(process, study)
        yield server
    finally:
        await _stop(process, server)


async def _find_url(process: asyncio.subprocess.Process, study: Path) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.returncode is None:
        found = URL.search((study / "server.out").read_text(errors="replace"))
        if found:
            return f"ws{found[1]}"
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{last_words(study)}")


def last_words(study: Path) -> str:
    return (study / "server.err").read_text(errors="replace")[-2000:]


async def _stop(process: asyncio.subprocess.Process, server: RunningServer) -> None:
    """Ask it to stop, and kill what does not: only processes seen to be its own, by their id and start time."""
    if process.returncode is not None:
        return
    tree = server.tree()
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        print(f"the server did not stop within {STOP_S:.0f} s; it is killed", file=sys.stderr)
    _, alive = await asyncio.to_thread(psutil.wait_procs, tree[1:], 3)
    for left in [*alive, *([tree[0]] if process.returncode is None else [])]:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    await process.wait()


def cores_for(pin: bool) -> tuple[int | None, int | None]:
    """The server's core and the clients'. Raises ValueError where the machine has not two to give."""
    if not pin:
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ValueError("--pin needs two cores: one for the server, one for the clients")
    return cores[0], cores[1]
