"""A participant: Chromium, with a link. It knows nothing of AWS; what it sees is kept in pictures."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.browser.watching import frames, watch
from tests.patience import PATIENCE_MS, PATIENCE_S

WIDE, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
EXPECTED = re.compile(r"net::ERR_|WebSocket")  # what a browser writes of a server that has gone


class Person:
    """One tab. pictures: the folder for them; None: none are made."""

    def __init__(self, page: Page, pictures: Path | None) -> None:
        self.page, self._pictures = watch(page), pictures
        self.complaints: list[str] = []
        self.seen: list[str] = []
        page.on("console", lambda said: self._heard(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: self._heard(str(problem)))

    def _heard(self, text: str) -> None:
        if not EXPECTED.search(text):
            self.complaints.append(text)

    def look(self, name: str) -> None:
        """Keep what is on the screen: wide, and as on a phone."""
        self.seen.append(f"{name}: {self.card()}")
        if self._pictures is None:
            return
        for shape, size in (("wide", WIDE), ("phone", PHONE)):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            self.page.screenshot(path=self._pictures / f"{name}-{shape}.png")
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    def card(self) -> str:
        """What it says in large letters."""
        where = "#overlay-title" if self.page.locator("#play").is_visible() else "#study-content h1"
        found = self.page.locator(where)
        return found.first.inner_text() if found.count() else ""

    # -- pages -------------------------------------------------------------------------------------------------------

    def open(self, link: str) -> None:
        self.page.goto(link)
        self.expect_heading("Taking part")

    def expect_heading(self, text: str) -> None:
        expect(self.page.locator("#study-content h1").first).to_have_text(text, timeout=PATIENCE_MS)

    def picture_is_there(self) -> bool:
        """Whether the consent's picture is shown."""
        return bool(self.page.locator("#study-content img").evaluate("i => i.decode().then(() => i.naturalWidth > 0)"))

    def agree(self) -> None:
        self.page.get_by_label("I agree to take part.").check()
        self._submit()

    def fill_survey(self, words: str) -> None:
        self.page.get_by_label("In your own words").fill(words)
        self.page.get_by_label("Yes").check()
        self._submit()

    def _submit(self) -> None:
        self.page.locator("#study-submit").click()

    def code(self) -> str:
        self.expect_heading("Thank you")
        return self.page.locator("#study-code-text").inner_text(timeout=PATIENCE_MS)

    # -- the game ----------------------------------------------------------------------------------------------------

    def wait_for_card(self, *titles: str) -> str:
        """Until the card over the game says one of these."""
        pattern = re.compile("|".join(re.escape(title) for title in titles))
        expect(self.page.locator("#overlay-title")).to_have_text(pattern, timeout=PATIENCE_MS)
        return self.card()

    def start(self) -> None:
        """Press Start, and see the game move."""
        self.page.locator("#overlay-button").click()
        self.wait_for_frames(1)
        self.page.keyboard.down("ArrowRight")

    def has_to_start(self) -> bool:
        """Whether the game waits for its button."""
        return self.page.locator("#overlay-button").is_visible() and self.card() == "Ready when you are"

    def is_playing(self) -> bool:
        return self.page.locator("#state").inner_text() == "Playing"

    def wait_for_frames(self, more: int) -> None:
        """Until so many more have come."""
        count = len(self.frames()) + more
        self.page.evaluate("([count, patience]) => watched.untilFrames(count, patience)", [count, PATIENCE_MS])

    def wait_for_episode(self, episode: int, tick: int) -> None:
        """Until a frame of this episode, or a later one of it, has come."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(frame.episode >= episode and frame.tick >= tick for frame in self.frames()[-50:]):
            assert time.monotonic() < deadline, f"episode {episode} has not come: {self.card()!r}"
            self.page.wait_for_timeout(20)

    def frames(self) -> Sequence[Any]:
        return frames(self.page)


@contextmanager
def person(proxy: str, spki: Sequence[str], pictures: Path | None = None) -> Iterator[Person]:
    """proxy: the way to the net. spki: keys of certificates to believe, as the system's authorities are believed."""
    path = find_chromium()
    assert path is not None, "no Chromium here: install it, or name it in CHROMIUM"
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    believe = f"--ignore-certificate-errors-spki-list={','.join(spki)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=[*ARGUMENTS, believe], proxy={"server": proxy}
        )
        try:
            context = browser.new_context(viewport=WIDE, locale="en-US")  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE_MS)
            yield Person(context.new_page(), pictures)
        finally:
            browser.close()
