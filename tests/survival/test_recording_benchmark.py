"""The benchmark of recording runs, its page is made from its results, and its figures are what their names say."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import recording
from tests.servers import ROOT


def test_a_small_dose_gives_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "benchmarks.recording", "--rounds", "1", "--ticks", "5", "--rate", "500"]
    ran = subprocess.run([*command, "--json", str(out)], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(out.read_text())
    assert [row["size"] for row in results["summary"]] == list(recording.SIZES)
    for row in results["summary"]:
        for way in recording.WAYS:
            assert 0 < row[way]["p50_us"] <= row[way]["p99_us"] < math.inf
            assert 0 < row[way]["cpu_us"] < math.inf
    assert "Machines are noisy" in " ".join(ran.stdout.split())


def test_medians_come_first_and_then_ratios() -> None:
    figures = {"ours": (30, 10, 90), "flushed": (20, 40, 30), "bare": (5, 10, 100)}
    runs = [
        {"round": number, "size": "100 B", "way": way, "p50_us": p50, "p99_us": 2 * p50, "cpu_us": p50}
        for way, rounds in figures.items()
        for number, p50 in enumerate(rounds)
    ]
    [row] = recording.summarise(runs)
    assert (row["ours"]["p50_us"], row["bare"]["p99_us"]) == (30, 20)
    assert row["ours"]["ratio"]["p50_us"] == pytest.approx(3)
    assert row["flushed"]["ratio"]["cpu_us"] == pytest.approx(3)


def test_the_page_is_made_from_the_results() -> None:
    results = json.loads(recording.RESULTS.read_text(encoding="utf-8"))
    assert recording.PAGE.read_text(encoding="utf-8") == recording.page(results)
    assert results["summary"] == recording.summarise(results["runs"])
