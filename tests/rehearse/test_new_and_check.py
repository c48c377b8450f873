"""Studies that are made by ``hippogym new``, and what ``hippogym check`` says of them and of broken ones."""

from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.config import load_study
from hippogym.config.step_files import check_step_files
from hippogym.rehearse.new import EXAMPLES, examples, make_study, project_id

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("example", examples())
def test_every_example_makes_a_study_without_a_flaw(example: str, tmp_path: Path) -> None:
    folder = tmp_path / "My study 2"
    make_study(folder, example)
    study = load_study(folder)
    assert study.project.id == "My-study-2"
    assert study.warnings == () and check_step_files(study) == []
    assert (folder / "agent.py").is_file() and not (folder / "agent.py").is_symlink()
    assert "Trials/" in (folder / ".gitignore").read_text()


def test_there_is_an_example_to_begin_from_and_for_each_kind_of_study() -> None:
    assert {"ms-pacman", "teach-cartpole", "two-conditions"} <= set(examples())
    assert load_study(EXAMPLES / "two-conditions").project.conditions.keys() == {"alone", "helped"}
    shown = load_study(EXAMPLES / "teach-cartpole").trial.ui
    assert shown["good"] and shown["bad"] and not shown.get("left")


def test_new_says_what_can_be_done_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(tmp_path / "pilot")]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("hippogym check", "dev --study", "hippogym rehearse"))


def test_new_never_writes_into_a_folder_with_something_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("precious")
    assert main(["new", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_example_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "x"), "--example", "../../etc"]) == 1
    assert "two-conditions" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("name", "made"), [("pilot_2", "pilot-2"), ("Ünïcode", "n-code"), ("a" * 80, "a" * 63)])
def test_an_id_is_made_of_the_folders_name(name: str, made: str) -> None:
    assert project_id(name) == made


def test_check_finds_a_good_study_good(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path / "good", "two-conditions")
    assert main(["check", str(tmp_path / "good")]) == 0
    said = capfd.readouterr().out
    assert "✓ agent.py" in said and "✓ StepFiles" in said and "The study is ready." in said


def test_check_tells_everything_that_is_wrong_with_the_pages(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path / "bad", "two-conditions")
    (tmp_path / "bad" / "StepFiles" / "helper.html").unlink()
    survey = tmp_path / "bad" / "StepFiles" / "survey.html"
    survey.write_text(survey.read_text() + "<label>Nameless <input></label>")
    assert main(["check", "--pages-only", str(tmp_path / "bad")]) == 1
    said = capfd.readouterr().out
    assert said.count("helper.html is not there") == 1 and "without a name" in said and "not ready" in said


def test_check_tells_of_an_agent_that_cannot_play(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path / "bad", "teach-cartpole")
    (tmp_path / "bad" / "agent.py").write_text("def start(game): pass\n")
    assert main(["check", str(tmp_path / "bad")]) == 1
    assert "✗ agent.py" in capfd.readouterr().out


def test_check_tells_every_mistake_of_the_settings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path / "bad", "ms-pacman")
    config = tmp_path / "bad" / "config.yml"
    config.write_text(config.read_text().replace("maxEpisodes: 2", "maxEpisodse: 2") + "  jpegQuality: 200\n")
    assert main(["check", str(tmp_path / "bad")]) == 1
    said = capfd.readouterr().out
    assert "maxEpisodes" in said and "jpegQuality" in said
