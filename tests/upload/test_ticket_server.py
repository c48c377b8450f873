"""A server that stands alone, as on AWS: participants come with tickets, and receipts go back to the study."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hippogym.core.study.tickets import read, server_key, sign
from tests.clients import Client, join
from tests.fault_proxy import FaultProxy
from tests.live.conftest import CONFIG, COUNTING
from tests.live.test_server_life import certificate, trusting
from tests.records import manifest, of_kind, plain_loop, wait_for_files
from tests.servers import RunningServer, serving, write_study
from tests.upload.conftest import Store, wait_until

STACK_KEY = secrets.token_bytes(32)
KEY = server_key(STACK_KEY, "pilot", "0" * 20)
PAGE = "https://page.example.org"
VISIT, OTHER = "a1" * 10, "b2" * 10
AGENT = COUNTING.read_text() + "\nimport os\n\n\ndef display(env):\n    return {'knows': ' '.join(os.environ)}\n"


@pytest.fixture
def store(rclone: Store) -> Store:
    return rclone


@pytest.fixture
def study(tmp_path: Path, bucket: str) -> Path:
    project = f"project: {{id: pilot, awsSetup: {{bucket: {bucket}, region: us-west-2}}}}\n"
    folder = write_study(tmp_path / "study", project + CONFIG + "  s3upload: true\n  uploadDeadline: 60\n", AGENT)
    certificate(folder)
    return folder


@contextlib.contextmanager
def standing_alone(study: Path, proxy: FaultProxy, **env: str) -> Iterator[RunningServer]:
    told = {"TICKET_KEY": base64.b64encode(KEY).decode(), "PAGE_ORIGIN": PAGE, "AWS_ENDPOINT_URL_S3": proxy.url}
    with serving(study, mode="production", cwd=study, env=told | env) as server:
        yield server


def ticket(visit: str = VISIT, key: bytes = KEY, kind: str = "ticket", **more: Any) -> str:
    said = {
        "visit": visit, "user": f"user-{visit[:2]}", "step": "game", "condition": None, "overrides": [], "agent": {},
        "episodes_done": 0, "preview": False, "turn": 1, "until_s": time.time() + 3600,
    }  # fmt: skip
    return sign(key, kind, said | more)


def receipts(client: Client) -> list[dict[str, Any]]:
    """What the client was told for the study; all of it is signed."""
    told = [read(KEY, "receipt", text) for text in client.all("receipt")]
    assert None not in told
    return told


def joining(server: RunningServer) -> join:
    return join(server.ws, ssl=trusting(), origin=PAGE)


async def come_in(client: Client, text: str) -> dict[str, Any]:
    await client.hello("somebody", visit=text)
    return (await client.until("welcome"))["welcome"]


async def begin(client: Client, text: str) -> None:
    await come_in(client, text)
    await client.until_frame()
    await client.say(command="start")


async def until_episode(client: Client, number: int) -> None:
    """Until the first frames of this episode, from 0, are there."""
    while not client.frames or (client.frames[-1].episode, client.frames[-1].tick > 2) < (number, True):
        await client.receive()


def in_bucket(store: Store, bucket: str, visit: str = VISIT) -> list[dict[str, Any]]:
    """The receipts that lie in the bucket."""
    found = store.objects(bucket, "pilot/receipts/").get(f"pilot/receipts/{visit}.json")
    return [] if found is None else [read(KEY, "receipt", text) for text in json.loads(found)["receipts"]]


def endings(store: Store, bucket: str, user: str = "user-a1") -> list[tuple[int, str]]:
    """(episode, why it ended) of all that was uploaded, oldest first."""
    objects = store.objects(bucket, f"pilot/Trials/{user}/")
    manifests = [json.loads(data) for key, data in sorted(objects.items()) if key.endswith(".json")]
    return [(one["episode"], one["reason"]) for told in manifests for one in told["episodes"]]


async def test_who_has_no_ticket_of_this_server_is_not_let_in(study, proxy) -> None:
    good = ticket()
    body, proof = good.split(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b'"turn":1', b'"turn":2')).decode()
    wrong = {
        "changed": f"{forged.rstrip('=')}.{proof}",
        "expired": ticket(until_s=time.time() - 1),
        "of another server": ticket(key=server_key(STACK_KEY, "pilot", "1" * 20)),
        "of another project": ticket(key=server_key(STACK_KEY, "other", "0" * 20)),
        "a receipt": ticket(kind="receipt"),
        "no ticket at all": "nobody's",
        "without its proof": body,
        "a visit that cannot be": ticket("../../visits"),
        "with less in it": sign(KEY, "ticket", {"visit": VISIT, "until_s": time.time() + 60}),
        "very long": "x" * 16_000,
        "nothing": None,
    }
    with standing_alone(study, proxy) as server:
        for what, text in wrong.items():
            async with joining(server) as client:
                await client.hello("somebody", visit=text)
                assert await client.until_closed() == 1000, what
                assert client.all("error")[-1]["code"] == "unknown_visit", what
        async with join(server.ws, v2=False, ssl=trusting(), origin=PAGE) as client:
            await client.hello("user-a1")
            assert "Sorry" in (await client.until("display"))["display"]
        assert not list(server.records.glob("[0-9a-z]*")), "nothing has begun for them"
        assert await asyncio.to_thread(server.stop) == 0


async def test_it_serves_games_to_the_page_and_tells_no_secret(study, proxy, store, bucket) -> None:
    text = ticket()
    with standing_alone(study, proxy) as server:
        async with httpx.AsyncClient(base_url=server.url, verify=trusting()) as http:
            assert (await http.get("/healthz")).text == "ok"
            for path in ("/", "/page-settings", "/study/now", "/next", "/dashboard", "/static/js/main.js"):
                assert (await http.get(path)).status_code == 404
        with pytest.raises(Exception, match="403"):
            async with join(server.ws, ssl=trusting(), origin="https://elsewhere.example.org"):
                pass
        async with joining(server) as client:
            await begin(client, text)
            assert "TICKET_KEY" not in (await client.newest("display"))["knows"].split()
            await client.say(command="stop")
            await client.until("done")
        assert await asyncio.to_thread(server.stop) == 0
        kept = b"".join(path.read_bytes() for path in server.records.rglob("*") if path.is_file())
        kept += b"".join(data for data in store.objects(bucket, "pilot/Trials/").values())
        for secret in (text, text.split(".")[1], base64.b64encode(KEY).decode()):
            assert secret not in server.log and secret.encode() not in kept
        assert VISIT not in server.log


async def test_receipts_say_what_the_records_do_and_lie_in_the_bucket(study, proxy, store, bucket) -> None:
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(overrides=[{"game": "count-5"}, {"maxEpisodes": 2}], turn=3))
            assert (await client.until("done"))["done"]["reason"] == "finished"
            assert "done" in client.messages[-1] and "receipt" in client.messages[-2]
            told = receipts(client)
        files = wait_for_files(server, 2)
        assert await asyncio.to_thread(server.stop) == 0
    records = [plain_loop(path) for path in files]
    ticks = [of_kind(entries, "tick") for entries in records]
    trial = files[0].parent.name
    assert [one["kind"] for one in told][:1] == ["began"] and told[-1]["kind"] == "over"
    assert {(one["visit"], one["step"], one["turn"], one["trial"]) for one in told} == {(VISIT, "game", 3, trial)}
    assert [one["number"] for one in told] == sorted({one["number"] for one in told})
    result = {key: told[-1][key] for key in ("episodes", "ticks", "score", "reason")}
    assert result == {"episodes": 2, "ticks": 10, "score": 10.0, "reason": "finished"}
    assert (len(files), sum(map(len, ticks))) == (2, 10)
    assert of_kind(records[0], "reset")[0]["hippogym"]["turn"] == 3
    newest = {one["kind"]: one for one in told}
    assert in_bucket(store, bucket) == list(newest.values())


async def test_two_visits_play_on_one_server_each_their_own_game(study, proxy, store, bucket) -> None:
    with standing_alone(study, proxy) as server:
        async with joining(server) as one, joining(server) as two:
            await begin(one, ticket(VISIT, overrides=[{"game": "count-7", "maxEpisodes": 1}]))
            await begin(two, ticket(OTHER, overrides=[{"game": "count-9", "maxEpisodes": 1}], condition="slow"))
            for client in (one, two):
                await client.until("done")
            for client, visit, ticks in ((one, VISIT, 7), (two, OTHER, 9)):
                assert {told["visit"] for told in receipts(client)} == {visit}
                assert receipts(client)[-1]["ticks"] == ticks
        assert await asyncio.to_thread(server.stop) == 0
    assert in_bucket(store, bucket, VISIT)[-1]["ticks"] == 7 and in_bucket(store, bucket, OTHER)[-1]["ticks"] == 9


async def test_who_comes_back_goes_on_and_gets_the_receipts_again(study, proxy) -> None:
    text = ticket(overrides=[{"game": "count-60", "maxEpisodes": 2}])
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, text)
            [began] = receipts(client)
        async with joining(server) as client:
            assert (await come_in(client, text))["resumed"]
            await client.until("receipt")
            assert receipts(client) == [began]
            token = (await client.newest("welcome"))["token"]
            await client.say(command="stop")
            await client.until("done")
            over = receipts(client)[-1]
        async with joining(server) as client:
            await client.hello("somebody", visit=text, token=token)
            assert (await client.until("done"))["done"]["reason"] == "stopped"
            assert receipts(client) == [over], "it may have been lost on its way"
        async with joining(server) as client:
            await client.hello("somebody", visit=text)
            assert await client.until_closed() == 1000
            assert client.all("error")[-1]["code"] == "unknown_visit", "the ticket has been made use of"
        assert await asyncio.to_thread(server.stop) == 0


async def test_interrupted_in_mid_episode_it_goes_on_on_another_server_with_an_empty_disk(
    study, proxy, store, bucket
) -> None:
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket())
            await until_episode(client, 1)
            server.process.send_signal(signal.SIGTERM)
            assert (await client.until("done"))["done"]["reason"] == "server"
            assert await client.until_closed() == 1012
            over = receipts(client)[-1]
        assert await asyncio.to_thread(server.process.wait, 90) == 0, server.log
    assert (over["kind"], over["reason"], over["episodes"]) == ("over", "server", 1)
    assert in_bucket(store, bucket)[-1] == over
    shutil.rmtree(server.records)
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(turn=2))  # with a number of episodes that is too low: the bucket knows better
            assert (await client.newest("status"))["episode"] == 2
            assert (await client.until("done"))["done"]["reason"] == "finished"
            assert receipts(client)[-1]["episodes"] == 2
        assert await asyncio.to_thread(server.stop) == 0
    assert endings(store, bucket) == [(0, "done"), (1, "server"), (1, "done"), (2, "done")]


async def test_killed_it_goes_on_by_what_was_uploaded(study, proxy, store, bucket) -> None:
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket())
            await until_episode(client, 1)
            await client.say(command="pause")
            await asyncio.to_thread(wait_until, lambda: endings(store, bucket) == [(0, "done")])
            server.process.kill()
            await asyncio.to_thread(server.process.wait)
    shutil.rmtree(server.records)
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(turn=2))
            assert (await client.newest("status"))["episode"] == 2
            await client.say(command="stop")
            await client.until("done")
        [file] = wait_for_files(server, 1)
        assert manifest(file)["episodes"][0]["header"]["episodes_before"] == 1
        assert await asyncio.to_thread(server.stop) == 0


async def test_other_steps_and_other_visits_of_the_same_participant_do_not_count(study, proxy) -> None:
    short = [{"game": "count-3", "maxEpisodes": 2}]
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(overrides=short, step="practice"))
            await client.until("done")
        assert await asyncio.to_thread(server.stop) == 0
    shutil.rmtree(server.records)
    with standing_alone(study, proxy) as server:
        for about in ({}, {"visit": OTHER, "user": "user-a1"}, {"step": "practice", "round": 1}):
            async with joining(server) as client:
                await begin(client, ticket(overrides=short, **about))
                await client.until("done")
                assert receipts(client)[-1]["episodes"] == 2
        assert await asyncio.to_thread(server.stop) == 0


async def test_with_a_store_that_is_down_at_first_it_waits_and_then_goes_on(study, proxy, store, bucket) -> None:
    proxy.plan = lambda number: "503" if number < 6 else None
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(overrides=[{"game": "count-3", "maxEpisodes": 1}]))
            await client.until("done")
        [file] = wait_for_files(server, 1)
        assert "going_on" not in manifest(file)["episodes"][0]["header"]
        await asyncio.to_thread(wait_until, lambda: [one["kind"] for one in in_bucket(store, bucket)][-1:] == ["over"])
        assert await asyncio.to_thread(server.stop) == 0


@pytest.mark.long
async def test_with_a_store_that_stays_down_it_goes_by_the_ticket_and_says_so(study, proxy, store, bucket) -> None:
    proxy.plan = lambda number: "503"
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(episodes_done=1))
            assert (await client.newest("status"))["episode"] == 2
            await client.say(command="stop")
            await client.until("done")
        [file] = wait_for_files(server, 1)
        assert manifest(file)["episodes"][0]["header"]["going_on"] == "the bucket did not answer"
        assert "how far a game is could not be looked up" in server.log
        proxy.plan = lambda number: None
        await asyncio.to_thread(wait_until, lambda: [one["kind"] for one in in_bucket(store, bucket)][-1:] == ["over"])
        assert await asyncio.to_thread(server.stop) == 0


async def test_a_server_whose_time_is_over_stops_by_itself(study, proxy) -> None:
    with standing_alone(study, proxy, UNTIL_S=str(int(time.time()) - 1)) as server:
        assert await asyncio.to_thread(server.process.wait, 90) == 0
        assert "the time for this server's games is over" in server.log


@pytest.mark.long
async def test_when_its_time_is_over_games_end_in_order_and_all_is_kept(study, proxy, store, bucket) -> None:
    with standing_alone(study, proxy, UNTIL_S=str(int(time.time()) + 30)) as server:
        async with joining(server) as client:
            await begin(client, ticket(overrides=[{"game": "count-100000"}]))
            assert (await client.until("done"))["done"]["reason"] == "time"
            assert await client.until_closed() == 1000
            assert receipts(client)[-1]["reason"] == "stopped", "the study goes on behind the game"
        assert await asyncio.to_thread(server.process.wait, 90) == 0, server.log
    assert endings(store, bucket) == [(0, "time")]


@pytest.mark.parametrize(
    ("name", "value"), [("TICKET_KEY", "not-a-key"), ("UNTIL_S", "soon"), ("PAGE_ORIGIN", "page.example.org/")]
)
def test_an_environment_that_cannot_be_is_refused_before_it_listens(study, proxy, name, value, capsys) -> None:
    with pytest.raises(AssertionError, match=f"The environment variable {name} is"):
        with standing_alone(study, proxy, **{name: value}):
            pass


def test_only_the_process_itself_has_the_key(study, proxy) -> None:
    """Not those that it starts: the uploader, and the fork server from which trials come."""
    with standing_alone(study, proxy) as server:
        children = [path for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == server.process.pid]
        assert children
        for child in children:
            assert b"TICKET_KEY" not in (child.parent / "environ").read_bytes()
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(90) == 0


def _parent(stat: Path) -> int:
    with contextlib.suppress(OSError):
        return int(stat.read_text().rsplit(")", 1)[1].split()[1])
    return 0
