"""The answers of a study as tables: a row for each visit, or for each answer. Read from the ledger, also in use.

Values are those that were given: text as text, a box alone as true or false, several as a list, a file as its name and
the sha256 under which ``files`` writes its content.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from hippogym.core.study.ledger import Held
from hippogym.core.study.visit import Visit
from hippogym.data.ledger.sqlite import FILE, SqliteLedger
from hippogym.data.manifest import iso
from hippogym.errors import RecordError

Row = dict[str, Any]

_ABOUT = ("visit", "user", "condition", "site", "door", "preview", "arrived", "ended", "outcome", "code", "at_step")


class Kept(Protocol):
    """What is needed of a ledger: the one of a server of one's own, or the documents in a bucket."""

    def all(self) -> Iterator[Held]:
        """Every visit, in the order of their beginning."""

    def answers(self, visit_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every answer of a visit, or of all."""


@contextmanager
def ledger_in(records: Path) -> Iterator[SqliteLedger]:
    """The ledger of a data folder. Raises RecordError where there is none, StartError where it cannot be read."""
    path = records / FILE
    if not path.is_file():
        raise RecordError(f"there are no answers in {records}: no study with steps has kept any there")
    ledger = SqliteLedger(path)
    try:
        yield ledger
    finally:
        ledger.close()


def visits(ledger: Kept, *, previews: bool) -> list[Row]:
    """A row for each visit: who, how it ended, and the last answer to every question, with how long each step took."""
    rows = []
    for held in ledger.all():
        visit = held.visit
        if visit["preview"] and not previews:
            continue
        row = _about(visit)
        row |= {f"group.{page}": arm for page, arm in visit["groups"].items()}
        row |= {f"link.{name}": value for name, value in visit["link"].items()}
        for step, answer in visit["answers"].items():
            row |= {f"{step}.{name}": _value(value) for name, value in answer["answers"].items()}
            row[f"{step}.seconds"] = _seconds(answer)
            row[f"{step}.focus_seconds"] = answer["focus_s"]
            row[f"{step}.tries"] = visit["tries"].get(step)
            if answer["right"] is not None:
                row[f"{step}.right"] = answer["right"]
        for step, game in visit["games"].items():
            row |= {f"{step}.{name}": game.get(name) for name in ("score", "episodes", "ticks", "reason", "starts")}
        rows.append(row)
    return rows


def answers(ledger: Kept, *, previews: bool) -> list[Row]:
    """A row for each question of each answer, earlier tries included."""
    rows = []
    for held in ledger.all():
        visit = held.visit
        if visit["preview"] and not previews:
            continue
        who = {"visit": visit["id"], "user": visit["user"], "condition": visit["condition"]}
        for answer in ledger.answers(visit["id"]):
            about = {
                **who, "step": answer["step"], "page": answer["page"], "page_sha256": answer["sha256"],
                "try": answer["try"], "shown": _iso(answer["shown_s"]), "submitted": _iso(answer["submitted_s"]),
                "seconds": _seconds(answer), "focus_seconds": answer["focus_s"], "page_right": answer["right"],
            }  # fmt: skip
            rows += [{**about, "question": name, "answer": _value(value)} for name, value in answer["answers"].items()]
    return rows


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every column that some row has, in the order in which they come up."""
    found: dict[str, None] = {}
    for row in rows:
        found |= dict.fromkeys(row)
    return list(found)


def write_files(ledger: Kept, folder: Path, *, previews: bool) -> int:
    """Write what participants have uploaded, each file under its sha256; returns how many. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    shown = {held.visit["id"] for held in ledger.all() if previews or not held.visit["preview"]}
    for answer in ledger.answers():
        for value in answer["answers"].values() if answer["visit"] in shown else ():
            if isinstance(value, dict) and "base64" in value:
                content = base64.b64decode(value["base64"])
                (folder / hashlib.sha256(content).hexdigest()).write_bytes(content)
                count += 1
    return count


def as_text(value: Any) -> str:
    """A value as a text that says exactly what it was; nothing for None."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _about(visit: Visit) -> Row:
    told = {
        **visit,
        "visit": visit["id"],
        "arrived": _iso(visit["created_s"]),
        "ended": _iso(visit["ended_s"]),
        "at_step": visit["step"],
        "outcome": visit["outcome"] or ("superseded" if visit["superseded_by"] else None),
    }
    return {name: told[name] for name in _ABOUT}


def _value(value: Any) -> Any:
    """A file as its name and digest: its content is no cell."""
    if not isinstance(value, dict):
        return value
    digest = value.get("sha256") or hashlib.sha256(base64.b64decode(value["base64"])).hexdigest()
    return {"file": value["file"], "type": value.get("type", ""), "sha256": digest}


def _seconds(answer: Mapping[str, Any]) -> float | None:
    return None if answer["shown_s"] is None else round(answer["submitted_s"] - answer["shown_s"], 3)


def _iso(wall_s: float | None) -> str | None:
    return None if wall_s is None else iso(wall_s)
