"""Measures how quickly people come into the study's arms, beside the plain way: python -m benchmarks.arriving

Every round lets both ways take turns in fresh folders. The plain way draws an arm by lot and writes a row in a
transaction of its own. docs/arriving-cost.md says what the figures mean, and is made by this script.
"""

import argparse
import asyncio
import datetime
import json
import random
import shlex
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.play import machine
from benchmarks.report import NOISY, machine_line
from benchmarks.study import REPOSITORY
from hippogym.assembly.study_desk import study_desk
from hippogym.config import load_study
from hippogym.core.study.allocation import Allocation
from hippogym.core.study.factors import Arm, Factor
from hippogym.data.ledger.sqlite import FILE, SqliteLedger

RESULTS = REPOSITORY / "benchmarks" / "arriving.json"
TEMPLATE = REPOSITORY / "benchmarks" / "arriving.template.md"
PAGE = REPOSITORY / "docs" / "arriving-cost.md"

ARMS = ("a", "b", "c")
DROP_OUT = 0.3
FIGURES = ("per_s", "p50_ms", "p99_ms", "apart")
CONFIG = """
project:
  steps: {1: consent.html, finalStep: thanks.html}
  conditions: {a: , b: , c: }
trial: {game: CartPole-v1}
"""

Come = Callable[[int], Awaitable[None]]
Count = Callable[[], dict[str, int]]


@asynccontextmanager
async def ours(folder: Path) -> Any:
    """The study's desk: who comes is let in, and leaves or completes."""
    (folder / "config.yml").write_text(CONFIG)
    (folder / "StepFiles").mkdir()
    for name in ("consent", "thanks"):
        (folder / "StepFiles" / f"{name}.html").write_text("<p>Hello</p>")
    (folder / "Trials").mkdir()
    with study_desk(load_study(folder), folder, folder / "Trials") as opened:
        assert opened is not None
        desk = opened.desk
        await desk.open()

        async def come(number: int) -> float:
            began_s = time.perf_counter()
            arrival = await desk.arrive({"PROLIFIC_PID": str(number)}, None)
            took_s = time.perf_counter() - began_s
            if leaves(number):
                await desk.withdraw(arrival.token, delete=False)
            else:
                await desk.answer(arrival.token, arrival.view["stamp"], {}, {})
            return took_s

        yield come
    ledger = SqliteLedger(folder / "Trials" / FILE)
    with ledger.reading():
        visits = [held.visit for held in ledger.all()]
    ledger.close()
    _tell(folder, Counter(visit["condition"] for visit in visits if visit["outcome"] == "complete"))


@asynccontextmanager
async def plain(folder: Path) -> Any:
    """A table, a lock, and a transaction for each change; the arm by lot."""
    connection = sqlite3.connect(folder / "plain.sqlite", check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE visits (id INTEGER PRIMARY KEY, arm TEXT, document TEXT, outcome TEXT)")
    lock = threading.Lock()

    def execute(statement: str, *values: object) -> None:
        with lock, connection:
            connection.execute(statement, values)

    async def come(number: int) -> float:
        began_s = time.perf_counter()
        arm, document = random.choice(ARMS), json.dumps({"user": str(number), "answers": {}})
        await asyncio.to_thread(execute, "INSERT INTO visits VALUES (?, ?, ?, NULL)", number, arm, document)
        took_s = time.perf_counter() - began_s
        outcome = "withdrew" if leaves(number) else "complete"
        await asyncio.to_thread(execute, "UPDATE visits SET outcome = ? WHERE id = ?", outcome, number)
        return took_s

    yield come
    rows = connection.execute("SELECT arm FROM visits WHERE outcome = 'complete'").fetchall()
    connection.close()
    _tell(folder, Counter(arm for (arm,) in rows))


WAYS = {"ours": ours, "plain": plain}


def leaves(number: int) -> bool:
    """Whether this one breaks off."""
    return random.Random(number).random() < DROP_OUT


def _tell(folder: Path, completed: Counter[str]) -> None:
    counts = [completed[arm] for arm in ARMS]
    (folder / "apart").write_text(str(max(counts) - min(counts)))


async def measured(way: str, folder: Path, people: int, at_once: int) -> dict[str, float]:
    """People a second, what each waited to be let in, and by how many the arms differ in the end."""
    times_s: list[float] = []
    async with WAYS[way](folder) as come:
        numbers = iter(range(people))

        async def one_after_the_other() -> None:
            for number in numbers:
                times_s.append(await come(number))

        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(one_after_the_other())
        took_s = time.perf_counter() - began_s
    p50, p99 = (float(np.percentile(times_s, percent)) * 1e3 for percent in (50, 99))
    return {"per_s": people / took_s, "p50_ms": p50, "p99_ms": p99, "apart": float((folder / "apart").read_text())}


def decisions(people: int) -> dict[str, float]:
    """µs of a decision with so many in the log, and seconds to read such a log when the server starts."""
    factor = Factor("condition", {arm: Arm() for arm in ARMS})
    allocation, log, absent = Allocation([factor]), [], set()
    took_s = []
    for number in range(people):
        began_s = time.perf_counter()
        placement = allocation.place(f"v{number}", 0.0, absent=absent)
        took_s.append(time.perf_counter() - began_s)
        log += placement.entries
        allocation.add(placement.entries)
        if leaves(number):
            absent.add(f"v{number}")
        else:
            entries = allocation.settle(f"v{number}", "complete", 0.0)
            log += entries
            allocation.add(entries)
    began_s = time.perf_counter()
    Allocation([factor], log)
    start_s = time.perf_counter() - began_s
    return {"people": people, "decision_us": statistics.median(took_s[-200:]) * 1e6, "start_s": start_s}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    runs = []
    for number in range(arguments.rounds):
        for at_once in (1, 40):
            for way in WAYS:
                with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
                    figures = asyncio.run(measured(way, Path(name), arguments.people, at_once))
                runs.append({"round": number, "at_once": at_once, "way": way, **figures})
    return {
        "command": f"python -m benchmarks.arriving {shlex.join(sys.argv[1:])}".rstrip(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "options": {name: getattr(arguments, name) for name in ("rounds", "people")},
        "summary": summarise(runs),
        "decisions": [decisions(people) for people in (100, 1_000, 10_000)],
        "runs": runs,
    }


def summarise(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the rounds."""
    summary = []
    for at_once in dict.fromkeys(one["at_once"] for one in runs):
        for way in WAYS:
            here = [one for one in runs if (one["at_once"], one["way"]) == (at_once, way)]
            medians = {figure: statistics.median(one[figure] for one in here) for figure in FIGURES}
            summary.append({"at_once": at_once, "way": way, **medians})
    return summary


HEADER = ("at once", "", "people/s", "let in p50, ms", "let in p99, ms", "arms apart")
DECISIONS = ("people in the log", "a decision, µs", "reading the log at start, s")


def rows(results: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in results["summary"]:
        figures = (f"{one['per_s']:.0f}", f"{one['p50_ms']:.1f}", f"{one['p99_ms']:.1f}", f"{one['apart']:g}")
        yield str(one["at_once"]), one["way"], *figures


def decision_rows(results: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in results["decisions"]:
        yield f"{one['people']:,}", f"{one['decision_us']:.0f}", f"{one['start_s']:.2f}"


def page(results: dict[str, Any]) -> str:
    """docs/arriving-cost.md, whole."""
    parts = {
        "{machine}": machine_line(results),
        "{noisy}": NOISY,
        "{table}": _markdown(HEADER, rows(results)),
        "{decisions}": _markdown(DECISIONS, decision_rows(results)),
        **{f"{{{name}}}": str(results[name]) for name in ("command", "date")},
        **{f"{{{name}}}": f"{value:g}" for name, value in results["options"].items()},
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def _markdown(header: Sequence[str], lines: Iterator[tuple[str, ...]]) -> str:
    table = ["| " + " | ".join(header) + " |", "|---:" * len(header) + "|"]
    return "\n".join(table + ["| " + " | ".join(line) + " |" for line in lines])


def show(results: dict[str, Any]) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    console.print(machine_line(results))
    for header, lines in ((HEADER, rows(results)), (DECISIONS, decision_rows(results))):
        table = Table(*header)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    console.print(NOISY)


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arriving", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often all is repeated (5)")
    parser.add_argument("--people", type=int, default=300, help="people of each measurement (300)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--write-docs", action="store_true", help="make arriving.json and docs/arriving-cost.md")
    parser.add_argument("--docs-only", action="store_true", help="make the page from arriving.json; no run")
    return parser.parse_args(given)


def main() -> int:
    arguments = read_arguments()
    if arguments.docs_only:
        PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
        return 0
    results = run(arguments)
    for path in [arguments.json] * bool(arguments.json) + [RESULTS] * arguments.write_docs:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.write_docs:
        PAGE.write_text(page(results), encoding="utf-8")
    show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
