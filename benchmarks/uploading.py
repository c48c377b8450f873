"""Measures whether uploads disturb the game: python -m benchmarks.uploading

Every round plays without uploads, with a store that is well, and with one that hangs, each with a fresh server; the
figures are medians over the rounds. docs/upload-cost.md says what they mean, and is made by this script.
"""

import argparse
import asyncio
import datetime
import json
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measurement import Dose, measure
from benchmarks.play import machine, positive
from benchmarks.report import NOISY, machine_line
from benchmarks.stores import KEY_ID, SECRET, Store, hanging, well
from benchmarks.study import GAMES, REPOSITORY
from hippogym.data.uploader import Uploader

RESULTS = REPOSITORY / "benchmarks" / "uploading.json"
TEMPLATE = REPOSITORY / "benchmarks" / "uploading.template.md"
PAGE = REPOSITORY / "docs" / "upload-cost.md"
WAYS = ("no uploads", "store well", "store hangs")
FIGURES = {
    "rate_mean": "frames/s",
    "gap_p50_ms": "interval p50, ms",
    "gap_p95_ms": "p95, ms",
    "gap_p99_ms": "p99, ms",
    "gap_max_ms": "max, ms",
}


@asynccontextmanager
async def uploading(study: Path, store: Store) -> AsyncIterator[None]:
    """What a server in production starts beside itself, on the records of this study."""
    told = {"AWS_ENDPOINT_URL_S3": store.url, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    (study / "Trials").mkdir(exist_ok=True)
    try:
        with Uploader(study / "Trials", f"s3://{store.bucket}", "benchmark", plain=True):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def measured(way: str, dose: Dose) -> dict[str, Any]:
    """One measurement. Raises RuntimeError where something went wrong, or nothing reached the store."""
    store = None

    @asynccontextmanager
    async def beside(study: Path) -> AsyncIterator[None]:
        nonlocal store
        async with AsyncExitStack() as stack:
            if way == "store well":
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-store-"))
                store = await stack.enter_async_context(well(Path(folder)))
            elif way == "store hangs":
                store = await stack.enter_async_context(hanging())
            if store is not None:
                await stack.enter_async_context(uploading(study, store))
            yield

    figures = await measure("ours", dose, beside)
    if store is not None and not store.asked:
        raise RuntimeError(f"{way}: nothing reached the store")
    return {"way": way, **figures, "objects": store.held if store else 0}


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    dose = Dose("play", arguments.game, arguments.participants, arguments.seconds, arguments.warmup, arguments.rate,
                (None, None))  # fmt: skip
    runs = []
    for number in range(arguments.rounds):
        for way in WAYS:
            runs.append({"round": number, **await measured(way, dose)})
            print(f"round {number + 1}, {way}: p99 {runs[-1]['gap_p99_ms']:.1f} ms", file=sys.stderr)
    names = ("game", "participants", "rounds", "seconds", "rate")
    return {
        "command": f"python -m benchmarks.uploading {shlex.join(sys.argv[1:])}".rstrip(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "options": {name: getattr(arguments, name) for name in names},
        "summary": summarise(runs),
        "runs": runs,
    }


def summarise(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each way the medians over the rounds, and of each round's ratio to its own run without uploads."""
    without = {one["round"]: one for one in runs if one["way"] == WAYS[0]}
    summary = []
    for way in WAYS:
        own = [one for one in runs if one["way"] == way]
        row = {name: statistics.median(one[name] for one in own) for name in (*FIGURES, "others_cores", "objects")}
        ratio = {name: statistics.median(one[name] / without[one["round"]][name] for one in own) for name in FIGURES}
        summary.append({"way": way, **row, "ratio": ratio})
    return summary


HEADER = ("", *FIGURES.values(), "objects in the store")


def rows(results: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in results["summary"]:
        yield one["way"], *(f"{one[name]:.1f}" for name in FIGURES), f"{one['objects']:.0f}"
        if one["way"] != WAYS[0]:
            yield f"{one['way']} / {WAYS[0]}", *(f"{one['ratio'][name]:.2f}" for name in FIGURES), ""


def page(results: dict[str, Any]) -> str:
    """docs/upload-cost.md, whole."""
    table = ["| " + " | ".join(HEADER) + " |", "|---:" * len(HEADER) + "|"]
    table += ["| " + " | ".join(row) + " |" for row in rows(results)]
    busy = max(one["others_cores"] for one in results["summary"])
    options = {name: f"{value:g}" if isinstance(value, float) else value for name, value in results["options"].items()}
    parts = {
        "{machine}": machine_line(results),
        "{noisy}": NOISY,
        "{busy}": f"{busy:.1f}",
        "{table}": "\n".join(table),
        **{f"{{{name}}}": str(results[name]) for name in ("command", "date")},
        **{f"{{{name}}}": str(value) for name, value in options.items()},
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def show(results: dict[str, Any]) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    console.print(machine_line(results))
    table = Table(*HEADER, title="Frames while records are uploaded")
    for row in rows(results):
        table.add_row(*row)
    console.print(table)
    console.print(NOISY)


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploading", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--game", choices=list(GAMES), default="ALE/MsPacman-v5")
    parser.add_argument("--participants", type=int, default=2, help="how many play (2)")
    parser.add_argument("--rounds", type=int, default=5, help="how often all is repeated (5)")
    parser.add_argument("--seconds", type=positive, default=25.0, help="length of each measurement (25)")
    parser.add_argument("--warmup", type=positive, default=5.0, help="seconds of play before it (5)")
    parser.add_argument("--rate", type=positive, default=30.0, help="frames a second that are asked for (30)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--write-docs", action="store_true", help="make uploading.json and docs/upload-cost.md")
    parser.add_argument("--docs-only", action="store_true", help="make the page from uploading.json; no run")
    return parser.parse_args(given)


def main() -> int:
    arguments = read_arguments()
    if arguments.docs_only:
        PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
        return 0
    try:
        results = asyncio.run(run(arguments))
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return 1
    for path in [arguments.json] * bool(arguments.json) + [RESULTS] * arguments.write_docs:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.write_docs:
        PAGE.write_text(page(results), encoding="utf-8")
    show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
