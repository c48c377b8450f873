"""Brings what a server says of its games to the study's bucket: best effort, beside the games, until it stops."""

import logging
import tempfile
import threading
import time
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from types import TracebackType

from hippogym.data.backoff import Backoff
from hippogym.data.storage import FileRange, Storage
from hippogym.errors import StorageError

MOST_WAIT_S = 15.0
MOST_WAIT_AT_THE_END_S = 2.0
GRACE_S = 1.0

logger = logging.getLogger(__name__)


class ReceiptPost:
    """One thread. Of a visit only the newest receipts are brought. Use as a context manager."""

    def __init__(self, storage: Storage, project: str) -> None:
        self._storage, self._project = storage, project
        self._waiting: dict[str, str] = {}
        self._changed = threading.Condition()
        self._end_s: float | None = None
        self._backoff = Backoff(MOST_WAIT_S)
        self._thread = threading.Thread(target=self._bring_all, name="receipts", daemon=True)

    def __enter__(self) -> "ReceiptPost":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0.0)

    def keep(self, visit_id: str, receipts: Sequence[str]) -> None:
        """What is in the bucket for this visit is to be this. Does not wait."""
        with self._changed:
            self._waiting[visit_id] = dumps({"receipts": list(receipts)})
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Bring what waits, for at most so long, and end. Blocks: call it in a thread."""
        with self._changed:
            if self._end_s is None:
                self._end_s = time.monotonic() + seconds
                self._backoff.worked()
                self._backoff.most_s = MOST_WAIT_AT_THE_END_S
            self._changed.notify()
        self._thread.join(seconds + GRACE_S)
        with self._changed:
            if self._waiting:
                logger.error("what became of %d games did not come into the bucket", len(self._waiting))
                self._waiting.clear()

    def _bring_all(self) -> None:
        with tempfile.TemporaryDirectory(prefix="hippo-receipts-") as folder:
            while (waiting := self._next()) is not None:
                self._bring(*waiting, Path(folder) / "receipts.json")

    def _next(self) -> tuple[str, str] | None:
        """A visit and what is to be in the bucket for it. Waits for one; None: it is over."""
        with self._changed:
            while True:
                now_s = time.monotonic()
                if self._end_s is not None and (not self._waiting or now_s >= self._end_s):
                    return None
                if self._waiting and now_s >= self._backoff.due_s:
                    return next(iter(self._waiting.items()))
                ends = [at_s for at_s in (self._end_s, self._backoff.due_s if self._waiting else None) if at_s]
                self._changed.wait(max(0.0, min(ends) - now_s) if ends else None)

    def _bring(self, visit_id: str, text: str, file: Path) -> None:
        try:
            file.write_text(text)
            self._storage.replace(f"{self._project}/receipts/{visit_id}.json", FileRange(file))
        except (StorageError, OSError) as problem:
            if not self._backoff.failures:
                logger.warning("what becomes of games does not come into the bucket, and is tried again: %s", problem)
            with self._changed:
                self._backoff.failed(time.monotonic())
            return
        with self._changed:
            self._backoff.worked()
            if self._waiting.get(visit_id) == text:
                del self._waiting[visit_id]
