"""A server that stands alone, as on AWS: participants come with tickets, and receipts go back to the study."""

import asyncio
import base64
import contextlib
import json
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import InvalidStatus

from hippogym.assembly.going_on import episodes_over
from hippogym.core.study.tickets import read, read_ticket, server_key, sign
from hippogym.data.storage.s3 import S3Storage
from tests.clients import Client, join
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.live.conftest import CONFIG, COUNTING
from tests.live.test_server_life import certificate, trusting
from tests.records import manifest, of_kind, plain_loop, wait_for_files
from tests.servers import RunningServer, serving, write_study
from tests.upload.conftest import Store, surroundings, wait_until

STACK_KEY = secrets.token_bytes(32)
KEY = server_key(STACK_KEY, "pilot", "0" * 20)
PAGE = "https://page.example.org"
VISIT, OTHER = "a1" * 10, "b2" * 10
AGENT = COUNTING.read_text() + "\nimport os\n\n\ndef display(env):\n    return {'knows': ' '.join(os.environ)}\n"


@dataclass(frozen=True)
class Alone:
    """A server that stands alone, and the bucket behind it."""

    server: RunningServer
    store: Store
    bucket: str


@pytest.fixture
def store(rclone: Store) -> Store:
    return rclone


@pytest.fixture
def study(tmp_path: Path, bucket: str) -> Path:
    return study_in(tmp_path / "study", bucket)


@pytest.fixture(scope="module")
def alone(rclone: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """A server for all tests that leave it running."""
    bucket = rclone.make_bucket()
    folder = study_in(tmp_path_factory.mktemp("alone") / "study", bucket)
    with fault_proxy(rclone.port) as proxy, standing_alone(folder, proxy, **surroundings()) as server:
        yield Alone(server, rclone, bucket)
        assert server.stop() == 0, server.log


def study_in(folder: Path, bucket: str) -> Path:
    project = f"project: {{id: pilot, awsSetup: {{bucket: {bucket}, region: us-west-2}}}}\n"
    write_study(folder, project + CONFIG + "  s3upload: true\n  uploadDeadline: 60\n", AGENT)
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


def in_bucket(alone: Alone, visit: str = VISIT) -> list[dict[str, Any]]:
    """The receipts that lie in the bucket."""
    found = alone.store.objects(alone.bucket, "pilot/receipts/").get(f"pilot/receipts/{visit}.json")
    return [] if found is None else [read(KEY, "receipt", text) for text in json.loads(found)["receipts"]]


def kinds_in_bucket(alone: Alone, visit: str = VISIT) -> list[str]:
    return [one["kind"] for one in in_bucket(alone, visit)]


def episodes_by_bucket(alone: Alone, visit: str, **about: Any) -> int:
    """How far a game is, as a server finds out that knows no more than a ticket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{alone.store.port}")
        storage = S3Storage(alone.bucket)
    with contextlib.closing(storage):
        return episodes_over(storage, "pilot")(read_ticket(KEY, ticket(visit, **about), time.time()))


def endings(alone: Alone, user: str = "user-a1") -> list[tuple[int, str]]:
    """(episode, why it ended) of all that was uploaded, oldest first."""
    objects = alone.store.objects(alone.bucket, f"pilot/Trials/{user}/")
    manifests = [json.loads(data) for key, data in sorted(objects.items()) if key.endswith(".json")]
    return [(one["episode"], one["reason"]) for told in manifests for one in told["episodes"]]


async def test_who_has_no_ticket_of_this_server_is_not_let_in(alone: Alone) -> None:
    good = ticket()
    body, proof = good.split(".")
    plain = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    forged = base64.urlsafe_b64encode(plain.replace(b'"turn":1', b'"turn":2')).decode().rstrip("=")
    wrong = {
        "changed": f"{forged}.{proof}",
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
    trials = set(alone.server.records.glob("[0-9a-z]*"))
    for what, text in wrong.items():
        async with joining(alone.server) as client:
            await client.hello("somebody", visit=text)
            assert await client.until_closed() == 1000, what
            assert client.all("error")[-1]["code"] == "unknown_visit", what
    async with join(alone.server.ws, v2=False, ssl=trusting(), origin=PAGE) as client:
        await client.hello("user-a1")
        assert "Sorry" in (await client.until("display"))["display"]
    assert set(alone.server.records.glob("[0-9a-z]*")) == trials, "nothing has begun for them"


async def test_it_serves_games_to_the_page_and_nothing_else(alone: Alone) -> None:
    async with httpx.AsyncClient(base_url=alone.server.url, verify=trusting()) as http:
        assert (await http.get("/healthz")).text == "ok"
        for path in ("/", "/page-settings", "/study/now", "/next", "/dashboard", "/static/js/main.js"):
            assert (await http.get(path)).status_code == 404
    with pytest.raises(InvalidStatus, match="403"):
        async with join(alone.server.ws, ssl=trusting(), origin="https://elsewhere.example.org"):
            pass


async def test_the_ticket_and_the_key_are_nowhere_to_be_read(alone: Alone) -> None:
    text, server = ticket("cc" * 10), alone.server
    async with joining(server) as client:
        await begin(client, text)
        assert "TICKET_KEY" not in (await client.newest("display"))["knows"].split()
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert len(children) >= 3, "the uploader, the fork server, and the trial"
        assert not [child for child in children if "TICKET_KEY" in child.environ()]
        await client.say(command="stop")
        await client.until("done")
    await asyncio.to_thread(wait_until, lambda: endings(alone, "user-cc"))
    kept = b"".join(path.read_bytes() for path in server.records.rglob("*") if path.is_file())
    kept += b"".join(alone.store.objects(alone.bucket, "pilot/Trials/").values())
    for secret in (text, text.split(".")[1], base64.b64encode(KEY).decode()):
        assert secret not in server.log and secret.encode() not in kept
    assert "cc" * 10 not in server.log


async def test_receipts_say_what_the_records_do_and_lie_in_the_bucket(alone: Alone) -> None:
    visit = "d4" * 10
    async with joining(alone.server) as client:
        await begin(client, ticket(visit, overrides=[{"game": "count-5"}, {"maxEpisodes": 2}], turn=3))
        assert (await client.until("done"))["done"]["reason"] == "finished"
        assert "done" in client.messages[-1] and "receipt" in client.messages[-2]
        told = receipts(client)
    trial = told[0]["trial"]
    await asyncio.to_thread(wait_until, lambda: len(endings(alone, "user-d4")) == 2)
    records = [plain_loop(path) for path in sorted((alone.server.records / trial).glob("*.pkl"))]
    assert told[0]["kind"] == "began" and told[-1]["kind"] == "over"
    assert {(one["visit"], one["step"], one["turn"], one["trial"]) for one in told} == {(visit, "game", 3, trial)}
    numbers = [one["number"] for one in told]
    assert numbers == sorted(set(numbers))
    result = {key: told[-1][key] for key in ("episodes", "ticks", "score", "reason")}
    assert result == {"episodes": 2, "ticks": 10, "score": 10.0, "reason": "finished"}
    assert [len(of_kind(entries, "tick")) for entries in records] == [5, 5]
    assert of_kind(records[0], "reset")[0]["hippogym"]["turn"] == 3
    newest = list({one["kind"]: one for one in told}.values())
    await asyncio.to_thread(wait_until, lambda: in_bucket(alone, visit) == newest)


async def test_two_visits_play_on_one_server_each_their_own_game(alone: Alone) -> None:
    async with joining(alone.server) as one, joining(alone.server) as two:
        await begin(one, ticket(VISIT, overrides=[{"game": "count-7", "maxEpisodes": 1}]))
        await begin(two, ticket(OTHER, overrides=[{"game": "count-9", "maxEpisodes": 1}], condition="slow"))
        for client in (one, two):
            await client.until("done")
        for client, visit, ticks in ((one, VISIT, 7), (two, OTHER, 9)):
            assert {told["visit"] for told in receipts(client)} == {visit}
            assert receipts(client)[-1]["ticks"] == ticks
    for visit, ticks in ((VISIT, 7), (OTHER, 9)):
        await asyncio.to_thread(wait_until, lambda visit=visit: kinds_in_bucket(alone, visit)[-1:] == ["over"])
        assert in_bucket(alone, visit)[-1]["ticks"] == ticks


async def test_who_comes_back_goes_on_and_gets_the_receipts_again(alone: Alone) -> None:
    text = ticket("e5" * 10, overrides=[{"game": "count-600", "maxEpisodes": 2}])
    async with joining(alone.server) as client:
        await begin(client, text)
        [began] = receipts(client)
    async with joining(alone.server) as client:
        assert (await come_in(client, text))["resumed"]
        await client.until("receipt")
        assert receipts(client)[0] == began
        token = (await client.newest("welcome"))["token"]
        await client.say(command="stop")
        await client.until("done")
        over = receipts(client)[-1]
    async with joining(alone.server) as client:
        await client.hello("somebody", visit=text, token=token)
        assert (await client.until("done"))["done"]["reason"] == "stopped"
        assert receipts(client) == [over], "it may have been lost on its way"
    async with joining(alone.server) as client:
        await client.hello("somebody", visit=text)
        assert await client.until_closed() == 1000
        assert client.all("error")[-1]["code"] == "unknown_visit", "the ticket has been made use of"


async def test_of_the_records_only_those_of_this_visit_and_this_step_count(alone: Alone) -> None:
    visit, about = "f6" * 10, {"user": "someone", "step": "practice"}
    async with joining(alone.server) as client:
        await begin(client, ticket(visit, overrides=[{"game": "count-3", "maxEpisodes": 2}], **about))
        await client.until("done")
    await asyncio.to_thread(wait_until, lambda: len(endings(alone, "someone")) == 2)
    assert (episodes_by_bucket(alone, visit, **about), episodes_by_bucket(alone, visit, user="someone")) == (2, 0)
    assert episodes_by_bucket(alone, OTHER, **about) == episodes_by_bucket(alone, visit, **about, round=1) == 0
    assert episodes_by_bucket(alone, visit, step="practice") == 0


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
    assert in_bucket(Alone(server, store, bucket))[-1] == over
    shutil.rmtree(server.records)
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(turn=2))  # with a number of episodes that is too low: the bucket knows better
            assert (await client.newest("status"))["episode"] == 2
            assert (await client.until("done"))["done"]["reason"] == "finished"
            assert receipts(client)[-1]["episodes"] == 2
        assert await asyncio.to_thread(server.stop) == 0
    assert endings(Alone(server, store, bucket)) == [(0, "done"), (1, "server"), (1, "done"), (2, "done")]


async def test_killed_it_leaves_what_the_next_one_goes_by(study, proxy, store, bucket) -> None:
    with standing_alone(study, proxy) as server:
        behind = Alone(server, store, bucket)
        async with joining(server) as client:
            await begin(client, ticket())
            await until_episode(client, 1)
            await client.say(command="pause")
            await asyncio.to_thread(wait_until, lambda: endings(behind) == [(0, "done")])
            server.process.kill()
            await asyncio.to_thread(server.process.wait)
    assert episodes_by_bucket(behind, VISIT) == 1
    with contextlib.closing(store.client()) as client:  # all that is missing when it is killed a moment earlier
        [told] = [key for key in store.objects(bucket, "pilot/Trials/") if key.endswith(".json")]
        client.delete_object(Bucket=bucket, Key=told)
    assert episodes_by_bucket(behind, VISIT) == 1, "then the record itself is read"


async def test_with_a_store_that_is_down_at_first_it_waits_and_then_goes_on(study, proxy, store, bucket) -> None:
    proxy.plan = lambda number: "503" if number < 6 else None
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(overrides=[{"game": "count-3", "maxEpisodes": 1}]))
            await client.until("done")
        [file] = wait_for_files(server, 1)
        assert "going_on" not in manifest(file)["episodes"][0]["header"]
        await asyncio.to_thread(wait_until, lambda: kinds_in_bucket(Alone(server, store, bucket))[-1:] == ["over"])
        assert await asyncio.to_thread(server.stop) == 0


@pytest.mark.long
async def test_with_a_store_that_stays_down_it_goes_by_the_ticket_and_says_so(study, proxy, store, bucket) -> None:
    proxy.plan = lambda number: "503"
    with standing_alone(study, proxy) as server:
        async with joining(server) as client:
            await begin(client, ticket(episodes_done=1))
            assert client.all("ping").count(0) >= 5, "a page that hears nothing for 8 s would give up, and ask anew"
            assert (await client.newest("status"))["episode"] == 2
            await client.say(command="stop")
            await client.until("done")
        [file] = wait_for_files(server, 1)
        assert manifest(file)["episodes"][0]["header"]["going_on"] == "the bucket did not answer"
        assert "how far a game is could not be looked up" in server.log
        proxy.plan = lambda number: None
        await asyncio.to_thread(wait_until, lambda: kinds_in_bucket(Alone(server, store, bucket))[-1:] == ["over"])
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
    assert endings(Alone(server, store, bucket)) == [(0, "time")]
