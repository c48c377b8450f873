"""A server that speaks version 2 of docs/protocol.md and does as it is told, so that the page can be tested by itself.

No environment, no processes: the picture is drawn here, and what the page says is kept in ``messages``.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hippogym.pages.routes import PageSettings, page_routes
from tests.browser.fake_study import FakeDesk
from tests.patience import PATIENCE_S

KEYS = [
    {"action": "noop", "keys": [["KeyE"]]},
    {"action": "up", "keys": [["ArrowUp"], ["KeyW"]]},
    {"action": "right", "keys": [["ArrowRight"], ["KeyD"]]},
    {"action": "left", "keys": [["ArrowLeft"], ["KeyA"]]},
    {"action": "down", "keys": [["ArrowDown"], ["KeyS"]]},
    {"action": "upright", "keys": [["ArrowUp", "ArrowRight"]]},
    {"action": "upleft", "keys": [["ArrowUp", "ArrowLeft"]]},
    {"action": "fire", "keys": [["Space"]]},
]
UI = ["left", "right", "up", "down", "fire", "start", "pause", "reset", "stop", "good", "bad"]
UI += ["fpsDown", "fpsSet", "fpsUp", "requestUI", "askRobot"]


@dataclass
class Study:
    """What the fake tells the page; a test changes what it is about."""

    project_name: str = "Ms. Pac-Man: learning from people"
    origins: tuple[str, ...] = ()
    ui: list[str] = field(default_factory=lambda: list(UI))
    keys: list[dict[str, Any]] = field(default_factory=lambda: list(KEYS))
    instructions: str = "Eat as many pellets as you can.\n\nStay away from the ghosts: each one costs a life."
    frame_rate: dict[str, Any] = field(
        default_factory=lambda: {"rate": 30, "min": 1, "max": 60, "step": 5, "allowed": True}
    )
    display: dict[str, Any] | None = None
    budget: tuple[float, float] | None = None
    grace_s: float = 120
    ping_every_s: float = 2.0
    picture: Callable[[int], bytes] | None = None
    size: tuple[int, int] = (160, 210)
    desk: FakeDesk | None = None  # with it, the game is a step of a study
    scripts: bool = False


@dataclass
class Trial:
    token: str
    state: str = "waiting"
    tick: int = 0
    frame_id: int = 0
    connections: int = 0
    socket: WebSocket | None = None


class FakeServer:
    """One study; as many trials as there are hellos without a known token."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.messages: list[dict[str, Any]] = []
        self.trials: dict[str, Trial] = {}
        self.refusing = False  # nobody gets in
        self.full = False
        self.line: list[int] = []  # places to be told, one after the other, before somebody gets in
        self.silent = False  # connected, but nothing is sent any more
        self.port = 0
        self._made = 0
        self._news = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        desk = study.desk
        pages = None if desk is None else desk.pages
        settings = PageSettings("pacman", study.project_name, study.origins, True, pages, study.scripts)
        routes = [] if desk is None else desk.routes()
        self.app = Starlette(routes=[WebSocketRoute("/{path:path}", self._serve), *routes, *page_routes(settings)])

    # ---- for tests (another thread)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def trial(self) -> Trial:
        (trial,) = self.trials.values()
        return trial

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
        """The first message after number `since` that is `wanted`; AssertionError where none comes."""

        def found() -> dict[str, Any] | None:
            return next((message for message in self.messages[since:] if wanted(message)), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None, PATIENCE_S)
            message = found()
        assert message is not None, f"not among what the page said: {self.said(since)}"
        return message

    def wait_until_held(self, keys: list[str], controls: list[str] | None = None, since: int = 0) -> dict[str, Any]:
        return self.wait_for(
            lambda message: message.get("keys") == keys and message.get("controls") == (controls or []), since
        )

    def said(self, since: int = 0) -> list[dict[str, Any]]:
        """Everything except acknowledgements and pongs."""
        return [message for message in self.messages[since:] if not {"ack", "pong"} & set(message)]

    def tell(self, **message: Any) -> None:
        self._call(self._send(self.trial, message))

    def close(self, code: int) -> None:
        async def close() -> None:
            assert self.trial.socket is not None
            await self.trial.socket.close(code)

        self._call(close())

    def set_state(self, state: str, text: str = "") -> None:
        self.trial.state = state
        self.tell(status=self._status(self.trial, text))

    def _call(self, coroutine: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    # ---- the conversation

    async def _serve(self, socket: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        if self.refusing:
            await socket.close()
            return
        assert socket.scope["subprotocols"] == ["hippogym.v2"]
        await socket.accept("hippogym.v2")
        try:
            hello = json.loads(await socket.receive_text())
            self._keep(hello)
            if self.full:
                await socket.send_json({"error": {"code": "full", "field": None, "expected": "", "got": ""}})
                await socket.close(4008)
                return
            while self.line:
                await socket.send_json({"queue": {"place": self.line.pop(0)}})
                await self._may_go_on()
            trial = await self._admit(socket, hello)
            await self._converse(socket, trial)
        except WebSocketDisconnect:
            pass

    async def _may_go_on(self) -> None:
        """Until the test says `next_in_line`."""
        self._called = asyncio.Event()
        await self._called.wait()

    def next_in_line(self) -> None:
        async def call() -> None:
            self._called.set()

        self._call(call())

    async def _admit(self, socket: WebSocket, hello: dict[str, Any]) -> Trial:
        trial = self.trials.get(hello["token"] or "")
        if hello["token"] and trial is None:
            await socket.send_json(
                {"error": {"code": "unknown_token", "field": "token", "expected": "a token", "got": "string"}}
            )
        resumed = trial is not None
        if trial is None:
            self._made += 1
            trial = Trial(token=f"right-to-come-back-{self._made}")
            self.trials[trial.token] = trial
        older, trial.socket = trial.socket, socket
        trial.connections += 1
        if older is not None and older.application_state is WebSocketState.CONNECTED:
            await older.close(4001)
        await self._introduce(trial, resumed, hello)
        return trial

    async def _introduce(self, trial: Trial, resumed: bool, hello: dict[str, Any]) -> None:
        study = self.study
        welcome = {
            "token": trial.token,
            "resumed": resumed,
            "connection": trial.connections,
            "graceS": study.grace_s,
            "version": "1.0.0",
            "project": study.project_name,
            "projectId": "pacman",
            "userId": hello["userId"] or "made-here",
            "game": "ALE/MsPacman-v5",
            "instructions": study.instructions,
        }
        await self._send(trial, {"welcome": welcome})
        await self._send(
            trial,
            {
                "UI": study.ui,
                "keys": study.keys,
                "actions": [line["action"] for line in study.keys],
                "stepMode": "realtime",
                "frameRate": study.frame_rate,
                "status": self._status(trial),
            },
        )
        if study.display is not None:
            await self._send(trial, {"display": study.display})
        if study.budget is not None:
            await self._send(trial, {"inputBudget": study.budget[0], "usedInputBudget": study.budget[1]})
        await self._send_frame(trial, resent=resumed)

    async def _converse(self, socket: WebSocket, trial: Trial) -> None:
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(self._play(socket, trial))
            pinging = tasks.create_task(self._ping(socket, trial))
            try:
                while True:
                    message = json.loads(await socket.receive_text())
                    self._keep(message)
                    await self._answer(trial, message)
            except WebSocketDisconnect:
                pass
            finally:
                if trial.socket is socket:
                    trial.socket = None
                playing.cancel()
                pinging.cancel()

    def _keep(self, message: dict[str, Any]) -> None:
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    async def _answer(self, trial: Trial, message: dict[str, Any]) -> None:
        command = message.get("command")
        if command in ("start", "pause"):
            trial.state = "playing" if command == "start" else "paused"
            await self._send(trial, {"status": self._status(trial)})
        elif command == "stop":
            await self._end(trial, "stopped")
        elif "changeFrameRate" in message:
            rate = self.study.frame_rate
            step = {"faster": rate["step"], "slower": -rate["step"]}.get(message["changeFrameRate"])
            wanted = message["changeFrameRate"] if step is None else rate["rate"] + step
            self.study.frame_rate = {**rate, "rate": wanted}
            await self._send(trial, {"frameRate": self.study.frame_rate})

    async def _end(self, trial: Trial, reason: str) -> None:
        self.trials.pop(trial.token)
        if self.study.desk is not None and reason in ("finished", "stopped"):
            self.study.desk.go_on()
        await self._send(trial, {"done": {"reason": reason, "text": ""}})
        assert trial.socket is not None
        await trial.socket.close(4500 if reason == "failed" else 1000)

    def end(self, reason: str) -> None:
        self._call(self._end(self.trial, reason))

    async def _play(self, socket: WebSocket, trial: Trial) -> None:
        while True:
            await asyncio.sleep(1 / self.study.frame_rate["rate"])
            if trial.state == "playing" and trial.socket is socket:
                trial.tick += 1
                await self._send_frame(trial)

    async def _ping(self, socket: WebSocket, trial: Trial) -> None:
        number = 0
        while True:
            await asyncio.sleep(self.study.ping_every_s)
            if trial.socket is socket:
                number += 1
                await self._send(trial, {"ping": number, "rttMs": 1.25})

    async def _send(self, trial: Trial, message: dict[str, Any]) -> None:
        if self.silent or trial.socket is None:
            return
        if trial.socket.application_state is WebSocketState.CONNECTED:
            await trial.socket.send_json(message)

    async def _send_frame(self, trial: Trial, *, resent: bool = False) -> None:
        if self.silent or trial.socket is None:
            return
        if not resent:
            trial.frame_id += 1
        image = (self.study.picture or (lambda tick: pac_man(tick % 120)))(trial.tick)
        if trial.socket.application_state is WebSocketState.CONNECTED:
            await trial.socket.send_bytes(frame(trial, image, self.study.size, flags=2 if resent else 0))

    def _status(self, trial: Trial, text: str = "") -> dict[str, Any]:
        return {"state": trial.state, "episode": 1, "episodes": 20, "text": text}


def frame(trial: Trial, image: bytes, size: tuple[int, int], flags: int = 0) -> bytes:
    header = (2, flags, 32, trial.frame_id, 0, trial.tick, time.monotonic_ns() // 1000, 0, 0, *size)
    return struct.pack(">BBHIIIQHHHH", *header) + image


@contextmanager
def running(
    study: Study | None = None, *, fake: FakeServer | None = None, tls: Path | None = None
) -> Iterator[FakeServer]:
    """The fake on a free port of this machine, stopped in the end. tls: a file with a chain and its key."""
    fake = fake or FakeServer(study or Study())
    config = uvicorn.Config(
        fake.app, host="127.0.0.1", port=0, log_level="critical", ws="websockets-sansio", lifespan="off",
        timeout_graceful_shutdown=1, ws_ping_interval=None, ssl_certfile=tls, ssl_keyfile=tls,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the fake server did not start"
        time.sleep(0.005)
    fake.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the fake server did not stop"


# ---- a picture somewhat like the real one: 160 × 210, a maze, pellets, four ghosts


@cache
def pac_man(tick: int) -> bytes:
    image = Image.new("RGB", (160, 210), (0, 28, 136))
    draw = ImageDraw.Draw(image)
    wall, pellet = (228, 111, 111), (228, 180, 160)
    for x, y, w, h in WALLS:
        for mirrored in (x, 160 - x - w):
            draw.rectangle((mirrored, y, mirrored + w - 1, y + h - 1), fill=wall)
    for row in range(12):
        for column in range(16):
            x, y = 9 + column * 9.5, 8 + row * 14
            if image.getpixel((int(x), int(y))) != wall and (column > tick / 10 or row != 6):
                draw.rectangle((x, y, x + 3, y + 1), fill=pellet)
    _eater(draw, 12 + tick, 89, tick)
    for number, colour in enumerate([(200, 72, 72), (198, 89, 179), (84, 184, 153), (180, 122, 48)]):
        angle = tick / 19 + number * math.pi / 2
        _ghost(draw, 76 + 44 * math.cos(angle), 62 + 30 * math.sin(angle), colour)
    draw.rectangle((0, 172, 159, 209), fill=(0, 0, 0))
    for life in range(2):
        _eater(draw, 14 + 16 * life, 178, 3)
    draw.text((92, 190), f"{tick * 10:>6}", fill=(195, 144, 61))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


WALLS = [(0, 0, 160, 3), (0, 169, 160, 3), (0, 0, 4, 172), (20, 16, 20, 8), (50, 16, 8, 24), (68, 16, 12, 8)]
WALLS += [(20, 40, 20, 6), (68, 38, 12, 6), (20, 60, 8, 22), (40, 60, 22, 6), (70, 58, 10, 22), (20, 98, 20, 6)]
WALLS += [(50, 82, 8, 22), (68, 98, 12, 6), (20, 118, 8, 36), (40, 118, 30, 6), (40, 138, 8, 16), (58, 148, 22, 6)]


def _eater(draw: ImageDraw.ImageDraw, x: float, y: float, tick: int) -> None:
    mouth = 40 if tick // 3 % 2 else 10
    draw.pieslice((x, y, x + 9, y + 9), mouth, 360 - mouth, fill=(210, 164, 74))


def _ghost(draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple[int, int, int]) -> None:
    draw.pieslice((x, y, x + 8, y + 10), 180, 360, fill=colour)
    draw.rectangle((x, y + 5, x + 8, y + 9), fill=colour)
    draw.rectangle((x + 2, y + 3, x + 3, y + 4), fill=(255, 255, 255))
    draw.rectangle((x + 5, y + 3, x + 6, y + 4), fill=(255, 255, 255))
