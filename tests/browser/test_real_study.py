"""The shipped study in a real browser on the real server, from link to code: wide, on a phone, by keyboard alone."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FileChooser, Page, expect

from tests.browser.accessibility import grave_problems
from tests.browser.watching import control, expect_state, expect_title
from tests.patience import PATIENCE_MS
from tests.records import manifest, wait_for_files
from tests.servers import ROOT, RunningServer, serving, write_study

pytestmark = pytest.mark.browser

WIDE = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
QUICK = "{maxEpisodes: 2, maxFrameRate: 120, startingFrameRate: 120, episodePause: 0}"  # lives are lost sooner
SKETCH = bytes(range(256))
SURVEY = {
    "enjoyed": "3",
    "difficulty": "8",
    "plan": "Left,\nthen “right” <b>& up</b> ü 🎮",
    "did": ["corners", "hunted"],
    "device": "touch",
    "genres": ["action", "puzzle"],
    "age": "33",
    "lastPlayed": "2026-02-28",
    "usualTime": "23:30",
    "unclear": "Nothing at all",
    "attention": "sometimes",
    "sketch": {"file": "sketch.png", "type": "image/png", "base64": base64.b64encode(SKETCH).decode()},
    "email": "a@b.example",
    "contact": False,
    "surveyVersion": "1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    config, count = re.subn(r"\{maxEpisodes: 2\}", QUICK, (ROOT / "config.yml").read_text())
    assert count == 1
    study = write_study(tmp_path_factory.mktemp("pacman") / "study", config)
    shutil.copytree(ROOT / "StepFiles", study / "StepFiles")
    with serving(study) as running:
        yield running


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    (tmp_path / "sketch.png").write_bytes(SKETCH)
    return tmp_path / "sketch.png"


def kept(server: RunningServer, user: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The visit of a participant, and everything that was answered, in order: as it stands in the ledger."""
    with closing(sqlite3.connect(f"file:{server.records / 'study.sqlite'}?mode=ro", uri=True)) as ledger:
        [(visit, document)] = ledger.execute("SELECT id, document FROM visits WHERE user = ?", (user,))
        rows = ledger.execute("SELECT document FROM answers WHERE visit = ? ORDER BY n", (visit,)).fetchall()
    return json.loads(document), [json.loads(row) for (row,) in rows]


def expect_heading(page: Page, text: str) -> None:
    expect(page.locator("#study-content :is(h1, h2)").first).to_have_text(text, timeout=PATIENCE_MS)


def wait_for_the_end_of_the_game(page: Page) -> None:
    expect(page.locator("#episode")).to_have_text("Episode 2 of 2", timeout=PATIENCE_MS)
    expect_heading(page, "How was it?")


class Hands:
    """A participant with a mouse, or a thumb."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def tick(self, label: str) -> None:
        self.page.get_by_label(label).check()

    def consent(self) -> None:
        self.tick("I am 18 years of age or older.")
        self.tick("I have read this page, and I agree to take part.")

    def fill_quiz(self, ghost: str, rounds: str) -> None:
        self.tick(ghost)
        self.tick("Eating dots")
        self.tick("Eating the large dots")
        self.page.get_by_label("How many rounds").fill(rounds)

    def mend_quiz(self, ghost: str, rounds: str) -> None:
        self.tick(ghost)
        self.page.get_by_label("How many rounds").fill(rounds)

    def play(self) -> None:
        self.press("Start")
        expect_state(self.page, "Playing")
        self.page.keyboard.down("ArrowLeft")
        wait_for_the_end_of_the_game(self.page)
        self.page.keyboard.up("ArrowLeft")

    def fill_survey(self, sketch: Path) -> None:
        page = self.page
        self.tick("Quite a bit")
        page.get_by_label("How difficult").fill("8")
        page.get_by_label("Did you have a plan?").fill(SURVEY["plan"])
        self.tick("I went for the large dots first.")
        self.tick("I hunted blue ghosts.")
        page.get_by_label("What did you play on?").select_option("touch")
        page.get_by_label("Which kinds of games").select_option(["action", "puzzle"])
        page.get_by_label("How old are you").fill("33")
        page.get_by_label("On which day").fill("2026-02-28")
        page.get_by_label("At what time").fill("23:30")
        page.get_by_label("least clear").fill("Nothing at all")
        self.tick("Sometimes")
        page.get_by_label("A picture or a sketch").set_input_files(sketch)
        page.get_by_label("An e-mail address").fill("a@b.example")


class Thumb(Hands):
    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.tap()

    def tick(self, label: str) -> None:
        self.page.locator("label", has_text=label).tap()

    def play(self) -> None:
        self.press("Start")
        expect_state(self.page, "Playing")
        touch = self.page.context.new_cdp_session(self.page)
        box = control(self.page, "left").bounding_box()
        thumb = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [thumb]})
        expect(control(self.page, "left")).to_have_class(re.compile("pressed"))
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait_for_the_end_of_the_game(self.page)


class Keys(Hands):
    """A participant who has only a keyboard: everything is reached with Tab, in the order of the page."""

    def type(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, file: Path) -> None:
        """The dialog for a file, opened by Enter: who sees none after a while presses again."""
        choosers: list[FileChooser] = []
        self.page.on("filechooser", lambda chooser: choosers.append(chooser))
        for waited in range(PATIENCE_MS // 50):
            if choosers:
                return choosers[0].set_files(file)
            if waited % 100 == 0:
                self.type("Enter")
            self.page.wait_for_timeout(50)
        raise AssertionError("Enter opens no dialog for a file")

    def tab(self, name: str) -> None:
        """On to the control of this name."""
        for _ in range(12):
            self.type("Tab")
            at = self.page.evaluate("(at => at.name || at.id || at.textContent)(document.activeElement)")
            if at == name:
                return
        raise AssertionError(f"Tab does not lead to {name}")

    def press(self, name: str) -> None:
        if name == "Start":
            expect(self.page.locator("#overlay-button")).to_be_focused()
        else:
            self.tab("study-submit")
        self.type("Enter")

    def consent(self) -> None:
        for name in ("adult", "consent"):
            self.tab(name)
            self.type("Space")

    def fill_quiz(self, ghost: str, rounds: str) -> None:
        assert ghost == "I eat it."
        self.tab("ghost")
        self.type("Space")
        self.tab("good")
        self.type("Space", "Tab", "Space")
        self.tab("rounds")
        self.page.keyboard.type(rounds)

    def mend_quiz(self, ghost: str, rounds: str) -> None:
        assert ghost == "I keep away from it."
        assert self.page.evaluate("document.activeElement.name") == "ghost", "the focus is where something is wrong"
        self.type("ArrowDown")
        self.tab("rounds")
        self.type("Control+a")
        self.page.keyboard.type(rounds)

    def play(self) -> None:
        super().play()

    def fill_survey(self, sketch: Path) -> None:
        typed = self.page.keyboard.type
        self.tab("enjoyed")
        self.type("ArrowDown", "ArrowDown")
        self.tab("difficulty")
        self.type("ArrowRight", "ArrowRight", "ArrowRight")
        self.tab("plan")
        typed(SURVEY["plan"])
        self.tab("did")
        self.type("Space", "Tab", "Tab", "Space")
        self.tab("device")
        typed("A t")
        self.tab("genres")
        self.type("ArrowDown", "ArrowUp", "Shift+ArrowDown")
        self.tab("age")
        typed("33")
        self.tab("lastPlayed")
        typed("02282026")
        self.tab("usualTime")
        typed("1130PM")
        self.tab("unclear")
        typed("Nothing at all")
        self.tab("attention")
        self.type("ArrowDown")
        self.tab("sketch")
        self.choose(sketch)
        self.tab("email")
        typed("a@b.example")


@pytest.mark.parametrize(
    ("hands", "shape"),
    [
        pytest.param(Hands, WIDE, id="wide", marks=pytest.mark.long),
        pytest.param(Thumb, PHONE, id="phone"),
        pytest.param(Keys, WIDE, id="keys"),
    ],
)
def test_from_the_link_to_the_code_every_answer_is_what_was_entered(
    new_context: Callable[..., BrowserContext], server: RunningServer, sketch: Path, hands: type[Hands], shape: dict
):
    page = new_context(**shape, locale="en-US").new_page()
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    person, user = hands(page), f"p-{hands.__name__}"

    page.goto(f"{server.url}/?userId={user}")
    expect_heading(page, "Taking part in this study")
    assert grave_problems(page) == []
    person.consent()
    person.press("Submit")
    expect_heading(page, "How the game works")
    assert grave_problems(page) == []
    assert page.locator("#study-content img").evaluate("image => image.naturalWidth") > 0
    person.press("Continue")

    expect_heading(page, "Three short questions")
    assert grave_problems(page) == []
    assert "data-right" not in page.content(), "what is right stays with the server"
    person.fill_quiz("I eat it.", "7")
    person.press("Submit")
    expect(page.locator("#study-alert")).to_have_text("2 answers are not right yet. You have 2 tries left.")
    expect(page.locator(".complaint")).to_have_count(2)
    assert grave_problems(page) == []
    person.mend_quiz("I keep away from it.", "2")
    person.press("Submit")

    expect_title(page, "Ready when you are")
    expect(page.locator("#episode")).to_have_text("Episode 1 of 2")
    assert grave_problems(page) == []
    person.play()

    assert grave_problems(page) == []
    person.fill_survey(sketch)
    person.press("Submit")
    expect_heading(page, "Thank you!")
    assert grave_problems(page) == []
    code = page.get_by_label("Your completion code").inner_text()
    assert complaints == []

    visit, rows = kept(server, user)
    assert [(row["step"], row["try"]) for row in rows] == [
        ("consent", 1), ("instructions", 1), ("quiz", 1), ("quiz", 2), ("survey", 1),
    ]  # fmt: skip
    quiz = {"ghost": "eat", "good": ["dots", "large"], "rounds": "7"}
    assert [row["answers"] for row in rows] == [
        {"adult": True, "consent": True},
        {},
        quiz,
        {**quiz, "ghost": "avoid", "rounds": "2"},
        SURVEY,
    ]
    assert [row["right"] for row in rows] == [None, None, False, True, None]
    assert all(0 < row["focus_s"] <= row["submitted_s"] - row["shown_s"] + 1 for row in rows)
    assert (visit["outcome"], visit["code"], visit["attention_failed"]) == ("complete", code, 0)
    game = visit["games"]["game"]
    assert (game["state"], game["episodes"], game["reason"]) == ("over", 2, "finished")
    assert game["score"] is not None and game["ticks"] > 100
    files = [file for file in wait_for_files(server, 2) if manifest(file)["trial"] == game["trial"]]
    assert [manifest(file)["complete"] for file in files] == [True, True]
