"""A study in a real browser on the real server when not all goes well: reloads, tabs, a line, a killed server."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.watching import (
    expect_state,
    expect_title,
    frames,
    wait_for_frames,
    wait_until_frames,
    watch,
)
from tests.patience import PATIENCE_MS
from tests.records import trial_folders
from tests.servers import ROOT, RunningServer, serving, write_study

pytestmark = pytest.mark.browser

AGENTS = ROOT / "tests" / "agents"
CONFIG = """
project:
  name: Counting
  steps: {1: before.html, 2: {page: game, trial: {maxEpisodes: 1}}, 3: after.html, finalStep: thanks.html}
trial:
  game: GAME
  actionSpace: [noop, up]
  maxParticipants: PLACES
  ui: {up: true, start: true, pause: true, stop: true}
"""
PAGES = {
    "before.html": "<h2>Before</h2><label>Who <input name='who' required></label>",
    "after.html": "<h2>After</h2><label>What was it like? <textarea name='like'></textarea></label>",
    "thanks.html": "<h2>Thanks</h2>",
}


def study(tmp_path: Path, game: str = "count-100000", places: int = 4, agent: str = "counting.py") -> Path:
    config = CONFIG.replace("GAME", game).replace("PLACES", str(places))
    folder = write_study(tmp_path / "study", config, AGENTS / agent)
    (folder / "StepFiles").mkdir()
    for name, html in PAGES.items():
        (folder / "StepFiles" / name).write_text(html)
    return folder


def ledger(server: RunningServer, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{server.records / 'study.sqlite'}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchall()


def visits(server: RunningServer) -> list[dict[str, Any]]:
    return [json.loads(document) for (document,) in ledger(server, "SELECT document FROM visits ORDER BY rowid")]


def expect_heading(page: Page, text: str) -> None:
    expect(page.locator("#study-content h2").first).to_have_text(text, timeout=PATIENCE_MS)


def to_the_game(page: Page, server: RunningServer) -> Page:
    watch(page).goto(server.url)
    page.get_by_label("Who").fill("me")
    page.get_by_role("button", name="Submit").click()
    return page


def play(page: Page) -> None:
    expect_title(page, "Ready when you are")
    page.locator("#overlay-button").click()
    expect_state(page, "Playing")
    wait_for_frames(page, 5)


def stop(page: Page) -> None:
    page.locator('[data-control="stop"]').click()
    page.get_by_role("button", name="End the game").click()


def test_a_reload_and_a_closed_tab_go_on_in_the_same_game_at_the_same_tick(
    new_context: Callable[..., BrowserContext], tmp_path: Path
):
    context = new_context()
    with serving(study(tmp_path)) as server:
        page = to_the_game(context.new_page(), server)
        play(page)
        page.locator('[data-control="pause"]').click()
        expect_title(page, "Paused")
        left_at = frames(page)[-1].tick
        assert left_at > 0
        page.reload()
        expect_title(page, "Paused")
        wait_until_frames(page, 1)
        assert frames(page)[0].tick == left_at
        page.close()
        again = watch(context.new_page())
        again.goto(server.url)
        expect_title(again, "Paused")
        wait_until_frames(again, 1)
        assert frames(again)[0].tick == left_at
        again.locator("#overlay-button").click()
        expect_state(again, "Playing")
        stop(again)
        expect_heading(again, "After")
        [visit] = visits(server)
        assert (visit["games"]["game"]["starts"], visit["games"]["game"]["reason"]) == (1, "stopped")


@pytest.mark.long
def test_two_tabs_share_one_game_and_neither_is_left_behind(page: Page, tmp_path: Path):
    with serving(study(tmp_path)) as server:
        play(to_the_game(page, server))
        other = watch(page.context.new_page())
        other.goto(server.url)
        expect_state(other, "Playing")
        expect_title(page, "The game is open in another tab or window")
        page.bring_to_front()
        page.get_by_role("button", name="Go on here instead").click()
        expect_state(page, "Playing")
        expect_title(other, "The game is open in another tab or window")
        stop(page)
        expect_heading(page, "After")
        other.get_by_role("button", name="Go on here instead").click()
        expect_heading(other, "After")
        assert [visit["games"]["game"]["starts"] for visit in visits(server)] == [1]


def test_who_leaves_the_study_in_the_game_and_asks_for_deletion_leaves_nothing(page: Page, tmp_path: Path):
    with serving(study(tmp_path)) as server:
        play(to_the_game(page, server))
        page.locator("#study-leave").click()
        page.get_by_label("Also delete everything").check()
        page.get_by_role("dialog").get_by_role("button", name="Leave the study").click()
        expect(page.locator("#study-end-text")).to_contain_text("You have left the study", timeout=PATIENCE_MS)
        assert ledger(server, "SELECT count(*) FROM answers") == [(0,)]
        assert [visit["outcome"] for visit in visits(server)] == ["withdrew"]
        assert [folder for folder in trial_folders(server) if any(folder.rglob("*.pkl*"))] == []


def test_a_killed_server_loses_no_answer_and_the_page_goes_on_by_itself(page: Page, tmp_path: Path):
    folder = study(tmp_path)
    with serving(folder) as server:
        port = urlsplit(server.url).port
        play(to_the_game(page, server))
        stop(page)
        expect_heading(page, "After")
        page.get_by_label("What was it like?").fill("Fine, until the server went away.")
        server.stop(signal.SIGKILL)
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("#study-trouble-text")).to_contain_text("could not be saved yet")
    with serving(folder, "--port", str(port)) as server:
        page.locator("#study-trouble-now").click()
        expect_heading(page, "Thanks")
        answers = ledger(server, "SELECT document FROM answers ORDER BY n")
        assert [json.loads(document)["answers"] for (document,) in answers] == [
            {"who": "me"},
            {"like": "Fine, until the server went away."},
        ]
        [visit] = visits(server)
        assert page.get_by_label("Your completion code").inner_text() == visit["code"]


def test_a_server_that_is_killed_in_the_game_goes_on_with_another_game(page: Page, tmp_path: Path):
    folder = study(tmp_path)
    with serving(folder) as server:
        port = urlsplit(server.url).port
        play(to_the_game(page, server))
        server.stop(signal.SIGKILL)
        expect_title(page, "The connection was lost")
    with serving(folder, "--port", str(port)) as server:
        page.get_by_role("button", name="Try now").click()
        play(page)
        stop(page)
        expect_heading(page, "After")
        [visit] = visits(server)
        assert visit["games"]["game"]["starts"] == 2


@pytest.mark.long
def test_who_finds_no_place_waits_in_line_and_then_plays(
    new_context: Callable[..., BrowserContext], page: Page, tmp_path: Path
):
    with serving(study(tmp_path, places=1)) as server:
        play(to_the_game(page, server))
        late = to_the_game(new_context().new_page(), server)
        later = to_the_game(new_context().new_page(), server)
        expect_title(late, "You are next")
        expect_title(later, "You are number 2 in line")
        stop(page)
        expect_title(late, "Ready when you are")
        expect_title(later, "You are next")
        late.locator("#study-leave").click()
        late.get_by_role("dialog").get_by_role("button", name="Leave the study").click()
        expect_title(later, "Ready when you are")


def test_a_game_that_fails_again_and_again_ends_the_visit_with_words_and_a_code(page: Page, tmp_path: Path):
    with serving(study(tmp_path, "trouble-step-raise", agent="troubled.py")) as server:
        to_the_game(page, server)
        for _ in range(3):
            expect_title(page, "Ready when you are")
            page.locator("#overlay-button").click()
            expect_title(page, "The game had to stop")
            page.get_by_role("button", name="Go on").click()
        expect(page.locator("#study-end-text")).to_contain_text("not your fault")
        assert [visit["outcome"] for visit in visits(server)] == ["fault"]


@pytest.mark.long
def test_who_has_taken_part_finds_their_code_again_and_a_stranger_does_not(
    new_context: Callable[..., BrowserContext], page: Page, tmp_path: Path
):
    link = "/?PROLIFIC_PID=5f1&STUDY_ID=s&SESSION_ID=t"
    with serving(study(tmp_path)) as server:
        page.goto(server.url + link)
        page.get_by_label("Who").fill("me")
        stranger = new_context().new_page()
        stranger.goto(server.url + link)
        expect_heading(stranger, "The study is open in another window or on another device")
        page.get_by_role("button", name="Submit").click()
        play_without_watching(page)
        stop(page)
        expect_heading(page, "After")
        page.get_by_role("button", name="Submit").click()
        expect_heading(page, "Thanks")
        code = page.get_by_label("Your completion code").inner_text()
        page.reload()
        expect(page.get_by_label("Your completion code")).to_have_text(code)
        stranger.reload()
        expect_heading(stranger, "You have already taken part")


def play_without_watching(page: Page) -> None:
    expect_title(page, "Ready when you are")
    page.locator("#overlay-button").click()
    expect_state(page, "Playing")
