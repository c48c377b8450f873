"""/next, as existing front ends ask for the study's pages; but GET never advances, and one Submit is one answer.

Such a front end knows its participant by a name that it has made. What it sends of a page is a text for each control,
whether ticked or not; what can be told from that is kept, and the visit says by which door it came (``door: next``).
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hippogym.core.study.next_page import FILES, STAMP, UNKNOWN_PROJECT, page_of
from hippogym.core.study.refusal import Refusal
from hippogym.pages.asking import Json, Reception
from hippogym.pages.study_routes import Desk

LARGEST_BODY = 2**20


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
        goes_on = view["kind"] == "game" and (view["game"]["state"] == "playing" or has_place())
        files = f"{str(request.base_url).rstrip('/')}{FILES}"  # our own address: to them the files are somewhere else
        return Json({"page": page_of(view, files, has_place=goes_on), "css": None})

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
