"""The recorder: what is acknowledged is in the file, whatever then happens to the process or the disk."""

import errno
import fcntl
import hashlib
import json
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hippogym.core.record_format import Damage, scan
from hippogym.data.reader import ReadReport, read_entries
from hippogym.data.recorder import Recorder
from hippogym.data.recovery import repair
from hippogym.data.summary import COMMON
from hippogym.errors import RecordError

HEADER = {
    "participant": {"userId": "../p 1", "projectId": "x"},
    "seed": 7,
    "seed_used": np.int64(7),
    "game": "CartPole-v1",
    "versions": {"python": "3.11"},
    "config_sha256": "c" * 64,
    "actions": {"names": ["left", "right"], "values": [np.array([-1.0])]},
}


def tick(n: int, size: int = 100) -> dict:
    ours = {"v": 1, "kind": "reset" if n == 0 else "tick", "trial": "t-1", "episode": 0, "tick": n}
    return {"observation": np.full(size, n % 256, np.uint8), "reward": float(n), "hippogym": ours}


def end(reason: str = "done") -> dict:
    return {"hippogym": {"v": 1, "kind": "end", "trial": "t-1", "episode": 0, "reason": reason}}


def plain_loop(path: Path) -> list[dict]:
    found = []
    with path.open("rb") as file:
        while True:
            try:
                found.append(pickle.load(file))
            except EOFError:
                return found


def play(recorder: Recorder, episode: int, ticks: int) -> Path:
    recorder.open_episode(episode, HEADER)
    for n in range(ticks):
        recorder.write(tick(n))
    recorder.write(end())
    return recorder.close_episode("done", {"ticks": ticks - 1, "return": np.float32(1.5)})


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "records" / "t-1", "t-1")
    yield recorder
    recorder.close()


# -- files ---------------------------------------------------------------------------------------------------------


def test_an_episode_becomes_one_closed_file_with_a_manifest(recorder, tmp_path):
    path = play(recorder, 3, 5)
    assert path == tmp_path / "records/t-1/episode_0003.pkl"
    assert sorted(os.listdir(path.parent)) == ["episode_0003.json", "episode_0003.pkl"]
    entries = plain_loop(path)
    assert [entry["hippogym"]["seq"] for entry in entries] == [0, 1, 2, 3, 4, 5]
    told = json.loads(path.with_suffix(".json").read_text())
    assert {name: told[name] for name in ("format", "version", "file", "trial", "entries", "ticks", "first_seq")} == {
        "format": "HGR1",
        "version": 1,
        "file": "episode_0003.pkl",
        "trial": "t-1",
        "entries": 6,
        "ticks": 4,
        "first_seq": 0,
    }
    assert told["last_seq"] == 5 and told["bytes"] == path.stat().st_size
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["participant"] == HEADER["participant"] and told["config_sha256"] == "c" * 64
    assert told["reason"] == "done" and told["complete"] is True and told["recovered"] is None
    assert told["started"] <= told["ended"] and told["unsynced"] is False and told["oddities"] == {}
    (episode,) = told["episodes"]
    assert episode["header"]["seed_used"] == 7 and episode["header"]["actions"]["values"] == [[-1.0]]
    assert episode["episode"] == 3 and episode["ticks"] == 4 and episode["summary"] == {"ticks": 4, "return": 1.5}


def test_the_last_entry_proves_the_ones_before(recorder):
    data = play(recorder, 0, 5).read_bytes()
    *_, last = scan(data)
    ours = pickle.loads(last.data)["hippogym"]
    assert ours["sha256_before"] == hashlib.sha256(data[: last.start]).hexdigest()


def test_with_a_file_per_trial_the_numbers_run_through_all_episodes(tmp_path):
    recorder = Recorder(tmp_path / "t-1", "t-1", per="trial")
    assert play(recorder, 0, 3) == play(recorder, 1, 2) == tmp_path / "t-1/trial.pkl"
    assert sorted(os.listdir(tmp_path / "t-1")) == ["trial.pkl.part"]
    recorder.close()
    assert sorted(os.listdir(tmp_path / "t-1")) == ["trial.json", "trial.pkl"]
    assert [entry["hippogym"]["seq"] for entry in plain_loop(tmp_path / "t-1/trial.pkl")] == list(range(7))
    told = json.loads((tmp_path / "t-1/trial.json").read_text())
    assert [(part["episode"], part["first_seq"], part["last_seq"]) for part in told["episodes"]] == [
        (0, 0, 3),
        (1, 4, 6),
    ]
    assert told["ticks"] == 3 and told["complete"] is True


def test_only_the_owner_can_read_records_and_nobody_can_change_closed_ones(recorder):
    recorder.open_episode(0, {})
    folder = recorder._folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "episode_0000.pkl.part").stat().st_mode) == 0o600
    path = recorder.close_episode("done", {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE(path.with_suffix(".json").stat().st_mode) == 0o600


@pytest.mark.parametrize("trial", ["", "..", "a/b", "A", "é", "a\n", "a\0", "x" * 65, "."])
def test_a_trial_id_that_could_be_a_path_is_refused(tmp_path, trial):
    with pytest.raises(ValueError, match="not a trial id"):
        Recorder(tmp_path / "records", trial)
    assert os.listdir(tmp_path) == []


def test_a_record_is_never_written_twice(recorder, tmp_path):
    path = play(recorder, 0, 2)
    before = path.read_bytes()
    with pytest.raises(RecordError, match="exists already"):
        recorder.open_episode(0, {})
    (path.parent / "episode_0001.pkl.part").write_bytes(b"from before")
    with pytest.raises(RecordError, match="repaired first"):
        recorder.open_episode(1, {})
    outside = tmp_path / "outside"
    (path.parent / "episode_0002.pkl.part").symlink_to(outside)
    with pytest.raises(RecordError):
        recorder.open_episode(2, {})
    assert path.read_bytes() == before and not outside.exists()


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "t-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match="cannot be used"):
        Recorder(tmp_path / "t-1", "t-1")


def test_an_open_record_is_locked_and_a_closed_one_is_not(recorder):
    recorder.open_episode(0, {})
    path = recorder._folder / "episode_0000.pkl.part"
    with path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path = recorder.close_episode("done", {})
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_closing_twice_or_in_mid_episode_leaves_nothing_open(tmp_path):
    fds = len(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    recorder = Recorder(tmp_path / "t-1", "t-1")
    recorder.open_episode(0, HEADER)
    recorder.write(tick(0))
    assert recorder.is_open and recorder.next_seq == 1
    recorder.close()
    recorder.close()
    told = json.loads((tmp_path / "t-1/episode_0000.json").read_text())
    assert told["complete"] is False and told["reason"] == "closed" and told["entries"] == 1
    assert len(os.listdir("/proc/self/fd")) == fds and threading.active_count() == threads
    with pytest.raises(RecordError, match="no episode is open"):
        recorder.write(tick(1))
    with pytest.raises(RecordError, match="closed"):
        recorder.open_episode(1, {})


# -- entries ---------------------------------------------------------------------------------------------------------


def test_what_is_not_plain_is_counted_warned_about_once_and_told_in_the_manifest(recorder, caplog):
    recorder.open_episode(0, {})
    for _ in range(3):
        recorder.write({"env": object(), "hippogym": {"kind": "tick"}})
    assert recorder.oddities == {"builtins.object": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "the agent returns a builtins.object, of which only type and repr can be kept"
    ]
    path = recorder.close_episode("done", {})
    assert json.loads(path.with_suffix(".json").read_text())["oddities"] == {"builtins.object": 3}
    assert plain_loop(path)[0]["env"]["__type__"] == "builtins.object"


def test_an_agent_cannot_crowd_out_our_part_of_the_entry(recorder):
    recorder.open_episode(0, {})
    recorder.write({"huge": [[0] * 1000] * 1000, "hippogym": {"kind": "tick", "tick": 5}})
    (entry,) = plain_loop(recorder.close_episode("done", {}))
    assert entry["hippogym"] == {"kind": "tick", "tick": 5, "seq": 0}


def test_the_callers_entry_is_left_as_it_was(recorder):
    recorder.open_episode(0, {})
    entry = tick(0)
    recorder.write(entry)
    assert "seq" not in entry["hippogym"]


def test_an_entry_is_readable_by_others_before_the_next_is_written(recorder):
    recorder.open_episode(0, HEADER)
    for n in range(5):
        assert recorder.write(tick(n)) == n
        assert len(plain_loop(recorder._folder / "episode_0000.pkl.part")) == n + 1


def test_an_entry_too_large_for_the_format_changes_nothing(recorder, monkeypatch):
    recorder.open_episode(0, {})
    monkeypatch.setattr("hippogym.core.record_format.MAX_ENTRY_BYTES", 1000)
    with pytest.raises(RecordError, match="at most 1000") as caught:
        recorder.write(tick(0, size=2000))
    assert caught.value.disk_full is False
    assert recorder.write(tick(0)) == 0


# -- a disk that does not want to -----------------------------------------------------------------------------------


def test_a_full_disk_takes_the_entry_back_and_the_same_entry_fits_later(tmp_path):
    """With RLIMIT_FSIZE the kernel writes what fits and then refuses, as a full disk does; in a process of its own."""
    program = """
import resource, sys
from pathlib import Path
from hippogym.data.recorder import Recorder
from hippogym.errors import RecordError
from tests.test_recorder import tick, end, HEADER, plain_loop
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
recorder = Recorder(Path(sys.argv[1]) / "t-1", "t-1")
recorder.open_episode(0, HEADER)
n = refused = 0
while n < 20:
    try:
        assert recorder.write(tick(n, size=7000)) == n
        n += 1
    except RecordError as problem:
        assert problem.disk_full and "full" in str(problem), problem
        assert len(plain_loop(Path(sys.argv[1]) / "t-1/episode_0000.pkl.part")) == n
        refused += 1
        if refused == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.write(end())
recorder.close_episode("done", {})
assert refused == 3
"""
    ran = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=Path(__file__).parent.parent, check=False)
    assert ran.returncode == 0
    check_whole(tmp_path / "t-1/episode_0000.pkl", 20)


def check_whole(path: Path, ticks: int) -> None:
    report = ReadReport()
    entries = list(read_entries(path, report=report))
    assert [entry["reward"] for entry in entries[:-1]] == [float(n) for n in range(ticks)]
    assert report.intact and report.ended and len(plain_loop(path)) == ticks + 1
    assert json.loads(path.with_suffix(".json").read_text())["complete"] is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_really_full_goes_on_when_there_is_room(tmp_path):
    mounted = tmp_path / "small"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", mounted], check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        ballast = mounted / "ballast"
        ballast.write_bytes(bytes(150_000))
        recorder = Recorder(mounted / "t-1", "t-1")
        recorder.open_episode(0, HEADER)
        refused, n = 0, 0
        while n < 12:
            try:
                recorder.write(tick(n, size=15_000))
                n += 1
            except RecordError as problem:
                assert problem.disk_full
                refused += 1
                ballast.unlink()
        recorder.write(end())
        recorder.close_episode("done", {})
        recorder.close()
        assert refused == 1
        check_whole(mounted / "t-1/episode_0000.pkl", 12)
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_no_room_for_the_manifest_keeps_everything_and_closing_may_be_tried_again(recorder, monkeypatch):
    recorder.open_episode(0, HEADER)
    for n in range(3):
        recorder.write(tick(n))
    recorder.write(end())
    fsync = os.fsync
    for failing in range(3):  # of the manifest, then of the folder, twice
        calls = iter(range(100))

        def one_fails(fd, calls=calls, failing=failing):
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(fd)

        monkeypatch.setattr(os, "fsync", one_fails)
        with pytest.raises(RecordError) as caught:
            recorder.close_episode("done", {})
        assert caught.value.disk_full
    monkeypatch.setattr(os, "fsync", fsync)
    check_whole(recorder.close_episode("done", {}), 3)


def test_a_failed_sync_is_final_and_told(recorder, monkeypatch):
    """The kernel forgets what it could not write, and says yes when asked again: so nobody asks again."""
    recorder.open_episode(0, HEADER)
    recorder.write(tick(0))

    def fails(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    recorder._file.sync()
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(RecordError, match="could not keep episode_0000") as caught:
            recorder.write(tick(1))
        assert caught.value.disk_full is False
    path = recorder.close_episode("disk_error", {})
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["unsynced"] is True and told["complete"] is False and told["entries"] == 1
    assert len(plain_loop(path)) == 1
    recorder.open_episode(1, HEADER)
    assert recorder.write(tick(0)) == 0


def test_a_write_that_cannot_be_taken_back_ends_the_record(recorder, monkeypatch):
    recorder.open_episode(0, HEADER)
    recorder.write(tick(0))

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", fails)
    monkeypatch.setattr(os, "ftruncate", fails)
    with pytest.raises(RecordError, match="half an entry") as caught:
        recorder.write(tick(1))
    monkeypatch.undo()
    assert caught.value.disk_full is False
    with pytest.raises(RecordError, match="half an entry"):
        recorder.write(tick(1))


def test_an_interrupt_in_mid_write_leaves_no_half_entry(recorder, monkeypatch):
    recorder.open_episode(0, HEADER)
    recorder.write(tick(0))
    write = os.write

    def half(fd, data):
        write(fd, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(KeyboardInterrupt):
        recorder.write(tick(1))
    monkeypatch.undo()
    assert recorder.write(tick(1)) == 1
    recorder.write(end())
    check_whole(recorder.close_episode("done", {}), 2)


def test_entries_reach_the_disk_by_a_thread_within_the_promised_time(tmp_path, monkeypatch):
    synced = threading.Event()
    callers = []
    fdatasync = os.fdatasync

    def watched(fd):
        callers.append(threading.current_thread())
        fdatasync(fd)
        synced.set()

    monkeypatch.setattr(os, "fdatasync", watched)
    recorder = Recorder(tmp_path / "t-1", "t-1", fsync_every_s=0.01)
    recorder.open_episode(0, HEADER)
    recorder.write(tick(0))
    assert synced.wait(90)
    assert threading.main_thread() not in callers
    recorder.close()


def test_the_hash_is_right_however_often_the_thread_has_run(tmp_path):
    recorder = Recorder(tmp_path / "t-1", "t-1", fsync_every_s=0.0005)
    recorder.open_episode(0, HEADER)
    for n in range(300):
        recorder.write(tick(n, size=5000))
    path = recorder.close_episode("done", {})
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    recorder.close()


# -- kill -9 -----------------------------------------------------------------------------------------------------------


def write_until_killed(folder: Path, acknowledge: int, sizes: list[int]) -> None:
    """In a child: write ticks, and tell each one's number once ``write`` has returned."""
    recorder = Recorder(folder, folder.name, fsync_every_s=0.005)
    n = episode = 0
    while True:
        recorder.open_episode(episode, HEADER)
        for _ in range(20):
            recorder.write({**tick(1, size=sizes[n % len(sizes)]), "n": n})
            os.write(acknowledge, n.to_bytes(8, "little"))
            n += 1
        recorder.write(end())
        recorder.close_episode("done", {})
        episode += 1


def kill_a_writer(folder: Path, random_: random.Random) -> int:
    """Kill a writer at a random moment; how many ticks it had acknowledged."""
    reading, writing = os.pipe()
    sizes = [random_.choice([50, 3000, 100_000, 1_000_000]) for _ in range(7)]
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            write_until_killed(folder, writing, sizes)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as told:
        acknowledged = sum(len(told.read(8)) == 8 for _ in range(random_.randrange(1, 60)))
        for _ in range(random_.randrange(3000)):
            pass  # somewhere in the next write, or between two
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while told.read(8):
            acknowledged += 1
    return acknowledged


def check_nothing_acknowledged_is_lost(tmp_path: Path, kills: int, seed: int) -> int:
    random_ = random.Random(seed)
    torn = 0
    for number in range(kills):
        folder = tmp_path / f"trial-{number}"
        acknowledged = kill_a_writer(folder, random_)
        torn += sum(done.torn_bytes > 0 for done in repair(tmp_path))
        entries = [
            entry for path in sorted(folder.glob("*.pkl")) for entry in read_entries(path, strict=True) if "n" in entry
        ]
        assert [entry["n"] for entry in entries] == list(range(len(entries)))
        assert len(entries) >= acknowledged, "an acknowledged tick is lost"
        assert all(len(plain_loop(path)) for path in folder.glob("*.pkl") if path.stat().st_size)
        assert not list(folder.glob("*.part")) and repair(tmp_path) == []
        for path in folder.iterdir():
            path.unlink()
    return torn


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    check_nothing_acknowledged_is_lost(tmp_path, kills=30, seed=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_1000_killed_writers_lose_nothing_and_some_were_killed_in_mid_write(tmp_path):
    assert check_nothing_acknowledged_is_lost(tmp_path, kills=1000, seed=4) > 0


def test_a_plain_buffered_file_does_lose_ticks_when_it_is_killed(tmp_path):
    """The way it used to be done, in the same harness: shows that the test above can see a loss."""
    lost = 0
    for number in range(5):
        path = tmp_path / str(number)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            with path.open("ab") as file:
                for n in range(10**6):
                    pickle.dump(tick(n), file)
                    os.write(writing, b"!")
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as told:
            acknowledged = sum(len(told.read(1)) for _ in range(50))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            while told.read(1):
                acknowledged += 1
        data, kept = path.read_bytes(), 0
        with path.open("rb") as file:
            while file.tell() < len(data):
                try:
                    pickle.load(file)
                    kept += 1
                except (EOFError, pickle.UnpicklingError):
                    break
        lost += acknowledged - kept
    assert lost > 0


# -- killed between any two calls to the system -----------------------------------------------------------------

CALLS = ("open", "write", "rename", "fsync", "fdatasync", "ftruncate", "fchmod", "close")


def die_at(number: int, *, after: bool) -> None:
    """In a child: the process ends at its number-th call to the system, before or after it is done."""
    counted = iter(range(10**6))

    def patched(call):
        def wrapper(*arguments, **more):
            here = next(counted) == number
            if here and not after and call is write:  # in the middle of it
                write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            if here and not after:
                os._exit(9)
            try:
                return call(*arguments, **more)
            finally:
                if here:
                    os._exit(9)

        return wrapper

    write = os.write
    for name in CALLS:
        setattr(os, name, patched(getattr(os, name)))


def in_a_child(work, number: int, after: bool) -> int:
    """Do ``work`` in a child that dies at its number-th call; its exit code, 0 when it got through."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            die_at(number, after=after)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("per", ["episode", "trial"])
def test_killed_at_any_call_to_the_system_a_record_can_be_repaired(tmp_path, per, after):
    for number in range(1000):
        folder = tmp_path / str(number) / "t-1"

        def work(folder=folder):
            recorder = Recorder(folder, "t-1", per=per, fsync_every_s=1000)
            recorder.open_episode(0, HEADER)
            for n in range(3):
                recorder.write(tick(n))
            recorder.write(end())
            recorder.close_episode("done", {})
            recorder.close()

        code = in_a_child(work, number, after)
        assert code in (0, 9)
        repair(folder.parent)
        assert repair(folder.parent) == []
        names = sorted(path.name for path in folder.glob("*")) if folder.exists() else []
        stem = "episode_0000" if per == "episode" else "trial"
        if names:
            assert set(names) <= {f"{stem}.pkl", f"{stem}.json", f"{stem}.pkl.torn"}
            path = folder / f"{stem}.pkl"
            told = json.loads(path.with_suffix(".json").read_text())
            entries = list(read_entries(path, strict=True))
            assert told["entries"] == len(entries) == len(plain_loop(path))
            assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert told["complete"] is (len(entries) == 4)
            assert not [found for found in scan(path.read_bytes()) if isinstance(found, Damage)]
        if code == 0:
            assert number > 10, "the calls were not seen"
            return
    raise AssertionError("the work never got through")


def test_the_documentation_names_every_key_of_a_manifest_and_of_every_entry(recorder):
    page = (Path(__file__).parent.parent / "docs" / "records.md").read_text()
    told = json.loads(play(recorder, 0, 2).with_suffix(".json").read_text())
    keys = {*told, *told["episodes"][0], *COMMON}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_what_runs_in_the_trials_process_is_light():
    """No config library, no web server, nothing of the reader."""
    program = "import sys, hippogym.data.recorder; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {"pydantic", "hippogym.config", "asyncio", "starlette", "hippogym.data.safe_pickle", "tempfile"}
