"""Roles of least privilege: with moto's IAM enforcement on, each function can do what it must, and nothing else.

moto evaluates actions and resources, not conditions; those are looked at as they stand in the template.
"""

import ast
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.authorization import enable_iam_authentication

from hippogym.deploy.aws import Aws
from hippogym.deploy.aws_command import ROOT, TEMPLATE
from hippogym.deploy.functions_zip import program
from hippogym.deploy.stack import Stack, Wanted
from tests.deploy.pretend import MADE

REGION, ACCOUNT, DOMAIN = "us-west-2", "123456789012", "lab.example.org"
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden")
ROLES = ("next", "start", "stop", "list", "janitor")


def as_moto_reads(document: dict[str, Any]) -> dict[str, Any]:
    """Beside S3 moto holds actions against the policies, and takes every resource for *."""
    found = json.loads(json.dumps(document))
    for one in found["Statement"]:
        actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
        if not any(action.startswith("s3:") for action in actions):
            one["Resource"] = "*"
    return dict(found)


class Lab:
    """A stack; ``as_role`` gives clients that may do what a role may."""

    def __init__(self) -> None:
        self._sessions: dict[str, Callable[[str], Any]] = {}
        self.zone = boto3.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference="1")["HostedZone"]["Id"]
        stack = Stack(Aws(REGION), "hippogym", lambda seconds: None)
        parameters = {"RootDomain": DOMAIN, "HostedZoneId": stack.zone(DOMAIN), "BudgetEmail": "a@example.org"}
        wanted = Wanted("hippogym", TEMPLATE.read_text(), program(ROOT), parameters)
        for item in stack.plan(wanted).changes:
            stack.carry_out(item, wanted, lambda line: None)
        iam = boto3.client("iam")
        for kind in (*ROLES, "scheduler", "execution"):  # a stack's policies are kept as moto cannot enforce them
            about = {"RoleName": f"hippogym-hippogym-{kind}", "PolicyName": "what-it-must"}
            document = iam.get_role_policy(**about)["PolicyDocument"]
            document = ast.literal_eval(document) if isinstance(document, str) else document
            iam.put_role_policy(**about, PolicyDocument=json.dumps(document))
            moto = {**about, "PolicyName": "as-moto-reads-it"}
            iam.put_role_policy(**moto, PolicyDocument=json.dumps(as_moto_reads(document)))
        boto3.client("scheduler", region_name=REGION).create_schedule_group(Name="hippogym-hippogym")
        self.bucket = stack.outputs()["StudyBucket"]
        self.ssl_bucket = stack.outputs()["SslBucket"]
        s3 = boto3.client("s3", region_name=REGION)
        self.keys = ("pilot/study.json", "pilot/visits/a.json", "pilot/assignments.json", "pilot/servers/a.json",
                     "pilot/places.json", "pilot/users/a", "pilot/Trials/a/e", "project_master_list.json")  # fmt: skip
        for key in self.keys:
            s3.put_object(Bucket=self.bucket, Key=key, Body=b"{}")
        s3.put_object(Bucket=self.ssl_bucket, Key="SSL/privkey.pem", Body=b"secret")

    def acts(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        """What can be done beside the bucket: name → service, operation, arguments."""
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
        definition = f"{arn}:task-definition/hippogym-a:1"
        schedule = {"GroupName": "hippogym-hippogym", "Name": "a"}
        when = {"ScheduleExpression": "at(2030-01-01T00:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"}}
        target = {"Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:hippogym-hippogym-stop",
                  "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/hippogym-hippogym-scheduler"}  # fmt: skip
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:hippogym-hippogym-"
        return {
            "run": ("ecs", "run_task", {"cluster": "hippogym", "taskDefinition": definition}),
            "stop": ("ecs", "stop_task", {"cluster": "elsewhere", "task": f"{arn}:task/hippogym/a"}),
            "look": ("ecs", "describe_tasks", {"cluster": "hippogym", "tasks": [f"{arn}:task/hippogym/a"]}),
            "schedule": ("scheduler", "create_schedule", {**schedule, **when, "Target": target}),
            "key": ("ssm", "get_parameter", {"Name": "/hippogym/hippogym/key", "WithDecryption": True}),
            "say": ("sns", "publish", {"TopicArn": f"{topic}stop", "Message": "{}"}),
            "keys of people": ("iam", "list_users", {}),
            "another role": ("sts", "assume_role", {
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/hippogym-hippogym-start", "RoleSessionName": "somebody"}),
        }  # fmt: skip

    def as_role(self, kind: str) -> Callable[[str], Any]:
        if kind not in self._sessions:
            self._sessions[kind] = self._taken(kind)
        return self._sessions[kind]

    def _taken(self, kind: str) -> Callable[[str], Any]:
        taken = boto3.client("sts", region_name=REGION).assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/hippogym-hippogym-{kind}", RoleSessionName=kind
        )["Credentials"]
        session = boto3.Session(
            taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"], region_name=REGION
        )
        return functools.cache(session.client)


pytestmark = [
    pytest.mark.long,  # every request is held against the policies
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield Lab()
    MADE.clear()


def may(lab: Lab, kind: str, service: str, operation: str, **about: Any) -> bool:
    """Whether IAM lets the role do it; what comes of it otherwise does not matter."""
    client = lab.as_role(kind)(service)
    with enable_iam_authentication():
        try:
            getattr(client, operation)(**about)
        except ClientError as problem:
            return problem.response["Error"]["Code"] not in DENIED
    return True


def on(lab: Lab, key: str, bucket: str = "", **more: Any) -> dict[str, Any]:
    return {"Bucket": bucket or lab.bucket, "Key": key, **more}


MUST = [
    ("next", "get_object", "pilot/study.json"), ("next", "get_object", "pilot/visits/a.json"),
    ("next", "put_object", "pilot/visits/a.json"), ("next", "put_object", "pilot/assignments.json"),
    ("next", "put_object", "pilot/servers/a.json"), ("next", "put_object", "pilot/users/a"),
    ("start", "get_object", "pilot/study.json"), ("start", "put_object", "pilot/servers/a.json"),
    ("start", "put_object", "pilot/places.json"), ("stop", "get_object", "pilot/servers/a.json"),
    ("stop", "put_object", "pilot/servers/a.json"), ("stop", "put_object", "pilot/places.json"),
    ("list", "get_object", "project_master_list.json"), ("list", "put_object", "project_master_list.json"),
    ("janitor", "get_object", "project_master_list.json"), ("janitor", "get_object", "pilot/places.json"),
    ("janitor", "get_object", "pilot/visits/a.json"), ("janitor", "get_object", "pilot/study.json"),
    ("next", "get_object", "pilot/receipts/a.json"),
]  # fmt: skip

MUST_NOT = [
    ("next", "put_object", "pilot/study.json"), ("next", "get_object", "pilot/Trials/a/e"),
    ("next", "put_object", "pilot/Trials/a/e"), ("next", "delete_object", "pilot/Trials/a/e"),
    ("next", "delete_object", "pilot/study.json"), ("next", "put_object", "project_master_list.json"),
    ("next", "put_object", "pilot/places.json"), ("start", "put_object", "pilot/study.json"),
    ("start", "get_object", "pilot/visits/a.json"), ("start", "put_object", "pilot/visits/a.json"),
    ("start", "get_object", "pilot/users/a"), ("start", "get_object", "pilot/Trials/a/e"),
    ("stop", "get_object", "pilot/visits/a.json"), ("stop", "get_object", "pilot/users/a"),
    ("stop", "put_object", "pilot/study.json"), ("stop", "delete_object", "pilot/servers/a.json"),
    ("list", "get_object", "pilot/study.json"), ("list", "put_object", "pilot/study.json"),
    ("list", "get_object", "pilot/users/a"), ("list", "delete_object", "project_master_list.json"),
    ("janitor", "put_object", "pilot/servers/a.json"), ("janitor", "get_object", "pilot/users/a"),
    ("janitor", "delete_object", "pilot/places.json"), ("janitor", "get_object", "pilot/Trials/a/e"),
    ("janitor", "get_object", "pilot/visits/answers/a/b.json"), ("janitor", "put_object", "pilot/visits/a.json"),
    ("next", "put_object", "pilot/receipts/a.json"), ("start", "get_object", "pilot/receipts/a.json"),
]  # fmt: skip


def test_each_function_can_read_and_keep_what_it_must(lab: Lab) -> None:
    body = {"put_object": {"Body": b"{}"}}
    refused = [one for one in MUST if not may(lab, one[0], "s3", one[1], **on(lab, one[2], **body.get(one[1], {})))]
    assert not refused


def test_no_function_reads_or_changes_what_is_not_its_own(lab: Lab) -> None:
    body = {"put_object": {"Body": b"{}"}}
    let = [one for one in MUST_NOT if may(lab, one[0], "s3", one[1], **on(lab, one[2], **body.get(one[1], {})))]
    assert not let


MAY = {
    "next": {"key", "say"},
    "start": {"run", "look", "schedule", "key", "say"},
    "stop": {"stop", "look", "say"},
    "list": set(),
    "janitor": {"look", "say"},
}


@pytest.mark.parametrize("kind", ROLES)
def test_each_function_does_with_servers_what_it_must_and_nothing_else(lab: Lab, kind: str) -> None:
    done = {
        name for name, (service, operation, about) in lab.acts().items() if may(lab, kind, service, operation, **about)
    }
    assert done == MAY[kind]


def test_no_function_reads_a_private_key(lab: Lab) -> None:
    let = [kind for kind in ROLES if may(lab, kind, "s3", "get_object", **on(lab, "SSL/privkey.pem", lab.ssl_bucket))]
    assert not let


def statements(kind: str) -> list[dict[str, Any]]:
    found = boto3.client("iam").get_role_policy(RoleName=f"hippogym-hippogym-{kind}", PolicyName="what-it-must")
    return list(found["PolicyDocument"]["Statement"])


def actions(kind: str) -> set[str]:
    found = [one["Action"] for one in statements(kind)]
    return {action for some in found for action in ([some] if isinstance(some, str) else some)}


def test_only_who_starts_servers_can_and_only_who_stops_them_can(lab: Lab) -> None:
    assert [kind for kind in ROLES if "ecs:RunTask" in actions(kind)] == ["start"]
    assert [kind for kind in ROLES if "ecs:StopTask" in actions(kind)] == ["stop"]
    assert [kind for kind in ROLES if "iam:PassRole" in actions(kind)] == ["start"]
    assert [kind for kind in ROLES if "ssm:GetParameter" in actions(kind)] == ["next", "start"]
    assert [kind for kind in ROLES if "route53:ChangeResourceRecordSets" in actions(kind)] == ["start", "stop"]
    for kind in (*ROLES, "scheduler", "execution"):
        assert not [action for action in actions(kind) if action.endswith("*") or action.startswith("sts:")]


def test_everything_is_held_to_one_thing_where_aws_knows_how(lab: Lab) -> None:
    wide = {"ecs:ListTasks", "ec2:DescribeNetworkInterfaces", "ecr:GetAuthorizationToken"}
    for kind in (*ROLES, "scheduler", "execution"):
        for one in statements(kind):
            if one["Resource"] == "*":
                assert one["Action"] in wide, (kind, one)
            if one["Action"] == "iam:PassRole":
                assert one["Condition"]["StringEquals"]["iam:PassedToService"]
            if one["Action"] in ("ecs:RunTask", "ecs:ListTasks"):
                assert "ecs:cluster" in one["Condition"]["ArnEquals"]
            if one["Action"] == "route53:ChangeResourceRecordSets":
                assert len(one["Condition"]) == 2


def test_a_tasks_role_goes_no_further_than_its_boundary(lab: Lab) -> None:
    iam = boto3.client("iam")
    found = iam.get_policy_version(
        PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/hippogym-hippogym-boundary", VersionId="v1"
    )["PolicyVersion"]["Document"]["Statement"]
    allowed = {
        action for one in found for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert allowed == {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListBucket"}
    assert all(one["Resource"] != "*" for one in found)
