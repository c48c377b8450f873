"""One measurement: a fresh server, a process of participants, and what the one did while the others played."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import delay_figures, play_figures
from benchmarks.servers import PROTOCOLS, RunningServer, last_words, serving
from benchmarks.study import FLASH, FLASH_AGENT, FLASH_GAME, GAMES, REPOSITORY, make_study

SEATED_S = 90.0
SPARE_S = 20.0  # for what takes no time when all is well


@dataclass(frozen=True)
class Dose:
    """What is asked for. measure: play or delay. rate: frames a second. cores: the server's and the clients'."""

    measure: str
    game: str
    participants: int
    seconds: float
    warmup_s: float
    rate: float
    cores: tuple[int | None, int | None]


async def measure(
    server: str, dose: Dose, beside: Callable[[Path], AbstractAsyncContextManager[object]] | None = None
) -> dict[str, Any]:
    """Run ``server`` for ``dose``; returns the figures. Raises RuntimeError where something went wrong on the way.

    beside: given the study's folder, what else is to run from before the first participant until the last has left.
    """
    delay = dose.measure == "delay"
    game = FLASH if delay else GAMES[dose.game]
    agent = FLASH_AGENT if delay else REPOSITORY / "agent.py"
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as name:
        study = Path(name)
        make_study(study, FLASH_GAME if delay else dose.game, game, agent, dose.participants, dose.rate)
        job = {
            "protocol": PROTOCOLS[server],
            "participants": dose.participants,
            "measure": dose.measure,
            "actions": game.pressed,
            "warmup_s": dose.warmup_s,
            "seconds": dose.seconds,
            "deadline_s": SEATED_S,
        }
        others = nullcontext() if beside is None else beside(study)
        async with serving(server, study, dose.cores[0]) as running, others:
            try:
                heard = await _watch(running, job, dose)
            except (TimeoutError, ValueError, ConnectionError) as problem:
                raise RuntimeError(f"{server}: {problem!r}\nthe server's last words:\n{last_words(study)}") from problem
    figures = delay_figures(heard) if delay else play_figures(heard)
    asked = {"measure": dose.measure, "game": dose.game, "participants": dose.participants, "server": server}
    return {**asked, **figures}


async def _watch(server: RunningServer, job: dict[str, Any], dose: Dose) -> dict[str, Any]:
    """What the clients counted, with the server's CPU and memory meanwhile."""
    memory_before = await asyncio.to_thread(server.memory_bytes)
    async with _clients(dose.cores[1]) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({**job, "url": server.url}).encode() + b"\n")
        await _phase(process, "seated", SEATED_S + SPARE_S)
        await _phase(process, "measuring", dose.warmup_s + SPARE_S)
        before = _look(server)
        heard = await _phase(process, "measured", dose.seconds + SPARE_S)
        after = _look(server)
        memory_after = await asyncio.to_thread(server.memory_bytes)
        process.stdin.write(b"leave\n")
        async with asyncio.timeout(SPARE_S):
            await process.wait()
    watched_s = after["at_s"] - before["at_s"]
    server_cores = (after["server_s"] - before["server_s"]) / watched_s
    clients_cores = heard["cpu_s"] / heard["window_s"]
    busy_cores = (after["machine_s"] - before["machine_s"]) / watched_s
    return {
        **heard,
        "server_cores": server_cores,
        "clients_cores": clients_cores,
        "others_cores": max(0.0, busy_cores - server_cores - clients_cores),
        "memory_before_bytes": memory_before,
        "memory_after_bytes": memory_after,
    }


@asynccontextmanager
async def _clients(core: int | None) -> AsyncIterator[asyncio.subprocess.Process]:
    """The participants' process; it has ended when the block is left."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.clients", cwd=REPOSITORY, stdin=pipe, stdout=pipe, limit=2**26
    )
    try:
        if core is not None:
            psutil.Process(process.pid).cpu_affinity([core])
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _phase(process: asyncio.subprocess.Process, expected: str, deadline_s: float) -> dict[str, Any]:
    """Wait until the clients tell of it. Raises TimeoutError, or ConnectionError where they have ended."""
    assert process.stdout is not None
    async with asyncio.timeout(deadline_s):
        line = await process.stdout.readline()
    if not line:
        raise ConnectionError(f"the clients ended before they were {expected}; their error stands above")
    told: dict[str, Any] = json.loads(line)
    if told["phase"] != expected:
        raise ValueError(f"the clients are {told['phase']}, expected {expected}")
    return told


def _look(server: RunningServer) -> dict[str, float]:
    """CPU seconds so far, of the server and of the whole machine, and when that was."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    counted_twice_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return {
        "server_s": server.cpu_s(),
        "machine_s": sum(times) - idle_s - counted_twice_s,
        "at_s": time.perf_counter(),
    }
