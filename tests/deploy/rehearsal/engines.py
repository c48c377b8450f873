"""Where a task's program runs: in a container of the pushed image, or, quicker, as a process in the image's files."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

from hippogym.deploy.docker import Docker
from tests.deploy import engine as real_docker
from tests.deploy.lab import Engine as Remembering

REGISTRY = real_docker.REGISTRY


class Running(Protocol):
    """A program that runs. stop: SIGTERM, and SIGKILL after the grace. wait: for its end; returns the exit code."""

    def stop(self, grace_s: int) -> None: ...
    def wait(self) -> int: ...
    def log(self) -> str: ...


class Engine(Protocol):
    """Runs images. words: further ones for updateProject.py, so that images go where this engine finds them."""

    name: str
    words: tuple[str, ...]

    def run(self, name: str, image: str, environment: Mapping[str, str]) -> Running: ...


# -- containers ------------------------------------------------------------------------------------------------------


class Container:
    """On the machine's own network: where Fargate gives each task an address, this machine has all of 127.0.0.0/8."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._log = ""

    def stop(self, grace_s: int) -> None:
        real_docker.docker("stop", "--time", str(grace_s), self._name, check=False, wait_s=grace_s + 60)

    def wait(self) -> int:
        code = int(real_docker.docker("wait", self._name, wait_s=24 * 3600).stdout)
        self._log = real_docker.logs(self._name)
        real_docker.docker(
            "rm", "--force", "--volumes", self._name, check=False
        )  # its disk goes with it, as on Fargate
        return code

    def log(self) -> str:
        return self._log or real_docker.logs(self._name)


class Containers:
    """A real engine and a real registry."""

    name = "docker"

    def __init__(self, work: Path) -> None:
        self.words = ("--registry", REGISTRY, *(f"--build-option={one}" for one in real_docker.network()))
        self._config = str(work / "puller")
        self._pulled: set[str] = set()

    def run(self, name: str, image: str, environment: Mapping[str, str]) -> Running:
        self._pull(image)
        words = [f"--env={key}={value}" for key, value in environment.items()]
        real_docker.docker("run", "--detach", "--name", name, "--network=host", *words, image)
        return Container(name)

    def _pull(self, image: str) -> None:
        """From the registry, as the execution role does: with a log-in of its own, not with ours."""
        if image not in self._pulled:
            log_in = ["login", "--username", "AWS", "--password-stdin", REGISTRY]
            real_docker.docker("--config", self._config, *log_in, input=b"123456789012-auth-token")
            real_docker.docker("--config", self._config, "pull", image, wait_s=900)
            self._pulled.add(image)


# -- processes -------------------------------------------------------------------------------------------------------


class Process:
    """communicator.py in the files that the image would have."""

    def __init__(self, folder: Path, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._file, self._path = log, Path(log.name)
        command = [sys.executable, "communicator.py"]
        self._process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=log, stderr=log)

    def stop(self, grace_s: int) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def wait(self) -> int:
        code = self._process.wait()
        self._file.close()
        return code

    def log(self) -> str:
        return self._path.read_text(errors="replace")


class Builder(Remembering):
    """Keeps what would be built."""

    folder: Path

    def follow(self, *words: str, said, wait_s: float = 0) -> None:  # type: ignore[no-untyped-def]
        super().follow(*words, said=said, wait_s=wait_s)
        shutil.copytree(words[-1], self.folder, dirs_exist_ok=True)


class Processes:
    """No engine, no images; the program and its surroundings are the same."""

    name = "process"
    words = ()

    def __init__(self, work: Path) -> None:
        self._work = work
        self.docker: Docker = Builder()
        self.docker.folder = work / "image"  # type: ignore[attr-defined]

    def run(self, name: str, image: str, environment: Mapping[str, str]) -> Running:
        folder = self._work / "tasks" / name
        shutil.copytree(self._work / "image", folder)  # each has a disk of its own
        there = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        return Process(folder, there | dict(environment), (folder / "server.log").open("wb"))


def why_not_here() -> str | None:
    """None where a rehearsal can be: each server has an address of 127.0.0.0/8, and only Linux has all of them."""
    return None if sys.platform == "linux" else "only Linux has every address of 127.0.0.0/8"


def why_no_containers() -> str | None:
    """None where there are an engine and a registry."""
    return real_docker.why_no_engine() or (
        None if real_docker.registry_answers() else f"no registry answers at {REGISTRY}"
    )
