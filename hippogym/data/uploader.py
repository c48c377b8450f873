"""The server's end of the uploads: starts the process that uploads, starts it again when it dies, tells it to finish.

Nothing here can hold up the game: the process shares neither memory nor locks with it, and a thread waits for it.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import hippogym
from hippogym.data.backoff import Backoff

LONG_ENOUGH_S = 60.0  # a process that lived so long had no trouble with its start
GRACE_S = 2.0

logger = logging.getLogger(__name__)


@dataclass
class Uploader:
    """Uploads what is, and what comes, into a records folder. Use as a context manager; leaving it ends the process.

    to: the store's URL. project: the first part of every key. plain: how the process writes its log.
    """

    records: Path
    to: str
    project: str
    region: str | None = None
    plain: bool = False
    _process: "subprocess.Popen[bytes] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _drain_until_s: float | None = None
    _code: int | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Uploader":
        self._thread = threading.Thread(target=self._look_after, name="uploader", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()  # it may be killed at any moment
        if self._thread is not None:
            self._thread.join()

    @property
    def drained(self) -> bool:
        """Whether ``drain`` has come to its end with nothing left."""
        return self._drain_until_s is not None and self._code == 0

    @property
    def pid(self) -> int | None:
        """The process as it is now, for those who watch it."""
        process = self._process
        return None if process is None else process.pid

    def drain(self, seconds: float) -> bool:
        """Bring up what there is, for at most so long; returns whether nothing is left. Blocks: call it in a thread."""
        assert self._thread is not None, "the uploader has not been started"
        with self._lock:
            self._drain_until_s = time.monotonic() + seconds
            if self._process is not None:
                self._order_to_drain(self._process, seconds)
        self._ending.set()  # a pause between two starts ends
        self._thread.join(seconds + GRACE_S)
        return self.drained

    def _look_after(self) -> None:
        backoff = Backoff()
        while True:
            began_s = time.monotonic()
            if not self._start():
                return
            process = self._process
            assert process is not None
            self._code = process.wait()
            with self._lock:
                if process.stdin is not None:
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.close()
                self._process = None
            if self._is_over(self._code):
                return
            if time.monotonic() - began_s > LONG_ENOUGH_S:
                backoff.worked()
            wait_s = backoff.failed(time.monotonic()) - time.monotonic()
            how = f"was killed by signal {-self._code}" if self._code < 0 else f"ended with {self._code}"
            logger.error("the uploader %s; it is started again in %.1f s", how, wait_s)
            if self._drain_until_s is None:
                self._ending.wait(wait_s)
            else:
                time.sleep(max(0.0, min(wait_s, self._drain_until_s - time.monotonic())))

    def _is_over(self, code: int) -> bool:
        if self._drain_until_s is None:
            return self._ending.is_set()
        return code in (0, 75) or time.monotonic() >= self._drain_until_s

    def _start(self) -> bool:
        """False where it should not run any more."""
        command = [sys.executable, "-P", "-m", "hippogym.data.upload_process"]
        command += ["--records", str(self.records), "--to", self.to, "--project", self.project]
        command += ["--region", self.region] if self.region else []
        command += ["--plain"] if self.plain else []
        package = str(Path(hippogym.__file__).parent.parent)
        paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        with self._lock:
            if self._ending.is_set() and self._drain_until_s is None:
                return False
            left_s = None if self._drain_until_s is None else self._drain_until_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}, start_new_session=True
            )
            if left_s is not None:
                self._order_to_drain(self._process, left_s)
        return True

    def _order_to_drain(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; the next one is told at its start
            process.stdin.write(b"drain %.3f\n" % seconds)
            process.stdin.flush()
