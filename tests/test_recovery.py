"""The repair at start: whatever a kill left behind becomes a closed, readable record, and nothing is thrown away."""

import hashlib
import json
import os
import pickle
import random
import stat
from pathlib import Path

import numpy as np
import pytest

from hippogym.core.record_format import encode_entry
from hippogym.data.reader import read_entries
from hippogym.data.recorder import Recorder
from hippogym.data.recovery import Repaired, repair

PARTICIPANT = {"userId": "someone", "projectId": "p"}


def entry(n: int, kind: str = "tick", **ours) -> dict:
    common = {"v": 1, "kind": kind, "seq": n, "trial": "t-1", "episode": 0, "tick": n, "t_wall_ns": (n + 1) * 10**9}
    return {"observation": np.full(40, n, np.uint8), "hippogym": {**common, **ours}}


def record(count: int = 4, *, ended: bool = False) -> bytes:
    entries = [entry(0, "reset", seed=5, participant=PARTICIPANT), *[entry(n) for n in range(1, count)]]
    if ended:
        entries.append(entry(count, "end", reason="done"))
    return b"".join(encode_entry(item, seq) for seq, item in enumerate(entries))


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "records" / "t-1"
    folder.mkdir(parents=True)
    return folder


def manifest(folder: Path, stem: str = "episode_0000") -> dict:
    return json.loads((folder / f"{stem}.json").read_text())


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_torn_tail_is_cut_off_and_kept_beside(folder):
    whole, torn = record(), record()[:70]
    (folder / "episode_0000.pkl.part").write_bytes(whole + torn)
    path = folder / "episode_0000.pkl"
    assert repair(folder.parent) == [Repaired(path, 4, len(torn), False)]
    assert names(folder) == ["episode_0000.json", "episode_0000.pkl", "episode_0000.pkl.torn"]
    assert path.read_bytes() == whole and (folder / "episode_0000.pkl.torn").read_bytes() == torn
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    told = manifest(folder)
    assert told["reason"] == "interrupted" and told["complete"] is False
    assert told["recovered"] == {
        "torn_bytes": 70,
        "torn_file": "episode_0000.pkl.torn",
        "damaged": [],
        "missing": [],
    }
    assert told["entries"] == 4 and told["ticks"] == 3 and told["bytes"] == len(whole) and told["trial"] == "t-1"
    assert told["sha256"] == hashlib.sha256(whole).hexdigest()
    assert told["participant"] == PARTICIPANT and told["episodes"][0]["header"]["seed"] == 5
    assert told["started"].startswith("1970-01-01T00:00:01") and told["ended"].startswith("1970-01-01T00:00:04")
    assert str(repair.__name__) == "repair" and repair(folder.parent) == []


def test_the_sentence_for_the_log_says_what_was_done(folder):
    (folder / "episode_0000.pkl.part").write_bytes(record() + b"\x80\x03}")
    (done,) = repair(folder.parent)
    assert str(done).endswith("episode_0000.pkl: closed after an interruption, 4 entries, 3 torn bytes kept beside it")


@pytest.mark.parametrize("cut", range(0, len(record()) + 1, 7))
def test_wherever_the_tail_is_torn_every_whole_entry_is_kept(folder, cut):
    (folder / "episode_0000.pkl.part").write_bytes(record()[:cut])
    (done,) = repair(folder)  # one trial's folder may be given as well
    data, torn = (folder / "episode_0000.pkl").read_bytes(), folder / "episode_0000.pkl.torn"
    assert data + (torn.read_bytes() if torn.exists() else b"") == record()[:cut]
    assert done.entries == len(list(read_entries(data, strict=True)))
    with (folder / "episode_0000.pkl").open("rb") as file:
        assert [pickle.load(file)["hippogym"]["tick"] for _ in range(done.entries)] == list(range(done.entries))


def test_a_record_killed_between_its_last_entry_and_its_renaming_is_complete(folder):
    (folder / "episode_0000.pkl.part").write_bytes(record(ended=True))
    assert repair(folder.parent)[0].complete
    told = manifest(folder)
    assert told["complete"] is True and told["reason"] == "done" and told["recovered"]["torn_bytes"] == 0


def test_damage_in_the_middle_stays_as_it_is_and_is_told(folder):
    data = bytearray(record(5))
    length = len(encode_entry(entry(1), 1))
    start = len(encode_entry(entry(0, "reset", seed=5, participant=PARTICIPANT), 0))
    data[start + 30] ^= 1
    (folder / "episode_0000.pkl.part").write_bytes(data)
    repair(folder.parent)
    assert (folder / "episode_0000.pkl").read_bytes() == data
    told = manifest(folder)
    assert told["recovered"]["damaged"] == [[start, start + length]] and told["recovered"]["missing"] == [[1, 1]]
    assert told["entries"] == 4 and told["last_seq"] == 4 and told["complete"] is False


def test_a_file_of_a_whole_trial_tells_of_each_episode(folder):
    entries = [
        entry(0, "reset", seed=1),
        entry(1),
        entry(2, "end", reason="reset"),
        entry(0, "reset", seed=2),
        entry(1),
    ]
    for item in entries[3:]:
        item["hippogym"]["episode"] = 1
    data = b"".join(encode_entry(item, seq) for seq, item in enumerate(entries))
    (folder / "trial.pkl.part").write_bytes(data)
    repair(folder.parent)
    told = manifest(folder, "trial")
    parts = [(p["episode"], p["first_seq"], p["last_seq"], p["ticks"], p["reason"]) for p in told["episodes"]]
    assert parts == [(0, 0, 2, 1, "reset"), (1, 3, 4, 1, "interrupted")]
    assert [part["header"]["seed"] for part in told["episodes"]] == [1, 2]


def test_a_closed_record_without_a_manifest_gets_one(folder):
    path = folder / "episode_0000.pkl"
    path.write_bytes(record(ended=True))
    path.chmod(0o400)
    assert repair(folder.parent) == [Repaired(path, 5, 0, True)]
    assert path.read_bytes() == record(ended=True) and manifest(folder)["reason"] == "done"


def test_a_record_that_somebody_still_writes_is_left_to_them(folder):
    recorder = Recorder(folder, "t-1")
    recorder.open_episode(0, {})
    recorder.write(entry(0))
    before = names(folder)
    assert repair(folder.parent) == [] and names(folder) == before
    recorder.write(entry(1))
    recorder.close_episode("done", {})
    recorder.close()
    assert len(list(read_entries(folder / "episode_0000.pkl", strict=True))) == 2


def test_what_is_not_ours_is_left_alone(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(record() + b"tail")
    foreign = {
        "notes.txt": b"hello",
        "episode_1.pkl.part": b"x",  # not a name that we give
        "episode_0005.pkl": pickle.dumps({"not": "ours"}),
        "trial.pkl.bak": b"x",
        "EPISODE_0001.pkl.part": b"x",
    }
    for name, data in foreign.items():
        (folder / name).write_bytes(data)
    (folder / "episode_0007.pkl.part").symlink_to(outside)
    (folder / "episode_0008.pkl.part").mkdir()
    os.mkfifo(folder / "episode_0009.pkl.part")
    (folder.parent / "Not a trial").mkdir()
    (folder.parent / "Not a trial" / "episode_0000.pkl.part").write_bytes(record())
    (folder.parent / "linked").symlink_to(tmp_path)
    before = names(folder)
    assert repair(folder.parent) == []
    assert names(folder) == before and {name: (folder / name).read_bytes() for name in foreign} == foreign
    assert outside.read_bytes() == record() + b"tail"
    assert names(folder.parent / "Not a trial") == ["episode_0000.pkl.part"]


def test_an_unfinished_record_beside_a_closed_one_of_its_name_replaces_nothing(folder):
    (folder / "episode_0000.pkl").write_bytes(record(ended=True))
    repair(folder.parent)
    (folder / "episode_0000.pkl.part").write_bytes(record(2))
    assert repair(folder.parent) == []
    assert (folder / "episode_0000.pkl").read_bytes() == record(ended=True)
    assert (folder / "episode_0000.pkl.part").read_bytes() == record(2)


def test_an_empty_record_is_closed_and_nothing_but_noise_is_kept_as_torn(folder):
    (folder / "episode_0000.pkl.part").write_bytes(b"")
    (folder / "episode_0001.pkl.part").write_bytes(b"noise" * 100)
    assert [done.entries for done in repair(folder.parent)] == [0, 0]
    assert (folder / "episode_0001.pkl.torn").read_bytes() == b"noise" * 100
    assert manifest(folder)["first_seq"] is None and manifest(folder, "episode_0001")["bytes"] == 0


def test_a_folder_that_is_not_there_needs_no_repair(tmp_path):
    assert repair(tmp_path / "nowhere") == []


# -- the repair is killed itself ---------------------------------------------------------------------------------

TORN = record()[:55]
PART = "episode_0000.pkl.part"


def states() -> dict[str, dict[str, bytes]]:
    """What a folder may hold after a repair of record + TORN was killed, made by hand."""
    from_recorder = json.dumps({"bytes": len(record()), "sha256": hashlib.sha256(record()).hexdigest()}).encode()
    return {
        "torn part half written": {PART: record() + TORN, "episode_0000.pkl.torn.part": TORN[:20]},
        "torn written": {PART: record() + TORN, "episode_0000.pkl.torn": TORN},
        "torn written twice": {
            PART: record() + TORN,
            "episode_0000.pkl.torn": TORN,
            "episode_0000.pkl.torn.part": TORN[:5],
        },
        "tail cut": {PART: record(), "episode_0000.pkl.torn": TORN},
        "manifest half written": {
            PART: record(),
            "episode_0000.pkl.torn": TORN,
            "episode_0000.json.part": b'{"format": "HG',
        },
        "manifest of other bytes": {
            PART: record(),
            "episode_0000.pkl.torn": TORN,
            "episode_0000.json.part": b'{"bytes": 5, "sha256": "x"}',
        },
        "manifest without what we need": {
            PART: record(),
            "episode_0000.pkl.torn": TORN,
            "episode_0000.json.part": from_recorder,
        },
        "renamed without manifest": {"episode_0000.pkl": record(), "episode_0000.pkl.torn": TORN},
        "renamed, manifest half written": {
            "episode_0000.pkl": record(),
            "episode_0000.pkl.torn": TORN,
            "episode_0000.json.part": b"{",
        },
    }


@pytest.mark.parametrize("state", states())
def test_a_repair_that_was_killed_is_finished_by_the_next(folder, state):
    for name, data in states()[state].items():
        (folder / name).write_bytes(data)
    (done,) = repair(folder.parent)
    check_repaired(folder)
    assert done.torn_bytes == len(TORN) and repair(folder.parent) == []


def check_repaired(folder: Path) -> None:
    assert names(folder) == ["episode_0000.json", "episode_0000.pkl", "episode_0000.pkl.torn"]
    assert (folder / "episode_0000.pkl").read_bytes() == record()
    assert (folder / "episode_0000.pkl.torn").read_bytes() == TORN
    told = manifest(folder)
    assert told["entries"] == 4 and told["recovered"]["torn_bytes"] == len(TORN)
    assert told["sha256"] == hashlib.sha256(record()).hexdigest()


CALLS = ("open", "write", "rename", "fsync", "ftruncate", "fchmod", "close", "pread", "stat")


def repair_and_die(folder: Path, number: int, *, after: bool) -> int:
    """Repair in a child that ends at its number-th call to the system; 0 when it got through."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code, counted, write = 1, iter(range(10**6)), os.write

    def patched(call):
        def wrapper(*arguments, **more):
            here = next(counted) == number
            if here and not after:
                if call is write:  # in the middle of it
                    write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os._exit(9)
            try:
                return call(*arguments, **more)
            finally:
                if here:
                    os._exit(9)

        return wrapper

    try:
        for name in CALLS:
            setattr(os, name, patched(getattr(os, name)))
        repair(folder)
        code = 0
    finally:
        os._exit(code)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_repair_killed_at_any_call_to_the_system_is_finished_by_the_next(tmp_path, after):
    for number in range(1000):
        folder = tmp_path / str(number) / "t-1"
        folder.mkdir(parents=True)
        (folder / PART).write_bytes(record() + TORN)
        code = repair_and_die(folder.parent, number, after=after)
        assert code in (0, 9)
        repair(folder.parent)
        check_repaired(folder)
        assert repair(folder.parent) == []
        if code == 0:
            assert number > 20, "the calls were not seen"
            return
    raise AssertionError("the repair never got through")


def test_repairs_killed_again_and_again_still_come_to_the_same_end(tmp_path):
    random_ = random.Random(6)
    for round_ in range(15):
        folder = tmp_path / str(round_) / "t-1"
        folder.mkdir(parents=True)
        (folder / PART).write_bytes(record() + TORN)
        for _ in range(6):
            repair_and_die(folder.parent, random_.randrange(40), after=random_.random() < 0.5)
        repair(folder.parent)
        check_repaired(folder)


def test_two_repairs_at_once_do_the_work_once(tmp_path):
    folder = tmp_path / "t-1"
    folder.mkdir()
    for number in range(40):
        (folder / f"episode_{number:04d}.pkl.part").write_bytes(record() + TORN)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                repair(tmp_path)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    repair(tmp_path)
    for number in range(40):
        told = manifest(folder, f"episode_{number:04d}")
        assert (folder / told["file"]).read_bytes() == record() and told["recovered"]["torn_bytes"] == len(TORN)
    assert len(names(folder)) == 120


def test_one_file_that_the_disk_does_not_give_keeps_no_other_from_being_repaired(folder, monkeypatch, caplog):
    for number in range(3):
        (folder / f"episode_000{number}.pkl.part").write_bytes(record())
    rename = os.rename

    def fails_once(source, target, **more):
        if source == "episode_0001.pkl.part":
            raise OSError(5, "Input/output error")
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", fails_once)
    assert [done.path.name for done in repair(folder.parent)] == ["episode_0000.pkl", "episode_0002.pkl"]
    assert "episode_0001 could not be repaired: Input/output error" in caplog.text
    monkeypatch.undo()
    assert [done.path.name for done in repair(folder.parent)] == ["episode_0001.pkl"]
