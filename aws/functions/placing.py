"""Whether a visit needs a server now, has one, or needs none any more: asked at every view, told to those who act."""

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from functions.objects import Found
from functions.servers import ALIVE, ASK_AGAIN_S, PORT, Servers, name_of, new_server, wanted_again
from functions.surroundings import Surroundings
from hippogym.core.study import rules
from hippogym.core.study.tickets import server_key, sign
from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import build_way

logger = logging.getLogger(__name__)

ANSWER_S = 2.0


def answers(ip: str, name: str) -> bool:
    """Whether the server at this address is well, and has a certificate that a browser will believe for its name."""
    try:
        with (
            socket.create_connection((ip, PORT), ANSWER_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=name) as secure,
        ):
            connection = http.client.HTTPConnection(name, PORT, timeout=ANSWER_S)
            connection.sock = secure
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


class Placing:
    """For one project. is_well: whether a server answers."""

    def __init__(
        self, around: Surroundings, study: Mapping[str, Any], clock: Callable[[], float] = time.time,
        is_well: Callable[[str, str], bool] = answers,
    ) -> None:  # fmt: skip
        self._around, self._study, self._clock, self._is_well = around, study, clock, is_well
        self._servers = Servers(around.objects)
        self._project = str(study["id"])
        self._way = build_way(study["study"])

    def see_to(self, visit: Visit) -> dict[str, Any] | None:
        """Have a server started or stopped as the visit needs it, however often this is asked. Raises RecordError.

        Returns the place for the game: waiting, ready, or over; None where none is needed.
        """
        if not self._needs_one(visit):
            self._release_if_done(visit)
            return None
        found = self._servers.get(self._project, visit["id"])
        server = found.value if found is not None else None
        now_s = self._clock()
        if server is None or found is None:
            server = new_server(self._project, visit["id"], now_s, 60.0 * self._study["maxRuntime"])
            self._ask_for(server, None)
            return {"state": "waiting"}
        if server["state"] == "over" or now_s >= server["until_s"]:
            return {"state": "over"}
        if server["state"] in ("stopping", "stopped"):
            self._ask_for(wanted_again(server, now_s, "needed again"), found.tag)
        elif server["state"] == "wanted" and now_s - server["asked_s"] >= ASK_AGAIN_S:
            self._ask_for({**server, "asked_s": now_s}, found.tag)
        elif server["state"] == "running" and self._is_ready(found):
            return {"state": "ready", "url": f"wss://{self._name(visit)}:{PORT}", "ticket": self._ticket(visit, server)}
        return {"state": "waiting"}

    def release(self, visit_id: str) -> None:
        """The visit needs no server any more. Raises RecordError."""
        found = self._servers.get(self._project, visit_id)
        if found is None:
            return
        server, now_s = found.value, self._clock()
        again = server["state"] == "stopping" and now_s - server["asked_s"] >= ASK_AGAIN_S
        if server["state"] not in ALIVE and not again:
            return
        if self._servers.put({**server, "state": "stopping", "asked_s": now_s}, found.tag):
            self._around.tell("STOP_TOPIC", {"project": self._project, "visit": visit_id, "why": "done"})

    def _needs_one(self, visit: Visit) -> bool:
        if is_over(visit) or self._study["taskDefinition"] is None:
            return False
        step, events = rules.current(self._way, visit), self._study["events"]
        start, stop = events.get("startServerStep"), events.get("stopServerStep")
        begun = start is None or step.number >= start
        return step.is_game or (start is not None and begun and (stop is None or step.number < stop))

    def _release_if_done(self, visit: Visit) -> None:
        """Before the start step there is nothing to release, and nobody needs to be asked."""
        step, start = rules.current(self._way, visit), self._study["events"].get("startServerStep")
        if is_over(visit) or start is None or step.number >= start:
            self.release(visit["id"])

    def _ask_for(self, server: dict[str, Any], tag: str | None) -> None:
        if self._servers.put(server, tag) and server["state"] == "wanted":
            self._around.tell("START_TOPIC", {"project": self._project, "visit": server["visit"]})

    def _is_ready(self, found: Found) -> bool:
        server = found.value
        if server["ready_s"] is not None:
            return True
        if not self._is_well(server["ip"], name_of(server["visit"], self._around.settings["ROOT_DOMAIN"])):
            return False
        return self._servers.put({**server, "ready_s": self._clock()}, found.tag)

    def _name(self, visit: Visit) -> str:
        return name_of(visit["id"], self._around.settings["ROOT_DOMAIN"])

    def _ticket(self, visit: Visit, server: Mapping[str, Any]) -> str:
        """What the server has to know of the visit, in words that only the stack can sign."""
        step = rules.current(self._way, visit)
        game = visit["games"].get(step.name)
        condition = self._way.conditions.get(visit["condition"] or "")
        said = {
            "visit": visit["id"], "user": visit["user"], "step": step.name, "condition": visit["condition"],
            "overrides": [dict(one) for one in self._way.overrides(visit["condition"], step)],
            "agent": dict(condition.agent) if condition is not None else {},
            "episodes_done": game["episodes"] if game is not None else 0, "preview": visit["preview"],
            "turn": server["turn"], "until_s": server["until_s"],
        }  # fmt: skip
        return sign(server_key(self._around.key, self._project, visit["id"]), "ticket", said)
