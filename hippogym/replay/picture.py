"""One picture of a video: the game's frame, and below it, where that is wanted, what the participant did."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hippogym.replay.timeline import Mark, Moment

PAPER, INK, MUTED, LINE = "#14181c", "#e9e8e3", "#a5afb8", "#303840"
ACCENT, ON_ACCENT, DANGER = "#7cc9c3", "#0b1f21", "#f0918a"
ENOUGH_HEIGHT = 480  # smaller games are enlarged, by a whole number, so that pixels stay square
MOST_WIDTH = 1920
LEAST_WIDTH = 480  # with inputs: what they are written in
PANEL = 92
FLASH_S = 0.7  # for so long feedback and commands are shown


@dataclass(frozen=True)
class Layout:
    """How a game is drawn. size: of its frames; scale: times they are enlarged; panel: whether inputs are shown."""

    size: tuple[int, int]
    scale: int
    panel: bool

    @classmethod
    def of(cls, size: tuple[int, int], panel: bool) -> "Layout":
        """The layout for frames of this size, (width, height)."""
        width, height = size
        scale = max(1, min(round(ENOUGH_HEIGHT / height), MOST_WIDTH // width))
        return cls(size, scale, panel)

    @property
    def picture(self) -> tuple[int, int]:
        """(width, height) of the video: even, as encoders want it."""
        width = max(self.size[0] * self.scale, LEAST_WIDTH if self.panel else 0)
        height = self.size[1] * self.scale + (PANEL if self.panel else 0)
        return width + width % 2, height + height % 2


def draw(layout: Layout, jpeg: bytes, moment: Moment, recent: list[Mark], t_s: float, as_recorded: bool) -> bytes:
    """The RGB bytes of a picture. recent: what the participant has just done. t_s: the clock that is shown."""
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    game = Image.fromarray(pixels)
    width, height = layout.size
    if layout.scale > 1 or game.size != layout.size:
        game = game.resize((width * layout.scale, height * layout.scale), Image.Resampling.NEAREST)
    picture = Image.new("RGB", layout.picture, PAPER)
    picture.paste(game, ((layout.picture[0] - game.width) // 2, 0))
    if layout.panel:
        _draw_panel(ImageDraw.Draw(picture), layout, moment, recent, t_s)
    if not as_recorded:
        _draw_chip(ImageDraw.Draw(picture), 8, 8, "not as recorded", DANGER, ON_ACCENT)
    return picture.tobytes()


def _draw_panel(canvas: ImageDraw.ImageDraw, layout: Layout, moment: Moment, recent: list[Mark], t_s: float) -> None:
    width, height = layout.picture
    top = layout.size[1] * layout.scale
    canvas.line((0, top, width, top), LINE)
    numbers = f"{t_s:.1f} s  ·  tick {moment.tick}  ·  return {moment.score:g}"
    if moment.latency_ms is not None:
        numbers += f"  ·  latency {moment.latency_ms:.0f} ms"
    canvas.text((14, height - 14), numbers, MUTED, _font(16), anchor="ls")
    left = 14
    for key in moment.pressed[:5]:
        left = _draw_chip(canvas, left, top + 14, key, LINE, INK) + 8
    if moment.action is not None:
        own = moment.origin != "default"
        left = _draw_chip(canvas, left, top + 14, moment.action, ACCENT if own else PAPER, ON_ACCENT if own else MUTED)
    right = width - 14
    for mark in reversed(recent):
        colour = DANGER if mark.text == "bad" else ACCENT
        text = mark.text if len(mark.text) <= 24 else f"{mark.text[:23]}…"
        right -= _chip_width(text)
        if right < left + 8:
            break
        _draw_chip(canvas, right, top + 14, text, colour if mark.kind == "feedback" else INK, ON_ACCENT)
        right -= 8


def _draw_chip(canvas: ImageDraw.ImageDraw, left: int, top: int, text: str, fill: str, ink: str) -> int:
    """A word in a box; returns where the box ends."""
    right = left + _chip_width(text)
    canvas.rounded_rectangle((left, top, right, top + 32), 7, fill)
    canvas.text(((left + right) // 2, top + 16), text, ink, _font(18), anchor="mm")
    return right


def _chip_width(text: str) -> int:
    return round(_font(18).getlength(text)) + 22


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was made without FreeType"
    return font
