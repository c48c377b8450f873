"""Measures play beside the plain reference server: python -m benchmarks.play [--participants 1,4,8,16] [--pin] …

Every round runs ours, plain, ours, plain, … with a fresh server each time; the figures are medians over the rounds.
Takes about half an hour with the defaults. docs/performance.md says what the figures mean.
"""

import argparse
import asyncio
import datetime
import math
import os
import platform
import shlex
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from benchmarks import report
from benchmarks.figures import FIGURES, SERVERS, summarise
from benchmarks.measurement import Dose, measure
from benchmarks.servers import cores_for
from benchmarks.study import FLASH_GAME, GAMES

PACKAGES = ("gymnasium", "ale-py", "numpy", "pillow", "simplejpeg", "websockets", "uvicorn")


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.play", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--participants", type=numbers, default=[1, 4, 8, 16], help="how many play at a time: 1,4,8,16")
    parser.add_argument("--games", type=games, default=list(GAMES), help=f"of {','.join(GAMES)}")
    parser.add_argument("--delay-participants", type=numbers, default=[1, 8], help="the same for the delay: 1,8")
    parser.add_argument("--seconds", type=positive, default=15.0, help="length of each measurement (15)")
    parser.add_argument("--warmup", type=positive, default=2.0, help="seconds of play before it (2)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all is repeated (3)")
    parser.add_argument("--rate", type=positive, default=30.0, help="frames a second that are asked for (30)")
    parser.add_argument("--servers", type=servers, default=list(SERVERS), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--pin", action="store_true", help="a core for the server and another for the clients")
    parser.add_argument("--json", type=Path, help="write all figures of all rounds to this file")
    parser.add_argument("--write-docs", action="store_true", help="make results.json and docs/performance.md")
    parser.add_argument("--docs-only", action="store_true", help="make docs/performance.md from results.json; no run")
    return parser.parse_args(given)


def numbers(text: str) -> list[int]:
    """'1,8' as a list; empty for none."""
    found = [int(part) for part in text.split(",") if part]
    if any(number < 1 for number in found):
        raise argparse.ArgumentTypeError("participants are counted from 1")
    return found


def games(text: str) -> list[str]:
    return known(text, list(GAMES))


def servers(text: str) -> list[str]:
    return known(text, list(SERVERS))


def known(text: str, names: list[str]) -> list[str]:
    found = [part for part in text.split(",") if part]
    if unknown := set(found) - set(names):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not among {', '.join(names)}")
    return found


def positive(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def doses(arguments: argparse.Namespace) -> list[Dose]:
    """What one round consists of."""
    common = (arguments.seconds, arguments.warmup, arguments.rate, cores_for(arguments.pin))
    play = [Dose("play", game, number, *common) for game in arguments.games for number in arguments.participants]
    return play + [Dose("delay", FLASH_GAME, number, *common) for number in arguments.delay_participants]


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All rounds. Returns what report shows and ``--json`` keeps. SIGINT and SIGTERM end all that it has started."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    console = Console(stderr=True)
    runs: list[dict[str, Any]] = []
    plan = [(number, dose, server) for number in range(arguments.rounds) for dose in doses(arguments)
            for server in arguments.servers]  # fmt: skip
    for step, (number, dose, server) in enumerate(plan, start=1):
        label = f"{dose.measure} {dose.game}, {dose.participants} participants, {server}"
        console.print(f"[{step}/{len(plan)}] round {number + 1}: {label}", highlight=False, markup=False)
        runs.append({"round": number, **await measure(server, dose)})
        console.print("   " + brief(runs[-1]), highlight=False)
    options = {name: getattr(arguments, name) for name in ("seconds", "warmup", "rounds", "rate", "pin")}
    command = f"`python -m benchmarks.play {shlex.join(sys.argv[1:])}".rstrip() + "`"
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    facts = {"command": command, "date": date, "machine": machine(), "options": options, "units": FIGURES}
    return {**facts, "summary": summarise(runs), "runs": runs}


def brief(figures: dict[str, Any]) -> str:
    """A measurement in a line, for the person who waits."""
    if figures["measure"] == "delay":
        return f"delay p50 {figures['delay_p50_ms']:.0f} ms, p95 {figures['delay_p95_ms']:.0f} ms"
    return f"{figures['rate_mean']:.1f} frames/s, {figures['cpu_us_per_frame']:.0f} µs CPU a frame"


def machine() -> dict[str, Any]:
    """Where this ran, as far as it matters for the figures."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": processor(),
        "memory_gb": psutil.virtual_memory().total / 1e9,
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def processor() -> str:
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    arguments = read_arguments()
    if arguments.docs_only:
        report.write_page()
        return 0
    try:
        results = asyncio.run(run(arguments))
    except asyncio.CancelledError:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130
    except (RuntimeError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    if arguments.json:
        report.write(results, arguments.json)
    if arguments.write_docs:
        report.write(results, report.RESULTS)
        report.write_page()
    report.show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
