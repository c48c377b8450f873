"""docs/operating.md says what is so: its limits and its commands."""

import re
from pathlib import Path

import pytest

from hippogym.config import load_study
from updateProject import ROOT

TEXT = (ROOT / "docs" / "operating.md").read_text()


def limits() -> dict[str, str]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", TEXT[TEXT.index("## Limits") :], re.MULTILINE)
    return {where.strip("`"): value for _, value, where in rows}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("trial.maxParticipants", "16"), ("trial.stepTimeout", "5 s"), ("trial.hookTimeout", "60 s"),
        ("trial.memoryLimit", "4,096 MB"), ("trial.reconnectGrace", "120 s"), ("trial.uploadDeadline", "100 s"),
        ("project.maxRuntime", "60 minutes"),
    ],
)  # fmt: skip
def test_the_limits_are_those_of_the_settings(tmp_path: Path, setting: str, value: str) -> None:
    (tmp_path / "config.yml").write_text("trial:\n  game: CartPole-v1\n")
    section, name = setting.split(".")
    usual = getattr(getattr(load_study(tmp_path), section), name)
    assert value in limits()[setting] and float(usual) == float(value.split()[0].replace(",", ""))


def test_files_and_commands_that_it_names_are_there() -> None:
    named = set(re.findall(r"\]\(([^)#]+)\)", TEXT))
    missing = {name for name in named if not (ROOT / "docs" / name).exists()}
    assert missing <= {"cloud-limits.md"}
    for command in set(re.findall(r"hippogym (forget|verify|answers|check|rehearse|cost|aws)\b", TEXT)):
        assert f'"{command}"' in (ROOT / "hippogym" / "cli.py").read_text()
