"""Kills a scene at a chosen system call, with strace: the call itself is not made any more."""

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
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
SOME = 8  # of the points, where all would take too long
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
        self._process.wait(90)
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
            tracer.communicate(timeout=240)
        return int(status)

    def _ask(self, line: str) -> str:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def acks_of(folder: Path) -> Path:
    """Where a scene says what it has been promised."""
    return folder.parent / f"{folder.name}.acks"


def killed_everywhere(
    tmp_path: Path,
    scene: str,
    prepare: Callable[[Path], object],
    check: Callable[[Path, list[str]], None],
    most: int | None = None,
) -> None:
    """Play the scene again and again on fresh folders, kill it at every call (or at most so many), and check."""
    cut_off = 0
    with Stage() as stage:
        prepare(tmp_path / "whole")
        points = stage.points(scene, tmp_path / "whole")
        assert len(points) > 20
        chosen = points if most is None else random.sample(points, most)
        for number, point in enumerate(chosen):
            folder = tmp_path / f"killed-{number}"
            prepare(folder)
            acks = stage.kill(scene, folder, point)
            cut_off += "the end" not in acks
            try:
                check(folder, acks)
            except AssertionError as problem:
                raise AssertionError(f"killed at {point} of {tally(points)[:8000]}: {problem}") from problem
            shutil.rmtree(folder)
    print(f"{scene}: killed at {cut_off} of {len(points)} calls")
    assert cut_off >= 0.9 * len(chosen), "strace did not kill it"  # the number of calls varies by one or two


def tally(points: list[Point]) -> str:
    return ", ".join(f"{point.call} {point.number}" for point in points)
