"""/next, as existing front ends ask for the study's pages; but GET never advances, and one Submit is one answer.

Such a front end knows its participant by a name that it has made. What it sends of a page is a text for each control,
whether ticked or not; what can be told from that is kept, and the visit says by which door it came (``door: next``).
"""

import html
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hippogym.core.study.refusal import Refusal
from hippogym.pages.asking import Json, Reception
from hippogym.pages.cleaning import FILES
from hippogym.pages.study_routes import Desk

LARGEST_BODY = 2**20
STAMP = "hippogym-stamp"
UNKNOWN_PROJECT = "Project ID Not Found"
GAME = "show_game_page"
WAIT = "wait"


def next_routes(
    desk: Desk, project_id: str, reception: Reception, *, live: bool, has_place: Callable[[], bool]
) -> list[BaseRoute]:
    """The route of /next. live: False: as if the project did not exist. has_place: whether a game could begin now."""

    async def endpoint(request: Request) -> Response:
        user = request.query_params.get("userId", "")
        if not live or not user or request.query_params.get("projectId") != project_id:
            return Json(UNKNOWN_PROJECT, 400)
        view = await _posted(desk, reception, request, user) if request.method == "POST" else None
        try:
            view = view or await desk.next_view(user)
        except Refusal as refusal:
            if refusal.code != "unknown":
                raise
            return Json(UNKNOWN_PROJECT, 400)
        return Json({"page": page_of(view, str(request.base_url).rstrip("/"), has_place), "css": None})

    return [Route("/next", reception.guard(endpoint), methods=["GET", "POST", "OPTIONS"], name="next")]


async def _posted(desk: Desk, reception: Reception, request: Request, user: str) -> dict[str, Any] | None:
    """Keep what was submitted; the view after it. None for a participant who has never asked for a page."""
    flat, size = await reception.read(request, LARGEST_BODY)
    stamp = flat.pop(STAMP, None)
    try:
        answered = await desk.next_answer(user, stamp if isinstance(stamp, str) else None, flat, {}, size)
    except Refusal as refusal:
        if refusal.code != "unknown":
            raise
        return None
    told = [{"name": problem.name, "text": problem.text} for problem in answered.problems]
    return {**answered.view, "problems": told} if told else answered.view


def page_of(view: dict[str, Any], base: str, has_place: Callable[[], bool]) -> str:
    """What stands under ``page``. base: our own address, as the files beside the pages are somewhere else to them."""
    if view["kind"] == "game":
        return GAME if view["game"]["state"] == "playing" or has_place() else WAIT
    own = view["html"] or f"<h1>{html.escape(view['title'])}</h1>"
    page = own.replace(f'"{FILES}', f'"{html.escape(base)}{FILES}')
    if view["kind"] == "end":
        return page + _ending(view["end"])
    told = "".join(f'<p role="alert">{html.escape(problem["text"])}</p>' for problem in view["problems"])
    return f'{told}{page}<input type="hidden" name="{STAMP}" value="{html.escape(view["stamp"] or "")}">'


def _ending(end: dict[str, Any]) -> str:
    said = f"<p>{html.escape(end['text'])}</p>"
    if end["code"]:
        said += f"<p>Your code: <strong>{html.escape(end['code'])}</strong></p>"
    if end["redirect"]:
        said += f'<p><a href="{html.escape(end["redirect"])}">Go on</a></p>'
    return said
