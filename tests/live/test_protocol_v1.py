"""An existing client, which cannot be changed, plays from hello to done."""

import io

import pytest
from PIL import Image

from tests.clients import join
from tests.records import inputs, of_kind, plain_loop, wait_for_files
from tests.servers import RunningServer


async def test_the_golden_transcript(server: RunningServer) -> None:
    """hello, UI, frame, start, play, pause, start, stop, done; field by field."""
    async with join(server.ws, v2=False) as client:
        await client.say(userId="alice", projectId="", frameCount=0, frameId=0)

        ui = await client.receive()
        assert ui == {
            "UI": ["up", "down", "left", "right", "start", "pause", "stop", "reset", "good", "bad", "uploadData"]
        }
        first = await client.receive()
        assert first.frame == 1
        picture = Image.open(io.BytesIO(first.image))
        assert (picture.format, picture.size) == ("JPEG", (64, 48))

        started = {
            "command": "start",
            "system": "Linux",
            "systemVersion": "x86_64",
            "browser": "Chrome Headless",
            "browserVersion": "156",
        }
        await client.say(**started, frameCount=1, frameId=1)
        await client.until_frame(5)
        await client.say(actionType="upArrow", action="up", frameCount=6, frameId=6)
        await client.until_frame(5)
        await client.say(actionType="upArrow", action="noop", frameCount=11, frameId=11)
        await client.say(command="pause", frameCount=11, frameId=11)
        await client.say(command="good", frameCount=11, frameId=11)
        await client.say(**started, frameCount=12, frameId=12)
        await client.until_frame(5)
        await client.say(command="stop", frameCount=17, frameId=17)
        assert await client.until("done") == "done"
        assert await client.until_closed() == 1000

    assert client.messages == [ui, "done"]  # nothing that a v1 client does not know
    ids = [seen.frame for seen in client.frames]
    assert ids == sorted(set(ids))
    [file] = wait_for_files(server, 1)
    entries = plain_loop(file)
    said = [given["message"] for given in inputs(entries)]
    assert [message.get("command") or message.get("action") for message in said] == [
        None, "start", "up", "noop", "pause", "good", "start", "stop",
    ]  # fmt: skip
    assert said[0] == {"userId": "alice", "projectId": "", "frameCount": 0, "frameId": 0}
    ticks = of_kind(entries, "tick")
    assert set(ticks[-1]) >= {"observation", "reward", "done", "info", "hippogym"}
    assert [entry["observation"] for entry in ticks] == list(range(1, len(ticks) + 1))
    held = [entry["hippogym"]["action"]["name"] for entry in ticks if entry["hippogym"]["action"]["name"] == "up"]
    assert len(held) >= 4  # held while it was held, not for one tick


async def test_every_episode_ends_with_its_last_state_and_the_last_one_with_done(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await client.hello()
        await client.say(command="start")
        assert await client.until("done") == "done"
        assert await client.until_closed() == 1000
    last_of_first = [frame for frame in client.frames if Image.open(io.BytesIO(frame.image)).getpixel((5, 5))[0] >= 38]
    assert len(last_of_first) >= 3
    files = wait_for_files(server, 3)
    for file in files:
        assert [entry["observation"] for entry in of_kind(plain_loop(file), "tick")] == list(range(1, 41))


@pytest.mark.parametrize("user", ["", None, "../../etc/passwd", "a\0b", "x" * 10_240, 5])
async def test_any_name_gets_a_game_and_nothing_is_written_outside(server: RunningServer, user: object) -> None:
    before = {path for path in server.records.parent.rglob("*") if server.records not in path.parents}
    async with join(server.ws, v2=False) as client:
        await client.say(userId=user, projectId=None, frameCount=0, frameId=0)
        await client.until_frame()
        await client.say(command="stop")
        await client.until("done")
    wait_for_files(server, 1)
    assert {path for path in server.records.parent.rglob("*") if server.records not in path.parents} == before


@pytest.mark.parametrize(
    "bad",
    ["not json", "5", '"userId"', "NaN", "null", "[1, 2]", '{"command": 5}', '{"changeFrameRate": 5}', '{"action": 3}']
    + ['{"action": ["up"]}', '{"action": {"a": 1}}', '{"changeFrameRate": [1]}', '{"command": "dance"}', "{}"]
    + ['{"userId": "mallory"}', '{"x": ' + "9" * 10_000 + "}", "[" * 5000, '{"info": "' + "x" * 70_000 + '"}', b"\x00"],
)
async def test_what_ended_the_original_does_not_end_us(server: RunningServer, bad: str | bytes) -> None:
    async with join(server.ws, v2=False) as client:
        await client.hello()
        await client.until_frame()
        await client.socket.send(bad)
        await client.say(command="start")
        await client.until_frame(3)
        await client.say(command="stop")
        await client.until("done")


async def test_start_before_hello_is_not_an_accident(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await client.say(command="start")
        await client.hello()
        await client.until_frame()
        await client.say(command="start")
        await client.until_frame(3)


async def test_a_button_called_upload_data_is_a_button(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await client.hello()
        await client.until_frame()
        await client.say(command="uploadData")
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    assert [given["message"].get("command") for given in inputs(plain_loop(file))][1:] == ["uploadData", "stop"]


async def test_the_trial_of_a_v1_client_that_leaves_is_closed(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await client.hello()
        await client.say(command="start")
        await client.until_frame(3)
    [file] = wait_for_files(server, 1)
    assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "disconnected"


async def test_frame_rate_changes_come_as_words_numbers_and_texts(server: RunningServer) -> None:
    async with join(server.ws, v2=False) as client:
        await client.hello()
        for wanted in ("faster", "slower", 60, "60", 1000, "fast"):
            await client.say(changeFrameRate=wanted)
        await client.say(command="start")
        await client.until_frame(3)
        await client.say(command="stop")
        await client.until("done")
    [file] = wait_for_files(server, 1)
    assert of_kind(plain_loop(file), "tick")[0]["hippogym"]["rate"] == 60
