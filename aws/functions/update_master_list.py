"""Writes a project's line in ``project_master_list.json``: checked, and without undoing anybody else's.

Invoked by updateProject.py with {project: {id, name, …}}. Returns {}, or {error: a sentence}.
"""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from functions.objects import ChangedMeanwhile, Objects
from functions.patience import tries
from functions.surroundings import Surroundings

KEY = "project_master_list.json"
FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str, "name": (str, type(None)), "live": bool, "researcher": (str, type(None)),
    "teamMembers": (str, list, type(None)), "steps": dict, "events": dict, "maxRuntime": (int, float),
}  # fmt: skip
LONGEST = 64 * 2**10

_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


def problem_of(entry: object) -> str | None:
    """What is wrong with a line, as a sentence; None where all is well."""
    if not isinstance(entry, dict):
        return "expected {project: {id, name, live, …}}"
    for name, value in entry.items():
        wanted = FIELDS.get(name)
        if wanted is None:
            return f"a project has no {str(name)[:40]!r}"
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            return f"{name} is a {type(value).__name__}"
    missing = [name for name in ("id", "live") if name not in entry]
    if missing:
        return f"{', '.join(missing)} is missing"
    if not _ID.match(entry["id"]):
        return "id has letters, digits and -, at most 64"
    return "the line is too long" if len(repr(entry)) > LONGEST else None


def update(objects: Objects, entry: Mapping[str, Any], now_s: float) -> None:
    """Raises RecordError, ChangedMeanwhile."""
    for _ in tries():
        found = objects.get(KEY)
        listed = dict(found.value) if found is not None else {}
        there = {name: value for name, value in listed.get(entry["id"], {}).items() if name != "updated"}
        if there == dict(entry):
            return
        at = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            objects.put(KEY, {**listed, entry["id"]: {**entry, "updated": at}}, found.tag if found else None)
        except ChangedMeanwhile:
            continue
        return
    raise ChangedMeanwhile


_AROUND = Surroundings()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls."""
    entry = event.get("project")
    problem = problem_of(entry)
    if problem is not None or not isinstance(entry, dict):
        return {"error": f"The line was not written: {problem}."}
    update(_AROUND.objects, entry, time.time())
    return {}
