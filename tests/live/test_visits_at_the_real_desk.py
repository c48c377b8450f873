"""The whole server: pages, desk, line and games of a study with two games and two conditions."""

import signal
from pathlib import Path

import httpx
import pytest

from tests.clients import Client, join
from tests.records import of_kind, plain_loop, wait_for_files
from tests.servers import RunningServer, serving
from tests.study.whole_study import PAGES, Person, whole_study

CONFIG = """
project:
  id: pilot
  steps:
    1: consent.html
    2: {page: game, name: practice, trial: {game: count-2, maxEpisodes: 1, startingFrameRate: 60}}
    3: game
    4: {page: survey.html, when: game.score >= 100}
    finalStep: thanks.html
  conditions:
    advice: {agent: {strength: 3}, trial: {jpegQuality: 31}}
  resume: resume
trial:
  game: count-60
  maxEpisodes: 2
  maxParticipants: 2
  actionSpace: [noop, up]
  episodePause: 0
  startingFrameRate: 60
  reconnectGrace: 0
  ui: {up: true, start: true, stop: true, reset: true}
"""
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
def study(tmp_path: Path) -> Path:
    folder = whole_study(tmp_path / "study", CONFIG, PAGES)
    (folder / "agent.py").write_text(AGENT)
    return folder


def at_the_game(server: RunningServer) -> Person:
    person = Person(server.url)
    person.arrive()
    person.submit({"agree": True})
    assert (person.view["kind"], person.view["name"]) == ("game", "practice")
    return person


async def play(server: RunningServer, person: Person) -> dict:
    async with join(server.ws) as client:
        await client.hello(None, visit=person.token)
        return await start_and_finish(client, person)


async def start_and_finish(client: Client, person: Person) -> dict:
    while not client.frames:
        await client.receive()
    await client.say(command="start")
    done = (await client.until("done"))["done"]
    person.now()  # at once: the desk has been told before the participant was
    return done


async def test_two_games_on_the_way_each_with_its_own_settings(study: Path) -> None:
    with serving(study) as server, at_the_game(server) as person:
        assert (await play(server, person))["reason"] == "finished"
        assert (person.view["kind"], person.view["name"]) == ("game", "game")
        assert (await play(server, person))["reason"] == "finished"
        assert (person.view["kind"], person.view["name"]) == ("page", "survey"), "its score was 120"
        records = [plain_loop(file) for file in wait_for_files(server, 3)]
    practice, first, second = sorted(records, key=lambda entries: entries[0]["hippogym"]["t_mono_ns"])
    headers = [of_kind(entries, "reset")[0]["hippogym"] for entries in (practice, first, second)]
    assert [header["step"] for header in headers] == ["practice", "game", "game"]
    assert [len(of_kind(entries, "tick")) for entries in (practice, first, second)] == [2, 60, 60]
    assert {header["visit"] for header in headers} == {headers[0]["visit"]}
    assert {(header["condition"], header["jpeg_quality"]) for header in headers} == {("advice", 31)}
    [about] = of_kind(practice, "tick")[0]["told"]
    assert about == {
        "condition": "advice",
        "parameters": {"strength": 3},
        "step": "practice",
        "trial": headers[0]["trial"],
    }


async def test_a_killed_server_costs_the_episode_that_ran_and_no_other(study: Path) -> None:
    with serving(study) as server, at_the_game(server) as person:
        await play(server, person)
        async with join(server.ws) as client:
            await client.hello(None, visit=person.token)
            await client.until_frame()
            await client.say(command="start")
            while client.frames[-1].episode == 0:
                await client.receive()
            await client.say(command="pause")
            while (person.now(), person.view["game"]["episodesDone"])[1] == 0:  # the ledger hears of it within a second
                await client.until("ping")
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
    with serving(study) as server:
        again = Person(server.url, token=person.token)
        again.now()
        assert again.view["name"] == "game"
        async with join(server.ws) as client:
            await client.hello(None, visit=person.token)
            assert not (await client.until("welcome"))["welcome"]["resumed"]
            assert (await client.newest("status"))["episode"] == 2
            await start_and_finish(client, again)
        assert again.view["name"] == "survey", "the score is that of both trials: 120 or more"
        again.client.close()


async def test_a_third_participant_waits_and_then_plays(study: Path) -> None:
    with serving(study) as server:
        people = [at_the_game(server) for _ in range(3)]
        async with join(server.ws) as one, join(server.ws) as two, join(server.ws) as three:
            for client, person in ((one, people[0]), (two, people[1])):
                await client.hello(None, visit=person.token)
                await client.until_frame()
            await three.hello(None, visit=people[2].token)
            assert (await three.until("queue"))["queue"]["place"] == 1
            await start_and_finish(one, people[0])
            assert (await start_and_finish(three, people[2]))["reason"] == "finished"
            assert people[2].view["name"] == "game"
        for person in people:
            person.client.close()


async def test_somebody_who_is_not_at_the_game_is_not_let_in(study: Path) -> None:
    with serving(study) as server, Person(server.url) as person:
        person.arrive()
        for visit in (person.token, "nobody's", None):
            async with join(server.ws) as client:
                await client.hello(None, visit=visit)
                assert await client.until_closed() == 1000
                assert client.all("error")[-1]["code"] == "unknown_visit"
        assert person.token not in server.log


async def test_an_existing_front_end_goes_through_the_study(study: Path) -> None:
    query = {"projectId": "pilot", "userId": "ann"}
    with serving(study) as server:

        def ask(method: str = "GET", **answers: str) -> str:
            return httpx.request(method, f"{server.url}/next", params=query, json=answers or None).json()["page"]

        stamp = ask().split('name="hippogym-stamp" value="')[1].split('"')[0]
        assert ask("POST", agree="on", **{"hippogym-stamp": stamp}) == "show_game_page"
        for page in ("show_game_page", "<textarea"):
            async with join(server.ws, v2=False) as client:
                await client.hello("ann")
                await client.until_frame()
                await client.say(command="start")
                await client.until("done")
            assert page in ask()
        async with join(server.ws, v2=False) as client:
            await client.hello("bob")
            assert "Sorry" in (await client.until("display"))["display"]
