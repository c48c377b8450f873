"""Real stores that speak S3, and real records to bring to them."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hippogym.live.worker import die_with_parent
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.patience import PATIENCE_S

KEY_ID, SECRET = "KEYIDOFTESTS", "a-secret-of-tests"
PROGRAMS = Path(sys.executable).parent


@dataclass
class Store:
    """A server that speaks S3, on a port of its own that it keeps when it is started again."""

    program: str
    folder: Path
    port: int = 0
    process: subprocess.Popen | None = None
    log: Path = field(default=Path())

    def start(self) -> None:
        self.log = self.folder.parent / f"{self.program}.log"
        where = ["127.0.0.1", str(self.port)]
        commands = {
            "rclone": ["rclone", "serve", "s3", "--config", os.devnull, "--addr", ":".join(where), "--auth-key",
                       f"{KEY_ID},{SECRET}", str(self.folder)],
            "moto": ["moto_server", "-H", where[0], "-p", where[1]],
        }  # fmt: skip
        program, *arguments = commands[self.program]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAMS / program, *arguments], stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        self._wait_until_it_listens()

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE_S)

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(BotoCoreError, ClientError):
                self.client().list_buckets()
                return
            assert self.process is not None and self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"{self.program} does not answer: {self.log.read_text()}")

    def client(self):
        """boto3's own, past the proxy."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Everything in a bucket, or below a prefix in it, as anybody would read it."""
        with contextlib.closing(self.client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
            return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def make_bucket(self) -> str:
        bucket = f"bucket-{secrets.token_hex(6)}"
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=bucket)
        return bucket


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[Store]:
    """A store of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(program, folder, free_port())
    try:
        store.start()
        yield store
    finally:
        store.stop()


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Takes no notice of If-None-Match, and gives checksums back as it was told them."""
    with running("rclone", tmp_path_factory.mktemp("rclone") / "buckets") as store:
        yield store


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Honours If-None-Match, and accepts wrong checksums."""
    with running("moto", tmp_path_factory.mktemp("moto") / "unused") as store:
        yield store


@pytest.fixture(params=["rclone", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def proxy(store: Store) -> Iterator[FaultProxy]:
    """Before the store."""
    with fault_proxy(store.port) as running_proxy:
        yield running_proxy


@pytest.fixture
def bucket(store: Store) -> str:
    """An empty one."""
    return store.make_bucket()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only those of the tests, whatever this machine has."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in surroundings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


def surroundings(url: str | None = None) -> dict[str, str]:
    """What the environment of an uploader says. url: of the store; None: AWS, which no test talks to."""
    told = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    return told if url is None else told | {"AWS_ENDPOINT_URL_S3": url}


@dataclass
class UploadProcess:
    """The real process, started as the server starts it."""

    process: subprocess.Popen
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def drain(self, seconds: float) -> int:
        """Tell it to finish; returns its exit code."""
        self.process.stdin.write(b"drain %.3f\n" % seconds)
        self.process.stdin.flush()
        return self.process.wait(seconds + PATIENCE_S)


@contextlib.contextmanager
def uploading(records: Path, to: str, *, project: str = "study", answer_s: float = 1.0) -> Iterator[UploadProcess]:
    """It is killed at the end, if it still runs."""
    log_file = records.parent / "uploads.log"
    command = [sys.executable, "-P", "-m", "hippogym.data.upload_process", "--records", str(records), "--to", to]
    command += ["--project", project, "--plain", "--answer-within", str(answer_s)]
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        )
    try:
        yield UploadProcess(process, log_file)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdin.close()


def wait_until(happens, what: str = "it"):
    """Until ``happens()`` gives something true; returns that."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if result := happens():
            return result
        time.sleep(0.02)
    raise AssertionError(f"{what} has not happened")
