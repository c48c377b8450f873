"""Measures what the dashboard's mirror costs those who are watched: python -m benchmarks.mirror [--participants 1] …

People play on one server for the whole run. Windows without a dashboard, with one open, and with one that watches the
first participant take turns; the figures are medians over the rounds, of ratios within each round. docs/dashboard.md
says what they mean.
"""

import argparse
import asyncio
import datetime
import json
import os
import pickle
import secrets
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.play import machine, positive
from benchmarks.report import NOISY, machine_line
from benchmarks.servers import RunningServer, cores_for, serving
from benchmarks.study import GAMES, REPOSITORY, make_study

RESULTS = REPOSITORY / "benchmarks" / "mirror.json"
PAGE = REPOSITORY / "docs" / "dashboard.md"
BEGIN, END = "<!-- figures: made by `python -m benchmarks.mirror --write-docs` -->\n", "<!-- end of figures -->"
GAME = "ALE/MsPacman-v5"
WAYS = ("alone", "open", "mirror")
SAYS = {"alone": "no dashboard", "open": "dashboard open", "mirror": "mirror on the first participant"}
SETTLE_S = 1.5  # between windows: what was asked has come into effect
WARMUP_S = 4.0
PATIENCE_S = 90.0
FIGURES = {
    "cpu_ms": "CPU of server and trials, ms a second",
    "server_ms": "of it the server's process",
    "rate": "frames a second, watched",
    "gap_p50_ms": "between two frames, p50, ms",
    "gap_p95_ms": "p95",
    "age_p50_ms": "from tick to arrival, p50, ms",
    "age_p95_ms": "p95",
    "ack_p50_ms": "from sent to acknowledged, p50, ms",
    "ack_p95_ms": "p95",
}


def cpu_ns(process: psutil.Process) -> int:
    """CPU time of a process so far. Linux keeps it in nanoseconds for each thread, elsewhere ticks have to do."""
    total = 0
    try:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        try:
            total = round(sum(process.cpu_times()[:2]) * 1e9)
        except psutil.NoSuchProcess:
            return 0
    return total


@asynccontextmanager
async def helper(role: str, job: dict[str, Any], core: int | None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of benchmarks.mirror_clients; it has ended when the block is left."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.mirror_clients", role, cwd=REPOSITORY, stdin=pipe, stdout=pipe, limit=2**28
    )
    try:
        if core is not None:
            psutil.Process(process.pid).cpu_affinity([core])
        await say(process, job)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def say(process: asyncio.subprocess.Process, what: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(what).encode() + b"\n")
    await process.stdin.drain()


async def hear(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next thing it tells. Raises ConnectionError where it has ended."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        line = await process.stdout.readline()
    if not line:
        raise ConnectionError("a client ended before its time; its error stands above")
    told: dict[str, Any] = json.loads(line)
    return told


async def window(server: RunningServer, seconds: float) -> dict[str, float]:
    """CPU of the server meanwhile, and when that was."""
    tree = server.tree()
    before, begin_s = [cpu_ns(one) for one in tree], time.perf_counter()
    busy_before = psutil.cpu_times()
    await asyncio.sleep(seconds)
    after, end_s = [cpu_ns(one) for one in tree], time.perf_counter()
    busy_after = psutil.cpu_times()
    used_ns = [b - a for a, b in zip(before, after, strict=True)]
    passed_s = end_s - begin_s
    idle_s = busy_after.idle - busy_before.idle
    return {
        "begin_s": begin_s,
        "end_s": end_s,
        "cpu_ms": sum(used_ns) / passed_s / 1e6,
        "server_ms": used_ns[0] / passed_s / 1e6,
        "idle": idle_s / passed_s,
    }


async def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All windows, each with its figures."""
    server_core, client_core = cores_for(arguments.pin)
    token = secrets.token_urlsafe(24)
    os.environ["HIPPOGYM_DASHBOARD_TOKEN"] = token  # the server inherits it
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as name:
        study = Path(name)
        make_study(study, GAME, GAMES[GAME], REPOSITORY / "agent.py", arguments.participants, arguments.rate)
        job = {"participants": arguments.participants, "actions": GAMES[GAME].pressed}
        async with serving("ours", study, server_core) as server:
            async with helper("play", {**job, "url": server.url}, client_core) as players:
                await hear(players)
                await asyncio.sleep(WARMUP_S)
                watch = {"url": server.url, "token": token}
                async with helper("watch", watch, client_core) as researcher:
                    windows = await take_turns(arguments, server, researcher)
                await say(players, {"leave": True})
                heard = await hear(players)
        acknowledged = acknowledgements(study / "Trials" / windows[-1]["trial"])
    return [{**one, **seen(one, heard["frames"], acknowledged)} for one in windows]


async def take_turns(
    arguments: argparse.Namespace, server: RunningServer, researcher: asyncio.subprocess.Process
) -> list[dict[str, Any]]:
    console = Console(stderr=True)
    windows = []
    for number in range(arguments.rounds):
        turned = number % len(WAYS)
        for way in [*WAYS[turned:], *WAYS[:turned]]:
            await say(researcher, {"way": way})
            await hear(researcher)
            await asyncio.sleep(SETTLE_S)
            before = await count_frames(researcher)
            found = await window(server, arguments.seconds)
            told = await count_frames(researcher)
            mirrored = told["frames"] - before["frames"]
            if way == "mirror" and not mirrored:
                raise ConnectionError("the mirror showed nothing")
            windows.append({"round": number, "way": way, **found, "mirrored": mirrored, "trial": told["trial"]})
            console.print(f"round {number + 1}, {SAYS[way]}: {found['cpu_ms']:.0f} ms CPU a second", highlight=False)
    return windows


async def count_frames(researcher: asyncio.subprocess.Process) -> dict[str, Any]:
    """How many frames the mirror has had, and of whom."""
    await say(researcher, {"way": "count"})
    return await hear(researcher)


def acknowledgements(folder: Path) -> list[tuple[float, float]]:
    """(when in seconds, delay in ms) of each frame that was acknowledged, as a trial's record has it."""
    sent: dict[int, int] = {}
    found = []
    for entry in entries(folder):
        block = entry["hippogym"]
        sent |= {one["frame"]: one["sent_ns"] for one in block.get("sent", [])}
        for drawn in block.get("drawn", []):
            if drawn["frame"] in sent:
                delay_ns = drawn["received_ns"] - sent.pop(drawn["frame"])
                found.append((drawn["received_ns"] / 1e9, delay_ns / 1e6))
    return found


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """What a trial of ours has recorded; its files are our own."""
    for path in sorted(folder.glob("*.pkl")):
        with path.open("rb") as file:
            while True:
                try:
                    yield pickle.load(file)
                except EOFError:
                    break


def seen(one: dict[str, Any], frames: list[list[float]], acknowledged: list[tuple[float, float]]) -> dict[str, float]:
    """What the watched participant noticed in a window. frames: [arrival in s, age in ms]."""
    begin_s, end_s = one["begin_s"], one["end_s"]
    times = [at for at, _ in frames if begin_s <= at < end_s]
    ages = [age for at, age in frames if begin_s <= at < end_s]
    acks = [delay for at, delay in acknowledged if begin_s <= at < end_s]
    gaps = np.diff(times) * 1000
    figures = {"rate": len(times) / (end_s - begin_s)}
    for name, values in (("gap", gaps), ("age", ages), ("ack", acks)):
        for percent in (50, 95):
            figures[f"{name}_p{percent}_ms"] = float(np.percentile(values, percent))
    return figures


def summarise(windows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Medians over the rounds: of each way, of the ratios to ``alone`` in the same round, and of the noise.

    added: what the mirror costs the server's process in ms a second, and which share of everything's CPU that is.
    noise: by how much two windows without a dashboard, one after the other, differ.
    """
    rounds = [
        {one["way"]: one for one in windows if one["round"] == number}
        for number in sorted({one["round"] for one in windows})
    ]
    alone = [turn["alone"] for turn in rounds]
    summary = {way: {name: statistics.median(turn[way][name] for turn in rounds) for name in FIGURES} for way in WAYS}
    for way in WAYS[1:]:
        ratios = {name: [turn[way][name] / turn["alone"][name] for turn in rounds] for name in FIGURES}
        summary[f"{way} / alone"] = {name: statistics.median(ratios[name]) for name in FIGURES}
    added_ms = [turn["mirror"]["server_ms"] - turn["alone"]["server_ms"] for turn in rounds]
    shares = [more / turn["alone"]["cpu_ms"] for more, turn in zip(added_ms, rounds, strict=True)]
    summary["added"] = {"server_ms": statistics.median(added_ms), "share": statistics.median(shares)}
    if len(rounds) > 1:
        summary["noise"] = {
            name: statistics.median(abs(b[name] / a[name] - 1) for a, b in zip(alone, alone[1:], strict=False))
            for name in FIGURES
        }
    return summary


def rows(results: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row for each figure."""
    summary = results["summary"]
    for name, title in FIGURES.items():
        noise = f"±{100 * summary['noise'][name]:.1f} %" if "noise" in summary else ""
        values = [f"{summary[way][name]:.1f}" for way in WAYS]
        yield title, *values, *(f"{summary[f'{way} / alone'][name]:.3f}" for way in WAYS[1:]), noise


HEADER = ("", *(SAYS[way] for way in WAYS), "open / none", "mirror / none", "noise")


def section(results: dict[str, Any]) -> str:
    """The figures' part of docs/dashboard.md."""
    options, windows, cores = results["options"], results["windows"], results["machine"]["cores"]
    mirrored = statistics.median(one["mirrored"] / options["seconds"] for one in windows if one["way"] == "mirror")
    added_ms, share = results["summary"]["added"]["server_ms"], results["summary"]["added"]["share"]
    idle = min(one["idle"] for one in windows)
    table = ["| " + " | ".join(HEADER) + " |", "|---" + "|---:" * (len(HEADER) - 1) + "|"]
    table += ["| " + " | ".join(row) + " |" for row in rows(results)]
    lines = [
        f"`{results['command']}`, on {results['date']}, {machine_line(results)}.",
        "",
        f"{options['participants']} playing {GAME} at {options['rate']:g} frames a second; {options['rounds']} rounds "
        f"of three windows of {options['seconds']:g} s on one server, in turns. Figures are medians over the rounds, "
        "ratios are taken within a round. *Noise* is by how much two windows without a dashboard differ from each "
        f"other; in the busiest window {idle:.2f} of the machine's {cores} cores were idle. {NOISY}",
        "",
        f"**The mirror added {added_ms:.1f} ms of CPU a second to the server's process** (median of the differences "
        f"within a round), {1000 * added_ms / mirrored:.0f} µs for each of its {mirrored:.1f} frames a second: "
        f"**{100 * share:.1f} %** of what server and trial use for that many who play. The trials do nothing for it.",
        "",
        *table,
    ]
    return "\n".join(lines) + "\n"


def write_page(results: dict[str, Any]) -> None:
    """Put the figures into docs/dashboard.md."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{section(results)}\n{END}{after}", encoding="utf-8")


def show(results: dict[str, Any]) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    console.print(machine_line(results))
    table = Table(*HEADER, title="What the dashboard and its mirror cost")
    for row in rows(results):
        table.add_row(*row)
    console.print(table)
    console.print(NOISY)


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirror", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--participants", type=int, default=1, help="how many play (1)")
    parser.add_argument("--seconds", type=positive, default=6.0, help="length of each window (6)")
    parser.add_argument("--rounds", type=int, default=25, help="how often the three windows take turns (25)")
    parser.add_argument("--rate", type=positive, default=30.0, help="frames a second that are asked for (30)")
    parser.add_argument("--pin", action="store_true", help="a core for the server and another for the clients")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--write-docs", action="store_true", help="make mirror.json and the part in docs/dashboard.md")
    parser.add_argument("--docs-only", action="store_true", help="make that part from mirror.json; no run")
    return parser.parse_args(given)


def main() -> int:
    arguments = read_arguments()
    if arguments.docs_only:
        write_page(json.loads(RESULTS.read_text(encoding="utf-8")))
        return 0
    windows = asyncio.run(measure(arguments))
    results = {
        "command": f"python -m benchmarks.mirror {shlex.join(sys.argv[1:])}".rstrip(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "options": {name: getattr(arguments, name) for name in ("participants", "seconds", "rounds", "rate", "pin")},
        "summary": summarise(windows),
        "windows": windows,
    }
    for path in [arguments.json] * bool(arguments.json) + [RESULTS] * arguments.write_docs:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.write_docs:
        write_page(results)
    show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
