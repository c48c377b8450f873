"""The study's own server, started for a rehearsal on a free port of this machine, with a data folder of its own."""

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from hippogym.errors import StartError

START_WITHIN_S = 120.0
STOP_WITHIN_S = 120.0
SHORT_OF_FILES = 4096  # sockets and pipes of this many participants and their server
ADDRESS = re.compile(r"Play at (https?://\S+?)/\s")


@dataclass
class RunningServer:
    """url: without a slash at the end. folder: its log. code: its exit code, once it has stopped."""

    url: str
    process: psutil.Process
    folder: Path
    code: int | None = None

    def cpu_s(self) -> float:
        """CPU seconds so far of the server and its trials; of those that have ended, too."""
        return sum(_told(process) for process in self._tree())

    def memory_bytes(self) -> int:
        """Memory of the whole tree; what processes share is counted once, where the system can tell."""
        return sum(_memory_bytes(process) for process in self._tree())

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def errors(self) -> list[str]:
        """Lines of its log that say that something went wrong."""
        lines = (self.folder / "server.err").read_text(errors="replace").splitlines()
        return [line for line in lines if re.search(r"\b(ERROR|CRITICAL|Traceback)\b", line)]


@asynccontextmanager
async def serving(study: Path, data: Path, folder: Path) -> AsyncIterator[RunningServer]:
    """Run the study's server until the block is left, and wait for its end. Raises StartError with its last words.

    data: its records and answers. folder: its log; it is there already.
    """
    origin = importlib.util.find_spec("communicator")
    if origin is None or origin.origin is None:
        raise StartError("communicator.py is not installed here; run this where HIPPO Gym is: pip install -e .")
    command = [sys.executable, origin.origin, "dev", "--study", str(study), "--data", str(data)]
    with (folder / "server.out").open("wb") as out, (folder / "server.err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *command, "--address", "127.0.0.1", "--port", "0", stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
    server = RunningServer("", psutil.Process(process.pid), folder)
    try:
        server.url = await _url(process, folder)
        yield server
    finally:
        server.code = await _stop(process, server)


async def _url(process: asyncio.subprocess.Process, folder: Path) -> str:
    deadline_s = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline_s and process.returncode is None:
        if found := ADDRESS.search((folder / "server.out").read_text(errors="replace")):
            return found[1]
        await asyncio.sleep(0.05)
    raise StartError(f"the study's server did not start:\n{last_words(folder)}")


def last_words(folder: Path) -> str:
    """The end of what the server has said."""
    return (folder / "server.err").read_text(errors="replace")[-3000:].strip()


async def _stop(process: asyncio.subprocess.Process, server: RunningServer) -> int | None:
    """Ask it to stop; kill what does not, and only what was seen to be its own. Returns the exit code."""
    tree = server._tree()
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            sys.stderr.write(f"the server has not stopped within {STOP_WITHIN_S:.0f} s; it is killed\n")
    _, alive = await asyncio.to_thread(psutil.wait_procs, tree[1:], 5)
    for left in alive:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    if process.returncode is None:
        process.kill()
        await process.wait()
        return None
    return process.returncode


def _told(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0  # it has just ended; who waited for it tells of its time


def _memory_bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.uss))  # only Linux knows the share of what is shared


def allow_many_files() -> None:
    """A participant is several sockets, here and at the server: ask for as many as the machine lets us have."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SHORT_OF_FILES if hard == resource.RLIM_INFINITY else min(hard, SHORT_OF_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def own_cpu_s() -> float:
    """CPU seconds of this process so far."""
    return sum(os.times()[:2])
