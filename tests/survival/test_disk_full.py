"""A full disk stops the game, not the study: nothing is lost, nothing is left out, and people are told."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hippogym.core import packets
from hippogym.data.reader import read_entries
from hippogym.data.recorder import Recorder
from hippogym.data.recovery import repair
from hippogym.errors import RecordError
from hippogym.live.channel import Channel
from hippogym.live.inbox import MOST_PUT_OFF_BYTES, Inbox
from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.records import inputs, manifest, of_kind, plain_loop, trial_folders, wait_for_files
from tests.servers import ROOT, RunningServer, serving, write_study
from tests.survival.proof import Tally, compare, read_trial
from tests.survival.small_disk import Disk, SmallDisk, SmallFiles, mounted

CONFIG = """
trial:
  game: count
  maxEpisodes: 1000
  actionSpace: [noop, up]
  episodePause: 0
  stepTimeout: 3
  ui: {up: true, start: true, stop: true, reset: true}
"""
LARGE = 1_000_000
AGENT = (Path(__file__).parent / "sized_agent.py").read_text().replace("EPISODE_TICKS = 30", "EPISODE_TICKS = 100_000")


@pytest.fixture(params=[pytest.param("a small disk", marks=pytest.mark.long), "small files"])
def disk(request: pytest.FixtureRequest, study: Path) -> Iterator[Disk]:
    with contextlib.ExitStack() as stack:
        if request.param == "small files":
            yield SmallFiles()
        else:
            yield SmallDisk(stack.enter_context(mounted(study / "Trials")))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study", CONFIG, AGENT)


async def play(client: Client, size_bytes: int = 3_000, frames: int = 5) -> None:
    await client.hello(f"player-{size_bytes}")
    await client.say(command="start")
    await client.until_frame(frames)


async def told_of_the_pause(client: Client) -> None:
    assert "no room" in (await client.until("notice"))["notice"]["text"]


async def some_time(client: Client, pings: int) -> None:
    for _ in range(pings):
        await client.until("ping")


def assert_all_is_kept(server: RunningServer, *clients: Client) -> list[dict]:
    """Everything that was seen is in closed records without gaps. Returns all entries of the first trial."""
    tally, found = Tally(), []
    for folder, client in zip(trial_folders(server), clients, strict=True):
        compare("player", client.frames, read_trial(folder, tally), tally)
        found.append([entry for path in sorted(folder.glob("*.pkl")) for entry in plain_loop(path)])
    assert not tally.wrong, (tally.wrong, tally.notes)
    return found[0]


async def test_the_game_pauses_with_a_sentence_and_goes_on_by_itself(study: Path, disk: Disk) -> None:
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client)
            disk.fill(server)
            await told_of_the_pause(client)
            for number in range(20):
                await client.say(info=f"meanwhile {number}")
            await some_time(client, 1)
            frames = len(client.frames)
            await some_time(client, 4)  # longer than a step may take: a trial that waits is not a trial that hangs
            assert len(client.frames) == frames
            disk.make_room(server)
            await client.until("notice")
            await client.until_frame(5)
            await client.say(command="stop")
            assert (await client.until("done"))["done"]["reason"] == "stopped"
        [file] = wait_for_files(server, 1)
        entries = assert_all_is_kept(server, client)
    said = [one["message"]["info"] for one in inputs(entries) if "info" in one["message"]]
    assert said == [f"meanwhile {number}" for number in range(20)]
    assert manifest(file)["complete"] is True
    assert manifest(file)["recovered"] is None
    missed = [entry["hippogym"]["missed_ticks"] for entry in of_kind(entries, "tick")]
    assert sum(missed) < 60, "the pause counts as ticks that were missed"


async def test_who_begins_or_comes_back_while_the_disk_is_full_is_told(study: Path) -> None:
    with mounted(study / "Trials") as folder, serving(study) as server:
        disk = SmallDisk(folder)
        disk.fill(server)
        async with join(server.ws) as v2, join(server.ws, v2=False) as v1:
            await v2.hello("player-50")
            token = (await v2.until("welcome"))["welcome"]["token"]
            await told_of_the_pause(v2)
            await v1.hello("player-400")
            assert "no room" in (await v1.until("display"))["display"]["Paused"]
            async with join(server.ws) as again:
                await again.hello("player-50", token=token)
                await told_of_the_pause(again)
                disk.make_room(server)
                await again.until_frame(1)
                await v1.until_frame(1)
                await v1.until_newest("display", lambda shown: shown == {})
                for client in (again, v1):
                    await client.say(command="start")
                    await client.until_frame(3)
                    await client.say(command="stop")
                    await client.until("done")
        wait_for_files(server, 2)
        folders = trial_folders(server)
        assert {entries[0]["hippogym"]["kind"] for entries in map(first_file, folders)} == {"reset"}


def first_file(folder: Path) -> list[dict]:
    return plain_loop(folder / "episode_0000.pkl")


async def test_an_episode_that_cannot_begin_begins_when_there_is_room(study: Path, disk: Disk) -> None:
    """Inputs that came in one go with the reset are handled once, and in their order."""
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client)
            disk.fill(server)
            for message in ({"info": 1}, {"command": "reset"}, {"info": 2}, {"info": 3}):
                await client.say(**message)
            await told_of_the_pause(client)
            await client.say(info=4)
            await some_time(client, 2)
            disk.make_room(server)
            await client.until_frame(5)
            await client.say(command="stop")
            await client.until("done")
        wait_for_files(server, 2)
        entries = assert_all_is_kept(server, client)
    given = [one["message"] for one in inputs(entries)]
    assert [one["info"] for one in given if "info" in one] == [1, 2, 3, 4]
    assert sum(one.get("command") == "reset" for one in given) == 1


async def test_stop_ends_the_pause_and_the_repair_closes_the_record(study: Path, disk: Disk) -> None:
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client)
            disk.fill(server)
            await told_of_the_pause(client)
            await client.say(command="stop")
            assert (await client.until("done"))["done"]["reason"] == "stopped"
        assert server.stop() == 0
        assert "the record stays open" in server.log
        if isinstance(disk, SmallDisk):
            assert list(server.records.rglob("*.pkl.part"))
            disk.make_room(server)
    with serving(study) as again:
        assert_all_is_kept(again, client)


async def test_what_still_fits_is_kept_when_somebody_stops(study: Path, disk: Disk) -> None:
    """An observation of 1 MB finds no room, the end of the record does: with everything the participant did."""
    write_study(study, CONFIG + "  startingFrameRate: 5\n", AGENT)
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client, LARGE)
            disk.fill(server, leave_bytes=LARGE * 9 // 10)
            await told_of_the_pause(client)
            await client.say(info="last words")
            await client.say(command="stop")
            await client.say(info="after it")
            assert (await client.until("done"))["done"]["reason"] == "stopped"
        [file] = wait_for_files(server, 1)
        entries = assert_all_is_kept(server, client)
    assert manifest(file)["recovered"] is None
    [end] = of_kind(entries, "end")
    assert end["hippogym"]["reason"] == "stopped"
    assert end["hippogym"]["unkept_ticks"] == 1
    assert end["hippogym"]["ticks"] == of_kind(entries, "tick")[-1]["hippogym"]["tick"] + 1
    said = [one["message"].get("info") or one["message"].get("command") for one in inputs(entries)[1:]]
    assert said == ["start", "last words", "stop", "after it"]
    sent = [one["frame"] for entry in entries for one in entry["hippogym"]["sent"]]
    assert sent == [seen.frame for seen in client.frames], "what the tick without room was to tell is told by the end"


async def test_sigterm_ends_the_pause_and_everybody_is_told(study: Path, disk: Disk) -> None:
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client)
            disk.fill(server)
            await told_of_the_pause(client)
            server.process.send_signal(signal.SIGTERM)
            assert (await client.until("done"))["done"]["reason"] == "server"
            assert await client.until_closed() == 1012
        assert server.process.wait(PATIENCE_S) == 0
        if isinstance(disk, SmallDisk):
            disk.make_room(server)
    with serving(study) as again:
        assert_all_is_kept(again, client)


async def test_what_is_put_off_is_bounded_and_whoever_says_more_is_told(study: Path) -> None:
    """Who comes back has a new budget of bytes; so by coming back often enough one can say too much."""
    disk, size_bytes, visits, each = SmallFiles(), 60_000, 7, 3
    with serving(study) as server:
        async with join(server.ws) as client:
            await play(client)
            token = client.all("welcome")[0]["token"]
            disk.fill(server)
            await told_of_the_pause(client)
        for visit in range(visits):
            async with join(server.ws) as client:
                await client.hello("player-3000", token=token)
                for number in range(each):
                    await client.say(info=str(each * visit + number).rjust(size_bytes))
                await client.say(nonsense="answered when all before has been passed on")
                while "unknown_message" not in [error["code"] for error in client.all("error")]:
                    await client.receive()
                if visit == visits - 1:
                    while "too_many" not in [error["code"] for error in client.all("error")]:
                        await client.receive()
                    disk.make_room(server)
                    await client.until_frame(5)
                    await client.say(command="stop")
                    await client.until("done")
        wait_for_files(server, 1)
        entries = assert_all_is_kept(server, client)
    kept = [int(one["message"]["info"]) for one in inputs(entries) if "info" in one["message"]]
    assert kept == sorted(set(kept))
    assert MOST_PUT_OFF_BYTES // size_bytes <= len(kept) < visits * each
    assert sum(entry["hippogym"]["rejected"] for entry in entries) == visits * each - len(kept) + visits


def test_an_inbox_puts_off_so_much_and_gives_it_first() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox, large = Inbox(Channel(theirs)), bytes(MOST_PUT_OFF_BYTES // 2)
        for _ in range(2):
            assert [inbox.put_off(packets.INPUT, payload) for payload in (large, b"1", large, b"2")] == [
                True,
                True,
                False,
                True,
            ]
            ours.sendall(packets.pack(packets.INPUT, b"3") + packets.pack(packets.NOTE, b"{}"))
            inbox.receive(None)
            assert [payload for _, payload in inbox.take_new()] == [b"3", b"{}"]
            ours.sendall(packets.pack(packets.INPUT, b"4"))
            inbox.receive(None)
            assert [payload for _, payload in inbox.take()] == [large, b"1", b"2", b"4"]


# -- before anything listens -----------------------------------------------------------------------------------------


def start(study: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "communicator.py"), "dev", "--study", str(study), "--port", "0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


def test_a_disk_that_cannot_be_written_to_is_refused_at_start(study: Path) -> None:
    with mounted(study / "Trials") as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        ended = start(study)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == f"records cannot be kept in {folder}: Read-only file system"


@pytest.mark.parametrize("free_bytes", [0, 2**20])
def test_a_full_disk_is_refused_at_start(study: Path, free_bytes: int) -> None:
    with mounted(study / "Trials", 2**21) as folder:
        with (folder / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2**21 - free_bytes)
        ended = start(study)
    assert (ended.returncode, ended.stdout) == (2, "")
    last = ended.stderr.splitlines()[-1]
    assert str(folder) in last and ("nearly full" in last or "No space left" in last)


# -- the recorder ----------------------------------------------------------------------------------------------------


def test_a_trial_whose_folder_finds_no_room_may_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", full)
        recorder = Recorder(tmp_path / "t-1", "t-1")
        with pytest.raises(RecordError) as caught:
            recorder.open_episode(0, {})
        assert caught.value.disk_full
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RecordError) as caught:
            recorder.open_episode(0, {})
        assert caught.value.disk_full
    recorder.open_episode(0, {})
    recorder.write({"observation": 1, "hippogym": {"kind": "reset"}})
    path = recorder.close_episode("done", {})
    assert len(list(read_entries(path))) == 1
    recorder.close()
    with pytest.raises(RecordError, match="closed"):
        recorder.open_episode(1, {})


def test_the_repair_waits_for_who_still_writes(tmp_path: Path) -> None:
    """The trials of a killed server outlive it by a moment; their records are repaired at the start of the next."""
    code = """
import os, sys
from pathlib import Path
from hippogym.data.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), "t-1")
recorder.open_episode(0, {})
recorder.write({"hippogym": {"kind": "reset"}})
print("ready", flush=True)
sys.stdin.readline()
os._exit(9)
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "t-1")], stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout.readline() == b"ready\n"
        assert repair(tmp_path) == []
        writer.stdin.write(b"die\n")
        writer.stdin.flush()
        (repaired,) = repair(tmp_path, wait_s=PATIENCE_S)
    assert (repaired.entries, repaired.complete) == (1, False)
