"""The large doses: hundreds of participants in one run, and a prediction that is tried."""

import json
from pathlib import Path

import pytest

from hippogym.cli import main
from tests.rehearse.rehearsed import quick_study

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def test_300_participants_in_one_run_leave_nothing_but_green(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, report = quick_study(tmp_path / "study", "two-conditions"), tmp_path / "report.json"
    quick = ["--arrivals", "45/min", "--think", "0.5s", "--play", "8s"]
    code = main(["rehearse", str(study), "--participants", "300", *quick, "--report", str(report)])
    assert code == 0, capsys.readouterr().out
    told = json.loads(report.read_text())
    assert told["participants"] == 300 == told["states"]["done"] + told["states"]["left"]
    assert {check["state"] for check in told["checks"]} == {"green"}


def test_what_is_predicted_holds_at_80_and_does_not_at_130_percent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only as true as the machine is undisturbed; the report says how much it was."""
    study, report = quick_study(tmp_path / "study", "ms-pacman"), tmp_path / "report.json"
    quick = ["--arrivals", "20/min", "--think", "0.5s", "--play", "30s"]
    code = main(["rehearse", str(study), "--participants", "20", *quick, "--confirm", "--report", str(report)])
    assert code == 0, capsys.readouterr().out
    tried = json.loads(report.read_text())["confirmed"]
    assert [(one["wanted"], one["holds"]) for one in tried[-2:]] == [(True, True), (False, False)]
