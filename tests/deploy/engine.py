"""A real container engine, where there is one: images built as people build them, containers that end with the test."""

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.servers import ROOT

BUILD_S, PATIENCE_S = 1800, 120.0
REGISTRY = "127.0.0.1:9310"


def docker(*words: str, wait_s: float = 300, check: bool = True, **about) -> subprocess.CompletedProcess:
    """The command, with what it printed. The old builder: newer ones are not in every engine that tests have."""
    ran = subprocess.run(
        ["docker", *words], capture_output=True, timeout=wait_s, env=os.environ | {"DOCKER_BUILDKIT": "0"}, **about
    )
    assert not check or ran.returncode == 0, f"docker {words}: {ran.stdout[-2000:]!r} {ran.stderr[-2000:]!r}"
    return ran


def said(*words: str) -> str:
    """What a docker command prints."""
    return docker(*words).stdout.decode().strip()


def why_no_engine() -> str | None:
    """None where an engine answers."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    try:
        answers = docker("version", "--format", "{{.Server.Version}}", wait_s=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        answers = False
    return None if answers else "no container engine answers ($DOCKER_HOST)"


def network() -> list[str]:
    """An engine without a bridge shares the machine's network."""
    return [] if "bridge" in said("network", "ls", "--format", "{{.Name}}").split() else ["--network=host"]


def copy_of_the_project(folder: Path) -> Path:
    """What a clone has, and nothing else of this folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def build(folder: Path, name: str, *words: str) -> str:
    """``docker build -t NAME .`` Returns the name."""
    docker("build", "-t", name, *network(), *words, ".", wait_s=BUILD_S, cwd=folder)
    return name


def layers(image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every layer as a tar's bytes, the lowest first, by name."""
    saved = folder / "image.tar"
    docker("save", "-o", str(saved), image, wait_s=BUILD_S)
    with tarfile.open(saved) as tar:
        [about] = json.load(tar.extractfile("manifest.json"))
        yield "settings", tar.extractfile(about["Config"]).read()
        for layer in about["Layers"]:
            yield layer, tar.extractfile(layer).read()
    saved.unlink()


def names_in(layer: bytes) -> list[str]:
    """The files of a layer."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return [member.name for member in tar if member.isfile()]


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@contextlib.contextmanager
def container(image: str, name: str, *words: str, port: int = 0) -> Iterator[int]:
    """A running container; yields the port of this machine at which it answers, once it does. Removed at the end."""
    port = port or free_port()
    shared = network()
    way = [*shared, "--env", f"PORT={port}"] if shared else ["--publish", f"{port}:5000"]
    docker("run", "--detach", "--name", name, *way, *words, image)
    try:
        wait_until_well(name)
        yield port
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def wait_until_well(name: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if docker("exec", name, "python3", "-m", "hippogym.health", check=False).returncode == 0:
            return
        assert state(name)["Running"], logs(name)
        time.sleep(0.3)
    raise AssertionError(f"{name} does not answer: {logs(name)}")


def state(name: str) -> dict:
    """What docker knows of a container's life."""
    return json.loads(said("container", "inspect", "--format", "{{json .State}}", name))


def logs(name: str) -> str:
    """Everything a container has said."""
    ran = docker("logs", name, check=False)
    return (ran.stdout + ran.stderr).decode()


def copied_out(name: str, path: str, folder: Path) -> Path:
    """A folder of a container, copied below ``folder``."""
    folder.mkdir(exist_ok=True)
    docker("cp", f"{name}:{path}", str(folder))
    return folder / Path(path).name


def registry_answers() -> bool:
    """Whether the registry on this machine is there, and asks who one is."""
    try:
        urllib.request.urlopen(f"http://{REGISTRY}/v2/", timeout=5).close()
    except urllib.error.HTTPError as problem:
        problem.close()
        return problem.code == 401
    except OSError:
        return False
    return True
