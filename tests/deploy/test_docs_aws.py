"""AWS_README.md and SSL_README.md: the policies are what the commands really ask for, no less and hardly more."""

import json
from typing import Any

import boto3
import pytest

from tests.deploy.lab import REGION, Lab
from updateProject import ROOT

TEXT = (ROOT / "AWS_README.md").read_text()
OTHER_NAMES = {
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "lambda:Invoke": "lambda:InvokeFunction",
}
NOT_BY_A_CALL = {  # what docker push asks for, tags and roles that calls take along
    "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
    "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:TagResource", "iam:TagRole", "iam:PassRole",
}  # fmt: skip


def policy(heading: str) -> list[dict[str, Any]]:
    """The statements below a heading."""
    part = TEXT[TEXT.index(f"## {heading}") :].partition('    {"Version"')[2]
    found = json.loads('{"Version"' + part[: part.index("\n    ]}") + len("\n    ]}")])
    statements: list[dict[str, Any]] = found["Statement"]
    return statements


def actions(statements: list[dict[str, Any]]) -> set[str]:
    listed = [one["Action"] if isinstance(one["Action"], list) else [one["Action"]] for one in statements]
    return {action for group in listed for action in group}


def test_who_deploys_a_study_may_do_what_the_command_asks_for_and_nothing_else(lab: Lab) -> None:
    asked = set(lab.deploy("--yes").said)
    role = "hippogym-hippogym-task-pilot"
    other = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    boto3.client("iam", region_name=REGION).update_assume_role_policy(
        RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [other]})
    )
    config = lab.study / "config.yml"
    config.write_text(config.read_text().replace("memory: 4", "memory: 6"))
    asked |= set(lab.deploy("--yes").said)
    named = {one.replace(".", ":", 1) for one in asked}
    needed = {OTHER_NAMES.get(one, one) for one in named}
    allowed = actions(policy("Who may deploy a study"))
    assert needed <= allowed, f"missing: {needed - allowed}"
    assert allowed - needed == NOT_BY_A_CALL


@pytest.mark.parametrize("heading", ["Who may set it up", "Who may deploy a study"])
def test_each_policy_is_one_that_aws_takes(heading: str) -> None:
    statements = policy(heading)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    assert len(document.replace(" ", "")) <= 6144, "a managed policy has at most 6,144 letters"
    assert all(one["Effect"] == "Allow" and one["Resource"] for one in statements)


def test_who_deploys_a_study_cannot_read_a_private_key_or_run_a_server() -> None:
    allowed = policy("Who may deploy a study")
    assert not actions(allowed) & {
        "ecs:RunTask",
        "ssm:GetParameter",
        "iam:AttachRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
    }
    of_certificates = [one for one in allowed if "SSLBUCKET/" in json.dumps(one["Resource"])]
    assert [one["Action"] for one in of_certificates] == ["s3:GetObject"]
    assert "privkey" not in json.dumps(allowed) and "SSLBUCKET/*" not in json.dumps(allowed)
