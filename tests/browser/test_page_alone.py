"""The page in a real browser, with a server that does as the test says: what a participant sees, does and is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.fake_server import FakeServer, Study, running

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def study() -> Study:
    return Study()


@pytest.fixture
def server(study: Study) -> Iterator[FakeServer]:
    with running(study) as server:
        yield server


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains of: refused by the policy, not found, uncaught."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def title(page: Page):
    return page.locator("#overlay-title")


def control(page: Page, name: str):
    return page.locator(f'[data-control="{name}"]')


def join(page: Page, server: FakeServer, query: str = "") -> Page:
    page.goto(server.url + query)
    expect(title(page)).to_have_text("Ready when you are")
    return page


def play(page: Page, server: FakeServer, query: str = "") -> Page:
    join(page, server, query)
    page.locator("#overlay-button").click()
    expect(page.locator("#state")).to_have_text("Playing")
    return page


def is_command(name: str) -> Callable[[dict], bool]:
    return lambda message: message.get("command") == name


def is_focused(page: Page, id: str) -> bool:
    return page.evaluate("document.activeElement.id") == id


# ---- joining and playing


def test_enter_starts_and_the_focus_goes_to_the_game(page: Page, server: FakeServer, complaints: list[str]):
    join(page, server)
    assert is_focused(page, "overlay-button"), "who plays by keyboard needs no mouse to begin"
    server.wait_for(lambda message: message.get("ack") == 1)  # the sentence may be there before the picture is
    page.keyboard.press("Enter")
    start = server.wait_for(is_command("start"))
    assert start["browser"] == "Chrome"
    assert start["frameId"] == 1, "the first frame was on the screen"
    expect(page.locator("#overlay")).to_be_hidden()
    assert is_focused(page, "stage")
    assert page.title() == server.study.project_name
    assert complaints == []


def test_every_drawn_frame_is_acknowledged_with_the_page_s_clock(page: Page, server: FakeServer):
    play(page, server)
    server.wait_for(lambda message: message.get("ack", 0) >= 20)
    acks = [message for message in server.messages if "ack" in message]
    ids, times = [ack["ack"] for ack in acks], [ack["t"] for ack in acks]
    assert ids == sorted(set(ids)), "each once, in order"
    assert times == sorted(times)
    assert (page.locator("#game").get_attribute("width"), page.locator("#game").get_attribute("height")) == (
        "160",
        "210",
    )
    colours = page.evaluate(
        "new Set(document.getElementById('game').getContext('2d').getImageData(0, 0, 160, 210).data).size"
    )
    assert colours > 20, "there is a picture on the canvas"


@pytest.mark.parametrize("hidden", [True, False])
def test_frames_are_acknowledged_although_nothing_is_repainted(page: Page, server: FakeServer, hidden: bool):
    page.add_init_script(
        f"Object.defineProperty(document, 'hidden', {{get: () => {str(hidden).lower()}}});"
        "window.requestAnimationFrame = () => 1;"
    )
    play(page, server)
    server.wait_for(lambda message: message.get("ack", 0) >= 5)


def test_when_decoding_falls_behind_the_newest_frame_wins(page: Page, server: FakeServer):
    page.add_init_script(
        "const quick = window.createImageBitmap;"
        "window.createImageBitmap = async (blob) => {"
        " await new Promise((go) => setTimeout(go, 150)); return quick(blob); };"
    )
    play(page, server)
    server.wait_for(lambda message: message.get("ack", 0) >= 30)
    ids = [message["ack"] for message in server.messages if "ack" in message]
    assert len(ids) < 20, "most frames were left out, and are not acknowledged"
    assert ids == sorted(ids)


def test_a_frame_that_is_no_picture_stops_nothing(page: Page, server: FakeServer, study: Study):
    play(page, server)
    study.picture = lambda tick: b"no picture"
    since = server.trial.frame_id + 5
    while server.trial.frame_id < since:
        page.wait_for_timeout(20)
    study.picture = None
    server.wait_for(lambda message: message.get("ack", 0) > since)
    expect(page.locator("#failure")).to_be_hidden()


# ---- keys


def test_combinations_are_told_as_the_whole_set_at_each_change(page: Page, server: FakeServer):
    play(page, server)
    since = len(server.messages)
    for change in (
        lambda: page.keyboard.down("ArrowUp"),
        lambda: page.keyboard.down("ArrowUp"),  # as a key that repeats by itself
        lambda: page.keyboard.down("ArrowRight"),
        lambda: page.keyboard.up("ArrowUp"),
        lambda: page.keyboard.up("ArrowRight"),
    ):
        change()
    server.wait_until_held([], since=since)
    told = [message for message in server.said(since) if "keys" in message]
    assert [message["keys"] for message in told] == [["ArrowUp"], ["ArrowUp", "ArrowRight"], ["ArrowRight"], []]
    assert all(message["frameId"] >= 1 and message["t"] > 0 and message["controls"] == [] for message in told)


def test_keys_that_mean_nothing_here_and_shortcuts_are_left_to_the_browser(page: Page, server: FakeServer):
    play(page, server)
    since = len(server.messages)
    page.evaluate("addEventListener('keydown', (e) => (window.taken ??= []).push([e.code, e.defaultPrevented]))")
    for keys in ("KeyP", "Control+KeyD", "Alt+KeyA", "ArrowUp"):
        page.keyboard.press(keys)
    server.wait_until_held([], since=since)
    assert [message["keys"] for message in server.said(since)] == [["ArrowUp"], []]
    taken = {code for code, was_taken in page.evaluate("window.taken") if was_taken}
    assert taken == {"ArrowUp"}


def test_the_page_does_not_scroll_under_the_game_s_keys(new_context: Callable[..., BrowserContext], server: FakeServer):
    page = new_context(viewport={"width": 500, "height": 560}).new_page()
    play(page, server)
    assert page.evaluate("document.documentElement.scrollHeight > innerHeight"), "there is somewhere to scroll"
    since = len(server.messages)
    for key in ("Space", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    server.wait_until_held([], since=since)
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("event", ["blur", "pagehide", "visibilitychange"])
def test_leaving_the_page_lets_go_of_everything(page: Page, server: FakeServer, event: str):
    play(page, server)
    page.keyboard.down("ArrowUp")
    server.wait_until_held(["ArrowUp"])
    since = len(server.messages)
    target = "document" if event == "visibilitychange" else "window"
    page.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
    server.wait_until_held([], since=since)


def test_space_presses_a_button_reached_by_keyboard_and_fires_after_a_click(page: Page, server: FakeServer):
    play(page, server)
    control(page, "good").focus()
    page.keyboard.press("Space")
    server.wait_for(is_command("good"))
    assert not [message for message in server.said() if message.get("keys") == ["Space"]]
    control(page, "bad").click()
    server.wait_for(is_command("bad"))
    since = len(server.messages)
    page.keyboard.press("Space")
    server.wait_until_held(["Space"], since=since)
    assert not [message for message in server.said(since) if "command" in message]


def test_a_button_held_down_with_enter_is_pressed_once(page: Page, server: FakeServer):
    play(page, server)
    control(page, "pause").focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(title(page)).to_have_text("Paused")
    assert len([message for message in server.said() if "command" in message]) == 2, "start and pause"


def test_the_legend_says_what_the_key_map_says(page: Page, server: FakeServer):
    join(page, server)
    rows = page.locator("#legend .legend > div")
    expect(rows.first).to_contain_text("Up")
    texts = [re.sub(r"\s+", " ", row) for row in rows.all_inner_texts()]
    assert len(texts) == 7, "doing nothing needs no key"
    assert any("Up and right" in text and "+" in text for text in texts)


def test_a_gamepad_plays_and_is_explained_once_it_is_there(page: Page, server: FakeServer, study: Study):
    study.keys = [{"action": "left", "keys": [["ArrowLeft"], ["PadLeft"]]}, {"action": "fire", "keys": [["PadA"]]}]
    page.add_init_script(
        "window.pad = {connected: true, axes: [0, 0], buttons: Array.from({length: 16}, () => ({pressed: false}))};"
        "navigator.getGamepads = () => [window.pad, null];"
    )
    play(page, server)
    expect(page.locator("#legend")).not_to_contain_text("Gamepad")
    page.evaluate("dispatchEvent(new Event('gamepadconnected'))")
    expect(page.locator("#legend")).to_contain_text("Gamepad A")
    since = len(server.messages)
    page.evaluate("pad.axes[0] = -1; pad.buttons[0].pressed = true")
    server.wait_for(lambda message: set(message.get("keys", [])) == {"PadLeft", "PadA"}, since)
    page.evaluate("pad.axes[0] = 0; pad.buttons[0].pressed = false")
    server.wait_until_held([], since=since + 1)


# ---- controls


def test_every_control_of_the_study_is_there_and_no_other(page: Page, server: FakeServer, study: Study):
    join(page, server)
    shown = page.eval_on_selector_all("[data-control], #fpsSet", "all => all.map(e => e.dataset.control ?? e.id)")
    assert sorted(shown) == sorted(set(study.ui) - {"requestUI"})
    unnamed = page.eval_on_selector_all(
        "button:not([hidden]), input, [tabindex]",
        "all => all.filter(e => !(e.innerText || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)",
    )
    assert unnamed == []


def test_a_pad_button_is_held_from_press_to_release(page: Page, server: FakeServer):
    play(page, server)
    since = len(server.messages)
    control(page, "left").hover()
    page.mouse.down()
    server.wait_until_held([], ["left"], since)
    assert "pressed" in (control(page, "left").get_attribute("class") or "")
    page.mouse.up()
    server.wait_until_held([], [], since)
    assert is_focused(page, "stage"), "the game keeps the focus"


def test_two_fingers_hold_two_buttons_and_a_thumb_may_slide(
    new_context: Callable[..., BrowserContext], server: FakeServer
):
    page = new_context(**PHONE).new_page()
    play(page, server)
    touch = page.context.new_cdp_session(page)

    def point(name: str, id: int) -> dict:
        box = control(page, name).bounding_box()
        assert box is not None
        return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "id": id}

    def send(kind: str, *points: dict) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    since = len(server.messages)
    send("touchStart", point("left", 0))
    send("touchStart", point("left", 0), point("fire", 1))
    server.wait_until_held([], ["left", "fire"], since)
    send("touchMove", point("up", 0), point("fire", 1))
    server.wait_until_held([], ["fire", "up"], since)
    since = len(server.messages)
    send("touchCancel")
    server.wait_until_held([], [], since)


def test_the_pad_works_with_enter_and_with_a_click_that_nobody_pressed(page: Page, server: FakeServer):
    play(page, server)
    since = len(server.messages)
    control(page, "up").focus()
    page.keyboard.down("Enter")
    server.wait_until_held([], ["up"], since)
    since = len(server.messages)
    page.keyboard.up("Enter")
    server.wait_until_held([], [], since)
    since = len(server.messages)
    control(page, "down").evaluate("button => button.click()")
    server.wait_until_held([], [], since)
    assert [message["controls"] for message in server.said(since)] == [["down"], []], "a tap"


def test_start_and_pause_are_pressed_only_when_they_would_do_something(page: Page, server: FakeServer):
    join(page, server)
    expect(control(page, "start")).to_be_enabled()
    expect(control(page, "pause")).to_be_disabled()
    control(page, "start").click()
    expect(control(page, "start")).to_be_disabled()
    control(page, "pause").click()
    expect(title(page)).to_have_text("Paused")
    expect(control(page, "start")).to_have_text("Resume")
    assert is_focused(page, "overlay-button")
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_text("Playing")


def test_a_button_of_the_study_s_own_is_a_command_and_is_confirmed(page: Page, server: FakeServer):
    play(page, server)
    page.get_by_role("button", name="AskRobot").click()
    server.wait_for(is_command("askRobot"))
    expect(page.locator("#live")).to_have_text("AskRobot: sent")


def test_the_frame_rate_box_shows_the_server_s_rate_and_asks_for_another(page: Page, server: FakeServer):
    play(page, server)
    box = page.get_by_label("Frames a second")
    expect(box).to_have_value("30")
    box.fill("45")
    page.keyboard.press("Enter")
    server.wait_for(lambda message: message.get("changeFrameRate") == 45)
    expect(box).to_have_value("45")
    assert is_focused(page, "stage")
    box.fill("500")
    control(page, "good").focus()
    server.wait_for(lambda message: message.get("changeFrameRate") == 60)
    expect(page.locator("#toast-text")).to_contain_text("From 1 to 60")
    page.get_by_role("button", name="Slower").click()
    server.wait_for(lambda message: message.get("changeFrameRate") == "slower")
    expect(box).to_have_value("55")


def test_typing_a_rate_does_not_play(page: Page, server: FakeServer, study: Study):
    study.keys = [*study.keys, {"action": "five", "keys": [["Digit5"]]}]
    play(page, server)
    since = len(server.messages)
    page.get_by_label("Frames a second").press_sequentially("5")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Frames a second")).to_have_value("30")
    assert server.said(since) == []


def test_a_rate_that_is_fixed_cannot_be_changed(page: Page, server: FakeServer, study: Study):
    study.frame_rate = {**study.frame_rate, "allowed": False}
    play(page, server)
    for field in (page.get_by_label("Frames a second"), control(page, "fpsUp"), control(page, "fpsDown")):
        expect(field).to_be_disabled()


# ---- beside the game


def test_display_and_budget_show_what_came_also_nothing(page: Page, server: FakeServer):
    play(page, server)
    server.tell(display={"score": 0, "name": "<b>Ann</b>", "odd": {"a": 1}}, inputBudget=0, usedInputBudget=0)
    expect(page.locator("#budget-text")).to_have_text("0 of 0 used")
    rows = page.locator("#display > div")
    expect(rows).to_have_text(["Score0", "Name<b>Ann</b>", 'Odd{"a":1}'])
    server.tell(display={"score": 3})
    expect(rows).to_have_text(["Score3"])
    server.tell(inputBudget=10, usedInputBudget=4)
    expect(page.get_by_role("progressbar", name="Budget")).to_have_js_property("value", 0.4)


def test_pictures_and_instructions_of_later_v1_servers_are_shown(page: Page, server: FakeServer):
    play(page, server)
    picture = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
    server.tell(imageL=picture, Instructions=["Look left.", "Then right."], Score=7)
    expect(page.get_by_alt_text("Picture to the left of the game")).to_be_visible()
    expect(page.locator("#instructions-text")).to_contain_text("Then right.")
    expect(page.locator("#display")).to_contain_text("Score7")
    server.tell(imageL=None)
    expect(page.get_by_alt_text("Picture to the left of the game")).to_be_hidden()


def test_a_notice_is_shown_read_out_and_put_away(page: Page, server: FakeServer):
    play(page, server)
    server.tell(notice={"text": "The robot has learned from you."})
    toast = page.locator("#toast")
    expect(toast).to_contain_text("The robot has learned from you.")
    assert toast.get_attribute("aria-live") == "polite"
    page.get_by_role("button", name="Dismiss this message").click()
    expect(toast).not_to_contain_text("robot")
    assert is_focused(page, "stage")


# ---- losing and coming back, ending


def test_a_lost_connection_says_so_and_goes_on_in_the_same_game(page: Page, server: FakeServer):
    play(page, server)
    token = server.trial.token
    page.keyboard.down("ArrowUp")
    server.wait_until_held(["ArrowUp"])
    since = len(server.messages)
    server.refusing = True
    server.close(1011)
    expect(title(page)).to_have_text("The connection was lost")
    expect(page.locator("#overlay-wait")).to_have_text(re.compile(r"Trying (again in \d+ s\.|now…)"))
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    server.refusing = False
    expect(page.locator("#state")).to_have_text("Playing")
    hello = server.wait_for(lambda message: "client" in message, since)
    assert hello["token"] == token
    assert server.trial.connections >= 2
    server.wait_until_held(["ArrowUp"], since=since)


def test_it_comes_back_without_anybody_doing_anything(page: Page, server: FakeServer):
    play(page, server)
    for connections in range(2, 5):
        since = len(server.messages)
        server.close(1011)
        server.wait_for(lambda message: "client" in message, since)
        expect(page.locator("#state")).to_have_text("Playing")
        assert server.trial.connections == connections


def test_a_reload_goes_on_in_the_same_game(page: Page, server: FakeServer):
    play(page, server, "?userId=ann")
    page.reload()
    expect(page.locator("#state")).to_have_text("Playing")
    assert server.trial.connections == 2
    assert {message["userId"] for message in server.messages if "client" in message} == {"ann"}


def test_another_participant_on_the_same_machine_gets_a_game_of_their_own(page: Page, server: FakeServer):
    join(page, server, "?userId=ann")
    join(page, server, "?userId=ben")
    assert len(server.trials) == 2


def test_of_two_tabs_the_newer_wins_and_the_older_can_take_it_back(page: Page, server: FakeServer):
    play(page, server)
    other = page.context.new_page()
    other.goto(server.url)
    expect(other.locator("#state")).to_have_text("Playing")
    expect(title(page)).to_have_text("The game is open in another tab or window")
    page.get_by_role("button", name="Play here instead").click()
    expect(page.locator("#state")).to_have_text("Playing")
    expect(title(other)).to_have_text("The game is open in another tab or window")
    assert server.trial.connections == 3


def test_a_game_that_could_not_be_kept_is_followed_by_a_new_one_and_a_word_about_it(page: Page, server: FakeServer):
    play(page, server)
    older = server.trial.token
    server.refusing = True
    server.close(1011)
    expect(title(page)).to_have_text("The connection was lost")
    server.trials.clear()
    since = len(server.messages)
    server.refusing = False
    expect(title(page)).to_have_text("Ready when you are")
    expect(page.locator("#toast-text")).to_contain_text("could not be kept")
    assert older not in server.trials
    page.locator("#overlay-button").click()
    assert server.wait_for(is_command("start"), since)["frameId"] == 1, "frames are numbered anew"


def test_when_all_places_are_taken_one_can_try_again(page: Page, server: FakeServer):
    server.full = True
    page.goto(server.url)
    expect(title(page)).to_have_text("All places are taken")
    expect(page.locator("#overlay-wait")).to_have_text(re.compile(r"Trying again in \d+ s\."))
    server.full = False
    page.get_by_role("button", name="Try now").click()
    expect(title(page)).to_have_text("Ready when you are")


def test_in_the_line_one_moves_up_is_told_politely_and_then_plays(page: Page, server: FakeServer):
    server.line = [3, 2, 1]
    page.goto(server.url)
    for words in ("You are number 3 in line", "You are number 2 in line", "You are next"):
        expect(title(page)).to_have_text(words)
        assert "in line · Ms. Pac-Man" in page.title(), "people look at other tabs meanwhile"
        expect(page.locator("#live")).to_contain_text(words)
        server.next_in_line()
    expect(title(page)).to_have_text("Ready when you are")
    assert is_focused(page, "overlay-button")
    assert page.title() == "Your turn · Ms. Pac-Man: learning from people"
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Playing")
    assert page.title() == "Ms. Pac-Man: learning from people"


def test_stop_asks_first_and_then_ends(page: Page, server: FakeServer):
    play(page, server)
    page.keyboard.down("ArrowUp")
    control(page, "stop").click()
    dialog = page.get_by_role("dialog", name="End the game?")
    expect(dialog).to_be_visible()
    server.wait_until_held([])
    page.keyboard.press("Enter")  # the safe answer has the focus
    expect(dialog).to_be_hidden()
    control(page, "stop").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert not [message for message in server.said() if message.get("command") == "stop"]
    control(page, "stop").click()
    page.get_by_role("button", name="End the game").click()
    expect(title(page)).to_have_text("You ended the game")
    expect(page.locator("#overlay-text")).to_contain_text("You can close this page.")
    assert page.evaluate("localStorage.length") == 0, "there is nothing to come back to"
    expect(control(page, "good")).to_be_disabled()


def test_after_the_end_next_leads_on(page: Page, server: FakeServer):
    play(page, server, "?redirect=/healthz")
    server.tell(done={"reason": "finished", "text": "All 20 episodes are done."})
    expect(title(page)).to_have_text("The game is over")
    page.keyboard.press("Space")  # a key still pressed by a player must not lead away
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**/healthz")


@pytest.mark.parametrize(
    ("reason", "words"), [("failed", "The game had to stop"), ("server", "The server is stopping")]
)
def test_an_end_that_nobody_wanted_is_explained(page: Page, server: FakeServer, reason: str, words: str):
    play(page, server)
    server.tell(done={"reason": reason, "text": ""})
    expect(title(page)).to_have_text(words)
    expect(page.locator("#overlay-text")).to_contain_text("Please tell the researcher.")


# ---- the address


def test_a_stranger_s_server_is_never_called(page: Page, server: FakeServer):
    called: list[str] = []
    page.on("websocket", lambda socket: called.append(socket.url))
    page.goto(server.url + "?server=wss://evil.example/ws")
    expect(title(page)).to_have_text("This link does not work")
    expect(page.locator("#overlay-text")).to_contain_text("does not belong to this study")
    assert called == []
    assert server.messages == []


def test_a_server_on_this_machine_may_be_named_in_dev(page: Page, server: FakeServer):
    with running(Study()) as other:
        page.goto(f"{server.url}?server=ws://localhost:{other.port}/any/path")
        expect(title(page)).to_have_text("Ready when you are")
        assert len(other.trials) == 1
    assert server.trials == {}


def test_only_the_study_s_own_style_sheets_are_taken(page: Page, server: FakeServer, complaints: list[str]):
    own = "/static/css/base.css?own"
    join(page, server, f"?css={own}")
    assert page.locator(f'link[href$="{own}"]').count() == 1
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    join(page, server, "?css=https://evil.example/x.css&redirect=javascript:alert(1)")
    expect(page.locator("#toast-text")).to_contain_text("style sheet")
    assert all(url.startswith(server.url) for url in asked)
    assert complaints == []


def test_debug_shows_the_conversation_without_the_right_to_come_back(page: Page, server: FakeServer):
    play(page, server, "?debug=true")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#debug-out")).to_contain_text('{"keys":["ArrowUp"]')
    expect(page.locator("#debug-in")).to_contain_text('"playing"')
    expect(page.locator("#debug-numbers")).to_contain_text("160 × 210")
    assert server.trial.token not in page.content()
    for number in range(220):
        server.tell(somethingNew=number)
    expect(page.locator("#debug-in")).to_contain_text('{"somethingNew":219}')
    assert page.locator("#debug-in > li").count() == 200


def test_without_debug_nothing_of_it_is_kept(page: Page, server: FakeServer):
    play(page, server, "?debug=1")
    assert page.locator("#debug").is_hidden()
    assert page.locator("#debug li").count() == 0


# ---- when things go wrong, and for everyone


def test_what_nobody_caught_is_said_on_the_page(page: Page, server: FakeServer):
    play(page, server)
    page.evaluate("setTimeout(() => { throw new Error('deliberate') })")
    expect(page.get_by_role("alert")).to_contain_text("deliberate")
    page.get_by_role("button", name="Reload the page").click()
    expect(page.locator("#state")).to_have_text("Playing")


def test_a_part_that_cannot_be_loaded_is_said_too(page: Page, server: FakeServer):
    page.route("**/held.js", lambda route: route.abort())
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")


@pytest.mark.parametrize(
    "size", [(1280, 720), (390, 844), (844, 390), pytest.param((1280, 800), marks=pytest.mark.long)]
)
def test_game_and_controls_are_seen_without_scrolling(
    new_context: Callable[..., BrowserContext], server: FakeServer, study: Study, size: tuple[int, int]
):
    study.ui = ["left", "right", "up", "down", "fire", "start", "pause", "reset", "stop", "good", "bad"]
    study.display, study.budget = {"score": 120, "lives": 3}, (100, 10)
    width, height = size
    touch = {"has_touch": True, "is_mobile": True} if min(size) < 500 else {}
    page = new_context(viewport={"width": width, "height": height}, **touch).new_page()
    play(page, server)
    seen = page.eval_on_selector_all(
        "#stage, [data-control]",
        "all => all.map(e => [e.dataset.control ?? e.id, e.getBoundingClientRect().toJSON()])",
    )
    for name, box in seen:
        assert box["left"] >= 0 and box["top"] >= 0, name
        assert box["right"] <= width and box["bottom"] <= height, f"{name} is outside: {box}"
    stage = dict(seen)["stage"]
    assert stage["height"] >= 0.35 * height
    assert abs(stage["width"] / stage["height"] - 160 / 210) < 0.02, "not distorted"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tab_leads_through_the_page_in_the_order_of_reading(page: Page, server: FakeServer):
    play(page, server)
    page.locator("#stage").focus()
    order = []
    for _ in range(17):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.dataset.control ?? document.activeElement.id"))
    commands = ["pause", "reset", "stop", "good", "bad", "askRobot", "fpsDown", "fpsSet", "fpsUp"]
    assert order[:9] == commands, "Start cannot be pressed now"
    assert order[9:15] == ["up", "left", "fire", "right", "down", "guide"]


def test_states_are_read_out(page: Page, server: FakeServer):
    join(page, server)
    live = page.locator("#live")
    expect(live).to_have_text("Ready when you are. Press Start to begin.")
    page.locator("#overlay-button").click()
    expect(live).to_have_text("Playing")
    server.close(4001)
    expect(live).to_contain_text("another tab")
