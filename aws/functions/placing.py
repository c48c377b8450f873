"""Whether a visit needs a server now, has one, or needs none any more: asked at every view, told to those who act."""

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from functions.objects import ChangedMeanwhile, Found
from functions.seats import Seats
from functions.servers import ASK_AGAIN_S, PORT, Servers, name_of, without
from functions.surroundings import Surroundings
from hippogym.core.study import rules
from hippogym.core.study.tickets import server_key, sign
from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import build_way
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

ANSWER_S = 2.0
DOWN = ("stopping", "stopped")


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
        self._seats = Seats(around.objects, study, clock)
        self._project = str(study["id"])
        self._way = build_way(study["study"])

    def see_to(self, visit: Visit) -> dict[str, Any] | None:
        """Have a server started or stopped as the visit needs it, however often this is asked.

        Returns the place for the game: waiting, ready, or over; None where none is needed. What AWS does not do now is
        done at the next request, or by the janitor: it keeps nobody from what they have answered, or from their token.
        """
        try:
            return self._seen_to(visit)
        except RecordError as problem:
            logger.error("a visit's server cannot be seen to now: %s", problem)
            return {"state": "waiting"} if self.needs_one(visit) else None

    def _seen_to(self, visit: Visit) -> dict[str, Any] | None:
        if not self.needs_one(visit):
            self._release_if_done(visit)
            return None
        found, now_s = self._seats.of(visit["id"]), self._clock()
        server = found.value if found is not None else None
        if found is None or server is None or visit["id"] not in server["visits"] or server["state"] in DOWN:
            server = self._seats.take(visit["id"])
            if server["state"] == "wanted" and server["asked_s"] >= now_s:  # it was made, or is wanted again
                self._ask_for(server)
            return {"state": "over" if server["state"] == "over" else "waiting"}
        if server["state"] == "over" or now_s >= server["until_s"]:
            return {"state": "over"}
        if server["state"] in ("wanted", "starting") and now_s - server["asked_s"] >= ASK_AGAIN_S:
            if self._servers.put({**server, "asked_s": now_s}, found.tag):
                self._ask_for(server)
        elif server["state"] == "running" and self._is_ready(found):
            name = name_of(server["id"], self._around.settings["ROOT_DOMAIN"])
            return {"state": "ready", "url": f"wss://{name}:{PORT}", "ticket": self._ticket(visit, server)}
        return {"state": "waiting"}

    def server_of(self, visit_id: str) -> str:
        """The id of the server that a visit plays on. Raises RecordError."""
        return self._seats.server_of(visit_id)

    def release(self, visit_id: str) -> None:
        """The visit needs no server any more. Raises RecordError."""
        server_id, now_s = self._seats.server_of(visit_id), self._clock()
        found = self._servers.get(self._project, server_id)
        if found is None:
            return
        server = found.value
        try:
            after = self._servers.change(self._project, server_id, lambda now: without(now, visit_id, now_s))
        except ChangedMeanwhile:
            raise RecordError("too many leave a server at a time") from None
        again = server["state"] == "stopping" and not server["visits"] and now_s - server["asked_s"] >= ASK_AGAIN_S
        if (after is not None and after["state"] == "stopping") or again:
            self._around.tell("STOP_TOPIC", {"project": self._project, "server": server_id, "why": "done"})

    def needs_one(self, visit: Visit) -> bool:
        """Whether the visit is where a server is needed."""
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

    def _ask_for(self, server: Mapping[str, Any]) -> None:
        self._around.tell("START_TOPIC", {"project": self._project, "server": server["id"]})

    def _is_ready(self, found: Found) -> bool:
        server = found.value
        if server["ready_s"] is not None:
            return True
        if not self._is_well(server["ip"], name_of(server["id"], self._around.settings["ROOT_DOMAIN"])):
            return False
        return self._servers.put({**server, "ready_s": self._clock()}, found.tag)

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
            "turn": server["turn"], "until_s": server["until_s"], "round": max(visit["trail"].count(step.name) - 1, 0),
        }  # fmt: skip
        return sign(server_key(self._around.key, self._project, server["id"]), "ticket", said)
