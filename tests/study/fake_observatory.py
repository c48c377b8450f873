"""A study that is going on, made up, behind the dashboard's real routes: so the page can be tested by itself."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import uvicorn
from starlette.applications import Starlette

from hippogym.data.upload_status import UploadStatus
from hippogym.pages.dashboard_routes import dashboard_routes
from hippogym.pages.routes import PageSettings, page_routes
from tests.patience import PATIENCE_S

TOKEN = "a-token-only-for-these-tests-0123456789"
HEADER = struct.Struct("!BBHIIIQHHHH")
SINCE_S = time.time() - 4000
OVERVIEW: dict[str, Any] = {
    "steps": [
        {"name": "consent", "title": "Consent", "kind": "page", "reached": 48, "here": 1, "left": 3, "medianS": 41.0},
        {"name": "quiz", "title": "Quiz", "kind": "page", "reached": 44, "here": 2, "left": 6, "medianS": 75.0},
        {"name": "game", "title": "Game", "kind": "game", "reached": 36, "here": 9, "left": 2, "medianS": 412.0},
        {"name": "survey", "title": "Survey", "kind": "page", "reached": 25, "here": 2, "left": 0, "medianS": 93.0},
        {"name": "final", "title": "Thank you", "kind": "end", "reached": 23, "here": 0, "left": 0, "medianS": None},
    ],
    "outcomes": {"complete": 23, "failedCheck": 4, "withdrew": 2, "fault": 1},
    "visits": {"total": 48, "live": 14, "abandoned": 4, "preview": 3},
    "there": [
        {"visit": "v3", "user": "participant-04", "step": "game", "condition": "no advice", "since_s": SINCE_S,
         "preview": False},
        {"visit": "v90", "user": "participant-90", "step": "survey", "condition": "advice", "since_s": SINCE_S,
         "preview": True},
    ],
    "conditions": [
        {"name": "advice", "weight": 1, "quota": 20, "complete": 12, "live": 5, "returned": 2},
        {"name": "no advice", "weight": 1, "quota": 20, "complete": 11, "live": 6, "returned": 1},
    ],
    "groups": [],
    "answers": [
        {"step": "quiz", "name": "q1", "label": "What do ghosts do?", "kind": "choice", "n": 44, "right": 38,
         "counts": [["they cost a life", 38], ["nothing", 4], ["they give points", 2]]},
        {"step": "survey", "name": "age", "label": "How old are you?", "kind": "number", "n": 23,
         "values": [19, 22, 22, 23, 25, 25, 26, 27, 28, 28, 31, 33, 35, 38, 41, 44, 52, 60, 21, 24, 24, 29, 30]},
        {"step": "survey", "name": "fun", "label": "How much did you enjoy the game?", "kind": "choice", "n": 25,
         "counts": [["1", 1], ["2", 2], ["3", 5], ["4", 11], ["5", 6]]},
        {"step": "survey", "name": "comment", "label": "Anything else?", "kind": "text", "n": 9},
    ],
}  # fmt: skip


def picture(tick: int) -> bytes:
    """A frame as a trial would send it: a disc that goes to the right, as far as the tick."""
    y, x = np.mgrid[0:210, 0:160]
    disc = (x - 20 - tick % 120) ** 2 + (y - 105) ** 2 < 144
    pixels = np.zeros((210, 160, 3), np.uint8)
    pixels[...] = (0, 28, 136)
    pixels[disc] = (252, 252, 84)
    image = simplejpeg.encode_jpeg(pixels, quality=75)
    return HEADER.pack(2, 0, HEADER.size, tick + 1, 0, tick, 0, 0, 0, 160, 210) + image


@dataclass
class FakeObservatory:
    """People who play, made up from the time that goes by. ``asked`` keeps what was asked of them."""

    number: int = 12
    still: bool = False  # nothing moves: for pictures that can be compared
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    watchers: int = 0
    frame_rate: float = 20.0
    began_s: float = field(default_factory=time.time)

    def snapshot(self) -> list[dict[str, Any]]:
        past_s = 100.0 if self.still else time.time() - self.began_s + 100
        people = [self._person(number, past_s) for number in range(self.number)]
        return [person for person in people if person["trial"] not in self.gone]

    def _person(self, number: int, past_s: float) -> dict[str, Any]:
        trial = f"20260101-120000-{number:08d}"
        playing = number % 5 != 3 and trial not in self.paused
        tick = int(past_s * 30) + 100 * number
        return {
            "trial": trial,
            "user": f"participant-{number + 1:02d}",
            "visit": f"v{number}",
            "condition": ["advice", "no advice"][number % 2],
            "step": "game",
            "state": "paused" if trial in self.paused else "playing" if playing else "waiting",
            "onHold": trial in self.paused,
            "episode": 1 + number % 3 if playing else None,
            "episodes": 3,
            "tick": tick,
            "score": float(10 * (tick // 40)) if playing else 0.0,
            "fps": (14.0 if number == 7 else 29.9) if playing else 0.0,
            "rate": 30.0,
            "rttMs": 18.0 + 37 * (number % 4) + (500 if number == 4 else 0),
            "skipped": number * 3,
            "good": number,
            "bad": number // 2,
            "errors": 1 if number == 7 else 0,
            "since_s": self.began_s - 90 * (number + 1),
            "connected": number != 8,
        }

    def pulse(self, after: int) -> list[dict[str, Any]]:
        points = [
            {"n": n, "t_s": self.began_s - 5 * (240 - n), "here": min(12, n // 12), "playing": min(10, n // 14),
             "fps": 29.9 - (n % 7) / 10, "rttMs": 50 + (n * 13) % 29, "skipped": (n % 9) / 3, "good": n % 3, "bad": 0}
            for n in range(240)
        ]  # fmt: skip
        return [point for point in points if point["n"] > after]

    def happened(self, after: int) -> list[dict[str, Any]]:
        texts = [
            ("joined", "participant-11 has joined"),
            ("left", "participant-03 has finished"),
            ("trouble", "participant-05: the agent's step() has not returned for 10 s; the trial is ended"),
            ("joined", "participant-12 has joined"),
        ]
        made = [
            {"n": n, "t_s": self.began_s - 60 + 12 * n, "kind": kind, "trial": None, "text": text}
            for n, (kind, text) in enumerate(texts)
        ]
        return [one for one in made if one["n"] > after]

    async def watch(self, trial: str) -> AsyncIterator[bytes]:
        self.watchers += 1
        try:
            tick = 0
            while trial not in self.gone:
                yield picture(tick)
                tick += 1
                await asyncio.sleep(1 / self.frame_rate)
        finally:
            self.watchers -= 1

    def pause(self, trial: str) -> str | None:
        self.paused.add(trial)
        return self._note("pause", trial)

    def resume(self, trial: str) -> str | None:
        self.paused.discard(trial)
        return self._note("resume", trial)

    def end(self, trial: str) -> str | None:
        self.gone.add(trial)
        return self._note("end", trial)

    def say(self, trial: str, text: str) -> str | None:
        return self._note("say", trial, text)

    def _note(self, what: str, trial: str, text: str = "") -> str | None:
        self.asked.append((what, trial, text))
        return None if trial.startswith("20260101") else "This participant has left."


def no_uploads(records: Path) -> UploadStatus:
    return UploadStatus("s3://study", None, (), 212, (), None, None)


@dataclass
class FakeDesk:
    """The server of a made-up study. url: http://127.0.0.1:port."""

    observatory: FakeObservatory
    records: Path
    overview: dict[str, Any] | None = field(default_factory=lambda: OVERVIEW)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        return f"{self.url}/dashboard#token={TOKEN}"

    @property
    def socket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/dashboard/live"

    async def look_over(self) -> dict[str, Any]:
        assert self.overview is not None
        return self.overview

    def app(self) -> Starlette:
        settings = PageSettings("pacman", "Pac-Man and advice", (), dev=False)
        overview = self.look_over if self.overview is not None else None
        routes = dashboard_routes(self.observatory, overview, TOKEN, settings, self.records, no_uploads, 50)
        return Starlette(routes=[*routes, *page_routes(settings)])


@contextmanager
def running(desk: FakeDesk, port: int = 0) -> Iterator[FakeDesk]:
    """The desk on a port of this machine (0: any free one), in a thread, stopped in the end."""
    config = uvicorn.Config(
        desk.app(), host="127.0.0.1", port=port, log_level="critical", ws="websockets-sansio", lifespan="off",
        timeout_graceful_shutdown=1, ws_ping_interval=None,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the made-up study's server did not start"
        time.sleep(0.005)
    desk.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield desk
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the made-up study's server did not stop"
