"""A desk without a server: its ledger is real, its clock is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hippogym.bookkeeping.books import Books
from hippogym.bookkeeping.views import Views
from hippogym.core.study.codes import make_code
from hippogym.core.study.way import build_way
from hippogym.data.ledger.keeper import LedgerThread
from hippogym.data.users import UserFiles
from hippogym.live.desk import Desk
from hippogym.live.overview import Overview
from hippogym.pages.step_files import read_step_files

KEY = bytes(32)
PAGES = {
    "consent.html": '<label><input type="checkbox" name="agree" required> I agree</label>',
    "survey.html": '<label>Age <input type="number" name="age"></label>'
    '<label><input type="radio" name="like" value="yes"> yes</label>',
    "thanks.html": "<h1>Thanks</h1>",
}
STEPS = ["consent.html", "game", "survey.html"]


class Clock:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def settings_of(steps: list[str] = STEPS, **more: Any) -> dict[str, Any]:
    """What ``Study.study_settings`` gives, for these pages."""
    names = [step.removesuffix(".html") for step in steps]
    numbered = enumerate(zip(steps, names, strict=True), 1)
    return {
        "id": "pilot",
        "name": "Pilot",
        "steps": [{"number": n, "name": name, "page": page} for n, (page, name) in numbered],
        "final": {"page": "thanks.html"},
        "maxEpisodes": 3,
        **more,
    }


def pages_in(folder: Path, pages: dict[str, str] = PAGES) -> Path:
    """Step files in a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / name).write_text(text)
    return folder


@asynccontextmanager
async def opened(
    folder: Path, settings: dict[str, Any], clock: Clock | None = None, pages: dict[str, str] = PAGES
) -> AsyncIterator[Desk]:
    """The desk of this study, with its ledger in ``folder``."""
    way = build_way(settings)
    files = read_step_files(pages_in(folder / "StepFiles", pages), way.pages())
    books = Books(way, settings, files.pages, files.variants, lambda outcome, visit: make_code(KEY, outcome, visit))
    with LedgerThread(folder / "study.sqlite", UserFiles(folder, "pilot"), books.undone) as thread:

        def trial_settings(*overrides: dict[str, Any]) -> dict[str, Any]:
            merged: dict[str, Any] = {"game": "count-3"}
            for each in overrides:
                merged |= each
            return merged

        desk = Desk(
            thread, books, Views(way, files.pages, ["Play."]), Overview(books), trial_settings, clock or Clock()
        )
        await desk.open()
        yield desk


class Guest:
    """Somebody at a desk."""

    def __init__(self, desk: Desk, **link: str) -> None:
        self.desk, self.link = desk, link
        self.token: str | None = None
        self.view: dict[str, Any] = {}

    async def arrive(self) -> Guest:
        arrival = await self.desk.arrive(self.link, self.token)
        self.token, self.view = arrival.token, arrival.view
        return self

    async def submit(self, **answers: Any) -> None:
        self.view = (await self.desk.answer(self.token, self.view["stamp"], answers, {})).view

    async def look(self) -> dict[str, Any]:
        self.view = await self.desk.now(self.token)
        return self.view

    async def play(self, reason: str = "finished", trial: str = "t1", **result: Any) -> str:
        """A whole trial; returns the visit's id."""
        visit = (await self.desk.admit(self.token)).visit_id
        await self.desk.began(visit, trial)
        played = {"trial": trial, "episodes": 3, "ticks": 9, "score": 4.5}
        await self.desk.over(visit, {**played, **result, "reason": reason})
        return visit
