"""A lab's stack: what is, what would change, and how it is set up and removed. Each step can be repeated."""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.functions_zip import Program
from hippogym.deploy.plan import Item, Plan
from hippogym.deploy.problems import DeployError
from hippogym.deploy.stack_facts import USABLE
from hippogym.deploy.study_roles import remove_study_roles

LONGEST_WAIT_S = 45 * 60.0  # a distribution takes a while
POLL_S = 5.0
LOOKS, BETWEEN_LOOKS_S = 80, 3.0  # a server has 2 minutes in which it uploads
KEY_BYTES = 32
DATA = ("StudyBucket", "SslBucket")  # retained by the template
GONE = "DELETE_COMPLETE"


@dataclass(frozen=True)
class Wanted:
    """What is to be. parameters: of the template, without those that are found out."""

    name: str
    template: str
    program: Program
    parameters: Mapping[str, str]


class Stack:
    """One stack. wait: of the time between two looks; for tests."""

    def __init__(self, aws: Aws, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._aws, self.name, self._wait = aws, name, wait

    # -- what is -------------------------------------------------------------------------------------------------

    @property
    def aws(self) -> Aws:
        """Where it is."""
        return self._aws

    def account(self) -> str:
        """Its number. Raises DeployError."""
        with told("AWS"):
            return str(self._aws("sts").get_caller_identity()["Account"])

    def now(self) -> dict[str, Any] | None:
        """The stack as CloudFormation has it; None where there is none. Raises DeployError."""
        with told("CloudFormation"):
            try:
                found = self._aws("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
            except ClientError as problem:
                if code_of(problem) == "ValidationError" and "does not exist" in str(problem):
                    return None
                raise
        return dict(found[0]) if found and found[0]["StackStatus"] != GONE else None

    def outputs(self) -> dict[str, str]:
        """By name. Raises DeployError."""
        found = self.now() or {}
        return {str(one["OutputKey"]): str(one["OutputValue"]) for one in found.get("Outputs", ())}

    @property
    def key_parameter(self) -> str:
        """Where the key is that signs tokens and codes."""
        return f"/hippogym/{self.name}/key"

    def functions_bucket(self) -> str:
        """The name of the bucket that holds the functions' program."""
        return f"{self.name}-functions-{self.account()}-{self._aws.region}".lower()

    def zone(self, domain: str) -> str:
        """The id of the hosted zone that a domain is in: its own, or that of one above it. Raises DeployError."""
        with told("Route53"):
            pages = self._aws("route53").get_paginator("list_hosted_zones").paginate()
            zones = {
                zone["Name"].rstrip("."): str(zone["Id"]).rpartition("/")[2]
                for page in pages
                for zone in page["HostedZones"]
                if not zone.get("Config", {}).get("PrivateZone")
            }
        labels = domain.split(".")
        for at in range(len(labels) - 1):
            if (found := zones.get(".".join(labels[at:]))) is not None:
                return found
        raise DeployError(
            f"Route53 has no hosted zone for {domain}. Make one (Route53 → Hosted zones → Create), and have the "
            "domain's registrar point to its name servers; AWS_README.md says how."
        )

    # -- setting up ----------------------------------------------------------------------------------------------

    def plan(self, wanted: Wanted) -> Plan:
        """Changes nothing. Raises DeployError."""
        now, bucket = self.now(), self.functions_bucket()
        if now is not None and now["StackStatus"] not in (*USABLE, "ROLLBACK_COMPLETE"):
            raise DeployError(f"The stack {self.name} is {now['StackStatus']}; wait until it is ready, and try again.")
        has_bucket = self._has_bucket(bucket)
        has_program = has_bucket and self._has_object(bucket, wanted.program.key)
        fits = now is not None and now["StackStatus"] in USABLE and self._fits(now, wanted)
        status = str(now["StackStatus"]) if now is not None else "not there"
        change = "" if fits else "update" if now is not None and now["StackStatus"] in USABLE else "create"
        items = (
            Item("key", "key of tokens and codes", *_there(self._has_key(), "make one; it never leaves AWS")),
            Item("bucket", f"bucket {bucket}", *_there(has_bucket, "make it, private")),
            Item("program", f"functions {wanted.program.key}", *_there(has_program, "upload")),
            Item("stack", f"stack {self.name}", f"{status}{'' if change or not now else ', as wanted'}", change),
        )
        costs = (
            "With no participants: cents a month (buckets, logs; the functions, the API and the schedule are free up",
            "to a million calls a month). Servers cost while they run: hippogym cost says how much.",
        )
        return Plan(f"The stack {self.name}: {self._aws.region}, account {self.account()}", items, (), costs)

    def carry_out(self, item: Item, wanted: Wanted, said: Callable[[str], None]) -> None:
        """One item; each can be repeated. said: told how far it is. Raises DeployError."""
        if item.key == "key":
            self._make_key()
        elif item.key == "bucket":
            self._make_bucket(self.functions_bucket())
        elif item.key == "program":
            with told("S3"):
                self._aws("s3").put_object(
                    Bucket=self.functions_bucket(), Key=wanted.program.key, Body=wanted.program.body
                )
        else:
            self._bring_about(wanted, said)

    def _bring_about(self, wanted: Wanted, said: Callable[[str], None]) -> None:
        now = self.now()
        if now is not None and now["StackStatus"] == "ROLLBACK_COMPLETE":  # it was never there; AWS keeps its shell
            self._delete(said)
            now = None
        about = {
            "StackName": self.name,
            "TemplateBody": wanted.template,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in self._parameters(wanted).items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Tags": [{"Key": "hippogym", "Value": self.name}],
        }
        with told("CloudFormation"):
            client = self._aws("cloudformation")
            try:
                client.create_stack(**about) if now is None else client.update_stack(**about)
            except ClientError as problem:
                if "No updates are to be performed" not in str(problem):
                    raise
        status = self._followed(said)
        if status not in USABLE or "ROLLBACK" in status:
            raise DeployError(f"CloudFormation took it back ({status}): {self._why()} Nothing half is left; try again.")

    def _parameters(self, wanted: Wanted) -> dict[str, str]:
        return {
            **wanted.parameters,
            "FunctionsBucket": self.functions_bucket(),
            "FunctionsKey": wanted.program.key,
        }

    def _fits(self, now: Mapping[str, Any], wanted: Wanted) -> bool:
        """The same template and parameters; those that were not said stay as they are."""
        there = {one["ParameterKey"]: one.get("ParameterValue") for one in now.get("Parameters", ())}
        if any(there.get(name) != value for name, value in self._parameters(wanted).items()):
            return False
        with told("CloudFormation"):
            body = self._aws("cloudformation").get_template(StackName=self.name)["TemplateBody"]
        return bool(body == wanted.template)

    # -- removing ------------------------------------------------------------------------------------------------

    def data_buckets(self) -> list[str]:
        """What destroying keeps unless it is told twice. Raises DeployError."""
        outputs = self.outputs()
        return [outputs[name] for name in DATA if name in outputs]

    def destroy(self, said: Callable[[str], None], *, data: bool) -> None:
        """Remove the stack; with data also the buckets, in every version, and the key. Raises DeployError."""
        outputs = self.outputs()
        buckets = self.data_buckets()
        if outputs.get("PageBucket"):
            self._empty(outputs["PageBucket"], said)
        if self.now() is not None:
            self._stop_tasks(outputs.get("Cluster", self.name), said)
            if "TaskBoundary" in outputs:
                remove_study_roles(self._aws, self.name, outputs["TaskBoundary"], said)
            self._delete(said)
        functions = self.functions_bucket()
        for bucket in [functions, *(buckets if data else ())]:
            if self._has_bucket(bucket):
                self._empty(bucket, said)
                with told("S3"):
                    self._aws("s3").delete_bucket(Bucket=bucket)
                said(f"bucket {bucket}: removed")
        if data and self._has_key():
            with told("SSM"):
                self._aws("ssm").delete_parameter(Name=self.key_parameter)
            said("key: removed; codes that were given out can no more be checked")

    def _delete(self, said: Callable[[str], None]) -> None:
        with told("CloudFormation"):
            self._aws("cloudformation").delete_stack(StackName=self.name)
        if (status := self._followed(said)) != GONE:
            raise DeployError(f"The stack {self.name} could not be removed ({status}): {self._why()}")

    def _stop_tasks(self, cluster: str, said: Callable[[str], None]) -> None:
        """A cluster with running servers cannot be removed."""
        with told("ECS"):
            ecs = self._aws("ecs")
            try:
                pages = list(ecs.get_paginator("list_tasks").paginate(cluster=cluster))
            except ClientError as problem:
                if code_of(problem) == "ClusterNotFoundException":
                    return
                raise
            tasks = [str(arn) for page in pages for arn in page["taskArns"]]
            for task in tasks:
                ecs.stop_task(cluster=cluster, task=task, reason="the stack is removed")
                said(f"server {task.rpartition('/')[2]}: is told to stop")
            for _ in range(LOOKS):  # they upload what they have, and need their role for it
                tasks = [
                    task for at in range(0, len(tasks), 100) for task in self._running(cluster, tasks[at : at + 100])
                ]
                if not tasks:
                    return
                self._wait(BETWEEN_LOOKS_S)
        raise DeployError(f"{len(tasks)} servers have not stopped yet. Give the same command again in a few minutes.")

    def _running(self, cluster: str, tasks: list[str]) -> list[str]:
        told_of = self._aws("ecs").describe_tasks(cluster=cluster, tasks=tasks)["tasks"]
        return [str(task["taskArn"]) for task in told_of if task["lastStatus"] != "STOPPED"]

    def _empty(self, bucket: str, said: Callable[[str], None]) -> None:
        count = 0
        with told(f"s3://{bucket}"):
            s3 = self._aws("s3")
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
                if doomed:
                    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
                    if answer.get("Errors"):
                        raise DeployError(f"s3://{bucket}: {len(answer['Errors'])} objects could not be removed.")
                count += len(doomed)
        said(f"bucket {bucket}: {count} versions of objects removed")

    # -- how it is done ------------------------------------------------------------------------------------------

    def _followed(self, said: Callable[[str], None]) -> str:
        """Wait until CloudFormation has done it; returns how it ended. Raises DeployError."""
        waited_s, told_of = 0.0, ""
        while True:
            now = self.now()
            status = str(now["StackStatus"]) if now is not None else GONE
            done = self._progress() if now is not None else ""
            if (line := f"{status} {done}") != told_of:
                said(line)
                told_of = line
            if not status.endswith("_IN_PROGRESS"):
                return status
            if waited_s >= LONGEST_WAIT_S:
                raise DeployError(f"The stack {self.name} is still {status}; look again with: hippogym aws status")
            self._wait(POLL_S)
            waited_s += POLL_S

    def _progress(self) -> str:
        with told("CloudFormation"):
            found = self._aws("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        done = sum(str(one["ResourceStatus"]).endswith("_COMPLETE") for one in found)
        return f"({done} of {len(found)} parts)"

    def _why(self) -> str:
        with told("CloudFormation"):
            events = self._aws("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [one for one in events if str(one.get("ResourceStatus", "")).endswith("_FAILED")]
        first = failed[-1] if failed else {}
        return f"{first.get('LogicalResourceId', 'it')}: {first.get('ResourceStatusReason', 'no reason given')}."

    def _has_key(self) -> bool:
        with told("SSM"):
            found = self._aws("ssm").describe_parameters(
                ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [self.key_parameter]}]
            )
        return bool(found["Parameters"])

    def _make_key(self) -> None:
        value = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        with told("SSM"):
            try:
                self._aws("ssm").put_parameter(
                    Name=self.key_parameter, Value=value, Type="SecureString", Overwrite=False,
                    Description="Signs participants' tokens and completion codes; never change it while a study runs",
                )  # fmt: skip
            except ClientError as problem:
                if code_of(problem) != "ParameterAlreadyExists":
                    raise

    def _has_bucket(self, bucket: str) -> bool:
        return self._head("head_bucket", Bucket=bucket)

    def _has_object(self, bucket: str, key: str) -> bool:
        return self._head("head_object", Bucket=bucket, Key=key)

    def _head(self, operation: str, **about: str) -> bool:
        with told("S3"):
            try:
                getattr(self._aws("s3"), operation)(**about)
            except ClientError as problem:
                if code_of(problem) in ("404", "NoSuchBucket", "NoSuchKey", "NotFound"):
                    return False
                raise
        return True

    def _make_bucket(self, bucket: str) -> None:
        here = {} if self._aws.region == "us-east-1" else {"LocationConstraint": self._aws.region}
        with told("S3"):
            s3 = self._aws("s3")
            try:
                s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": here} if here else {}))
            except ClientError as problem:
                if code_of(problem) != "BucketAlreadyOwnedByYou":
                    raise
            closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))


def _there(is_there: bool, change: str) -> tuple[str, str]:
    return ("there", "") if is_there else ("not there", change)


def as_json(values: Mapping[str, Any]) -> str:
    """For programs that read the status."""
    return json.dumps(values, indent=1, sort_keys=True, default=str)
