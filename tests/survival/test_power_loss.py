"""The power goes at any moment: what was said to be closed or uploaded is there, nothing claims more than it is."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hippogym.data.recovery import repair
from hippogym.data.spool import receipts
from hippogym.data.storage import FileRange, Match
from tests.records import manifest
from tests.survival.power import WAYS, Disk, Moment, Witness, lay_out
from tests.survival.scenes import bring_up, record, repair_all, upload
from tests.survival.test_every_syscall import check_records, leave_behind, snapshot, without_times


class Shelf:
    """A store in memory."""

    where = "shelf:"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def compare(self, key: str, body: FileRange) -> Match:
        if key not in self.objects:
            return Match.MISSING
        same = hashlib.sha256(self.objects[key]).hexdigest() == body.digests().sha256
        return Match.EQUAL if same else Match.DIFFERENT

    def put_new(self, key: str, body: FileRange) -> bool:
        if key in self.objects:
            return False
        with body.open() as file:
            self.objects[key] = file.read()
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        del self.objects[key]


def after_every_power_loss(witness: Witness, tmp_path: Path, check: Callable[[Path, Moment, str], None]) -> None:
    """Lay out every disk that there could be, and check it."""
    looked_at: set[str] = set()
    for moment in witness.moments:
        for way, disk in zip(WAYS, moment.disks, strict=True):
            known = repr((disk, moment.acks, moment.beside))
            if known in looked_at:
                continue
            looked_at.add(known)
            folder = lay_out(disk, tmp_path / "after")
            try:
                check(folder, moment, way)
            except AssertionError as problem:
                raise AssertionError(f"after {moment.call}, where {way}, with {sorted(disk)}: {problem}") from problem
            shutil.rmtree(folder)
    assert len(looked_at) > 20, "the calls were not seen"


def check_manifests(folder: Path) -> None:
    """Before any repair: a manifest stands beside the very bytes that it tells of."""
    for told in folder.glob("[a-z]*/*.json"):
        data = told.with_suffix(".pkl").read_bytes()
        assert hashlib.sha256(data).hexdigest() == json.loads(told.read_text())["sha256"]


def only_promises(acks: tuple[str, ...]) -> list[str]:
    """An entry is safe from a kill at once, from a power failure about a second later: not promised at this moment."""
    return [ack for ack in acks if ack.startswith("closed")]


def test_what_is_closed_survives_and_what_is_cut_short_says_so(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "disk")
    witness.folder.mkdir()
    with witness.watching():
        record(witness.folder, witness.acks.append)

    def check(folder: Path, moment: Moment, way: str) -> None:
        check_manifests(folder)
        for ack in only_promises(moment.acks):
            path = folder / "t-1" / f"episode_{int(ack.split()[1]):04d}.pkl"
            assert path.exists(), f"{ack} is not there"
            assert manifest(path)["complete"]
        if way == "nothing is lost":
            check_records(folder, list(moment.acks))
        repair(folder)
        before = snapshot(folder)
        assert repair(folder) == []
        assert snapshot(folder) == before

    after_every_power_loss(witness, tmp_path, check)


def test_a_repair_that_the_power_ended_is_finished_by_the_next(tmp_path: Path) -> None:
    for name in ("model", "disk"):
        leave_behind(tmp_path / name)
    repair(tmp_path / "model")
    wanted = without_times(snapshot(tmp_path / "model"))
    witness = Witness(tmp_path / "disk")
    with witness.watching():
        repair_all(witness.folder, witness.acks.append)

    def check(folder: Path, moment: Moment, way: str) -> None:
        check_manifests_of(folder)
        repair(folder)
        assert without_times(snapshot(folder)) == wanted

    def check_manifests_of(folder: Path) -> None:
        shutil.rmtree(folder / "t-closed")  # its manifest is a dummy
        check_manifests(folder)
        shutil.copytree(tmp_path / "model" / "t-closed", folder / "t-closed")

    after_every_power_loss(witness, tmp_path, check)


def test_the_store_never_has_what_the_disk_can_lose_and_comes_to_have_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    monkeypatch.setattr("tests.survival.scenes.the_store", lambda: shelf)
    witness = Witness(tmp_path / "disk", beside=lambda: dict(shelf.objects))
    witness.folder.mkdir()
    with witness.watching():
        upload(witness.folder, witness.acks.append)

    def check(folder: Path, moment: Moment, way: str) -> None:
        check_store(folder, moment.beside)
        for entry in receipts(folder):
            assert {".pkl", ".json"} <= entry.stored.keys()
        assert len(list(folder.glob(".spool/verified/*"))) == len(receipts(folder)), "a note that cannot be read"
        if "uploaded" in moment.acks:
            assert receipts(folder), "it was said to be uploaded"
        repair(folder)
        after = Shelf()
        after.objects = dict(moment.beside)
        bring_up_as(witness.folder.name, folder, after)
        assert not [key for key in after.objects if ".conflict" in key or ".parts/" in key]

    after_every_power_loss(witness, tmp_path, check)


def bring_up_as(name: str, folder: Path, shelf: Shelf) -> None:
    """The keys of a scene begin with its folder's name."""
    renamed = folder.parent / "again" / name
    renamed.parent.mkdir(exist_ok=True)
    folder.rename(renamed)
    try:
        bring_up(renamed, shelf)
    finally:
        renamed.rename(folder)


def check_store(folder: Path, objects: Disk) -> None:
    """Everything that was put is on the disk, too."""
    trial = folder / "t-1"
    found = [
        path.read_bytes() for path in (trial / "episode_0000.pkl.part", trial / "episode_0000.pkl") if path.exists()
    ]
    parts = b"".join(objects[key] for key in sorted(objects) if ".parts/" in key)
    whole = {key.rpartition(".")[2]: data for key, data in objects.items() if ".parts/" not in key}
    assert not parts or (found and found[0].startswith(parts)), "the disk has lost what the store has in parts"
    for ending, data in whole.items():
        path = trial / f"episode_0000.{ending}"
        assert path.exists() and path.read_bytes() == data, f"the disk has lost the {ending} that the store has"
