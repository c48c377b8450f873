"""HTTP: what a participant sees next. GET shows, POST advances, and both can be repeated without harm.

    POST /study/arrive?projectId=…    {link, client}                            → {token, resumed, view}
    GET  /study/now?projectId=…                                                 → {view}
    POST /study/now?projectId=…       {receipts: […]}  what the server has said → {view}
    POST /study/answer?projectId=…    {stamp, answers, focusMs, …}              → {view, repeated}
    POST /study/withdraw?projectId=…  {delete}                                  → {view}

All but the first need the participant's signed token (``Authorization: Bearer …``). A view of a game has ``place``:
``{state: waiting}`` until the participant's own server answers, then ``{state: ready, url, ticket}``.
"""

import base64
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from functions.placing import Placing
from functions.surroundings import Surroundings
from functions.visits import Visits
from hippogym.core.study.recruiting import is_preview
from hippogym.core.study.refusal import Refusal
from hippogym.core.study.tickets import read, server_key
from hippogym.core.study.visit import Visit
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

PROJECT = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
LARGEST_BODY, LARGEST_ANSWER = 32 * 2**10, 6 * 2**20  # Lambda takes no more
MOST_FACTS, LONGEST_FACT, MOST_MS = 24, 300, 1e11
MOST_RECEIPTS = 8
BUSY = "The server cannot keep anything at the moment. Nothing is lost: please try again in a few seconds."

Answer = tuple[int, dict[str, Any], dict[str, str]]


class Pages:
    """The endpoints of one project, for one request."""

    def __init__(self, visits: Visits, placing: Placing, key: bytes) -> None:
        self._visits, self._placing, self._key = visits, placing, key

    def arrive(self, request: "Request") -> Answer:
        body, _ = request.json(LARGEST_BODY)
        given = body.get("link")
        link = {key: value for key, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
        if not self._visits.document["live"] and not is_preview(link):
            raise Refusal("not_live", "This study is not open at the moment.", 404)
        token, arrived = self._visits.arrive(link, request.token, facts_of(body.get("client")))
        if arrived.instead_of is not None:
            self._placing.release(arrived.instead_of)
        return 200, {"token": token, "resumed": arrived.resumed, "view": self._view(arrived.visit)}, {}

    def now(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        if request.method == "POST":
            body, _ = request.json(LARGEST_BODY)
            receipts = body.get("receipts")
            if not isinstance(receipts, list) or len(receipts) > MOST_RECEIPTS:
                raise Refusal("bad_value", "Expected receipts as a list.", 400)
            for text in receipts:
                visit = self._visits.told(visit["id"], self._said(visit["id"], text))
        return 200, {"view": self._view(visit)}, {}

    def answer(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        body, size = request.json(LARGEST_ANSWER)
        stamp, answers = body.get("stamp"), body.get("answers", {})
        if not isinstance(answers, dict) or not isinstance(stamp, str | None):
            raise Refusal("bad_value", "Expected a stamp, and answers as an object.", 400)
        focus_ms = _milliseconds(body.get("focusMs"))
        facts = {
            "shown_ms": _milliseconds(body.get("shownMs")),
            "focus_s": None if focus_ms is None else focus_ms / 1000,
            "client": facts_of(body.get("client")),
        }
        after, repeated, problems = self._visits.answer(visit["id"], stamp, answers, facts, size)
        if problems:
            told = [{"name": problem.name, "text": problem.text} for problem in problems]
            return 422, {**_error("incomplete", "Some answers are missing."), "problems": told}, {}
        return 200, {"view": self._view(after), "repeated": repeated}, {}

    def withdraw(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        body, _ = request.json(LARGEST_BODY)
        return 200, {"view": self._view(self._visits.withdraw(visit["id"], delete=body.get("delete") is True))}, {}

    def _said(self, visit_id: str, text: object) -> dict[str, Any]:
        """A receipt of this visit's own server. Raises Refusal."""
        key = server_key(self._key, self._visits.project, visit_id)
        said = read(key, "receipt", text) if isinstance(text, str) else None
        if said is None or said.get("visit") != visit_id:
            raise Refusal("bad_value", "This was not said by this visit's server.", 400)
        return said

    def _view(self, visit: Visit) -> dict[str, Any]:
        """As it is sent; before that the visit's server is seen to."""
        place = self._placing.see_to(visit)
        if place == {"state": "over"}:
            visit = self._visits.time_is_up(visit["id"])
            place = self._placing.see_to(visit)
        view = self._visits.view(self._visits.shown(visit))
        if view["game"] is not None:
            view["game"]["place"] = place or {"state": "waiting"}
        return view


class Request:
    """What API Gateway hands over (payload 2.0)."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self.method = str(event["requestContext"]["http"]["method"])
        self.path = str(event["rawPath"])
        self.headers = {str(name).lower(): str(value) for name, value in event.get("headers", {}).items()}
        self.project = str((event.get("queryStringParameters") or {}).get("projectId", ""))

    @property
    def token(self) -> str | None:
        """The token that was brought."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        token = token.strip()
        return token if kind.lower() == "bearer" and 0 < len(token) <= 200 else None

    def json(self, most_bytes: int) -> tuple[dict[str, Any], int]:
        """The body, which has to be a JSON object, and its size. Raises Refusal."""
        text = self._event.get("body") or ""
        try:
            body = base64.b64decode(text) if self._event.get("isBase64Encoded") else str(text).encode("utf-8")
            if len(body) > most_bytes:
                raise Refusal("too_large", "That is too large to be sent.", 413)
            value = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refusal("not_json", "Expected JSON.", 400) from None
        if not isinstance(value, dict):
            raise Refusal("not_object", "Expected a JSON object.", 400)
        return value, len(body)


class Service:
    """The function. visits_of: for tests with a clock of their own."""

    def __init__(self, around: Surroundings, visits_of: Callable[..., Visits] = Visits, **about: Any) -> None:
        self._around, self._visits_of, self._about = around, visits_of, about

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, as API Gateway takes it."""
        request = Request(event)
        study: dict[str, Any] | None = None
        try:
            found = (
                self._around.objects.get(f"{request.project}/study.json") if PROJECT.match(request.project) else None
            )
            study = found.value if found is not None else None
            if study is None:
                raise Refusal("no_project", "There is no such study here. Please look at your link again.", 404)
            status, body, headers = self._answered(request, study)
        except Refusal as refusal:
            status, body, headers = refusal.status, _error(refusal.code, refusal.text), {}
        except RecordError as problem:
            logger.error("the study's pages: %s", problem)
            status, body, headers = 503, _error("busy", BUSY), {"retry-after": "5"}
        return {
            "statusCode": status,
            "headers": {"content-type": "application/json", **headers, **self._all_headers(request, study)},
            "body": json.dumps(body) if status != 204 else "",
        }

    def _answered(self, request: Request, study: Mapping[str, Any]) -> Answer:
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins(study):
            raise Refusal("origin", "Pages of this web site may not ask here.", 403)
        if request.method == "OPTIONS":
            return 204, {}, {"access-control-max-age": "600"}
        visits = self._visits_of(self._around.objects, study, self._around.key, **self._about)
        placing = Placing(self._around, study, **{k: v for k, v in self._about.items() if k == "clock"})
        pages = Pages(visits, placing, self._around.key)
        endpoints = {
            ("POST", "/study/arrive"): pages.arrive, ("GET", "/study/now"): pages.now,
            ("POST", "/study/now"): pages.now, ("POST", "/study/answer"): pages.answer,
            ("POST", "/study/withdraw"): pages.withdraw,
        }  # fmt: skip
        endpoint = endpoints.get((request.method, request.path))
        if endpoint is None:
            raise Refusal("not_found", "There is nothing here.", 404)
        return endpoint(request)

    def _origins(self, study: Mapping[str, Any] | None) -> list[str]:
        return [self._around.settings["PAGE_ORIGIN"], *(study["origins"] if study is not None else ())]

    def _all_headers(self, request: Request, study: Mapping[str, Any] | None) -> dict[str, str]:
        headers = {"cache-control": "no-store", "vary": "Origin", "x-content-type-options": "nosniff"}
        origin = request.headers.get("origin")
        if origin is not None and origin in self._origins(study):
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-methods"] = "GET, POST, OPTIONS"
            headers["access-control-allow-headers"] = "Authorization, Content-Type"
        return headers


def facts_of(given: object) -> dict[str, Any]:
    """What a browser says of itself, as far as it is kept: a few plain values."""
    if not isinstance(given, dict):
        return {}
    plain = [(key, value) for key, value in given.items() if isinstance(value, str | bool | int | float)]
    return {
        key[:LONGEST_FACT]: value[:LONGEST_FACT] if isinstance(value, str) else value
        for key, value in plain[:MOST_FACTS]
        if not (isinstance(value, int | float) and abs(value) > MOST_MS)
    }


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if 0 <= value <= MOST_MS else None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _error(code: str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "text": text}}


_SERVICE = Service(Surroundings())


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls."""
    return _SERVICE(event)
