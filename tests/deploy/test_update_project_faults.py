"""Every call to AWS goes wrong once: a sentence, no traceback, and the next run brings all in order."""

import re
from pathlib import Path

import pytest

from hippogym.deploy.problems import DeployError
from hippogym.deploy.registry import Registry
from tests.deploy.lab import Lab, lab, make_study, push_to_moto

FAULTS = ("time-out", "answer lost", "throttled", "error", "denied")
CHANGING = re.compile(r"\.(Put|Create|Register|Invoke|Update)")


def placed(study: Path) -> tuple[dict[str, object], list[str]]:
    """What a run without faults leaves, and its calls."""
    with lab(study) as whole:
        calls = whole.deploy("--yes").said
        return whole.state(), calls


def goes_wrong_and_is_repaired(study: Path, at: int, fault: str, wanted: dict[str, object]) -> str:
    """Returns the call that was hurt."""
    with lab(study) as broken:
        for name in (".trialConfig.yml", ".projectConfig.yml"):
            (study / name).unlink(missing_ok=True)
        with pytest.raises(DeployError) as said:
            broken.deploy("--yes", at=at, fault=fault)
        hurt = broken.calls.hurt
        assert re.fullmatch(r"[^\n]{10,400}\.", str(said.value)), f"{hurt}: {said.value}"
        broken.deploy("--yes")
        state = broken.state()
        extra = len(state["definitions"]) - 1  # an answer that was lost: registered twice, and the newer one counts
        assert extra in ((0, 1) if fault == "answer lost" and "Register" in hurt else (0,)), hurt
        if not extra:
            assert state == wanted, f"{fault} at {hurt}"
        calls = broken.deploy("--yes").said
        assert not [call for call in calls if CHANGING.search(call)], f"{fault} at {hurt}"
        return hurt


@pytest.fixture
def pushed_to_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "push", push_to_moto)


@pytest.mark.usefixtures("pushed_to_moto")
def test_a_change_whose_answer_is_lost_is_found_done_or_is_done_again(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")
    wanted, calls = placed(study)
    changing = [number for number, call in enumerate(calls, 1) if CHANGING.search(call)]
    names = {calls[number - 1]: number for number in changing}
    assert len(names) >= 7
    hurt = {goes_wrong_and_is_repaired(study, at, "answer lost", wanted) for at in names.values()}
    assert hurt == set(names)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("pushed_to_moto")
@pytest.mark.parametrize("fault", FAULTS)
def test_any_call_may_fail_and_the_next_run_repairs(tmp_path: Path, fault: str) -> None:
    study = make_study(tmp_path / "study")
    wanted, calls = placed(study)
    for at in range(1, len(calls) + 1):
        goes_wrong_and_is_repaired(study, at, fault, wanted)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_failure_is_a_sentence_that_says_what_to_do(lab: Lab, fault: str) -> None:
    with pytest.raises(DeployError) as said:
        lab.deploy("--yes", at=3, fault=fault)
    words = {"time-out": "in time", "answer lost": "in time", "throttled": "pause", "error": "InternalFailure",
             "denied": "AWS_README.md"}  # fmt: skip
    assert words[fault] in str(said.value)
