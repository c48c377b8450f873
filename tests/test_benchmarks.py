"""The benchmarks run and come out with figures. What the figures are is no business of a test."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import report
from benchmarks.figures import DELAY, PLAY, play_figures, summarise
from benchmarks.play import read_arguments
from benchmarks.study import REPOSITORY

DOSE = ["--participants", "1", "--games", "CartPole-v1", "--delay-participants", "1"]
DOSE += ["--seconds", "2", "--warmup", "0.3", "--rounds", "1"]


@pytest.fixture
def temporary():
    """A folder for temporary files with a short path: sockets live there, and theirs may have about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        yield Path(folder)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_small_dose_gives_every_figure_for_both_servers_and_leaves_nothing_behind(tmp_path, temporary):
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.play", *DOSE, "--json", str(tmp_path / "out.json")],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "out.json").read_text())
    check_figures(*results["summary"])
    words = " ".join(ran.stdout.split())
    assert f"{results['machine']['cores']} cores" in words
    assert f"Python {results['machine']['python']}" in words
    assert "Machines are noisy" in words
    assert "Windows of only 2 s" in words
    assert processes_with("TMPDIR", str(temporary)) == []
    assert list(temporary.glob("benchmark-*")) == []


@pytest.mark.parametrize("server", ["ours", "plain"])
def test_an_interrupted_run_ends_what_it_has_started(temporary, server):
    command = [
        sys.executable,
        "-m",
        "benchmarks.play",
        "--servers",
        server,
        "--games",
        "CartPole-v1",
        "--seconds",
        "60",
    ]
    running = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, "TMPDIR": str(temporary)}, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline_s = time.monotonic() + 40
        while not any("benchmarks.clients" in line for line in processes_with("TMPDIR", str(temporary))):
            assert time.monotonic() < deadline_s, "no clients were started"
            time.sleep(0.1)
        running.terminate()
        _, said = running.communicate(timeout=40)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "interrupted" in said
    assert processes_with("TMPDIR", str(temporary)) == []
    assert list(temporary.glob("benchmark-*")) == []


def check_figures(play, delay):
    assert (play["measure"], delay["measure"]) == ("play", "delay")
    for place, names in ((play, PLAY), (delay, DELAY)):
        for server in ("ours", "plain"):
            for name in names:
                assert math.isfinite(place[server][name]), (server, name)
        assert set(place["ratio"]) == set(names)
    for server in ("ours", "plain"):
        assert play[server]["rate_mean"] > 0
        assert play[server]["cpu_us_per_frame"] > 0
        assert play[server]["frame_kb"] > 1
        assert delay[server]["presses"] > 0
        assert delay[server]["delay_p50_ms"] > 0


def processes_with(name, value):
    """The command lines of all processes that have this in their environment, and so descend from who was given it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value:
                found.append(process.cmdline())
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def heard(*arrivals: list[float], server_cores: float = 0.5, grown_bytes: float = 20e6) -> dict:
    """What clients and server would have told of a window of ten seconds."""
    participants = [{"arrived_s": list(times), "bytes": 1000 * len(times), "joined_s": 0.1} for times in arrivals]
    noise = {"server_cores": server_cores, "clients_cores": 0.1, "others_cores": 0.0}
    memory = {"memory_before_bytes": 50e6, "memory_after_bytes": 50e6 + grown_bytes}
    return {"participants": participants, "window_s": 10.0, **noise, **memory}


def test_figures_are_what_their_names_say():
    figures = play_figures(heard([0.0, 1.0, 2.0, 5.0], [0.5, 1.5]))
    assert figures["rate_mean"] == pytest.approx(0.3)  # 4 and 2 frames in 10 s
    assert figures["rate_p5"] == pytest.approx(0.21)
    assert figures["gap_p50_ms"] == pytest.approx(1000)
    assert figures["gap_max_ms"] == pytest.approx(3000)  # never from one participant's frame to another's
    assert figures["cpu_us_per_frame"] == pytest.approx(0.5 * 10 / 6 * 1e6)
    assert figures["memory_mb"] == pytest.approx(10)
    assert figures["frame_kb"] == pytest.approx(1)


def test_a_participant_who_gets_nothing_counts_in_the_rate():
    figures = play_figures(heard([float(second) for second in range(10)], []))
    assert figures["rate_mean"] == pytest.approx(0.5)
    assert figures["rate_p5"] == pytest.approx(0.05)


def test_the_summary_takes_medians_over_the_rounds_and_then_ratios():
    place = {"measure": "play", "game": "CartPole-v1", "participants": 1}
    times = [0.0, 1.0, 2.0]
    runs = [
        {**place, "server": server, "round": number, **play_figures(heard(times, server_cores=cores))}
        for server, rounds in {"ours": (0.1, 0.3, 0.9), "plain": (0.6, 0.2, 0.7)}.items()
        for number, cores in enumerate(rounds)
    ]
    (summary,) = summarise(runs)
    assert summary["ours"]["cpu_us_per_frame"] == pytest.approx(1e6)
    assert summary["plain"]["cpu_us_per_frame"] == pytest.approx(2e6)
    assert summary["ratio"]["cpu_us_per_frame"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "given", [["--participants", "0"], ["--games", "Chess"], ["--seconds", "0"], ["--seconds", "nan"]]
)
def test_a_dose_that_cannot_be_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        read_arguments(given)
    assert "error" in capsys.readouterr().err


def test_the_page_about_performance_is_made_from_the_results():
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    assert Path(report.PAGE).read_text(encoding="utf-8") == report.page(results)
    assert results["summary"] == summarise(results["runs"])
