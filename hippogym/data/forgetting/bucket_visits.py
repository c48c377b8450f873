"""A participant's visits on AWS, which are documents in the bucket: their answers, receipts and seats.

The log of assignments stays, as the local one does: it names visits, and a visit that is no more names nobody. So does
what a server that several shared was: its document, where they had left it, has visits' ids in older versions.
"""

import hashlib
import json
import re
import time
from typing import Any

from hippogym.core.study.visit import is_over
from hippogym.data.forgetting.person import Person
from hippogym.data.forgetting.visits import JUST_NOW_S
from hippogym.data.storage import Storage
from hippogym.data.users import SUFFIX, file_name
from hippogym.errors import RecordError

_VISIT = re.compile(r"[0-9a-f]{20}", re.ASCII)
_HAS_A_TASK = ("wanted", "starting", "running", "stopping")
_MOST_BYTES = 64 * 2**20


class BucketVisits:
    """All versions of them. Who takes part just now, or has a seat on a server that runs, is not forgotten yet."""

    title = "visits in the bucket"

    def __init__(self, store: Storage, project: str) -> None:
        self._store, self._project = store, project
        self._visits: dict[str, dict[str, Any]] | None = None

    def labels_of(self, name: str) -> list[str]:
        """The labels of those whose link has this name in it."""
        visits = self._all().values()
        return sorted({v["user"] for v in visits if name in v["link"].values() and v["user"] not in (None, name)})

    def find(self, person: Person) -> list[str]:
        """RecordError where they are taking part just now."""
        found = self._of(person.name)
        for visit_id in found:
            self._refuse_while_there(visit_id)
        count = sum(len(self._keys(place, exact)) for place, exact in self._places(person.name, found))
        return [f"{count} objects of visits in {self._store.where}, and their older versions"] if count else []

    def remove(self, person: Person) -> int:
        """The list that names their visits goes last, so that all are found again after a failure."""
        self._visits = None
        found = self._of(person.name)
        for visit_id in found:
            self._refuse_while_there(visit_id)
        places = self._places(person.name, found)
        removed = sum(self._store.erase(place, exactly=exact) for place, exact in places)
        self._visits = None
        if self._of(person.name) or any(self._keys(place, exact) for place, exact in places):
            raise RecordError(f"{self._store.where} still has something of what it said to have removed")
        return removed

    def _places(self, name: str, visits: list[str]) -> list[tuple[str, bool]]:
        """Keys, and whether it is the whole key or the beginning of one, in the order in which they go."""
        places: list[tuple[str, bool]] = []
        for visit_id in visits:
            places += [(f"visits/answers/{visit_id}/", False), (f"Trials/{visit_id}/", False)]
            places += [(f"receipts/{visit_id}.json", True), (f"servers/{visit_id}.json", True)]
            places += [(f"servers/of/{visit_id}.json", True), (f"visits/left/{visit_id}", True)]
            places += [(f"users/visit-{visit_id}.json", True), (f"visits/{visit_id}.json", True)]
        places += [(f"users/{file_name(name, '')}{SUFFIX}", True), (self._list_of(name), True)]
        return [(f"{self._project}/{place}", exact) for place, exact in places]

    def _keys(self, place: str, exact: bool) -> list[str]:
        return [key for key in self._store.keys(place) if key == place or not exact]

    def _of(self, name: str) -> list[str]:
        """The ids of their visits: by the documents, and by the list, which may name some that are half removed."""
        found = {visit_id for visit_id, visit in self._all().items() if visit["user"] == name}
        listed = self._read(f"{self._project}/{self._list_of(name)}")
        for one in listed if isinstance(listed, list) else ():
            visit_id = one.get("visit") if isinstance(one, dict) else None
            if isinstance(visit_id, str) and _VISIT.fullmatch(visit_id):
                found.add(visit_id)
        return sorted(found)

    def _all(self) -> dict[str, dict[str, Any]]:
        """Of every visit who it is of, its link, and when they were heard of. RecordError for what is no visit."""
        if self._visits is None:
            base, visits = f"{self._project}/visits/", {}
            for key in self._store.keys(base):
                visit_id = key.removeprefix(base).removesuffix(".json")
                told = self._load(key) if _VISIT.fullmatch(visit_id) and key.endswith(".json") else None
                if told is not None:
                    visits[visit_id] = _facts(told, self._store.where)
            self._visits = visits
        return self._visits

    def _refuse_while_there(self, visit_id: str) -> None:
        visit, now_s = self._all().get(visit_id), time.time()
        if visit is not None and not visit["over"] and now_s - visit["seen_s"] < JUST_NOW_S:
            raise RecordError("this participant is taking part now; wait two minutes after they have left, then try "
                              "again")  # fmt: skip
        shared = self._read(f"{self._project}/servers/of/{visit_id}.json")
        server_id = shared.get("server") if isinstance(shared, dict) else visit_id
        if not isinstance(server_id, str) or _VISIT.fullmatch(server_id) is None:
            return
        server = self._read(f"{self._project}/servers/{server_id}.json")
        if not isinstance(server, dict) or server.get("state") not in _HAS_A_TASK:
            return
        has_seat = server_id == visit_id or visit_id in server.get("visits", ())
        if has_seat and now_s < server.get("until_s", 0.0):
            raise RecordError("a server of this participant is running, and what it has on its way to the bucket would "
                              "arrive later; wait until it has stopped, then try again")  # fmt: skip

    def _read(self, key: str) -> Any:
        """What a document says; None where there is none. RecordError where it is no JSON."""
        return self._load(key) if self._keys(key, exact=True) else None

    def _load(self, key: str) -> Any:
        with self._store.fetch(key) as file:
            try:
                return json.loads(file.read(_MOST_BYTES))
            except (ValueError, RecursionError):
                raise RecordError(f"{self._store.where} has a document of the study that cannot be read") from None

    def _list_of(self, name: str) -> str:
        return f"visits/by-user/{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _facts(told: Any, where: str) -> dict[str, Any]:
    try:
        visit = told["visit"]
        link, seen_s = dict(visit["link"]), float(visit["seen_s"])
        return {"user": visit["user"], "link": link, "seen_s": seen_s, "over": is_over(visit)}
    except (KeyError, TypeError, ValueError):
        raise RecordError(f"{where} has a document of a visit that cannot be read") from None
