"""From what the clients counted to figures, and from the figures of several rounds to medians and ratios. Pure."""

import itertools
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np

PLAY = {
    "rate_mean": "frames/s, mean",
    "rate_p5": "frames/s, p5",
    "gap_p50_ms": "interval p50, ms",
    "gap_p95_ms": "interval p95, ms",
    "gap_p99_ms": "interval p99, ms",
    "gap_max_ms": "interval max, ms",
    "cpu_us_per_frame": "CPU per frame, µs",
    "memory_mb": "memory per participant, MB",
    "memory_server_mb": "memory before, MB",
    "frame_kb": "image, kB",
    "joined_p50_ms": "to first frame p50, ms",
}
DELAY = {
    "delay_p50_ms": "delay p50, ms",
    "delay_p95_ms": "delay p95, ms",
    "delay_max_ms": "delay max, ms",
    "presses": "presses",
    "lost": "without effect",
}
NOISE = ("server_cores", "clients_cores", "others_cores")
FIGURES = {"play": PLAY, "delay": DELAY}
SERVERS = ("ours", "plain")


def percentile(values: Iterable[float], percent: float) -> float:
    """Linear between the neighbours (numpy's default); nan where there is nothing."""
    array = np.fromiter(values, float)
    return float(np.percentile(array, percent)) if array.size else float("nan")


def play_figures(heard: dict[str, Any]) -> dict[str, float]:
    """heard: what clients.py tells as ``measured``, with what measurement.py saw of the server.

    Rates are per participant: frames in the window by its length; mean and p5 are over the participants. Intervals
    between successive frames of one participant are pooled. Memory is what the whole server grew by, for each.
    """
    participants, window_s = heard["participants"], heard["window_s"]
    rates = [len(one["arrived_s"]) / window_s for one in participants]
    gaps_ms = [(b - a) * 1000 for one in participants for a, b in itertools.pairwise(one["arrived_s"])]
    frames = sum(len(one["arrived_s"]) for one in participants)
    grown = heard["memory_after_bytes"] - heard["memory_before_bytes"]
    return {
        "rate_mean": statistics.fmean(rates),
        "rate_p5": percentile(rates, 5),
        "gap_p50_ms": percentile(gaps_ms, 50),
        "gap_p95_ms": percentile(gaps_ms, 95),
        "gap_p99_ms": percentile(gaps_ms, 99),
        "gap_max_ms": max(gaps_ms, default=float("nan")),
        "cpu_us_per_frame": heard["server_cores"] * window_s * 1e6 / frames if frames else float("nan"),
        "memory_mb": grown / len(participants) / 1e6,
        "memory_server_mb": heard["memory_before_bytes"] / 1e6,
        "frame_kb": sum(one["bytes"] for one in participants) / frames / 1e3 if frames else float("nan"),
        "joined_p50_ms": percentile([one["joined_s"] * 1000 for one in participants], 50),
        **{name: heard[name] for name in NOISE},
    }


def delay_figures(heard: dict[str, Any]) -> dict[str, float]:
    """From sending an action to receiving the first frame that shows its effect, pooled over the participants."""
    delays_ms = [delay * 1000 for one in heard["participants"] for delay in one["delays_s"]]
    return {
        "delay_p50_ms": percentile(delays_ms, 50),
        "delay_p95_ms": percentile(delays_ms, 95),
        "delay_max_ms": max(delays_ms, default=float("nan")),
        "presses": len(delays_ms),
        "lost": sum(one["lost"] for one in heard["participants"]),
        **{name: heard[name] for name in NOISE},
    }


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each measure, game and number of participants: each server's medians over the rounds, and ours / plain."""
    places = dict.fromkeys((run["measure"], run["game"], run["participants"]) for run in runs)
    return [_summary(place, [run for run in runs if place == _place(run)]) for place in places]


def _place(run: dict[str, Any]) -> tuple[str, str, int]:
    return run["measure"], run["game"], run["participants"]


def _summary(place: tuple[str, str, int], runs: list[dict[str, Any]]) -> dict[str, Any]:
    measure, game, participants = place
    summary: dict[str, Any] = {"measure": measure, "game": game, "participants": participants}
    for server in SERVERS:
        own = [run for run in runs if run["server"] == server]
        names = [*FIGURES[measure], *NOISE]
        summary[server] = {name: statistics.median(run[name] for run in own) for name in names} if own else None
    if summary["ours"] and summary["plain"]:
        pairs = {name: (summary["ours"][name], summary["plain"][name]) for name in FIGURES[measure]}
        summary["ratio"] = {name: ours / plain if plain else None for name, (ours, plain) in pairs.items()}
    return summary
