"""A trial that fails ends alone: its participant is told in a sentence, the researcher in the log."""

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from tests.clients import Client, join
from tests.records import of_kind, plain_loop, wait_for_files
from tests.servers import ROOT, serving, write_study

CONFIG = """
trial:
  game: trouble-{hook}-{kind}
  actionSpace: [noop, up]
  stepTimeout: 1
  hookTimeout: 1
  memoryLimit: 300
  ui: {{up: true, start: true, stop: true, good: true}}
"""


async def told_that_it_failed(client: Client) -> None:
    with contextlib.suppress(ConnectionClosed):  # it may have failed before all is said
        await client.hello()
        await client.say(command="start")
        await client.say(command="good")
    done = (await client.until("done"))["done"]
    assert done["reason"] == "failed"
    assert done["text"].endswith("has been kept.")
    assert await client.until_closed() == 4500


def make(tmp_path: Path, hook: str, kind: str) -> Path:
    return write_study(tmp_path / "s", CONFIG.format(hook=hook, kind=kind), ROOT / "tests/agents/troubled.py")


@pytest.mark.parametrize("hook", ["start", "reset", "step", "render", "message"])
async def test_a_function_that_raises_ends_its_trial_with_a_sentence_and_a_traceback(tmp_path: Path, hook: str) -> None:
    with serving(make(tmp_path, hook, "raise")) as server:
        async with join(server.ws) as client:
            await told_that_it_failed(client)
        assert f"planted in {hook}" in server.log
        assert f"{hook}()" in server.log
        assert "Traceback" in server.log
        if hook not in ("start", "reset"):
            [file] = wait_for_files(server, 1)
            end = of_kind(plain_loop(file), "end")[0]["hippogym"]
            assert (end["reason"], end["hook"], end["error"]) == ("agent_error", hook, "RuntimeError")
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("hook", "kind"),
    [("step", "exit"), ("step", "none"), ("step", "text"), ("render", "none"), ("render", "text"), ("render", "big")]
    + [("render", "float")],
)
async def test_what_cannot_be_used_is_named(tmp_path: Path, hook: str, kind: str) -> None:
    with serving(make(tmp_path, hook, kind)) as server:
        async with join(server.ws) as client:
            await told_that_it_failed(client)
        assert f"{hook}()" in server.log
        [file] = wait_for_files(server, 1)
        assert of_kind(plain_loop(file), "end")[0]["hippogym"]["hook"] == hook


@pytest.mark.parametrize(
    ("hook", "kind"),
    [("step", "die"), ("step", "crash"), ("step", "hang"), ("step", "spin"), ("step", "hold"), ("step", "leak")]
    + [("reset", "hang"), ("start", "hang"), ("message", "hang")],
)
async def test_a_trial_that_dies_or_hangs_is_ended_and_its_record_repaired(
    tmp_path: Path, hook: str, kind: str
) -> None:
    with serving(make(tmp_path, hook, kind)) as server:
        baseline = len(psutil.Process(server.process.pid).children(recursive=True))
        async with join(server.ws) as client:
            await told_that_it_failed(client)
            frames = {frame.tick for frame in client.frames}
        if hook in ("step", "message"):
            [file] = wait_for_files(server, 1)
            kept = {entry["hippogym"]["tick"] for entry in plain_loop(file)}
            assert frames <= kept
        assert server.stop() == 0
        assert baseline >= 1


async def test_an_error_while_closing_is_the_researchers_alone(tmp_path: Path) -> None:
    with serving(make(tmp_path, "close", "raise")) as server:
        async with join(server.ws) as client:
            await client.hello()
            await client.say(command="start")
            await client.until_frame(3)
            await client.say(command="stop")
            assert (await client.until("done"))["done"]["reason"] == "stopped"
        [file] = wait_for_files(server, 1)
        assert of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] == "stopped"
        assert server.stop() == 0
        assert "planted in close" in server.log


async def test_others_go_on_while_one_hangs(tmp_path: Path) -> None:
    """One environment hangs for good as soon as its participant says ``good``; the other one plays on."""
    with serving(make(tmp_path, "message", "hang")) as server:
        async with join(server.ws) as bad, join(server.ws) as well:
            await well.hello()
            await well.say(command="start")
            await well.until_frame(3)
            await told_that_it_failed(bad)
            before = well.frames[-1].tick
            await well.until_frame(10)
            assert well.frames[-1].tick >= before + 10
            await well.say(command="stop")
            assert (await well.until("done"))["done"]["reason"] == "stopped"


async def test_a_server_that_stops_does_not_wait_for_an_environment_that_is_still_being_made(tmp_path: Path) -> None:
    config = CONFIG.format(hook="start", kind="hang").replace("hookTimeout: 1", "hookTimeout: 600")
    with serving(write_study(tmp_path / "s", config, ROOT / "tests/agents/troubled.py")) as server:
        async with join(server.ws) as client:
            await client.hello()
            await client.until("welcome")
            while "has joined" not in server.log:
                await asyncio.sleep(0.02)
            server.process.terminate()
            assert (await client.until("done"))["done"]["reason"] == "server"
            assert await client.until_closed() == 1012
        assert await asyncio.to_thread(server.process.wait, 15) == 0
