"""A study in which two people took part, whose records are in every place where a study keeps something."""

import json
from pathlib import Path

import numpy as np
import yaml

from hippogym.data.delivery import Delivery
from hippogym.data.export.run import export
from hippogym.data.manifest import RECORD
from hippogym.data.recorder import Recorder
from hippogym.data.records_folder import claim
from hippogym.data.records_scan import RecordsScan
from hippogym.data.spool import Spool
from hippogym.data.storage import FileRange, Storage

WHO, OTHER = "ada@example.org", "ada@example.org2"
PROJECT = "study"


def make_study(folder: Path, bucket: str | None = None) -> Path:
    """A study; bucket: where it uploads to."""
    folder.mkdir()
    project = {"id": PROJECT}
    if bucket is not None:
        project["awsSetup"] = {"bucket": bucket, "region": "us-east-1"}
    (folder / "config.yml").write_text(yaml.safe_dump({"project": project, "trial": {"game": "CartPole-v1"}}))
    (folder / "agent.py").write_text("")
    with claim(folder / "Trials"):
        pass
    return folder


def keep(study: Path, trial: str, who: str, *, closed: bool = True) -> Recorder:
    """A trial with one episode."""
    recorder = Recorder(study / "Trials" / trial, trial)
    participant = {"participant": {"userId": who, "projectId": None}, "game": "CartPole-v1"}
    recorder.open_episode(0, participant)
    ours = {"v": 1, "trial": trial, "episode": 0, "inputs": []}
    said = [{"seq": 1, "conn": 1, "message": {"userId": who}}]
    box = {"type": "Box", "shape": [2], "dtype": "float32", "low": -1.0, "high": 1.0}
    spaces = {"spaces": {"observation": box, "action": {"type": "Discrete", "n": 2, "start": 0}}}
    state = {"observation": np.zeros(2, "f4"), "info": {}}
    recorder.write({**state, "hippogym": {**ours, "kind": "reset", "tick": 0, **participant, **spaces, "seed": 1}})
    action = {"action": {"name": "left", "value": 0, "origin": "held", "age_ticks": 0, "seq": 1}}
    for tick in (1, 2):
        tick_ours = {**ours, "kind": "tick", "tick": tick, "inputs": said, **action}
        flags = {"reward": 1.0, "terminated": tick == 2, "truncated": False, "done": tick == 2}
        recorder.write({**state, **flags, "userId": who, "names": np.array([who]), "hippogym": tick_ours})
    if closed:
        recorder.write({"hippogym": {**ours, "kind": "end", "tick": 2, "reason": "done"}})
        recorder.close_episode("done", {})
        recorder.close()
        if who == WHO:
            (study / "Trials" / trial / "episode_0000.pkl.torn").write_bytes(b"what was torn off: " + who.encode())
    return recorder


def deliver(study: Path, store: Storage) -> None:
    """Upload all that is closed."""
    records = study / "Trials"
    spool = Spool(records)
    spool.open()
    delivery = Delivery(records, spool, store, PROJECT)
    for found in RecordsScan(records).look():
        delivery.finish(found)


def answer(study: Path, store: Storage, who: str, key: str | None = None) -> None:
    """Their answers, as the study keeps them in a bucket."""
    file = study.parent / "answers"
    file.write_text(json.dumps({"userId": who}))
    store.put_new(key or f"{PROJECT}/users/{who}", FileRange(file))


def export_all(study: Path, folder: Path) -> list[Path]:
    """One export of each kind that is a file."""
    folder.mkdir()
    return [export(study / "Trials", to, folder / f"all.{to}").path for to in ("csv", "jsonl", "parquet")]


def records_of(study: Path) -> set[str]:
    return {path.parent.name for path in (study / "Trials").glob(f"*/*{RECORD}")}
