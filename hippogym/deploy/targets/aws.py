"""AWS: step files and study.json in the bucket, an image in ECR, a task definition, a line in the master list.

Nothing here starts a server: the functions of the stack do, when a participant comes.
"""

from collections.abc import Sequence
from typing import Any

from hippogym.config.project import AwsSetup
from hippogym.config.study_pages import named_pages, variants
from hippogym.core.cost import PRICES_OF, cost, price
from hippogym.core.cost import Plan as Paid
from hippogym.deploy.aws import Aws
from hippogym.deploy.bucket import StudyBucket, Upload, read_object
from hippogym.deploy.certificates import FOLDER, FULLCHAIN, read_certificate
from hippogym.deploy.checks import refuse, runs_dev
from hippogym.deploy.generated import master_list_entry
from hippogym.deploy.image import build_image, built_as
from hippogym.deploy.master_list import update_master_list
from hippogym.deploy.plan import Item, Plan, listed
from hippogym.deploy.problems import DeployError
from hippogym.deploy.progress import Shown, pushed_layers
from hippogym.deploy.registry import Registry
from hippogym.deploy.stack_facts import read_stack
from hippogym.deploy.study_document import study_document
from hippogym.deploy.target import SHORT, Order, file_items, write_file
from hippogym.deploy.task_definition import (
    family,
    make_role,
    register,
    registered,
    role_is,
    same,
    task_definition,
    task_policy,
)

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
EXAMPLE_PARTICIPANTS = 100


class AwsTarget:
    """``--target aws``. architecture: X86_64 or ARM64; None takes that of docker's engine."""

    def __init__(
        self, order: Order, stack: str, aws: Aws, *, registry: str | None = None, architecture: str | None = None
    ) -> None:
        self._order, self._stack_name, self._aws, self._architecture = order, stack, aws, architecture
        self._study, self._project = order.study, order.study.project
        self._setup = self._project.awsSetup or AwsSetup()
        refuse(self._missing())
        self._registry = Registry(aws, registry)
        self._bucket = StudyBucket(aws, self._setup.bucket or "", self._project.id)
        self._repository = f"{stack}/{self._project.id.lower()}"
        self._uploads: list[Upload] = []
        self._task: dict[str, Any] | None = None
        self._image: str | None = None
        self._remark: str | None = None
        self.blocks: Sequence[str] = ()

    def look(self) -> Plan:
        """Asks AWS and docker."""
        self._facts = read_stack(self._aws, self._stack_name)
        self._pages = self._order.pages()
        self._uploads = self._bucket.uploads(self._order.folder, self._page_files())
        self._task = registered(self._aws, family(self._stack_name, self._project.id))
        items = [*file_items(self._order), self._step_files(), self._certificate()]
        container = self._container_items()
        items += [*container, self._study_item(any(item.change for item in container)), self._list_item()]
        title = (
            f"{self._project.id} on AWS: {self._setup.region}, account {self._facts.account}, stack {self._stack_name}"
        )
        return Plan(title, tuple(items), tuple(self._warnings()), tuple(self._costs()))

    def carry_out(self, item: Item, shown: Shown) -> None:
        """One item; each can be repeated."""
        if item.key == "step files":
            self._upload(shown)
        elif item.key == "role":
            make_role(self._aws, self._facts, self._project.id, self._policy())
        elif item.key == "repository":
            self._registry.create(self._repository)
        elif item.key == "image":
            self._push(shown)
        elif item.key == "task":
            wanted = self._definition(self._pushed())
            self._task = wanted | {"taskDefinitionArn": register(self._aws, wanted)}
        elif item.key == "study":
            self._bucket.put_study(self._document())
        elif item.key == "list":
            update_master_list(self._aws, self._facts.list_function, master_list_entry(self._study))
        else:
            write_file(self._order, item)

    def next_steps(self, plan: Plan) -> Sequence[str]:
        """Where participants go."""
        page = self._facts.outputs.get("PageUrl")
        if not self._task:
            return ["Participants can come when the container is deployed: give the command again and answer y."]
        link = f"{page.rstrip('/')}/?projectId={self._project.id}" if page else "hippogym aws status shows the page"
        return [f"Participants come to: {link}&userId=…" if page else link]

    # -- what is -------------------------------------------------------------------------------------------------

    def _missing(self) -> list[str]:
        needed = {
            "project.awsSetup.rootDomain": self._setup.rootDomain,
            "project.ssl.sslBucket": self._project.ssl.sslBucket,
            "project.ssl.fullchain": self._project.ssl.fullchain,
            "project.ssl.privkey": self._project.ssl.privkey,
        }
        found = [
            f"{name} is missing; participants' servers on AWS need it." for name, value in needed.items() if not value
        ]
        events = self._project.events
        for name in ("startServerStep", "stopServerStep"):
            if self._project.steps and getattr(events, name) is None:
                found.append(f"project.events.{name} is missing; docs/config.md says which step it is.")
        return found

    def _page_files(self) -> tuple[str, ...]:
        named = {page for _, page in named_pages(self._study)}
        return tuple({file.name for page in named for file in variants(self._order.folder, page)} | named)

    def _step_files(self) -> Item:
        differing = self._bucket.differing(self._uploads)
        names = dict.fromkeys(one.path.relative_to(self._order.folder).as_posix() for one in differing)
        change = f"upload {listed(names)}" if differing else ""
        now = f"{len(self._uploads) - len(differing)} of {len(self._uploads)} in s3://{self._setup.bucket}"
        self._uploads = differing
        return Item("step files", "step files", now, change)

    def _certificate(self) -> Item:
        ssl = self._project.ssl
        where = f"s3://{ssl.sslBucket}/{ssl.fullchain}"
        pem = read_object(self._aws, ssl.sslBucket or "", ssl.fullchain or "")
        if pem is None:
            self._block(f"There is no certificate at {where}: python3 get_ssl_certs.py (SSL_README.md)")
            return Item("certificate", "certificate", "not there", "")
        certificate = read_certificate(pem, where)
        self._remark = certificate.remark()
        if not certificate.covers(self._setup.rootDomain or ""):
            names = listed(certificate.names) or "no name"
            self._block(f"{where} is for {names}, not for *.{self._setup.rootDomain}: browsers would refuse it.")
        return Item("certificate", "certificate", f"until {certificate.ends:%Y-%m-%d}, fetched by each server", "")

    def _container_items(self) -> list[Item]:
        policy = role_is(self._aws, self._facts, self._project.id, self._policy())
        items = [_wanted("role", "task role", policy, "as wanted", "make it so")]
        repository = self._registry.repository(self._repository)
        now = "not there" if repository is None else "there" if repository.expires else "keeps every image"
        items.append(_wanted("repository", f"repository {self._repository}", now, "there", "make it so"))
        self._uri = repository.uri if repository else None
        try:
            self._sum = self._order.sha256(self._on())
        except DeployError as problem:
            self._block(str(problem))
            return [*items, Item("image", "image", "not known, docker does not answer", "", container=True)]
        digest = self._registry.digest(self._repository, self._tag) if repository else None
        items.append(
            _wanted("image", f"image {self._tag}", "there" if digest else "not there", "there", "build and push")
        )
        self._image = f"{self._uri}@{digest}" if digest else None
        fits = self._task is not None and self._image is not None and same(self._task, self._definition(self._image))
        now = "as wanted" if fits else "another one" if self._task else "not there"
        return [*items, _wanted("task", "task definition", now, "as wanted", "register")]

    def _study_item(self, container_changes: bool) -> Item:
        found = self._bucket.study()
        if found != self._document():
            return Item("study", "study.json", "older" if found else "not there", "upload")
        change = "upload, with the new container" if container_changes else ""
        return Item("study", "study.json", "as the files say", change, container=True)

    def _list_item(self) -> Item:
        found = self._bucket.listed()
        as_wanted = found is not None and same(found, master_list_entry(self._study))
        now = "as config.yml says" if as_wanted else "older" if found else "not in it"
        return Item("list", "line in the master list", now, "" if as_wanted else "update")

    # -- what is to be -------------------------------------------------------------------------------------------

    def _on(self) -> str:
        self._engine = self._order.docker.engine()
        self._architecture = self._architecture or self._engine
        return self._architecture

    @property
    def _tag(self) -> str:
        return f"{self._sum[:SHORT]}-{(self._architecture or '').lower().replace('_', '-')}"

    def _definition(self, image: str) -> dict[str, Any]:
        return task_definition(self._study, self._facts, image, self._architecture or "", self._setup)

    def _policy(self) -> dict[str, Any]:
        return task_policy(self._study, self._facts, self._setup.bucket or "")

    def _document(self) -> dict[str, Any]:
        return study_document(self._study, self._pages, self._stack_name, self._task)

    def _pushed(self) -> str:
        if self._image is None:
            raise DeployError("The image is not in the registry yet; give the command again.")
        return self._image

    # -- doing ---------------------------------------------------------------------------------------------------

    def _upload(self, shown: Shown) -> None:
        total = sum(one.size for one in self._uploads)
        with shown.bar("uploading step files", total) as move:
            gone = 0
            for one in self._uploads:
                # before=gone: the value of this round; mypy cannot infer a lambda with a default
                self._bucket.upload(one, lambda moved, before=gone: move(before + moved, None))  # type: ignore[misc]
                gone += one.size
            move(total, None)

    def _push(self, shown: Shown) -> None:
        repository = self._registry.repository(self._repository)
        if repository is None:
            raise DeployError(f"ECR does not show the repository {self._repository} yet; give the command again.")
        name = f"{repository.uri}:{self._tag}"
        if not built_as(self._order, name, self._sum):
            other = self._architecture != self._engine
            options = ("--platform", PLATFORMS[self._architecture or ""]) if other else ()
            build_image(self._order, name, self._sum, shown, *options)
        with pushed_layers(shown, "pushing layers") as said:
            self._registry.push(self._order.docker, name, said)
        digest = self._registry.digest(self._repository, self._tag)
        if digest is None:
            raise DeployError("The image was pushed, but the registry does not show it yet; give the command again.")
        self._image = f"{repository.uri}@{digest}"

    # -- what is said --------------------------------------------------------------------------------------------

    def _block(self, why: str) -> None:
        self.blocks = (*self.blocks, why)

    def _warnings(self) -> list[str]:
        found = [self._remark] if self._remark else []
        if runs_dev(self._order.context):
            found.append("xvfb.sh runs dev: servers would speak plain http and upload nothing. Take dev off line 3.")
        if f"{FOLDER}/{FULLCHAIN}" in self._order.context.files:
            found.append(
                f"{FOLDER}/ is in the image, with its private key: the servers use that, and nothing renews it."
            )
        if self._project.scripts:
            found.append("project.scripts is on, but on AWS the scripts of step files do not run (AWS_README.md).")
        if (of_stack := self._facts.outputs.get("StudyBucket")) and of_stack != self._setup.bucket:
            found.append(f"awsSetup.bucket is {self._setup.bucket}, but the stack's functions look into {of_stack}.")
        return found

    def _costs(self) -> list[str]:
        minutes, setup = self._project.maxRuntime, self._setup
        kind = "arm" if self._architecture == "ARM64" else "x86"
        paid = Paid(EXAMPLE_PARTICIPANTS, minutes, minutes, setup.cpu, setup.memory)
        lines = []
        for capacity, words in (("FARGATE_SPOT", "Spot"), ("FARGATE", "on demand")):
            its = cost(price(setup.region or "", capacity, kind), paid)  # type: ignore[arg-type]  # both are of its literals
            lines.append(
                f"{words:<9}  ${its.hour:.3f} an hour for a participant's server; {EXAMPLE_PARTICIPANTS} participants "
                f"for all of maxRuntime ({minutes} min): ${its.most:,.2f}"
            )
        about = (
            f"{setup.cpu} vCPU, {setup.memory} GB, {kind}; US dollars, prices of {PRICES_OF}; hippogym cost says more"
        )
        return [*lines, about, "Deploying itself: cents a month for the image and the files."]


def _wanted(key: str, what: str, now: str, wanted: str, change: str) -> Item:
    return Item(key, what, now, "" if now == wanted else change, container=True)
