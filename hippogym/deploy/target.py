"""What every target is: it looks, and makes a plan; then it does what the plan says, one item at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hippogym.config import Study
from hippogym.deploy.context import Context
from hippogym.deploy.docker import Docker
from hippogym.deploy.generated import is_as, write_if_changed
from hippogym.deploy.plan import Item, Plan
from hippogym.deploy.progress import Shown

SHORT = 20  # of a context's sha256, in a tag


@dataclass(frozen=True)
class Order:
    """What is to be placed, and how it is built.

    root: the folder of HIPPO Gym. made: the generated files. build_arguments: NAME=VALUE for the Dockerfile, part of
    what the image is. build_options: further words for ``docker build``, which only say how.
    pages: the study's pages as they are sent, read when they are needed.
    """

    study: Study
    root: Path
    made: Mapping[str, bytes]
    context: Context
    docker: Docker
    build_arguments: tuple[str, ...] = ()
    build_options: tuple[str, ...] = ()
    pages: Callable[[], Mapping[str, Any]] = field(default=dict)

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.study.path.parent

    def sha256(self, *about: str) -> str:
        """Of the image's contents."""
        return self.context.sha256(*self.build_arguments, *about)


class Target(Protocol):
    """A place for studies. ``blocks``: why the container cannot be deployed; the rest of the plan can be done."""

    blocks: Sequence[str]

    def look(self) -> Plan:
        """What is, and what would change. Changes nothing. Raises DeployError."""
        ...

    def carry_out(self, item: Item, shown: Shown) -> None:
        """Do what the item says; can be repeated. Raises DeployError."""
        ...

    def next_steps(self, plan: Plan) -> Sequence[str]:
        """What can be done now, as lines. plan: what was carried out."""
        ...


def file_items(order: Order) -> list[Item]:
    """The generated files."""
    items = []
    for name, content in order.made.items():
        there = is_as(order.folder / name, content)
        now = "as config.yml says" if there else "older" if (order.folder / name).exists() else "not there"
        items.append(Item(f"file {name}", name, now, "" if there else "write"))
    return items


def write_file(order: Order, item: Item) -> None:
    """Do what one of ``file_items`` says."""
    name = item.key.removeprefix("file ")
    write_if_changed(order.folder / name, order.made[name])
