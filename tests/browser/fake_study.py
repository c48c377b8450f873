"""A study's JSON interface that does as a test says: steps in their order, answers kept, and troubles on demand.

It knows no rules of its own beyond "the next step, please", so that what is tested is the page.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

GAME = "game"
WORDS = "<h2>Welcome</h2><p>Some words to read.</p>"
SURVEY = """<h2>About you</h2>
<label for="state">Where do you live?</label><input id="state" name="state" required>
<fieldset><legend>How was it?</legend>
<label><input type="radio" name="fun" value="good" required> Good</label>
<label><input type="radio" name="fun" value="bad"> Bad</label></fieldset>
<label><input type="checkbox" name="again"> I would play again</label>"""
Judge = Callable[[str, dict[str, Any]], list[dict[str, str]]]


@dataclass
class FakeVisit:
    token: str
    link: dict[str, Any]
    at: int = 0
    stamp: str = "s1"
    problems: list[dict[str, str]] = field(default_factory=list)
    ended: dict[str, Any] | None = None


class FakeDesk:
    """steps: name → HTML, or GAME. missing, wrong: what the server finds in answers: 422, or one more try.

    troubles: what happens to the next requests of a path, in order: a status to answer with instead, or "lost": it is
    done, and the answer does not arrive. asked: every request as (method and path, JSON).
    """

    def __init__(self, steps: dict[str, str], end: dict[str, Any] | None = None) -> None:
        self.steps = list(steps.items())
        self.end = {"outcome": "complete", "text": "", "code": "7K3M-Q2XD-94TR", "redirect": None} | (end or {})
        self.final_html = "<h2>Thank you</h2><p>That was all.</p>"
        self.preview = False
        self.tries_left: int | None = None
        self.missing: Judge = lambda name, answers: []
        self.wrong: Judge = lambda name, answers: []
        self.troubles: dict[str, list[int | str]] = {}
        self.refusals: dict[str, tuple[int, dict[str, Any]]] = {}
        self.files: dict[str, tuple[bytes, str]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.visits: dict[str, FakeVisit] = {}
        self._stamps = itertools.count(2)

    @property
    def pages(self) -> tuple[str, ...]:
        return (*(html for _, html in self.steps if html != GAME), self.final_html)

    @property
    def visit(self) -> FakeVisit:
        (visit,) = self.visits.values()
        return visit

    def heard(self, path: str) -> list[Any]:
        """What was sent to a path, in order, also what was answered with a trouble."""
        return [content for asked, content in self.asked if asked.endswith(path)]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [content["answers"] for content in self.heard("/study/answer")]

    def go_on(self, visit: FakeVisit | None = None) -> None:
        """To the next step, as when another tab has answered, or the game is over."""
        visit = visit or self.visit
        visit.at += 1
        visit.problems = []
        visit.stamp = f"s{next(self._stamps)}"
        if visit.at >= len(self.steps):
            visit.ended = self.end

    # ---- HTTP

    def routes(self) -> list[BaseRoute]:
        doors: Sequence[tuple[str, str, Callable[[dict[str, Any], FakeVisit | None], Response]]] = (
            ("POST", "/study/arrive", self._arrive),
            ("GET", "/study/now", self._now),
            ("POST", "/study/answer", self._answer),
            ("POST", "/study/withdraw", self._withdraw),
        )
        routes: list[BaseRoute] = [Route(path, self._door(path, does), methods=[way]) for way, path, does in doors]
        return [*routes, Route("/study/files/{path:path}", self._file)]

    def _door(self, path: str, does: Callable[[dict[str, Any], FakeVisit | None], Response]) -> Any:
        async def endpoint(request: Request) -> Response:
            content = await request.json() if request.method == "POST" else {}
            self.asked.append((f"{request.method} {path}", content))
            trouble = self.troubles[path].pop(0) if self.troubles.get(path) else None
            if isinstance(trouble, int):
                return JSONResponse({"error": {"code": "busy", "text": "Later, please."}}, trouble)
            if path in self.refusals:
                status, told = self.refusals[path]
                return JSONResponse(told, status)
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            answer = does(content, self.visits.get(token))
            return JSONResponse({}, 503) if trouble == "lost" else answer

        return endpoint

    def _arrive(self, content: dict[str, Any], visit: FakeVisit | None) -> Response:
        resumed = visit is not None
        if visit is None:
            visit = FakeVisit(f"visit-{len(self.visits) + 1}", content["link"])
            self.visits[visit.token] = visit
        return JSONResponse({"token": visit.token, "resumed": resumed, "view": self._view(visit)})

    def _now(self, content: dict[str, Any], visit: FakeVisit | None) -> Response:
        return self._told(visit)

    def _answer(self, content: dict[str, Any], visit: FakeVisit | None) -> Response:
        if visit is None or content["stamp"] != visit.stamp:
            return self._told(visit, repeated=True)
        name = self.steps[visit.at][0]
        if problems := self.missing(name, content["answers"]):
            return JSONResponse({"error": {"code": "incomplete", "text": ""}, "problems": problems}, 422)
        visit.problems = self.wrong(name, content["answers"])
        if visit.problems:
            visit.stamp = f"s{next(self._stamps)}"
        else:
            self.go_on(visit)
        return self._told(visit, repeated=False)

    def _withdraw(self, content: dict[str, Any], visit: FakeVisit | None) -> Response:
        if visit is not None:
            visit.ended = {"outcome": "withdrew", "text": "", "code": None, "redirect": None}
        return self._told(visit)

    def _told(self, visit: FakeVisit | None, **more: Any) -> Response:
        if visit is None:
            return JSONResponse({"error": {"code": "unknown", "text": ""}}, 401)
        return JSONResponse({"view": self._view(visit), **more})

    async def _file(self, request: Request) -> Response:
        found = self.files.get(request.path_params["path"])
        return Response(found[0], media_type=found[1]) if found else Response(status_code=404)

    def _view(self, visit: FakeVisit) -> dict[str, Any]:
        shared = {"of": len(self.steps), "preview": self.preview, "triesLeft": None, "problems": [], "game": None}
        if visit.ended is not None:
            complete = visit.ended["outcome"] == "complete"
            html, title = (self.final_html, "Thank you") if complete else ("", "")
            at_end = {"kind": "end", "stamp": None, "step": len(self.steps), "name": "end", "canWithdraw": False}
            return {**shared, **at_end, "title": title, "html": html, "end": visit.ended}
        name, html = self.steps[visit.at]
        here = {"step": visit.at + 1, "name": name, "title": name.capitalize(), "canWithdraw": True, "end": None}
        if html == GAME:
            return {**shared, **here, "kind": "game", "stamp": None, "html": "", "game": {"instructions": None}}
        judged = {"problems": visit.problems, "triesLeft": self.tries_left if visit.problems else None}
        return {**shared, **here, **judged, "kind": "page", "stamp": visit.stamp, "html": html}
