"""What the researcher sees of a session while it goes on, and what they may do to it."""

import pytest

from hippogym.core.frame_header import FrameHeader
from tests.clients import join
from tests.live.hosting import Host, hosting
from tests.records import of_kind, plain_loop, wait_for_files


@pytest.fixture
async def host(study):
    with_rate = (study / "config.yml").read_text().replace("count-40", "count-100000") + "  startingFrameRate: 60\n"
    (study / "config.yml").write_text(with_rate)
    async with hosting(study) as running:
        yield running


async def playing(client, **hello) -> None:
    await client.hello(**hello)
    await client.say(command="start")
    await client.until_frame(5)


async def test_a_session_says_who_plays_and_how_it_goes(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client, user="ann")
        for command in ("good", "good", "bad"):
            await client.say(command=command)
        await client.say(command="no such thing")
        session = await host.only_session()
        assert session.stats()["trial"] == session.trial
        while not (stats := session.stats())["fps"] or not stats["rttMs"] or stats["tick"] < 5 or not stats["errors"]:
            await client.receive()
        assert stats["user"] == "ann"
        assert stats["state"] == "playing"
        assert (stats["episode"], stats["episodes"], stats["rate"]) == (1, 3, 60)
        assert (stats["good"], stats["bad"], stats["errors"]) == (2, 1, 1)
        assert stats["score"] == stats["tick"], "each step of this environment gives 1"
        assert 0 < stats["fps"] < 120
        assert stats["connected"]
    await host.until(lambda: not session.stats()["connected"])


async def test_who_looks_on_gets_the_participants_own_frames(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        session = await host.only_session()
        seen: list[bytes] = []
        session.taps.add(seen.append)
        newest = session.frames.newest
        assert FrameHeader.decode(newest).frame >= 5
        await client.until_frame(10)
        session.taps.discard(seen.append)
        count = len(seen)
        await client.until_frame(3)
        assert len(seen) == count
        mirrored = {FrameHeader.decode(packet).frame: packet[32:] for packet in seen}
        shown = {frame.frame: frame.image for frame in client.frames}
        both = mirrored.keys() & shown.keys()
        assert len(both) >= 5
        assert all(mirrored[frame] == shown[frame] for frame in both)


async def test_at_the_end_who_looks_on_is_told(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        seen: list[bytes] = []
        (await host.only_session()).taps.add(seen.append)
        await client.say(command="stop")
        await client.until("done")
        assert seen[-1] == b""


async def test_a_game_on_hold_does_not_move_whatever_is_pressed_and_goes_on_by_itself(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        session = await host.only_session()
        session.pause()
        status = await client.until_newest("status", lambda status: status["onHold"])
        assert (status["state"], "researcher" in status["text"]) == ("paused", True)
        await client.say(command="start")
        await client.say(info="are you there?")
        await client.until("ping")
        await client.until("ping")
        count = len(client.frames)
        await client.until("ping")
        assert len(client.frames) == count
        assert session.stats()["onHold"]
        session.resume()
        await client.until_frame(5)
        await client.until_state("playing")
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(host.as_server(), 1)
    entries = plain_loop(file)
    did = [what for entry in entries for what in entry["hippogym"].get("staff", ())]
    assert [what["hold"] for what in did] == [True, False]
    assert sum(entry["hippogym"]["missed_ticks"] for entry in of_kind(entries, "tick")) < 60


async def test_a_participant_who_paused_stays_paused_when_the_researcher_lets_go(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        session = await host.only_session()
        await client.say(command="pause")
        session.pause()
        await client.until_newest("status", lambda status: status["text"] != "")
        session.resume()
        status = await client.until_newest("status", lambda status: status["text"] == "")
        assert status["state"] == "paused"


@pytest.mark.parametrize("v2", [True, False])
async def test_a_sentence_reaches_the_participant_and_the_record(host: Host, v2: bool) -> None:
    async with join(host.ws, v2=v2) as client:
        await playing(client)
        session = await host.only_session()
        assert session.say("Five minutes are left.")
        if v2:
            assert (await client.until("notice"))["notice"]["text"] == "Five minutes are left."
        else:
            assert (await client.until("display"))["display"] == {"Message": "Five minutes are left."}
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(host.as_server(), 1)
    did = [what for entry in plain_loop(file) for what in entry["hippogym"].get("staff", ())]
    assert [what["say"] for what in did] == ["Five minutes are left."]


async def test_nobody_is_told_who_is_not_there(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        session = await host.only_session()
    await host.until(lambda: not session.stats()["connected"])
    assert not session.say("Hello?")


async def test_what_the_researcher_ends_is_recorded_as_that(host: Host) -> None:
    async with join(host.ws) as client:
        await playing(client)
        (await host.only_session()).end("ended")
        done = (await client.until("done"))["done"]
        assert done["reason"] == "ended"
        assert "researcher" in done["text"]
        assert await client.until_closed() == 1000
    [file] = wait_for_files(host.as_server(), 1)
    assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "ended"


async def test_a_client_of_version_1_is_told_of_the_pause_where_its_display_is(host: Host) -> None:
    async with join(host.ws, v2=False) as client:
        await playing(client)
        session = await host.only_session()
        session.pause()
        assert "researcher" in (await client.until("display"))["display"]["Paused"]
        session.resume()
        assert (await client.until("display"))["display"] == {}
        await client.until_frame(3)
