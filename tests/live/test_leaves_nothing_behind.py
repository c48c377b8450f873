"""People come and go in every way there is; nothing of them stays in the server."""

import asyncio
import contextlib
import random
import socket
import struct
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.servers import ROOT, RunningServer, serving, write_study

CONFIG = """
trial:
  game: count-1000
  maxParticipants: 64
  actionSpace: [noop, up]
  reconnectGrace: 0
  ui: {up: true, start: true, stop: true}
"""


async def only_a_tcp_connection(server: RunningServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()


async def half_a_handshake(server: RunningServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
    await writer.drain()
    writer.transport.abort()


async def a_stranger(server: RunningServer) -> None:
    with contextlib.suppress(InvalidStatus):
        async with join(server.ws, origin="https://evil.example"):
            raise AssertionError("a stranger was let in")


async def no_hello(server: RunningServer) -> None:
    async with join(server.ws):
        pass


async def leaves_before_the_first_frame(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await client.hello()


async def plays_and_closes(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await _play(client)


async def plays_and_is_cut_off(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await _play(client)
        sock = client.socket.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.transport.abort()


async def plays_to_the_end(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await _play(client)
        await client.say(command="stop")
        await client.until("done")


async def is_too_loud(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await client.hello()
        with contextlib.suppress(ConnectionClosed):
            await client.socket.send("x" * 2_000_000)
            await client.until_closed()


async def _play(client: Client) -> None:
    await client.hello()
    await client.say(command="start")
    await client.until_frame(2)


KINDS = [
    only_a_tcp_connection,
    half_a_handshake,
    a_stranger,
    no_hello,
    leaves_before_the_first_frame,
    plays_and_closes,
    plays_and_is_cut_off,
    plays_to_the_end,
    is_too_loud,
]


def left_over(server: RunningServer) -> tuple[int, int, int]:
    """(child processes, descriptors, temporary files of ours) of the server now."""
    process = psutil.Process(server.process.pid)
    children = 0
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            assert child.status() != psutil.STATUS_ZOMBIE or child.wait(PATIENCE_S) is None
            children += 1
    temporary = Path(process.environ()["TMPDIR"])
    return children, process.num_fds(), len(list(temporary.rglob("*")))


async def settled(server: RunningServer, wanted: tuple[int, int, int]) -> tuple[int, int, int]:
    """What is left, once it is no more than wanted (or when patience ends)."""
    deadline = time.monotonic() + PATIENCE_S
    now = left_over(server)
    while time.monotonic() < deadline and any(have > want for have, want in zip(now, wanted, strict=True)):
        await asyncio.sleep(0.1)
        now = left_over(server)
    return now


@pytest.mark.timeout(300)
async def test_200_visits_leave_no_process_no_descriptor_and_no_file(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", CONFIG, ROOT / "tests/agents/counting.py")
    with tempfile.TemporaryDirectory(prefix="v-") as temporary, serving(study, env={"TMPDIR": temporary}) as server:
        for kind in KINDS:  # what is made once stays: the fork server, its pipes
            await kind(server)
        await settled(server, (2, 10_000, 10_000))
        await asyncio.sleep(1)  # sockets that linger are closed by then
        before = left_over(server)
        dice = random.Random(7)
        for _ in range(40):
            await asyncio.gather(*(dice.choice(KINDS)(server) for _ in range(5)))
        after = await settled(server, before)
        assert all(have <= want for have, want in zip(after, before, strict=True))
        assert not list(server.records.rglob("*.part"))
        assert server.stop() == 0
