"""The dashboard's socket on a real port: what it tells, what it does, and that it does nothing for strangers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hippogym.pages.dashboard.visitor import FRAMES_ON_THE_WAY, LONGEST_SENTENCE
from hippogym.pages.dashboard_routes import MOST_VISITORS
from tests.patience import PATIENCE_S
from tests.study.fake_observatory import OVERVIEW, TOKEN, FakeDesk, FakeObservatory, running
from tests.study.researcher import Researcher, until

FIRST = "20260101-120000-00000000"
SECOND = "20260101-120000-00000001"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FakeDesk]:
    with running(FakeDesk(FakeObservatory(), tmp_path)) as desk:
        yield desk


def researching(desk: FakeDesk, token: str = TOKEN, origin: str | None = "") -> Researcher:
    return Researcher(desk.url, token, origin)


# ---- the door


async def test_a_stranger_learns_nothing(desk: FakeDesk):
    async with researching(desk, "not-the-token-but-quite-as-long-as-it-is") as stranger:
        assert await stranger.until_closed() == 4401
        assert stranger.told == []


@pytest.mark.parametrize(
    "first", ["{}", "nothing", '{"token": null}', '{"token": ["a"]}', '{"n": 1, "end": "x"}', "[]"]
)
async def test_what_comes_before_the_token_is_not_listened_to(desk: FakeDesk, first: str):
    async with connect(desk.socket, origin=desk.url) as socket:  # type: ignore[arg-type]
        await socket.send(first)
        await socket.send(json.dumps({"token": TOKEN}))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
    assert desk.observatory.asked == []


async def test_bytes_are_no_token(desk: FakeDesk):
    async with connect(desk.socket, origin=desk.url) as socket:  # type: ignore[arg-type]
        await socket.send(TOKEN.encode())
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_guessing_soon_leads_nowhere(desk: FakeDesk):
    codes = []
    for number in range(8):
        async with researching(desk, f"guess-number-{number}-of-very-many") as guesser:
            codes.append(await guesser.until_closed())
    assert codes[:5] == [4401] * 5
    assert codes[5:] == [4429] * 3


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", None])
async def test_a_page_from_elsewhere_is_not_even_let_in(desk: FakeDesk, origin: str | None):
    with pytest.raises(InvalidStatus) as refused:
        async with researching(desk, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_not_more_dashboards_than_are_sensible(desk: FakeDesk):
    async with asyncio.timeout(PATIENCE_S):
        researchers = [researching(desk) for _ in range(MOST_VISITORS)]
        for researcher in researchers:
            await researcher.__aenter__()
            await researcher.until(lambda message: "hello" in message)
        async with researching(desk) as one_more:
            assert await one_more.until_closed() == 4008
        for researcher in researchers:
            await researcher.__aexit__(None, None, None)
        async with researching(desk) as later:
            await later.until(lambda message: "hello" in message)


def test_the_page_itself_holds_nothing_and_may_be_framed_by_nobody(desk: FakeDesk):
    page = httpx.get(f"{desk.url}/dashboard")
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert "Pac-Man and advice" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


# ---- what it is told


async def test_it_is_told_everything_at_once_and_afterwards_what_changes(desk: FakeDesk):
    async with researching(desk) as researcher:
        hello = await researcher.until(lambda message: "hello" in message)
        assert hello["hello"] == {"project": "Pac-Man and advice", "places": 50, "steps": True}
        first = await researcher.until(lambda message: "people" in message)
        assert len(first["people"]["changed"]) == 12
        assert first["study"] == OVERVIEW
        assert [len(first["pulse"]), len(first["happened"])] == [240, 4]
        assert first["machine"]["disk"]["totalBytes"] > first["machine"]["disk"]["freeBytes"] > 0
        assert first["machine"]["spool"]["uploaded"] == 212
        later = await researcher.until(lambda message: "people" in message)
        assert not {"study", "pulse", "happened"} & set(later), "it is known already"
        assert all("user" not in person for person in later["people"]["changed"])
        desk.observatory.gone.add(SECOND)
        gone = await researcher.until(lambda message: message.get("people", {}).get("gone"))
        assert gone["people"]["gone"] == [SECOND]


async def test_a_study_without_steps_has_no_way_to_show(tmp_path: Path):
    with running(FakeDesk(FakeObservatory(), tmp_path, overview=None)) as desk:
        async with researching(desk) as researcher:
            hello = await researcher.until(lambda message: "hello" in message)
            assert hello["hello"]["steps"] is False
            first = await researcher.until(lambda message: "people" in message)
            assert first["study"] is None


# ---- what may be asked


async def test_a_session_is_paused_resumed_spoken_to_and_ended(desk: FakeDesk):
    async with researching(desk) as researcher:
        assert await researcher.ask(pause=FIRST) is None
        assert await researcher.ask(resume=FIRST) is None
        assert await researcher.ask(say=FIRST, text="  Please  press\nStart.\x00\u202e ") is None
        assert await researcher.ask(end=FIRST) is None
        assert await researcher.ask(end="nobody") == "This participant has left."
    assert desk.observatory.asked == [
        ("pause", FIRST, ""),
        ("resume", FIRST, ""),
        ("say", FIRST, "Please press Start."),
        ("end", FIRST, ""),
        ("end", "nobody", ""),
    ]


@pytest.mark.parametrize(
    "what",
    [
        {"say": FIRST, "text": ""},
        {"say": FIRST, "text": " \n "},
        {"say": FIRST, "text": "x" * (LONGEST_SENTENCE + 1)},
        {"say": FIRST},
        {"say": 1, "text": "hello"},
        {"pause": 7},
        {"end": None},
        {"delete": FIRST},
    ],
)
async def test_what_makes_no_sense_is_answered_and_does_nothing(desk: FakeDesk, what: dict[str, Any]):
    async with researching(desk) as researcher:
        assert isinstance(await researcher.ask(**what), str)
    assert desk.observatory.asked == []


async def test_nonsense_is_passed_over(desk: FakeDesk):
    async with researching(desk) as researcher:
        for text in ("", "[]", "{", '{"drawn": true}', '{"drawn": 1e99}', '{"n": "1"}', "x" * 10_000):
            await researcher.socket.send(text)
        assert await researcher.ask(pause=FIRST) is None


async def test_a_flood_ends_the_connection(desk: FakeDesk):
    async with researching(desk) as researcher:
        await researcher.until(lambda message: "hello" in message)
        for _ in range(400):
            await researcher.socket.send("{}")
        assert await researcher.until_closed() == 4009


# ---- the mirror


async def test_the_mirror_shows_one_session_at_a_time_and_stops_when_nobody_looks(desk: FakeDesk):
    desk.observatory.frame_rate = 200
    async with researching(desk) as researcher:
        assert await researcher.ask(watch=FIRST) is None
        await researcher.until_frames(5)
        assert researcher.frames == sorted(researcher.frames)
        assert desk.observatory.watchers == 1
        assert await researcher.ask(watch=SECOND) is None
        after = len(researcher.packets)
        researcher.begin_counting()
        await researcher.until_frames(3)
        assert researcher.frames[after] == 1, "after the answer comes the other one's first frame, and nothing older"
        await until(lambda: desk.observatory.watchers == 1)
        assert await researcher.ask(watch=None) is None
        await until(lambda: desk.observatory.watchers == 0)
        assert await researcher.ask(watch=FIRST) is None
        await researcher.until_frames(1)
    await until(lambda: desk.observatory.watchers == 0)


async def test_the_end_of_a_session_is_told_to_who_watches(desk: FakeDesk):
    async with researching(desk) as researcher:
        assert await researcher.ask(watch=FIRST) is None
        await researcher.until_frames(1)
        desk.observatory.gone.add(FIRST)
        await researcher.until(lambda message: message.get("over") == FIRST)


async def test_a_page_that_draws_nothing_gets_only_as_many_frames_as_may_be_on_their_way(desk: FakeDesk):
    desk.observatory.frame_rate = 500
    async with researching(desk) as researcher:
        assert await researcher.ask(watch=FIRST) is None
        for _ in range(3):  # three seconds' worth of news
            await researcher.until(lambda message: "now_s" in message)
        assert len(researcher.packets) == FRAMES_ON_THE_WAY
        await researcher.socket.send(json.dumps({"drawn": len(researcher.packets)}))
        await researcher.until_frames(FRAMES_ON_THE_WAY)


async def test_a_false_account_of_what_was_drawn_is_not_believed(desk: FakeDesk):
    desk.observatory.frame_rate = 500
    async with researching(desk) as researcher:
        await researcher.ask(watch=FIRST)
        for _ in range(20):
            await researcher.socket.send('{"drawn": 1000000}')
            await researcher.socket.send('{"drawn": -5}')
        for _ in range(3):
            await researcher.until(lambda message: "now_s" in message)
        assert len(researcher.packets) == FRAMES_ON_THE_WAY
