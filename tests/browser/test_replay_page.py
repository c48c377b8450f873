"""The page of ``hippogym replay --serve``, as somebody uses it who wants to know what happened."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.played import play_trial, study_of
from tests.replay.conftest import GAME
from tests.servers import ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the page of a short episode, in which something was said that looks like HTML."""
    study = study_of(tmp_path_factory.mktemp("replay") / "study", "Game", GAME)
    runner = asyncio.Runner()
    with runner:
        folder = runner.run(play_trial(study, "one", ticks=40, startingFrameRate=60.0))
    command = [sys.executable, "-m", "hippogym", "replay", "--serve", str(folder / "episode_0000.pkl")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", line)
        assert found, line
        yield found.group()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


WATCH_THE_BUTTON = """
window.labels = [];
new MutationObserver(() => labels.push(document.querySelector('#play').getAttribute('aria-label')))
  .observe(document.querySelector('#play'), {attributeFilter: ['aria-label']});
"""


@pytest.fixture
def replay(address: str, new_context: Callable[..., BrowserContext]) -> Page:
    page = new_context().new_page()
    open_page(page, address)
    return page


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#verdict")).to_have_text("Verified")
    expect(page.locator("#picture")).to_have_js_property("width", 60)


def test_the_keyboard_walks_through_the_episode(replay: Page) -> None:
    tick = replay.locator("#tick")
    for key, where in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 20), ("Home", 0)):
        replay.keyboard.press(key)
        expect(tick).to_have_text(f"· tick {where} of 20")


def test_it_plays_to_its_end_at_its_own_pace_and_again(replay: Page) -> None:
    replay.evaluate(WATCH_THE_BUTTON)  # 20 ticks are a third of a second: too short to look for
    for number in (1, 2):
        replay.keyboard.press("Space")
        replay.wait_for_function("number => labels.filter(label => label === 'Pause').length === number", arg=number)
        expect(replay.locator("#tick")).to_have_text("· tick 20 of 20")
        expect(replay.locator("#play")).to_have_attribute("aria-label", "Play")


def test_each_tick_has_its_own_picture(replay: Page) -> None:
    shades = set()
    for tick in range(1, 7):
        replay.keyboard.press("ArrowRight")
        shown = f"replay.film.shown === replay.episode.pictures[{tick}]"
        replay.wait_for_timeout(20)
        expect(replay.locator("#tick")).to_have_text(f"· tick {tick} of 20")
        for _ in range(200):
            if replay.evaluate(shown):
                break
            replay.wait_for_timeout(20)
        else:
            pytest.fail(f"the picture of tick {tick} has not come")
        shades.add(replay.evaluate("replay.film.context.getImageData(30, 20, 1, 1).data[0]"))
    assert len(shades) > 2


def test_the_timeline_is_a_slider_that_can_be_pointed_at(replay: Page) -> None:
    lanes = replay.get_by_role("slider", name="Position in the episode")
    box = lanes.bounding_box()
    assert box is not None
    replay.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 20)
    expect(lanes).to_have_attribute("aria-valuetext", re.compile(r"tick (8|9|1[0-2]), "))
    expect(lanes).to_have_attribute("aria-valuemax", "20")


def test_what_the_participant_did_leads_to_its_moment(replay: Page) -> None:
    event = replay.locator("#events button").filter(has_text=re.compile("good|bad")).first
    event.click()
    expect(event).to_have_attribute("aria-current", "true")


def test_nothing_is_wider_than_a_phone_and_nothing_is_complained_about(
    address: str, new_context: Callable[..., BrowserContext]
) -> None:
    said: list[str] = []
    for scheme in ("light", "dark"):
        page = new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme).new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda problem: said.append(str(problem)))
        open_page(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert said == []


def test_without_the_token_there_is_nothing(address: str, page: Page) -> None:
    answer = page.goto(f"{address.rsplit('/', 2)[0]}/")
    assert answer is not None and answer.status == 404


def test_the_recording_is_not_beside_the_page(address: str, page: Page) -> None:
    answer = page.goto(f"{address}{Path('..') / 'data.json'}")
    assert answer is not None and answer.status == 404
