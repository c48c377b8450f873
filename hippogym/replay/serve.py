"""``hippogym replay --serve``: one record in the browser, with a scrubber and a timeline. For this machine only.

The address has a random token in it, as other people may use the same machine; nothing is kept by the browser.
"""

import hmac
import json
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hippogym.core.frame_header import FrameHeader
from hippogym.data.manifest import json_safe
from hippogym.errors import RecordError, StartError
from hippogym.pages.routes import STATIC, TYPES, PageSettings, strict_headers
from hippogym.replay.command import lines_about, progress
from hippogym.replay.frames_kept import FramesKept
from hippogym.replay.timeline import Timeline, timelines
from hippogym.replay.trials import find_trials
from hippogym.replay.verdict import Verdict, judge

ADDRESS = "127.0.0.1"
OURS = Path(__file__).parent / "static"
SHARED = ("css/base.css", "css/parts.css", "favicon.svg")  # of the participants' page

_HEADERS = {**strict_headers(PageSettings("", "", (), dev=False)), "Cache-Control": "no-store"}


def serve(where: Path, study: Path, port: int = 0) -> int:
    """Replay a record, then show it until somebody presses Ctrl-C. Returns 0.

    Raises RecordError, AgentError; StartError where the port is taken.
    """
    if where.is_dir():
        raise RecordError(f"{where} is a folder; one record is shown at a time")
    (trial,) = find_trials(where)
    lines = timelines(where)
    if not lines:
        raise RecordError(f"there is no episode in {where}")
    with FramesKept() as frames:

        def keep(header: FrameHeader, jpeg: bytes) -> None:
            frames.add(header.episode, header.tick, jpeg)

        with progress("replaying") as at_tick:
            verdicts = judge(study, trial.records, trial.wanted, on_frame=keep, on_tick=at_tick)
        told = describe(where.name, lines, verdicts, frames)
        token = secrets.token_urlsafe(16)
        with _listen(port) as sock:
            sys.stdout.write(f"Look at http://{ADDRESS}:{sock.getsockname()[1]}/{token}/   (Ctrl-C stops)\n")
            sys.stdout.flush()
            _run(replay_app(told, frames, token), sock)
    return 0


def describe(name: str, lines: list[Timeline], verdicts: list[Verdict], frames: FramesKept) -> dict[str, Any]:
    """All that the page shows, but for the pictures; each episode's moments as columns, which are shorter."""
    by_episode = {verdict.episode: verdict for verdict in verdicts}
    episodes = []
    for line in lines:
        verdict = by_episode.get(line.episode)
        columns = {field: [getattr(moment, field) for moment in line.moments] for field in vars(line.moments[0])}
        columns["shown"] = [sha256 is not None for sha256 in columns.pop("frame_sha256")]
        columns["picture"] = [frames.has(line.episode or 0, moment.tick) for moment in line.moments]
        marks = [asdict(mark) for mark in line.marks]
        about = {"episode": line.episode, "game": line.game, "rate": line.rate, "reason": line.reason}
        episodes.append({**about, "moments": columns, "marks": marks, "verdict": _told(verdict)})
    return {"record": name, "episodes": json_safe(episodes)}


def _told(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {"status": verdict.status, "tick": verdict.tick, "lines": list(lines_about(verdict))[1:]}


def replay_app(told: dict[str, Any], frames: FramesKept, token: str) -> ASGIApp:
    """The page below ``/<token>/``, and nothing anywhere else."""
    data = json.dumps(told, ensure_ascii=True, allow_nan=False).encode()

    async def picture(request: Request) -> Response:
        jpeg = frames.get(request.path_params["episode"], request.path_params["tick"])
        return _missing() if jpeg is None else Response(jpeg, media_type="image/jpeg", headers=_HEADERS)

    routes = [Route("/data.json", _constant(data, "application/json"))]
    routes.append(Route("/frames/{episode:int}/{tick:int}.jpg", picture))
    files = {f"/static/{name}": STATIC / name for name in SHARED}
    files |= {f"/static/{path.name}": path for path in sorted(OURS.iterdir()) if path.name != "index.html"}
    files["/"] = OURS / "index.html"
    routes += [Route(url, _constant(path.read_bytes(), TYPES[path.suffix])) for url, path in files.items()]
    routes.append(Route("/{path:path}", _missing()))
    return _Guard(Starlette(routes=routes), token)


class _Guard:
    """Lets only those in who know the token, and who have asked this machine by its own name.

    (A page elsewhere can give its own name our address, and so get around the browser's rules; it cannot give itself
    our name.)
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        first, _, rest = scope["path"].removeprefix("/").partition("/")
        host = dict(scope["headers"]).get(b"host", b"").rpartition(b":")[0]
        known = hmac.compare_digest(first.encode(), self._token) and host in (ADDRESS.encode(), b"localhost")
        if scope["type"] != "http" or not known:
            await _missing()(scope, receive, send)
            return
        await self._app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)


def _constant(body: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return Response(body, media_type=media_type, headers=_HEADERS)

    return endpoint


def _missing() -> Response:
    return PlainTextResponse("Not found\n", 404, _HEADERS)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as problem:
        raise StartError(f"port {port} of this machine cannot be used: {problem}") from problem


def _run(app: ASGIApp, sock: socket.socket) -> None:
    """Without an access log, as the token stands in every address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[sock])
