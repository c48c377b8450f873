"""A server of participants, as one document: ``<projectId>/servers/<server id>.json``. It decides who does what.

wanted     somebody needs it; start_server runs the task          → starting
starting   the task is under way                                  → running, and wanted again where it ended first
running    it has an address and a name; ready_s: it has answered → wanted (interrupted), stopping
stopping   nobody needs it any more                               → stopped
stopped    there is none; who has a seat may want it again until until_s
over       maxRuntime has passed: there will be none any more

``visits`` are those who have a seat on it (seats.py), at most ``most``. The last who leaves has it stopped; where a
task is interrupted, all of them move to the next one, which has the same name and the same key.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from functions.objects import ChangedMeanwhile, Found, Objects
from functions.patience import tries

PORT = 5000
ASK_AGAIN_S = 45.0
MOST_TURNS = 8  # tasks for one server; a container that does not start is not started for ever
ALIVE = ("wanted", "starting", "running")

_STARTED_BY = re.compile(r"([A-Za-z0-9-]{1,64})/([0-9a-f]{20})/([1-9][0-9]{0,3})")

Server = dict[str, Any]


def place_of(project: str, server_id: str) -> str:
    """Where its document is."""
    return f"{project}/servers/{server_id}.json"


def name_of(server_id: str, root_domain: str) -> str:
    """Its name on the net."""
    return f"{server_id}.{root_domain}"


def new_server(project: str, server_id: str, visit_id: str, now_s: float, longest_s: float, most: int = 1) -> Server:
    """One that is wanted for the first time. longest_s: maxRuntime, over all the tasks that it may take."""
    return {
        "v": 1, "project": project, "id": server_id, "visits": [visit_id], "most": most, "state": "wanted", "turn": 1,
        "asked_s": now_s, "first_s": now_s, "until_s": now_s + longest_s, "task": None, "ip": None, "ready_s": None,
        "interruptions": 0, "why": "",
    }  # fmt: skip


def wanted_again(server: Mapping[str, Any], now_s: float, why: str) -> Server:
    """The same for another task, if there is time left; else it is over."""
    left = now_s < server["until_s"] and server["turn"] < MOST_TURNS
    return {
        **server, "state": "wanted" if left else "over", "turn": server["turn"] + 1, "asked_s": now_s, "task": None,
        "ip": None, "ready_s": None, "why": why, "interruptions": server["interruptions"] + (why == "interrupted"),
    }  # fmt: skip


def without(server: Mapping[str, Any], visit_id: str, now_s: float) -> Server | None:
    """Once this visit has left: with its last one it is to be stopped. None where that changes nothing."""
    if visit_id not in server["visits"] or server["state"] == "over":
        return None
    left = {**server, "visits": [one for one in server["visits"] if one != visit_id]}
    if not left["visits"] and server["state"] in ALIVE:
        left |= {"state": "stopping", "asked_s": now_s, "why": "nobody is left"}
    return left


def started_by(server: Mapping[str, Any]) -> str:
    """What ECS keeps with the task, so that it says whose it is."""
    return f"{server['project']}/{server['id']}/{server['turn']}"


def whose(label: str) -> tuple[str, str, int] | None:
    """Project, server and turn of a task; None for one that is not ours."""
    found = _STARTED_BY.fullmatch(label)
    return (found[1], found[2], int(found[3])) if found else None


class Servers:
    """The documents of a bucket."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def get(self, project: str, server_id: str) -> Found | None:
        """Raises RecordError."""
        return self._objects.get(place_of(project, server_id))

    def put(self, server: Server, tag: str | None) -> bool:
        """Whether it was put in the place of that version; False where somebody was quicker. Raises RecordError."""
        try:
            self._objects.put(place_of(server["project"], server["id"]), server, tag)
        except ChangedMeanwhile:
            return False
        return True

    def change(self, project: str, server_id: str, how: Callable[[Server], Server | None]) -> Server | None:
        """Put what ``how`` makes of it in its place, asked again where somebody was quicker.

        Returns it as it is then; None where there is none, or ``how`` wants no change. Raises RecordError,
        ChangedMeanwhile.
        """
        for _ in tries():
            found = self.get(project, server_id)
            after = how(found.value) if found is not None else None
            if found is None or after is None:
                return None
            if after == found.value or self.put(after, found.tag):
                return after
        raise ChangedMeanwhile


class Places:
    """Which servers have one of the project's places: the cap that guards the bill, exact however many ask at once."""

    def __init__(self, objects: Objects, most: int) -> None:
        self._objects, self._most = objects, most

    def take(self, project: str, server_id: str) -> bool:
        """Whether there is a place, or it had one already. Raises RecordError, ChangedMeanwhile."""
        return self._change(project, server_id, taking=True)

    def give_back(self, project: str, server_id: str) -> None:
        """Raises RecordError, ChangedMeanwhile."""
        self._change(project, server_id, taking=False)

    def _change(self, project: str, server_id: str, *, taking: bool) -> bool:
        key = f"{project}/places.json"
        for _ in tries():
            found = self._objects.get(key)
            taken = list(found.value["taken"]) if found is not None else []
            if (server_id in taken) == taking:
                return True
            if taking and len(taken) >= self._most:
                return False
            taken = [*taken, server_id] if taking else [one for one in taken if one != server_id]
            number = found.value["number"] + 1 if found is not None else 1
            try:
                self._objects.put(key, {"taken": taken, "number": number}, found.tag if found else None)
            except ChangedMeanwhile:
                continue
            return True
        raise ChangedMeanwhile
