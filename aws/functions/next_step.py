"""HTTP: what a participant sees next. GET shows, POST advances, and both can be repeated without harm.

    POST /study/arrive?projectId=…    {link, client}                            → {token, resumed, view, study: {name}}
    GET  /study/now?projectId=…       &after=game: it may be over, or moved     → {view}
    POST /study/now?projectId=…       {receipts: […]}  what the server has said → {view}
    POST /study/answer?projectId=…    {stamp, answers, focusMs, …}              → {view, repeated}
    POST /study/withdraw?projectId=…  {delete}                                  → {view}
    GET, POST /next?projectId=…&userId=…   existing front ends (next_door.py)   → {page, css}

Those of /study but the first need the participant's signed token (``Authorization: Bearer …``). A view of a game has
``place``: ``{state: waiting}`` until the participant's own server answers, then ``{state: ready, url, ticket}``. What a
server has said of a game comes by the participant's page, and by the bucket: so it comes when the page was closed.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from functions.next_door import NamedVisits, NextDoor
from functions.placing import Placing
from functions.receipts import Receipts
from functions.surroundings import Surroundings
from functions.visits import Visits
from hippogym.core.study.next_page import UNKNOWN_PROJECT, with_files
from hippogym.core.study.recruiting import is_preview
from hippogym.core.study.refusal import Refusal
from hippogym.core.study.said import about_answer, facts_of
from hippogym.core.study.visit import Visit
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

PROJECT = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
LARGEST_BODY, LARGEST_ANSWER = 32 * 2**10, 6 * 2**20  # Lambda takes no more
LARGEST_NEXT = 2**20
MOST_RECEIPTS = 8
BUSY = "The server cannot keep anything at the moment. Nothing is lost: please try again in a few seconds."

Answer = tuple[int, dict[str, Any] | str, dict[str, str]]


class Pages:
    """The endpoints of one project, for one request."""

    def __init__(self, visits: Visits, placing: Placing, receipts: Receipts) -> None:
        self._visits, self._placing, self._receipts = visits, placing, receipts

    def arrive(self, request: "Request") -> Answer:
        body, _ = request.json(LARGEST_BODY)
        given = body.get("link")
        link = {key: value for key, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
        if not self._visits.document["live"] and not is_preview(link):
            raise Refusal("not_live", "This study is not open at the moment.", 404)
        token, arrived = self._visits.arrive(link, request.token, facts_of(body.get("client")))
        if arrived.instead_of is not None:
            self._placing.release(arrived.instead_of)
        study = {"name": self._visits.document["study"].get("name") or ""}
        view = self._view(arrived.visit)
        return 200, {"token": token, "resumed": arrived.resumed, "view": view, "study": study}, {}

    def now(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        if request.method == "POST":
            body, _ = request.json(LARGEST_BODY)
            receipts = body.get("receipts")
            if not isinstance(receipts, list) or len(receipts) > MOST_RECEIPTS:
                raise Refusal("bad_value", "Expected receipts as a list.", 400)
            visit = self._receipts.told(visit, receipts)
        return 200, {"view": self._view(visit, after_game=request.query.get("after") == "game")}, {}

    def answer(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        body, size = request.json(LARGEST_ANSWER)
        stamp, answers = body.get("stamp"), body.get("answers", {})
        if not isinstance(answers, dict) or not isinstance(stamp, str | None):
            raise Refusal("bad_value", "Expected a stamp, and answers as an object.", 400)
        after, repeated, problems = self._visits.answer(visit["id"], stamp, answers, about_answer(body), size)
        if problems:
            told = [{"name": problem.name, "text": problem.text} for problem in problems]
            return 422, {**_error("incomplete", "Some answers are missing."), "problems": told}, {}
        return 200, {"view": self._view(after), "repeated": repeated}, {}

    def withdraw(self, request: "Request") -> Answer:
        visit = self._visits.find(request.token)
        body, _ = request.json(LARGEST_BODY)
        return 200, {"view": self._view(self._visits.withdraw(visit["id"], delete=body.get("delete") is True))}, {}

    def _view(self, visit: Visit, *, after_game: bool = False) -> dict[str, Any]:
        """As it is sent."""
        visit, place = seen_to(visit, self._visits, self._placing, self._receipts, after_game=after_game)
        view = self._visits.view(self._visits.shown(visit))
        view["html"] = with_files(view["html"], f"/{self._visits.project}/StepFiles/")  # beside the page, on CloudFront
        if view["game"] is not None:
            view["game"]["place"] = place or {"state": "waiting"}
        return view


def seen_to(
    visit: Visit, visits: Visits, placing: Placing, receipts: Receipts, *, after_game: bool = False
) -> tuple[Visit, dict[str, Any] | None]:
    """The visit's server is seen to, before anything is shown; returns the visit as it is then, and its place."""
    place = placing.see_to(visit)
    if place is not None and (after_game or place["state"] != "ready"):
        known = receipts.from_bucket(visit)
        if known is not visit:
            visit, place = known, placing.see_to(known)
    if place == {"state": "over"}:
        visit = visits.time_is_up(visit["id"])
        place = placing.see_to(visit)
    return visit, place


class Request:
    """What API Gateway hands over (payload 2.0)."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self.method = str(event["requestContext"]["http"]["method"])
        self.path = str(event["rawPath"])
        self.headers = {str(name).lower(): str(value) for name, value in event.get("headers", {}).items()}
        self.query = {str(name): str(value) for name, value in (event.get("queryStringParameters") or {}).items()}
        self.project = self.query.get("projectId", "")

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
        body: dict[str, Any] | str
        try:
            found = (
                self._around.objects.get(f"{request.project}/study.json") if PROJECT.match(request.project) else None
            )
            if found is not None and found.value.get("id") == request.project:  # else its codes are another study's
                study = found.value
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

    def _answered(self, request: Request, study: Mapping[str, Any] | None) -> Answer:
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins(study):
            raise Refusal("origin", "Pages of this web site may not ask here.", 403)
        if request.method == "OPTIONS":
            return 204, {}, {"access-control-max-age": "600"}
        if study is None and request.path == "/next":
            return 400, UNKNOWN_PROJECT, {}
        if study is None:
            raise Refusal("no_project", "There is no such study here. Please look at your link again.", 404)
        about = {name: value for name, value in self._about.items() if name != "is_well"}
        visits_of = NamedVisits if request.path == "/next" else self._visits_of
        visits = visits_of(self._around.objects, study, self._around.key, **about)
        placing = Placing(
            self._around, study, **{name: self._about[name] for name in ("clock", "is_well") if name in self._about}
        )
        receipts = Receipts(self._around.objects, visits, self._around.key, placing.server_of)
        if isinstance(visits, NamedVisits):
            return self._next(request, visits, placing, receipts)
        pages = Pages(visits, placing, receipts)
        endpoints = {
            ("POST", "/study/arrive"): pages.arrive, ("GET", "/study/now"): pages.now,
            ("POST", "/study/now"): pages.now, ("POST", "/study/answer"): pages.answer,
            ("POST", "/study/withdraw"): pages.withdraw,
        }  # fmt: skip
        endpoint = endpoints.get((request.method, request.path))
        if endpoint is None:
            raise Refusal("not_found", "There is nothing here.", 404)
        return endpoint(request)

    def _next(self, request: Request, visits: NamedVisits, placing: Placing, receipts: Receipts) -> Answer:
        files = f"{self._around.settings['PAGE_ORIGIN']}/{visits.project}/StepFiles/"
        door = NextDoor(visits, lambda visit: seen_to(visit, visits, placing, receipts), files)
        user = request.query.get("userId", "")
        if request.method == "POST":
            return door.post(user, *request.json(LARGEST_NEXT))
        return door.get(user)

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


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _error(code: str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "text": text}}


_SERVICE = Service(Surroundings())


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls."""
    return _SERVICE(event)
