"""Our own page's side of the wire: what it gets, and what it is told when it is wrong."""

import asyncio
import io
import json
import time

import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus

from hippogym.core.frame_header import LAST_OF_EPISODE
from tests.clients import Client, join
from tests.records import inputs, of_kind, plain_loop, wait_for_files
from tests.servers import ROOT, RunningServer, serving, write_study


async def begin(client: Client) -> dict:
    """Hello to first frame; returns the welcome."""
    await client.hello()
    welcome = await client.until("welcome")
    await client.until_frame()
    return welcome["welcome"]


async def error_after(client: Client, said: str | bytes) -> dict:
    await client.socket.send(said)
    return (await client.until("error"))["error"]


async def test_hello_is_answered_with_everything_the_page_needs(server: RunningServer) -> None:
    async with join(server.ws) as client:
        welcome = await begin(client)
        assert set(welcome) == {
            "token", "resumed", "connection", "graceS", "version",
            "project", "projectId", "userId", "game", "instructions",
        }  # fmt: skip
        assert (welcome["resumed"], welcome["connection"], welcome["userId"]) == (False, 1, "alice")
        assert len(welcome["token"]) >= 22  # 128 bits and more
        [actions] = client.all("actions")
        assert actions == ["noop", "up", "right", "left", "down", "upright"]
        assert {entry["action"] for entry in client.all("keys")[0]} == set(actions)
        assert client.all("frameRate") == [{"rate": 30, "min": 1, "max": 60, "step": 5, "allowed": True}]
        await client.until_state("waiting")
        first = client.frames[0]
        assert (first.frame, first.episode, first.tick) == (1, 0, 0)
        assert Image.open(io.BytesIO(first.image)).format == "JPEG"


async def test_keys_are_held_combine_and_are_let_go(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start", frameId=1, t=1.0)
        await client.say(keys=["ArrowUp"], frameId=1, t=2.0)
        await client.until_frame(4)
        await client.say(keys=["ArrowUp", "ArrowRight"], frameId=3)
        await client.until_frame(4)
        await client.say(keys=[], controls=["left"])
        await client.until_frame(4)
        await client.say(keys=[])
        await client.until_frame(4)
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    entries = plain_loop(file)
    applied = [entry["hippogym"]["action"] for entry in of_kind(entries, "tick")]
    changes = [
        one["name"]
        for one, other in zip(applied, [None, *applied], strict=False)
        if not other or one["name"] != other["name"]
    ]
    if changes[0] == "noop":  # a tick between start and the first key, where the machine is slow
        del changes[0]
    assert changes == ["up", "upright", "left", "noop"]
    assert {one["value"] for one in applied if one["name"] == "upright"} == {5}
    assert [entry["info"]["action"] for entry in of_kind(entries, "tick")] == [one["value"] for one in applied]
    first_up = inputs(entries)[2]
    assert (first_up["frame"], first_up["t_client_ms"]) == (1, 2.0)


async def test_the_last_frame_of_an_episode_says_so_and_is_never_left_out(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start")
        done = await client.until("done")
        assert done["done"]["reason"] == "finished"
        assert await client.until_closed() == 1000
    last = [(seen.episode, seen.tick) for seen in client.frames if seen.flags & LAST_OF_EPISODE]
    assert last == [(0, 40), (1, 40), (2, 40)]


async def test_reset_while_paused_shows_the_new_episode(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start")
        await client.until_frame(3)
        await client.say(command="pause")
        await client.say(command="reset")
        while (await client.until_frame()).episode == 0:
            pass
        assert (client.frames[-1].episode, client.frames[-1].tick) == (1, 0)
        await client.until_state("paused")
        await client.say(command="reset")
        while client.frames[-1].episode == 1:
            await client.receive()
        await client.say(command="reset")  # there is no fourth
        assert (await client.until("error"))["error"]["code"] == "not_allowed"
        assert (await client.until("notice"))["notice"]["text"]


async def test_request_ui_repeats_it_in_any_case(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="REQUESTui")
        await client.until("UI")
        assert client.all("UI")[0] == client.all("UI")[1]


async def test_the_real_frame_rate_is_reported_after_every_change(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        for wanted, rate in (("faster", 35), (60, 60), ("60", 60), ("slower", 55), (61, 55)):
            await client.say(changeFrameRate=wanted)
            assert (await client.until("frameRate"))["frameRate"]["rate"] == rate
        assert client.all("error")[-1]["code"] == "out_of_range"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("not json", "not_json"),
        ('{"a": NaN}', "not_json"),
        ('{"a": ' + "1" * 10_000 + "}", "not_json"),
        ("[1]", "not_object"),
        ("null", "not_object"),
        ("[" * 4000 + "]" * 4000, "too_deep"),
        (json.dumps({"info": "x" * 70_000}), "too_large"),
        (b"\x00\x01", "binary"),
        ('{"command": 5}', "bad_type"),
        ('{"command": "dance"}', "unknown_command"),
        ('{"action": "dance"}', "unknown_action"),
        ('{"controls": ["dance"]}', "unknown_action"),
        ('{"changeFrameRate": {}}', "bad_type"),
        ('{"ack": 1000000}', "bad_value"),
        ('{"info": 1, "frameId": 1000000}', "bad_value"),
        ('{"userId": "../x"}', "bad_value"),
        ('{"userId": "a\\u0000"}', "bad_value"),
        (json.dumps({"userId": "x" * 10_240}), "bad_value"),
        ("{}", "unknown_message"),
    ],
)
async def test_every_bad_message_is_answered_and_the_session_goes_on(
    server: RunningServer, bad: str | bytes, code: str
) -> None:
    async with join(server.ws) as client:
        await begin(client)
        assert (await error_after(client, bad))["code"] == code
        await client.say(command="start")
        await client.until_frame(3)


async def test_anything_before_hello_is_answered(server: RunningServer) -> None:
    async with join(server.ws) as client:
        assert (await error_after(client, '{"command": "start"}'))["code"] == "no_hello"
        assert (await error_after(client, '{"userId": "../"}'))["code"] == "bad_value"
        await begin(client)


async def test_a_socket_without_a_hello_is_closed(server: RunningServer) -> None:
    async with join(server.ws) as client:
        assert await client.until_closed() == 4000


async def test_a_message_over_a_mebibyte_closes_the_connection_only(server: RunningServer) -> None:
    async with join(server.ws) as client:
        welcome = await begin(client)
        await client.socket.send("x" * (1024 * 1024 + 1))
        assert await client.until_closed() == 1009
    async with join(server.ws) as client:
        await client.hello(token=welcome["token"])
        assert (await client.until("welcome"))["welcome"]["resumed"]


async def test_a_flood_is_answered_and_does_not_delay_what_comes_after(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start")
        for _ in range(600):
            await client.say(info="flood")
        assert (await client.until("error"))["error"]["code"] == "too_many"
        await asyncio.sleep(0)
        while client.all("done") == []:
            await client.say(command="stop")
            await client.receive()
    assert client.all("done")[0]["reason"] in ("stopped", "finished")


async def test_a_hostile_flood_closes_the_connection(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        message = '{"info": 1}'

        async def flood() -> None:
            for _ in range(20_000):
                await client.socket.send(message)

        flooding = asyncio.gather(flood(), return_exceptions=True)
        assert await client.until_closed() == 4009
        await flooding


async def test_pages_from_elsewhere_may_not_connect(server: RunningServer) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            async with join(server.ws, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with join(server.ws, origin="http://localhost:3000") as client:
        await begin(client)


async def test_more_participants_than_places_wait_and_begin_by_themselves(study) -> None:
    config = study / "config.yml"
    config.write_text(config.read_text().replace("maxParticipants: 200", "maxParticipants: 2"))
    with serving(study) as server:
        async with join(server.ws) as one, join(server.ws) as two, join(server.ws) as three:
            await begin(one)
            await begin(two)
            await three.hello()
            assert (await three.until("queue"))["queue"] == {"place": 1}
            await one.say(command="stop")
            await one.until_closed()
            assert not (await three.until("welcome"))["welcome"]["resumed"]
            await three.until_frame()


async def test_what_is_drawn_and_the_clock_are_in_the_record(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start")
        while len(client.all("ping")) < 3:
            await client.receive()
        await client.until_frame(10)
        await client.say(command="stop")
        await client.until("done")
    files = wait_for_files(server, 1)
    blocks = [entry["hippogym"] for file in files for entry in plain_loop(file)]
    sent = [note["frame"] for block in blocks for note in block["sent"]]
    drawn = [note["frame"] for block in blocks for note in block["drawn"]]
    shown = [block["frame"]["id"] for block in blocks if block.get("frame")]
    assert sent == sorted(set(sent))
    assert set(drawn) <= set(sent) <= set(shown)
    assert len(drawn) >= 8
    clocks = [block["clock"] for block in blocks if block["clock"]]
    assert clocks
    for clock in clocks:  # the same machine's clock: the true offset is 0
        assert abs(clock["offset_ms"]) <= clock["error_ms"] + 1


async def test_a_client_that_draws_nothing_gets_few_frames_and_the_game_goes_on(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        client.acknowledge = False
        await client.say(command="start")
        await client.until("done")
    files = wait_for_files(server, 3)
    blocks = [entry["hippogym"] for file in files for entry in plain_loop(file)]
    assert sum(block["kind"] == "tick" for block in blocks) == 120
    assert len(client.frames) < 40
    assert sum(block["skipped_frames"] for block in blocks) >= 120 + 3 - len(client.frames)


async def test_the_picture_that_arrived_is_the_one_in_the_record(server: RunningServer) -> None:
    import hashlib

    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="start")
        await client.until_frame(10)
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    recorded = {b["frame"]["id"]: b["frame"] for b in (e["hippogym"] for e in plain_loop(file)) if b.get("frame")}
    for seen in client.frames:
        assert recorded[seen.frame]["sha256"] == hashlib.sha256(seen.image).hexdigest()
        assert recorded[seen.frame]["bytes"] == len(seen.image)


TURNS = """
trial:
  game: count-5
  maxEpisodes: 2
  stepMode: turn
  actionSpace: [stay, go]
  keys: {Space: go, KeyS: stay}
  episodePause: 0
"""


async def test_in_turn_mode_the_environment_waits_for_the_participant(tmp_path) -> None:
    study = write_study(tmp_path / "s", TURNS, ROOT / "tests" / "agents" / "counting.py")
    with serving(study) as server:
        async with join(server.ws) as client:
            await begin(client)
            await client.say(command="start")
            await client.until("status")
            quiet_until_s = time.monotonic() + 0.3
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(quiet_until_s - time.monotonic()):
                    await client.until_frame()
            for turn in range(5):
                await client.say(keys=["Space"])
                await client.say(keys=[])
                assert (await client.until_frame()).tick == turn + 1
            assert client.frames[-1].flags & LAST_OF_EPISODE
            await client.until_frame()
            assert (client.frames[-1].episode, client.frames[-1].tick) == (1, 0)
            await client.say(command="stop")
            await client.until("done")
        first = wait_for_files(server, 2)[0]
    assert [entry["hippogym"]["action"]["name"] for entry in of_kind(plain_loop(first), "tick")] == ["go"] * 5


WHOLE_TRIAL = """
trial:
  game: count-5
  maxEpisodes: 3
  dataFile: trial
  actionSpace: [noop, up]
  episodePause: 0
"""


async def test_with_one_file_for_the_trial_all_episodes_are_in_it(tmp_path) -> None:
    study = write_study(tmp_path / "s", WHOLE_TRIAL, ROOT / "tests" / "agents" / "counting.py")
    with serving(study) as server:
        async with join(server.ws) as client:
            await begin(client)
            await client.say(command="start")
            await client.until("done")
        [file] = wait_for_files(server, 1)
    entries = plain_loop(file)
    assert [(e["hippogym"]["episode"], e["observation"]) for e in of_kind(entries, "tick")] == [
        (episode, count) for episode in range(3) for count in range(1, 6)
    ]
    assert [entry["hippogym"]["seq"] for entry in entries] == list(range(len(entries)))


async def test_the_websocket_is_accepted_on_any_path(server: RunningServer) -> None:
    for path in ("/", "/ws", "/any/where?x=1"):
        async with join(server.url.replace("http", "ws") + path) as client:
            await begin(client)


async def test_a_token_outside_hello_is_any_field(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.socket.send('{"token":"x","info":[' + "1e5," * 1900 + "0]}")
        await client.say(command="start")
        await client.until_frame(3)


async def test_what_comes_after_stop_is_kept_and_changes_nothing(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        await client.say(command="stop")
        await client.say(command="reset")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "stopped"


async def test_a_frame_is_drawn_once_however_often_that_is_said(server: RunningServer) -> None:
    async with join(server.ws) as client:
        await begin(client)
        for _ in range(50):
            await client.say(ack=1, t=1.0)
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    drawn = [note["frame"] for entry in plain_loop(file) for note in entry["hippogym"]["drawn"]]
    assert drawn == [1]
