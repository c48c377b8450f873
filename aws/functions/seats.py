"""Which server a visit plays on: one of its own, or with ``participantsPerTask`` one that several share.

A server of one's own has the visit's id, so that nothing more has to be known. Shared ones have ids of their own:

    <projectId>/servers/of/<visit id>.json   {server}   written before the seat is taken, so that no seat is ever lost
    <projectId>/servers/open/now.json        {server}   the one that is being filled

A seat is taken by writing the visit into the server's document, in the place of the version that was read: so there are
never more than fit. Who comes late gets another server: everybody has most of maxRuntime before theirs ends.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from functions.objects import ChangedMeanwhile, Found, Objects
from functions.patience import tries
from functions.servers import ALIVE, Server, Servers, new_server, wanted_again
from hippogym.errors import RecordError

FILLING = 0.25  # the part of maxRuntime in which a shared server takes in newcomers


def per_task(study: Mapping[str, Any]) -> int:
    """participantsPerTask of study.json."""
    return int(study.get("awsSetup", {}).get("participantsPerTask", 1))


class Seats:
    """Those of one project. All of this raises RecordError."""

    def __init__(self, objects: Objects, study: Mapping[str, Any], clock: Callable[[], float]) -> None:
        self._objects, self._clock = objects, clock
        self._servers = Servers(objects)
        self._project, self._longest_s = str(study["id"]), 60.0 * study["maxRuntime"]
        self.most = per_task(study)

    def server_of(self, visit_id: str) -> str:
        """The id of the server on which a visit has or had its seat; its own where it never had one."""
        pointer = self._pointer(visit_id)
        return visit_id if pointer is None else str(pointer.value["server"])

    def of(self, visit_id: str) -> Found | None:
        """The document of that server."""
        return self._servers.get(self._project, self.server_of(visit_id))

    def take(self, visit_id: str) -> Server:
        """The server with this visit on it, which may have to be started; ``over`` where there will be none again."""
        for _ in tries():
            try:
                server = self._own(visit_id) if self.most == 1 else self._shared(visit_id)
            except ChangedMeanwhile:
                continue
            if server is not None:
                return server
        raise RecordError("too many look for a server at a time")

    def _own(self, visit_id: str) -> Server | None:
        return self._seated(visit_id, visit_id)

    def _shared(self, visit_id: str) -> Server | None:
        pointer = self._pointer(visit_id)
        server_id = str(pointer.value["server"]) if pointer is not None else self._open()
        if pointer is None:
            self._objects.put(self._pointer_place(visit_id), {"server": server_id}, None)
        server = self._seated(visit_id, server_id)
        if server is None and pointer is not None:
            self._objects.put(self._pointer_place(visit_id), {"server": self._open(server_id)}, pointer.tag)
        return server

    def _seated(self, visit_id: str, server_id: str) -> Server | None:
        """The server with the visit on it; None where it takes nobody any more. Raises ChangedMeanwhile."""
        found, now_s = self._servers.get(self._project, server_id), self._clock()
        if found is None:
            return self._kept(new_server(self._project, server_id, visit_id, now_s, self._longest_s, self.most), None)
        server: Server = found.value
        has_seat, is_own = visit_id in server["visits"], server_id == visit_id
        if server["state"] == "over" or now_s >= server["until_s"]:
            return {**server, "state": "over"} if has_seat or is_own else None
        if server["state"] in ALIVE and has_seat:
            return server
        if server["state"] in ALIVE and (is_own or self._takes_in(server, now_s)):
            return self._kept({**server, "visits": [*server["visits"], visit_id]}, found.tag)
        if server["state"] not in ALIVE and (has_seat or is_own):
            seats = server["visits"] if has_seat else [*server["visits"], visit_id]
            return self._kept({**wanted_again(server, now_s, "needed again"), "visits": seats}, found.tag)
        return None

    def _takes_in(self, server: Server, now_s: float) -> bool:
        is_new = bool(now_s - server["first_s"] <= FILLING * (server["until_s"] - server["first_s"]))
        return is_new and len(server["visits"]) < server["most"]

    def _kept(self, server: Server, tag: str | None) -> Server:
        if not self._servers.put(server, tag):
            raise ChangedMeanwhile
        return server

    def _open(self, instead_of: str = "") -> str:
        """The server that is being filled; another one than that. Raises ChangedMeanwhile."""
        key = f"{self._project}/servers/open/now.json"
        found = self._objects.get(key)
        if found is not None and found.value["server"] != instead_of:
            return str(found.value["server"])
        fresh = secrets.token_hex(10)
        self._objects.put(key, {"server": fresh}, found.tag if found is not None else None)
        return fresh

    def _pointer(self, visit_id: str) -> Found | None:
        return None if self.most == 1 else self._objects.get(self._pointer_place(visit_id))

    def _pointer_place(self, visit_id: str) -> str:
        return f"{self._project}/servers/of/{visit_id}.json"
