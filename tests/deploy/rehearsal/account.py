"""An AWS account on this machine: moto as a server, and in front of it what moto does not do.

Invoking a function, publishing to a topic and running or stopping a task go to those who really do it (``ways``); all
else is moto's. Calls come one after the other, so that conditional writes are as atomic as S3's; what functions and
tasks ask of buckets is held against the policies of their roles.
"""

import io
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, unquote

import boto3
from botocore.loaders import JSONFileLoader
from moto.core.authorization import enable_iam_authentication
from moto.core.models import reset_model_data
from moto.moto_api import state_manager
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.deploy import pretend

REGION, ACCOUNT = "us-west-2", "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal"}
PUBLISHED = (
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>{0}</MessageId>'
    "</PublishResult><ResponseMetadata><RequestId>{0}</RequestId></ResponseMetadata></PublishResponse>"
)

Start = Callable[..., Any]


@dataclass
class Ways:
    """invoke: function and event → its answer. publish: topic and message. ran, stopped: what ECS has accepted."""

    invoke: Callable[[str, Any], Any] = lambda name, event: {}
    publish: Callable[[str, str], None] = lambda topic, message: None
    ran: Callable[[Mapping[str, Any]], None] = lambda task: None
    stopped: Callable[[Mapping[str, Any], str], None] = lambda task, why: None


@dataclass
class Account:
    """``with Account() as account``: account.url is what AWS_ENDPOINT_URL is to be.

    programs: whether commands are given as programs, or are called.
    """

    programs: bool = True
    ways: Ways = field(default_factory=Ways)
    _tokens: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock_of_clients: threading.Lock = field(default_factory=threading.Lock)
    _session: boto3.Session = field(default_factory=lambda: boto3.Session(*KEYS.values(), region_name=REGION))

    def __enter__(self) -> "Account":
        self._models = mock.patch.object(JSONFileLoader, "load_file", read_once(JSONFileLoader.load_file))
        self._models.start()
        reset_model_data()
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000})
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True, request_handler=_handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients.values():
            client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
        state_manager.unset_transition("ecs::task")
        reset_model_data()
        pretend.MADE.clear()
        self._models.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """What a program needs to take this account for AWS: the standard setting for the endpoint, and keys."""
        return {
            **KEYS, "AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }  # fmt: skip

    def client(self, service: str) -> Any:
        """boto3's, for those who look from outside."""
        with self._lock_of_clients:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, endpoint_url=self.url)
            return self._clients[service]

    # -- in front of moto --------------------------------------------------------------------------------------------

    def _app(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH")
        body = environ["wsgi.input"].read(int(length)) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        path, target = environ["PATH_INFO"], environ.get("HTTP_X_AMZ_TARGET", "")
        if path.startswith("/2015-03-31/functions/") and path.endswith("/invocations"):
            return self._invoke(unquote(path.split("/")[3]), body, start)
        if b"Action=Publish&" in body and "/sns/aws4" in environ.get("HTTP_AUTHORIZATION", ""):
            said = parse_qs(body.decode())
            self.ways.publish(said["TopicArn"][0], said["Message"][0])
            return _answered(start, "200 OK", PUBLISHED.format("a-message").encode(), "text/xml")
        if target.endswith(".RunTask"):
            return self._run(environ, json.loads(body), start)
        with self._lock, rights_of(environ):
            answer = b"".join(self._moto(environ, start))
        if target.endswith(".StopTask"):
            task = json.loads(answer).get("task")
            if task is not None:
                self.ways.stopped(task, str(json.loads(body).get("reason", "")))
        return [answer]

    def _invoke(self, name: str, body: bytes, start: Start) -> Iterable[bytes]:
        try:
            answer = self.ways.invoke(name, json.loads(body or b"{}"))
        except Exception as problem:
            said = json.dumps({"errorMessage": str(problem)}).encode()
            return _answered(start, "200 OK", said, "application/json", ("X-Amz-Function-Error", "Unhandled"))
        return _answered(start, "200 OK", json.dumps(answer).encode(), "application/json")

    def _run(self, environ: dict[str, Any], asked: Mapping[str, Any], start: Start) -> Iterable[bytes]:
        """Once for each clientToken, as ECS does and moto does not."""
        kind, token = "application/x-amz-json-1.1", str(asked.get("clientToken", id(asked)))
        with self._lock:
            if token in self._tokens:
                return _answered(start, "200 OK", self._tokens[token], kind)
            with rights_of(environ):
                answer = b"".join(self._moto(environ, start))
            tasks = json.loads(answer).get("tasks", ())
            if tasks:
                self._tokens[token] = answer
        for task in tasks:
            self.ways.ran(task)
        return [answer]


def rights_of(environ: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Who has taken a role on, a function or a task, may do in buckets what the role's policies say.

    Other services are left out: moto does not know there which resource is asked for (test_iam.py has them).
    """
    who = environ.get("HTTP_AUTHORIZATION", "")
    return enable_iam_authentication() if "Credential=ASIA" in who and "/s3/aws4" in who else nullcontext()


def read_once(load_file: Callable[..., Any]) -> Callable[..., Any]:
    """botocore reads its descriptions of services anew for each session, for seconds; nobody changes them."""
    known: dict[str, Any] = {}

    def load(loader: Any, path: str) -> Any:
        if path not in known:
            known[path] = load_file(loader, path)
        return known[path]

    return load


def _answered(start: Start, status: str, body: bytes, kind: str, *more: tuple[str, str]) -> Iterable[bytes]:
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *more])
    return [body]


def _handler() -> type:
    from moto.server import MotoRequestHandler

    class Quiet(MotoRequestHandler):  # type: ignore[misc]
        protocol_version = "HTTP/1.1"

        def log(self, kind: str, message: str, *arguments: Any) -> None:
            """Nothing: there are thousands of calls."""

    return Quiet
