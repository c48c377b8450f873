"""The image on this machine: is it what would be built now, and building it."""

import tempfile
from pathlib import Path

from hippogym.deploy.docker import build
from hippogym.deploy.progress import Shown, build_steps
from hippogym.deploy.target import Order

LABEL = "hippogym.context"


def built_as(order: Order, name: str, sha256: str) -> bool:
    """Whether docker has an image of this name with these contents. Raises DeployError."""
    image = order.docker.image(name)
    labels = ((image or {}).get("Config") or {}).get("Labels") or {}
    return bool(labels.get(LABEL) == sha256)


def build_image(order: Order, name: str, sha256: str, shown: Shown, *options: str) -> None:
    """Build it from exactly the files whose sum it is named by. Raises DeployError."""
    with tempfile.TemporaryDirectory(prefix="hippo-image-") as folder:
        context, dockerfile = order.context.lay_out(Path(folder))
        with build_steps(shown, "building the image") as said:
            build(
                order.docker, context, dockerfile, name, {LABEL: sha256},
                order.build_arguments, (*order.build_options, *options), said,
            )  # fmt: skip
