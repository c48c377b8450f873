"""Makes the pictures of README and docs: the shipped study, really gone through and played in a real browser.

python scripts/screenshots.py        writes docs/images/*.png
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # tests is no installed package, hence the imports below it (E402)

from tests.browser.conftest import ARGUMENTS, find_chromium  # noqa: E402
from tests.browser.test_real_study import Hands, expect_heading  # noqa: E402
from tests.browser.watching import control, expect_state, expect_title, only_the_game, wait_for_frames, watch  # noqa: E402
from tests.servers import serving, write_study  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LARGEST = 200_000  # bytes; a repository keeps every version of every picture
TOKEN = "for-the-pictures-of-the-docs-alone"
SEED = "\n  seed: 8\n"  # the same picture again, as far as people's and machines' timing allows
LAPTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
PICTURES: dict[str, tuple[dict[str, Any], str]] = {
    "playing": (LAPTOP, ""),
    "playing-dark": ({**LAPTOP, "color_scheme": "dark"}, ""),
    "phone": (PHONE, ""),
    "debug": (LAPTOP, "?debug=true"),
}
INTRODUCTION_FRAMES = 70  # the game plays its tune
MOVES = [
    ("ArrowLeft", 30),
    ("ArrowDown", 20),
    ("ArrowRight", 50),
    ("ArrowDown", 20),
    ("ArrowRight", 30),
    ("ArrowUp", 25),
]
MOVES += [("ArrowLeft", 30)]


def play(page: Page) -> None:
    """A few seconds of Ms. Pac-Man, to the middle of a move."""
    page.get_by_role("button", name="Start").first.click()
    expect_state(page, "Playing")
    wait_for_frames(page, INTRODUCTION_FRAMES)
    for number, (key, frames) in enumerate(MOVES, start=1):
        page.keyboard.down(key)
        wait_for_frames(page, frames)
        if number < len(MOVES):
            page.keyboard.up(key)


def hold_with_a_thumb(page: Page) -> None:
    """So that the picture of the phone shows what a finger does."""
    box = control(page, "left").bounding_box()
    assert box is not None
    thumb = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    page.context.new_cdp_session(page).send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [thumb]})
    wait_for_frames(page, 5)


def take(browser: Browser, url: str, options: dict[str, Any]) -> bytes:
    """One participant, one picture."""
    context = browser.new_context(**options)
    page = watch(context.new_page())
    page.goto(url)
    expect_title(page, "Ready when you are")
    play(page)
    if options.get("has_touch"):
        page.keyboard.up(MOVES[-1][0])
        hold_with_a_thumb(page)
    picture = page.locator("#debug").screenshot() if "debug" in url else page.screenshot()
    context.close()
    return picture


def players(browser: Browser, url: str, count: int) -> list[Page]:
    """So many people go through the shipped pages and play; the first page of each is as they left it."""
    pages = []
    for number in range(count):
        page = watch(browser.new_context(**LAPTOP).new_page())
        page.goto(f"{url}/?userId=participant-{number + 1}")
        person = Hands(page)
        expect_heading(page, "Taking part in this study")
        person.consent()
        person.press("Submit")
        expect_heading(page, "How the game works")
        person.press("Continue")
        expect_heading(page, "Three short questions")
        person.fill_quiz("I keep away from it.", "2")
        person.press("Submit")
        expect_title(page, "Ready when you are")
        person.press("Start")
        expect_state(page, "Playing")
        pages.append(page)
    return pages


def study_pictures(browser: Browser, url: str, dashboard: str) -> dict[str, bytes]:
    """A page of the study, and the dashboard while some people play and one reads."""
    reader = browser.new_context(**PHONE).new_page()
    reader.goto(f"{url}/?userId=participant-0")
    expect_heading(reader, "Taking part in this study")
    Hands(reader).consent()
    pictures = {"consent": reader.screenshot()}
    people = players(browser, url, 2)
    for name, options in (("dashboard", LAPTOP), ("dashboard-phone", PHONE)):
        page = browser.new_context(**options).new_page()
        page.goto(dashboard)
        expect(page.locator("#link")).to_have_text("Live")
        wait_for_frames(people[-1], 150)  # some seconds of figures
        pictures[name] = page.screenshot()
    return pictures


def small(png: bytes) -> bytes:
    """The same picture in fewer bytes."""
    smaller = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def keep(name: str, picture: bytes) -> None:
    """Into the docs. Raises SystemExit for one that is too large for a repository."""
    picture = small(picture)
    if len(picture) > LARGEST:
        sys.exit(f"{name}.png would be {len(picture)} bytes, over {LARGEST}")
    (IMAGES / f"{name}.png").write_bytes(picture)
    print(f"docs/images/{name}.png {len(picture)} bytes")


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        study = write_study(Path(folder) / "study", only_the_game((ROOT / "config.yml").read_text()) + SEED)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        with serving(study) as server:
            for name, (options, query) in PICTURES.items():
                keep(name, take(browser, f"{server.url}/{query}", options))
        study = write_study(Path(folder) / "way", (ROOT / "config.yml").read_text())
        shutil.copytree(ROOT / "StepFiles", study / "StepFiles")
        with serving(study, env={"HIPPOGYM_DASHBOARD_TOKEN": TOKEN}) as server:
            for name, picture in study_pictures(browser, server.url, f"{server.url}/dashboard#token={TOKEN}").items():
                keep(name, picture)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
