"""Makes the pictures of README and docs: the shipped study, really played in a real browser.

python scripts/screenshots.py        writes docs/images/*.png
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, find_chromium  # noqa: E402
from tests.browser.watching import control, expect_state, expect_title, only_the_game, wait_for_frames, watch  # noqa: E402
from tests.servers import serving, write_study  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LARGEST = 200_000  # bytes; a repository keeps every version of every picture
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


def small(png: bytes) -> bytes:
    """The same picture in fewer bytes."""
    smaller = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        study = write_study(Path(folder) / "study", only_the_game((ROOT / "config.yml").read_text()) + SEED)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        with serving(study) as server:
            for name, (options, query) in PICTURES.items():
                picture = small(take(browser, f"{server.url}/{query}", options))
                if len(picture) > LARGEST:
                    print(f"{name}.png would be {len(picture)} bytes, over {LARGEST}", file=sys.stderr)
                    return 1
                (IMAGES / f"{name}.png").write_bytes(picture)
                print(f"docs/images/{name}.png {len(picture)} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
