"""The benchmark of uploads runs, its page is made from its results, and its ratios are those of each round."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import uploading
from tests.servers import ROOT


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_small_dose_gives_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    dose = ["--game", "CartPole-v1", "--participants", "1", "--rounds", "1", "--seconds", "2", "--warmup", "1"]
    command = [sys.executable, "-m", "benchmarks.uploading", *dose, "--json", str(out)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(out.read_text())
    assert [row["way"] for row in results["summary"]] == list(uploading.WAYS)
    for row in results["summary"]:
        assert all(0 < row[name] < math.inf for name in uploading.FIGURES)
    assert results["summary"][1]["objects"] > 0
    assert "Machines are noisy" in " ".join(ran.stdout.split())


def test_ratios_are_those_of_each_round_and_then_the_median() -> None:
    figures = {"no uploads": (10, 20, 40), "store well": (20, 20, 20), "store hangs": (30, 20, 120)}
    runs = [
        {"round": number, "way": way, "others_cores": 0.5, "objects": 0} | dict.fromkeys(uploading.FIGURES, value)
        for way, rounds in figures.items()
        for number, value in enumerate(rounds)
    ]
    without, well, hangs = uploading.summarise(runs)
    assert (without["gap_p99_ms"], without["ratio"]["gap_p99_ms"]) == (20, 1)
    assert (well["gap_p99_ms"], well["ratio"]["gap_p99_ms"]) == (20, 1)
    assert (hangs["gap_p99_ms"], hangs["ratio"]["gap_p99_ms"]) == (30, 3)


def test_the_page_is_made_from_the_results() -> None:
    results = json.loads(uploading.RESULTS.read_text(encoding="utf-8"))
    assert uploading.PAGE.read_text(encoding="utf-8") == uploading.page(results)
    assert results["summary"] == uploading.summarise(results["runs"])
