"""A session outlives its connection: the same episode goes on at the same tick, for whoever holds the token."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from hippogym.core.frame_header import SENT_AGAIN
from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.records import of_kind, plain_loop, wait_for_files
from tests.servers import ROOT, RunningServer, serving, write_study

LONG = """
trial:
  game: count-100000
  maxEpisodes: 1
  maxParticipants: 200
  actionSpace: [noop, up]
  startingFrameRate: 60
  maxFrameRate: 60
  reconnectGrace: {grace}
  ui: {{up: true, start: true, stop: true}}
"""
COUNTING = ROOT / "tests" / "agents" / "counting.py"


@pytest.fixture(scope="module")
def shared_long_server(tmp_path_factory):
    with serving(write_study(tmp_path_factory.mktemp("long") / "s", LONG.format(grace=60), COUNTING)) as running:
        yield running


@pytest.fixture
def long_server(shared_long_server):
    return replace(shared_long_server, known=frozenset(path.name for path in shared_long_server.records.iterdir()))


async def begin(client: Client, **more) -> dict:
    await client.hello(**more)
    welcome = (await client.until("welcome"))["welcome"]
    await client.until_frame()
    return welcome


def reset_by_peer(client: Client) -> None:
    """End the TCP connection with a RST, as a crashing machine does."""
    sock = client.socket.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.transport.abort()


async def drop(client: Client, how: str) -> None:
    if how == "close":
        await client.socket.close()
    elif how == "abort":
        client.socket.transport.abort()
    else:
        reset_by_peer(client)


async def drops_in_mid_episode(server: RunningServer, count: int) -> list[int]:
    """Play, lose the connection, come back, again and again. Returns the ticks of all frames seen, in order."""
    token, ticks = None, []
    dice = random.Random(count)
    for number in range(count):
        async with join(server.ws) as client:
            welcome = await begin(client, token=token)
            token = welcome["token"]
            assert welcome["resumed"] == (number > 0)
            assert welcome["connection"] == number + 1
            if number == 0:
                await client.say(command="start")
            await client.until_frame(dice.randint(1, 8))
            ticks += [frame.tick for frame in client.frames]
            await drop(client, dice.choice(["close", "abort", "reset"]))
    async with join(server.ws) as client:
        await begin(client, token=token)
        await client.say(command="stop")
        await client.until("done")
    return ticks


async def test_after_many_drops_it_is_the_same_episode_with_no_tick_twice_and_none_missing(long_server) -> None:
    seen = await drops_in_mid_episode(long_server, 100)
    [file] = wait_for_files(long_server, 1)
    entries = plain_loop(file)
    ticks = [entry["hippogym"]["tick"] for entry in of_kind(entries, "tick")]
    assert ticks == list(range(1, len(ticks) + 1))
    assert [entry["observation"] for entry in of_kind(entries, "tick")] == ticks
    assert len(of_kind(entries, "reset")) == 1
    assert seen == sorted(seen)
    assert set(seen) <= {0, *ticks}


async def test_who_comes_back_to_a_paused_game_sees_where_it_was(long_server) -> None:
    async with join(long_server.ws) as client:
        welcome = await begin(client)
        await client.say(command="start")
        await client.until_frame(5)
        await client.say(command="pause")
        await client.until_state("paused")
    async with join(long_server.ws) as client:
        await begin(client, token=welcome["token"])
        assert client.frames[0].flags & SENT_AGAIN
        assert await client.newest("UI") and await client.newest("keys")
        await client.until_state("paused")


async def test_the_environment_waits_while_nobody_is_there(long_server) -> None:
    async with join(long_server.ws) as client:
        welcome = await begin(client)
        await client.say(command="start")
        before = (await client.until_frame(5)).tick
    await asyncio.sleep(3)  # 90 ticks and more, if it did not wait; a busy server hears late that somebody went
    async with join(long_server.ws) as client:
        await begin(client, token=welcome["token"])
        assert client.frames[0].tick - before < 45


async def test_a_user_id_is_not_the_right_to_come_back(long_server) -> None:
    async with join(long_server.ws) as client:
        welcome = await begin(client)
    async with join(long_server.ws) as other:
        await other.hello("alice")
        stranger = (await other.until("welcome"))["welcome"]
        await other.until_frame()
        assert not stranger["resumed"]
        assert stranger["token"] != welcome["token"]


async def test_who_comes_back_under_another_name_stays_who_they_were(long_server) -> None:
    async with join(long_server.ws) as client:
        welcome = await begin(client)
    async with join(long_server.ws) as client:
        await client.hello("bob", token=welcome["token"])
        assert (await client.until("welcome"))["welcome"]["userId"] == "alice"
        await client.until_frame()
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(long_server, 1)
    assert {entry["userId"] for entry in plain_loop(file) if "userId" in entry} == {"alice"}


@pytest.mark.parametrize("token", ["", "x", "A" * 32, "\ud800", "../../x"])
async def test_a_wrong_token_begins_a_new_trial_and_says_so(long_server, token: str) -> None:
    async with join(long_server.ws) as client:
        await client.hello(token=token)
        welcome = await client.until("welcome")
        assert not welcome["welcome"]["resumed"]
        codes = [error["code"] for error in client.all("error")]
        assert codes == (["unknown_token"] if token else [])
        await client.until_frame()


async def test_who_has_finished_does_not_begin_again(long_server) -> None:
    async with join(long_server.ws) as client:
        welcome = await begin(client)
        await client.say(command="stop")
        await client.until("done")
    async with join(long_server.ws) as client:
        await client.hello(token=welcome["token"])
        assert (await client.until("done"))["done"]["reason"] == "stopped"
        assert await client.until_closed() == 1000


async def test_of_two_tabs_the_newer_wins_and_the_older_is_told(long_server) -> None:
    async with join(long_server.ws) as old, join(long_server.ws) as new:
        welcome = await begin(old)
        await old.say(command="start")
        await old.until_frame(2)
        await begin(new, token=welcome["token"])
        assert await old.until_closed() == 4001
        with contextlib.suppress(ConnectionClosed):
            await old.say(command="stop")  # comes too late to mean anything
        await new.until_frame(5)
        await new.say(command="stop")
        assert (await new.until("done"))["done"]["reason"] == "stopped"


async def test_after_the_grace_the_record_is_closed_with_its_reason(tmp_path) -> None:
    with serving(write_study(tmp_path / "s", LONG.format(grace=0.5), COUNTING)) as server:
        async with join(server.ws) as client:
            welcome = await begin(client)
            await client.say(command="start")
            await client.until_frame(3)
        [file] = wait_for_files(server, 1)
        assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "abandoned"
        async with join(server.ws) as client:
            await client.hello(token=welcome["token"])
            assert not (await client.until("welcome"))["welcome"]["resumed"]


SILENT_CLIENT = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.clients import join
async def main():
    async with join({url!r}) as client:
        await client.hello()
        token = (await client.until("welcome"))["welcome"]["token"]
        await client.say(command="start")
        await client.until_frame(5)
        print(token, flush=True)
        while True:
            await client.receive()
asyncio.run(main())
"""


@pytest.mark.long
async def test_a_stopped_client_is_noticed_and_its_trial_waits(long_server) -> None:
    code = SILENT_CLIENT.format(root=str(ROOT), url=long_server.ws)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            token = process.stdout.readline().decode().strip()
            process.send_signal(signal.SIGSTOP)
            connections = psutil.Process(long_server.process.pid).net_connections("tcp")
            assert [c for c in connections if c.status == psutil.CONN_ESTABLISHED]
            for _ in range(int(PATIENCE_S * 10)):
                await asyncio.sleep(0.1)
                here = psutil.Process(long_server.process.pid).net_connections("tcp")
                if not [c for c in here if c.status == psutil.CONN_ESTABLISHED]:
                    break
            else:
                raise AssertionError("the lost connection was not noticed")
            async with join(long_server.ws) as client:
                assert (await begin(client, token=token))["resumed"]
                tick = client.frames[0].tick
                assert (await client.until_frame(3)).tick > tick
        finally:
            os.kill(process.pid, signal.SIGKILL)
