"""The one thread that works with the ledger, so that the event loop never waits for a disk.

Work that waits is done together: each piece by itself, undone by itself where it fails, and then one sync of the disk
for all of them. Nobody is answered before that sync. Between pieces of work the thread writes the participants' files.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hippogym.data.ledger.sqlite import SqliteLedger
from hippogym.errors import RecordError

MOST_WAITING = 4096
MOST_TOGETHER = 64
IDLE_S = 0.5
CHORE_EVERY_S = 2.0
PATIENCE_S = 30.0  # what a chore that failed waits for before it is tried again

T = TypeVar("T")
Work = Callable[[SqliteLedger], Any]

logger = logging.getLogger(__name__)


@dataclass
class _Piece:
    work: Work
    writes: bool
    kept: Callable[[Any], None] | None = None
    done: "Future[Any]" = field(default_factory=Future)


class LedgerThread:
    """The thread. Use as a context manager; leaving it finishes what waits.

    chore: called with the ledger when nothing else waits, outside of any transaction; returns whether it has more to
    do. It may raise RecordError and OSError, and is then left alone for a while. undone: called in the thread after
    work that had been done without an error has come to nothing.
    """

    def __init__(
        self,
        path: Path,
        chore: Callable[[SqliteLedger], bool] | None = None,
        undone: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._chore = chore
        self._undone = undone
        self._chore_due_s = 0.0
        self._waiting: queue.Queue[_Piece | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "LedgerThread":
        """Raises StartError where the ledger cannot be used."""
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="ledger", daemon=True)
        self._thread.start()
        opened.result()
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what waits, and the chores. Blocks; idempotent."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    async def write(self, work: Callable[[SqliteLedger], T], kept: Callable[[T], None] | None = None) -> T:
        """Do this work in a transaction; when it is answered, it is on the disk.

        The work may be done twice, where the first time came to nothing: it must touch nothing but the ledger.
        kept: told the result, in the thread, once it is on the disk, whether or not anybody still waits for it.
        Raises what the work raises, and RecordError where the ledger cannot keep it; then nothing has happened.
        """
        done: T = await self._ask(_Piece(work, True, kept))
        return done

    async def read(self, work: Callable[[SqliteLedger], T]) -> T:
        """Ask the ledger something."""
        found: T = await self._ask(_Piece(work, False))
        return found

    async def _ask(self, piece: _Piece) -> Any:
        if self._thread is None:
            raise RecordError("the server has stopped")
        try:
            self._waiting.put_nowait(piece)
        except queue.Full:
            raise RecordError("too many are waiting for the ledger of answers") from None
        return await asyncio.wrap_future(piece.done)

    # -- in the thread -------------------------------------------------------------------------------------------

    def _run(self, opened: "Future[None]") -> None:
        try:
            ledger = SqliteLedger(self._path)
        except BaseException as problem:
            opened.set_exception(problem)
            return
        opened.set_result(None)
        going_on = True
        while going_on:
            pieces, going_on = self._next_pieces()
            for piece in [piece for piece in pieces if not piece.writes]:
                self._read(ledger, piece)
            writes = [piece for piece in pieces if piece.writes]
            if writes and not self._write(ledger, writes):
                for piece in writes:  # one of them may be what cannot be kept
                    self._write(ledger, [piece])
            self._do_chore(ledger, last=not going_on)
        ledger.close()

    def _next_pieces(self) -> tuple[list[_Piece], bool]:
        """What waits, whether more may come. Waits a moment for the first."""
        pieces: list[_Piece] = []
        try:
            piece = self._waiting.get(timeout=IDLE_S)
            while piece is not None:
                if piece.done.set_running_or_notify_cancel():
                    pieces.append(piece)
                if len(pieces) >= MOST_TOGETHER:
                    return pieces, True
                piece = self._waiting.get_nowait()
        except queue.Empty:
            return pieces, True
        return pieces, False

    def _read(self, ledger: SqliteLedger, piece: _Piece) -> None:
        try:
            with ledger.reading():
                result = piece.work(ledger)
        except Exception as problem:
            piece.done.set_exception(problem)
        else:
            piece.done.set_result(result)

    def _write(self, ledger: SqliteLedger, pieces: list[_Piece]) -> bool:
        """One transaction for all. False where it came to nothing, and they are to be done one by one."""
        results: list[Any] = []
        failures: dict[int, Exception] = {}
        try:
            with ledger.writing():
                for number, piece in enumerate(pieces):
                    results.append(self._part(ledger, piece, number, failures))
        except Exception as problem:
            self._undone()
            if len(pieces) > 1:
                return False
            for piece in pieces:
                piece.done.set_exception(problem)
            return True
        for number, piece in enumerate(pieces):
            if number in failures:
                piece.done.set_exception(failures[number])
                continue
            self._tell(piece, results[number])
        return True

    def _tell(self, piece: _Piece, result: Any) -> None:
        """It is on the disk: whatever goes wrong in being told so changes nothing about that."""
        try:
            if piece.kept is not None:
                piece.kept(result)
        except Exception:
            logger.exception("somebody could not be told that a change was kept")
        piece.done.set_result(result)

    def _part(self, ledger: SqliteLedger, piece: _Piece, number: int, failures: dict[int, Exception]) -> Any:
        """What a piece has brought; where it fails by itself, that is noted and the others go on."""
        try:
            with ledger.part():
                return piece.work(ledger)
        except Exception as problem:
            if not ledger.is_writing:
                raise
            failures[number] = problem
            return None

    def _do_chore(self, ledger: SqliteLedger, *, last: bool) -> None:
        """While nothing else waits; at the end all of it, if the disk does its part."""
        if self._chore is None or (time.monotonic() < self._chore_due_s and not last):
            return
        try:
            more = True
            while more and (last or self._waiting.empty()):
                more = self._chore(ledger)
            if not more:
                self._chore_due_s = time.monotonic() + CHORE_EVERY_S
        except (RecordError, OSError) as problem:
            self._chore_due_s = time.monotonic() + PATIENCE_S
            why = getattr(problem, "strerror", None) or str(problem)
            logger.warning("the participants' files are not up to date; they are tried again: %s", why)
        except Exception:  # a chore is never worth the ledger's thread
            self._chore_due_s = time.monotonic() + PATIENCE_S
            logger.exception("the participants' files cannot be written; they are tried again")
