"""Reads records the way a researcher does: a plain loop over pickles."""

import json
import pickle
import time
from pathlib import Path

PATIENCE_S = 30.0


def plain_loop(path: Path) -> list[dict]:
    """Every entry of a file, by nothing but pickle."""
    entries = []
    with path.open("rb") as file:
        while True:
            try:
                entries.append(pickle.load(file))
            except EOFError:
                return entries


def episode_files(records: Path) -> list[Path]:
    """The closed files of all trials, oldest first."""
    return sorted(records.glob("*/*.pkl"))


def manifest(path: Path) -> dict:
    """What stands beside a closed file."""
    return json.loads(path.with_suffix(".json").read_text())


def wait_for_files(records: Path, count: int) -> list[Path]:
    """Closed files, once there are so many with their manifests."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        files = [path for path in episode_files(records) if path.with_suffix(".json").exists()]
        if len(files) >= count and not list(records.glob("*/*.part")):
            return files
        time.sleep(0.02)
    raise AssertionError(f"{count} files expected, there are {list(records.glob('*/*'))}")


def of_kind(entries: list[dict], kind: str) -> list[dict]:
    """The entries of one kind: reset, tick, event or end."""
    return [entry for entry in entries if entry["hippogym"]["kind"] == kind]


def inputs(entries: list[dict]) -> list[dict]:
    """Everything the participant did, in order."""
    return [given for entry in entries for given in entry["hippogym"]["inputs"]]
