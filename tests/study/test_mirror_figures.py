"""The figures of what the mirror costs: worked out as they say, and the page holds those that were measured."""

import json
import subprocess
import sys

import pytest

from benchmarks import mirror


def one(number: int, way: str, cpu_ms: float, server_ms: float) -> dict:
    figures = dict.fromkeys(mirror.FIGURES, 10.0)
    return {**figures, "round": number, "way": way, "cpu_ms": cpu_ms, "server_ms": server_ms}


def test_differences_are_taken_within_a_round_so_that_a_busy_minute_does_not_count():
    windows = []
    for number, busy in enumerate((100.0, 400.0, 100.0)):
        windows += [one(number, "alone", busy, 20.0), one(number, "open", busy, 21.0)]
        windows += [one(number, "mirror", busy * 1.04, 24.0)]
    summary = mirror.summarise(windows)
    assert summary["mirror / alone"]["cpu_ms"] == pytest.approx(1.04)
    assert summary["open / alone"]["cpu_ms"] == pytest.approx(1.0)
    assert summary["added"] == {"server_ms": pytest.approx(4.0), "share": pytest.approx(0.04)}
    assert summary["noise"]["server_ms"] == pytest.approx(0.0)
    assert summary["noise"]["cpu_ms"] > 0.5, "the busy minute shows as noise"


def test_what_a_participant_noticed_is_counted_in_the_window_only():
    frames = [[9.9, 500.0], [10.0, 2.0], [10.1, 4.0], [10.3, 6.0], [20.0, 900.0]]
    figures = mirror.seen({"begin_s": 10.0, "end_s": 20.0}, frames, [(9.0, 99.0), (10.5, 3.0)])
    assert figures["rate"] == pytest.approx(0.3)
    assert figures["gap_p50_ms"] == pytest.approx(150.0)
    assert figures["age_p50_ms"] == pytest.approx(4.0)
    assert figures["ack_p50_ms"] == figures["ack_p95_ms"] == pytest.approx(3.0)


def test_the_page_holds_the_figures_that_were_measured():
    results = json.loads(mirror.RESULTS.read_text(encoding="utf-8"))
    assert results["summary"] == mirror.summarise(results["windows"])
    page = mirror.PAGE.read_text(encoding="utf-8")
    assert f"{mirror.BEGIN}\n{mirror.section(results)}\n{mirror.END}" in page


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_small_dose_measures_all_three_ways(tmp_path):
    out = tmp_path / "out.json"
    dose = ["--participants", "1", "--seconds", "1", "--rounds", "1", "--json", str(out)]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.mirror", *dose],
        cwd=mirror.REPOSITORY,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert ran.returncode == 0, ran.stderr
    windows = json.loads(out.read_text())["windows"]
    assert sorted(window["way"] for window in windows) == sorted(mirror.WAYS)
    for window in windows:
        assert all(window[name] > 0 for name in mirror.FIGURES), window
        assert (window["mirrored"] > 0) is (window["way"] == "mirror"), window
