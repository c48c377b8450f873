"""The benchmark of arriving runs, its page is made from its results, and its figures are what their names say."""

import json
import subprocess
import sys

import pytest

from benchmarks import arriving
from tests.servers import ROOT


def test_the_benchmark_runs_and_measures_both_ways(tmp_path):
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.arriving", "--rounds", "1", "--people", "12", "--json", str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(file.read_text())
    assert [(row["at_once"], row["way"]) for row in results["summary"]] == [
        (1, "ours"), (1, "plain"), (40, "ours"), (40, "plain"),
    ]  # fmt: skip
    assert all(row[figure] > 0 for row in results["summary"] for figure in ("per_s", "p50_ms", "p99_ms"))
    assert results["summary"][0]["apart"] <= 1, "one after the other, who left is replaced by the next"


def test_the_page_is_made_from_the_results():
    results = json.loads(arriving.RESULTS.read_text(encoding="utf-8"))
    assert arriving.PAGE.read_text(encoding="utf-8") == arriving.page(results)
    assert results["summary"] == arriving.summarise(results["runs"])


def test_the_summary_holds_medians():
    runs = [
        {"round": n, "at_once": 1, "way": way, "per_s": value, "p50_ms": value, "p99_ms": value, "apart": value}
        for way in arriving.WAYS
        for n, value in enumerate((1.0, 5.0, 3.0))
    ]
    assert [row["per_s"] for row in arriving.summarise(runs)] == [3.0, 3.0]


@pytest.mark.parametrize("people", [50])
def test_a_decision_and_a_start_take_time(people):
    figures = arriving.decisions(people)
    assert figures["people"] == people and figures["decision_us"] > 0 and figures["start_s"] > 0
