"""The study over HTTP, for our page and for programs: JSON, a token for each visit, and nothing acknowledged that is
not on the disk. GET shows, POST advances, and both can be repeated without harm (docs/protocol.md)."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from hippogym.core.study.forms import Problem
from hippogym.core.study.recruiting import is_preview
from hippogym.core.study.refusal import Refusal, unknown
from hippogym.core.study.said import about_answer, facts_of
from hippogym.pages.asking import LARGEST_ANSWER, Json, Reception, token_of, trouble
from hippogym.pages.routes import PageSettings, strict_headers
from hippogym.pages.step_files import Asset

METHODS = ["POST", "OPTIONS"]
INCOMPLETE = "Some answers are missing."
NOT_LIVE = "This study is not open at the moment."


class Arrival(Protocol):
    """What the desk says of somebody who has come."""

    @property
    def token(self) -> str: ...
    @property
    def resumed(self) -> bool: ...
    @property
    def view(self) -> dict[str, Any]: ...


class Answer(Protocol):
    """What the desk says of an answer."""

    @property
    def view(self) -> dict[str, Any]: ...
    @property
    def repeated(self) -> bool: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...


class Desk(Protocol):
    """The study's desk (hippogym.live.desk). All of these may raise Refusal and RecordError."""

    async def arrive(
        self,
        link: Mapping[str, str],
        token: str | None,
        door: Literal["page", "next"] = "page",
        client: Mapping[str, Any] | None = None,
    ) -> Arrival: ...
    async def check(self, token: str) -> None: ...
    async def now(self, token: str) -> dict[str, Any]: ...
    async def answer(
        self, token: str, stamp: str | None, answers: Mapping[str, Any], facts: Mapping[str, Any], size: int = 0
    ) -> Answer: ...
    async def withdraw(self, token: str, delete: bool) -> dict[str, Any]: ...
    async def next_view(self, user: str) -> dict[str, Any]: ...
    async def next_answer(
        self, user: str, stamp: str | None, flat: Mapping[str, Any], facts: Mapping[str, Any], size: int
    ) -> Answer: ...


def study_routes(
    desk: Desk, assets: Mapping[str, Asset], settings: PageSettings, reception: Reception, *, live: bool
) -> list[BaseRoute]:
    """The routes below /study/. Put them before those of the page.

    reception: shared with the routes of /next. live: False: nobody is let in but with ``?preview``.
    """
    study = StudyPages(desk, reception, live)
    endpoints: list[tuple[str, Callable[[Request], Awaitable[Response]], list[str]]] = [
        ("/study/arrive", study.arrive, METHODS),
        ("/study/now", study.now, ["GET", "OPTIONS"]),
        ("/study/answer", study.answer, METHODS),
        ("/study/withdraw", study.withdraw, METHODS),
    ]
    routes: list[BaseRoute] = [
        Route(path, reception.guard(endpoint), methods=methods, name=path) for path, endpoint, methods in endpoints
    ]
    return [*routes, Route("/study/files/{path:path}", _files(assets, settings), name="study-files")]


class StudyPages:
    """The endpoints."""

    def __init__(self, desk: Desk, reception: Reception, live: bool) -> None:
        self._desk, self._reception, self._live = desk, reception, live

    async def arrive(self, request: Request) -> Response:
        body, _ = await self._reception.read(request)
        given = body.get("link")
        link = {key: value for key, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
        if not self._live and not is_preview(link):
            raise Refusal("not_live", NOT_LIVE, 404)
        arrived = await self._desk.arrive(link, token_of(request), "page", facts_of(body.get("client")))
        return Json({"token": arrived.token, "resumed": arrived.resumed, "view": arrived.view})

    async def now(self, request: Request) -> Response:
        return Json({"view": await self._desk.now(_needed(request))})

    async def answer(self, request: Request) -> Response:
        token = _needed(request)
        await self._desk.check(token)  # before anybody's megabytes are read
        body, size = await self._reception.read(request, LARGEST_ANSWER)
        stamp, answers = body.get("stamp"), body.get("answers", {})
        if not isinstance(answers, dict) or not isinstance(stamp, str | None):
            raise Refusal("bad_value", "Expected a stamp, and answers as an object.", 400)
        answered = await self._desk.answer(token, stamp, answers, about_answer(body), size)
        if answered.problems:
            problems = [{"name": problem.name, "text": problem.text} for problem in answered.problems]
            return trouble("incomplete", INCOMPLETE, 422, problems=problems)
        return Json({"view": answered.view, "repeated": answered.repeated})

    async def withdraw(self, request: Request) -> Response:
        token = _needed(request)
        body, _ = await self._reception.read(request)
        return Json({"view": await self._desk.withdraw(token, body.get("delete") is True)})


def _needed(request: Request) -> str:
    token = token_of(request)
    if token is None:
        raise unknown()
    return token


def _files(assets: Mapping[str, Asset], settings: PageSettings) -> Callable[[Request], Awaitable[Response]]:
    """What lies beside the pages. They are no secret; a front end of a listed origin shows them too."""
    headers = {**strict_headers(settings), "Cache-Control": "no-cache"}
    if settings.origins:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    etags = {name: f'"{hashlib.sha256(asset.body).hexdigest()[:32]}"' for name, asset in assets.items() if asset.body}

    async def endpoint(request: Request) -> Response:
        name = request.path_params["path"]
        asset = assets.get(name)
        if asset is None:
            return Response("Not found\n", 404, {**headers, "Cache-Control": "no-store"}, "text/plain")
        if asset.body is None:
            return FileResponse(asset.path, headers=headers, media_type=asset.media_type)
        tagged = {**headers, "ETag": etags.get(name, '"empty"')}
        if tagged["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=tagged)
        return Response(asset.body, headers=tagged, media_type=asset.media_type)

    return endpoint
