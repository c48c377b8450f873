"""Every five minutes: looks for what was left behind, and has it removed by the function that stops servers.

It changes nothing by itself. What it looks at first is what is asked about last, so that nothing that is just being
made looks like something that was left.
"""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from functions.objects import told
from functions.placing import Placing
from functions.servers import ALIVE, Servers, whose
from functions.surroundings import Surroundings
from functions.update_master_list import KEY
from hippogym.errors import HippoError

logger = logging.getLogger(__name__)

YOUNG_S = 300.0
AT_ONCE = 100
UNREADABLE = (HippoError, AttributeError, KeyError, TypeError, ValueError)

Result = TypeVar("Result")

Needs = Callable[[str, str], bool]

_NAME = re.compile(r"([0-9a-f]{20})\.(.+)\Z")


class Janitor:
    """One round."""

    def __init__(self, around: Surroundings, clock: Callable[[], float] = time.time) -> None:
        self._around, self._clock = around, clock
        self._servers = Servers(around.objects)

    def __call__(self) -> int:
        """Returns how many things were to be seen to. Raises RecordError."""
        names, tasks = list(self._names()), list(self._tasks())
        running = {str(task["taskArn"]) for task in tasks if task.get("desiredStatus") != "STOPPED"}
        count: int = sum(self._alone("a task", self._task, task) or 0 for task in tasks)
        listed = self._around.objects.get(KEY)
        projects = [str(project) for project in listed.value] if listed is not None else []
        seen = [self._alone(f"study {project}", self._project, project, running) for project in projects]
        count += sum(found[0] for found in seen if found is not None)
        if None not in seen:  # else a name may be that of a server which could not be read
            live = {server_id for task in tasks if task["taskArn"] in running for server_id in _server_of(task)}
            used = live.union(*(found[1] for found in seen if found is not None))
            count += sum(
                self._alone("a name", self._left_name, name, projects) or 0 for name in names if name[0] not in used
            )
        if count:
            logger.warning("%d things were left behind", count)
        return count

    def _alone(self, what: str, look: Callable[..., Result], *about: Any) -> Result | None:
        """What one look finds; None where it comes to nothing, which keeps nobody from looking at the others."""
        try:
            return look(*about)
        except UNREADABLE:
            logger.exception("%s cannot be looked at; the others are", what)
            return None

    def _project(self, project: str, running: Collection[str]) -> tuple[int, list[str]]:
        """How many things were to be seen to, and the servers that have places. Raises one of UNREADABLE."""
        places = self._around.objects.get(f"{project}/places.json")
        taken = [str(server_id) for server_id in places.value["taken"]] if places is not None else []
        needs = self._alone(f"{project}/study.json", self._needs, project) if taken else None
        seen = [self._alone(f"a server of {project}", self._place, project, one, running, needs) for one in taken]
        return sum(found or 0 for found in seen), taken

    def _left_name(self, name: tuple[str, str], projects: Collection[str]) -> int:
        """Of a name that no place and no task has: only where the server was one of ours.

        The document is written before the name; one without any is another stack's, or of a study not in the list.
        """
        if not any(self._servers.get(project, name[0]) is not None for project in projects):
            return 0
        self._tell({"name": name[1]})
        return 1

    def _place(self, project: str, server_id: str, running: Collection[str], needs: Needs | None) -> int:
        """Of one server with a place, whatever is not as it should be."""
        found = self._servers.get(project, server_id)
        if found is None:  # it was there before it had the place
            self._tell({"project": project, "server": server_id, "why": "no document"})
            return 1
        server, now_s = found.value, self._clock()
        why = self._why(server, running, now_s)
        if why is not None:
            self._tell({"project": project, "server": server_id, "why": why})
            return 1
        if needs is None or now_s - server["asked_s"] <= YOUNG_S or server["state"] not in ALIVE:
            return 0
        gone = [visit_id for visit_id in server["visits"] if not needs(visit_id, server_id)]
        for visit_id in gone:
            self._tell({"project": project, "server": server_id, "visit": visit_id, "why": "left"})
        return len(gone)

    def _why(self, server: Mapping[str, Any], running: Collection[str], now_s: float) -> str | None:
        """One that is stuck is stopped, one that is stopped gives its place back, one whose time is up ends."""
        state, started_s = server["state"], server.get("started_s", 0.0)
        since_s = started_s if state == "starting" else max(server["asked_s"], started_s)
        if now_s >= server["until_s"]:
            return "maxRuntime"
        if state in ("starting", "running") and server["task"] not in running and now_s - started_s > YOUNG_S:
            return "gone"
        is_slow = state in ("wanted", "starting", "stopping", "stopped", "over") and now_s - since_s > YOUNG_S
        return "janitor" if is_slow else None

    def _needs(self, project: str) -> Needs | None:
        """Whether a visit needs that server; None where nothing is known of the study."""
        study = self._around.objects.get(f"{project}/study.json")
        if study is None or study.value.get("id") != project:
            return None
        placing = Placing(self._around, study.value, self._clock)

        def needs(visit_id: str, server_id: str) -> bool:
            visit = self._around.objects.get(f"{project}/visits/{visit_id}.json")
            if visit is None or not placing.needs_one(visit.value["visit"]):
                return False
            return placing.server_of(visit_id) == server_id

        return needs

    def _task(self, task: Mapping[str, Any]) -> bool:
        """A task that no document names."""
        ours = whose(str(task.get("startedBy", "")))
        created = task.get("createdAt")
        is_young = created is not None and self._clock() - created.timestamp() < YOUNG_S
        if ours is None or is_young or task.get("desiredStatus") == "STOPPED":
            return False
        found = self._servers.get(ours[0], ours[1])
        server = found.value if found is not None else None
        is_named = server is not None and server["state"] in ALIVE and server["turn"] == ours[2]
        if is_named and server is not None and server["task"] in (None, task["taskArn"]):
            return False
        self._tell({"task": task["taskArn"]})
        return True

    def _tasks(self) -> Iterator[Mapping[str, Any]]:
        cluster, ecs = self._around.settings["CLUSTER"], self._around("ecs")
        with told():
            for page in ecs.get_paginator("list_tasks").paginate(
                cluster=cluster, PaginationConfig={"PageSize": AT_ONCE}
            ):
                if page["taskArns"]:
                    yield from ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]

    def _names(self) -> Iterator[tuple[str, str]]:
        domain = self._around.settings["ROOT_DOMAIN"]
        pages = self._around("route53").get_paginator("list_resource_record_sets")
        with told():
            for page in pages.paginate(HostedZoneId=self._around.settings["HOSTED_ZONE"]):
                for record in page["ResourceRecordSets"]:
                    found = _NAME.fullmatch(record["Name"].rstrip("."))
                    if found is not None and found[2] == domain and record["Type"] == "A":
                        yield found[1], found[0]

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._around.tell("STOP_TOPIC", message)


def _server_of(task: Mapping[str, Any]) -> list[str]:
    ours = whose(str(task.get("startedBy", "")))
    return [ours[1]] if ours is not None else []


_AROUND = Surroundings()


def handler(event: Mapping[str, Any], context: object) -> None:
    """What Lambda calls."""
    Janitor(_AROUND)()
