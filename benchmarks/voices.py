"""What a benchmark's participant says and hears, in protocol v1 and v2 (docs/protocol.md). No image is ever decoded."""

import json
import time
from typing import Any, Protocol

from websockets.typing import Subprotocol


class Refused(Exception):
    """The server said that something is wrong or over; a measurement with that in it would mean nothing."""


class Voice(Protocol):
    """subprotocols, compression: what the websocket client offers."""

    subprotocols: list[Subprotocol] | None
    compression: str | None

    def hello(self, user: str) -> str: ...
    def start(self) -> str: ...
    def press(self, action: str, key: str) -> str: ...
    def release(self, key: str) -> str: ...

    def hear(self, message: str | bytes) -> tuple[int | None, str | None]:
        """The size of the image in bytes if the message is a frame, and what is to be answered at once, if anything."""
        ...


class V1:
    """JSON with base64, as clients since 2021 speak it."""

    subprotocols: list[Subprotocol] | None = None
    compression: str | None = "deflate"

    def __init__(self) -> None:
        self.frames = 0
        self.frame = 0

    def hello(self, user: str) -> str:
        return self._say(userId=user, projectId="")

    def start(self) -> str:
        return self._say(command="start", system="Linux", systemVersion="", browser="benchmark", browserVersion="1")

    def press(self, action: str, key: str) -> str:
        return self._say(actionType=key, action=action)

    def release(self, key: str) -> str:
        return self._say(actionType=key, action="noop")

    def hear(self, message: str | bytes) -> tuple[int | None, str | None]:
        if message == "done":
            raise Refused("the trial is over")
        heard = json.loads(message)
        if "frame" not in heard:
            return None, None
        self.frames += 1
        self.frame = heard["frameId"]
        return len(heard["frame"]) * 3 // 4, None

    def _say(self, **fields: Any) -> str:
        return json.dumps({**fields, "frameCount": self.frames, "frameId": self.frame})


class V2:
    """Binary frames, each acknowledged; pings answered; keys as the set of what is held."""

    subprotocols: list[Subprotocol] | None = [Subprotocol("hippogym.v2")]
    compression: str | None = None

    def __init__(self) -> None:
        self.frame = 0

    def hello(self, user: str) -> str:
        return json.dumps({"userId": user, "projectId": None, "token": None, "client": {"browser": "benchmark"}})

    def start(self) -> str:
        return self._say(command="start")

    def press(self, action: str, key: str) -> str:
        return self._say(keys=[key], controls=[])

    def release(self, key: str) -> str:
        return self._say(keys=[], controls=[])

    def hear(self, message: str | bytes) -> tuple[int | None, str | None]:
        if isinstance(message, bytes):
            header_bytes = int.from_bytes(message[2:4])
            self.frame = int.from_bytes(message[4:8])
            return len(message) - header_bytes, f'{{"ack": {self.frame}, "t": {clock_ms():.3f}}}'
        heard = json.loads(message)
        if "error" in heard or "done" in heard:
            raise Refused(message)
        if "ping" in heard:
            return None, f'{{"pong": {heard["ping"]}, "t": {clock_ms():.3f}}}'
        return None, None

    def _say(self, **fields: Any) -> str:
        return json.dumps({**fields, "frameId": self.frame, "t": clock_ms()})


def clock_ms() -> float:
    return time.perf_counter_ns() / 1e6


VOICES: dict[str, type[Voice]] = {"v1": V1, "v2": V2}
