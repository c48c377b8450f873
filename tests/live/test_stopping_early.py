"""Told to stop before it listens, the server ends in order, also as process 1 of a container."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE_S
from tests.servers import ROOT

COMMAND = [sys.executable, str(ROOT / "communicator.py"), "dev", "--address", "127.0.0.1", "--port", "0"]
ALONE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
WAITS_WHILE_IT_LOADS = """
import pathlib, time
pathlib.Path(__file__).with_name("loading").touch()
time.sleep(1000)
"""


def may_be_alone() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def heeds_sigterm(process: psutil.Process) -> bool:
    """Whether a handler is there: bit 14 of the signals that are caught."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return False
    caught = next(line for line in lines if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("alone", [False, True], ids=["as any process", "as process 1"])
@pytest.mark.parametrize("when", ["while it imports", "while the agent loads"])
def test_sigterm_before_it_listens_ends_it(study: Path, when: str, alone: bool) -> None:
    if alone and not may_be_alone():
        pytest.skip("needs unshare, and the right to make a namespace of processes")
    (study / "agent.py").write_text(WAITS_WHILE_IT_LOADS)
    with (study / "server.log").open("wb") as log:
        command = [*(ALONE if alone else []), *COMMAND, "--study", str(study)]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env={**os.environ})
    try:
        if alone:
            until(lambda: bool(psutil.Process(started.pid).children()))
        server = psutil.Process(started.pid).children()[0] if alone else psutil.Process(started.pid)
        until(lambda: heeds_sigterm(server))
        if when == "while the agent loads":
            until((study / "loading").exists)
        family = [server, *server.children(recursive=True)]
        server.send_signal(signal.SIGTERM)
        assert started.wait(PATIENCE_S) == 0, (study / "server.log").read_text()
        assert not psutil.wait_procs(family, timeout=PATIENCE_S)[1]
        assert "Traceback" not in (study / "server.log").read_text()
        assert started.stdout.read() == b""
    finally:
        started.kill()
        started.wait()
        started.stdout.close()
