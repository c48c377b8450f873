"""What ``check`` found, for the terminal."""

import itertools

from rich.console import Console
from rich.table import Table

from hippogym.live.check import CheckReport

EXIT_FINE, EXIT_NOT_FINE = 0, 2


def print_report(report: CheckReport, game: str, asked_rate: float, console: Console | None = None) -> int:
    """Print the report; returns the exit code: 0, or 2 where people could not play this study."""
    console = console or Console()
    failed = report.ended.get("reason") != "stopped" and report.ended.get("reason") != "finished"
    console.print(_facts(report, game, asked_rate))
    console.print(_keys(report))
    for problem in (*report.ready.get("problems", ()), *key_clashes(report.keys)):
        console.print(f"[yellow]look at this:[/] {problem}", highlight=False)
    if failed:
        console.print("[red]The trial failed; the reason is in the log above.[/]")
        return EXIT_NOT_FINE
    rate = achievable_rate(report)
    if rate < asked_rate:
        console.print(
            f"[yellow]look at this:[/] {rate:.0f} frames/s is all it can do; the study asks for {asked_rate:g}."
        )
    console.print("The study can be played.")
    return EXIT_FINE


def achievable_rate(report: CheckReport) -> float:
    """Ticks per second that one participant could get with nothing else to do: 1000 / mean work in ms."""
    mean_ms = float(report.ended.get("mean_ms", 0.0))
    return 1000 / mean_ms if mean_ms > 0 else 0.0


def key_clashes(keys: list[dict[str, object]]) -> list[str]:
    """Sentences about keys that would mean two things."""
    meant: dict[frozenset[str], str] = {}
    clashes = []
    for entry in keys:
        combinations = entry["keys"]
        assert isinstance(combinations, list)
        for combination in combinations:
            other = meant.setdefault(frozenset(combination), str(entry["action"]))
            if other != entry["action"]:
                clashes.append(f"{'+'.join(combination)} means {other} and {entry['action']}.")
    return clashes


def _facts(report: CheckReport, game: str, asked_rate: float) -> Table:
    width, height = report.size
    table = Table(title=game, show_header=False)
    for name, value in (
        ("ticks played", str(report.ticks)),
        ("picture", f"{width} × {height}, up to {report.jpeg_bytes / 1000:.1f} kB"),
        ("frame rate", f"{achievable_rate(report):.0f} frames/s can be had, {asked_rate:g} are asked"),
        ("longest tick", f"{report.ended.get('longest_ms', 0.0):.1f} ms"),
        ("actions", ", ".join(report.ready.get("actions", ()))),
        ("when nothing is pressed", str(report.ready.get("default", "?"))),
    ):
        table.add_row(name, value)
    return table


def _keys(report: CheckReport) -> Table:
    table = Table("action", "keys")
    for entry in report.keys:
        shown = itertools.islice(("+".join(keys) for keys in entry["keys"]), 6)
        table.add_row(str(entry["action"]), ", ".join(shown) or "[yellow]none[/]")
    return table
