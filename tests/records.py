"""Reads records the way a researcher does: a plain loop over pickles."""

import json
import pickle
import time
from pathlib import Path

from tests.patience import PATIENCE_S
from tests.servers import RunningServer


def plain_loop(path: Path) -> list[dict]:
    """Every entry of a file, by nothing but pickle."""
    entries = []
    with path.open("rb") as file:
        while True:
            try:
                entries.append(pickle.load(file))
            except EOFError:
                return entries


def trial_folders(server: RunningServer) -> list[Path]:
    """The folders of this test's trials, oldest first."""
    return sorted(path for path in server.records.iterdir() if path.is_dir() and path.name not in server.known)


def manifest(path: Path) -> dict:
    """What stands beside a closed file."""
    return json.loads(path.with_suffix(".json").read_text())


def wait_for_files(server: RunningServer, count: int) -> list[Path]:
    """The closed files of this test's trials, oldest first, once there are so many with their manifests."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        folders = trial_folders(server)
        files = [path for folder in folders for path in sorted(folder.glob("*.pkl"))]
        parts = [part for folder in folders for part in folder.glob("*.part")]
        if len(files) >= count and not parts and all(path.with_suffix(".json").exists() for path in files):
            return files
        time.sleep(0.02)
    raise AssertionError(f"{count} files expected, there are {list(server.records.glob('*/*'))}")


def of_kind(entries: list[dict], kind: str) -> list[dict]:
    """The entries of one kind: reset, tick, event or end."""
    return [entry for entry in entries if entry["hippogym"]["kind"] == kind]


def inputs(entries: list[dict]) -> list[dict]:
    """Everything the participant did, in order."""
    return [given for entry in entries for given in entry["hippogym"]["inputs"]]
