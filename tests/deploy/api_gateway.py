"""API Gateway's HTTP API as a little server on 127.0.0.1: a request becomes an event, the function's answer a response.

    with ApiGateway(Service(around, …)) as api:  # anything that takes an event (payload 2.0) and answers with a dict
        api.url                                  # http://127.0.0.1:40123, or https:// with a tls context

What the real one does and a function sees is done here: names of headers in small letters, values joined by commas,
bodies of text as they are and all others in base64, 413 above 10 MB, 500 where the function fails, and 429 and 503
where a test says so.
"""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Function = Callable[[dict[str, Any]], Mapping[str, Any]]

LARGEST = 10 * 10**6
MESSAGES = {413: "Request Too Long", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class Server:
    """An HTTP server in a thread of its own, as long as the ``with`` lasts. tls: a context that has a certificate."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        server, self._tls = self, tls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                status, headers, content = server.answer(self.command, self.path, list(self.headers.items()), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD" and status not in (204, 304):
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing: a test reads ``requests``."""

        class Listening(ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                """The handshake is made here, in the connection's own thread: one that never comes holds nobody up."""
                if tls is None:
                    super().finish_request(request, client_address)
                    return
                request.settimeout(30)
                with tls.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A browser hangs up as it likes."""

        self._server = Listening(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def answer(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


class ApiGateway(Server):
    """function: what is called with every event; it may be exchanged at any time.

    requests: (method, path with its query) of all that came. problems: what the function raised. troubles: answers to
    give to the next requests in the place of the function's: a status, or ``lost``: it is called, and its answer is
    not heard.
    """

    def __init__(self, function: Function, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        super().__init__(tls, port)
        self.function = function
        self.requests: list[tuple[str, str]] = []
        self.problems: list[Exception] = []
        self.troubles: list[int | str] = []

    def answer(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((method, target))
        trouble = self.troubles.pop(0) if self.troubles and method != "OPTIONS" else None
        if isinstance(trouble, int):
            return self._message(trouble)
        if len(body) > LARGEST:
            return self._message(413)
        try:
            answer = self.function(event_of(method, target, headers, body))
        except Exception as problem:
            self.problems.append(problem)
            return self._message(500)
        if trouble == "lost":
            return self._message(503)
        content = answer.get("body") or ""
        raw = base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode("utf-8", "surrogatepass")
        return int(answer["statusCode"]), {str(k): str(v) for k, v in answer.get("headers", {}).items()}, raw

    def _message(self, status: int) -> tuple[int, dict[str, str], bytes]:
        """The gateway's own words: without the function's headers, so that a page of elsewhere cannot read them."""
        said = json.dumps({"message": MESSAGES.get(status, "Trouble")})
        return status, {"content-type": "application/json"}, said.encode()


def event_of(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """A request in the payload format 2.0."""
    parts = urlsplit(target)
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    event: dict[str, Any] = {
        "version": "2.0", "routeKey": "$default", "rawPath": parts.path, "rawQueryString": parts.query,
        "headers": joined,
        "requestContext": {
            "http": {
                "method": method, "path": parts.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": joined.get("user-agent", ""),
            },
            "domainName": joined.get("host", ""), "stage": "$default", "requestId": "a-request",
        },
        "isBase64Encoded": False,
    }  # fmt: skip
    if query:
        event["queryStringParameters"] = query
    if body:
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event
