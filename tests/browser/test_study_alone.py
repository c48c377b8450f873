"""The page of a study in a real browser, with a server that does as the test says: steps, answers, troubles, ends."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.accessibility import grave_problems
from tests.browser.fake_server import FakeServer, Study, running
from tests.browser.fake_study import GAME, SURVEY, WORDS, FakeDesk

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MORE = "<h2>And now?</h2><label>Why? <input name='why'></label>"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk({"welcome": WORDS, "survey": SURVEY, "more": MORE})


@pytest.fixture
def server(desk: FakeDesk) -> Iterator[FakeServer]:
    with running(Study(desk=desk)) as server:
        yield server


@pytest.fixture
def complaints(page: Page) -> list[str]:
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def expect_heading(page: Page, text: str) -> None:
    expect(page.locator("#study-content :is(h2, h1)").first).to_have_text(text)


def submit(page: Page) -> None:
    page.locator("#study-submit").click()


def answer_survey(page: Page) -> None:
    page.get_by_label("Where do you live?").fill("Alberta")
    page.get_by_label("Good").check()


def at_survey(page: Page, server: FakeServer, query: str = "") -> Page:
    page.goto(server.url + query)
    expect_heading(page, "Welcome")
    submit(page)
    expect_heading(page, "About you")
    return page


def focused(page: Page) -> str:
    return page.evaluate(
        "(at => at.name || at.id || `${at.tagName} ${at.textContent}`.slice(0, 40))(document.activeElement)"
    )


# ---- the way


def test_the_way_leads_from_the_link_to_the_code(page: Page, server: FakeServer, desk: FakeDesk, complaints: list[str]):
    page.goto(server.url + "?PROLIFIC_PID=5f1&STUDY_ID=s2&other=%C3%BC")
    expect(page.locator("#study-way")).to_have_text("Step 1 of 3")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    assert desk.heard("/study/arrive")[0]["link"] == {"PROLIFIC_PID": "5f1", "STUDY_ID": "s2", "other": "ü"}
    assert desk.heard("/study/arrive")[0]["client"]["browser"] == "Chrome"
    submit(page)
    expect(page.locator("#study-way")).to_have_text("Step 2 of 3")
    assert page.title() == "Survey · Step 2 of 3 · Ms. Pac-Man: learning from people"
    answer_survey(page)
    page.get_by_role("button", name="Submit").click()
    expect_heading(page, "And now?")
    submit(page)
    expect_heading(page, "Thank you")
    expect(page.get_by_label("Your completion code")).to_have_text("7K3M-Q2XD-94TR")
    expect(page.locator("#study-submit")).to_be_hidden()
    expect(page.locator("#study-leave")).to_be_hidden()
    assert desk.answers == [{}, {"state": "Alberta", "fun": "good", "again": False}, {"why": ""}]
    assert [given["stamp"] for given in desk.heard("/study/answer")] == ["s1", "s2", "s3"]
    assert complaints == []


def test_a_step_begins_at_its_top_and_with_its_heading(page: Page, server: FakeServer, desk: FakeDesk):
    desk.steps[0] = ("welcome", WORDS + "<p>Much to read.</p>" * 100)
    page.goto(server.url)
    expect_heading(page, "Welcome")
    page.locator("#study-submit").scroll_into_view_if_needed()
    submit(page)
    expect_heading(page, "About you")
    assert focused(page) == "H2 About you"
    assert page.evaluate("window.scrollY") == 0
    expect(page.locator("#live")).to_have_text("Step 2 of 3: Survey")


def test_the_page_never_shows_the_game_before_it_is_its_turn(page: Page, server: FakeServer):
    page.add_init_script(
        "window.shown = new Set(); new MutationObserver(() => {"
        " const play = document.getElementById('play'); if (play && !play.hidden) shown.add('play'); })"
        ".observe(document, {subtree: true, childList: true, attributes: true});"
    )
    at_survey(page, server)
    assert page.evaluate("[...shown]") == []


def labelled(name: str, kind: str, *values: str) -> str:
    return "".join(f'<label>{name} {v} <input type="{kind}" name="{name}" value="{v}"></label>' for v in values)


EVERY_KIND = f"""
<label>text <input name="text"></label><label>area <textarea name="area"></textarea></label>
<label>one <input type="checkbox" name="one"></label><label>none <input type="checkbox" name="none" value="x"></label>
{labelled("several", "checkbox", "a", "b", "c")}{labelled("nothing", "checkbox", "d", "e")}
{labelled("radio", "radio", "1", "2")}{labelled("silent", "radio", "3", "4")}
<label>select <select name="select"><option value="">–</option><option>first</option><option value="2">second</option>
</select></label>
<label>many <select name="many" multiple><option>p</option><option>q</option><option>r</option></select></label>
<label>no one <select name="noone" multiple><option>p</option></select></label>
<label>number <input type="number" name="number" step="any"></label>
<label>range <input type="range" name="range" min="0" max="10"></label>
<label>untouched <input type="range" name="untouched" min="0" max="10"></label>
<label>date <input type="date" name="date"></label><label>time <input type="time" name="time"></label>
<label>email <input type="email" name="email"></label><label>file <input type="file" name="file" multiple></label>
<label>no file <input type="file" name="nofile"></label><input type="hidden" name="hidden" value="h">
<label>off <input name="off" value="not asked" disabled></label><label>nameless <input value="not asked"></label>
<fieldset disabled><input name="alsooff" aria-label="also off"></fieldset>
<label>proto <input name="__proto__"></label><label>elements <input name="elements"></label>
<button name="button" value="no" type="button">Button</button><input type="button" name="pressed" value="Press">
"""


def test_every_kind_of_control_is_told_exactly(page: Page, server: FakeServer, desk: FakeDesk, tmp_path: Path):
    desk.steps[0] = ("kinds", EVERY_KIND)
    content = bytes(range(256)) * 5
    (tmp_path / "sketch ü.bin").write_bytes(content)
    page.goto(server.url)
    fields = page.locator("#study-content")
    fields.locator("[name=text]").fill("  <b>&\"'</b> ü 🎮 ")
    fields.locator("[name=area]").fill("one\ntwo\n")
    fields.locator("[name=one]").check()
    fields.locator("[value=a]").check()
    fields.locator("[value=c]").check()
    fields.locator("[name=radio][value='1']").check()
    fields.locator("[name=select]").select_option("2")
    fields.locator("[name=many]").select_option(["p", "r"])
    fields.locator("[name=number]").fill("-1.50")
    fields.locator("[name=range]").fill("8")
    fields.locator("[name=date]").fill("2026-02-28")
    fields.locator("[name=time]").fill("23:59")
    fields.locator("[name=email]").fill("a@b.example")
    fields.locator("[name=file]").set_input_files(tmp_path / "sketch ü.bin")
    fields.locator("[name=__proto__]").fill("kept")
    expect(fields.locator("[name=range] + output")).to_have_text("8")
    submit(page)
    expect_heading(page, "About you")
    [given] = desk.heard("/study/answer")
    assert given["answers"] == {
        "text": "  <b>&\"'</b> ü 🎮 ",
        "area": "one\ntwo\n",
        "one": True,
        "none": False,
        "several": ["a", "c"],
        "nothing": [],
        "radio": "1",
        "silent": None,
        "select": "2",
        "many": ["p", "r"],
        "noone": [],
        "number": "-1.50",
        "range": "8",
        "untouched": "5",
        "date": "2026-02-28",
        "time": "23:59",
        "email": "a@b.example",
        "file": {
            "file": "sketch ü.bin",
            "type": "application/octet-stream",
            "base64": base64.b64encode(content).decode(),
        },
        "nofile": None,
        "hidden": "h",
        "__proto__": "kept",
        "elements": "",
    }


def test_shown_and_focused_times_are_told_and_survive_a_reload(page: Page, server: FakeServer, desk: FakeDesk):
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # from here on, time passes only where the test says so
    page.goto(server.url)
    expect_heading(page, "Welcome")
    page.clock.run_for(4000)
    page.evaluate(
        "Object.defineProperty(document, 'hasFocus', {value: () => false, configurable: true});"
        "window.dispatchEvent(new Event('blur'))"
    )
    page.clock.run_for(3000)
    page.reload()
    expect_heading(page, "Welcome")
    page.clock.run_for(2000)
    submit(page)
    expect_heading(page, "About you")
    [given] = desk.heard("/study/answer")
    assert (given["shownMs"], given["focusMs"]) == (9000, 6000)


# ---- what is missing, what is wrong


def test_what_is_missing_is_told_beside_it_and_the_focus_goes_to_the_first(
    page: Page, server: FakeServer, desk: FakeDesk
):
    at_survey(page, server)
    submit(page)
    expect(page.locator("#study-alert")).to_have_text("2 answers need another look.")
    assert focused(page) == "state"
    field = page.get_by_label("Where do you live?")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("Please answer this.")
    expect(page.get_by_label("Bad")).to_have_accessible_description("Please choose one.")
    assert grave_problems(page) == []
    field.fill("A")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("")
    submit(page)
    expect(page.locator("#study-alert")).to_have_text("One answer needs another look.")
    assert len(desk.heard("/study/answer")) == 1, "nothing has been sent that cannot be taken"
    page.get_by_label("Bad").check()
    expect(page.locator(".complaint")).to_have_count(0)
    submit(page)
    expect_heading(page, "And now?")


def test_what_needs_an_answer_has_a_star_that_nobody_has_to_hear(page: Page, server: FakeServer):
    page.goto(server.url)
    expect(page.locator("#study-needed")).to_be_hidden()
    submit(page)
    expect(page.locator("#study-content .needed")).to_have_count(2)
    expect(page.locator("legend")).to_have_text("How was it?\u00a0*")
    expect(page.get_by_role("group", name="How was it?", exact=True)).to_be_visible()
    expect(page.get_by_role("textbox", name="Where do you live?", exact=True)).to_be_visible()
    expect(page.locator("#study-needed")).to_have_text("* needs an answer")


@pytest.mark.parametrize(
    ("control", "typed", "words"),
    [
        ('<input type="number" name="x" aria-label="x">', "2e", "Please give a number."),
        ('<input type="number" name="x" aria-label="x" min="18">', "17", "Please give a number from 18."),
        ('<input type="email" name="x" aria-label="x">', "nobody", "Please give an e-mail address."),
        ('<input name="x" aria-label="x" minlength="4">', "abc", "Please use at least 4 characters."),
        ('<input name="x" aria-label="x" pattern="[A-Z]+" title="Capitals only.">', "abc", "Capitals only."),
    ],
)
def test_what_cannot_be_is_not_lost_silently(
    page: Page, server: FakeServer, desk: FakeDesk, control: str, typed: str, words: str
):
    desk.steps[0] = ("one", control)
    page.goto(server.url)
    page.locator("[name=x]").press_sequentially(typed)
    submit(page)
    expect(page.locator(".complaint")).to_have_text(words)
    assert desk.heard("/study/answer") == []


def test_what_only_the_server_finds_missing_is_told_the_same_way(page: Page, server: FakeServer, desk: FakeDesk):
    problems = [{"name": "state", "text": "There is no such place."}, {"name": "gone", "text": "Something else."}]
    desk.missing = lambda name, answers: problems if answers.get("state") == "Nowhere" else []
    at_survey(page, server)
    answer_survey(page)
    page.get_by_label("Where do you live?").fill("Nowhere")
    submit(page)
    expect(page.get_by_label("Where do you live?")).to_have_accessible_description("There is no such place.")
    expect(page.locator("#study-alert p")).to_have_text(["2 answers need another look.", "Something else."])
    assert focused(page) == "state"
    page.get_by_label("Where do you live?").fill("Here")
    submit(page)
    expect_heading(page, "And now?")
    stamps = [given["stamp"] for given in desk.heard("/study/answer")]
    assert stamps == ["s1", "s2", "s2"], "nothing was stored, so it is the same showing"


def test_a_quiz_says_what_is_wrong_and_how_many_tries_are_left(page: Page, server: FakeServer, desk: FakeDesk):
    hint = [{"name": "fun", "text": "Think of the ghosts."}]
    desk.wrong = lambda name, answers: hint if answers.get("fun") == "bad" else []
    desk.tries_left = 1
    at_survey(page, server)
    answer_survey(page)
    page.get_by_label("Bad").check()
    submit(page)
    expect(page.locator("#study-alert")).to_have_text("One answer is not right yet. You have one try left.")
    expect(page.locator(".complaint")).to_have_text("Think of the ghosts.")
    expect(page.get_by_label("Where do you live?")).to_have_value("Alberta")
    expect(page.get_by_label("Bad")).to_be_checked()
    assert page.evaluate("document.activeElement.name") == "fun"
    page.reload()
    expect(page.locator(".complaint")).to_have_text("Think of the ghosts.")
    page.get_by_label("Good").check()
    page.get_by_label("Where do you live?").fill("Alberta")
    submit(page)
    expect_heading(page, "And now?")


# ---- bad networks, reloads, tabs


def test_on_a_bad_network_the_same_answer_is_sent_until_it_is_heard(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    answer_survey(page)
    desk.troubles["/study/answer"] = [503, "lost", 500]
    submit(page)
    expect(page.locator("#study-trouble-text")).to_contain_text("could not be saved yet")
    expect_heading(page, "And now?")
    expect(page.locator("#study-trouble")).to_be_hidden()
    expect(page.locator("#toast-text")).to_have_text(
        "This page had been answered already, so this is where you are now."
    )
    sent = [
        {key: given[key] for key in ("stamp", "answers", "shownMs", "focusMs")}
        for given in desk.heard("/study/answer")[1:]
    ]
    assert len(sent) == 4 and all(given == sent[0] for given in sent), "word by word the same, under the same stamp"


def test_offline_nothing_is_lost_and_going_on_needs_nobody(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    answer_survey(page)
    page.context.set_offline(True)
    submit(page)
    expect(page.locator("#study-trouble")).to_be_visible()
    expect(page.locator("#study-trouble-wait")).to_have_text(re.compile(r"Trying again in \d+ s\.|Trying now…"))
    expect(page.get_by_label("Where do you live?")).to_have_value("Alberta")
    assert page.evaluate("document.getElementById('study-content').inert"), "what is being sent cannot be changed"
    assert grave_problems(page) == []
    page.context.set_offline(False)
    expect_heading(page, "And now?")
    assert desk.answers[-1] == {"state": "Alberta", "fun": "good", "again": False}


def test_what_was_typed_outlives_a_reload_until_it_is_sent(page: Page, server: FakeServer, tmp_path: Path):
    upload = "<label>A file <input type='file' name='file'></label>"
    desk = server.study.desk
    desk.steps[1] = ("survey", SURVEY + upload)
    (tmp_path / "sketch.png").write_bytes(b"x")
    at_survey(page, server)
    answer_survey(page)
    page.get_by_label("I would play again").check()
    page.get_by_label("A file").set_input_files(tmp_path / "sketch.png")
    page.reload()
    expect(page.get_by_label("Where do you live?")).to_have_value("Alberta")
    expect(page.get_by_label("Good")).to_be_checked()
    expect(page.get_by_label("I would play again")).to_be_checked()
    expect(page.locator("#toast-text")).to_contain_text("Please choose this file again: sketch.png")
    submit(page)
    expect_heading(page, "And now?")
    assert page.evaluate("Object.keys(sessionStorage)") == [], "nothing of it is left in the browser"
    assert desk.answers[-1] == {"state": "Alberta", "fun": "good", "again": True, "file": None}


def test_closing_the_tab_and_opening_the_link_again_goes_on(
    new_context: Callable[..., BrowserContext], server: FakeServer, desk: FakeDesk
):
    context = new_context()
    page = at_survey(context.new_page(), server, "?PROLIFIC_PID=a")
    page.close()
    page = context.new_page()
    page.goto(server.url + "?PROLIFIC_PID=a")
    expect_heading(page, "About you")
    expect(page.locator("#toast-text")).to_have_text("Welcome back. You go on where you were.")
    assert len(desk.visits) == 1
    other = context.new_page()
    other.goto(server.url + "?PROLIFIC_PID=b")
    expect_heading(other, "Welcome")
    assert len(desk.visits) == 2, "somebody else on the same computer"


def test_two_tabs_cannot_skip_a_page(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    other = page.context.new_page()
    other.goto(server.url)
    expect_heading(other, "About you")
    for tab in (page, other):
        answer_survey(tab)
    submit(other)
    expect_heading(other, "And now?")
    submit(page)
    expect_heading(page, "And now?")
    expect(page.locator("#toast-text")).to_have_text(
        "This page had been answered already, so this is where you are now."
    )
    assert desk.visit.at == 2


def test_a_tab_that_comes_to_the_front_shows_where_the_visit_is_now(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    desk.go_on()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect_heading(page, "And now?")


def test_looking_again_takes_nothing_away_that_was_typed(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    page.get_by_label("Where do you live?").fill("Alberta")
    before = len(desk.asked)
    with page.expect_response("**/study/now"):
        page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    assert len(desk.asked) == before + 1
    expect(page.get_by_label("Where do you live?")).to_have_value("Alberta")


def test_back_and_forward_repeat_and_skip_nothing(page: Page, server: FakeServer, desk: FakeDesk):
    page.goto(server.url + "static/favicon.svg")
    at_survey(page, server)
    page.go_back()
    assert page.url.endswith("favicon.svg")
    page.go_forward()
    expect_heading(page, "About you")
    assert (desk.visit.at, len(desk.heard("/study/answer"))) == (1, 1)


def test_a_double_click_is_one_answer(page: Page, server: FakeServer, desk: FakeDesk):
    page.goto(server.url)
    page.locator("#study-submit").dblclick()
    expect_heading(page, "About you")
    assert desk.visit.at == 1


def test_a_study_that_cannot_be_reached_yet_is_waited_for(page: Page, server: FakeServer, desk: FakeDesk):
    desk.troubles["/study/arrive"] = [503, 503]
    page.goto(server.url)
    expect(page.locator("#study-trouble-text")).to_contain_text("cannot be reached yet")
    page.locator("#study-trouble-now").click()
    expect_heading(page, "Welcome")
    expect(page.locator("#study-trouble")).to_be_hidden()
    assert len(desk.visits) == 1


def test_who_has_taken_part_is_told_so(page: Page, server: FakeServer, desk: FakeDesk):
    words = "You have taken part in this study already. Thank you!"
    desk.refusals["/study/arrive"] = (403, {"error": {"code": "done", "text": words}})
    page.goto(server.url)
    expect_heading(page, "You have already taken part")
    expect(page.locator("#study-content p")).to_have_text(words)
    expect(page.locator("#study-submit")).to_be_hidden()
    assert grave_problems(page) == []


def test_a_study_that_is_open_elsewhere_begins_here_by_itself_when_it_may(
    page: Page, server: FakeServer, desk: FakeDesk
):
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    desk.refusals["/study/arrive"] = (409, {"error": {"code": "elsewhere", "text": "Open elsewhere."}})
    page.goto(server.url)
    expect_heading(page, "The study is open in another window or on another device")
    desk.refusals.clear()
    page.clock.run_for(16_000)
    expect_heading(page, "Welcome")


# ---- leaving, and the ends


def test_leaving_asks_first_and_offers_deletion(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    page.locator("#study-leave").click()
    expect(page.get_by_role("dialog", name="Leave the study?")).to_be_visible()
    assert grave_problems(page) == []
    page.get_by_role("button", name="Stay").click()
    assert desk.heard("/study/withdraw") == []
    page.locator("#study-leave").click()
    page.get_by_label("Also delete everything").check()
    page.get_by_role("dialog").get_by_role("button", name="Leave the study").click()
    expect(page.locator("#study-end-text")).to_contain_text("You have left the study")
    assert desk.heard("/study/withdraw") == [{"delete": True}]
    expect(page.locator("#study-code")).to_be_hidden()
    expect(page.locator("#study-leave")).to_be_hidden()


def test_leaving_while_an_answer_does_not_get_through_leaves(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    answer_survey(page)
    desk.troubles["/study/answer"] = [503] * 50
    submit(page)
    expect(page.locator("#study-trouble")).to_be_visible()
    page.locator("#study-leave").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave the study").click()
    expect(page.locator("#study-end-text")).to_contain_text("You have left the study")
    expect(page.locator("#study-trouble")).to_be_hidden()
    assert desk.heard("/study/withdraw") == [{"delete": False}]


def test_the_code_is_copied(new_context: Callable[..., BrowserContext], server: FakeServer, desk: FakeDesk):
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    del desk.steps[1:]
    page.goto(server.url)
    submit(page)
    page.get_by_role("button", name="Copy the code").click()
    expect(page.locator("#live")).to_have_text("The code has been copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "7K3M-Q2XD-94TR"
    page.reload()
    expect(page.get_by_label("Your completion code")).to_have_text("7K3M-Q2XD-94TR")


def test_a_redirect_leads_back_by_itself_unless_one_wants_to_stay(page: Page, server: FakeServer, desk: FakeDesk):
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    desk.end |= {"code": None, "redirect": server.url + "static/favicon.svg?cc=K1"}
    del desk.steps[1:]
    page.goto(server.url)
    submit(page)
    expect(page.locator("#study-onwards-text")).to_contain_text("To have your part counted, go back to 127.0.0.1.")
    expect(page.locator("#study-onwards-text")).to_contain_text("by itself in")
    page.get_by_role("button", name="Stay on this page").click()
    assert focused(page) == "study-onwards-link"
    page.clock.run_for(60_000)
    expect_heading(page, "Thank you")
    page.reload()
    expect(page.locator("#study-onwards-stay")).to_be_hidden()
    page.clock.run_for(60_000)
    expect_heading(page, "Thank you")
    page.clock.resume()
    assert grave_problems(page) == []
    page.locator("#study-onwards-link").click()
    page.wait_for_url("**/favicon.svg?cc=K1")


def test_who_does_nothing_is_led_back_at_the_end(page: Page, server: FakeServer, desk: FakeDesk):
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    desk.end |= {"code": None, "redirect": server.url + "static/favicon.svg?cc=K1"}
    del desk.steps[1:]
    page.goto(server.url)
    submit(page)
    expect(page.locator("#study-onwards-text")).to_contain_text("by itself in")
    page.clock.run_for(16_000)
    page.wait_for_url("**/favicon.svg?cc=K1")


@pytest.mark.parametrize(
    "outcome", ["fault", *(pytest.param(one, marks=pytest.mark.long) for one in ("screenedOut", "failedCheck", "full"))]
)
def test_every_end_has_its_words(page: Page, server: FakeServer, desk: FakeDesk, outcome: str):
    desk.end |= {"outcome": outcome, "code": "AB12"}
    del desk.steps[1:]
    page.goto(server.url)
    submit(page)
    expect(page.locator("#study-end-text")).not_to_be_empty()
    expect(page.get_by_label("Your code")).to_have_text("AB12")
    assert grave_problems(page) == []


def test_a_preview_says_so_and_has_a_visit_of_its_own(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    desk.preview = True
    page.goto(server.url + "?preview")
    expect_heading(page, "Welcome")
    expect(page.locator("#study-preview")).to_be_visible()
    assert "preview" in desk.heard("/study/arrive")[-1]["link"]
    assert len(desk.visits) == 2


# ---- the game as a step


def game_study(**more: object) -> Study:
    return Study(desk=FakeDesk({"welcome": WORDS, "game": GAME, "more": MORE}), **more)


def at_game(page: Page, server: FakeServer) -> None:
    page.goto(server.url)
    submit(page)
    expect(page.locator("#overlay-title")).to_have_text("Ready when you are")


def test_the_game_is_played_under_the_visit_and_the_study_goes_on_by_itself(page: Page):
    with running(game_study()) as server:
        at_game(page, server)
        hello = server.wait_for(lambda message: "visit" in message)
        assert hello["visit"] == server.study.desk.visit.token
        assert page.evaluate("document.activeElement.id") == "overlay-button"
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text("Playing")
        assert grave_problems(page) == []
        page.keyboard.down("ArrowUp")
        server.wait_until_held(["ArrowUp"])
        server.end("finished")
        expect(page.locator("#overlay-title")).to_have_text("The game is over")
        expect(page.locator("#overlay-text")).to_contain_text("goes on in a moment")
        expect_heading(page, "And now?")
        expect(page.locator("#play")).to_be_hidden()
        assert focused(page) == "H2 And now?", "a key that is still held presses nothing"
        page.keyboard.up("ArrowUp")
        page.get_by_label("Why?").fill("wasd ←↑")
        submit(page)
        expect_heading(page, "Thank you")
        assert server.study.desk.answers[-1] == {"why": "wasd ←↑"}


def test_a_reload_in_the_game_attaches_to_it_again(page: Page):
    with running(game_study()) as server:
        at_game(page, server)
        since = len(server.messages)
        page.reload()
        hello = server.wait_for(lambda message: "visit" in message, since)
        assert hello["visit"] == server.study.desk.visit.token
        expect(page.locator("#play")).to_be_visible()


def test_two_games_in_a_row_are_two_trials(page: Page):
    desk = FakeDesk({"game": GAME, "game-2": GAME, "more": MORE})
    with running(Study(desk=desk)) as server:
        page.goto(server.url)
        for _ in range(2):
            expect(page.locator("#overlay-title")).to_have_text("Ready when you are")
            page.locator("#overlay-button").click()
            expect(page.locator("#state")).to_have_text("Playing")
            server.end("finished")
            expect(page.locator("#state")).not_to_have_text("Playing")
        expect_heading(page, "And now?")
        hellos = [message for message in server.messages if "visit" in message]
        assert [hello["token"] for hello in hellos] == [None, None]


def test_a_game_that_failed_is_gone_on_with_where_the_study_says_so(page: Page):
    with running(game_study()) as server:
        at_game(page, server)
        server.end("failed")
        expect(page.locator("#overlay-title")).to_have_text("The game had to stop")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#overlay-title")).to_have_text("Ready when you are")
        server.end("failed")
        server.study.desk.visit.ended = {"outcome": "fault", "text": "", "code": "F", "redirect": None}
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#study-end-text")).to_contain_text("Something went wrong on our side")


def test_who_waits_for_a_place_is_told_and_then_plays(page: Page):
    with running(game_study()) as server:
        server.line = [2, 1]
        page.goto(server.url)
        submit(page)
        for words in ("You are number 2 in line", "You are next"):
            expect(page.locator("#overlay-title")).to_have_text(words)
            expect(page.locator("#live")).to_contain_text(words)
            assert grave_problems(page) == []
            server.next_in_line()
        expect(page.locator("#overlay-title")).to_have_text("Ready when you are")


def test_leaving_the_study_in_the_game_ends_it(page: Page):
    with running(game_study()) as server:
        at_game(page, server)
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text("Playing")
        page.keyboard.down("ArrowUp")
        page.locator("#study-leave").click()
        server.wait_until_held([])
        page.keyboard.up("ArrowUp")
        page.get_by_role("dialog").get_by_role("button", name="Leave the study").click()
        expect(page.locator("#study-end-text")).to_contain_text("You have left the study")
        expect(page.locator("#play")).to_be_hidden()


# ---- the researcher's HTML


def test_styles_of_a_step_work_and_strange_ones_do_not(page: Page, complaints: list[str]):
    styled = "<style>#study-content i { color: rgb(1, 2, 3) }</style><i style='letter-spacing: 7px'>Blue</i>"
    desk = FakeDesk({"styled": styled, "more": MORE})
    with running(Study(desk=desk)) as server:
        page.goto(server.url)
        seen = page.locator("#study-content i").evaluate("at => [getComputedStyle(at).color, at.style.letterSpacing]")
        assert seen == ["rgb(1, 2, 3)", "7px"]
        assert complaints == []
        desk.steps[0] = ("styled", styled.replace("7px", "9px").replace("1, 2, 3", "3, 2, 1"))
        page.reload()
        expect(page.locator("#study-content i")).to_be_visible()
        assert page.locator("#study-content i").evaluate("at => getComputedStyle(at).color") != "rgb(3, 2, 1)"
        assert page.locator("#study-content i").evaluate("at => getComputedStyle(at).letterSpacing") == "normal"
        assert len(complaints) >= 2


SCRIPTED = """<p id="count">0</p><script>document.getElementById('count').textContent = 'counted';</script>
<script src="/study/files/more.js"></script><script>window.order = [...(window.order || []), 'last'];</script>
<button type="button" onclick="this.textContent = 'pressed'">Press</button>"""


@pytest.mark.parametrize("scripts", [True, False])
def test_scripts_of_a_step_run_only_where_the_study_says_so(page: Page, scripts: bool):
    desk = FakeDesk({"scripted": SCRIPTED, "more": MORE})
    desk.files["more.js"] = (b"window.order = ['first'];", "text/javascript")
    with running(Study(desk=desk, scripts=scripts)) as server:
        page.goto(server.url)
        expect(page.locator("#count")).to_have_text("counted" if scripts else "0")
        page.get_by_role("button", name="Press").click()
        expect(page.locator("#study-content button")).to_have_text("pressed" if scripts else "Press")
        if scripts:
            page.wait_for_function("window.order?.length === 2")
        assert page.evaluate("JSON.stringify(window.order)") == ('["first","last"]' if scripts else None)


def test_an_id_that_the_page_has_too_is_no_trouble(page: Page, server: FakeServer, desk: FakeDesk):
    at_survey(page, server)
    page.get_by_text("Where do you live?").click()
    assert focused(page) == "state", "the label leads to its own control"
    answer_survey(page)
    submit(page)
    expect_heading(page, "And now?")
    assert desk.answers[-1]["state"] == "Alberta"


def test_links_open_elsewhere_and_places_on_the_page_here(page: Page, server: FakeServer, desk: FakeDesk):
    desk.steps[0] = ("links", '<a href="#below" target="_blank">down</a><p id="below">Here</p>')
    page.goto(server.url)
    page.get_by_role("link", name="down").click()
    expect(page.locator("#below")).to_be_in_viewport()
    assert len(page.context.pages) == 1


def test_plain_http_has_no_locks_and_no_clipboard_and_all_is_well(page: Page, server: FakeServer, desk: FakeDesk):
    page.add_init_script(
        "for (const name of ['locks', 'clipboard']) Object.defineProperty(navigator, name, {value: undefined});"
    )
    del desk.steps[1:]
    page.goto(server.url)
    submit(page)
    page.get_by_role("button", name="Copy the code").click()
    expect(page.locator("#study-code-copy")).to_have_text(re.compile("Copied|by hand"))


def test_a_browser_that_keeps_nothing_can_take_part(page: Page, server: FakeServer, desk: FakeDesk):
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, {get() { throw new DOMException('denied', 'SecurityError'); }});"
    )
    at_survey(page, server)
    answer_survey(page)
    submit(page)
    expect_heading(page, "And now?")


# ---- for everybody


@pytest.mark.parametrize(
    ("shape", "scheme"),
    [
        ("wide", "light"),
        ("phone", "dark"),
        pytest.param("wide", "dark", marks=pytest.mark.long),
        pytest.param("phone", "light", marks=pytest.mark.long),
    ],
)
def test_the_checker_finds_nothing_grave_and_nothing_is_cut_off(
    new_context: Callable[..., BrowserContext], server: FakeServer, desk: FakeDesk, shape: str, scheme: str
):
    desk.steps[0] = ("kinds", EVERY_KIND)
    page = new_context(color_scheme=scheme, **(PHONE if shape == "phone" else {})).new_page()
    page.goto(server.url + "?preview")
    expect(page.locator("#study-submit")).to_be_visible()
    assert grave_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nobody has to scroll sideways"
    submit(page)
    expect_heading(page, "About you")
    assert grave_problems(page) == []
    for control in page.locator("#study-content label:has(input[type=radio])").all():
        assert control.bounding_box()["height"] >= 44, "large enough for a thumb"


def test_by_keyboard_alone(page: Page, server: FakeServer, desk: FakeDesk):
    page.goto(server.url)
    expect_heading(page, "Welcome")

    def tab_to(name: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            if focused(page).startswith(name):
                return
        raise AssertionError(f"Tab does not lead to {name}")

    tab_to("study-submit")
    page.keyboard.press("Enter")
    expect_heading(page, "About you")
    page.keyboard.press("Tab")
    page.keyboard.type("Alberta")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    tab_to("study-submit")
    page.keyboard.press("Enter")
    expect_heading(page, "And now?")
    assert desk.answers[-1] == {"state": "Alberta", "fun": "bad", "again": True}
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "study-leave"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stay")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert json.dumps(desk.heard("/study/withdraw")) == "[]"
