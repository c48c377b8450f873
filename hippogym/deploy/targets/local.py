"""This machine: the image is built here, and a container runs it, until the machine is switched off and after."""

import io
import tarfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from hippogym.deploy.certificates import FOLDER as BAKED
from hippogym.deploy.certificates import FULLCHAIN, PRIVKEY, certificate_files, read_certificate
from hippogym.deploy.checks import runs_dev
from hippogym.deploy.image import build_image, built_as
from hippogym.deploy.plan import Item, Plan
from hippogym.deploy.problems import DeployError
from hippogym.deploy.progress import Shown
from hippogym.deploy.target import Order, file_items, write_file

NAME = "hippo"
STOP_S = 120  # as on AWS: time to close and upload records
WELL_S, POLL_S = 90.0, 0.5  # for the server in it to answer
STUDY, USER = "/study", 10001  # in the image
STARTED_AS = "hippogym.container"

NO_CERTIFICATES = (
    f"Without dev the server speaks TLS, and there are no {FULLCHAIN} and {PRIVKEY} in the study's folder: "
    "get them (SSL_README.md), or write dev at the end of line 3 of xvfb.sh to try it without."
)


class LocalTarget:
    """``--target docker``."""

    def __init__(self, order: Order, name: str = NAME, port: int = 5000, run_options: Sequence[str] = ()) -> None:
        self._order, self._name, self._port, self._run_options = order, name, port, tuple(run_options)
        self._sha256 = order.sha256()
        self._dev = runs_dev(order.context)
        own = (order.folder, order.folder / BAKED)
        self._certificates = None if self._dev else certificate_files(*own)
        self.blocks: Sequence[str] = ()

    def look(self) -> Plan:
        """Asks docker."""
        warnings = ["xvfb.sh runs dev: plain http, and nothing is uploaded."] if self._dev else []
        items = file_items(self._order)
        if not self._dev and self._certificates is None:
            self.blocks = (NO_CERTIFICATES,)
        elif self._certificates is not None:
            chain = self._certificates / FULLCHAIN
            remark = read_certificate(chain.read_bytes(), str(chain)).remark()
            warnings += [remark] if remark else []
        try:
            self._order.docker.engine()
            items += self._items()
        except DeployError as problem:
            self.blocks = (*self.blocks, str(problem))
            items.append(Item("image", "container", "not known, docker does not answer", "", container=True))
        title = f"{self._order.study.project.id} on this machine"
        return Plan(title, tuple(items), tuple(warnings), ("nothing but this machine's electricity",))

    def carry_out(self, item: Item, shown: Shown) -> None:
        """Files, then the image, then the container."""
        if item.key == "image":
            build_image(self._order, self._name, self._sha256, shown)
        elif item.key == "container":
            self._start(shown)
        elif item.key == "certificates":
            self._put_certificates()
            self._order.docker.ask("kill", "--signal", "HUP", self._name)
        else:
            write_file(self._order, item)

    def next_steps(self, plan: Plan) -> Sequence[str]:
        """Where it runs, or how to run it."""
        if self.blocks or not any(i.container and (i.change or i.now.startswith("running")) for i in plan.items):
            return BY_HAND
        scheme = "http" if self._dev else "https"
        where = f"{scheme}://localhost:{self._port}/"
        return [f"The study runs at {where}   docker logs {self._name}   docker stop -t {STOP_S} {self._name}"]

    def _items(self) -> list[Item]:
        image_is = built_as(self._order, self._name, self._sha256)
        image = Item("image", f"image {self._name}", "as the files say" if image_is else "not these files",
                     "" if image_is else "build", container=True)  # fmt: skip
        container = self._order.docker.container(self._name)
        state = (container or {}).get("State") or {}
        labels = ((container or {}).get("Config") or {}).get("Labels") or {}
        if container is None:
            return [image, self._container("none", "start")]
        if labels.get(STARTED_AS) is None:
            now, change = "one that was started by hand", "stop it, start this one"
        elif labels[STARTED_AS] != self._started_as:
            now, change = "an older one", f"stop it (its games end, within {STOP_S} s), start this one"
        elif not state.get("Running"):
            now, change = str(state.get("Status", "stopped")), "start"
        else:
            return [image, self._container(f"running on port {self._port}", ""), *self._certificate_items()]
        return [image, self._container(now, change)]

    def _container(self, now: str, change: str) -> Item:
        return Item("container", f"container {self._name}", now, change, container=True)

    def _certificate_items(self) -> list[Item]:
        if self._certificates is None or self._certificates.name == BAKED:
            return []
        wanted = sha256((self._certificates / FULLCHAIN).read_bytes()).hexdigest()
        found = self._order.docker.ask("exec", self._name, "sha256sum", f"{STUDY}/{FULLCHAIN}").split(" ")[0]
        now, change = ("as here", "") if found == wanted else ("other ones", "put in; games go on")
        return [Item("certificates", "certificates in it", now, change, container=True)]

    @property
    def _started_as(self) -> str:
        return sha256("\0".join((self._sha256, *self._words())).encode()).hexdigest()

    def _words(self) -> list[str]:
        volume = f"{self._name}-{self._order.study.project.id}-trials:{STUDY}/Trials"
        words = ["--publish", f"{self._port}:5000", "--restart", "unless-stopped", "--stop-timeout", str(STOP_S)]
        return [*words, "--volume", volume, *self._run_options]

    def _start(self, shown: Shown) -> None:
        docker = self._order.docker
        if docker.container(self._name) is not None:
            shown.say(f"stopping {self._name}: its records are closed")
            docker.ask("stop", "-t", str(STOP_S), self._name, wait_s=STOP_S + 60)
            if docker.container(self._name) is not None:  # one with --rm has gone by itself
                docker.ask("rm", self._name)
        docker.ask(
            "create", "--name", self._name, "--label", f"{STARTED_AS}={self._started_as}", *self._words(), self._name
        )
        self._put_certificates()
        docker.ask("start", self._name)
        self._wait_until_well()

    def _wait_until_well(self) -> None:
        """Raises DeployError with the last thing the container said, when it does not come up."""
        docker, deadline_s = self._order.docker, time.monotonic() + WELL_S
        while time.monotonic() < deadline_s:
            known = docker.container(self._name) or {}
            state = known.get("State") or {}
            if known.get("RestartCount") or not state.get("Running"):
                break
            if self._is_well():
                return
            time.sleep(POLL_S)
        said = [line for line in docker.ask_all("logs", "--tail", "20", self._name).splitlines() if line.strip()]
        docker.ask("stop", "-t", "5", self._name)
        why = said[-1][:300] if said else "it says nothing"
        raise DeployError(f"The container does not come up: {why}   (docker logs {self._name})")

    def _is_well(self) -> bool:
        try:
            self._order.docker.ask("exec", self._name, "python3", "-m", "hippogym.health")
        except DeployError:  # not yet, or it has just gone; the caller looks at its state
            return False
        return True

    def _put_certificates(self) -> None:
        """Into the container and not into the image: readable by the server's user only."""
        if self._certificates is None or self._certificates.name == BAKED:
            return
        packed = _packed([self._certificates / name for name in (FULLCHAIN, PRIVKEY)])
        self._order.docker.ask("cp", "-", f"{self._name}:{STUDY}", stdin=packed)


BY_HAND = (
    "To run it in a container by hand:",
    "  docker build -t hippo . && docker run --publish 5000:5000 --rm --name hippo hippo",
)


def _packed(files: Sequence[Path]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for file in files:
            content = file.read_bytes()
            about = tarfile.TarInfo(file.name)
            about.size, about.mode, about.uid, about.gid = len(content), 0o600, USER, USER
            tar.addfile(about, io.BytesIO(content))
    return made.getvalue()
