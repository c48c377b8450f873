"""docs/operating.md says what is so: its limits, its commands, and the program that removes a participant on AWS."""

import hashlib
import json
import re
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from hippogym.config import load_study
from tests.deploy.lab import BUCKET, REGION
from updateProject import ROOT

TEXT = (ROOT / "docs" / "operating.md").read_text()
VISIT = "0123456789abcdef0123"


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


def test_the_program_removes_a_participant_from_aws_in_every_version_and_nobody_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert program is not None
    who = hashlib.sha256(b"ada").hexdigest()
    theirs = [f"visits/{VISIT}.json", f"visits/answers/{VISIT}/q.json", f"visits/left/{VISIT}", f"visits/by-user/{who}",
              f"receipts/{VISIT}.json", f"servers/{VISIT}.json"]  # fmt: skip
    others = ["visits/ffffffffffffffffffff.json", "assignments.json", "study.json"]
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for key in [*theirs, *others] * 2:
            s3.put_object(Bucket=BUCKET, Key=f"pilot/{key}", Body=json.dumps([{"visit": VISIT, "t_s": 1}]).encode())
        exec(program[1], {})
        left = s3.list_object_versions(Bucket=BUCKET)
    assert {one["Key"] for one in left["Versions"]} == {f"pilot/{key}" for key in others}
    assert "DeleteMarkers" not in left
    assert capsys.readouterr().out.count("versions removed") == len(theirs)


def test_files_and_commands_that_it_names_are_there() -> None:
    named = set(re.findall(r"\]\(([^)#]+)\)", TEXT))
    missing = {name for name in named if not (ROOT / "docs" / name).exists()}
    assert missing <= {"cloud-limits.md"}
    for command in set(re.findall(r"hippogym (forget|verify|answers|check|rehearse|cost|aws)\b", TEXT)):
        assert f'"{command}"' in (ROOT / "hippogym" / "cli.py").read_text()
