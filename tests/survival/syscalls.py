"""Kills a scene at a chosen system call, with strace: the call itself is not made any more."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.servers import ROOT

# everything by which the scenes reach files; what is not here cannot change what is on the disk
CALLS = (
    "mkdir,mkdirat,openat,close,read,pread64,lseek,write,writev,pwrite64,ftruncate,fallocate,fsync,fdatasync,rename,"
    "renameat,renameat2,link,linkat,symlinkat,unlink,unlinkat,rmdir,fchmod,fchmodat,chmod,flock,newfstatat,statx,"
    "getdents64,sendto,recvfrom,connect"
)
LINE = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Point:
    """The ``number``-th call of this name, counted from the beginning of the scene."""

    call: str
    number: int


class Stage:
    """Runs scenes, whole or cut off at a point. A context manager."""

    def __enter__(self) -> Self:
        if shutil.which("strace") is None:
            pytest.skip("strace is not installed")
        command = [sys.executable, "-m", "tests.survival.scenes"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def points(self, scene: str, folder: Path) -> list[Point]:
        """Run the scene to its end; returns every call that it made."""
        trace = folder.parent / f"{folder.name}.trace"
        assert self._run(scene, folder, f"--output={trace}") == 0
        counts: Counter[str] = Counter()
        points = []
        for name in LINE.findall(trace.read_text()):
            counts[name] += 1
            points.append(Point(name, counts[name]))
        return points

    def kill(self, scene: str, folder: Path, point: Point) -> list[str]:
        """Run the scene up to this call; returns what had been acknowledged."""
        rule = f"--inject={point.call}:signal=KILL:when={point.number}"
        status = self._run(scene, folder, f"--output={folder}.trace", rule)
        assert status in (0, 9), f"{scene} ended with {status} at {point}"
        acks = acks_of(folder)
        return acks.read_text().splitlines() if acks.exists() else []

    def _run(self, scene: str, folder: Path, *options: str) -> int:
        pid = int(self._ask(f"{scene} {folder} {acks_of(folder)}"))
        command = ["strace", "-f", "-p", str(pid), f"--trace={CALLS}", *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline()
            status = self._ask("go")
            if "attached" not in said:
                pytest.skip(f"strace may not look at processes here: {said.strip()}")
            tracer.communicate(timeout=60)
        return int(status)

    def _ask(self, line: str) -> str:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def acks_of(folder: Path) -> Path:
    """Where a scene says what it has been promised."""
    return folder.parent / f"{folder.name}.acks"
