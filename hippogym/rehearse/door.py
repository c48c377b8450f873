"""The study's HTTP interface, as a participant's page speaks it (docs/protocol.md, "The study").

A request that brought no answer is repeated like a page does: what it asks can be asked twice without harm.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hippogym.rehearse.story import Trouble

ANSWER_WITHIN_S = 30.0
TRY_FOR_S = 60.0
BUSY = (429, 503)
KEPT_ALIVE_S = 2.0  # shorter than servers keep a connection, so that none is closed under a request
CLIENT = {"browser": "rehearsal", "system": "rehearsal"}


class Refused(Trouble):
    """The server has refused. status: of HTTP. problems: what is wrong with an answer, control by control."""

    def __init__(self, status: int, code: str, text: str, problems: list[dict[str, str]]) -> None:
        super().__init__(f"refused with {status} {code}: {text}")
        self.status, self.code, self.problems = status, code, problems


class OnlyGame(Exception):
    """The study has no steps around its game, and so no desk."""


@dataclass
class Door:
    """One participant's browser, so far as it asks for pages. token: the visit's, after ``arrive``."""

    http: httpx.AsyncClient
    link: Mapping[str, str]
    token: str | None = None
    took_s: list[float] = field(default_factory=list)
    retries: int = 0

    async def arrive(self) -> dict[str, Any]:
        """Open the study's page; returns {token, resumed, view}. Raises OnlyGame where there is nothing but a game."""
        told = await self._ask("POST", "/study/arrive", {"link": dict(self.link), "client": CLIENT})
        self.token = str(told["token"])
        return told

    async def now(self) -> dict[str, Any]:
        """The view of now; it changes nothing."""
        return dict((await self._ask("GET", "/study/now"))["view"])

    async def answer(self, stamp: str, answers: Mapping[str, Any], shown_ms: float) -> dict[str, Any]:
        """Submit; returns {view, repeated}. Raises Refused with its problems where something is missing."""
        facts = {"shownMs": round(shown_ms), "focusMs": round(shown_ms), "client": CLIENT}
        return await self._ask("POST", "/study/answer", {"stamp": stamp, "answers": dict(answers), **facts})

    async def page(self, path: str) -> int:
        """Load anything that a browser would load, such as the study's own page; returns the status."""
        return (await self._request("GET", path, None)).status_code

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        began_s = time.monotonic()
        answer = await self._request(method, path, body)
        self.took_s.append(time.monotonic() - began_s)
        return _read(method, path, answer)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        began_s, wait_s = time.monotonic(), 0.25
        while True:
            try:
                answer = await self.http.request(method, path, json=body, headers=headers)
                if answer.status_code not in BUSY:
                    return answer
                why = str(answer.status_code)
            except httpx.TransportError as problem:
                why = type(problem).__name__
            if time.monotonic() - began_s > TRY_FOR_S:
                raise Trouble(f"{method} {path} had no answer for {TRY_FOR_S:.0f} s ({why})")
            self.retries += 1
            await asyncio.sleep(wait_s)
            wait_s = min(5.0, 2 * wait_s)


def _read(method: str, path: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if answer.status_code == 404 and path == "/study/arrive":
        raise OnlyGame
    if not isinstance(told, dict):
        raise Trouble(f"{method} {path} was answered with {answer.status_code} and no JSON object")
    if answer.status_code != 200:
        error = told.get("error") or {}
        raise Refused(answer.status_code, str(error.get("code")), str(error.get("text")), told.get("problems") or [])
    return told


@asynccontextmanager
async def door(url: str, tls: ssl.SSLContext | None, link: Mapping[str, str], line: Path | None) -> AsyncIterator[Door]:
    """A participant's own connections to the server at ``url``. line: the socket of a shaped line, if there is one."""
    transport = httpx.AsyncHTTPTransport(
        verify=tls or False,
        uds=None if line is None else str(line),
        limits=httpx.Limits(max_connections=6, keepalive_expiry=KEPT_ALIVE_S),
    )
    headers = {"Origin": url}
    async with httpx.AsyncClient(
        transport=transport, base_url=url, headers=headers, timeout=ANSWER_WITHIN_S, trust_env=False
    ) as http:
        yield Door(http, link)
