"""What is killed at each of its system calls: scenes, each run by a fork of this process (see syscalls.py).

A scene is a function (folder, ack). It calls ``ack(text)`` as soon as it has been promised something: an entry that is
written, a record that is closed, or that is in the store.

    python -m tests.survival.scenes     reads lines: NAME FOLDER ACKS, then go; answers with a pid, then its status
"""

import functools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from hippogym.data.delivery import Delivery
from hippogym.data.recorder import Recorder
from hippogym.data.records_scan import RecordsScan
from hippogym.data.recovery import repair
from hippogym.data.spool import Spool
from hippogym.data.storage import Storage, open_storage

STORE = "SCENES_STORE"  # in the environment: where the scene of an upload uploads to

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


@functools.cache
def the_store() -> Storage:
    """Opened once, before the first fork."""
    return open_storage(os.environ[STORE])


def bring_up(folder: Path, storage: Storage) -> None:
    """What the uploader does in one turn, below a key of the folder's own."""
    spool = Spool(folder)
    spool.open()
    delivery = Delivery(folder, spool, storage, folder.name)
    for found in RecordsScan(folder).look():
        if found.closed and not spool.is_done(found.record):
            delivery.finish(found)
        elif not found.closed:
            delivery.send_part(found.record)


def upload(folder: Path, ack: Ack) -> None:
    """An episode goes up in two parts while it is played, and as a whole when it is closed."""
    recorder = Recorder(folder / "t-1", "t-1", fsync_every_s=1000)
    recorder.open_episode(0, {})
    for tick, kind in enumerate(("reset", "tick", "tick", "end")):
        recorder.write(entry(kind, 0, tick))
        ack(f"entry 0 {tick}")
        if tick in (1, 2):
            bring_up(folder, the_store())
            ack(f"part {tick}")
    recorder.close_episode("done", {})
    ack("closed 0")
    recorder.close()
    bring_up(folder, the_store())
    ack("uploaded")


SCENES: dict[str, Callable[[Path, Ack], None]] = {"record": record, "repair": repair_all, "upload": upload}


def rehearse() -> None:
    """Whatever is imported and read only once is not a part of the scene; connections are."""
    with tempfile.TemporaryDirectory() as folder:
        upload(Path(folder), lambda text: None)
    the_store().close()


def play(name: str, folder: Path, acks: Path, begin: int) -> None:
    """In the fork: wait until the tracer is there, then do it."""
    os.read(begin, 1)
    fd = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    SCENES[name](folder, lambda text: os.write(fd, f"{text}\n".encode()))
    os.write(fd, b"the end\n")
    os._exit(0)


def main() -> None:
    if STORE in os.environ:
        rehearse()
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
