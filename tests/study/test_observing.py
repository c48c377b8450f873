"""The dashboard of a real server with real participants: figures, the mirror, and what may be done."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from hippogym.pages.dashboard.visitor import FRAMES_ON_THE_WAY
from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.records import plain_loop
from tests.servers import ROOT, RunningServer, serving, write_study
from tests.study.researcher import Researcher

TOKEN = "only-for-these-tests-0123456789"
COUNTING = ROOT / "tests" / "agents" / "counting.py"
CONFIG = """
trial:
  game: count-100000
  maxEpisodes: 3
  maxParticipants: 20
  reconnectGrace: 60
  actionSpace: [noop, up, right]
  episodePause: 0
  ui: {up: true, right: true, start: true, pause: true, stop: true, reset: true, good: true, bad: true}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    study = write_study(tmp_path_factory.mktemp("observed") / "study", CONFIG, COUNTING)
    with serving(study, env={"HIPPOGYM_DASHBOARD_TOKEN": TOKEN}) as running:
        yield running


def researching(server: RunningServer) -> Researcher:
    return Researcher(server.url, TOKEN)


async def play(client: Client, user: str) -> None:
    await client.hello(user)
    await client.until_frame()
    await client.say(command="start", frameId=1)
    await client.until_frame(2)


async def keep_playing(client: Client) -> None:
    """Take whatever comes, for as long as the test, or the server, goes on."""
    with suppress(ConnectionClosed):
        while True:
            await client.receive()


class playing:
    """A participant who plays on by themselves while the block is in."""

    def __init__(self, server: RunningServer, user: str) -> None:
        self._join, self._user, self._tasks = join(server.ws), user, asyncio.TaskGroup()

    async def __aenter__(self) -> Client:
        client = await self._join.__aenter__()
        await play(client, self._user)
        await self._tasks.__aenter__()
        self._task = self._tasks.create_task(keep_playing(client))
        return client

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._join.__aexit__(*error)


def closed_files(folder: Path) -> list[Path]:
    """The files of a trial, once all of them are closed."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (files := sorted(folder.glob("*.pkl"))) or list(folder.glob("*.part")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return files


def test_the_link_that_is_printed_opens_the_dashboard_and_another_start_makes_another(tmp_path: Path):
    study = write_study(tmp_path / "study", CONFIG, COUNTING)
    command = [sys.executable, str(ROOT / "communicator.py"), "dev", "--study", str(study), "--port", "0"]
    links = []
    for _ in range(2):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline() + process.stdout.readline()
            link = re.search(r"^Watch at (http\S+/dashboard)#token=(\S+)$", said, re.MULTILINE)
            assert link, said
            links.append(link)
            assert httpx.get(link[1]).status_code == 200
            process.terminate()
            process.wait(PATIENCE_S)
    assert len(links[0][2]) >= 32
    assert links[0][2] != links[1][2]


def test_a_token_that_could_be_guessed_keeps_the_server_from_starting(tmp_path: Path):
    study = write_study(tmp_path / "study", CONFIG, COUNTING)
    command = [sys.executable, str(ROOT / "communicator.py"), "dev", "--study", str(study), "--port", "0"]
    env = {"HIPPOGYM_DASHBOARD_TOKEN": "letmein", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S)
    assert ran.returncode == 2
    assert "HIPPOGYM_DASHBOARD_TOKEN can be guessed" in ran.stderr
    assert "letmein" not in ran.stderr + ran.stdout


async def test_figures_follow_what_a_participant_does(server: RunningServer):
    async with playing(server, "zoe") as client, researching(server) as researcher:
        zoe = await researcher.until_person(user="zoe", state="playing")
        assert zoe["connected"] is True
        assert (zoe["episode"], zoe["episodes"], zoe["rate"]) == (1, 3, 30.0)
        for command in ("good", "good", "bad"):
            await client.say(command=command)
        await client.say(keys="not a list")
        judged = await researcher.until_person(user="zoe", good=2, bad=1, errors=1)
        before = judged["tick"]
        await researcher.until_so(lambda: judged["tick"] > before)
        assert judged["score"] == judged["tick"], "each tick of this game is worth one"
        await researcher.until_so(lambda: judged["fps"] > 0 and judged["rttMs"] is not None)
        await client.say(command="pause")
        await researcher.until_person(user="zoe", state="paused")
    async with researching(server) as researcher:
        await researcher.until_person(user="zoe", connected=False)


async def test_the_mirror_gets_the_very_bytes_that_the_participant_gets(server: RunningServer):
    async with join(server.ws) as client, researching(server) as researcher:
        await play(client, "yan")
        yan = await researcher.until_person(user="yan")
        assert await researcher.ask(watch=yan["trial"]) is None
        async with asyncio.TaskGroup() as both:
            both.create_task(client.until_frame(40))
            both.create_task(researcher.until_frames(12))
        seen = {frame.frame: frame.image for frame in client.frames}
        common = [packet for packet in researcher.packets if int.from_bytes(packet[4:8]) in seen]
        assert len(common) >= 8
        assert all(packet[32:] == seen[int.from_bytes(packet[4:8])] for packet in common)
        assert researcher.frames == sorted(set(researcher.frames)), "never back, never twice"


async def test_who_is_paused_is_seen_at_once_as_they_are(server: RunningServer):
    async with join(server.ws) as client, researching(server) as researcher:
        await client.hello("xia")
        await client.until_frame()
        xia = await researcher.until_person(user="xia")
        assert await researcher.ask(watch=xia["trial"]) is None
        await researcher.until_frames(1)
        assert researcher.packets[0][32:] == client.frames[0].image


async def test_a_researcher_who_takes_nothing_costs_the_participant_nothing(server: RunningServer):
    async with playing(server, "wim") as client, researching(server) as researcher:
        begun = len(client.frames)
        wim = await researcher.until_person(user="wim")
        await researcher.socket.send(json.dumps({"n": 99, "watch": wim["trial"]}))
        while len(client.frames) < begun + 60:  # nobody reads what the researcher gets meanwhile
            await asyncio.sleep(0.01)
        await researcher.until(lambda message: message.get("answer") == 99)
        await researcher.until_frames(FRAMES_ON_THE_WAY, saying_so=False)
        assert researcher.frames[-1] < client.frames[-1].frame, "so many were let go, and no more until they were taken"
        newest = client.frames[-1].frame
        await researcher.socket.send(json.dumps({"drawn": FRAMES_ON_THE_WAY}))
        await researcher.until_frames(1)
        assert researcher.frames[-1] >= newest, "then the newest, and none of those between"


async def test_a_session_is_paused_spoken_to_and_ended_by_the_researcher(server: RunningServer):
    async with join(server.ws) as client, researching(server) as researcher:
        await play(client, "vic")
        vic = await researcher.until_person(user="vic")
        trial = vic["trial"]
        assert await researcher.ask(watch=trial) is None
        assert await researcher.ask(say=trial, text="Please use the arrow keys.") is None
        assert await researcher.ask(pause=trial) is None
        await researcher.until_person(user="vic", onHold=True)
        assert await researcher.ask(resume=trial) is None
        await researcher.until_person(user="vic", onHold=False)
        assert await researcher.ask(end=trial) is None
        done = await client.until("done")
        assert done["done"]["reason"] == "ended"
        await researcher.until(lambda message: message.get("over") == trial)
        await researcher.until_so(lambda: trial not in researcher.people)
        await researcher.until_so(lambda: has_happened(researcher, "left", "vic was ended by the researcher"))
        assert await researcher.ask(pause=trial) == "This participant is not here any more."
        assert any("Please use the arrow keys." in str(message) for message in client.all("notice"))
    files = await asyncio.to_thread(closed_files, server.records / trial)
    entries = [entry for file in files for entry in plain_loop(file)]
    assert "Please use the arrow keys." in str(entries), "what was said is recorded"
    assert "Please use the arrow keys." not in server.log


async def test_nobody_is_named_in_the_log_and_no_token(server: RunningServer):
    async with playing(server, "ursula-the-participant"), researching(server) as researcher:
        await researcher.until_person(user="ursula-the-participant")
    assert "a dashboard has been opened" in server.log
    assert "ursula" not in server.log
    assert TOKEN not in server.log


async def test_the_hour_is_kept_while_nobody_looks(server: RunningServer):
    async with researching(server) as researcher:
        first = await researcher.until(lambda message: "pulse" in message)
        numbers = [point["n"] for point in first["pulse"]]
        assert numbers == list(range(len(numbers))) and numbers
        more = await researcher.until(lambda message: "pulse" in message)
        assert [point["n"] for point in more["pulse"]] == [len(numbers)]


async def test_a_game_that_fails_is_told_as_trouble(tmp_path: Path):
    agent = COUNTING.read_text().replace(
        "def step(", "def step(env, action):\n    raise ValueError('broken')\n\n\ndef old_step("
    )
    study = write_study(tmp_path / "study", CONFIG, agent)
    with serving(study, env={"HIPPOGYM_DASHBOARD_TOKEN": TOKEN}) as server:
        async with join(server.ws) as client, researching(server) as researcher:
            await client.hello("tom")
            await client.until_frame()
            await researcher.until_person(user="tom")
            await client.say(command="start", frameId=1)
            await researcher.until_so(lambda: has_happened(researcher, "trouble", "tom: the game has failed"))


def has_happened(researcher: Researcher, kind: str, text: str) -> bool:
    return any(event["kind"] == kind and text in event["text"] for event in researcher.happened)


async def test_a_server_with_an_open_dashboard_and_a_mirror_stops_in_order(tmp_path: Path):
    study = write_study(tmp_path / "study", CONFIG, COUNTING)
    with serving(study, env={"HIPPOGYM_DASHBOARD_TOKEN": TOKEN}) as server:
        async with playing(server, "ron"), researching(server) as researcher:
            ron = await researcher.until_person(user="ron")
            assert await researcher.ask(watch=ron["trial"]) is None
            await researcher.until_frames(2)
            code, closed = await asyncio.gather(asyncio.to_thread(server.stop), researcher.until_closed())
            assert (code, closed) == (0, 1012)
        assert "Traceback" not in server.log and "ERROR" not in server.log


async def test_a_game_that_waits_for_its_player_is_not_called_slow(tmp_path: Path):
    study = write_study(tmp_path / "study", CONFIG + "  stepMode: turn\n", COUNTING)
    with serving(study, env={"HIPPOGYM_DASHBOARD_TOKEN": TOKEN}) as server:
        async with join(server.ws) as client, researching(server) as researcher:
            await client.hello("sid")
            await client.until_frame()
            await client.say(command="start", frameId=1)
            sid = await researcher.until_person(user="sid", state="playing")
            assert sid["rate"] is None
