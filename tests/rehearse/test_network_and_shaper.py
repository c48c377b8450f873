"""The line between a bot and the server: what it promises on paper, and what real bytes meet on it."""

import argparse
import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.rehearse.network import Lane, Network, read_network
from hippogym.rehearse.shaper import shaped


def test_a_network_is_read_in_the_order_delay_loss_rate() -> None:
    assert read_network("150ms,2%,1Mbit") == Network(0.15, 0.02, 1e6)
    assert read_network("20ms") == Network(0.02, 0.0, None)


@pytest.mark.parametrize("text", ["fast", "10ms,60%", "10ms,1%,1Mbit,4", "10ms,2Mbit"])
def test_a_network_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        read_network(text)


def test_bytes_take_half_the_round_trip_and_their_own_length() -> None:
    lane = Lane(Network(0.1, 0.0, 8000), random.Random(1))
    assert lane.arrival_s(100, 5.0) == pytest.approx(5.0 + 0.1 + 0.05)
    assert lane.arrival_s(100, 5.0) == pytest.approx(5.0 + 0.2 + 0.05)  # it waits for those before it


@given(st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 20_000)), max_size=30), st.integers(0, 99))
def test_nothing_overtakes_and_nothing_is_faster_than_the_line(sent: list[tuple[float, int]], seed: int) -> None:
    network = Network(0.15, 0.2, 1e6)
    lane, now_s, last_s = Lane(network, random.Random(seed)), 0.0, 0.0
    for gap_s, size in sent:
        now_s += gap_s
        arrived_s = lane.arrival_s(size, now_s)
        assert arrived_s >= max(last_s, now_s + 0.075 + size * 8e-6 - 1e-9)
        last_s = arrived_s


def test_a_lost_packet_costs_a_round_trip_or_a_time_out() -> None:
    lane = Lane(Network(0.1, 0.3), random.Random(7))
    late_s = [lane.arrival_s(1, at_s) - at_s - 0.05 for at_s in range(0, 20_000, 10)]
    assert sum(late > 1e-9 for late in late_s) == pytest.approx(600, rel=0.15)
    assert min(late for late in late_s if late > 1e-9) == pytest.approx(0.1)


async def _echo() -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize("network", [Network(), Network(0.03), Network(0.03, 0.05, 20e6)], ids=str)
async def test_every_byte_comes_through_in_order_and_no_earlier_than_it_may(network: Network, tmp_path: Path) -> None:
    sent = random.Random(5).randbytes(100_000)
    now_s = asyncio.get_running_loop().time
    async with await _echo() as server:
        port = server.sockets[0].getsockname()[1]
        async with shaped(network, "127.0.0.1", port, tmp_path / "line", seed=1) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            began_s = now_s()
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(90):
                came = await reader.read(-1)
            took_s = now_s() - began_s
            writer.close()
    assert came == sent
    assert took_s >= network.rtt_s + (len(sent) * 8 / network.rate_bits if network.rate_bits else 0)


async def test_a_server_that_is_away_shows_as_a_closed_connection(tmp_path: Path) -> None:
    server = await _echo()
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with shaped(Network(0.01), "127.0.0.1", port, tmp_path / "line", seed=1) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        async with asyncio.timeout(90):
            assert await reader.read(1) == b""
        writer.close()
