"""What participants have answered on AWS, read from the documents of the study's bucket; nothing is written there."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hippogym.core.study.ledger import Held
from hippogym.data.sources import Store
from hippogym.errors import RecordError

_VISIT = re.compile(r"visits/([0-9a-f]{20})\.json", re.ASCII)
_STORED = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FORMAT, _VERSION = "hippogym-visit", 1
_MOST_BYTES = 256 * 2**20


class BucketAnswers:
    """The visits below ``s3://bucket/projectId``. One document is in memory at a time."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._where = store, where

    def all(self) -> Iterator[Held]:
        """Every visit, in the order of their beginning. Raises RecordError, StorageError."""
        held = []
        for visit_id in self._ids():
            document = self._document(visit_id)
            held.append(Held(document["visit"], document["version"]))
        if not held:
            raise RecordError(
                f"there are no answers in {self._where}: expected s3://bucket/projectId of a study on AWS"
            )
        yield from sorted(held, key=lambda one: one.visit["created_s"])

    def answers(self, visit_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every answer of a visit, or of all. Raises RecordError, StorageError."""
        for one in self._ids() if visit_id is None else [visit_id]:
            for row in self._document(one)["answers"]:
                yield {"visit": one, **self._whole(one, row)}

    def _ids(self) -> Iterator[str]:
        for key in self._store.keys("visits/"):
            found = _VISIT.fullmatch(key)
            if found is not None:
                yield found[1]

    def _document(self, visit_id: str) -> dict[str, Any]:
        told = self._read(f"visits/{visit_id}.json")
        if told.get("format") != _FORMAT or told.get("v") != _VERSION:
            raise RecordError(f"{self._where} has a visit in a format that this version does not know")
        return told

    def _whole(self, visit_id: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """An answer that was too large for the visit's document is an object of its own."""
        if "stored" not in row:
            return row
        name = row["stored"]
        if not isinstance(name, str) or _STORED.fullmatch(name) is None:
            raise RecordError(f"{self._where} has an answer that cannot be read")
        return self._read(f"visits/answers/{visit_id}/{name}.json")

    def _read(self, key: str) -> dict[str, Any]:
        with self._store.fetch(key) as file:
            try:
                told = json.loads(file.read(_MOST_BYTES))
            except (ValueError, RecursionError):
                told = None
        if not isinstance(told, dict):
            raise RecordError(f"{self._where} has a document that cannot be read")
        return told
