"""A region with a clock of its own: the real functions over AWS in memory, and everything that happens by itself there.

Topics deliver, ECS starts and stops tasks and tells of it, Spot takes them away, schedules fire, the janitor comes
every five minutes, and Lambda tries again what has failed: all in the order of the clock, as fast as it can be run.
"""

import base64
import heapq
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from functions.janitor import Janitor
from functions.next_step import Service
from functions.start_server import Starter
from functions.stop_server import Stopper
from functions.surroundings import Surroundings
from functions.visits import Visits

from hippogym.errors import RecordError
from tests.deploy.cloud import BUCKET, DOMAIN, KEY, study_document
from tests.deploy.memory_aws import Addresses, Bucket, Names, Pages, Schedules, Tasks, failed

MOMENT_S, JANITOR_S = 0.3, 300.0
FAULTS = ("time-out", "answer lost", "throttled", "denied", "error")


@dataclass
class Calls:
    """Counts what AWS is asked, and lets one of it go wrong: the call number ``at``, in that way."""

    at: int = 0
    fault: str = ""
    said: list[str] = field(default_factory=list)

    def __call__(self, operation: str, ask: Callable[[], Any]) -> Any:
        self.said.append(operation)
        if len(self.said) != self.at:
            return ask()
        if self.fault == "time-out":
            raise ConnectTimeoutError(endpoint_url="https://aws")
        if self.fault == "answer lost":
            ask()
            raise ReadTimeoutError(endpoint_url="https://aws")
        raise failed({"throttled": "ThrottlingException", "denied": "AccessDenied", "error": "InternalFailure"}[
            self.fault
        ], operation)  # fmt: skip


class Asked:
    """A client of which every call is counted."""

    def __init__(self, service: str, client: Any, calls: Calls) -> None:
        self._service, self._client, self._calls = service, client, calls

    def __getattr__(self, name: str) -> Any:
        operation, plain = f"{self._service}.{name}", getattr(self._client, name)
        if name != "get_paginator":
            return lambda **about: self._calls(operation, lambda: plain(**about))
        return lambda what: Pages(
            lambda **about: self._calls(f"{self._service}.{what}", lambda: next(plain(what).paginate(**about)))
        )


@dataclass
class Parameters:
    """SSM, with the stack's key."""

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": base64.b64encode(KEY).decode()}}


@dataclass
class Topics:
    """SNS."""

    published: Callable[[str, str], None]

    def publish(self, TopicArn: str, Message: str) -> dict[str, Any]:
        self.published(TopicArn, Message)
        return {}


class World:
    """retries_s: after how long Lambda calls an event's function again that has failed; nothing: never.

    begins_s: how long a task takes until it runs, None: it cannot be started. ends_s: until it has stopped.
    """

    def __init__(
        self, calls: Calls | None = None, retries_s: tuple[float, ...] = (60.0, 120.0), most_tasks: int = 50,
        begins_s: Callable[[dict[str, Any]], float | None] = lambda task: 60.0, ends_s: float = 30.0, **study: Any,
    ) -> None:  # fmt: skip
        self.now_s = 1_800_000_000.0
        self.calls, self._retries_s = calls or Calls(), retries_s
        self._begins_s, self._ends_s = begins_s, ends_s
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        clock = lambda: self.now_s  # noqa: E731
        self.bucket, self.ecs = Bucket(clock), Tasks(clock, on_task=self._on_task)
        self.route53, self.scheduler = Names(), Schedules(self._on_schedule)
        self.services = {
            "s3": self.bucket, "ecs": self.ecs, "route53": self.route53, "scheduler": self.scheduler,
            "ec2": Addresses(), "ssm": Parameters(), "sns": Topics(self._on_topic),
        }  # fmt: skip
        self.settings = {
            "STACK": "hippogym", "STUDY_BUCKET": BUCKET, "ROOT_DOMAIN": DOMAIN, "HOSTED_ZONE": "Z1",
            "CLUSTER": "hippogym", "SUBNETS": "subnet-1", "SECURITY_GROUP": "sg-1", "SPOT_WEIGHT": "4",
            "ON_DEMAND_WEIGHT": "0", "MOST_TASKS": str(most_tasks), "KEY_PARAMETER": "/hippogym/hippogym/key",
            "SCHEDULE_GROUP": "hippogym", "SCHEDULER_ROLE": "role", "START_TOPIC": "start", "STOP_TOPIC": "stop",
            "PAGE_ORIGIN": "https://page.example.org",
        }  # fmt: skip
        self._put("pilot/study.json", study_document(**study))
        self._put("project_master_list.json", {"pilot": {"id": "pilot", "live": True}})
        self.running: dict[str, dict[str, Any]] = {}
        self.ended_s: dict[str, float] = {}
        self.most_at_once: dict[str, int] = {}
        self.after(JANITOR_S, self._janitor)

    # -- the clock ---------------------------------------------------------------------------------------------------

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (self.now_s + seconds, next(self._number), what))

    def run(self, until: Callable[[], bool], longest_s: float) -> bool:
        """Let everything happen until that is so, for at most so long; whether it came to be so."""
        end_s = self.now_s + longest_s
        while not until():
            if not self._coming or self._coming[0][0] > end_s:
                self.now_s = end_s
                return False
            self.now_s, _, what = heapq.heappop(self._coming)
            what()
        return True

    # -- functions ---------------------------------------------------------------------------------------------------

    def around(self) -> Surroundings:
        return Surroundings(self.settings, lambda service: Asked(service, self.services[service], self.calls))

    def ask(self, method: str, path: str, token: str | None = None, body: object = None) -> tuple[int, Any]:
        event = {
            "rawPath": path, "requestContext": {"http": {"method": method}},
            "queryStringParameters": {"projectId": "pilot"},
            "headers": {"authorization": f"Bearer {token}"} if token else {},
            "body": json.dumps(body) if body is not None else "",
        }  # fmt: skip
        service = Service(self.around(), Visits, clock=lambda: self.now_s, is_well=self._is_well, longest_s=0.0)
        answer = service(event)
        return answer["statusCode"], json.loads(answer["body"] or "null")

    def _called(self, function: Callable[..., Any], *event: dict[str, Any], tried: int = 0) -> None:
        try:
            function(self.around(), lambda: self.now_s)(*event)
        except RecordError:
            if tried < len(self._retries_s):
                self.after(self._retries_s[tried], lambda: self._called(function, *event, tried=tried + 1))

    def _janitor(self) -> None:
        self._called(Janitor)
        self.after(JANITOR_S, self._janitor)

    # -- what happens by itself --------------------------------------------------------------------------------------

    def _on_topic(self, topic: str, message: str) -> None:
        function = Starter if topic == "start" else Stopper
        event = {"Records": [{"Sns": {"Message": message}}]}
        self.after(MOMENT_S, lambda: self._called(function, event))

    def _on_schedule(self, name: str, at_s: float, message: str) -> None:
        def fires() -> None:
            if self.scheduler.there.get(name) == at_s:
                del self.scheduler.there[name]
                self._on_topic("stop", message)

        self.after(at_s - self.now_s, fires)

    def _on_task(self, task: dict[str, Any]) -> None:
        if task["desiredStatus"] == "STOPPED":
            self._stops(task)
            return
        owner = task["startedBy"].rpartition("/")[0]
        alive = [one for one in self.ecs.all.values() if one["lastStatus"] != "STOPPED"]
        mine = [one for one in alive if one["startedBy"].startswith(f"{owner}/") and one["desiredStatus"] != "STOPPED"]
        self.most_at_once[owner] = max(self.most_at_once.get(owner, 0), len(mine))
        begins_s = self._begins_s(task)
        if begins_s is None:
            self.after(60.0, lambda: self._cannot_start(task))
        else:
            self.after(begins_s, lambda: self._runs(task))

    def _runs(self, task: dict[str, Any]) -> None:
        if task["desiredStatus"] == "STOPPED":
            return
        task["lastStatus"] = "RUNNING"
        interface = task["attachments"][0]["details"][0]["value"]
        found = Addresses().describe_network_interfaces([interface])["NetworkInterfaces"]
        self.running[found[0]["Association"]["PublicIp"]] = task
        self._ecs_says(Starter, task)

    def _cannot_start(self, task: dict[str, Any]) -> None:
        if task["lastStatus"] != "STOPPED":
            task |= {"desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullImage"}
            self._has_stopped(task)

    def interrupt(self, task: dict[str, Any]) -> None:
        """Spot takes the machine away."""
        task |= {"desiredStatus": "STOPPED", "stopCode": "SpotInterruption"}
        self._ecs_says(Stopper, task)
        self._stops(task)

    def _stops(self, task: dict[str, Any]) -> None:
        self.after(self._ends_s, lambda: self._has_stopped(task))

    def _has_stopped(self, task: dict[str, Any]) -> None:
        if task["lastStatus"] == "STOPPED":
            return
        task["lastStatus"] = "STOPPED"
        self.ended_s[task["taskArn"]] = self.now_s
        self.running = {ip: one for ip, one in self.running.items() if one is not task}
        self._ecs_says(Stopper, task)

    def _ecs_says(self, function: Callable[..., Any], task: dict[str, Any]) -> None:
        detail = dict(task)
        self.after(MOMENT_S, lambda: self._called(function, {"source": "aws.ecs", "detail": detail}))

    def _is_well(self, ip: str, name: str) -> bool:
        task = self.running.get(ip)
        return task is not None and task["desiredStatus"] == "RUNNING"

    # -- what is there -----------------------------------------------------------------------------------------------

    def _put(self, key: str, value: object) -> None:
        self.bucket.put_object(BUCKET, key, json.dumps(value).encode())

    def document(self, key: str) -> Any:
        return json.loads(self.bucket.there[f"pilot/{key}"][0])

    def tasks(self) -> list[dict[str, Any]]:
        """Those that cost something."""
        return [task for task in self.ecs.all.values() if task["lastStatus"] != "STOPPED"]

    def left(self) -> dict[str, Any]:
        """What there is of servers; nothing of it may be left in the end."""
        return {
            "tasks": [task["startedBy"] for task in self.tasks()], "names": sorted(self.route53.there),
            "schedules": sorted(self.scheduler.there), "places": self.document("places.json")["taken"],
        }  # fmt: skip

    def lives(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Every task and how many seconds it was there."""
        for arn, task in self.ecs.all.items():
            yield task, self.ended_s.get(arn, self.now_s) - task["createdAt"].timestamp()
