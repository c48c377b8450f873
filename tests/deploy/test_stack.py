"""``hippogym aws``: from an empty account to a stack and back, with nothing lost that was not said twice."""

import argparse
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from hippogym.deploy.aws import Aws
from hippogym.deploy.aws_command import ROOT, add_arguments, run
from hippogym.deploy.functions_zip import program
from hippogym.deploy.problems import DeployError
from hippogym.deploy.stack import Stack
from tests.deploy.pretend import MADE

REGION = "us-west-2"
LOGS_ONLY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}'
SETUP = ("setup", "--region", REGION, "--domain", "lab.example.org", "--email", "someone@example.org", "--yes")


def hippogym_aws(*words: str, wait=lambda seconds: None) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(words)
    return run(arguments, Stack(Aws(REGION), arguments.stack, wait))


@pytest.fixture
def account() -> Iterator[None]:
    with mock_aws():
        boto3.client("route53").create_hosted_zone(Name="example.org", CallerReference="1")
        yield
    MADE.clear()


def unhook() -> None:
    """moto removes no route tables with a stack, and then not their network; CloudFormation does."""
    ec2 = boto3.client("ec2", region_name=REGION)
    for table in ec2.describe_route_tables()["RouteTables"]:
        if any(one["Main"] for one in table["Associations"]):
            continue
        for one in table["Associations"]:
            ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
        ec2.delete_route_table(RouteTableId=table["RouteTableId"])


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_lab_sets_up_changes_and_removes_its_stack_and_keeps_its_data(account, capsys):
    s3 = boto3.client("s3", region_name=REGION)
    assert hippogym_aws("status", "--region", REGION) == 1
    assert hippogym_aws(*SETUP, "--dry-run") == 0
    assert s3.list_buckets()["Buckets"] == []
    assert hippogym_aws(*SETUP) == 0
    outputs = Stack(Aws(REGION), "hippogym").outputs()
    assert {"StudyBucket", "SslBucket", "PageUrl", "ApiUrl", "TaskBoundary", "ExecutionRole"} <= set(outputs)
    page = [one["Key"] for one in s3.list_objects_v2(Bucket=outputs["PageBucket"])["Contents"]]
    assert {"index.html", "page-settings"} <= set(page)
    assert hippogym_aws("status", "--region", REGION) == 0
    assert "participants' page: version" in capsys.readouterr().out
    assert hippogym_aws(*SETUP) == 0
    assert "nothing to do" in capsys.readouterr().out
    key = boto3.client("ssm", region_name=REGION).get_parameter(Name="/hippogym/hippogym/key", WithDecryption=True)
    assert hippogym_aws(*SETUP, "--most-servers", "60") == 0
    start = boto3.client("lambda", region_name=REGION).get_function_configuration(
        FunctionName="hippogym-hippogym-start"
    )
    assert str(start["Environment"]["Variables"]["MOST_TASKS"]) == "60"
    assert boto3.client("ssm", region_name=REGION).get_parameter(Name="/hippogym/hippogym/key", WithDecryption=True)[
        "Parameter"]["Value"] == key["Parameter"]["Value"]  # fmt: skip
    s3.put_object(Bucket=outputs["StudyBucket"], Key="pilot/Trials/a/episode", Body=b"records")
    iam = boto3.client("iam")
    ours = {"AssumeRolePolicyDocument": "{}", "PermissionsBoundary": outputs["TaskBoundary"]}
    iam.create_role(RoleName="hippogym-hippogym-task-pilot", **ours)
    iam.put_role_policy(RoleName="hippogym-hippogym-task-pilot", PolicyName="records", PolicyDocument=LOGS_ONLY)
    iam.create_role(RoleName="hippogym-hippogym-task-of-another-stack", AssumeRolePolicyDocument="{}")
    unhook()
    assert hippogym_aws("destroy", "--region", REGION, "--yes") == 0
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["hippogym-hippogym-task-of-another-stack"]
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {outputs["StudyBucket"], outputs["SslBucket"]}
    assert hippogym_aws("status", "--region", REGION) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_data_goes_only_when_the_name_is_said_again(account):
    s3 = boto3.client("s3", region_name=REGION)
    hippogym_aws(*SETUP)
    bucket = Stack(Aws(REGION), "hippogym").outputs()["StudyBucket"]
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="pilot/users/a", Body=body)
    with pytest.raises(DeployError, match="by mistake"):
        hippogym_aws("destroy", "--region", REGION, "--yes", "--data", "other")
    unhook()
    hippogym_aws("destroy", "--region", REGION, "--yes", "--data", "hippogym")
    assert s3.list_buckets()["Buckets"] == []
    assert boto3.client("ssm", region_name=REGION).describe_parameters()["Parameters"] == []


def test_a_domain_that_route53_does_not_have_is_said_in_a_sentence(account):
    with pytest.raises(DeployError, match="no hosted zone for lab.elsewhere.org"):
        hippogym_aws("setup", "--region", REGION, "--domain", "lab.elsewhere.org", "--email", "a@example.org", "--yes")


def test_without_a_yes_nothing_is_changed(account, monkeypatch):
    monkeypatch.setattr(sys, "stdin", __import__("io").StringIO("n\n"))
    with pytest.raises(DeployError, match="Nothing was changed"):
        hippogym_aws(*[word for word in SETUP if word != "--yes"])
    assert boto3.client("s3", region_name=REGION).list_buckets()["Buckets"] == []


def test_the_functions_program_is_complete_and_the_same_each_time(tmp_path: Path):
    made = program(ROOT)
    assert made == program(ROOT)
    zipfile.ZipFile(BytesIO(made.body)).extractall(tmp_path)
    names = ("next_step", "start_server", "stop_server", "update_master_list", "janitor")
    code = "import sys; sys.path.insert(0, '.')\n" + "\n".join(
        f"import functions.{name} as m; assert callable(m.handler) and m.__file__.startswith({str(tmp_path)!r})"
        for name in names
    )
    code += "\nassert not {'numpy', 'pydantic', 'starlette', 'yaml'} & set(sys.modules)"
    code += f"\nimport hippogym; assert hippogym.__file__.startswith({str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=240, env={}
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_template_has_nothing_that_the_linter_knows_to_be_wrong():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), "-r", REGION, "-t", str(ROOT / "aws" / "template.yml")],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


class SlowTasks:
    """ECS as far as it is asked: two tasks, which have stopped at the fourth look."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, service: str) -> "SlowTasks":
        assert service == "ecs"
        return self

    def get_paginator(self, name: str) -> "SlowTasks":
        return self

    def paginate(self, **about: str) -> list[dict]:
        return [{"taskArns": ["arn/a", "arn/b"]}]

    def stop_task(self, task: str, **about: str) -> None:
        self.told.append(task)

    def describe_tasks(self, tasks: list[str], **about: str) -> dict:
        self.told.append("look")
        state = "STOPPED" if self.told.count("look") > 3 else "STOPPING"
        return {"tasks": [{"taskArn": task, "lastStatus": state} for task in tasks]}


def test_servers_have_stopped_before_anything_is_taken_from_them():
    """They upload what they have after they are told; their roles let them."""
    waits: list[float] = []
    tasks = SlowTasks()
    Stack(tasks, "hippogym", waits.append)._stop_tasks("cluster", lambda said: None)  # type: ignore[arg-type]
    assert tasks.told == ["arn/a", "arn/b", *["look"] * 4] and len(waits) == 3
