"""The 32 bytes before every image (docs/protocol.md, "A frame")."""

import struct
from dataclasses import dataclass

LAYOUT = struct.Struct("!BBHIIIQHHHH")
VERSION = 2
LAST_OF_EPISODE = 1
SENT_AGAIN = 2
PNG = 4


@dataclass(frozen=True)
class FrameHeader:
    """Which frame this is. frame counts from 1 in a trial; episode and tick from 0. size: (width, height)."""

    frame: int
    episode: int
    tick: int
    server_us: int
    size: tuple[int, int]
    flags: int = 0

    def encode(self) -> bytes:
        """The header's bytes."""
        width, height = self.size
        return LAYOUT.pack(
            VERSION,
            self.flags,
            LAYOUT.size,
            self.frame,
            self.episode,
            self.tick,
            self.server_us,
            0,
            0,
            width,
            height,
        )

    @classmethod
    def decode(cls, data: bytes) -> "FrameHeader":
        """Read the header that ``data`` begins with. Raises ValueError for another version or too few bytes."""
        if len(data) < LAYOUT.size or data[0] != VERSION:
            raise ValueError("not a frame of version 2")
        _, flags, _, frame, episode, tick, server_us, _, _, width, height = LAYOUT.unpack_from(data)
        return cls(frame, episode, tick, server_us, (width, height), flags)
