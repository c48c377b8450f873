"""The net between a browser and the stack: names are looked up where AWS would look them up, and lead to this machine.

A browser asks a proxy for ``name:port``. Names of servers are what Route53 has of them at that moment; the page's and
the API's lead to the little servers that stand in for CloudFront and API Gateway. TLS goes from end to end, and nothing
else is reached.
"""

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any


class Net:
    """``with Net(look_up) as net``: net.url is the proxy. look_up: name and port → where that is; None: nowhere."""

    def __init__(self, look_up: Callable[[str, int], tuple[str, int] | None]) -> None:
        net = self
        self.asked: list[tuple[str, bool]] = []
        self._look_up = look_up

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                net._handle(self.request)

        class Listening(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A browser hangs up as it likes."""

        self._server = Listening(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Net":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def _handle(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(65536)
            if not data:
                return
            head += data
        method, target = head.split(b" ", 2)[:2]
        name, _, port = target.decode().rpartition(":")
        there = self._look_up(name, int(port)) if method == b"CONNECT" and port.isdigit() else None
        self.asked.append((target.decode(), there is not None))
        try:
            far = socket.create_connection(there, 10) if there is not None else None
        except OSError:
            far = None
        if far is None:
            near.sendall(b"HTTP/1.1 502 Nothing there\r\nContent-Length: 0\r\n\r\n")
            return
        with far:
            near.sendall(b"HTTP/1.1 200 There\r\n\r\n")
            _carried(near, far)


def _carried(near: socket.socket, far: socket.socket) -> None:
    """Bytes both ways until both have said their last."""
    to = {near: far, far: near}
    with contextlib.suppress(OSError):
        while to:
            for one in select.select(list(to), [], [], 300)[0]:
                data = one.recv(65536)
                if data:
                    to[one].sendall(data)
                else:
                    to.pop(one).shutdown(socket.SHUT_WR)
