"""``updateProject.py``: look, print the plan, ask, do. Nothing is touched before everything has been checked."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from hippogym.config import Study
from hippogym.deploy.aws import Aws
from hippogym.deploy.checks import context_problems, refuse, study_problems, study_warnings
from hippogym.deploy.context import read_context
from hippogym.deploy.docker import Docker
from hippogym.deploy.generated import PROJECT, TRIAL, generated
from hippogym.deploy.plan import Plan, as_text
from hippogym.deploy.problems import DeployError
from hippogym.deploy.progress import Shown
from hippogym.deploy.target import Order, Target
from hippogym.deploy.targets.local import LocalTarget

TARGETS = ("aws", "docker", "vm")
ARCHITECTURES = {"x86": "X86_64", "arm": "ARM64"}
QUESTION = "Deploy the container, too? [y: everything marked +, n: all but the container, q: nothing] "

Pages = Callable[[], Mapping[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--study", type=Path, default=Path(), help="folder of config.yml and agent.py (this one)")
    parser.add_argument("--target", choices=TARGETS, help="where to (aws where project.useAWS is True, else docker)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and change nothing")
    parser.add_argument("--yes", action="store_true", help="ask nothing, do all of it")
    parser.add_argument("--no-container", action="store_true", help="ask nothing, do all but the container")
    parser.add_argument("--stack", default="hippogym", help="what `hippogym aws setup` made (hippogym)")
    parser.add_argument("--port", type=int, default=5000, help="of this machine, with --target docker (5000)")
    parser.add_argument("--name", default="hippo", help="of image and container, with --target docker (hippo)")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE",
                        help="for the Dockerfile: XVFB=1, or EXTRA='gym==0.26.2'; may be repeated")  # fmt: skip
    parser.add_argument("--build-option", action="append", default=[], metavar="WORD",
                        help="a further word for docker build, as --build-option=--pull")  # fmt: skip
    parser.add_argument("--run-option", action="append", default=[], metavar="WORD",
                        help="a further word for docker run, with --target docker")  # fmt: skip
    parser.add_argument("--registry", metavar="HOST", help="push to this registry instead of ECR's own address")
    parser.add_argument("--architecture", choices=tuple(ARCHITECTURES),
                        help="of servers on AWS (this machine's); arm costs about a fifth less")  # fmt: skip
    parser.add_argument("--host", metavar="USER@HOST", help="the machine of --target vm, for the commands shown")


def run(
    arguments: argparse.Namespace, study: Study, root: Path, pages: Pages,
    docker: Docker | None = None, aws: Aws | None = None,
) -> int:  # fmt: skip
    """Returns 0 when all is done, or nothing was to be done.

    root: the folder of HIPPO Gym. pages: reads what the functions on AWS show. Raises DeployError.
    """
    shown = Shown(Console(highlight=False))
    order = _order(arguments, study, root, pages, docker or Docker())
    target = _target(arguments, order, aws)
    plan = target.look()
    held = [f"The container cannot be deployed yet: {why}" for why in target.blocks]
    plan = replace(plan, warnings=tuple(dict.fromkeys([*study_warnings(study), *plan.warnings, *held])))
    sys.stdout.write(as_text(plan) + ("\n" if plan.changes else ""))
    sys.stdout.flush()
    if arguments.dry_run:
        return 0
    chosen = _chosen(arguments, plan, target)
    for item in chosen.changes:
        shown.say(f"{item.what}: {item.change}")
        target.carry_out(item, shown)
    sys.stdout.writelines(f"{line}\n" for line in target.next_steps(chosen))
    return 0


def _order(arguments: argparse.Namespace, study: Study, root: Path, pages: Pages, docker: Docker) -> Order:
    for argument in arguments.build_arg:
        if "=" not in argument:
            raise DeployError(f"--build-arg {argument!r} has no value; write NAME=VALUE.")
    made = generated(study)
    context = read_context(root, study.path.parent, {TRIAL: made[TRIAL]})
    refuse([*study_problems(study), *context_problems(context)])
    return Order(
        study, root, {name: made[name] for name in (TRIAL, PROJECT)}, context, docker,
        build_arguments=tuple(sorted(arguments.build_arg)), build_options=tuple(arguments.build_option), pages=pages,
    )  # fmt: skip


def _target(arguments: argparse.Namespace, order: Order, aws: Aws | None) -> Target:
    """Raises DeployError."""
    name = arguments.target or ("aws" if order.study.project.useAWS else "docker")
    if name == "docker":
        return LocalTarget(order, arguments.name, arguments.port, arguments.run_option)
    if name == "vm":
        from hippogym.deploy.targets.vm import VmTarget

        return VmTarget(order, arguments.host)
    if not order.study.project.useAWS:
        raise DeployError("project.useAWS is False, so nothing of AWS is touched: set it to True, or --target docker.")
    from hippogym.deploy.targets.aws import AwsTarget

    setup = order.study.project.awsSetup
    aws = aws or Aws(setup.region or "" if setup else "")
    chosen = ARCHITECTURES.get(arguments.architecture)
    return AwsTarget(order, arguments.stack, aws, registry=arguments.registry, architecture=chosen)


def _chosen(arguments: argparse.Namespace, plan: Plan, target: Target) -> Plan:
    """The part of the plan that is wanted. Raises DeployError."""
    if arguments.no_container:
        return plan.without_container()
    if not plan.changes and not target.blocks:
        return plan
    answer = "y" if arguments.yes else _answer()
    if answer == "q":
        raise DeployError("Nothing was changed.")
    if answer == "n":
        return plan.without_container()
    refuse(target.blocks)
    return plan


def _answer() -> str:
    for _ in range(3):
        sys.stdout.write(QUESTION)
        sys.stdout.flush()
        words = sys.stdin.readline()
        if not words:
            raise DeployError("\nThere is nobody to ask: nothing was changed. --yes or --no-container answers it.")
        if words.strip().lower()[:1] in ("y", "n", "q") and words.strip():
            return words.strip().lower()[0]
    raise DeployError("That was neither y nor n: nothing was changed.")
