"""The participant's page over HTTP: the files, what the page must know of the study, and the headers that fence it in.

All files are read once, when the routes are made, so that no request touches the disk and no text of a client is
ever part of a path.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from hippogym.core.study.page_kinds import PAGE_KINDS
from hippogym.pages.policy import content_policy

STATIC = Path(__file__).parent / "static"

# Only these are served. `package.json` beside the modules tells node what they are, and is nobody else's business.
TYPES = PAGE_KINDS


@dataclass(frozen=True)
class PageSettings:
    """What the page is told about the study.

    origins: other origins (``https://host[:port]``) that the page may talk to, take a style sheet from, lead on to, and
        be framed by. dev: servers on this machine are welcome too.
    step_pages: the HTML of every page of the study's steps, as the browser will get it (cleaned); None: there are no
        steps, only the game. scripts: whether the scripts in these pages may run.
    """

    project_id: str
    project_name: str
    origins: tuple[str, ...]
    dev: bool
    step_pages: tuple[str, ...] | None = None
    scripts: bool = False


def page_routes(settings: PageSettings) -> list[BaseRoute]:
    """The routes of the page. They end with one that answers everything else with 404: put them last.

    Raises ValueError for an origin that is not ``http(s)://host[:port]``: it would end up in a header.
    """
    headers = strict_headers(settings)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    page = page.replace("PROJECT_NAME", html.escape(settings.project_name or "HIPPO Gym"))
    told = json.dumps(
        {
            "projectId": settings.project_id,
            "projectName": settings.project_name,
            "origins": list(settings.origins),
            "dev": settings.dev,
            "steps": settings.step_pages is not None,
            "scripts": settings.scripts,
        },
        ensure_ascii=False,
    )
    routes: list[BaseRoute] = [
        Route("/", _constant(page.encode(), TYPES[".html"], page_headers(settings)), name="page"),
        Route("/page-settings", _constant(told.encode(), "application/json", headers), name="page-settings"),
        Route("/healthz", _healthz(headers), name="healthz"),
    ]
    for path, body, media_type in _static_files():
        routes.append(Route(path, _constant(body, media_type, headers), name=path))
    # A response is an ASGI app of its own; as such it answers every method.
    routes.append(Route("/{path:path}", PlainTextResponse("Not found\n", 404, headers), name="not-found"))
    return routes


def strict_headers(settings: PageSettings) -> dict[str, str]:
    """The headers of every answer: nothing inline, nothing from elsewhere except what the study lists."""
    return {
        "Content-Security-Policy": content_policy(settings.origins, dev=settings.dev),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def page_headers(settings: PageSettings) -> dict[str, str]:
    """The headers of the page itself, into which the study's steps are put: they let in what stands inline there."""
    policy = content_policy(
        settings.origins, dev=settings.dev, step_pages=settings.step_pages, scripts=settings.scripts
    )
    return {**strict_headers(settings), "Content-Security-Policy": policy}


def _static_files() -> list[tuple[str, bytes, str]]:
    """(URL path, content, media type) of every file of a type we serve; the page itself is at ``/`` only."""
    found = []
    for file in sorted(STATIC.rglob("*")):
        if file.suffix in TYPES and file.name != "index.html":
            found.append((f"/static/{file.relative_to(STATIC).as_posix()}", file.read_bytes(), TYPES[file.suffix]))
    return found


def _constant(body: bytes, media_type: str, headers: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for content that never changes while the server runs; a browser asks again and mostly gets 304."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    full_headers = {**headers, "ETag": etag, "Cache-Control": "no-cache"}

    async def endpoint(request: Request) -> Response:
        if _has_it(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=full_headers)
        return Response(body, media_type=media_type, headers=full_headers)

    return endpoint


def _has_it(if_none_match: str, etag: str) -> bool:
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return etag in candidates or "*" in candidates


def _healthz(headers: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok", headers={**headers, "Cache-Control": "no-store"})

    return endpoint
