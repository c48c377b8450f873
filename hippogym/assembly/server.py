"""The listening server of a study, and what it is made of."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.routing import BaseRoute

from hippogym import __version__
from hippogym.assembly.study_desk import StudyDesk
from hippogym.assembly.ticket_window import TicketWindow
from hippogym.config import Environment, Study
from hippogym.data.deletion import delete_trials
from hippogym.data.upload_status import status
from hippogym.data.uploader import Uploader
from hippogym.live.certificates import Certificates
from hippogym.live.endpoint import Welcome
from hippogym.live.observing import Observatory
from hippogym.live.server import Server
from hippogym.live.sessions import Sessions
from hippogym.pages.dashboard_routes import dashboard_link, dashboard_routes
from hippogym.pages.routes import PageSettings, page_routes

ADDRESS = "localhost"
PORT = 5000

logger = logging.getLogger("communicator")


def address_of(address: str | None, port: int | None, surroundings: Environment) -> tuple[str, int]:
    """Where to listen: what the arguments say, else the environment, else localhost and 5000."""
    where = address or surroundings.ADDRESS or ADDRESS
    return where, next(number for number in (port, surroundings.PORT, PORT) if number is not None)


async def serve(
    sock: socket.socket,
    study: Study,
    sessions: Sessions,
    desk: StudyDesk | TicketWindow | None,
    uploader: Uploader | None,
    certificates: Certificates | None,
    *,
    dev: bool,
    address: str,
    token: str,
) -> None:
    """Listen until told to stop; then see that everything is kept, and uploaded as far as there is time.

    token: what opens the researcher's dashboard.
    """
    window = desk if isinstance(desk, TicketWindow) else None
    records = Path(sessions.spec["records"])
    if isinstance(desk, StudyDesk):
        desk.desk.on_leaving = sessions.end_visit
        desk.desk.on_deletion = deletion(records, study.project.id, uploaded=uploader is not None)
        await desk.desk.open()

    async def on_stopped(after_s: float) -> None:
        if isinstance(desk, StudyDesk):
            await asyncio.to_thread(desk.thread.close)
        left_s = max(0.0, study.trial.uploadDeadline - after_s)
        async with asyncio.TaskGroup() as tasks:
            if window is not None:
                tasks.create_task(window.close(left_s))
            if uploader is not None:
                tasks.create_task(asyncio.to_thread(uploader.drain, left_s))

    def ready(port: int) -> None:
        scheme = "http" if certificates is None else "https"
        url = f"{scheme}://{_for_people(address)}:{port}/"
        how = "with a ticket" if window is not None else "Ctrl-C stops"
        watch = "" if window is not None else f"Watch at {dashboard_link(url, token)}\n"
        sys.stdout.write(f"Play at {url}   ({how})\n{watch}")
        sys.stdout.flush()

    observatory = Observatory(sessions)
    if isinstance(desk, TicketWindow):
        routes, origins = desk.routes(), {*study.project.origins, *desk.origins}
    else:
        routes = routes_of(study, sessions, desk, observatory, records, token, dev=dev, uploads=uploader is not None)
        origins = set(study.project.origins)
    ui = frozenset(name for name, shown in study.trial.ui.items() if shown)
    server = Server(
        sessions=sessions,
        welcome=Welcome(_wire(study), ui, frozenset(origins), dev, most_sockets=4 * sessions.most + 64),
        routes=routes,
        certificates=certificates,
        ready=ready,
        on_stopped=on_stopped,
        until_s=window.until_s if window is not None else None,
    )
    async with observatory:
        await server.run(sock)


def routes_of(
    study: Study,
    sessions: Sessions,
    desk: StudyDesk | None,
    observatory: Observatory,
    records: Path,
    token: str,
    *,
    dev: bool,
    uploads: bool,
) -> list[BaseRoute]:
    """The pages of the participants, where the study has steps, and those of the researcher."""
    project = study.project
    pages = PageSettings(
        project.id,
        project.name or project.id,
        tuple(project.origins),
        dev,
        step_pages=desk.step_pages if desk is not None else None,
        scripts=project.scripts,
    )
    of_study = desk.routes(pages, lambda: sessions.has_place) if desk is not None else []
    of_researcher = dashboard_routes(
        observatory,
        desk.desk.overview if desk is not None else None,
        token,
        pages,
        records,
        status if uploads else None,
        sessions.most,
    )
    return [*of_study, *of_researcher, *page_routes(pages)]


def deletion(records: Path, project: str, *, uploaded: bool) -> Callable[[str | None, list[str]], Awaitable[None]]:
    """What removes the records of somebody who has withdrawn."""

    async def delete(user: str | None, trials: list[str]) -> None:
        await asyncio.to_thread(delete_trials, records, project, user, trials, uploaded=uploaded)

    return delete


def _for_people(address: str) -> str:
    if address in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{address}]" if ":" in address else address


def _wire(study: Study) -> dict[str, object]:
    """What the ``welcome`` message says of the study."""
    return {
        "graceS": study.trial.reconnectGrace,
        "version": __version__,
        "project": study.project.name or study.project.id,
        "projectId": study.project.id,
        "game": study.trial.game,
        "instructions": list(study.trial.instructions),
    }
