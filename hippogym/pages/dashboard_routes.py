"""The researcher's dashboard over HTTP: the page, which holds nothing, and the websocket, which asks for the token."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hippogym.core.origins import may_connect
from hippogym.pages.dashboard.door import Door, Verdict
from hippogym.pages.dashboard.news import News
from hippogym.pages.dashboard.seams import Observatory, Overview, UploadStatus
from hippogym.pages.dashboard.visitor import Visitor, read_object
from hippogym.pages.routes import STATIC, PageSettings, strict_headers

logger = logging.getLogger(__name__)

PAGE = "/dashboard"
SOCKET = "/dashboard/live"
TOKEN_WITHIN_S = 10.0
MOST_AT_THE_DOOR = 64
MOST_VISITORS = 16
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def dashboard_routes(
    observatory: Observatory,
    overview: Overview | None,
    token: str,
    settings: PageSettings,
    records: Path,
    upload_status: UploadStatus | None,
    places: int,
) -> list[BaseRoute]:
    """The routes of the dashboard. Put them before those of the page, and its websocket before the participants'.

    overview: awaited every two seconds while a dashboard is open, None where the study has no steps. token: what opens
    it (``hippogym.pages.dashboard.door.dashboard_token``); the link is ``dashboard_link(url, token)``. records: the
    folder whose disk is shown. upload_status: None where nothing is uploaded. places: how many may take part at a time.

    The overview is a dict of plain values; what is not there is not shown. Numbers of preview visits are not in it:

    ``steps``       [{``name``, ``title``, ``kind``: page|game|end, ``reached``, ``here``, ``left`` (ended there, or
                    abandoned), ``medianS``: seconds spent there or None}], in the way's order
    ``outcomes``    {outcome: visits that ended so}
    ``visits``      {``total``, ``live``, ``abandoned``, ``preview``}
    ``there``       [{``visit``, ``user``, ``step``, ``condition``, ``since_s``, ``preview``}], of who is under way
    ``conditions``  [{``name``, ``weight``, ``quota`` or None, ``complete``, ``live``, ``returned``}]
    ``groups``      the same for variants of a page, with ``factor``: the page's name
    ``answers``     [{``step``, ``name``, ``label``, ``kind``: choice|number|text, ``n``, ``counts``: [[option, n]] for
                    a choice, ``values``: [numbers] for a number, ``right``: n or None}], in the order of the pages
    """
    hello = {"project": settings.project_name or settings.project_id, "places": places, "steps": overview is not None}
    news = News(observatory.snapshot, overview, records, upload_status)
    reception = Reception(Door(token), settings, lambda websocket: Visitor(websocket, news, observatory, hello).stay())
    return [Route(PAGE, _page(), name="dashboard"), WebSocketRoute(SOCKET, reception.serve, name="dashboard-live")]


def dashboard_link(url: str, token: str) -> str:
    """The link to print. The token stands behind the #, which browsers do not send: no server or proxy logs it."""
    return f"{url.rstrip('/')}{PAGE}#token={token}"


class Reception:
    """The websocket of the dashboard, until its token was found to be right."""

    def __init__(self, door: Door, settings: PageSettings, show: Callable[[WebSocket], Awaitable[None]]) -> None:
        self._door = door
        self._listed = frozenset(settings.origins)
        self._dev = settings.dev
        self._show = show
        self._at_the_door = 0
        self._visitors = 0

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        if self._at_the_door >= MOST_AT_THE_DOOR or not self._may_connect(websocket):
            await websocket.close()  # before it is accepted: HTTP 403
            return
        self._at_the_door += 1
        try:
            refusal = await self._ask(websocket)
        except (TimeoutError, WebSocketDisconnect, RuntimeError, KeyError):
            refusal = 4000, "no token"
        finally:
            self._at_the_door -= 1
        if refusal is None and self._visitors >= MOST_VISITORS:
            refusal = 4008, "too many dashboards are open"
        if refusal is not None:
            await _close(websocket, *refusal)
            return
        self._visitors += 1
        logger.info("a dashboard has been opened")
        try:
            await self._show(websocket)
        finally:
            self._visitors -= 1
            logger.info("a dashboard has been closed")

    def _may_connect(self, websocket: WebSocket) -> bool:
        return may_connect(
            websocket.headers.get("origin"),
            host=websocket.headers.get("host", ""),
            secure=websocket.url.scheme == "wss",
            listed=self._listed,
            dev=self._dev,
            v2=True,
        )

    async def _ask(self, websocket: WebSocket) -> tuple[int, str] | None:
        """None where the token is right, else the close code and reason."""
        async with asyncio.timeout(TOKEN_WITHIN_S):
            await websocket.accept()
            said = read_object(await websocket.receive_text()).get("token")
        address = websocket.client.host if websocket.client is not None else ""
        verdict = self._door.try_token(said if isinstance(said, str) else "", address, time.monotonic_ns())
        if verdict is Verdict.OPEN:
            return None
        logger.warning("a dashboard was refused: %s", "wrong token" if verdict is Verdict.WRONG else "too many tries")
        return (4401, "wrong token") if verdict is Verdict.WRONG else (4429, "too many tries")


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        await websocket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # it has gone by itself


def _page() -> Callable[[Request], Awaitable[Response]]:
    """The page. It may be framed by nobody, and nothing of it is kept."""
    body = (STATIC / "dashboard" / "index.html").read_bytes()
    usual = strict_headers(PageSettings("", "", (), dev=False))
    headers = {**usual, "Content-Security-Policy": POLICY, "Cache-Control": "no-store"}

    async def endpoint(request: Request) -> Response:
        return Response(body, media_type="text/html; charset=utf-8", headers=headers)

    return endpoint
