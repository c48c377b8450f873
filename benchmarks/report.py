"""Shows the results: as tables in the terminal, and as docs/performance.md, where no figure is ever typed by hand."""

import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import FIGURES
from benchmarks.study import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results.json"
TEMPLATE = REPOSITORY / "benchmarks" / "performance.template.md"
PAGE = REPOSITORY / "docs" / "performance.md"
NOISY = "Machines are noisy, and shared ones more so: trust the ratios of one run, never figures of two runs."


def show(results: dict[str, Any]) -> None:
    """Print everything to the terminal."""
    console = Console(width=None if Console().is_terminal else 200)
    console.print(machine_line(results))
    for title, header, rows in tables(results):
        table = Table(title=title)
        for name in header:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row, end_section=row[1].startswith("ours /"))
        console.print(table)
    console.print(NOISY)
    for warning in warnings(results):
        console.print(f"Careful: {warning}", style="yellow")


def machine_line(results: dict[str, Any]) -> str:
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']:.0f} GB, {machine['system']}, "
        f"Python {machine['python']}; {packages}"
    )


def tables(results: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, header, rows) for each game and for the delays; three rows a number of participants."""
    titles = {(one["measure"], one["game"]): "" for one in results["summary"]}
    made = []
    for measure, game in titles:
        columns = FIGURES[measure]
        places = [one for one in results["summary"] if (one["measure"], one["game"]) == (measure, game)]
        rows = [row for place in places for row in _three_rows(place, list(columns))]
        title = game if measure == "play" else f"From action to frame ({game})"
        made.append((title, ["participants", "", *columns.values()], rows))
    return made


def _three_rows(place: dict[str, Any], names: list[str]) -> list[list[str]]:
    number = str(place["participants"])
    rows = [[number, server, *(_digits(place[server][name]) for name in names)]
            for server in ("ours", "plain") if place[server]]  # fmt: skip
    if "ratio" in place:
        rows.append([number, "ours / plain", *(_ratio(place["ratio"][name]) for name in names)])
    return rows


def _digits(value: float) -> str:
    """Three or four digits that mean something."""
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 200 or value == int(value) else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.2f}"


def warnings(results: dict[str, Any]) -> list[str]:
    """What a reader must know before believing the figures."""
    found = []
    sides = [one[server] for one in results["summary"] for server in ("ours", "plain") if one[server]]
    others = max((side["others_cores"] for side in sides), default=0.0)
    clients = max((side["clients_cores"] for side in sides), default=0.0)
    if others > 0.1:
        found.append(f"Other programs used up to {others:.1f} cores meanwhile (median over the rounds of one row).")
    if clients > 0.8:
        found.append(f"The clients' process used up to {clients:.2f} of its core and may have been late itself.")
    if results["options"]["rounds"] < 3:
        found.append("Fewer than three rounds: medians of next to nothing, so these figures are provisional.")
    if results["options"]["seconds"] < 10:
        found.append(f"Windows of only {results['options']['seconds']:g} s: p99 and max rest on few frames.")
    return found


def page(results: dict[str, Any]) -> str:
    """docs/performance.md, whole."""
    options = results["options"]
    parts = {
        "{machine}": machine_line(results),
        "{date}": results["date"],
        "{rounds}": "1 round" if options["rounds"] == 1 else f"{options['rounds']} rounds",
        "{seconds}": f"{options['seconds']:g}",
        "{rate}": f"{options['rate']:g}",
        "{pinned}": "the server on one core, the clients on another" if options["pin"] else "on any core",
        "{command}": results["command"],
        "{warnings}": "\n".join(f"- {warning}" for warning in [NOISY, *warnings(results)]),
        "{tables}": "\n\n".join(_markdown(*table) for table in tables(results)),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def _markdown(title: str, header: list[str], rows: list[list[str]]) -> str:
    lines = [f"### {title}", "", "| " + " | ".join(header) + " |", "|" + "---:|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def write(results: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def write_page() -> None:
    """Make docs/performance.md from benchmarks/results.json."""
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
