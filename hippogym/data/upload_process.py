"""The process that uploads: it looks into the records folder, and shares nothing with the game but the machine.

Started by uploader.py, which it listens to on its standard input: ``drain SECONDS`` means to bring up what there is and
end, with 0 when nothing is left and 75 otherwise. When that input ends, the server has died, and so does this process;
it may be killed at any moment without harm.
"""

import argparse
import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from hippogym.data.delivery import Delivery
from hippogym.data.records_scan import Found, RecordsScan
from hippogym.data.spool import Spool
from hippogym.data.storage import ANSWER_S, Storage, open_storage
from hippogym.data.upload_queue import Job, UploadQueue
from hippogym.data.upload_status import write_status
from hippogym.data.users import FOLDER as USERS
from hippogym.data.users_delivery import ERASE, UsersDelivery
from hippogym.errors import StorageError
from hippogym.logs import start_logging

WORKERS = 4
LOOK_EVERY_S = 1.0
LOOK_WHEN_DRAINING_S = 0.2
LONGEST_BETWEEN_LOOKS_S = 4.0  # in a folder so full that looking takes its time
STATUS_EVERY_S = 1.0
LEFT = 75  # EX_TEMPFAIL: nothing is lost, but not all is done
STUCK = 70
_NICENESS = 10

logger = logging.getLogger("hippogym.uploads")


def main() -> NoReturn:
    """Run until told to end. Ends without waiting for its threads: one may hang in a request that nobody answers."""
    arguments = _arguments()
    start_logging(plain=arguments.plain)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the server, which then tells us
    for theirs in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(theirs).setLevel(logging.CRITICAL)  # their lines hold keys, and with them names
    os.nice(_NICENESS)
    code = 2
    try:
        storage = open_storage(arguments.to, region=arguments.region, answer_s=arguments.answer_within)
        code = Uploading(arguments.records, storage, arguments.project).run(sys.stdin.fileno())
    except StorageError as problem:
        logger.error("nothing can be uploaded: %s", problem)
    except Exception:
        logger.exception("the uploader has failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hippogym.data.upload_process")
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--region")
    parser.add_argument("--answer-within", type=float, default=ANSWER_S, metavar="SECONDS")
    parser.add_argument("--plain", action="store_true")
    return parser.parse_args()


class Uploading:
    """The loop. Only this thread touches the queue; the workers each bring one record a step further."""

    def __init__(self, records: Path, storage: Storage, project: str) -> None:
        self._records = records
        self._storage = storage
        self._spool = Spool(records)
        self._scan = RecordsScan(records)
        self._delivery = Delivery(records, self._spool, storage, project)
        self._users = UsersDelivery(records, storage, project)
        self._queue = UploadQueue()
        self._workers = ThreadPoolExecutor(WORKERS, "upload")
        self._jobs: dict[Future[bool], tuple[Job, float]] = {}
        self._wake_out, self._wake_in = socket.socketpair()
        self._deadline_s: float | None = None
        self._orders = b""
        self._look_s = 0.0
        self._changed = True
        self._status_s = 0.0

    def run(self, orders_fd: int) -> int:
        """Returns the exit code. Raises OSError where the records folder cannot be used at all."""
        self._spool.open()
        self._users.open()
        os.set_blocking(orders_fd, False)
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        logger.info("records are uploaded to %s", self._storage.where)
        with selectors.DefaultSelector() as selector:
            selector.register(orders_fd, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(self._wait_s()):
                    if key.fileobj is self._wake_out:
                        self._wake_out.recv(4096)
                    elif not self._obey(os.read(orders_fd, 4096)):
                        return LEFT  # the server is gone
                code = self._turn(time.monotonic())
                if code is not None:
                    self._write_status()
                    return code

    def _turn(self, now_s: float) -> int | None:
        """Collect, look, begin; returns the exit code when it is time."""
        self._collect(now_s)
        if now_s >= self._look_s:
            waiting = [found for found in self._scan.look() if not self._spool.is_done(found.record)]
            of_users = self._users.waiting(now=self._deadline_s is not None)
            self._queue.saw(waiting + of_users, now_s)
            every_s = LOOK_EVERY_S if self._deadline_s is None else LOOK_WHEN_DRAINING_S
            took_s = time.monotonic() - now_s
            self._look_s = now_s + max(every_s, min(20 * took_s, LONGEST_BETWEEN_LOOKS_S))
            if self._deadline_s is not None and self._queue.nothing_more_to_do():
                return LEFT if self._queue.found else 0
        if self._deadline_s is not None and now_s >= self._deadline_s:
            return LEFT
        for job in self._queue.take(now_s):
            found = self._queue.found[job] if job is not None else None
            future = self._workers.submit(self._work, found)
            self._jobs[future] = job, now_s + _longest_s(found)
            future.add_done_callback(self._wake)
        if any(now_s > limit_s for _, limit_s in self._jobs.values()):
            logger.error("an upload does not come to an end; the uploader is started again")
            return STUCK
        if self._changed and now_s >= self._status_s:
            self._write_status()
            self._status_s = now_s + STATUS_EVERY_S
        return None

    def _work(self, found: Found | None) -> bool:
        """In a thread. Returns whether a record was brought to its end."""
        if found is None:
            self._storage.check()
        elif found.record.trial in (USERS, ERASE):
            self._users.deliver(found.record)
        elif found.closed:
            self._delivery.finish(found)
            logger.info("uploaded %s, %d bytes", found.record.name, found.bytes)
        else:
            with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile; the next look will tell
                self._delivery.send_part(found.record)
        return found is not None and found.closed

    def _collect(self, now_s: float) -> None:
        for future in [future for future in self._jobs if future.done()]:
            job, _ = self._jobs.pop(future)
            self._changed = True
            problem = future.exception()
            if problem is None:
                over = self._queue.worked(job, finished=future.result())
                if over is not None:
                    logger.info("uploads work again, after %.0f s", time.time() - over.since_s)
                continue
            store = isinstance(problem, StorageError)
            if store:
                reason = str(problem)
            elif isinstance(problem, OSError):
                reason = problem.strerror or str(problem)
            else:
                reason = f"{type(problem).__name__} in the uploader"
                logger.error("an upload has failed in a way that it should not", exc_info=problem)
            if self._queue.failed(job, reason, now_s, time.time(), store=store):
                self._report(job, problem, reason)

    def _report(self, job: Job, problem: BaseException, reason: str) -> None:
        """The first time; the status says the rest."""
        if isinstance(problem, StorageError):
            level = logging.ERROR if problem.denied else logging.WARNING
            logger.log(level, "uploads wait, and are tried again: %s", reason)
        elif job is not None:
            logger.error("%s cannot be uploaded, and is tried again: %s", job.name, reason)

    def _obey(self, data: bytes) -> bool:
        """False when there is nobody any more who could give orders."""
        self._orders += data
        *lines, self._orders = self._orders.split(b"\n")
        for line in lines:
            order, _, seconds = line.decode("ascii", "replace").partition(" ")
            if order == "drain":
                self._deadline_s = time.monotonic() + float(seconds)
                self._queue.drain()
                self._look_s = 0.0
        return bool(data)

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        moments = [self._look_s, self._queue.next_due_s(), self._deadline_s]
        trouble = self._queue.store_trouble
        if trouble is not None:
            moments.append(trouble.backoff.due_s)
        coming = [moment for moment in moments if moment is not None and moment > now_s]
        return min(LOOK_EVERY_S, max(0.0, min(coming, default=now_s) - now_s)) if self._look_s > now_s else 0.0

    def _wake(self, _: object) -> None:
        try:
            self._wake_in.send(b".")
        except BlockingIOError:
            return  # it has been woken often enough

    def _write_status(self) -> None:
        self._changed = False
        try:
            write_status(self._records, self._storage.where, self._queue)
        except OSError as problem:  # a full disk; the records are what matters
            logger.warning("the status of uploads could not be written: %s", problem.strerror)


def _longest_s(found: Found | None) -> float:
    """After which a job must hang, as every request has its own deadlines."""
    return 600.0 + (found.bytes / 1000 if found is not None else 0)


if __name__ == "__main__":
    main()
