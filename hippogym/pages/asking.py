"""How the study's pages are asked over HTTP: who may, how much, how often; and how they answer when not."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hippogym.core.origins import may_connect
from hippogym.core.rate_limit import TokenBucket
from hippogym.core.study.refusal import Refusal
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

LARGEST_BODY = 32 * 2**10
LARGEST_ANSWER = 12 * 2**20  # a file of 8 MiB, as base64, with some words around it
MOST_AT_ONCE = 96 * 2**20  # of all bodies that are on their way in
BODY_WITHIN_S = 120.0
LONG = 256 * 2**10  # from here on a body is read as JSON in a thread
KNOWN_CLIENTS = 20_000
AGAIN_S = "5"

BUSY = "The server cannot keep anything at the moment. Nothing is lost: please try again in a few seconds."
FULL_DISK = "The server has no room left to keep answers. Please do not close this page; try again in a minute."

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Rate:
    """So many a second, and so many at once."""

    a_second: float
    burst: float


class Json(Response):
    """An answer in JSON. ASCII, so that half characters, which JavaScript can send, can be sent back."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, separators=(",", ":")).encode()


class Limits:
    """How often each client may ask; the ones that were quiet for longest are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def allow(self, who: str, now_ns: int) -> bool:
        """Whether this one may ask once more."""
        bucket = self._buckets.pop(who, None) or TokenBucket(self._rate.a_second, self._rate.burst)
        self._buckets[who] = bucket
        if len(self._buckets) > KNOWN_CLIENTS:
            self._buckets.popitem(last=False)
        return bucket.allow(now_ns)


@dataclass
class Reception:
    """What stands before every endpoint of the study.

    origins: whose pages may ask, beside our own. headers: of every answer. dev: pages of this machine may ask too.
    """

    origins: frozenset[str]
    headers: Mapping[str, str]
    dev: bool
    _by_address: Limits = field(default_factory=lambda: Limits(Rate(50, 600)))
    _by_token: Limits = field(default_factory=lambda: Limits(Rate(10, 60)))
    _bytes: int = 0

    def guard(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for those who may ask; and with an answer for everything that may go wrong in it."""

        async def guarded(request: Request) -> Response:
            response = await self._answer(request, endpoint)
            for name, value in self._all_headers(request).items():
                response.headers.setdefault(name, value)
            return response

        return guarded

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        if not self.welcomes(request):
            return trouble("origin", "Pages of this web site may not ask here.", 403)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Access-Control-Max-Age": "600"})
        if not self._within_limits(request):
            return trouble("too_many", "Please wait a moment, and try again.", 429, {"Retry-After": AGAIN_S})
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return trouble(refusal.code, refusal.text, refusal.status)
        except RecordError as problem:
            logger.error("the study's pages: %s", problem)
            code, text = ("disk_full", FULL_DISK) if problem.disk_full else ("busy", BUSY)
            return trouble(code, text, 503, {"Retry-After": AGAIN_S})
        except ClientDisconnect:
            return Response(status_code=400)

    def welcomes(self, request: Request) -> bool:
        """Whether the page that asks is ours or listed. What is no page says nothing of where it comes from."""
        origin = request.headers.get("origin")
        host, secure = request.headers.get("host", ""), request.url.scheme == "https"
        return origin is None or may_connect(
            origin, host=host, secure=secure, listed=self.origins, dev=self.dev, v2=True
        )

    def _all_headers(self, request: Request) -> dict[str, str]:
        headers = {**self.headers, "Cache-Control": "no-store", "Vary": "Origin"}
        origin = request.headers.get("origin")
        if origin is not None and self.welcomes(request):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        return headers

    def _within_limits(self, request: Request) -> bool:
        now_ns, token = time.monotonic_ns(), token_of(request)
        if token is not None and not self._by_token.allow(token, now_ns):
            return False
        return self._by_address.allow(request.client.host if request.client is not None else "", now_ns)

    async def read(self, request: Request, most_bytes: int = LARGEST_BODY) -> tuple[dict[str, Any], int]:
        """The body, which has to be a JSON object, and its size. Raises Refusal."""
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > most_bytes:
            raise _too_large(most_bytes)
        body = bytearray()
        try:
            with self._counted() as count:
                async with asyncio.timeout(BODY_WITHIN_S):
                    async for chunk in request.stream():
                        body += chunk
                        if len(body) > most_bytes:
                            raise _too_large(most_bytes)
                        count(len(chunk))
                value = await asyncio.to_thread(_json, body) if len(body) > LONG else _json(body)
        except TimeoutError:
            raise Refusal("too_slow", "This took too long. Please try again.", 408) from None
        if not isinstance(value, dict):
            raise Refusal("not_object", "Expected a JSON object.", 400)
        return value, len(body)

    @contextmanager
    def _counted(self) -> Any:
        mine = 0

        def count(size: int) -> None:
            nonlocal mine
            mine += size
            self._bytes += size
            if self._bytes > MOST_AT_ONCE:
                raise Refusal("busy", BUSY, 503)

        try:
            yield count
        finally:
            self._bytes -= mine


def token_of(request: Request) -> str | None:
    """The token that was brought."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if kind.lower() == "bearer" and 0 < len(token) <= 200 else None


def trouble(code: str, text: str, status: int, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """What is answered when something is not as it should be."""
    return Json({"error": {"code": code, "text": text}, **more}, status, headers)


def _too_large(most_bytes: int) -> Refusal:
    most = f"{most_bytes // 2**20} MB" if most_bytes >= 2**20 else f"{most_bytes // 2**10} kB"
    return Refusal("too_large", f"That is too large; at most {most} can be sent.", 413)


def _json(body: bytearray) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refusal("not_json", "Expected JSON.", 400) from None


def _no_constant(name: str) -> None:
    raise ValueError(name)
