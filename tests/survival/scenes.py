"""What is killed at each of its system calls: scenes, each run by a fork of this process (see syscalls.py).

A scene is a function (folder, ack). It calls ``ack(text)`` as soon as it has been promised something: an entry that is
written, a record that is closed. Whoever adds one that moves files on (an upload) adds it to SCENES.

    python -m tests.survival.scenes     reads lines: NAME FOLDER ACKS, then go; answers with a pid, then its status
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from hippogym.data.recorder import Recorder
from hippogym.data.recovery import repair

Ack = Callable[[str], object]


def entry(kind: str, episode: int, tick: int) -> dict:
    ours = {"v": 1, "kind": kind, "trial": "t-1", "episode": episode, "tick": tick, "t_wall_ns": 10**18 + tick}
    return {"observation": bytes(200), "hippogym": ours}


def record(folder: Path, ack: Ack) -> None:
    """An episode that is closed, and one that ends with the recorder."""
    recorder = Recorder(folder / "t-1", "t-1", fsync_every_s=1000)
    for episode in (0, 1):
        recorder.open_episode(episode, {"seed": episode})
        for tick, kind in enumerate(("reset", "tick", "tick", "end")):
            recorder.write(entry(kind, episode, tick))
            ack(f"entry {episode} {tick}")
        if episode == 0:
            recorder.close_episode("done", {})
            ack("closed 0")
    recorder.close()
    ack("closed 1")


def repair_all(folder: Path, ack: Ack) -> None:
    repair(folder)
    ack("repaired")


SCENES: dict[str, Callable[[Path, Ack], None]] = {"record": record, "repair": repair_all}


def play(name: str, folder: Path, acks: Path, begin: int) -> None:
    """In the fork: wait until the tracer is there, then do it."""
    os.read(begin, 1)
    fd = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    SCENES[name](folder, lambda text: os.write(fd, f"{text}\n".encode()))
    os.write(fd, b"the end\n")
    os._exit(0)


def main() -> None:
    while line := sys.stdin.readline():
        name, folder, acks = line.split()
        begin, let_it = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(let_it)
            play(name, Path(folder), Path(acks), begin)
        os.close(begin)
        print(pid, flush=True)
        sys.stdin.readline()
        os.write(let_it, b".")
        print(os.waitpid(pid, 0)[1], flush=True)
        os.close(let_it)


if __name__ == "__main__":
    main()
