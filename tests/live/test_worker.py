"""What a process does before it is a trial."""

import subprocess
import sys

import pytest

from tests.servers import ROOT

LARGE_TICKS = """
import resource, sys
from hippogym.live.worker import keep_freed_memory

def tick():
    buffers = [bytearray(1_000_000) for _ in range(4)]

if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(5):
    tick()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    tick()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", LARGE_TICKS, how]
    ran = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    return int(ran.stdout)


def test_ticks_with_large_buffers_do_not_fetch_their_memory_anew() -> None:
    if page_faults("as it comes") < 10_000:
        pytest.skip("this allocator keeps what was freed by itself")
    assert page_faults("kept") < 500
