"""Runs a participant's server, and gives it a name once it has an address. Everything can be repeated.

Called by the topic ``start`` ({project, server}), and by ECS when a task runs. What is to be done stands in the
server's document (servers.py); one task for one turn of it, however often the word comes. Where ECS's own word did not
come, the participant's page asks again, and then the task is looked at.
"""

import base64
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from functions.names import Names
from functions.objects import code_of, told
from functions.servers import ALIVE, ASK_AGAIN_S, Places, Server, Servers, name_of, started_by, whose
from functions.surroundings import Surroundings
from hippogym.core.study.tickets import server_key
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

NO_ROOM = re.compile(r"capacity|RESOURCE", re.IGNORECASE)
SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
MOST_INTERRUPTIONS = 2  # from here on a participant is not interrupted a further time


class Starter:
    """The function."""

    def __init__(self, around: Surroundings, clock: Callable[[], float] = time.time) -> None:
        self._around, self._clock = around, clock

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Raises RecordError, ChangedMeanwhile: then it is called again."""
        for record in event.get("Records", ()):
            message = json.loads(record["Sns"]["Message"])
            self.start(str(message["project"]), str(message["server"]))
        if event.get("source") == "aws.ecs":
            self.runs(event["detail"])

    # -- a task ------------------------------------------------------------------------------------------------------

    def start(self, project: str, server_id: str) -> None:
        """Run the task that a server's document wants; where there is one already, see what has become of it."""
        servers = Servers(self._around.objects)
        found = servers.get(project, server_id)
        if found is None or self._clock() >= found.value["until_s"]:
            return
        server, now_s = found.value, self._clock()
        if server["state"] == "starting" and now_s - server["started_s"] >= ASK_AGAIN_S:
            self._look(server)
        if server["state"] != "wanted":
            return
        study = self._around.objects.get(f"{project}/study.json")
        if study is None or study.value.get("id") != project or study.value["taskDefinition"] is None:
            raise RecordError("there is no container for this study: python3 updateProject.py")
        if not Places(self._around.objects, int(self._around.settings["MOST_TASKS"])).take(project, server_id):
            logger.warning("all places for servers are taken; participants wait")
            return
        self._schedule_end(server)
        task, capacity = self._task_of(server) or self._run(server, study.value)
        turn, about = server["turn"], {"task": task, "capacity": capacity, "started_s": now_s}

        def started(now: Server) -> Server | None:
            if now["turn"] != turn or now["task"] not in (None, task) or now["state"] not in ALIVE:
                return None
            return {**now, **about, "state": "starting"} if now["state"] == "wanted" else {**now, "capacity": capacity}

        if servers.change(project, server_id, started) is None:
            self._not_wanted(project, server_id, task)

    def _not_wanted(self, project: str, server_id: str, task: str) -> None:
        """It was not needed any more when it was there: the task goes, and everything that was made for it."""
        self._around.tell("STOP_TOPIC", {"task": task})
        self._around.tell("STOP_TOPIC", {"project": project, "server": server_id, "why": "done"})

    def _look(self, server: Server) -> None:
        """ECS's word of this task has not come, or has come to nothing."""
        with told():
            cluster = self._around.settings["CLUSTER"]
            tasks = self._around("ecs").describe_tasks(cluster=cluster, tasks=[server["task"]])["tasks"]
        if not tasks or tasks[0].get("lastStatus") == "STOPPED":
            about = {"project": server["project"], "server": server["id"], "why": "gone"}
            self._around.tell("STOP_TOPIC", about)
        elif tasks[0].get("lastStatus") == "RUNNING" and tasks[0].get("desiredStatus") == "RUNNING":
            self.runs(tasks[0])

    def _task_of(self, server: Server) -> tuple[str, str] | None:
        """The task that an earlier call has run for this turn."""
        with told():
            ecs, cluster = self._around("ecs"), self._around.settings["CLUSTER"]
            arns = ecs.list_tasks(cluster=cluster, startedBy=started_by(server), desiredStatus="RUNNING")["taskArns"]
        return (str(arns[0]), "as before") if arns else None

    def _run(self, server: Server, study: Mapping[str, Any]) -> tuple[str, str]:
        """On Spot where it has room, else on demand. Raises RecordError."""
        spot = int(self._around.settings["SPOT_WEIGHT"])
        if spot and server["interruptions"] < MOST_INTERRUPTIONS and server["why"] != "no room":
            task = self._asked(server, study, SPOT)
            if task is not None:
                return task, SPOT
            logger.warning("Spot has no room; a server is run on demand")
        task = self._asked(server, study, ON_DEMAND)
        if task is None:
            raise RecordError("Fargate has no room for a server, not on demand either")
        return task, ON_DEMAND

    def _asked(self, server: Server, study: Mapping[str, Any], capacity: str) -> str | None:
        """The task's ARN; None where there is no room. Raises RecordError."""
        own = server_key(self._around.key, server["project"], server["id"])
        environment = {
            "SERVER_ID": server["id"], "TICKET_KEY": base64.b64encode(own).decode(),
            "UNTIL_S": str(int(server["until_s"])),
        }  # fmt: skip
        settings = self._around.settings
        with told():
            try:
                answer = self._around("ecs").run_task(
                    cluster=settings["CLUSTER"],
                    taskDefinition=study["taskDefinition"],
                    count=1,
                    capacityProviderStrategy=self._strategy(capacity),
                    clientToken=f"{server['id']}-{server['turn']}-{capacity}",
                    startedBy=started_by(server),
                    tags=[
                        {"key": "hippogym", "value": settings["STACK"]},
                        {"key": "study", "value": server["project"]},
                    ],
                    networkConfiguration={
                        "awsvpcConfiguration": {
                            "subnets": settings["SUBNETS"].split(","),
                            "securityGroups": [settings["SECURITY_GROUP"]],
                            "assignPublicIp": "ENABLED",
                        }
                    },
                    overrides={
                        "containerOverrides": [
                            {
                                "name": study["container"],
                                "environment": [{"name": name, "value": value} for name, value in environment.items()],
                            }
                        ]
                    },
                )
            except ClientError as problem:
                message = problem.response.get("Error", {}).get("Message", "")
                if code_of(problem) == "ClientException" and NO_ROOM.search(message):
                    return None
                raise
        if answer["tasks"]:
            return str(answer["tasks"][0]["taskArn"])
        reasons = ", ".join(str(failure.get("reason")) for failure in answer.get("failures", ()))
        if NO_ROOM.search(reasons):
            return None
        raise RecordError(f"ECS ran no task: {reasons[:200]}")

    def _strategy(self, capacity: str) -> list[dict[str, Any]]:
        settings = self._around.settings
        if capacity == ON_DEMAND:
            return [{"capacityProvider": ON_DEMAND, "weight": 1}]
        mixed = [
            {"capacityProvider": SPOT, "weight": int(settings["SPOT_WEIGHT"])},
            {"capacityProvider": ON_DEMAND, "weight": int(settings["ON_DEMAND_WEIGHT"])},
        ]
        return [one for one in mixed if one["weight"]]

    def _schedule_end(self, server: Server) -> None:
        """Before there is a task: so that none outlives maxRuntime, whatever becomes of us."""
        settings = self._around.settings
        at = datetime.fromtimestamp(server["until_s"], UTC)
        message = {"project": server["project"], "server": server["id"], "why": "maxRuntime"}
        with told():
            try:
                self._around("scheduler").create_schedule(
                    GroupName=settings["SCHEDULE_GROUP"],
                    Name=server["id"],
                    ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                    FlexibleTimeWindow={"Mode": "OFF"},
                    ActionAfterCompletion="DELETE",
                    Target={
                        "Arn": settings["STOP_TOPIC"],
                        "RoleArn": settings["SCHEDULER_ROLE"],
                        "Input": json.dumps(message),
                    },
                )
            except ClientError as problem:
                if code_of(problem) != "ConflictException":  # it is there already, from an earlier turn
                    raise

    # -- its name ----------------------------------------------------------------------------------------------------

    def runs(self, task: Mapping[str, Any]) -> None:
        """A task runs: what ECS says of it."""
        ours, servers = whose(str(task.get("startedBy", ""))), Servers(self._around.objects)
        if ours is None:
            return
        project, server_id, turn = ours
        arn = str(task["taskArn"])

        def fits(now: Server) -> bool:
            return now["turn"] == turn and now["task"] in (arn, None) and now["state"] in ALIVE

        found = servers.get(project, server_id)
        if found is None or not fits(found.value):
            self._not_wanted(project, server_id, arn)
            return
        ip, name = self._address(task), name_of(server_id, self._around.settings["ROOT_DOMAIN"])
        if found.value["state"] == "running" and found.value["ip"] == ip:
            return
        Names(self._around).set(name, ip)
        about = {"state": "running", "task": arn, "ip": ip, "running_s": self._clock()}
        if servers.change(project, server_id, lambda now: {**now, **about} if fits(now) else None) is None:
            self._not_wanted(project, server_id, arn)  # and then the name is not, either

    def _address(self, task: Mapping[str, Any]) -> str:
        details = [one for attachment in task.get("attachments", ()) for one in attachment.get("details", ())]
        ids = [str(one["value"]) for one in details if one.get("name") == "networkInterfaceId"]
        with told():
            found = self._around("ec2").describe_network_interfaces(NetworkInterfaceIds=ids[:1])["NetworkInterfaces"]
        ip = found[0].get("Association", {}).get("PublicIp") if found else None
        if not ip:
            raise RecordError("a server has no public address yet")
        return str(ip)


_AROUND = Surroundings()


def handler(event: Mapping[str, Any], context: object) -> None:
    """What Lambda calls."""
    Starter(_AROUND)(event)
