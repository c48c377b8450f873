"""Killed at each of their system calls, a recorder and a repair leave what the next repair puts in order."""

import json
from pathlib import Path

import pytest

from hippogym.core.record_format import encode_entry
from hippogym.data.reader import ReadReport, read_entries
from hippogym.data.recovery import repair
from tests.records import manifest, plain_loop
from tests.survival.scenes import entry
from tests.survival.syscalls import SOME, killed_everywhere

LEGAL = ({".pkl", ".json"}, {".pkl", ".json", ".pkl.torn"})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- writing ---------------------------------------------------------------------------------------------------------


def check_records(folder: Path, acks: list[str]) -> None:
    """After the repair every acknowledged entry is there, the files are legal, and nothing is left to repair."""
    for told in folder.glob("*/*.json"):
        assert told.with_suffix(".pkl").exists(), "a manifest stands beside a record that is not closed"
    repair(folder)
    found = set()
    for path in sorted(folder.glob("*/*.pkl")):
        endings = {file.name.removeprefix(path.stem) for file in path.parent.glob(f"{path.stem}.*")}
        assert endings in LEGAL, f"{endings} is no state to leave a record in"
        report = ReadReport()
        for item in read_entries(path, strict=True, report=report):
            found.add(f"entry {item['hippogym']['episode']} {item['hippogym']['tick']}")
        assert len(plain_loop(path)) == report.entries == manifest(path)["entries"]
        closed = f"closed {int(path.stem.partition('_')[2])}" in acks
        assert not closed or (manifest(path)["complete"], manifest(path)["recovered"]) == (True, None)
    assert {ack for ack in acks if ack.startswith("entry")} <= found
    assert len(found) <= sum(ack.startswith("entry") for ack in acks) + 1
    strange = [path.name for path in folder.glob("[a-z]*/*") if not path.name.startswith("episode_")]
    assert not strange
    before = snapshot(folder)
    assert repair(folder) == []
    assert snapshot(folder) == before


@pytest.mark.parametrize("most", [SOME, pytest.param(None, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_a_recorder_killed_at_any_system_call_leaves_a_legal_state(tmp_path: Path, most: int | None) -> None:
    killed_everywhere(tmp_path, "record", Path.mkdir, check_records, most)


# -- repairing -------------------------------------------------------------------------------------------------------


def entries(count: int, *, end: bool = False) -> bytes:
    kinds = ["reset", *["tick"] * (count - 1), *["end"] * end]
    return b"".join(encode_entry(entry(kind, 0, tick), tick) for tick, kind in enumerate(kinds))


def leave_behind(folder: Path) -> None:
    """What kills at different moments leave."""
    left = {
        "t-torn/episode_0000.pkl.part": entries(3) + entries(1)[:70],
        "t-torn/episode_0000.pkl.torn.part": b"half of the torn tail",
        "t-ended/episode_0000.pkl.part": entries(3, end=True),
        "t-ended/episode_0000.json.part": b'{"half": ',
        "t-renamed/episode_0000.pkl": entries(3, end=True),
        "t-empty/episode_0000.pkl.part": b"",
        "t-closed/episode_0000.pkl": entries(3, end=True),
        "t-closed/episode_0000.json": json.dumps({"bytes": len(entries(3, end=True))}).encode(),
    }
    for name, data in left.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def without_times(files: dict[str, bytes]) -> dict[str, object]:
    """A record without any entry has only the time of its file to tell."""
    told = {name: json.loads(data) for name, data in files.items() if name.endswith(".json")}
    for one in told.values():
        for name in ("started", "ended"):
            one.pop(name, None)
    return {**files, **told}


@pytest.mark.parametrize("most", [SOME, pytest.param(None, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_a_repair_killed_at_any_system_call_is_finished_by_the_next(tmp_path: Path, most: int | None) -> None:
    leave_behind(tmp_path / "model")
    repair(tmp_path / "model")
    wanted = without_times(snapshot(tmp_path / "model"))
    assert len(wanted) == 11
    assert not [name for name in wanted if name.endswith(".part")]

    def check(folder: Path, acks: list[str]) -> None:
        repair(folder)
        assert without_times(snapshot(folder)) == wanted
        assert repair(folder) == []

    killed_everywhere(tmp_path, "repair", leave_behind, check, most)
