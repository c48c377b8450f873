"""Everything that the story needs, put together: an account, its functions, events and tasks, and the net to them."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from moto.ec2 import ec2_backends
from moto.iam import iam_backends

from hippogym.core.study.tickets import study_key
from hippogym.deploy.certificate_pair import SHUT
from tests.deploy.api_gateway import ApiGateway
from tests.deploy.distribution import Distribution
from tests.deploy.rehearsal.account import ACCOUNT, REGION, Account
from tests.deploy.rehearsal.authority import Authority
from tests.deploy.rehearsal.commands import get_ssl_certs, hippogym, update_project
from tests.deploy.rehearsal.engines import Engine
from tests.deploy.rehearsal.events import Events
from tests.deploy.rehearsal.functions import Functions
from tests.deploy.rehearsal.net import Net
from tests.deploy.rehearsal.study import DOMAIN, PROJECT, Scale, make_study
from tests.deploy.rehearsal.tasks import Tasks

STACK = "hippogym"
ZONE = DOMAIN.partition(".")[2]


@dataclass
class Stage:
    """A lab that has set up AWS and deployed a study; participants can come to ``link``."""

    work: Path
    account: Account
    authority: Authority
    functions: Functions
    events: Events
    tasks: Tasks
    net: Net
    api: ApiGateway
    page: Distribution
    outputs: dict[str, str]
    study: Path

    @property
    def link(self) -> str:
        return f"{self.outputs['PageUrl'].rstrip('/')}/?projectId={PROJECT}"

    # -- what there is ------------------------------------------------------------------------------------------------

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What is in the study's bucket, by key."""
        s3, bucket = self.account.client("s3"), self.outputs["StudyBucket"]
        keys = [
            one["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for one in page.get("Contents", ())
        ]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def documents(self, folder: str) -> list[dict[str, Any]]:
        """The JSON objects of one folder of the project."""
        found = self.objects(f"{PROJECT}/{folder}/")
        return [json.loads(body) for key, body in found.items() if key.count("/") == 2 and key.endswith(".json")]

    def names(self) -> dict[str, str]:
        """Names of servers, and their addresses, as Route53 has them."""
        route53 = self.account.client("route53")
        zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
        records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return {one["Name"].rstrip("."): one["ResourceRecords"][0]["Value"] for one in records if one["Type"] == "A"}

    def schedules(self) -> list[str]:
        return [one["Name"] for one in self.account.client("scheduler").list_schedules()["Schedules"]]

    def task_may_read(self, key: str) -> bool:
        """Whether the role of a task lets it have an object of the study's bucket."""
        role = f"arn:aws:iam::{ACCOUNT}:role/hippogym-{STACK}-task-{PROJECT}"
        keys = self.account.client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
        s3 = session.client("s3", endpoint_url=self.account.url)
        try:
            with closing(s3.get_object(Bucket=self.outputs["StudyBucket"], Key=key)["Body"]) as body:
                return bool(body.read())
        except s3.exceptions.ClientError:
            return False
        finally:
            s3.close()

    def code_key(self) -> bytes:
        """What the study's completion codes are signed with."""
        parameter = self.account.client("ssm").get_parameter(Name=f"/hippogym/{STACK}/key", WithDecryption=True)
        return study_key(base64.b64decode(parameter["Parameter"]["Value"]), PROJECT)

    def wait_for(self, what: str, so: Any, within_s: float) -> Any:
        """Until ``so()`` is something; returns it."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := so():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {within_s:.0f} s: {what}\n{self.troubles()}")

    def troubles(self) -> str:
        """What functions and tasks have said, for whoever has to find out."""
        said = [f"functions: {self.functions.problems}", f"tasks: {self.tasks.problems}"]
        for task in self.tasks.all:
            log = task.log or (task.running.log() if task.running is not None else "")
            said.append(f"{task.id}, exit code {task.code}: {log[-3000:]}")
        return "\n".join(said)


@contextmanager
def stage(work: Path, engine: Engine, scale: Scale, note: Any) -> Iterator[Stage]:
    """work: an empty folder. note: told what has been done, for the time it took."""
    with ExitStack() as stack:
        account = stack.enter_context(Account(programs=engine.name == "docker"))
        account.client("route53").create_hosted_zone(Name=ZONE, CallerReference="1")
        authority = Authority(work)
        outputs = set_up(account, work)
        make_up_for_moto(account)
        note("hippogym aws setup")
        study = make_study(work / "study", outputs, REGION, scale)
        get_ssl_certs(study, account, *authority.signed(f"*.{DOMAIN}"))
        note("get_ssl_certs.py --yes")
        functions_environment = account.environment() | {"SSL_CERT_FILE": str(authority.root)}
        functions = Functions(account.client, functions_environment, work, lambda: events.clock.shift_s)
        stack.callback(functions.close)
        events = Events(account.client, functions)
        tasks = Tasks(account.client, engine, events.happened, {"AWS_ENDPOINT_URL": account.url})
        ways = account.ways
        ways.invoke, ways.publish, ways.ran, ways.stopped = functions, events.publish, tasks.ran, tasks.stopped
        update_project(study, account, engine)
        note("updateProject.py --yes")
        stack.enter_context(events)
        stack.enter_context(tasks)
        hosts = [str(urlsplit(outputs[name]).hostname) for name in ("PageUrl", "ApiUrl")]
        tls = authority.context(*hosts)
        api = stack.enter_context(ApiGateway(lambda event: functions(f"hippogym-{STACK}-next", event), tls))
        buckets = {name: outputs[name] for name in ("PageBucket", "StudyBucket")}
        page = stack.enter_context(Distribution(account.client("s3"), buckets, outputs, tls))

        def look_up(name: str, port: int) -> tuple[str, int] | None:
            if name in hosts:
                return ("127.0.0.1", (page, api)[hosts.index(name)].port)
            address = made.names().get(name)
            return (address, port) if address is not None else None

        net = stack.enter_context(Net(look_up))
        made = Stage(work, account, authority, functions, events, tasks, net, api, page, outputs, study)
        yield made


def set_up(account: Account, work: Path) -> dict[str, str]:
    """``hippogym aws setup``; returns what it made."""
    words = ("--region", REGION, "--domain", DOMAIN, "--email", "someone@example.org", "--yes")
    hippogym("aws", "setup", *words, account=account, cwd=work)
    said = hippogym("aws", "status", "--region", REGION, "--json", account=account, cwd=work)
    return dict(json.loads(said)["outputs"])


def make_up_for_moto(account: Account) -> None:
    """What its CloudFormation leaves out, and a role's policies in a form that it can hold somebody to."""
    account.client("scheduler").create_schedule_group(Name=f"hippogym-{STACK}")
    for network in ec2_backends[ACCOUNT][REGION].vpcs.values():
        network.enable_dns_hostnames = "true"
    for role in iam_backends[ACCOUNT]["aws"].roles.values():
        for name, document in role.policies.items():
            role.policies[name] = document if isinstance(document, str) else json.dumps(document)
    s3 = account.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        shut = dict.fromkeys(SHUT, True)
        s3.put_public_access_block(Bucket=bucket["Name"], PublicAccessBlockConfiguration=shut)


def take_down(made: Stage) -> str:
    """``hippogym aws destroy``. moto removes no route tables with a stack, and then not their network."""
    ec2 = ec2_backends[ACCOUNT][REGION]
    for table in list(ec2.route_tables.values()):
        if table.main_association_id is None:
            table._associations.clear()
            ec2.delete_route_table(table.id)
    return hippogym("aws", "destroy", "--region", REGION, "--yes", account=made.account, cwd=made.work)
