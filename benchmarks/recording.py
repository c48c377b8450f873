"""Measures what it costs a tick to be recorded, beside a bare pickle.dump: python -m benchmarks.recording

Every round runs ours, flushed, bare, ours, … into fresh files, at a game's pace; the figures are medians over the
rounds. docs/recording-cost.md says what they mean, and is made by this script.
"""

import argparse
import datetime
import json
import pickle
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.play import machine, positive
from benchmarks.report import NOISY, machine_line
from benchmarks.study import REPOSITORY
from hippogym.core.entries import Entries, Moment
from hippogym.data.recorder import Recorder
from hippogym.live.worker import keep_freed_memory

RESULTS = REPOSITORY / "benchmarks" / "recording.json"
TEMPLATE = REPOSITORY / "benchmarks" / "recording.template.md"
PAGE = REPOSITORY / "docs" / "recording-cost.md"
SIZES = {"100 B": 100, "30 KB": 30_000, "1 MB": 1_000_000}
WARMUP_TICKS = 10
FIGURES = ("p50_us", "p99_us", "cpu_us")

Write = Callable[[dict[str, Any]], object]


@contextmanager
def bare(folder: Path) -> Iterator[Write]:
    """pickle.dump into a buffered file: what the process is killed with is lost."""
    with (folder / "records").open("wb") as file:
        yield lambda entry: pickle.dump(entry, file)


@contextmanager
def flushed(folder: Path) -> Iterator[Write]:
    """The same, and the buffer is written: the least that survives a kill, without telling what is whole."""
    with (folder / "records").open("wb") as file:

        def write(entry: dict[str, Any]) -> None:
            pickle.dump(entry, file)
            file.flush()

        yield write


@contextmanager
def ours(folder: Path) -> Iterator[Write]:
    """The recorder, with its thread that syncs and hashes."""
    recorder = Recorder(folder / "t-1", "t-1")
    recorder.open_episode(0, {})
    yield recorder.write
    recorder.close()


WAYS = {"ours": ours, "flushed": flushed, "bare": bare}


def entry(tick: int, observation: np.ndarray) -> dict[str, Any]:
    """What a trial keeps of a tick: one key pressed, one frame sent and drawn."""
    entries, now_ns = Entries("t-1"), time.monotonic_ns()
    message = {"keys": ["ArrowLeft"], "frameId": tick, "t": 1234.5}
    entries.add_input(message, conn=1, received_ns=now_ns, frame=tick, t_client_ms=1234.5)
    entries.add_sent({"frame": tick, "conn": 1, "sent_ns": now_ns})
    entries.add_drawn({"frame": tick, "conn": 1, "t_client_ms": 1234.5, "received_ns": now_ns})
    moment = Moment(now_ns, time.time_ns(), episode=0, tick=tick, conn=1, rate=30.0)
    frame = {"id": tick, "sha256": "0" * 64, "bytes": 11_500, "width": 160, "height": 210}
    action = {"name": "left", "value": 3, "origin": "held", "age_ticks": 0, "seq": tick}
    record = {"observation": observation, "reward": 1.0, "done": False, "info": {"lives": 3}}
    return entries.build("tick", moment, record, action=action, late_ns=1000, missed_ticks=0, frame=frame)


def costs_us(way: str, size_bytes: int, ticks: int, rate: float) -> tuple[list[float], float]:
    """Microseconds that each tick waited for its record, at this many ticks a second; and of CPU time, on average."""
    random = np.random.default_rng(1)
    observations = [random.integers(0, 256, size_bytes, np.uint8) for _ in range(8)]
    costs, cpu_ns = [], 0
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, WAYS[way](Path(name)) as write:
        due_s = time.perf_counter()
        for tick in range(ticks + WARMUP_TICKS):
            made = entry(tick, observations[tick % 8])
            began_cpu_ns, began_ns = time.thread_time_ns(), time.perf_counter_ns()
            write(made)
            costs.append((time.perf_counter_ns() - began_ns) / 1e3)
            cpu_ns += (time.thread_time_ns() - began_cpu_ns) * (tick >= WARMUP_TICKS)
            due_s = max(due_s + 1 / rate, time.perf_counter())
            time.sleep(due_s - time.perf_counter() if due_s > time.perf_counter() else 0)
    return costs[WARMUP_TICKS:], cpu_ns / ticks / 1e3


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    runs = []
    for number in range(arguments.rounds):
        for size in SIZES:
            for way in WAYS:
                costs, cpu = costs_us(way, SIZES[size], arguments.ticks, arguments.rate)
                p50, p99 = (float(np.percentile(costs, percent)) for percent in (50, 99))
                figures = {"p50_us": p50, "p99_us": p99, "cpu_us": cpu}
                runs.append({"round": number, "size": size, "way": way, **figures})
    return {
        "command": f"python -m benchmarks.recording {shlex.join(sys.argv[1:])}".rstrip(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "options": {name: getattr(arguments, name) for name in ("rounds", "ticks", "rate")},
        "summary": summarise(runs),
        "runs": runs,
    }


def summarise(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the rounds, and ratios to the bare way."""
    summary = []
    for size in dict.fromkeys(one["size"] for one in runs):
        row: dict[str, Any] = {"size": size}
        for way in WAYS:
            here = [one for one in runs if (one["size"], one["way"]) == (size, way)]
            row[way] = {figure: statistics.median(one[figure] for one in here) for figure in FIGURES}
        for way in ("ours", "flushed"):
            row[way]["ratio"] = {figure: row[way][figure] / row["bare"][figure] for figure in FIGURES}
        summary.append(row)
    return summary


HEADER = ("observation", "", "p50, µs", "p99, µs", "CPU, µs", "p50 / bare", "p99 / bare", "CPU / bare")


def rows(results: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in results["summary"]:
        for way in WAYS:
            figures = one[way]
            ratios = [f"{figures['ratio'][name]:.2f}" if "ratio" in figures else "" for name in FIGURES]
            yield one["size"], way, *(f"{figures[name]:.0f}" for name in FIGURES), *ratios


def page(results: dict[str, Any]) -> str:
    """docs/recording-cost.md, whole."""
    table = ["| " + " | ".join(HEADER) + " |", "|---:" * len(HEADER) + "|"]
    table += ["| " + " | ".join(row) + " |" for row in rows(results)]
    options = results["options"]
    parts = {
        "{machine}": machine_line(results),
        "{noisy}": NOISY,
        "{table}": "\n".join(table),
        **{f"{{{name}}}": str(results[name]) for name in ("command", "date")},
        **{f"{{{name}}}": f"{value:g}" for name, value in options.items()},
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def show(results: dict[str, Any]) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    console.print(machine_line(results))
    table = Table(*HEADER, title="What a tick waits for its record")
    for row in rows(results):
        table.add_row(*row, end_section=row[1] == "bare")
    console.print(table)
    console.print(NOISY)


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often all is repeated (5)")
    parser.add_argument("--ticks", type=int, default=200, help="ticks of each measurement (200)")
    parser.add_argument("--rate", type=positive, default=60.0, help="ticks a second (60)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--write-docs", action="store_true", help="make recording.json and docs/recording-cost.md")
    parser.add_argument("--docs-only", action="store_true", help="make the page from recording.json; no run")
    return parser.parse_args(given)


def main() -> int:
    arguments = read_arguments()
    if arguments.docs_only:
        PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
        return 0
    keep_freed_memory()  # as in a trial's process; for all three ways
    results = run(arguments)
    for path in [arguments.json] * bool(arguments.json) + [RESULTS] * arguments.write_docs:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.write_docs:
        PAGE.write_text(page(results), encoding="utf-8")
    show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
