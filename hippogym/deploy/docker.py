"""The docker command, with its failures as sentences."""

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippogym.deploy.problems import DeployError

ASK_S = 60.0
BUILD_S = 2 * 3600.0
LAST_LINES = 40  # of docker's output, from which the sentence about a failure is made

Said = Callable[[str], None]

_SENTENCES = (
    (r"permission denied while trying to connect",
     "you may not use docker here: sudo usermod -aG docker $USER, then log in again"),
    (r"[Cc]annot connect to the Docker daemon|error during connect|[Ii]s the docker daemon running|failed to connect",
     "docker is installed, but its engine does not answer: start Docker Desktop, or: sudo systemctl start docker"),
    (r"no space left on device", "the disk is full: docker system prune frees what is not used any more"),
    (r"toomanyrequests|429 Too Many", "the registry asks for a pause; give the command again later"),
    (r"no basic auth credentials|unauthorized|authentication required|denied: ",
     "the registry does not let us in: may these credentials push (ecr:PutImage), and is the clock right?"),
    (r"port is already allocated|address already in use", "the port is taken by another program: docker ps"),
    (r"no such host|Temporary failure in name resolution|i/o timeout|TLS handshake timeout|connection refused"
     r"|connection reset|network is unreachable|Failed to establish a new connection",
     "the network, or the server at the other end, does not answer; give the command again"),
    (r"manifest unknown|not found: manifest|pull access denied",
     "the base image is not to be had: docker pull what the Dockerfile says after FROM"),
    (r"No matching distribution found for (\S+)", "there is no Python package {0} for this image"),
)  # fmt: skip


@dataclass
class Docker:
    """The program, and options that stand before the command, such as another folder of settings."""

    program: str = "docker"
    options: tuple[str, ...] = ()

    def ask(self, *words: str, stdin: bytes | None = None, wait_s: float = ASK_S) -> str:
        """What the command prints. Raises DeployError with a sentence."""
        try:
            ran = subprocess.run(
                [self.program, *self.options, *words], input=stdin, capture_output=True, timeout=wait_s, check=False
            )
        except subprocess.TimeoutExpired as problem:
            raise DeployError(f"docker {words[0]} did not end within {wait_s:.0f} s.") from problem
        except OSError as problem:
            raise _absent(self.program) from problem
        if ran.returncode:
            raise _failed(words[0], ran.stderr.decode(errors="replace") or ran.stdout.decode(errors="replace"))
        return ran.stdout.decode(errors="replace").strip()

    def ask_all(self, *words: str) -> str:
        """What the command prints, on both of its outputs. Raises DeployError."""
        said: list[str] = []
        self.follow(*words, said=said.append, wait_s=ASK_S)
        return "\n".join(said)

    def follow(self, *words: str, said: Said, wait_s: float = BUILD_S) -> None:
        """Run a long command, and hand on each line as it is printed. Raises DeployError."""
        try:
            process = subprocess.Popen(
                [self.program, *self.options, *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as problem:
            raise _absent(self.program) from problem
        last: list[str] = []
        with _ended_within(process, wait_s) as late:
            for raw in process.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                last = [*last[1 - LAST_LINES :], line]
                said(line)
            code = process.wait()
        if late.is_set():
            raise DeployError(f"docker {words[0]} did not end within {wait_s:.0f} s.")
        if code:
            raise _failed(words[0], "\n".join(last))

    def engine(self) -> str:
        """The engine's processor, in AWS's words: X86_64 or ARM64. Raises DeployError where no engine answers."""
        return architecture(self.ask("version", "--format", "{{.Server.Arch}}"))

    def image(self, name: str) -> dict[str, Any] | None:
        """What docker knows of an image of this machine; None where it has none of this name."""
        return self._inspected("image", name)

    def container(self, name: str) -> dict[str, Any] | None:
        """What docker knows of a container; None where there is none of this name."""
        return self._inspected("container", name)

    def host(self) -> str:
        """Where the engine listens."""
        return self.ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")

    def _inspected(self, kind: str, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self.ask(kind, "inspect", name))
        except DeployError as problem:
            if re.search(r"[Nn]o such (image|container|object)", str(problem)):
                return None
            raise
        except ValueError as problem:
            raise DeployError(f"docker {kind} inspect gave an answer that is not JSON.") from problem
        return dict(found[0]) if found else None


def build(
    docker: Docker, context: Path, dockerfile: Path, name: str, labels: dict[str, str], arguments: Sequence[str],
    options: Sequence[str], said: Said,
) -> None:  # fmt: skip
    """Build an image. arguments: NAME=VALUE for the recipe. options: further words for ``docker build``."""
    words = ["build", "--tag", name, "--file", str(dockerfile), *options]
    for key, value in labels.items():
        words += ["--label", f"{key}={value}"]
    for argument in arguments:
        words += ["--build-arg", argument]
    docker.follow(*words, str(context), said=said)


def architecture(word: str) -> str:
    """amd64 → X86_64, arm64 → ARM64."""
    known = {"amd64": "X86_64", "x86_64": "X86_64", "arm64": "ARM64", "aarch64": "ARM64"}
    if word not in known:
        raise DeployError(f"docker's engine runs on {word[:40] or 'something unknown'}; AWS has x86 and ARM.")
    return known[word]


@contextlib.contextmanager
def _ended_within(process: "subprocess.Popen[bytes]", wait_s: float) -> Iterator[threading.Event]:
    """The process ends with the block, and is killed when it takes too long. The event says that it did."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(wait_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _absent(program: str) -> DeployError:
    return DeployError(f"{program} is not installed here, or not in PATH: https://docs.docker.com/get-docker/")


def _failed(command: str, said: str) -> DeployError:
    for pattern, sentence in _SENTENCES:
        found = re.search(pattern, said)
        if found:
            return DeployError(f"docker {command}: {sentence.format(*found.groups())}.")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?i)(error|e:|failed)", line)] or lines
    return DeployError(f"docker {command} failed: {(errors[-1] if errors else 'it does not say why')[:300]}")
