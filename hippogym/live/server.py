"""The listening process: one port for pages and websockets, and an orderly end."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute

from hippogym.core.messages import MAX_MESSAGE_BYTES
from hippogym.errors import HippoError, StartError
from hippogym.live.certificates import Certificates
from hippogym.live.endpoint import Endpoint, Welcome
from hippogym.live.fenced_socket import FencedHttp, FencedWebSocket
from hippogym.live.sessions import Sessions

logger = logging.getLogger(__name__)

LARGEST_MESSAGE = 16 * MAX_MESSAGE_BYTES
USER_TIMEOUT_MS = 15_000  # the kernel gives a silent peer up after this long
UNSENT_BYTES = 128 * 1024  # frames wait in our box, where newer ones replace them, not in the kernel's buffer
STOP_WITHIN_S = 20.0
FETCH_EVERY_S = 900.0  # a new certificate is in use this long after it was put where it is fetched from
BACKLOG = 1024  # connections that wait to be accepted
HANDSHAKE_WITHIN_S = 10.0  # of TLS
MOST_DESCRIPTORS = 65_536  # more is of no use, and some programs close every possible one when they start
NO_DESCRIPTORS = "socket.accept() out of system resource"  # asyncio's words


def listen(address: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError when the port is taken or the address is not of this machine."""
    try:
        family, kind, proto, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as problem:
        raise StartError(f"address {address}: not known here ({problem}).") from problem
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # accepted sockets inherit both
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        raise StartError(f"{address}, port {port}: {problem.strerror}. Another port: --port N.") from problem
    return sock


def allow_descriptors(needed: int) -> None:
    """Raise the soft limit of open files as far as is allowed and useful; warn when it stays below ``needed``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (ValueError, OSError) as problem:
            logger.warning("the limit of open files stays at %d: %s", soft, problem)
    if soft != resource.RLIM_INFINITY and soft < needed:
        logger.warning("only %d files may be open, for so many participants %d are advised (ulimit -n)", soft, needed)


class LoopComplaints:
    """What asyncio complains of goes to the log as ever; that no file can be opened, at most once a minute."""

    def __init__(self) -> None:
        self._said_s = -60.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The event loop's exception handler."""
        if context.get("message") != NO_DESCRIPTORS:
            loop.default_exception_handler(context)
        elif time.monotonic() - self._said_s >= 60.0:
            self._said_s = time.monotonic()
            logger.error("connections wait: %s (said once a minute)", context.get("exception"))


@dataclass
class Server:
    """Everything that listens. ``ready`` is called with the port once participants may come.

    on_stopped: awaited after the last record has been closed, with the seconds that stopping has taken so far.
    until_s: when it stops by itself, in seconds since 1970, as the time for its games is over; None: never.
    """

    sessions: Sessions
    welcome: Welcome
    routes: Sequence[BaseRoute]
    certificates: Certificates | None
    ready: Callable[[int], None]
    on_stopped: Callable[[float], Awaitable[None]] | None = None
    until_s: float | None = None

    async def run(self, sock: socket.socket) -> None:
        """Serve until SIGINT or SIGTERM, then stop in order. A second SIGINT ends the process at once; a second
        SIGTERM changes nothing, as those who send it send SIGKILL when they mean it.

        Stopping: nobody is let in any more → every trial is told, closes its record at the end of its tick and says
        goodbye to its participant → connections are closed → the port is given back → ``on_stopped``.
        """
        allow_descriptors(8 * self.sessions.most + self.sessions.line.most + 256)
        asyncio.get_running_loop().set_exception_handler(LoopComplaints())
        context = self.certificates.context() if self.certificates else None
        web = QuietServer(self._config(context))
        stop, look = asyncio.Event(), asyncio.Event()
        with self._signals(stop, look, context):
            async with self.sessions, asyncio.TaskGroup() as tasks:
                tasks.create_task(web.serve([sock]))
                tasks.create_task(self._fetch_certificates(stop, look, context))
                await web.listening.wait()
                self.ready(sock.getsockname()[1])
                reason = await self._why_to_stop(stop)
                look.set()
                stopping_since_s = time.monotonic()
                logger.info("stopping: %d participants are here", self.sessions.count)
                killed = await self.sessions.stop(STOP_WITHIN_S, reason)
                if killed:
                    logger.error("%d trials did not end in time; their records are repaired at the next start", killed)
                web.should_exit = True
            if self.on_stopped is not None:
                await self.on_stopped(time.monotonic() - stopping_since_s)

    async def _why_to_stop(self, stop: asyncio.Event) -> str:
        """Waits for it: ``server``, as it was told to, or ``time``."""
        left_s = None if self.until_s is None else self.until_s - time.time()
        try:
            async with asyncio.timeout(left_s):
                await stop.wait()
        except TimeoutError:
            logger.info("the time for this server's games is over")
            stop.set()
            return "time"
        return "server"

    def _config(self, context: ssl.SSLContext | None) -> uvicorn.Config:
        endpoint = Endpoint(self.sessions, self.welcome)
        websockets = WebSocketRoute("/{path:path}", endpoint.serve)
        config = uvicorn.Config(
            Starlette(routes=[*self.routes, websockets]),
            ws=FencedWebSocket,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=8.0,
            ws_ping_timeout=8.0,
            ws_per_message_deflate=False,
            http=FencedHttp,
            backlog=1,  # accepted in one round of the loop; see QuietServer.startup
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        config.load()
        config.ssl = context
        return config

    async def _fetch_certificates(
        self, stop: asyncio.Event, look: asyncio.Event, context: ssl.SSLContext | None
    ) -> None:
        """Until it is stopped: see from time to time, and when ``look`` is set, whether there are newer ones."""
        if context is None or self.certificates is None or self.certificates.fetch is None:
            return
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(look.wait(), FETCH_EVERY_S)
            look.clear()
            if stop.is_set():
                return
            try:
                if await asyncio.to_thread(self.certificates.fetch):
                    self._reload(context)
                elif soon := self.certificates.warning():
                    logger.warning("%s", soon)
            except HippoError as problem:
                logger.error("no newer certificates could be fetched, the old ones stay in use: %s", problem)

    @property
    def _fetches(self) -> bool:
        return self.certificates is not None and self.certificates.fetch is not None

    def _reload(self, context: ssl.SSLContext) -> None:
        assert self.certificates is not None
        try:
            self.certificates.load_into(context)
            logger.info("certificates reloaded, valid until %s", self.certificates.ends())
        except StartError as problem:
            logger.error("certificates not reloaded, the old ones stay in use: %s", problem)

    @contextlib.contextmanager
    def _signals(self, stop: asyncio.Event, look: asyncio.Event, context: ssl.SSLContext | None) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def asked_to_stop() -> None:
            if stop.is_set():
                logger.error("stopped by force")
                os._exit(1)
            stop.set()

        def told_to_stop() -> None:
            stop.set()

        handlers = {signal.SIGINT: asked_to_stop, signal.SIGTERM: told_to_stop}
        if context is not None:
            handlers[signal.SIGHUP] = look.set if self._fetches else lambda: self._reload(context)
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)


class QuietServer(uvicorn.Server):
    """uvicorn without its own signal handling: ours stops the trials first. ``listening`` is set once it does."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so. In place of uvicorn's own, which waits a minute for a TLS handshake.

        asyncio takes one number for how many connections wait and for how often it tries to accept in a round. Without
        free descriptors each try would fail and leave a timer that tries as often again, so it is told 1, and the
        queue is made long afterwards.
        """
        loop, context = asyncio.get_running_loop(), self.config.ssl
        within_s = HANDSHAKE_WITHIN_S if context is not None else None
        self.servers = []
        for sock in sockets or []:
            server = await loop.create_server(
                self._connection, sock=sock, ssl=context, ssl_handshake_timeout=within_s, backlog=self.config.backlog
            )
            self.servers.append(server)
            sock.listen(BACKLOG)
        self.started = True
        self.listening.set()

    def _connection(self) -> asyncio.Protocol:
        return FencedHttp(config=self.config, server_state=self.server_state, app_state={})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
