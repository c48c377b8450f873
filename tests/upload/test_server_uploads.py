"""The whole server with a store: told to stop while people play, it leaves nothing behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hippogym.data.reader import read_entries
from hippogym.data.sources import records_in
from hippogym.data.storage import open_storage
from hippogym.data.upload_status import status
from tests.clients import Client, join
from tests.fault_proxy import FaultProxy
from tests.live.conftest import CONFIG, COUNTING
from tests.live.test_server_life import certificate, trusting
from tests.records import of_kind, plain_loop
from tests.servers import ROOT, RunningServer, serving, write_study
from tests.upload.conftest import Store, wait_until
from tests.upload.trials import waiting

PLAYERS = 8


@pytest.fixture
def store(rclone: Store) -> Store:
    return rclone


@pytest.fixture
def study(tmp_path: Path, bucket: str) -> Path:
    project = f"project: {{id: pilot, awsSetup: {{bucket: {bucket}, region: us-west-2}}}}\n"
    config = project + CONFIG.replace("count-40", "count-4000") + "  s3upload: true\n  uploadDeadline: 60\n"
    folder = write_study(tmp_path / "study", config, COUNTING)
    certificate(folder)
    return folder


@contextlib.contextmanager
def in_production(study: Path, proxy: FaultProxy) -> Iterator[RunningServer]:
    with serving(study, mode="production", cwd=study, env={"AWS_ENDPOINT_URL_S3": proxy.url}) as server:
        yield server


async def play(server: RunningServer, player: int, stack: contextlib.AsyncExitStack) -> Client:
    client = await stack.enter_async_context(join(server.ws, ssl=trusting(), origin=server.url))
    await client.hello(f"player-{player}")
    await client.say(command="start")
    await client.until_frame(3)
    return client


async def stopped_while_they_play(server: RunningServer, number: int = signal.SIGTERM, players: int = PLAYERS) -> int:
    """Returns the exit code; every player has been told."""
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(play(server, player, stack)) for player in range(players)]
        server.process.send_signal(number)
        server.process.send_signal(number) if number == signal.SIGTERM else None  # as impatient ones do
        for task in playing:
            assert (await task.result().until("done"))["done"]["reason"] == "server"
    return await asyncio.to_thread(server.process.wait, 90)


def in_the_store(server: RunningServer, store: Store, bucket: str) -> dict[str, bytes]:
    """Every object; each is what the disk has, and all that the disk has is there."""
    objects = store.objects(bucket)
    files = {f"{path.parent.name}-{path.name}": path.read_bytes() for path in server.records.glob("[0-9a-z]*/*")}
    assert {key.rsplit("/", 1)[1]: data for key, data in objects.items()} == files
    return objects


async def stopping_loses_nothing(study: Path, proxy: FaultProxy, store: Store, bucket: str) -> None:
    with in_production(study, proxy) as server:
        assert await stopped_while_they_play(server) == 0, server.log
        objects = in_the_store(server, store, bucket)
        assert len({key.split("/")[2] for key in objects}) == PLAYERS
        assert all(key.startswith("pilot/Trials/player-") for key in objects)
        for path in server.records.glob("[0-9a-z]*/*.pkl"):
            assert of_kind(plain_loop(path), "end")[0]["hippogym"]["reason"] == "server"
        assert not list(server.records.rglob("*.part")) and waiting(server.records) == []
        assert "player-" not in server.log


@pytest.mark.parametrize("run", [0])
async def test_told_to_stop_while_eight_play_it_uploads_everything_and_ends_with_0(run, study, proxy, store, bucket):
    await stopping_loses_nothing(study, proxy, store, bucket)


@pytest.mark.long
@pytest.mark.parametrize("run", range(50))
async def test_told_to_stop_fifty_times_it_always_does(run, study, proxy, store, bucket):
    await stopping_loses_nothing(study, proxy, store, bucket)


async def test_with_a_store_that_is_away_it_says_what_is_left_and_the_next_start_uploads_it(
    study, proxy, store, bucket
):
    (study / "config.yml").write_text((study / "config.yml").read_text().replace("Deadline: 60", "Deadline: 3"))
    proxy.plan = lambda number: "time-out"
    with in_production(study, proxy) as server:
        assert await stopped_while_they_play(server, players=2) == 75
        assert "2 records" in server.log and str(server.records) in server.log
        assert "s3://" in server.log
    assert len(status(server.records).waiting) == 2
    proxy.plan = lambda number: None
    (study / "config.yml").write_text((study / "config.yml").read_text().replace("Deadline: 3", "Deadline: 60"))
    with in_production(study, proxy) as server:
        assert await asyncio.to_thread(server.stop) == 0
        in_the_store(server, store, bucket)


async def test_killed_with_its_uploader_the_next_start_uploads_everything(study, proxy, store, bucket):
    with in_production(study, proxy) as server:
        async with contextlib.AsyncExitStack() as stack:
            await play(server, 1, stack)
            children = psutil.Process(server.process.pid).children(recursive=True)
            server.process.kill()
            gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
            assert not alive
    with in_production(study, proxy) as server:
        assert await asyncio.to_thread(server.stop) == 0
        assert len(in_the_store(server, store, bucket)) >= 2


@pytest.mark.long
async def test_of_a_machine_that_is_lost_with_its_disk_the_bucket_has_all_but_ten_seconds(
    study, proxy, store, bucket, monkeypatch
):
    """Killed in the middle of play, more than once the time in which parts go up; then only the bucket is left."""
    with in_production(study, proxy) as server:
        async with contextlib.AsyncExitStack() as stack:
            client = await play(server, 1, stack)
            await client.until_frame(500)
            children = psutil.Process(server.process.pid).children(recursive=True)
            for process in (server.process, *children):
                process.kill()
            await asyncio.to_thread(psutil.wait_procs, children, 30)
        [running] = server.records.glob("*/*.pkl.part")
        on_disk = times_s(read_entries(running))
        shutil.rmtree(server.records)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    [found] = records_in(open_storage(f"s3://{bucket}"), "pilot/")
    with found.open() as file:
        in_bucket = times_s(read_entries(file, strict=True))
    assert in_bucket == on_disk[: len(in_bucket)], "what is there is the beginning, without gaps"
    lost_s = on_disk[-1] - in_bucket[-1]
    print(f"{len(on_disk) - len(in_bucket)} of {len(on_disk)} entries lost, {lost_s:.1f} s")
    assert lost_s < 10


def times_s(entries) -> list[float]:
    """When each entry was made, on the monotonic clock."""
    return [entry["hippogym"]["t_mono_ns"] / 1e9 for entry in entries]


async def test_dev_and_studies_that_do_not_ask_for_it_start_no_uploader(study, proxy):
    with serving(study, env={"AWS_ENDPOINT_URL_S3": proxy.url}) as server:
        assert await asyncio.to_thread(server.stop) == 0
    config = study / "config.yml"
    config.write_text(config.read_text().replace("s3upload: true", "s3upload: false"))
    with in_production(study, proxy) as server:
        assert await asyncio.to_thread(server.stop) == 0
    assert proxy.seen == [] and not (server.records / ".spool").exists()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_as_the_first_process_of_a_container_it_stops_in_the_same_way(study, proxy, store, bucket):
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable]
    command += [
        str(ROOT / "communicator.py"),
        "--study",
        str(study),
        "--data",
        str(study / "Trials"),
        "--address",
        "127.0.0.1",
    ]
    command += ["--port", "0"]
    env = {**os.environ, "AWS_ENDPOINT_URL_S3": proxy.url}
    with (study / "server.log").open("wb") as log:
        unshare = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=study, env=env)
    try:
        url = unshare.stdout.readline().split()[2].decode().rstrip("/")
        server = RunningServer(unshare, url, study / "Trials", study / "server.log")
        first = psutil.Process(unshare.pid).children()[0]

        async def stop() -> None:
            async with contextlib.AsyncExitStack() as stack:
                client = await play(server, 1, stack)
                first.send_signal(signal.SIGTERM)
                await client.until("done")

        asyncio.run(stop())
        assert unshare.wait(180) == 0, server.log
        in_the_store(server, store, bucket)
    finally:
        unshare.kill()
        unshare.wait(180)
        unshare.stdout.close()


@pytest.mark.long
async def test_a_store_that_hangs_does_not_touch_the_game(study, proxy, record_property):
    """Recorded, not asserted: the 99th percentile of the time between frames, with the store well and hanging."""
    for name, plan in (("well", lambda number: None), ("hanging", lambda number: "time-out")):
        proxy.plan = plan
        with in_production(study, proxy) as server:
            async with contextlib.AsyncExitStack() as stack:
                client = await play(server, 1, stack)
                wait_until(lambda: proxy.seen)
                await client.until_frame(300)
                at = [frame.at_s for frame in client.frames[-300:]]
            server.process.kill()
        gaps_ms = sorted((after - before) * 1000 for before, after in zip(at, at[1:], strict=False))
        record_property(f"p99_ms_{name}", gaps_ms[int(len(gaps_ms) * 0.99)])
        print(f"store {name}: p99 {gaps_ms[int(len(gaps_ms) * 0.99)]:.1f} ms, at {time.strftime('%H:%M')}")
