"""Watches a page from inside: which frames arrived and which were drawn, when, by the page's own clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from tests.patience import PATIENCE_MS

# Goes between the page and the browser's WebSocket, and changes nothing of what passes.
WATCH = """
(() => {
  const arrived = [], drawn = [], waiting = new Set();
  window.watched = {
    arrived,
    drawn,
    untilFrames: (count, patience) => new Promise((go, giveUp) => {
      const look = () => arrived.length >= count && (waiting.delete(look), go(arrived.length));
      waiting.add(look);
      setTimeout(() => giveUp(new Error(`${arrived.length} frames came, ${count} were expected`)), patience);
      look();
    }),
  };
  window.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') return;
        const head = new DataView(data);
        const [frame, episode, tick] = [4, 8, 12].map((at) => head.getUint32(at));
        const bytes = data.byteLength - head.getUint16(2);
        arrived.push({ at_ms: performance.now(), frame, episode, tick, flags: head.getUint8(1), bytes });
        for (const look of [...waiting]) look();
      });
    }
    send(text) {
      super.send(text);
      if (text.startsWith('{"ack"')) drawn.push(JSON.parse(text));
    }
  };
})();
"""


@dataclass(frozen=True)
class Frame:
    """A frame that came to the page. drawn_ms: None where a newer one was drawn instead."""

    at_ms: float
    frame: int
    episode: int
    tick: int
    flags: int
    bytes: int
    drawn_ms: float | None = None


def watch(page: Page) -> Page:
    """To be called before the page is opened."""
    page.add_init_script(WATCH)
    return page


def frames(page: Page) -> list[Frame]:
    """Every frame that has come since the page was loaded."""
    seen: dict[str, Any] = page.evaluate("({arrived: watched.arrived, drawn: watched.drawn})")
    drawn = {ack["ack"]: ack["t"] for ack in seen["drawn"]}
    return [Frame(**each, drawn_ms=drawn.get(each["frame"])) for each in seen["arrived"]]


def wait_until_frames(page: Page, count: int) -> None:
    """Until so many frames have come since the page was loaded."""
    page.evaluate("([count, patience]) => watched.untilFrames(count, patience)", [count, PATIENCE_MS])


def wait_for_frames(page: Page, more: int) -> None:
    """Until so many more frames have come."""
    wait_until_frames(page, page.evaluate("watched.arrived.length") + more)


def expect_state(page: Page, text: str) -> None:
    """Until the label at the top says this."""
    expect(page.locator("#state")).to_have_text(text, timeout=PATIENCE_MS)


def expect_title(page: Page, text: str) -> None:
    """Until the card over the game says this."""
    expect(page.locator("#overlay-title")).to_have_text(text, timeout=PATIENCE_MS)


def control(page: Page, name: str):
    return page.locator(f'[data-control="{name}"]')


def begin(page: Page, url: str) -> Page:
    """Open the page and start the game by keyboard, as somebody does who has read what stands there."""
    page.goto(url)
    expect_title(page, "Ready when you are")
    page.keyboard.press("Enter")
    expect_state(page, "Playing")
    return page


def end(page: Page) -> None:
    """Stop, and say yes."""
    control(page, "stop").click()
    page.get_by_role("button", name="End the game").click()
    expect_title(page, "You ended the game")


def smoothness(moments: list[tuple[int, float]]) -> dict[str, float]:
    """How steadily frames came. moments: episode and time in ms of each frame while it was played, in order.

    Gaps between episodes do not count: there the last state is shown for a while, and the environment is reset.
    """
    gaps = sorted(
        later - earlier
        for (before, earlier), (after, later) in zip(moments, moments[1:], strict=False)
        if before == after
    )
    return {
        "frames": len(moments),
        "seconds": round(sum(gaps) / 1000, 3),
        "rate": round(1000 * len(gaps) / sum(gaps), 3),
        **{f"p{part}_ms": round(gaps[math.ceil(part / 100 * len(gaps)) - 1], 1) for part in (50, 95, 99)},
        "max_ms": round(gaps[-1], 1),
    }


def only_the_game(config: str) -> str:
    """The config.yml of a study without the steps around its game."""
    without, count = re.subn(r"^  steps:\n(?:    .*\n)+", "", config, flags=re.MULTILINE)
    assert count == 1
    return without
