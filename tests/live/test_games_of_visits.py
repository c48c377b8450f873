"""In a study with steps: who may play, what they play, and what the desk is told of it."""

import asyncio

import pytest

from hippogym.errors import RecordError
from tests.clients import Client, join
from tests.live.hosting import Host, StandInDesk, hosting
from tests.records import of_kind, plain_loop, trial_folders, wait_for_files

AGENT = """
from tests.agents.counting import *
from tests.agents import counting

told = []

def participant(about):
    told.append(about)

def step(env, action):
    return {**counting.step(env, action), "told": told}
"""


@pytest.fixture
def desk() -> StandInDesk:
    return StandInDesk()


@pytest.fixture
async def host(study, desk):
    async with hosting(study, desk) as running:
        yield running


async def play_to_the_end(client: Client) -> dict:
    while not client.frames:
        await client.receive()
    await client.say(command="start")
    return (await client.until("done"))["done"]


async def drop(host: Host, client: Client) -> None:
    await client.socket.close()
    await host.until(lambda: not any(session.stats()["connected"] for session in host.sessions.here()))


@pytest.mark.parametrize("hello", [{}, {"visit": None}, {"visit": "nobody's"}, {"token": "nobody's"}])
async def test_nobody_plays_without_a_visit(host: Host, hello: dict) -> None:
    async with join(host.ws) as client:
        await client.hello(**hello)
        assert await client.until_closed() == 1000
        assert client.all("error")[-1]["code"] == "unknown_visit"
        assert client.all("notice")[-1]["text"]
    assert not trial_folders(host.as_server())


class SlowDesk(StandInDesk):
    """It answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def admit(self, token: str):
        self.asked.set()
        await self.answer.wait()
        return self.visits.get(token)


async def test_what_is_said_while_the_desk_thinks_waits_for_its_answer(study) -> None:
    desk = SlowDesk()
    async with hosting(study, desk) as host, join(host.ws) as client:
        desk.visits["t"] = host.admission("v1", settings={"game": "count-3", "maxEpisodes": 1})
        await client.hello(visit="t")
        await client.say(command="start")
        await client.say(command="no such button")
        await desk.asked.wait()
        assert (await client.until("ping"))["ping"] == 0, "a page that hears nothing would think it is alone"
        desk.answer.set()
        assert (await client.until("done"))["done"]["reason"] == "finished", "nobody has pressed Start again"
        assert [error["code"] for error in client.all("error")] == ["unknown_command"]


async def test_who_leaves_while_the_desk_thinks_begins_nothing(study) -> None:
    desk = SlowDesk()
    async with hosting(study, desk) as host:
        desk.visits["t"] = host.admission("v1")
        async with join(host.ws) as client:
            await client.hello(visit="t")
            await desk.asked.wait()
        desk.answer.set()
        async with join(host.ws) as client:  # whoever comes after them is served, and so they have been dealt with
            await client.hello(visit="nobody's")
            assert await client.until_closed() == 1000
        assert not host.sessions.here() and not trial_folders(host.as_server())


async def test_a_label_is_no_key_in_version_2(host: Host, desk: StandInDesk) -> None:
    desk.users["ann"] = host.admission("v1", "ann")
    async with join(host.ws) as client:
        await client.hello("ann")
        assert await client.until_closed() == 1000


async def test_a_client_of_version_1_is_known_by_the_name_under_which_its_pages_came(host: Host, desk) -> None:
    desk.users["ann"] = host.admission("v1", "ann")
    async with join(host.ws, v2=False) as client:
        await client.hello("ann")
        await client.until_frame()
        await client.say(command="stop")
        await client.until("done")
    async with join(host.ws, v2=False) as client:
        await client.hello("bob")
        assert "Sorry" in (await client.until("display"))["display"]
        assert await client.until_closed() == 1000
    assert [told[:2] for told in desk.told] == [("began", "v1"), ("over", "v1")]


async def test_a_trial_has_the_settings_of_its_visit(host: Host, desk: StandInDesk) -> None:
    own = {"game": "count-7", "startingFrameRate": 60, "maxEpisodes": 1, "ui": {"start": True, "magic": True}}
    own |= {"instructions": ["Seven."], "reconnectGrace": 33.0}
    desk.visits["t"] = host.admission("v1", "ann b", settings=own, condition="advice", step="game-2")
    async with join(host.ws) as client:
        await client.hello(visit="t")
        welcome = (await client.until("welcome"))["welcome"]
        assert (welcome["game"], welcome["instructions"], welcome["graceS"]) == ("count-7", ["Seven."], 33.0)
        assert welcome["userId"] == "ann b", "the name that the study knows, not the client's"
        assert (await client.newest("UI")) == ["start", "magic"]
        await client.say(command="magic")
        assert (await play_to_the_end(client))["reason"] == "finished"
        assert not client.all("error")
    [file] = wait_for_files(host.as_server(), 1)
    entries = plain_loop(file)
    assert len(of_kind(entries, "tick")) == 7
    header = of_kind(entries, "reset")[0]["hippogym"]
    assert (header["visit"], header["step"], header["condition"]) == ("v1", "game-2", "advice")
    assert (header["game"], header["frame_rate"]) == ("count-7", 60)
    assert header["participant"]["userId"] == "ann b"
    assert "preview" not in header


async def test_the_agent_learns_who_will_play(study, desk: StandInDesk) -> None:
    (study / "agent.py").write_text(AGENT)
    async with hosting(study, desk) as host:
        about = {"condition": "advice", "step": "game", "agent": {"strength": 3}, "preview": True}
        desk.visits["t"] = host.admission("v1", settings={"game": "count-1", "maxEpisodes": 1}, **about)
        async with join(host.ws) as client:
            await client.hello(visit="t")
            await play_to_the_end(client)
        [file] = wait_for_files(host.as_server(), 1)
    [tick] = of_kind(plain_loop(file), "tick")
    trial = tick["hippogym"]["trial"]
    assert tick["told"] == [{"condition": "advice", "parameters": {"strength": 3}, "step": "game", "trial": trial}]
    header = of_kind(plain_loop(file), "reset")[0]["hippogym"]
    assert (header["parameters"], header["preview"]) == ({"strength": 3}, True)


async def test_the_desk_hears_of_the_beginning_of_each_episode_and_of_the_end_before_the_participant_does(
    host: Host, desk: StandInDesk
) -> None:
    desk.visits["t"] = host.admission("v1", settings={"game": "count-40", "maxEpisodes": 3, "startingFrameRate": 40})
    async with join(host.ws) as client:
        await client.hello(visit="t")
        await client.until_frame()
        await client.say(command="start")
        await client.until("done")
        [trial] = desk.of("began")
        told = {"trial": trial, "reason": "finished", "episodes": 3, "ticks": 120, "score": 120.0}
        assert desk.of("over") == [told]
    progress = desk.of("progress")
    assert progress, "three episodes of a second each"
    assert all(point["trial"] == trial and point["ticks"] >= 40 * point["episodes"] for point in progress)
    assert [point["episodes"] for point in progress] == sorted({point["episodes"] for point in progress})
    assert desk.told[-1][0] == "over"


async def test_who_comes_back_from_elsewhere_is_in_the_same_game(host: Host, desk: StandInDesk) -> None:
    """The visit is the right to it: another tab, another device, no token of the trial."""
    desk.visits["t"] = host.admission("v1")
    async with join(host.ws) as first, join(host.ws) as second:
        await first.hello(visit="t")
        welcome = (await first.until("welcome"))["welcome"]
        await first.until_frame()
        await first.say(command="start")
        await first.until_frame(3)
        await second.hello(visit="t")
        again = (await second.until("welcome"))["welcome"]
        assert await first.until_closed() == 4001
        assert (again["resumed"], again["connection"]) == (True, 2)
        assert again["token"] != welcome["token"]
        assert (await second.until_frame()).tick >= 2
        assert host.sessions.find(welcome["token"]) is None
        assert host.sessions.find(again["token"]) is not None
    assert len(desk.of("began")) == 1


async def test_the_token_of_an_earlier_game_does_not_keep_a_visit_from_its_next_one(host: Host, desk) -> None:
    desk.visits["t"] = host.admission("v1", step="game", settings={"game": "count-3", "maxEpisodes": 1})
    async with join(host.ws) as client:
        await client.hello(visit="t")
        token = (await client.until("welcome"))["welcome"]["token"]
        await play_to_the_end(client)
    async with join(host.ws) as client:  # the page's storage still has the first game's token
        desk.visits["t"] = host.admission("v1", step="game-2")
        await client.hello(visit="t", token=token)
        assert not (await client.until("welcome"))["welcome"]["resumed"]
        assert not client.all("error")
    async with join(host.ws) as client:  # and where the visit is at no game, the lost goodbye is said again
        del desk.visits["t"]
        await client.hello(visit="t", token=token)
        assert (await client.until("done"))["done"]["reason"] == "finished"


async def test_episodes_that_were_played_are_not_played_again(host: Host, desk: StandInDesk) -> None:
    desk.visits["t"] = host.admission(
        "v1", settings={"game": "count-3", "maxEpisodes": 3, "seed": 100}, episodes_done=2
    )
    async with join(host.ws) as client:
        await client.hello(visit="t")
        assert (await client.newest("status"))["episode"] == 3
        await play_to_the_end(client)
    [file] = wait_for_files(host.as_server(), 1)
    header = of_kind(plain_loop(file), "reset")[0]["hippogym"]
    assert (header["episode"], header["seed"]) == (2, 102)
    assert desk.of("over")[0] | {"trial": ""} == {
        "trial": "",
        "reason": "finished",
        "episodes": 1,
        "ticks": 3,
        "score": 3.0,
    }


async def test_where_all_episodes_were_played_there_is_nothing_left(host: Host, desk: StandInDesk) -> None:
    desk.visits["t"] = host.admission("v1", settings={"maxEpisodes": 3}, episodes_done=3)
    async with join(host.ws) as client:
        await client.hello(visit="t")
        assert (await client.until("done"))["done"]["reason"] == "finished"
    assert desk.of("over")[0]["episodes"] == 0


async def test_an_episode_that_was_given_up_counts_as_played(host: Host, desk: StandInDesk) -> None:
    desk.visits["t"] = host.admission("v1", settings={"game": "count-100000", "startingFrameRate": 60})
    async with join(host.ws) as client:
        await client.hello(visit="t")
        await client.until_frame()
        await client.say(command="start")
        await client.until_frame(3)
        await client.say(command="reset")
        while client.frames[-1].episode == 0:
            await client.receive()
        await client.say(command="stop")
        await client.until("done")
    [over] = desk.of("over")
    assert (over["reason"], over["episodes"]) == ("stopped", 1)
    assert over["ticks"] == over["score"] > 0


async def test_a_game_that_the_researcher_ends_counts_as_stopped_for_the_way(host: Host, desk: StandInDesk) -> None:
    desk.visits["t"] = host.admission("v1")
    async with join(host.ws) as client:
        await client.hello(visit="t")
        await client.until_frame()
        (await host.only_session()).end("ended")
        assert (await client.until("done"))["done"]["reason"] == "ended"
    assert desk.of("over")[0]["reason"] == "stopped"


async def test_a_game_that_dies_is_over_with_what_is_known_of_it(study, desk: StandInDesk) -> None:
    code = (study / "agent.py").read_text().replace("env.count += 1", "env.count += 1\n    env.count < 7 or 1 / 0")
    (study / "agent.py").write_text(code)
    async with hosting(study, desk) as host:
        desk.visits["t"] = host.admission("v1", settings={"game": "count-9"})
        async with join(host.ws) as client:
            await client.hello(visit="t")
            assert (await play_to_the_end(client))["reason"] == "failed"
        [over] = desk.of("over")
        assert (over["reason"], over["episodes"], over["ticks"]) == ("failed", 0, 6)


async def test_who_withdraws_has_no_game_any_more(host: Host, desk: StandInDesk) -> None:
    desk.visits["t"] = host.admission("v1")
    async with join(host.ws) as client:
        await client.hello(visit="t")
        await client.until_frame()
        await host.sessions.end_visit("somebody else's")
        await host.sessions.end_visit("v1")
        assert (await client.until("done"))["done"]["reason"] == "withdrew"
        assert not host.sessions.here()
    [file] = wait_for_files(host.as_server(), 1)
    assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "withdrew"


async def test_a_desk_that_cannot_look_anybody_up_turns_people_away_for_a_while(host: Host, desk) -> None:
    desk.trouble = RecordError("planted")
    async with join(host.ws) as client:
        await client.hello(visit="t")
        assert (await client.until("error"))["error"]["code"] == "not_now"
        assert await client.until_closed() == 1013


async def test_a_desk_in_trouble_does_not_disturb_the_game(host: Host, desk: StandInDesk, monkeypatch) -> None:
    monkeypatch.setattr("hippogym.live.reports.AGAIN_AFTER_S", 0.01)
    desk.visits["t"] = host.admission("v1", settings={"game": "count-40", "maxEpisodes": 1, "startingFrameRate": 60})
    async with join(host.ws) as client:
        await client.hello(visit="t")
        await client.until_frame()
        desk.trouble = RecordError("planted")
        assert (await play_to_the_end(client))["reason"] == "finished"
    wait_for_files(host.as_server(), 1)


async def test_the_rights_of_a_visit_reach_neither_the_trial_nor_the_record(host: Host, desk: StandInDesk) -> None:
    desk.visits["canary7351"] = host.admission("v1")
    async with join(host.ws) as client:
        await client.hello(visit="canary7351", token="canary7352")
        await client.until_frame()
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(host.as_server(), 1)
    [folder] = trial_folders(host.as_server())
    assert b"canary735" not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert of_kind(plain_loop(file), "reset")
