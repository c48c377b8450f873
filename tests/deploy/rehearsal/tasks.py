"""ECS as far as tasks are concerned: what is accepted really runs, and what becomes of it is told as ECS tells it."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2 import ec2_backends
from moto.ecs import ecs_backends

from tests.deploy.api_gateway import Server
from tests.deploy.rehearsal.account import ACCOUNT, REGION
from tests.deploy.rehearsal.engines import Engine, Running

KIND = "ECS Task State Change"


@dataclass
class Task:
    """One task. about: as ECS describes it. code: of its program, when it has ended."""

    about: dict[str, Any]
    address: str = ""
    running: Running | None = None
    why: dict[str, str] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    code: int | None = None
    log: str = ""

    @property
    def arn(self) -> str:
        return str(self.about["taskArn"])

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


class RoleKeys(Server):
    """The keys of a task's role, where its program finds them on Fargate: at an address that the environment says."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        super().__init__()
        self._client = client
        self.roles: dict[str, str] = {}

    def answer(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        role = self.roles.get(target.strip("/"))
        if role is None:
            return 404, {}, b""
        keys = self._client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
        said = {
            "AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"], "Expiration": keys["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        return 200, {"content-type": "application/json"}, json.dumps(said).encode()


class Tasks:
    """happened: told what ECS tells. surroundings: what containers need to take the account for AWS."""

    def __init__(
        self, client: Callable[[str], Any], engine: Engine, happened: Callable[[str, str, Mapping[str, Any]], None],
        surroundings: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._client, self._engine, self._happened, self._surroundings = client, engine, happened, surroundings
        self._keys = RoleKeys(client)
        self._threads: list[threading.Thread] = []
        self.all: list[Task] = []
        self.problems: list[str] = []

    def __enter__(self) -> "Tasks":
        self._keys.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for task in self.all:
            if task.running is not None and not task.ended.is_set():
                task.running.stop(1)
        for thread in self._threads:
            thread.join(60)
        self._keys.__exit__(None, None, None)

    @property
    def alive(self) -> list[Task]:
        """Those whose program has not ended."""
        return [task for task in self.all if not task.ended.is_set()]

    # -- what the account calls --------------------------------------------------------------------------------------

    def ran(self, about: Mapping[str, Any]) -> None:
        """ECS has accepted a task: it comes to run."""
        task = Task(dict(about))
        self.all.append(task)
        self._in_background(self._life, task)

    def stopped(self, about: Mapping[str, Any], why: str) -> None:
        """Somebody has it stopped."""
        task = next((one for one in self.alive if one.arn == about["taskArn"]), None)
        if task is not None and not task.why:
            task.why = {"stopCode": "UserInitiated", "stoppedReason": why}
            self._in_background(self._stop, task)

    def interrupt(self, task: Task) -> None:
        """Spot takes the machine away: it is told, and SIGTERM comes at the same moment."""
        task.why = {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted."}
        self._in_background(self._stop, task)

    # -- how it lives ------------------------------------------------------------------------------------------------

    def _life(self, task: Task) -> None:
        try:
            definition = self._client("ecs").describe_task_definition(taskDefinition=task.about["taskDefinitionArn"])
            container = definition["taskDefinition"]["containerDefinitions"][0]
            self._keys.roles[task.id] = definition["taskDefinition"]["taskRoleArn"]
            task.address = self._address(task)
            environment = self._environment(task, container)
            task.running = self._engine.run(f"hippo-rehearsal-{task.id}", container["image"], environment)
        except Exception as problem:
            self.problems.append(f"a task could not be run: {problem}")
            task.why = {"stopCode": "TaskFailedToStart", "stoppedReason": str(problem)[:200]}
        else:
            self._tell(task, "RUNNING", task.why and "STOPPED" or "RUNNING")
            task.code = task.running.wait()
            task.log = task.running.log()
        task.why = task.why or {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container exited"}
        task.ended.set()
        ecs_backends[ACCOUNT][REGION].stop_task(task.about["clusterArn"], task.arn, task.why["stoppedReason"])
        self._tell(task, "STOPPED", "STOPPED")

    def _stop(self, task: Task) -> None:
        self._tell(task, "RUNNING", "STOPPED")
        if task.running is not None:
            definition = self._client("ecs").describe_task_definition(taskDefinition=task.about["taskDefinitionArn"])
            task.running.stop(int(definition["taskDefinition"]["containerDefinitions"][0]["stopTimeout"]))

    def _environment(self, task: Task, container: Mapping[str, Any]) -> dict[str, str]:
        """What the definition says, what start_server says, what Fargate adds; and where this machine differs."""
        overrides = task.about.get("overrides", {}).get("containerOverrides", ())
        said = [*container["environment"], *(one for override in overrides for one in override["environment"])]
        return {
            **{one["name"]: one["value"] for one in said},
            **self._surroundings,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._keys.url}/{task.id}",
            "ADDRESS": task.address,  # for 0.0.0.0: here all are on one machine, and each has its port 5000
        }

    def _address(self, task: Task) -> str:
        """A public one, at the task's network interface; moto gives them out of 127.0.0.0/8."""
        ec2 = ec2_backends[ACCOUNT][REGION]
        details = {one["name"]: one["value"] for one in task.about["attachments"][0]["details"]}
        address = ec2.allocate_address("vpc")
        ec2.associate_address(allocation_id=address.allocation_id, eni=ec2.enis[details["networkInterfaceId"]])
        return str(address.public_ip)

    def _tell(self, task: Task, last: str, desired: str) -> None:
        detail = {**task.about, "lastStatus": last, "desiredStatus": desired}
        self._happened("aws.ecs", KIND, detail | (task.why if desired == "STOPPED" else {}))

    def _in_background(self, work: Callable[[Task], None], task: Task) -> None:
        thread = threading.Thread(target=work, args=(task,), daemon=True)
        self._threads.append(thread)
        thread.start()
