"""Stops a server of participants and removes its name; after an interruption has another one started.

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
from functions.patience import tries
from functions.servers import ALIVE, Places, Server, Servers, name_of, started_by, wanted_again, whose, without
from functions.start_server import NO_ROOM
from functions.surroundings import Surroundings

logger = logging.getLogger(__name__)

EARLY_S = 60.0  # by so much a schedule may be early
STUCK_S = 900.0


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
                self.stop(
                    str(message["project"]), str(message["server"]), str(message.get("why")), message.get("visit")
                )
        if event.get("source") == "aws.ecs":
            self.ended(event["detail"])

    def stop(self, project: str, server_id: str, why: str, visit_id: str | None = None) -> None:
        """Stop a server that nobody needs any more, or whose time is up.

        why: ``janitor`` where it is stuck, ``gone`` where its task is, ``no document``
        where that is; ``left`` where this visit has left unheard.
        """
        now_s = self._clock()
        if why == "left":
            self._servers.change(project, server_id, lambda server: without(server, str(visit_id), now_s))
        if why == "gone":
            self._gone(project, server_id)
        for _ in tries():
            found = self._servers.get(project, server_id)
            if found is None and why == "no document":
                Places(self._around.objects, 0).give_back(project, server_id)
                Names(self._around).remove(self._name(server_id))
                self._remove_schedule(server_id)
            after = self._after(found.value, why) if found is not None else None
            if found is None or after is None:
                return
            server = {**found.value, "state": after}
            if server != found.value and not self._servers.put(server, found.tag):
                continue
            if self._clean(server):
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
        project, server_id, turn = server["project"], server["id"], server["turn"]
        for task in self._tasks(server):
            self._stop_task(task, "nobody needs this server now")
        Names(self._around).remove(self._name(server_id))
        self._remove_schedule(server_id)
        if not self._is_down(project, server_id, turn):
            return False
        Places(self._around.objects, 0).give_back(project, server_id)

        def done(now: Server) -> Server | None:
            if now["turn"] != turn or now["state"] in ALIVE:
                return None
            return {**now, "state": "over" if now["state"] == "over" else "stopped", "ip": None, "ready_s": None}

        return self._servers.change(project, server_id, done) is not None

    def _is_down(self, project: str, server_id: str, turn: int) -> bool:
        found = self._servers.get(project, server_id)
        return found is not None and found.value["turn"] == turn and found.value["state"] not in ALIVE

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
        project, server_id, turn = ours
        interrupted = task.get("stopCode") == "SpotInterruption"
        if not interrupted and task.get("lastStatus") != "STOPPED":
            return

        def ended(server: Server) -> Server | None:
            is_this = server["turn"] == turn and server["task"] in (None, task["taskArn"])
            return self._after_end(server, task, interrupted) if is_this and server["state"] in ALIVE else None

        after = self._servers.change(project, server_id, ended)
        if after is None:
            return
        Names(self._around).remove(self._name(server_id))
        if after["state"] == "wanted":
            self._around.tell("START_TOPIC", {"project": project, "server": server_id})
        else:
            self.stop(project, server_id, "ended")

    def _gone(self, project: str, server_id: str) -> None:
        """ECS's word that this server's task has ended has not come, or has come to nothing."""
        found = self._servers.get(project, server_id)
        server = found.value if found is not None else None
        if server is None or server["task"] is None or server["state"] not in ALIVE:
            return
        with told():
            cluster = self._around.settings["CLUSTER"]
            tasks = self._around("ecs").describe_tasks(cluster=cluster, tasks=[server["task"]])["tasks"]
        plain = {"taskArn": server["task"], "startedBy": started_by(server), "lastStatus": "STOPPED"}  # long ago
        task = tasks[0] if tasks else plain
        if task.get("lastStatus") == "STOPPED":
            self.ended({**task, "startedBy": started_by(server)})

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
                self._stop_task(arn, "no document names this task")

    def remove_name(self, name: str) -> None:
        """A name that the janitor has found to be nobody's."""
        server_id, _, domain = name.partition(".")
        if domain == self._around.settings["ROOT_DOMAIN"] and whose(f"x/{server_id}/1") is not None:
            Names(self._around).remove(name)

    def _stop_task(self, arn: str, why: str) -> None:
        with told():
            try:
                self._around("ecs").stop_task(cluster=self._around.settings["CLUSTER"], task=arn, reason=why)
            except ClientError as problem:
                if code_of(problem) != "InvalidParameterException":  # it is gone already
                    raise

    def _remove_schedule(self, server_id: str) -> None:
        with told():
            try:
                group = self._around.settings["SCHEDULE_GROUP"]
                self._around("scheduler").delete_schedule(GroupName=group, Name=server_id)
            except ClientError as problem:
                if code_of(problem) != "ResourceNotFoundException":
                    raise

    def _name(self, server_id: str) -> str:
        return name_of(server_id, self._around.settings["ROOT_DOMAIN"])


_AROUND = Surroundings()


def handler(event: Mapping[str, Any], context: object) -> None:
    """What Lambda calls."""
    Stopper(_AROUND)(event)
