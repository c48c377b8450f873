"""What the dashboards are told. Each thing is looked up at most every so often, however many dashboards are open."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from hippogym.pages.dashboard.seams import Overview, UploadStatus

logger = logging.getLogger(__name__)

PEOPLE_EVERY_S = 1.0
STUDY_EVERY_S = 2.0
MACHINE_EVERY_S = 5.0
MOST_REASONS = 5


class Kept:
    """The newest answer to a question, asked at most every ``every_s`` seconds.

    A question that fails is logged once for each kind of failure, and answered with {"trouble": a sentence}.
    """

    def __init__(self, ask: Callable[[], Awaitable[Any]], every_s: float, what: str) -> None:
        self._ask = ask
        self._every_s = every_s
        self._what = what
        self._asked_s: float | None = None
        self._answer: Any = None
        self._logged: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    async def newest(self) -> Any:
        """The answer, asked for again if it is too old."""
        async with self._one_at_a_time:
            now_s = time.monotonic()
            if self._asked_s is None or now_s - self._asked_s >= self._every_s:
                self._answer = await self._asked()
                self._asked_s = now_s
            return self._answer

    async def _asked(self) -> Any:
        try:
            return await self._ask()
        except Exception as problem:  # a ledger or disk in trouble must not take the rest of the dashboard with it
            kind = type(problem).__name__
            if kind not in self._logged:
                self._logged.add(kind)
                logger.exception("the dashboard cannot show %s", self._what)
            return {"trouble": f"{self._what} cannot be shown at the moment ({kind}); the server's log says more."}


class News:
    """Everything that is asked for the dashboards, but for the frames.

    overview: the study's way so far, None where it has no steps. upload_status: None where nothing is uploaded.
    """

    def __init__(
        self,
        snapshot: Callable[[], list[dict[str, Any]]],
        overview: Overview | None,
        records: Path,
        upload_status: UploadStatus | None,
    ) -> None:
        self._snapshot = snapshot
        self._overview = overview
        self._records = records
        self._upload_status = upload_status
        self._people = Kept(self._ask_people, PEOPLE_EVERY_S * 0.9, "Who is here")
        self._study = Kept(self._ask_study, STUDY_EVERY_S, "The study's steps and answers")
        self._machine = Kept(self._ask_machine, MACHINE_EVERY_S, "The disk and the uploads")

    async def people(self) -> list[dict[str, Any]] | dict[str, Any]:
        """One dict for each session, or {"trouble"}."""
        found: list[dict[str, Any]] | dict[str, Any] = await self._people.newest()
        return found

    async def study(self) -> Mapping[str, Any] | None:
        """The overview; None where the study has no steps."""
        found: Mapping[str, Any] | None = await self._study.newest()
        return found

    async def machine(self) -> Mapping[str, Any]:
        """Disk, load and uploads."""
        found: Mapping[str, Any] = await self._machine.newest()
        return found

    async def _ask_people(self) -> list[dict[str, Any]]:
        return self._snapshot()

    async def _ask_study(self) -> Mapping[str, Any] | None:
        return None if self._overview is None else await self._overview()

    async def _ask_machine(self) -> dict[str, Any]:
        return await asyncio.to_thread(self._look_at_machine)

    def _look_at_machine(self) -> dict[str, Any]:
        disk = shutil.disk_usage(self._records)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        facts: dict[str, Any] = {
            "disk": {"totalBytes": disk.total, "freeBytes": disk.free},
            "load": load,
            "cores": os.cpu_count(),
            "spool": None,
        }
        if self._upload_status is not None:
            facts["spool"] = self._look_at_spool(self._upload_status)
        return facts

    def _look_at_spool(self, upload_status: UploadStatus) -> dict[str, Any]:
        found = upload_status(self._records)
        reasons = {each.reason for each in found.waiting if each.reason}
        return {
            "where": found.where,
            "waiting": sum(each.closed for each in found.waiting),
            "running": sum(not each.closed for each in found.waiting),
            "waitingBytes": found.waiting_bytes,
            "uploaded": found.verified,
            "trouble": found.trouble,
            "troubleSince": found.trouble_since,
            "reasons": sorted(reasons)[:MOST_REASONS],
        }


def changes(before: Mapping[str, Mapping[str, Any]], people: list[dict[str, Any]]) -> dict[str, Any]:
    """What has changed since a page was told ``before`` (by trial): only changed facts of those who were there.

    {"changed": [{"trial", …}], "gone": [trial]}, empty where nothing has.
    """
    changed = []
    for person in people:
        known = before.get(person["trial"], {})
        new = {key: value for key, value in person.items() if key not in known or known[key] != value}
        if new:
            changed.append({**new, "trial": person["trial"]})
    here = {person["trial"] for person in people}
    gone = [trial for trial in before if trial not in here]
    return {"changed": changed, "gone": gone} if changed or gone else {}
