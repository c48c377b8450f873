"""The listening server of a study, and what it is made of."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from hippogym import __version__
from hippogym.assembly.study_desk import StudyDesk
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
    desk: StudyDesk | None,
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
    records = Path(sessions.spec["records"])
    if desk is not None:
        desk.desk.on_leaving = sessions.end_visit
        desk.desk.on_deletion = deletion(records, study.project.id, uploaded=uploader is not None)
        await desk.desk.open()

    async def on_stopped(after_s: float) -> None:
        if desk is not None:
            await asyncio.to_thread(desk.thread.close)
        if uploader is not None:
            await asyncio.to_thread(uploader.drain, max(0.0, study.trial.uploadDeadline - after_s))

    def ready(port: int) -> None:
        scheme = "http" if certificates is None else "https"
        url = f"{scheme}://{_for_people(address)}:{port}/"
        sys.stdout.write(f"Play at {url}   (Ctrl-C stops)\nWatch at {dashboard_link(url, token)}\n")
        sys.stdout.flush()

    project, trial = study.project, study.trial
    pages = PageSettings(
        project.id,
        project.name or project.id,
        tuple(project.origins),
        dev,
        step_pages=desk.step_pages if desk is not None else None,
        scripts=project.scripts,
    )
    of_study = desk.routes(pages, lambda: sessions.has_place) if desk is not None else []
    observatory = Observatory(sessions)
    of_researcher = dashboard_routes(
        observatory,
        desk.desk.overview if desk is not None else None,
        token,
        pages,
        records,
        status if uploader is not None else None,
        sessions.most,
    )
    ui = frozenset(name for name, shown in trial.ui.items() if shown)
    server = Server(
        sessions=sessions,
        welcome=Welcome(_wire(study), ui, frozenset(project.origins), dev, most_sockets=4 * sessions.most + 64),
        routes=[*of_study, *of_researcher, *page_routes(pages)],
        certificates=certificates,
        ready=ready,
        on_stopped=on_stopped,
    )
    async with observatory:
        await server.run(sock)


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
