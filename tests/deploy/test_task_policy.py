"""What a participant's server may do on AWS, by the words of its role and of the boundary that no role goes beyond."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from hippogym.config import load_study
from hippogym.deploy.stack_facts import StackFacts
from hippogym.deploy.task_definition import task_definition, task_policy
from tests.deploy.distribution import resources
from tests.deploy.lab import BUCKET, REGION, SSL_BUCKET, make_study

RECORD, RECEIPT = "pilot/Trials/ann/20260101-120000-abc-episode_0000.pkl", f"pilot/receipts/{'0a' * 10}.json"
OTHERS = RECORD.replace("pilot", "other")
MAY = [
    ("s3:PutObject", BUCKET, RECORD), ("s3:GetObject", BUCKET, RECORD), ("s3:AbortMultipartUpload", BUCKET, RECORD),
    ("s3:DeleteObject", BUCKET, f"{RECORD}.parts/000000"), ("s3:ListBucket", BUCKET, "pilot/Trials/ann/"),
    ("s3:PutObject", BUCKET, RECEIPT),
    ("s3:GetObject", SSL_BUCKET, "SSL/fullchain.pem"), ("s3:GetObject", SSL_BUCKET, "SSL/privkey.pem"),
]  # fmt: skip
MUST_NOT = [
    ("s3:GetObject", BUCKET, RECEIPT), ("s3:DeleteObject", BUCKET, RECEIPT),
    ("s3:ListBucket", BUCKET, "pilot/receipts/"), ("s3:PutObject", BUCKET, OTHERS), ("s3:GetObject", BUCKET, OTHERS),
    ("s3:PutObject", BUCKET, RECEIPT.replace("pilot", "pilot-2")), ("s3:ListBucket", BUCKET, "other/Trials/"),
    ("s3:GetObject", BUCKET, "pilot/visits/a.json"), ("s3:PutObject", BUCKET, "pilot/visits/a.json"),
    ("s3:GetObject", BUCKET, "pilot/users/a"), ("s3:PutObject", BUCKET, "pilot/users/a"),
    ("s3:GetObject", BUCKET, "pilot/study.json"), ("s3:PutObject", BUCKET, "pilot/study.json"),
    ("s3:GetObject", BUCKET, "pilot/servers/a.json"), ("s3:PutObject", BUCKET, "pilot/servers/a.json"),
    ("s3:GetObject", BUCKET, "project_master_list.json"), ("s3:ListBucket", BUCKET, ""),
    ("s3:ListBucket", BUCKET, "pilot/"),
    ("s3:PutObject", SSL_BUCKET, "SSL/privkey.pem"), ("s3:GetObject", SSL_BUCKET, "SSL/account.key"),
    ("s3:DeleteObjectVersion", BUCKET, RECORD), ("s3:GetObjectVersion", BUCKET, RECORD),
]  # fmt: skip


@pytest.fixture(scope="module")
def facts() -> StackFacts:
    return StackFacts("hippogym", REGION, "123456789012", "aws", {"PageUrl": "https://d1.cloudfront.net/"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("policy") / "study")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allows(statements: list[dict[str, Any]], action: str, bucket: str, key: str) -> bool:
    """As IAM reads statements that only allow: action, resource, and the prefix where there is one."""
    lists = action == "s3:ListBucket"
    resource = f"arn:aws:s3:::{bucket}" if lists else f"arn:aws:s3:::{bucket}/{key}"
    for one in statements:
        fits = action in as_list(one["Action"])
        fits = fits and any(fnmatchcase(resource, pattern) for pattern in as_list(one["Resource"]))
        prefixes = as_list(one.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*"))
        if fits and (not lists or any(fnmatchcase(key, pattern) for pattern in prefixes)):
            return True
    return False


def boundary() -> list[dict[str, Any]]:
    """The statements of the template's boundary, with the buckets' names in them."""

    statements = resources()["TaskBoundary"]["Properties"]["PolicyDocument"]["Statement"]
    names = {"${StudyBucket.Arn}": BUCKET, "${SslBucket.Arn}": SSL_BUCKET, "StudyBucket.Arn": BUCKET}

    def arn(text: str) -> str:
        for name, bucket in names.items():
            text = text.replace(name, f"arn:aws:s3:::{bucket}")
        return text

    return [{**one, "Resource": [arn(text) for text in as_list(one["Resource"])]} for one in statements]


def test_a_server_may_do_what_it_must_and_nothing_else(folder: Path, facts: StackFacts) -> None:
    statements = task_policy(load_study(folder), facts, BUCKET)["Statement"]
    assert {one["Effect"] for one in statements} == {"Allow"}
    assert [one for one in MAY if not allows(statements, *one)] == []
    assert [one for one in MUST_NOT if allows(statements, *one)] == []


def test_the_boundary_leaves_room_for_all_of_it(folder: Path) -> None:
    assert [one for one in MAY if not allows(boundary(), *one)] == []


def test_a_server_is_told_whose_page_may_connect(folder: Path, facts: StackFacts) -> None:
    study = load_study(folder)
    definition = task_definition(study, facts, "image@sha256:0", "ARM64", study.project.awsSetup)
    [container] = definition["containerDefinitions"]
    told = {one["name"]: one["value"] for one in container["environment"]}
    assert told["PAGE_ORIGIN"] == "https://d1.cloudfront.net"
    assert not {"TICKET_KEY", "SERVER_ID", "UNTIL_S"} & set(told), "those are each server's own, from who starts it"
