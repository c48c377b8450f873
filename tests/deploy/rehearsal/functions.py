"""The stack's functions, each in a process of its own, from the zip in the bucket and as Lambda is told to run it."""

import io
import json
import os
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

RUNTIME = Path(__file__).with_name("lambda_runtime.py")


class FunctionFailed(Exception):
    """The handler has raised; what it was stands in its log."""


class Function:
    """One function. Like Lambda's, its process stays for the next event; one event at a time."""

    def __init__(self, name: str, folder: Path, handler: str, environment: Mapping[str, str], log: Path) -> None:
        self.name, self._lock = name, threading.Lock()
        self._log = log.open("wb")
        command = [sys.executable, "-P", str(RUNTIME), str(folder), handler]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=folder, env=dict(environment)
        )

    def __call__(self, event: Mapping[str, Any], shift_s: float) -> Any:
        """Raises FunctionFailed."""
        with self._lock:
            assert self._process.stdin and self._process.stdout
            late = threading.Timer(PATIENCE_S, self._process.kill)
            late.start()
            try:
                self._process.stdin.write(json.dumps({"event": event, "shift_s": shift_s}).encode() + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            finally:
                late.cancel()
        if not line:
            raise FunctionFailed(f"{self.name} has ended")
        said = json.loads(line)
        if "error" in said:
            raise FunctionFailed(f"{self.name}: {said['error']}")
        return said["answer"]

    def close(self) -> None:
        """End its process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


class Functions:
    """All of a stack's, started when they are first called. shift_s: how far the stack's clock is ahead of ours."""

    def __init__(
        self, client: Callable[[str], Any], environment: Mapping[str, str], work: Path, shift_s: Callable[[], float]
    ) -> None:
        self._client, self._environment, self._work, self._shift_s = client, environment, work, shift_s
        self._running: dict[str, Function] = {}
        self._lock = threading.Lock()
        self.problems: list[str] = []

    def __call__(self, name: str, event: Mapping[str, Any]) -> Any:
        """name: or ARN. Raises FunctionFailed."""
        with self._lock:
            name = name.rpartition(":")[2]
            if name not in self._running:
                self._running[name] = self._started(name)
            function = self._running[name]
        try:
            return function(event, self._shift_s())
        except FunctionFailed as problem:
            self.problems.append(str(problem))
            raise

    def _started(self, name: str) -> Function:
        found = self._client("lambda").get_function(FunctionName=name)
        about = found["Configuration"]
        folder = self._work / "functions" / about["CodeSha256"].replace("/", "_")
        if not folder.is_dir():
            with urllib.request.urlopen(self._program_url(found)) as answer:
                zipfile.ZipFile(io.BytesIO(answer.read())).extractall(folder)
        logs = self._work / "logs"
        logs.mkdir(exist_ok=True)
        keys = self._client("sts").assume_role(RoleArn=about["Role"], RoleSessionName=name)["Credentials"]
        environment = {
            **self._environment,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            **{key: str(value) for key, value in about["Environment"]["Variables"].items()},
            "AWS_LAMBDA_FUNCTION_NAME": name, "PATH": os.environ.get("PATH", ""),
        }  # fmt: skip
        return Function(name, folder, about["Handler"], environment, logs / f"{name}.log")

    def _program_url(self, found: Mapping[str, Any]) -> str:
        """Where the bucket has what Lambda was told to run."""
        template = self._client("cloudformation").describe_stacks()["Stacks"][0]
        there = {one["ParameterKey"]: one["ParameterValue"] for one in template["Parameters"]}
        place = {"Bucket": there["FunctionsBucket"], "Key": there["FunctionsKey"]}
        return str(self._client("s3").generate_presigned_url("get_object", place))

    def close(self) -> None:
        for function in self._running.values():
            function.close()
        self._running.clear()
