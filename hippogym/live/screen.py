"""The participant's screen as the trial sees it: which frames are worth making, and what was shown last."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from hippogym.core.flow import FrameWindow
from hippogym.core.frame_header import SENT_AGAIN, FrameHeader
from hippogym.live.agent import Agent
from hippogym.live.channel import Channel
from hippogym.live.frames import encode_jpeg


@dataclass(frozen=True)
class Picture:
    """A frame that is ready to be sent."""

    header: FrameHeader
    image: bytes

    def facts(self) -> dict[str, Any]:
        """What the record keeps of it: enough to prove what was on the screen."""
        width, height = self.header.size
        return {
            "id": self.header.frame,
            "sha256": hashlib.sha256(self.image).hexdigest(),
            "bytes": len(self.image),
            "width": width,
            "height": height,
        }


class Screen:
    """Renders, encodes and sends, but no more frames than the way to the participant can take."""

    def __init__(self, agent: Agent, channel: Channel, quality: int) -> None:
        self._agent = agent
        self._channel = channel
        self._quality = quality
        self._window = FrameWindow()
        self._newest: Picture | None = None
        self.frame = 0
        self.skipped = 0

    def picture(
        self, episode: int, tick: int, rate: float, now_ns: int, *, flags: int = 0, must: bool = False
    ) -> Picture | None:
        """Render and encode; None where the frame could not be shown in time anyway. Raises AgentError."""
        if not must and not self._window.open(rate, now_ns):
            self.skipped += 1
            return None
        pixels = self._agent.render()
        image = encode_jpeg(pixels, self._quality)
        self.frame += 1
        size = (pixels.shape[1], pixels.shape[0])
        return Picture(FrameHeader(self.frame, episode, tick, now_ns // 1000, size, flags), image)

    def show(self, picture: Picture, now_ns: int) -> None:
        """Send it. Its record has been written. Raises ServerGone."""
        self._newest = picture
        self._window.left(picture.header.frame, now_ns)
        self._channel.send_frame(picture.header.encode(), picture.image)

    def show_again(self) -> None:
        """The participant has come back: send the newest frame once more."""
        if self._newest is not None:
            header = self._newest.header
            again = replace(header, flags=header.flags | SENT_AGAIN)
            self._channel.send_frame(again.encode(), self._newest.image)

    def arrived(self, frame: int, now_ns: int) -> None:
        """A frame is on the participant's screen."""
        self._window.arrived(frame, now_ns)

    def forget(self) -> None:
        """A new connection: what was on its way is lost."""
        self._window.forget()
