"""``hippogym rehearse`` as a person runs it."""

import argparse
import json
from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.rehearse.capacity import predict
from hippogym.rehearse.checks import data_checks, server_check, way_checks
from hippogym.rehearse.command import add_arguments
from hippogym.rehearse.confirming import Confirmation
from hippogym.rehearse.evidence import Evidence
from hippogym.rehearse.rehearsal import confirmed_check
from tests.rehearse.rehearsed import quick_study
from tests.servers import serving, write_study

QUICK = ["--arrivals", "2/s", "--think", "0.1s", "--play", "2s", "--leave", "0%"]


def test_a_rehearsal_prints_what_was_found_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = quick_study(tmp_path / "study", "two-conditions")
    report, kept = tmp_path / "report.json", tmp_path / "kept"
    more = ["--participants", "4", "--report", str(report), "--keep", str(kept)]
    code = main(["rehearse", str(study), *QUICK, *more])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "Every check is green." in said and "for each participant" in said
    told = json.loads(report.read_text())
    assert told["fine"] and told["participants"] == 4 and {check["state"] for check in told["checks"]} == {"green"}
    assert (kept / "data" / "study.sqlite").is_file() and (kept / "server.err").is_file()
    assert not (study / "Trials").exists()  # nothing of it is left with the study


def test_an_agent_that_fails_is_red_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = quick_study(tmp_path / "study", "two-conditions")
    agent = study / "agent.py"
    broken = agent.read_text().replace("    def render(self):\n", "    def render(self):\n        raise KeyError(1)\n")
    agent.write_text(broken)
    assert main(["rehearse", str(study), *QUICK, "--participants", "2"]) == 1
    said = capsys.readouterr().out
    assert "✗ everybody went their way" in said and "✗ the server's log" in said


@pytest.mark.long
def test_a_study_that_is_only_a_game_is_rehearsed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = "trial: {game: CartPole-v1, maxEpisodes: 30, startingFrameRate: 15, episodePause: 0.1}"
    study = write_study(tmp_path / "study", trial)
    more = ["--participants", "3", "--reload", "100%", "--two-tabs", "100%"]
    code = main(["rehearse", str(study), *QUICK, *more])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "3 loaded a page again" in said and "3 opened a second tab" in said


@pytest.mark.long
def test_on_a_server_that_runs_already_the_data_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = quick_study(tmp_path / "study", "two-conditions")
    with serving(study) as server:
        code = main(["rehearse", str(study), *QUICK, "--participants", "2", "--server", server.url])
        said = capsys.readouterr().out
    assert code == 0, said
    assert "· the data" in said and "arms" not in said


def test_what_cannot_be_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = quick_study(tmp_path / "study", "two-conditions")
    assert main(["rehearse", str(study), "--server", "localhost:5000"]) == 1
    assert "is not a server's address" in capsys.readouterr().err
    assert main(["rehearse", str(study), "--keep", str(study)]) == 1
    assert "--keep makes a new folder" in capsys.readouterr().err
    (study / "config.yml").write_text("trial: {}")
    assert main(["rehearse", str(study)]) == 1
    assert "trial.game" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["rehearse", str(study), "--network", "fast"])


def test_the_page_about_rehearsing_names_every_option_and_every_check() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    page = (Path(__file__).parent.parent.parent / "docs" / "rehearsing.md").read_text()
    options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
    assert {option for option in options - {"--help"} if f"`{option}" not in page} == set()
    made = [*way_checks([]), *data_checks([], Evidence(has_ledger=True, key=bytes(32))), server_check(0, []),
            confirmed_check(Confirmation(predict([], 1)))]  # fmt: skip
    assert {check.name for check in made if f"**{check.name}**" not in page} == set()
