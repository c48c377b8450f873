"""Disks that are full when a test wants it: a tmpfs, which needs root, and the limit on the size of files."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RunningServer
from tests.survival.campaign import trial_processes

MOUNTED_BYTES = 72 * 2**20  # the server wants 64 MB when it starts


@contextlib.contextmanager
def mounted(folder: Path, size_bytes: int = MOUNTED_BYTES) -> Iterator[Path]:
    """A tmpfs at this folder; the test is skipped where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def standing_still(server: RunningServer) -> Iterator[None]:
    """No trial writes meanwhile."""
    trials = trial_processes(server)
    for trial in trials:
        trial.suspend()
    try:
        yield
    finally:
        for trial in trials:
            trial.resume()


class SmallDisk:
    """Records on a tmpfs that a ballast fills."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / ".ballast"

    def fill(self, server: RunningServer, leave_bytes: int = 0) -> None:
        with standing_still(server), self._ballast.open("wb") as file:
            room = os.statvfs(self._folder)
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave_bytes)

    def make_room(self, server: RunningServer) -> None:
        self._ballast.unlink()


class SmallFiles:
    """No file of a trial may grow: the same to a recorder, and possible without being root."""

    def fill(self, server: RunningServer, leave_bytes: int = 0) -> None:
        with standing_still(server):
            [part] = server.records.rglob("*.pkl.part")
            self._limit(server, part.stat().st_size + leave_bytes)

    def make_room(self, server: RunningServer) -> None:
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: RunningServer, size_bytes: int) -> None:
        for process in trial_processes(server):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


Disk = SmallDisk | SmallFiles
