"""The researcher's dashboard in a real browser, wide and on a phone: what is seen, pressed and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.patience import PATIENCE_MS
from tests.study.fake_observatory import TOKEN, FakeDesk, FakeObservatory, running

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SECOND = "20260101-120000-00000001"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FakeDesk]:
    with running(FakeDesk(FakeObservatory(), tmp_path)) as desk:
        yield desk


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains of: refused by the policy, not found, uncaught."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def open_desk(page: Page, desk: FakeDesk) -> Page:
    page.goto(desk.link)
    expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE_MS)
    expect(players(page)).to_have_count(desk.observatory.number, timeout=PATIENCE_MS)
    return page


def rows(page: Page):
    return page.locator("#people-table tbody tr")


def players(page: Page):
    return page.locator('#people-table tbody tr[data-trial^="2026"]')


def row(page: Page, number: int):
    return page.locator(f'#people-table tbody tr[data-trial$="{number - 1:08d}"]')


def watch(page: Page, number: int) -> int:
    """Open the mirror, and wait for a picture; returns the frame's number."""
    row(page, number).locator(".name").click()
    canvas = page.locator("#mirror-screen")
    expect(canvas).to_have_attribute("data-frame", re.compile(r"\d+"), timeout=PATIENCE_MS)
    return int(canvas.get_attribute("data-frame") or 0)


# ---- the door


def test_the_link_opens_it_and_the_token_does_not_stay_in_the_address(
    page: Page, desk: FakeDesk, complaints: list[str]
):
    open_desk(page, desk)
    assert page.url == f"{desk.url}/dashboard"
    assert TOKEN not in page.evaluate("document.documentElement.outerHTML")
    assert page.title() == "Pac-Man and advice · dashboard"
    page.reload()
    expect(players(page)).to_have_count(12, timeout=PATIENCE_MS)
    assert complaints == []


def test_without_the_token_there_is_a_door_and_the_pasted_link_opens_it(page: Page, desk: FakeDesk):
    page.goto(f"{desk.url}/dashboard")
    expect(page.locator("#door")).to_be_visible()
    expect(page.locator("#desk")).to_be_hidden()
    field = page.get_by_label("Link or token")
    expect(field).to_be_focused()
    field.fill("no token")
    field.press("Enter")
    expect(page.locator("#door-text")).to_contain_text("neither a dashboard’s link nor its token")
    field.fill("a-wrong-token-that-is-long-enough-0123456789")
    field.press("Enter")
    expect(page.locator("#door-text")).to_contain_text("not valid any more")
    field.fill(desk.link)
    field.press("Enter")
    expect(players(page)).to_have_count(12, timeout=PATIENCE_MS)
    expect(page.locator("#door")).to_be_hidden()


def test_another_tab_does_not_get_in_by_itself(page: Page, desk: FakeDesk, new_context: Callable[..., BrowserContext]):
    open_desk(page, desk)
    other = new_context().new_page()
    other.goto(f"{desk.url}/dashboard")
    expect(other.locator("#door")).to_be_visible()


# ---- what it shows


def test_everybody_is_there_with_what_matters(page: Page, desk: FakeDesk, complaints: list[str]):
    open_desk(page, desk)
    eighth = row(page, 8)
    expect(eighth.locator(".name")).to_have_text("participant-08")
    expect(eighth.locator(".about")).to_have_text("game · no advice")
    expect(eighth.locator("td.status .state")).to_have_text("playing")
    expect(eighth.locator("td.fps .value")).to_have_text("14 fps")
    expect(eighth.locator("td.fps .value")).to_have_class(re.compile("worry"))
    expect(eighth.locator("td.feedback .value")).to_have_text("+7 −3")
    expect(row(page, 9).locator("td.status .state")).to_have_text("away")
    expect(page.locator("#tile-here")).to_contain_text("12 of 50 places")
    expect(page.locator("#tile-here")).to_contain_text("10 playing · 1 on pages · 1 away")
    reading = page.locator('tr[data-trial="visit-v90"]')
    expect(reading).to_contain_text("survey · advice · preview")
    expect(reading.locator("td.status .state")).to_have_text("on a page")
    expect(reading.locator(".name")).to_be_disabled()
    assert page.locator("tbody .name", has_text="participant-04").count() == 1, "who plays is not there twice"
    expect(page.locator("#tile-trip")).to_contain_text("longest 518 ms")
    expect(page.locator("#way .funnel-step")).to_have_count(5)
    expect(page.locator("#way .funnel-step").nth(1)).to_contain_text("6 left")
    expect(page.locator("#way .chips")).to_contain_text("23 complete")
    expect(page.locator("#arms .arms li")).to_have_count(2)
    expect(page.locator("#answers .question")).to_have_count(4)
    expect(page.locator("#answers .question").first).to_contain_text("86 % right")
    expect(page.locator("#server")).to_contain_text("212 in s3://study")
    expect(page.locator("#happened-list li")).to_have_count(4)
    assert complaints == []


def test_it_moves_by_itself(page: Page, desk: FakeDesk):
    open_desk(page, desk)
    value = row(page, 1).locator("td.return .value")
    before = value.inner_text()
    expect(value).not_to_have_text(before, timeout=PATIENCE_MS)
    desk.observatory.gone.add(SECOND)
    expect(row(page, 2)).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator("#tile-here")).to_contain_text("11 of 50 places")
    desk.observatory.number = 13
    expect(row(page, 13)).to_have_count(1, timeout=PATIENCE_MS)


def test_people_are_ordered_and_found(page: Page, desk: FakeDesk):
    open_desk(page, desk)
    first = rows(page).first.locator(".name")
    expect(first).to_have_text("participant-90")
    page.get_by_label("Order").select_option("rttMs")
    expect(first).to_have_text("participant-05")
    page.get_by_label("Find participants").fill("no advice")
    expect(rows(page)).to_have_count(6)
    page.get_by_label("Find participants").fill("nobody at all")
    expect(page.locator("#people-none")).to_have_text("Nobody here fits.")


def test_a_study_without_steps_shows_people_and_machine_only(page: Page, tmp_path: Path):
    with running(FakeDesk(FakeObservatory(number=0), tmp_path, overview=None)) as desk:
        page.goto(desk.link)
        expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE_MS)
        expect(page.locator("#people-none")).to_contain_text("Nobody is here yet")
        expect(page.locator("#server")).to_contain_text("free", timeout=PATIENCE_MS)
        for name in ("way", "arms", "answers"):
            expect(page.locator(f"#{name}")).to_be_hidden()


def test_a_ledger_in_trouble_does_not_take_the_rest_with_it(page: Page, desk: FakeDesk):
    desk.overview = None  # looking it over fails from now on
    open_desk(page, desk)
    expect(page.locator("#way")).to_contain_text("cannot be shown at the moment")
    expect(players(page)).to_have_count(12)


def test_what_participants_wrote_is_text_and_nothing_else(page: Page, desk: FakeDesk, complaints: list[str]):
    assert desk.overview is not None
    nasty = "<img src=x onerror=document.title='owned'>"
    step = {**desk.overview["steps"][0], "title": nasty}
    answer = {"step": nasty, "name": "q", "label": nasty, "kind": "choice", "n": 1, "counts": [[nasty, 1]]}
    desk.overview = {**desk.overview, "steps": [step], "answers": [answer]}
    open_desk(page, desk)
    expect(page.locator("#answers .option")).to_have_text(nasty)
    expect(page.locator("#way .bar-name").first).to_have_text(f"1. {nasty}")
    assert page.locator("img").count() == 0
    assert complaints == []


def test_a_server_that_was_away_is_found_again(page: Page, tmp_path: Path):
    observatory = FakeObservatory()
    with running(FakeDesk(observatory, tmp_path)) as desk:
        open_desk(page, desk)
        port = desk.port
    expect(page.locator("#link")).to_have_text("Connection lost", timeout=PATIENCE_MS)
    observatory.number = 3
    with running(FakeDesk(observatory, tmp_path), port=port):
        expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE_MS)
        expect(players(page)).to_have_count(3, timeout=PATIENCE_MS)


# ---- the mirror and what may be done


def test_the_mirror_shows_what_the_participant_gets(page: Page, desk: FakeDesk, complaints: list[str]):
    open_desk(page, desk)
    frame = watch(page, 2)
    expect(page.locator("#mirror-name")).to_have_text("participant-02")
    page.wait_for_function("(n) => Number(document.getElementById('mirror-screen').dataset.frame) > n", arg=frame + 3)
    assert complaints == []
    disc, beside = page.evaluate(
        """() => {
          const canvas = document.getElementById('mirror-screen');
          const tick = Number(canvas.dataset.frame) - 1;
          const row = canvas.getContext('2d').getImageData(0, 105, 160, 1).data;
          const at = (x) => [...row.slice(4 * x, 4 * x + 3)];
          return [at(20 + (tick % 120)), at((80 + tick) % 120 + 20)];
        }"""
    )
    assert disc[0] > 200 and disc[1] > 200 and disc[2] < 130, f"the disc is where the newest frame has it: {disc}"
    assert beside[2] > 90 and beside[0] < 60, f"and not elsewhere: {beside}"
    assert desk.observatory.watchers == 1


def test_the_mirror_changes_to_another_one_and_closes(page: Page, desk: FakeDesk):
    open_desk(page, desk)
    watch(page, 2)
    row(page, 12).locator(".name").click()
    expect(page.locator("#mirror-name")).to_have_text("participant-12")
    expect(page.locator("#mirror-screen")).to_have_attribute("data-frame", re.compile(r"\d+"), timeout=PATIENCE_MS)
    assert desk.observatory.watchers == 1
    page.keyboard.press("Escape")
    expect(page.locator("#mirror")).to_be_hidden()
    expect(row(page, 12).locator(".name")).to_be_focused()
    wait_until(page, lambda: desk.observatory.watchers == 0)


def test_nobody_is_watched_while_the_tab_is_hidden(page: Page, desk: FakeDesk):
    open_desk(page, desk)
    watch(page, 2)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true")
    wait_until(page, lambda: desk.observatory.watchers == 0)
    page.evaluate(hide % "false")
    wait_until(page, lambda: desk.observatory.watchers == 1)


def test_by_keyboard_alone_somebody_is_found_spoken_to_paused_and_let_go(page: Page, desk: FakeDesk):
    open_desk(page, desk)
    row(page, 2).locator(".name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#mirror-name")).to_be_focused()
    page.get_by_label("Tell this participant").focus()
    page.keyboard.type("Please press Start.")
    page.keyboard.press("Enter")
    expect(page.locator("#mirror-result")).to_have_text("Said: “Please press Start.”")
    expect(page.get_by_label("Tell this participant")).to_have_value("")
    page.locator("#mirror-pause").press("Enter")
    expect(page.locator("#mirror-pause")).to_have_text("Go on", timeout=PATIENCE_MS)
    expect(page.locator("#mirror-state")).to_have_text("held by you")
    page.locator("#mirror-pause").press("Enter")
    expect(page.locator("#mirror-pause")).to_have_text("Pause", timeout=PATIENCE_MS)
    page.locator("#mirror-end").press("Enter")
    expect(page.locator("#mirror-sure-no")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#mirror-sure")).to_be_hidden()
    assert [what for what, *_ in desk.observatory.asked] == ["say", "pause", "resume"], "it was not ended by a slip"
    page.locator("#mirror-end").press("Enter")
    page.locator("#mirror-sure-yes").press("Enter")
    expect(page.locator("#mirror-state")).to_have_text("has left", timeout=PATIENCE_MS)
    expect(page.locator("#mirror-pause")).to_be_disabled()
    assert desk.observatory.asked == [
        ("say", SECOND, "Please press Start."),
        ("pause", SECOND, ""),
        ("resume", SECOND, ""),
        ("end", SECOND, ""),
    ]


# ---- for everybody


@pytest.mark.parametrize(
    ("scheme", "view"), [("light", {}), ("dark", PHONE)], ids=["wide and light", "on a phone, dark"]
)
def test_an_accessibility_checker_finds_nothing_serious(
    new_context: Callable[..., BrowserContext], desk: FakeDesk, scheme: str, view: dict
):
    page = new_context(**view, color_scheme=scheme).new_page()
    page.goto(f"{desk.url}/dashboard")
    expect(page.locator("#door")).to_be_visible()
    assert serious(page) == []
    page.goto("about:blank")
    open_desk(page, desk)
    assert serious(page) == []
    watch(page, 2)
    page.locator("#mirror-end").click()
    assert serious(page) == []


def serious(page: Page) -> list[str]:
    """What axe finds that is serious or worse, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


# ---- on a phone


def test_on_a_phone_nothing_sticks_out_and_the_mirror_takes_the_screen(
    new_context: Callable[..., BrowserContext], desk: FakeDesk
):
    page = new_context(**PHONE).new_page()
    open_desk(page, desk)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name in ("status", "episode", "return", "fps", "trip"):
        box = row(page, 4).locator(f"td.{name}").bounding_box()
        assert box is not None and 0 <= box["x"] and box["x"] + box["width"] <= 390, name
    cut = page.evaluate(
        "[...document.querySelectorAll('#people-table td')].filter(td => td.scrollWidth > td.clientWidth + 1)"
        ".map(td => td.className + ': ' + td.innerText)"
    )
    assert cut == []
    row(page, 2).locator(".name").tap()
    expect(page.locator("#mirror-screen")).to_have_attribute("data-frame", re.compile(r"\d+"), timeout=PATIENCE_MS)
    box = page.locator("#mirror").bounding_box()
    assert box is not None and (box["x"], box["width"], box["height"]) == (0, 390, 844)
    end = page.locator("#mirror-end").bounding_box()
    assert end is not None and end["y"] + end["height"] <= 844, "what may be done is in sight beside the picture"
    for name in ("#mirror-close", "#mirror-pause", "#mirror-end"):
        size = page.locator(name).bounding_box()
        assert size is not None and min(size["width"], size["height"]) >= 44, f"{name} can be hit by a thumb"
    page.locator("#mirror-close").tap()
    expect(page.locator("#mirror")).to_be_hidden()
    page.locator("#jump").get_by_role("link", name="Server").tap()
    expect(page.locator("#server-title")).to_be_in_viewport()


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what another thread does, while the browser goes on."""
    for _ in range(PATIENCE_MS // 20):
        if condition():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it has not happened")
