"""Records as trials write them, and what has to be in the store when they have arrived."""

import os
from pathlib import Path

from hippogym.data.manifest import MANIFEST, PART, RECORD, TORN
from hippogym.data.recorder import Recorder
from hippogym.data.spool import FOLDER

USER = "ada@example.org"


def begin(records: Path, trial: str, *, user: str | None = USER, ticks: int = 3, size: int = 50) -> Recorder:
    """A trial with an episode that goes on."""
    recorder = Recorder(records / trial, trial)
    participant = {"participant": {"userId": user}} if user is not None else {}
    recorder.open_episode(0, participant)
    recorder.write({"hippogym": {"kind": "reset", "trial": trial, "episode": 0, **participant}})
    play(recorder, ticks, size)
    return recorder


def play(recorder: Recorder, ticks: int, size: int = 50) -> None:
    """So many ticks more, of so many bytes that nothing can compress."""
    for _ in range(ticks):
        recorder.write({"observation": os.urandom(size), "hippogym": {"kind": "tick"}})


def end(recorder: Recorder) -> Path:
    """The closed record."""
    recorder.write({"hippogym": {"kind": "end", "reason": "finished"}})
    path = recorder.close_episode("finished", {})
    recorder.close()
    return path


def keep(records: Path, trial: str, **options) -> Path:
    """A closed record with its manifest."""
    return end(begin(records, trial, **options))


def expected(records: Path, project: str = "study", user: str = USER) -> dict[str, bytes]:
    """Key → bytes of every closed record, of its manifest, and of what was torn off it."""
    files = [path for ending in (RECORD, MANIFEST, TORN) for path in records.glob(f"[a-z]*/*{ending}")]
    return {f"{project}/Trials/{user}/{path.parent.name}-{path.name}": path.read_bytes() for path in files}


def waiting(records: Path) -> list[str]:
    """What the spool holds."""
    return sorted(path.name for path in (records / FOLDER / "waiting").iterdir())


def parts(objects: dict[str, bytes], trial: str) -> bytes:
    """The running record as the store has it: its parts, one after the other."""
    keys = sorted(key for key in objects if f"/{trial}-" in key and f"{RECORD}.parts/" in key)
    assert [int(key.rsplit("/", 1)[1]) for key in keys] == list(range(len(keys)))
    return b"".join(objects[key] for key in keys)


def running(records: Path, trial: str) -> bytes:
    """The running record as the disk has it."""
    return (records / trial / f"episode_0000{PART}").read_bytes()
