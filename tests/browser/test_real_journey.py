"""What a participant goes through, in a real browser on the real server: from opening the page to each of its ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from hippogym.core.frame_header import SENT_AGAIN
from tests.browser.cable import Cable
from tests.browser.watching import (
    begin,
    control,
    end,
    expect_state,
    expect_title,
    frames,
    wait_for_frames,
    wait_until_frames,
    watch,
)
from tests.records import inputs, manifest, of_kind, plain_loop, trial_folders, wait_for_files
from tests.servers import ROOT, RunningServer, serving, write_study

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
CONFIG = """
project: {name: Counting}
trial:
  game: count-100000
  actionSpace: [noop, up, right, left, down, upright]
  maxEpisodes: 1
  ui: {left: true, up: true, right: true, down: true, start: true, pause: true, stop: true, good: true, bad: true}
"""
TROUBLE = """
trial:
  game: trouble-step-raise
  actionSpace: [noop, up]
  maxParticipants: 1
  ui: {up: true, start: true, stop: true}
"""
BLACKJACK = """
trial:
  game: Blackjack-v1
  stepMode: turn
  maxEpisodes: 50
  episodePause: 0
  ui: {start: true, pause: true, stop: true, hit: true, stick: true}
"""
AGENTS = ROOT / "tests" / "agents"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    study = write_study(tmp_path_factory.mktemp("counting") / "study", CONFIG, AGENTS / "counting.py")
    with serving(study) as running:
        yield running


@pytest.fixture
def server(shared_server: RunningServer) -> RunningServer:
    known = frozenset(path.name for path in shared_server.records.iterdir())
    return replace(shared_server, known=known)


def the_record(server: RunningServer) -> list[dict]:
    """Of a trial of one episode that the participant has stopped; the counting is the proof that no tick is missing."""
    [file] = wait_for_files(server, 1)
    assert (manifest(file)["reason"], manifest(file)["complete"]) == ("stopped", True)
    entries = plain_loop(file)
    ticks = [entry["hippogym"]["tick"] for entry in of_kind(entries, "tick")]
    assert ticks == [entry["observation"] for entry in of_kind(entries, "tick")] == list(range(1, len(ticks) + 1))
    return entries


def commands(entries: list[dict]) -> list[str]:
    return [given["message"]["command"] for given in inputs(entries) if "command" in given["message"]]


def connections(entries: list[dict]) -> list[int]:
    """The numbers of the connections over which the ticks were played, each once."""
    return list(dict.fromkeys(entry["hippogym"]["conn"] for entry in of_kind(entries, "tick")))


def test_feedback_a_pause_and_a_reload_on_the_way_to_the_end(page: Page, server: RunningServer):
    begin(watch(page), server.url)
    wait_for_frames(page, 3)
    control(page, "good").click()
    expect(page.locator("#live")).to_have_text("Good: sent")
    wait_for_frames(page, 3)
    control(page, "bad").click()
    control(page, "pause").click()
    expect_title(page, "Paused")
    left_at = frames(page)[-1].tick
    page.reload()
    expect_title(page, "Paused")
    wait_until_frames(page, 1)
    [again] = frames(page)
    assert again.tick == left_at and again.flags & SENT_AGAIN, "where it was, and shown at once"
    page.keyboard.press("Tab")
    page.locator("#overlay-button").click()
    expect_state(page, "Playing")
    wait_for_frames(page, 5)
    seen = [frame.tick for frame in frames(page)[1:]]
    assert seen[0] > left_at and seen == sorted(set(seen)), "it goes on from there"
    end(page)
    expect(page.locator("#overlay-text")).to_have_text("Thank you! You can close this page.")
    entries = the_record(server)
    assert commands(entries) == ["start", "good", "bad", "pause", "start", "stop"]
    assert connections(entries) == [1, 2]


def test_a_pulled_cable_is_told_and_then_the_same_tick_goes_on_by_itself(page: Page, server: RunningServer):
    with Cable.between(urlsplit(server.url).port) as cable:
        begin(watch(page), cable.url)
        page.keyboard.down("ArrowUp")
        wait_for_frames(page, 10)
        cable.pull()
        expect_title(page, "The connection was lost")
        expect(page.locator("#overlay-text")).to_have_text("Your game waits for you and goes on where it was.")
        expect(page.locator("#overlay-wait")).to_have_text(re.compile(r"Trying again in \d+ s\."))
        expect(control(page, "pause")).to_be_disabled()
        before = len(frames(page))
        cable.plug_in()
        expect_state(page, "Playing")
        expect(page.locator("#overlay")).to_be_hidden()
        wait_for_frames(page, 10)
        page.keyboard.up("ArrowUp")
        seen = frames(page)
        assert 0 <= seen[before].tick - seen[before - 1].tick <= 10, (
            "only what was on its way when the cable was pulled"
        )
        end(page)
    entries = the_record(server)
    assert connections(entries) == [1, 2]
    for conn in (1, 2):
        ticks = [one for one in of_kind(entries, "tick") if one["hippogym"]["conn"] == conn]
        held = [one["hippogym"]["action"]["name"] for one in ticks].count("up")
        assert held >= 5, "a key that is still held when the connection comes back holds there, too"


def test_the_second_tab_takes_over_and_the_first_says_so(page: Page, server: RunningServer):
    begin(watch(page), server.url)
    wait_for_frames(page, 3)
    other = watch(page.context.new_page())
    other.goto(server.url)
    expect_state(other, "Playing")
    expect_title(page, "The game is open in another tab or window")
    wait_for_frames(other, 3)
    assert frames(other)[0].tick >= frames(page)[-1].tick > 0
    page.bring_to_front()
    page.get_by_role("button", name="Play here instead").click()
    expect_state(page, "Playing")
    expect_title(other, "The game is open in another tab or window")
    end(page)
    assert connections(the_record(server)) == [1, 2, 3]


def test_a_thumb_on_a_phone_starts_the_game_and_holds_an_arrow(
    new_context: Callable[..., BrowserContext], server: RunningServer
):
    page = watch(new_context(**PHONE).new_page())
    page.goto(server.url)
    expect_title(page, "Ready when you are")
    page.get_by_role("button", name="Start").first.tap()
    expect_state(page, "Playing")
    touch = page.context.new_cdp_session(page)
    box = control(page, "left").bounding_box()
    thumb = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [thumb]})
    wait_for_frames(page, 10)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_for_frames(page, 5)
    end(page)
    entries = the_record(server)
    held = [given["message"]["controls"] for given in inputs(entries) if "controls" in given["message"]]
    assert held == [["left"], []]
    names = "".join(entry["hippogym"]["action"]["name"][0] for entry in of_kind(entries, "tick"))
    assert re.fullmatch("n*l{9,}n{3,}", names), "one press, held, and let go of"


def test_turns_are_taken_by_keys_and_buttons_and_the_environment_waits_for_them(page: Page, tmp_path: Path):
    with serving(write_study(tmp_path / "study", BLACKJACK)) as server:
        begin(watch(page), server.url)
        keys = {
            row.locator("dt").inner_text(): row.locator("kbd").first.inner_text()
            for row in page.locator("#legend .legend > div").all()
        }
        wanted = []
        for name in ("Hit", "Stick", "Stick", "Hit"):
            wanted.append(name.lower())
            page.keyboard.down(keys[name])
            page.evaluate(
                "ticks => new Promise(go => setTimeout(go, ticks * 33))", 3
            )  # held: it is one turn all the same
            page.keyboard.up(keys[name])
        for name in ("hit", "stick"):  # and by buttons, as on a phone
            wanted.append(name)
            seen = len(frames(page))
            control(page, name).click()
            wait_until_frames(page, seen + 1)
        end(page)
        files = wait_for_files(server, 1)
        entries = [entry for file in files for entry in plain_loop(file)]
        assert [entry["hippogym"]["action"]["name"] for entry in of_kind(entries, "tick")] == wanted


def test_a_failing_game_a_line_and_a_stopping_server_are_told_in_a_sentence(
    new_context: Callable[..., BrowserContext], page: Page, tmp_path: Path
):
    with serving(write_study(tmp_path / "study", TROUBLE, AGENTS / "troubled.py")) as server:
        page.goto(server.url)
        expect_title(page, "Ready when you are")
        late = new_context().new_page()
        late.goto(server.url)
        expect_title(late, "You are next")
        page.keyboard.press("Enter")
        expect_title(page, "The game had to stop")
        expect(page.locator("#overlay-text")).to_contain_text("It is not your fault, and what you did has been kept.")
        expect(control(page, "start")).to_be_disabled()
        expect_title(late, "Ready when you are")
        assert len(trial_folders(server)) == 2
        assert server.stop() == 0
        expect_title(late, "The server is stopping")
        expect(late.locator("#overlay-text")).to_contain_text("What you did has been kept.")
        ends = [of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] for file in wait_for_files(server, 2)]
        assert sorted(ends) == ["agent_error", "server"]
