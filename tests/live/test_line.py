"""More people than places: they wait in a line and begin by themselves, in the order in which they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.live.line import Line, LineFull, network_of
from tests.clients import Client, join
from tests.live.hosting import Host, StandInDesk, hosting


@asynccontextmanager
async def all_taken(
    study, places: int = 1, desk: StandInDesk | None = None
) -> AsyncIterator[tuple[Host, list[Client]]]:
    """A server whose places are taken by those who are given with it."""
    async with hosting(study, desk, most=places) as host, AsyncExitStack() as stack:
        clients = []
        for number in range(places):
            client = await stack.enter_async_context(join(host.ws))
            if desk is None:
                await client.hello(f"player-{number}")
            else:
                desk.visits[f"t{number}"] = host.admission(f"player{number}")
                await client.hello(visit=f"t{number}")
            await client.until("welcome")
            clients.append(client)
        yield host, clients


async def leave(client: Client) -> None:
    await client.say(command="stop")
    await client.until("done")


async def place_of(client: Client) -> int:
    return (await client.until("queue"))["queue"]["place"]


async def test_who_comes_when_all_places_are_taken_waits_and_begins_by_themselves(study) -> None:
    async with all_taken(study) as (host, [first]), join(host.ws) as second, join(host.ws) as third:
        await second.hello("second")
        assert await place_of(second) == 1
        await third.hello("third")
        assert await place_of(third) == 2
        await leave(first)
        assert (await second.until("welcome"))["welcome"]["userId"] == "second"
        await second.until_frame()
        assert await place_of(third) == 1
        await leave(second)
        await third.until("welcome")
        await third.until_frame()
        await leave(third)


async def test_a_client_of_version_1_sees_where_it_is_in_words(study) -> None:
    async with all_taken(study) as (host, [first]), join(host.ws, v2=False) as old:
        await old.hello("old")
        text = (await old.until("display"))["display"]["Please wait"]
        assert text.endswith("Your place in the line: 1.")
        assert set(old.messages[0]) == {"display"}
        await leave(first)
        await old.until_newest("display", lambda shown: shown == {})
        await old.until_frame()
        await old.say(command="start")
        await old.until_frame(3)


async def test_who_leaves_the_line_holds_nobody_up(study) -> None:
    async with all_taken(study) as (host, [first]), join(host.ws) as last:
        async with join(host.ws) as gone:
            await gone.hello("gone")
            await gone.until("queue")
            await last.hello("last")
            assert await place_of(last) == 2
        assert await place_of(last) == 1
        await leave(first)
        assert (await last.until("welcome"))["welcome"]["userId"] == "last"


async def test_newcomers_do_not_overtake_who_was_called(study) -> None:
    """The place is theirs from the moment in which it becomes free, before they have heard of it."""
    async with all_taken(study) as (host, [first]), join(host.ws) as second, join(host.ws) as newcomer:
        await second.hello("second")
        await second.until("queue")
        session = await host.only_session()
        called = session._on_left
        session._on_left = lambda: (called(), places.append(host.sessions.has_place))
        places: list[bool] = []
        await leave(first)
        assert places == [False]
        await newcomer.hello("newcomer")
        await newcomer.until("queue")
        await second.until("welcome")


async def test_what_is_said_in_the_line_is_answered_and_changes_nothing(study) -> None:
    async with all_taken(study) as (host, [first]), join(host.ws) as client:
        await client.hello("ann")
        await client.until("queue")
        await client.say(command="start")
        await client.say(keys=["ArrowUp"])
        await client.socket.send("not JSON")
        while len(client.all("error")) < 3:
            await client.receive()
        assert [error["code"] for error in client.all("error")] == ["not_yet", "not_yet", "not_json"]
        await client.until("ping")
        await leave(first)
        await client.until_frame()
        await client.until_state("waiting")


async def test_the_server_stops_and_says_so_to_those_who_wait(study) -> None:
    async with all_taken(study) as (host, [first]), join(host.ws) as client:
        await client.hello()
        await client.until("queue")
        stopping = asyncio.get_running_loop().create_task(host.sessions.stop(20))
        assert "stopping" in (await client.until("notice"))["notice"]["text"]
        assert await client.until_closed() == 1012
        await stopping


async def test_one_visit_waits_in_one_place_and_the_newer_tab_has_it(study) -> None:
    desk = StandInDesk()
    async with all_taken(study, desk=desk) as (host, [first]):
        for name in ("ann", "bob"):
            desk.visits[name] = host.admission(name)
        async with join(host.ws) as old_tab, join(host.ws) as bob, join(host.ws) as new_tab:
            await old_tab.hello(visit="ann")
            await old_tab.until("queue")
            await bob.hello(visit="bob")
            assert await place_of(bob) == 2
            await new_tab.hello(visit="ann")
            assert await place_of(new_tab) == 1
            assert await old_tab.until_closed() == 4001
            await leave(first)
            await new_tab.until("welcome")
        await host.until(lambda: len(host.sessions.line) == 0)


async def test_who_may_not_play_any_more_when_their_turn_comes_is_passed_over(study) -> None:
    desk = StandInDesk()
    async with all_taken(study, desk=desk) as (host, [first]):
        for name in ("ann", "bob"):
            desk.visits[name] = host.admission(name)
        async with join(host.ws) as ann, join(host.ws) as bob:
            await ann.hello(visit="ann")
            await ann.until("queue")
            await bob.hello(visit="bob")
            await bob.until("queue")
            del desk.visits["ann"]
            await leave(first)
            assert (await ann.until("error"))["error"]["code"] == "unknown_visit"
            assert await ann.until_closed() == 1000
            await bob.until("welcome")


async def test_even_the_line_ends_somewhere(study) -> None:
    async with all_taken(study) as (host, [first]):
        host.sessions.line = Line(2)
        async with join(host.ws) as second, join(host.ws) as third:
            await second.hello()
            await second.until("queue")
            await third.hello()
            assert (await third.until("error"))["error"]["code"] == "full"
            assert await third.until_closed() == 4008


# The line by itself


def test_half_of_the_line_is_for_one_address() -> None:
    line = Line(10)
    for _ in range(5):
        line.join(None, "192.0.2.1")
    with pytest.raises(LineFull):
        line.join(None, "192.0.2.1")
    for _ in range(5):
        line.join(None, "192.0.2.2")
    with pytest.raises(LineFull):
        line.join(None, "192.0.2.3")


def test_who_has_an_ipv6_network_has_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("") == ""


def test_a_place_that_is_taken_over_keeps_its_call() -> None:
    line = Line(10)
    old = line.join("ann", "a")
    line.call(1)
    new = line.join("ann", "b")
    assert (old.state, new.state, line.called) == ("replaced", "called", 1)
    line.leave(old)
    assert len(line) == 1
    line.leave(new)
    assert len(line) == 0


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "call"]), st.integers(0, 5)), max_size=60))
@settings(max_examples=200)
def test_people_are_called_in_the_order_in_which_they_came(steps: list[tuple[str, int]]) -> None:
    line = Line(20)
    waiting, called = [], []
    for what, number in steps:
        if what == "join":
            try:
                waiting.append(line.join(None, str(number)))
            except LineFull:
                assert len(line) == 20 or sum(place.network == str(number) for place in waiting + called) >= 10
        elif what == "leave" and (everybody := waiting + called):
            place = everybody[number % len(everybody)]
            line.leave(place)
            line.leave(place)
            (waiting if place in waiting else called).remove(place)
        elif what == "call":
            line.call(number)
            called += waiting[:number]
            del waiting[:number]
        assert [place.state for place in waiting + called] == ["waiting"] * len(waiting) + ["called"] * len(called)
        assert [place.number for place in waiting] == list(range(1, len(waiting) + 1))
        assert (len(line), line.called) == (len(waiting) + len(called), len(called))
