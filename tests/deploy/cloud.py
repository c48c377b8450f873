"""A stack's parts under moto, with the functions called as AWS would call them; topics and the clock are the test's."""

import base64
import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from functions.janitor import Janitor
from functions.ledger import BucketLedger
from functions.names import Names
from functions.next_step import Service
from functions.objects import ChangedMeanwhile, Objects
from functions.servers import Servers
from functions.start_server import Starter
from functions.stop_server import Stopper
from functions.surroundings import Surroundings
from functions.visits import Visits
from moto import mock_aws
from moto.moto_api import state_manager

__all__ = [
    "BUCKET", "DOMAIN", "KEY", "REGION", "BucketLedger", "ChangedMeanwhile", "Cloud", "Names", "Objects", "Servers",
    "Service", "Starter", "Stopper", "Visits", "cloud", "study_document",
]  # fmt: skip

REGION, BUCKET, DOMAIN = "us-west-2", "studies-of-a-lab", "lab.example.org"
KEY = bytes(range(32))


@functools.cache
def client(service: str) -> Any:
    """Made once: moto takes what it sends, whichever account is there. Its credentials are nobody's."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    return session.client(service)


def study_document(**changes: Any) -> dict[str, Any]:
    """study.json of a small study: consent, a game, a survey."""
    from dataclasses import asdict

    from hippogym.core.study.forms import read_form

    page = "<h1>{0}</h1><label>Say a word <input name=word required></label>"
    names = ("consent.html", "survey.html", "thanks.html")
    pages = {
        name: {"html": page.format(name), "title": name, "sha256": name, "form": asdict(read_form(page.format(name)))}
        for name in names
    }
    steps = [
        {"number": 1, "name": "consent", "page": "consent.html"},
        {"number": 2, "name": "game", "page": "game"},
        {"number": 3, "name": "survey", "page": "survey.html"},
    ]
    return {
        "v": 1, "id": "pilot", "live": True, "study": {
            "id": "pilot", "name": "A pilot", "steps": steps, "final": {"page": "thanks.html"}, "maxEpisodes": 2,
        },
        "instructions": [], "origins": [], "events": {"startServerStep": 1, "stopServerStep": 3}, "maxRuntime": 30,
        "pages": pages, "variants": {}, "taskDefinition": "hippogym-pilot", "container": "hippo",
    } | changes  # fmt: skip


@dataclass
class Cloud:
    """now_s: the clock. well: whether servers answer. told: what was published and is not delivered yet."""

    settings: dict[str, str]
    now_s: float = 1_800_000_000.0
    well: bool = True
    patience_s: float = 0.05
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def client(self, service: str) -> Any:
        return client(service)

    @property
    def around(self) -> Surroundings:
        around = Surroundings(self.settings, self.client)
        around.tell = lambda topic, message: self.told.append((topic, dict(message)))  # type: ignore[method-assign]
        return around

    def deliver(self) -> None:
        """Everything that was published, until nothing is."""
        while self.told:
            topic, message = self.told.pop(0)
            event = {"Records": [{"Sns": {"Message": json.dumps(message)}}]}
            (Starter if topic == "START_TOPIC" else Stopper)(self.around, self.clock)(event)

    def ecs_says(self, function: Callable[..., Any], task: dict[str, Any]) -> None:
        function(self.around, self.clock)({"source": "aws.ecs", "detail": task})

    def ask(
        self, method: str, path: str, token: str | None = None, body: object = None,
        query: dict[str, str] | None = None, **headers: str,
    ) -> tuple[int, Any]:  # fmt: skip
        event = {
            "rawPath": path, "requestContext": {"http": {"method": method}},
            "queryStringParameters": {"projectId": "pilot"} | (query or {}),
            "headers": headers | ({"authorization": f"Bearer {token}"} if token else {}),
            "body": json.dumps(body) if body is not None else "",
        }  # fmt: skip
        service = Service(
            self.around, Visits, clock=self.clock, is_well=lambda ip, name: self.well, longest_s=self.patience_s
        )
        answer = service(event)
        return answer["statusCode"], json.loads(answer["body"] or "null")

    def arrive(self, token: str | None = None, **link: str) -> tuple[str, dict[str, Any]]:
        status, body = self.ask("POST", "/study/arrive", token, {"link": link})
        assert status == 200, body
        return body["token"], body["view"]

    def answer(self, token: str, view: dict[str, Any]) -> dict[str, Any]:
        status, body = self.ask("POST", "/study/answer", token, {"stamp": view["stamp"], "answers": {"word": "yes"}})
        assert status == 200, body
        return dict(body["view"])

    def tasks(self) -> list[dict[str, Any]]:
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster="hippogym")["taskArns"]
        return [
            task
            for task in (ecs.describe_tasks(cluster="hippogym", tasks=arns)["tasks"] if arns else [])
            if task["desiredStatus"] != "STOPPED"
        ]

    def run(self, task: dict[str, Any]) -> None:
        """ECS says that a task runs, with an address."""
        ec2 = self.client("ec2")
        details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
        address = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=details["networkInterfaceId"])
        self.ecs_says(Starter, {**task, "lastStatus": "RUNNING"})

    def names(self) -> dict[str, str]:
        records = self.client("route53").list_resource_record_sets(HostedZoneId=self.settings["HOSTED_ZONE"])
        return {
            one["Name"].rstrip("."): one["ResourceRecords"][0]["Value"]
            for one in records["ResourceRecordSets"]
            if one["Type"] == "A"
        }

    def schedules(self) -> list[str]:
        return [one["Name"] for one in self.client("scheduler").list_schedules()["Schedules"]]

    def document(self, key: str) -> Any:
        return json.load(self.client("s3").get_object(Bucket=BUCKET, Key=f"pilot/{key}")["Body"])

    def put(self, key: str, value: object) -> None:
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(value).encode())

    def janitor(self) -> int:
        return Janitor(self.around, self.clock)()


@contextmanager
def cloud(**changes: Any) -> Iterator[Cloud]:
    """A lab with one study in it."""
    with mock_aws():
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1000})
        made = Cloud({})
        s3, ec2, ecs = made.client("s3"), made.client("ec2"), made.client("ecs")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.0.0/18")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="servers", Description="servers")["GroupId"]
        zone = made.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference="1")["HostedZone"]["Id"]
        ecs.create_cluster(clusterName="hippogym")
        ecs.register_task_definition(
            family="hippogym-pilot", networkMode="awsvpc", cpu="1024", memory="2048",
            requiresCompatibilities=["FARGATE"],
            containerDefinitions=[{"name": "hippo", "image": "hippo", "memoryReservation": 1024}],
        )  # fmt: skip
        made.client("scheduler").create_schedule_group(Name="hippogym-hippogym")
        made.client("ssm").put_parameter(
            Name="/hippogym/hippogym/key", Type="SecureString", Value=base64.b64encode(KEY).decode()
        )
        made.settings |= {
            "STACK": "hippogym", "STUDY_BUCKET": BUCKET, "ROOT_DOMAIN": DOMAIN, "HOSTED_ZONE": zone.rpartition("/")[2],
            "CLUSTER": "hippogym", "SUBNETS": subnet, "SECURITY_GROUP": group, "SPOT_WEIGHT": "4",
            "ON_DEMAND_WEIGHT": "0", "MOST_TASKS": "2", "KEY_PARAMETER": "/hippogym/hippogym/key",
            "SCHEDULE_GROUP": "hippogym-hippogym", "SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
            "START_TOPIC": "arn:aws:sns:us-west-2:123456789012:start", "PAGE_ORIGIN": "https://page.example.org",
            "STOP_TOPIC": "arn:aws:sns:us-west-2:123456789012:stop",
        }  # fmt: skip
        made.put("pilot/study.json", study_document(**changes))
        made.put("project_master_list.json", {"pilot": {"id": "pilot", "live": True}})
        yield made
