"""The desk of a participant's server on AWS, with everything behind it: tickets in, receipts out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from hippogym.assembly.going_on import episodes_over
from hippogym.assembly.receipts import ReceiptPost
from hippogym.config import Environment, Study
from hippogym.data.storage import open_storage
from hippogym.errors import StartError
from hippogym.live.ticket_desk import TicketDesk

ANSWER_S = 5.0  # somebody waits for what is asked of the bucket here
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class TicketWindow:
    """The desk, and what brings its receipts to the bucket. origins: whose pages may come besides the study's own.

    until_s: when its games end, in seconds since 1970.
    """

    desk: TicketDesk
    post: ReceiptPost | None
    origins: tuple[str, ...]
    until_s: float | None

    def routes(self) -> list[BaseRoute]:
        """Whether the server is well, and nothing else: the study's pages are elsewhere."""
        # A response is an ASGI app of its own; as such it answers every method.
        not_found = PlainTextResponse("Not found\n", 404, HEADERS)
        return [Route("/healthz", _healthz, name="healthz"), Route("/{path:path}", not_found, name="not-found")]

    async def close(self, seconds: float) -> None:
        """Bring the last receipts to the bucket, for at most so long."""
        if self.post is not None:
            await asyncio.to_thread(self.post.close, seconds)


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok", headers=HEADERS)


@contextmanager
def ticket_window(study: Study, surroundings: Environment, *, dev: bool) -> Iterator[TicketWindow]:
    """The desk while it is open. dev: without a bucket. Raises StartError, StorageError."""
    key, project = surroundings.TICKET_KEY, study.project
    if key is None:
        raise StartError("Tickets cannot be read without TICKET_KEY.")
    setup = project.awsSetup
    bucket = surroundings.STUDY_BUCKET or (setup.bucket if setup is not None else None)
    region = setup.region if setup is not None else None
    origins = (surroundings.PAGE_ORIGIN,) if surroundings.PAGE_ORIGIN is not None else ()
    desk = TicketDesk(key, project.resume, study.trial_settings)
    if bucket is None or dev:
        yield TicketWindow(desk, None, origins, surroundings.UNTIL_S)
        return
    store = open_storage(f"s3://{bucket}", region=region, answer_s=ANSWER_S)
    with ReceiptPost(store, project.id) as post:
        desk.look, desk.keep = episodes_over(store, project.id), post.keep
        yield TicketWindow(desk, post, origins, surroundings.UNTIL_S)
