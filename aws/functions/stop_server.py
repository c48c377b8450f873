"""Stops a participant's server and removes its name; after an interruption has another one started.

Called by the topic ``stop``, by the scheduler when maxRuntime has passed, and by ECS when a task ends. Everything can
be repeated: the document (servers.py) says what is to be, and only at the end that it is so.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from functions.names import Names
from functions.objects import ChangedMeanwhile, code_of, told
from functions.servers import ALIVE, Places, Server, Servers, name_of, started_by, wanted_again, whose
from functions.start_server import NO_ROOM
from functions.surroundings import Surroundings

logger = logging.getLogger(__name__)

EARLY_S = 60.0  # by so much a schedule may be early
STUCK_S = 900.0
TRIES = 5


class Stopper:
    """The function."""

    def __init__(self, around: Surroundings, clock: Callable[[], float] = time.time) -> None:
        self._around, self._clock = around, clock
        self._servers = Servers(around.objects)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Raises RecordError, ChangedMeanwhile: then it is called again."""
        for record in event.get("Records", ()):
            message = json.loads(record["Sns"]["Message"])
            if "task" in message:
                self.stop_if_nobodys(str(message["task"]))
            elif "name" in message:
                self.remove_name(str(message["name"]))
            else:
                self.stop(str(message["project"]), str(message["visit"]), str(message.get("why")))
        if event.get("source") == "aws.ecs":
            self.ended(event["detail"])

    def stop(self, project: str, visit_id: str, why: str) -> None:
        """Stop a server that nobody needs any more, or whose time is up; ``janitor``: one that is stuck."""
        for _ in range(TRIES):
            found = self._servers.get(project, visit_id)
            if found is None:
                return
            server, state = found.value, found.value["state"]
            after = self._after(server, why)
            if after is None:
                return
            if after != state and not self._servers.put({**server, "state": after}, found.tag):
                continue
            if self._clean({**server, "state": after}):
                return
        raise ChangedMeanwhile

    def _after(self, server: Server, why: str) -> str | None:
        """The state that it is to have before anything is stopped; None where it is to run on."""
        state, now_s = server["state"], self._clock()
        if state == "over" or now_s >= server["until_s"] - EARLY_S:
            return "over"
        if state in ("stopping", "stopped"):
            return str(state)
        since_s = server["asked_s"] if state == "wanted" else server.get("started_s", now_s)
        is_stuck = state in ("wanted", "starting") and now_s - since_s > STUCK_S
        return "stopping" if why == "janitor" and is_stuck else None

    def _clean(self, server: Server) -> bool:
        """Nothing is left of it, and then its place is free; False where the document was changed meanwhile."""
        project, visit_id = server["project"], server["visit"]
        for task in self._tasks(server):
            self._stop_task(task, "this visit needs no server now")
        Names(self._around).remove(self._name(visit_id))
        self._remove_schedule(visit_id)
        found = self._servers.get(project, visit_id)
        if found is None or found.value["turn"] != server["turn"] or found.value["state"] in ALIVE:
            return False
        Places(self._around.objects, 0).give_back(project, visit_id)
        after = "over" if found.value["state"] == "over" else "stopped"
        done = {**found.value, "state": after, "ip": None, "ready_s": None}
        return done == found.value or self._servers.put(done, found.tag)

    def _tasks(self, server: Server) -> list[str]:
        """The document's task, and one that was run for it without coming into it."""
        with told():
            ecs, cluster = self._around("ecs"), self._around.settings["CLUSTER"]
            running = ecs.list_tasks(cluster=cluster, startedBy=started_by(server), desiredStatus="RUNNING")["taskArns"]
        return [str(arn) for arn in running]

    # -- what ECS says -------------------------------------------------------------------------------------------

    def ended(self, task: Mapping[str, Any]) -> None:
        """A task ends: interrupted by Spot, not started, or by itself. (Where we have stopped it, that is known.)"""
        ours = whose(str(task.get("startedBy", "")))
        if ours is None:
            return
        project, visit_id, turn = ours
        interrupted = task.get("stopCode") == "SpotInterruption"
        if not interrupted and task.get("lastStatus") != "STOPPED":
            return
        for _ in range(TRIES):
            found = self._servers.get(project, visit_id)
            if found is None or found.value["turn"] != turn or found.value["state"] not in ALIVE:
                return
            if found.value["task"] not in (None, task["taskArn"]):
                return
            after = self._after_end(found.value, task, interrupted)
            if not self._servers.put(after, found.tag):
                continue
            Names(self._around).remove(self._name(visit_id))
            if after["state"] == "wanted":
                self._around.tell("START_TOPIC", {"project": project, "visit": visit_id})
            else:
                self.stop(project, visit_id, "ended")
            return
        raise ChangedMeanwhile

    def _after_end(self, server: Server, task: Mapping[str, Any], interrupted: bool) -> Server:
        now_s = self._clock()
        if interrupted:
            return wanted_again(server, now_s, "interrupted")
        if task.get("stopCode") == "TaskFailedToStart":
            no_room = NO_ROOM.search(str(task.get("stoppedReason", "")))
            return wanted_again(server, now_s, "no room" if no_room else "did not start")
        return {**server, "state": "stopping", "why": "its program ended"}  # who still needs one is seen to by the page

    # -- what is nobody's ----------------------------------------------------------------------------------------

    def stop_if_nobodys(self, arn: str) -> None:
        """A task that no document names."""
        with told():
            cluster = self._around.settings["CLUSTER"]
            tasks = self._around("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        for task in tasks:
            ours = whose(str(task.get("startedBy", "")))
            found = self._servers.get(ours[0], ours[1]) if ours is not None else None
            is_named = (
                found is not None
                and ours is not None
                and found.value["state"] in ALIVE
                and (found.value["task"] == arn or (found.value["turn"] == ours[2] and found.value["task"] is None))
            )
            if ours is not None and not is_named and task.get("desiredStatus") != "STOPPED":
                self._stop_task(arn, "no visit has this server")

    def remove_name(self, name: str) -> None:
        """A name that the janitor has found to be nobody's."""
        visit_id, _, domain = name.partition(".")
        if domain == self._around.settings["ROOT_DOMAIN"] and whose(f"x/{visit_id}/1") is not None:
            Names(self._around).remove(name)

    def _stop_task(self, arn: str, why: str) -> None:
        with told():
            try:
                self._around("ecs").stop_task(cluster=self._around.settings["CLUSTER"], task=arn, reason=why)
            except ClientError as problem:
                if code_of(problem) != "InvalidParameterException":  # it is gone already
                    raise

    def _remove_schedule(self, visit_id: str) -> None:
        with told():
            try:
                group = self._around.settings["SCHEDULE_GROUP"]
                self._around("scheduler").delete_schedule(GroupName=group, Name=visit_id)
            except ClientError as problem:
                if code_of(problem) != "ResourceNotFoundException":
                    raise

    def _name(self, visit_id: str) -> str:
        return name_of(visit_id, self._around.settings["ROOT_DOMAIN"])


_AROUND = Surroundings()


def handler(event: Mapping[str, Any], context: object) -> None:
    """What Lambda calls."""
    Stopper(_AROUND)(event)
