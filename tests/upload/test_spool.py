"""The spool and the look into the records folder: what they know is true after whatever."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hippogym.data.delivery import Delivery
from hippogym.data.records_scan import Found, Record, RecordsScan
from hippogym.data.spool import Entry, Spool, receipts, verified
from hippogym.data.storage import open_storage
from hippogym.data.upload_status import status
from tests.upload.conftest import uploading
from tests.upload.trials import USER, begin, end, expected, keep, play, running, waiting

RECORD = Record("trial-1", "episode_0000")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    folder = tmp_path / "Trials"
    folder.mkdir()
    return folder


@pytest.fixture
def spool(records: Path) -> Spool:
    opened = Spool(records)
    opened.open()
    return opened


def reopened(records: Path) -> Spool:
    spool = Spool(records)
    spool.open()
    return spool


def test_what_was_written_is_known_after_a_restart(records, spool):
    entry = Entry(RECORD, "p/Trials/u/x", [10, 20], {".pkl": {"key": "k", "bytes": 20, "sha256": "00"}})
    spool.write(entry)
    assert reopened(records).entry(RECORD) == entry


def test_what_is_finished_waits_no_more_and_is_known_to_be_done(records, spool):
    entry = Entry(RECORD, "p/x", [], {".pkl": {"key": "p/x.pkl", "bytes": 1, "sha256": "00"}})
    spool.write(entry)
    spool.finish(entry)
    for each in (spool, reopened(records)):
        assert each.is_done(RECORD) and each.entry(RECORD) is None
    assert waiting(records) == [] and verified(records) == {RECORD: False} and receipts(records) == [entry]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 1}', '{"version": 2, "trial": "trial-1", "stem": "episode_0000", "key": "k", '
     '"parts": [], "stored": {}}', '{"version": 1, "trial": "other", "stem": "episode_0000", "key": "k", "parts": [], '
     '"stored": {}}', '{"version": 1, "trial": "trial-1", "stem": "episode_0000", "key": "k", "parts": [5, 4], '
     '"stored": {}}', '{"version": 1, "trial": "trial-1", "stem": "episode_0000", "key": "k", "parts": [], '
     '"stored": {".pkl": 5}}', "[" * 100_000],
)  # fmt: skip
def test_what_is_not_a_file_of_ours_is_as_if_it_were_not_there(text, records, spool):
    (records / ".spool" / "waiting" / "trial-1.episode_0000.json").write_text(text)
    assert reopened(records).entry(RECORD) is None


def test_a_trial_can_be_forgotten_and_its_keys_are_told(records, spool):
    for number, trial in enumerate(("trial-1", "trial-10", "trial-1")):
        entry = Entry(Record(trial, f"episode_000{number}"), f"p/Trials/{USER}/{trial}-{number}")
        entry.stored[".pkl"] = {"key": f"{entry.key}.pkl", "bytes": 1, "sha256": "00"}
        spool.write(entry)
        if number == 2:
            spool.finish(entry)
    keys = spool.forget("trial-1")
    assert keys == [f"p/Trials/{USER}/trial-1-{rest}" for rest in ("0", "0.pkl", "2", "2.pkl")]
    assert waiting(records) == ["trial-10.episode_0001.json"] and verified(records) == {}


def test_only_our_own_files_of_our_own_kind_are_found(records):
    keep(records, "trial-1")
    trial = begin(records, "trial-2")
    for name in ("trial-1/notes", "trial-1/episode_1.pkl", "trial-1/trial.json", "Trial/episode_0000.pkl", "x"):
        (records / name).parent.mkdir(exist_ok=True)
        (records / name).write_text("")
    (records / "trial-1" / "episode_0005.pkl").mkdir()
    (records / "trial-3").symlink_to(records / "trial-1")
    (records / "trial-1" / "episode_0000.pkl.torn").write_text("torn")
    os.mkfifo(records / "trial-1" / "episode_0007.pkl.part")
    sizes = [(records / "trial-1" / "episode_0000.pkl").stat().st_size, len(running(records, "trial-2"))]
    assert RecordsScan(records).look() == [
        Found(Record("trial-1", "episode_0000"), True, sizes[0], True),
        Found(Record("trial-2", "episode_0000"), False, sizes[1], False),
    ]
    trial.close()


def test_a_record_without_its_manifest_is_not_closed_yet(records):
    path = keep(records, "trial-1")
    path.with_suffix(".json").unlink()
    assert RecordsScan(records).look() == []


def test_every_change_shows_at_the_next_look(records):
    scan = RecordsScan(records)
    trial = begin(records, "trial-1")
    for _ in range(20):
        play(trial, 1)
        assert [found.bytes for found in scan.look()] == [len(running(records, "trial-1"))]
    end(trial)
    assert [found.closed for found in scan.look()] == [True]
    for number in range(2, 30):
        keep(records, f"trial-{number}")
        assert len(scan.look()) == number
    shutil.rmtree(records / "trial-7")
    assert len(scan.look()) == 28


def many(records: Path, count: int) -> None:
    record = keep(records, "trial-00000")
    data, manifest = record.read_bytes(), record.with_suffix(".json").read_bytes()
    for number in range(1, count):
        folder = records / f"trial-{number:05d}"
        folder.mkdir()
        (folder / "episode_0000.pkl").write_bytes(data)
        (folder / "episode_0000.json").write_bytes(manifest)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_any_number_of_records_that_wait_at_the_start_all_arrive(count, records, tmp_path):
    many(records, count)
    began_s = time.monotonic()
    with uploading(records, str(tmp_path / "store")) as uploader:
        assert uploader.drain(1200) == 0
    print(f"{count} records in {time.monotonic() - began_s:.0f} s")
    assert waiting(records) == [] and len(verified(records)) == count
    stored = {key.rsplit("/", 1)[1]: data for key, data in in_folder(tmp_path / "store").items()}
    assert stored == {key.rsplit("/", 1)[1]: data for key, data in expected(records).items()}
    with uploading(records, str(tmp_path / "store")) as uploader:  # and nothing is to be done again
        assert uploader.drain(60) == 0


def test_status_of_a_folder_from_which_nothing_was_uploaded(records):
    assert str(status(records)) == "nothing was uploaded"
    keep(records, "trial-1")
    told = status(records)
    assert told.where is None and [each.record.name for each in told.waiting] == ["trial-1-episode_0000"]


def test_status_is_read_whatever_stands_in_its_file(records, spool):
    for text in ("", "[]", "{", '{"store": 5, "failing": 7}', '{"failing": [{"record": []}]}', "[" * 9999):
        (records / ".spool" / "status.json").write_text(text)
        assert status(records).waiting == ()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "link", "fdatasync", "mkdir"])
def test_killed_at_any_system_call_it_comes_to_the_same_end(call, records, tmp_path):
    """Each time at a later one, until it has come to the end without being killed."""
    kills, finished = 0, False
    trial = begin(records, "trial-0")
    while not finished and kills < 600:
        kills += 1
        play(trial, 1)
        if kills % 7 == 0:
            end(trial)
            trial = begin(records, f"trial-{kills}")
        command = ["strace", "-f", "-o", str(tmp_path / "calls"), "-e", f"trace={call}"]
        command += ["-e", f"inject={call}:signal=SIGKILL:when={kills}", sys.executable, "-c", ONCE, str(records)]
        done = subprocess.run([*command, str(tmp_path / "store")], capture_output=True, timeout=240)
        finished = b"done" in done.stdout
    end(trial)
    assert finished and kills > 1
    subprocess.run([sys.executable, "-c", ONCE, str(records), str(tmp_path / "store")], check=True, timeout=240)
    assert in_folder(tmp_path / "store") == expected(records)
    assert waiting(records) == []


def in_folder(store: Path) -> dict[str, bytes]:
    """What a folder has as a store: without what kills have left half-written."""
    storage = open_storage(str(store))
    return {key: (store / key).read_bytes() for key in storage.keys("")}


ONCE = """
import sys
from pathlib import Path
from hippogym.data.delivery import Delivery
from hippogym.data.records_scan import RecordsScan
from hippogym.data.spool import Spool
from hippogym.data.storage import open_storage
records, to = sys.argv[1:]
spool = Spool(Path(records))
spool.open()
delivery = Delivery(Path(records), spool, open_storage(to), "study")
for found in RecordsScan(Path(records)).look():
    if not spool.is_done(found.record):
        delivery.finish(found) if found.closed else delivery.send_part(found.record)
print("done")
"""


def test_killed_between_any_two_steps_of_the_spool_it_comes_to_the_same_end(records, tmp_path):
    """As above, with every call of ours that changes something on the disk failing once, at every place."""
    at = 0
    while True:
        trial = f"trial-{at}"
        recorder = begin(records, trial)
        with pytest.MonkeyPatch.context() as patch:
            Steps(at).install(patch)
            killed = interrupted(records, tmp_path, lambda recorder=recorder: (play(recorder, 2), end(recorder)))
        if not killed:
            break
        if recorder.is_open:
            end(recorder)
        at += 1
    assert at > 15
    assert not interrupted(records, tmp_path, lambda: None)
    assert in_folder(tmp_path / "store") == expected(records)
    assert waiting(records) == []
    assert json.loads((records / ".spool" / "verified" / "trial-0.episode_0000.json").read_text())["version"] == 1


class Killed(BaseException):
    """Nobody catches it, as nobody can answer a SIGKILL."""


class Steps:
    """Lets so many calls through, and is killed at the next."""

    def __init__(self, left: int) -> None:
        self.left = left

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("fsync", "rename", "link", "fdatasync", "unlink"):
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call):
        def counted(*arguments, **named):
            if sys._getframe(1).f_code.co_filename.endswith(("record_file.py", "manifest.py")):
                return call(*arguments, **named)  # in truth another process
            self.left -= 1
            if self.left < 0:
                raise Killed
            return call(*arguments, **named)

        return counted


def interrupted(records: Path, tmp_path: Path, in_between) -> bool:
    """Deliver everything once; whether it was killed."""
    try:
        for go_on in (in_between, lambda: None):
            spool = reopened(records)
            delivery = Delivery(records, spool, open_storage(str(tmp_path / "store")), "study")
            for found in RecordsScan(records).look():
                if not spool.is_done(found.record):
                    if found.closed:
                        delivery.finish(found)
                    else:
                        delivery.send_part(found.record)
            go_on()
    except Killed:
        return True
    return False
