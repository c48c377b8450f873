"""What a stranger can do with one connection and no manners: it ends, and nobody else notices."""

import asyncio
import base64
import contextlib
import json
import os
import struct
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.servers import RunningServer

ATTACK_S = 2.0
CONTINUATION, TEXT, PING, PONG = 0, 1, 9, 10


def framed(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    head = bytes([(0x80 if last else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    else:
        head += bytes([0xFF]) + struct.pack("!Q", len(payload))
    return head + bytes(4) + payload


NUMBERS = json.dumps({"info": [0] * 32_000}, separators=(",", ":")).encode()
HELLO = framed(TEXT, json.dumps({"userId": "mallory"}).encode())
ATTACKS = {
    "empty continuations": (framed(TEXT, b"{", last=False), framed(CONTINUATION, last=False) * 20_000),
    "many small continuations": (framed(TEXT, b"{", last=False), framed(CONTINUATION, b" ", last=False) * 20_000),
    "empty beginnings": (b"", framed(TEXT, last=False)),
    "pings": (b"", framed(PING, b"x" * 125) * 2_000),
    "pongs": (b"", framed(PONG, b"x" * 125) * 2_000),
    "small messages before hello": (b"", framed(TEXT, b"{}") * 20_000),
    "large messages before hello": (b"", framed(TEXT, NUMBERS)),
    "bytes that become no message": (
        b"",
        framed(TEXT, b" " * 1_000_000, last=False) + framed(CONTINUATION, b" " * 40_000),
    ),
    "small messages after hello": (HELLO, framed(TEXT, b"{}") * 20_000),
    "large messages after hello": (HELLO, framed(TEXT, NUMBERS)),
    "pings after hello": (HELLO, framed(PING) * 20_000),
}


def address(server: RunningServer) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


@contextlib.asynccontextmanager
async def wire(server: RunningServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection to the server."""
    reader, writer = await asyncio.open_connection(*address(server))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def open_websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: hippogym.v2\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")


async def until_ended(reader: asyncio.StreamReader) -> None:
    """Read until the server has ended the connection."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while await reader.read(65536):
                pass


async def attack(server: RunningServer, first: bytes, again: bytes) -> None:
    """Send as fast as the server takes it; returns when the server has ended the connection."""
    async with wire(server) as (reader, writer), asyncio.TaskGroup() as tasks:
        await open_websocket(reader, writer)
        ended = tasks.create_task(until_ended(reader))
        writer.write(first)
        deadline = time.monotonic() + ATTACK_S
        with contextlib.suppress(ConnectionError, TimeoutError):
            while time.monotonic() < deadline and not ended.done():
                writer.write(again)
                async with asyncio.timeout(ATTACK_S):
                    await writer.drain()
        await ended


async def play_on(client: Client) -> None:
    """Frames keep coming, and what is said is answered."""
    await client.say(command="reset")
    await client.say(command="start")
    await client.until_frame(2)


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_flood_ends_its_own_connection_and_no_other(server: RunningServer, name: str) -> None:
    async with join(server.ws) as client, httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as web:
        await client.hello()
        await client.until("welcome")
        async with asyncio.TaskGroup() as tasks:
            attacking = tasks.create_task(attack(server, *ATTACKS[name]))
            while True:
                over = attacking.done()
                assert (await web.get("/healthz")).status_code == 200
                await play_on(client)
                if over:
                    break
        assert server.process.poll() is None


async def test_a_message_of_two_megabytes_gets_its_close_code(server: RunningServer) -> None:
    async with wire(server) as (reader, writer):
        await open_websocket(reader, writer)
        writer.write(framed(TEXT, bytes(2_000_000))[:20])
        assert struct.pack("!H", 1009) in await reader.read(1000)


async def test_too_much_before_hello_gets_its_close_code(server: RunningServer) -> None:
    async with join(server.ws) as client:
        for _ in range(8):
            await client.say(info=1)
        assert await client.until_closed() == 4009
        assert [error["code"] for error in client.all("error")] == ["no_hello"] * 8


@pytest.mark.parametrize("text", ["x" * 60_000, "🎲" * 15_000], ids=["letters", "what takes four bytes each"])
async def test_more_bytes_than_allowed_are_not_handled_and_the_trial_goes_on(server: RunningServer, text: str) -> None:
    async with join(server.ws) as client:
        await client.hello()
        for _ in range(12):
            await client.socket.send(json.dumps({"info": text}, ensure_ascii=False))
        assert (await client.until("error"))["error"]["code"] == "too_many"
        await play_on(client)


async def test_a_message_in_many_small_pieces_is_read_whole(server: RunningServer) -> None:
    async with wire(server) as (reader, writer):
        await open_websocket(reader, writer)
        text = json.dumps({"userId": "patience", "client": {"n": 1}}).encode()
        pieces = [framed(CONTINUATION if at else TEXT, text[at : at + 1], last=False) for at in range(len(text))]
        for byte in b"".join([*pieces, framed(CONTINUATION)]):
            writer.write(bytes([byte]))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b'"welcome"')


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", marks=pytest.mark.long),
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\r\n", marks=pytest.mark.long),
    ],
)
async def test_a_connection_that_asks_for_nothing_is_closed(server: RunningServer, said: bytes) -> None:
    async with wire(server) as (reader, writer):
        writer.write(said)
        await until_ended(reader)


async def test_a_request_that_never_ends_is_cut_off(server: RunningServer) -> None:
    async with wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        await until_ended(reader)
