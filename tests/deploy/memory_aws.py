"""AWS as far as the functions ask it, in memory and with the test's clock: for many participants, and for long days.

It answers as moto does (a test holds one against the other), has no quotas, and tells ``on_task`` what ECS would.
"""

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

Told = Callable[[dict[str, Any]], None]


def failed(code: str, operation: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Bucket:
    """S3. wait: called with every request, before it takes effect (a test may sleep there)."""

    clock: Callable[[], float]
    wait: Callable[[str], None] = lambda operation: None
    there: dict[str, tuple[bytes, str, float]] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def _asked(self, operation: str) -> None:
        self.count[operation] = self.count.get(operation, 0) + 1
        self.wait(operation)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._asked("GetObject")
        with self._lock:
            if Key not in self.there:
                raise failed("NoSuchKey", "GetObject")
            body, tag, _ = self.there[Key]
        return {"Body": io.BytesIO(body), "ETag": tag}

    def put_object(
        self, Bucket: str, Key: str, Body: bytes, IfMatch: str | None = None, IfNoneMatch: str | None = None, **_: Any
    ) -> dict[str, Any]:
        self._asked("PutObject")
        tag = f'"{hashlib.md5(Body).hexdigest()}"'
        with self._lock:
            old = self.there.get(Key)
            if IfMatch is not None and old is None:
                raise failed("NoSuchKey", "PutObject")
            if (IfNoneMatch is not None and old is not None) or (IfMatch is not None and old and old[1] != IfMatch):
                raise failed("PreconditionFailed", "PutObject")
            self.there[Key] = (Body, tag, self.clock())
        return {"ETag": tag}

    def delete_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        self._asked("DeleteObject")
        with self._lock:
            self.there.pop(Key, None)
        return {}

    def get_paginator(self, operation: str) -> "Pages":
        asked = {"list_objects_v2": self._listed, "list_object_versions": lambda **_: {}}[operation]
        return Pages(asked)

    def _listed(self, Prefix: str, Delimiter: str, **_: Any) -> dict[str, Any]:
        self._asked("ListObjectsV2")
        with self._lock:
            found = [(key, about[2]) for key, about in self.there.items() if key.startswith(Prefix)]
        return {
            "Contents": [
                {"Key": key, "LastModified": datetime.fromtimestamp(written_s, UTC)}
                for key, written_s in sorted(found)
                if Delimiter not in key[len(Prefix) :]
            ]
        }


@dataclass
class Pages:
    """A paginator of one page."""

    asked: Callable[..., dict[str, Any]]

    def paginate(self, **about: Any) -> Iterator[dict[str, Any]]:
        yield self.asked(**about)


@dataclass
class Tasks:
    """ECS. room: capacity provider → whether it has any. on_task: a task was made, or is to be stopped."""

    clock: Callable[[], float]
    room: Callable[[str], bool] = lambda capacity: True
    on_task: Told = lambda task: None
    all: dict[str, dict[str, Any]] = field(default_factory=dict)
    _by_token: dict[str, dict[str, Any]] = field(default_factory=dict)
    _running: dict[str, list[str]] = field(default_factory=dict)

    def run_task(
        self, startedBy: str, clientToken: str = "", capacityProviderStrategy: Any = None, **about: Any
    ) -> dict[str, Any]:
        clientToken = clientToken or f"none-{len(self.all)}"
        if clientToken in self._by_token:
            return {"tasks": [self._by_token[clientToken]]}
        capacity = capacityProviderStrategy[0]["capacityProvider"] if capacityProviderStrategy else "FARGATE"
        if not self.room(capacity):
            return {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}
        number = len(self.all) + 1
        environment = about.get("overrides", {"containerOverrides": [{"environment": []}]})["containerOverrides"][0][
            "environment"
        ]
        task = {
            "taskArn": f"arn:aws:ecs:us-west-2:123456789012:task/hippogym/{number:032x}", "startedBy": startedBy,
            "desiredStatus": "RUNNING", "lastStatus": "PROVISIONING", "capacityProviderName": capacity,
            "createdAt": datetime.fromtimestamp(self.clock(), UTC),
            "attachments": [{"details": [{"name": "networkInterfaceId", "value": f"eni-{number:x}"}]}],
            "environment": {one["name"]: one["value"] for one in environment},
        }  # fmt: skip
        self.all[task["taskArn"]] = self._by_token[clientToken] = task
        self._running.setdefault(startedBy, []).append(task["taskArn"])
        self.on_task(task)
        return {"tasks": [task]}

    def list_tasks(self, cluster: str, startedBy: str, desiredStatus: str) -> dict[str, Any]:
        arns = self._running.get(startedBy, [])
        return {"taskArns": [arn for arn in arns if self.all[arn]["desiredStatus"] == desiredStatus]}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        return {"tasks": [self.all[arn] for arn in tasks if arn in self.all]}

    def stop_task(self, cluster: str, task: str, reason: str) -> dict[str, Any]:
        found = self.all.get(task)
        if found is None or found["lastStatus"] == "STOPPED":
            raise failed("InvalidParameterException", "StopTask")
        if found["desiredStatus"] != "STOPPED":
            found |= {"desiredStatus": "STOPPED", "stopCode": "UserInitiated"}
            self.on_task(found)
        return {"task": found}

    def get_paginator(self, operation: str) -> Pages:
        return Pages(
            lambda **_: {"taskArns": [arn for arn, one in self.all.items() if one["desiredStatus"] == "RUNNING"]}
        )


@dataclass
class Names:
    """Route53: A records of one zone."""

    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: int = 0

    def change_resource_record_sets(self, HostedZoneId: str, ChangeBatch: dict[str, Any]) -> dict[str, Any]:
        self.changes += 1
        (change,) = ChangeBatch["Changes"]
        record = change["ResourceRecordSet"]
        name = record["Name"].rstrip(".") + "."
        if change["Action"] == "UPSERT":
            self.there[name] = {**record, "Name": name}
        elif self.there.get(name) != {**record, "Name": name}:
            raise failed("InvalidChangeBatch", "ChangeResourceRecordSets")
        else:
            del self.there[name]
        return {}

    def list_resource_record_sets(self, StartRecordName: str = "", **_: Any) -> dict[str, Any]:
        found = self.there.get(StartRecordName.rstrip(".") + ".")
        return {"ResourceRecordSets": [found] if found else []}

    def get_paginator(self, operation: str) -> Pages:
        return Pages(lambda **_: {"ResourceRecordSets": list(self.there.values())})


@dataclass
class Schedules:
    """EventBridge Scheduler. on_made: name, when, and what is then published."""

    on_made: Callable[[str, float, str], None] = lambda name, at_s, message: None
    there: dict[str, float] = field(default_factory=dict)

    def create_schedule(self, Name: str, ScheduleExpression: str, Target: dict[str, str], **_: Any) -> dict[str, Any]:
        if Name in self.there:
            raise failed("ConflictException", "CreateSchedule")
        at = datetime.strptime(ScheduleExpression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
        self.there[Name] = at.timestamp()
        self.on_made(Name, at.timestamp(), Target["Input"])
        return {}

    def delete_schedule(self, Name: str, **_: Any) -> dict[str, Any]:
        if Name not in self.there:
            raise failed("ResourceNotFoundException", "DeleteSchedule")
        del self.there[Name]
        return {}


class Addresses:
    """EC2: each network interface has a public address made from its id."""

    def describe_network_interfaces(self, NetworkInterfaceIds: list[str]) -> dict[str, Any]:
        number = int(NetworkInterfaceIds[0].removeprefix("eni-"), 16)
        ip = f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"
        return {"NetworkInterfaces": [{"Association": {"PublicIp": ip}}]}


def over_the_network(operation: str) -> None:
    """About as long as S3 takes in its own region."""
    time.sleep(0.02 if operation == "GetObject" else 0.04)
