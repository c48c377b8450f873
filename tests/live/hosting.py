"""A server inside the test's own process, so that a test can look at its sessions and be their desk."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from communicator import describe
from hippogym.config import load_study
from hippogym.live.admission import Admission
from hippogym.live.endpoint import Endpoint, Welcome
from hippogym.live.fenced_socket import FencedHttp, FencedWebSocket
from hippogym.live.server import QuietServer, listen
from hippogym.live.session import Session, SessionLimits
from hippogym.live.sessions import Sessions
from tests.patience import PATIENCE_S
from tests.servers import RunningServer
from trial import play


@dataclass
class StandInDesk:
    """A desk of few words: visits by token, and what it was told of them, in order."""

    visits: dict[str, Admission] = field(default_factory=dict)
    users: dict[str, Admission] = field(default_factory=dict)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    trouble: Exception | None = None

    async def admit(self, token: str) -> Admission | None:
        if self.trouble is not None:
            raise self.trouble
        return self.visits.get(token)

    async def admit_user(self, user: str) -> Admission | None:
        return self.users.get(user)

    async def began(self, visit_id: str, trial: str, step: str | None = None) -> None:
        self._note("began", visit_id, trial)

    async def progress(self, visit_id: str, progress: Mapping[str, Any]) -> None:
        self._note("progress", visit_id, dict(progress))

    async def over(self, visit_id: str, result: Mapping[str, Any]) -> None:
        self._note("over", visit_id, dict(result))

    def _note(self, *what: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(what)

    def of(self, what: str) -> list[Any]:
        return [told[2] for told in self.told if told[0] == what]


@dataclass
class Host:
    """A running server. settings: the study's trial settings, to make others from."""

    ws: str
    sessions: Sessions
    settings: dict[str, Any]
    records: Path
    known: frozenset[str] = frozenset()

    def admission(self, visit: str, user: str | None = None, **overrides: Any) -> Admission:
        settings = {**self.settings, **overrides.pop("settings", {})}
        return Admission(visit, user, {"settings": settings, **overrides})

    async def until(self, so) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                await asyncio.sleep(0.01)

    async def only_session(self) -> Session:
        await self.until(lambda: len(self.sessions.here()) == 1)
        return self.sessions.here()[0]

    def as_server(self) -> RunningServer:
        """For the helpers that look at records."""
        return RunningServer(None, "", self.records, Path())


@asynccontextmanager
async def hosting(study: Path, desk: StandInDesk | None = None, most: int = 16) -> AsyncIterator[Host]:
    """A server of this study on a free port, until the end of the block."""
    loaded = load_study(study)
    records = study / "Trials"
    records.mkdir(exist_ok=True)
    spec = describe(loaded, study, records, dev=True)

    async def on_end(name: str, in_order: bool) -> None:
        pass

    sessions = Sessions(play, spec, SessionLimits.of(spec["settings"]), most, on_end, desk)
    ui = frozenset(name for name, shown in loaded.trial.ui.items() if shown)
    endpoint = Endpoint(sessions, Welcome({}, ui, frozenset(), dev=True, most_sockets=500))
    config = uvicorn.Config(
        Starlette(routes=[WebSocketRoute("/{path:path}", endpoint.serve)]),
        ws=FencedWebSocket, http=FencedHttp, lifespan="off", log_config=None, ws_per_message_deflate=False,
    )  # fmt: skip
    config.load()
    web = QuietServer(config)
    with listen("127.0.0.1", 0) as sock:
        async with sessions, asyncio.TaskGroup() as tasks:
            tasks.create_task(web.serve([sock]))
            await web.listening.wait()
            yield Host(f"ws://127.0.0.1:{sock.getsockname()[1]}/ws", sessions, spec["settings"], records)
            await sessions.stop(PATIENCE_S)
            web.should_exit = True
