"""SIGTERM with people playing: everybody is told, every record is closed, the exit code is 0."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.records import manifest, of_kind, plain_loop
from tests.servers import RunningServer, serving, write_study
from tests.survival.proof import Tally, compare, read_trial

AGENT = (Path(__file__).parent / "sized_agent.py").read_text()
CONFIG = """
trial:
  game: count
  maxEpisodes: 1000
  actionSpace: [noop, up]
  startingFrameRate: 60
  episodePause: 0
  reconnectGrace: 600
  ui: {up: true, start: true, pause: true}
"""
PEOPLE = 8


async def take_a_seat(server: RunningServer, number: int, stack: contextlib.AsyncExitStack) -> Client:
    """Most play, in either version of the protocol; one waits, one pauses, one has lost the connection."""
    client = await stack.enter_async_context(join(server.ws, v2=number != 7))
    await client.hello(f"seat-{number}-{(50, 3_000, 30_000)[number % 3]}")
    await client.until_frame(1)
    if number != 1:
        await client.say(command="start")
        await client.until_frame(3)
    if number == 2:
        await client.say(command="pause")
    if number == 3:
        await client.socket.close()
    return client


async def stop_with_everybody_here(server: RunningServer, pid: int) -> list[Client]:
    """Returns who was there, when the server has stopped."""
    async with contextlib.AsyncExitStack() as stack:
        clients = await asyncio.gather(*(take_a_seat(server, number, stack) for number in range(PEOPLE)))
        descendants = psutil.Process(pid).children(recursive=True)
        assert len(descendants) >= PEOPLE
        psutil.Process(pid).send_signal(signal.SIGTERM)
        for client in clients:
            code = await client.until_closed()
            if client is clients[3]:
                continue
            assert code == 1012
            told = client.all("done") if client.v2 else [one for one in client.messages if one == "done"]
            assert len(told) == 1
            assert not client.v2 or told[0]["reason"] == "server"
    assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
    gone, alive = await asyncio.to_thread(psutil.wait_procs, descendants, PATIENCE_S)
    assert not alive
    return clients


def assert_everything_is_in_order(server: RunningServer, clients: list[Client]) -> None:
    """Closed by the trials themselves, not by a repair; then the folder is emptied."""
    tally, seats, reasons = Tally(), {}, set()
    assert not list(server.records.rglob("*.part"))
    assert not list(server.records.rglob("*.torn"))
    for folder in [path for path in server.records.iterdir() if path.is_dir()]:
        kept = read_trial(folder, tally)
        seats[kept.participant] = kept
        files = sorted(folder.glob("*.pkl"))
        for path in files:
            assert (manifest(path)["complete"], manifest(path)["recovered"]) == (True, None)
        reasons.add(manifest(files[-1])["reason"])
        assert of_kind(plain_loop(files[-1]), "end")[0]["hippogym"]["reason"] == manifest(files[-1])["reason"]
        shutil.rmtree(folder)
    assert reasons <= {"server", "done"}  # done: the signal came while the last state of an episode was shown
    assert "server" in reasons
    assert len(seats) == PEOPLE
    for number, client in enumerate(clients):
        [kept] = [kept for name, kept in seats.items() if name.startswith(f"seat-{number}-")]
        compare(f"seat {number}", client.frames, kept, tally)
    assert not tally.wrong, (tally.wrong, tally.notes)


async def stop_again_and_again(study: Path, times: int) -> None:
    write_study(study, CONFIG, AGENT)
    for _ in range(times):
        with serving(study) as server:
            clients = await stop_with_everybody_here(server, server.process.pid)
            assert_everything_is_in_order(server, clients)


@pytest.mark.timeout(240)
async def test_sigterm_with_8_people_closes_everything(tmp_path: Path) -> None:
    await stop_again_and_again(tmp_path / "study", 3)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_sigterm_with_8_people_closes_everything_50_times(tmp_path: Path) -> None:
    await stop_again_and_again(tmp_path / "study", 50)


async def test_who_comes_while_the_server_stops_is_told_so(tmp_path: Path) -> None:
    slow = AGENT.replace("env.count = -1", "import time; time.sleep(3)")
    with serving(write_study(tmp_path / "study", CONFIG, slow)) as server:
        async with join(server.ws) as client:
            await client.hello("seat-0-50")
            await client.until_frame(1)
            server.process.send_signal(signal.SIGTERM)
            assert await client.until_closed() == 1012
            async with join(server.ws) as late:
                await late.hello("late")
                assert await late.until_closed() == 1012
                assert "stopping" in late.all("notice")[0]["text"]
        assert server.process.wait(PATIENCE_S) == 0
        assert len([path for path in server.records.iterdir() if path.is_dir()]) == 1


def pid_in_its_namespace(pid: int) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("NSpid:"))


async def test_it_stops_in_order_as_process_1(tmp_path: Path) -> None:
    """As in a container: the kernel keeps from process 1 every signal that it does not handle."""
    unshare = shutil.which("unshare")
    alone = [unshare, "--pid", "--fork", "--mount-proc", "--kill-child"] if unshare else ["false"]
    if subprocess.run([*alone, sys.executable, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare, and the right to make a namespace of processes")
    with serving(write_study(tmp_path / "study", CONFIG, AGENT), under=alone) as server:
        [child] = psutil.Process(server.process.pid).children()
        assert child.cmdline()[1].endswith("communicator.py")
        assert pid_in_its_namespace(child.pid) == "1"
        clients = await stop_with_everybody_here(server, child.pid)
        assert_everything_is_in_order(server, clients)
