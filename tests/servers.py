"""Starts the real server the way a person does, for tests that talk to it."""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent


@dataclass
class RunningServer:
    """A server of a study. url: http://127.0.0.1:port; log: what it wrote to standard error so far."""

    process: subprocess.Popen
    url: str
    records: Path
    log_file: Path
    known: frozenset[str] = frozenset()  # trials that were there before this test

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, and wait; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


def write_study(folder: Path, config: str, agent: str | Path | None = None) -> Path:
    """A study in ``folder``: config.yml, and an agent (its text, a file, or None for the one that is shipped)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(config)
    if isinstance(agent, str):
        (folder / "agent.py").write_text(agent)
    else:
        shutil.copy(agent or ROOT / "agent.py", folder / "agent.py")
    return folder


@contextlib.contextmanager
def serving(
    study: Path,
    *arguments: str,
    mode: str = "dev",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    under: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """The server of a study on a free port of 127.0.0.1; killed at the end if it still runs.

    under: a command that runs it, such as unshare.
    """
    log_file = study / "server.log"
    records = study / "Trials"
    modes = [mode] if mode else []
    command = [
        *under,
        sys.executable,
        str(ROOT / "communicator.py"),
        *modes,
        "--study",
        str(study),
        "--data",
        str(records),
    ]
    command += ["--address", "127.0.0.1", "--port", "0", *arguments]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, cwd=cwd or ROOT, env={**os.environ, **(env or {})}
        )
    try:
        url = _url(process, log_file)
        yield RunningServer(process, url, records, log_file)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
        process.stdout.close()


def _url(process: subprocess.Popen, log_file: Path) -> str:
    """The address that the server prints when participants may come."""
    said = b""
    deadline = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(1.0):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            said += data
            match = re.search(rb"Play at (https?://\S+?)/\s", said)
            if match:
                return match[1].decode()
            if not data:
                break
    raise AssertionError(f"the server has not started: {said.decode()} {log_file.read_text()}")
