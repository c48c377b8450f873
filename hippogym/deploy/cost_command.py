"""``hippogym cost``: what the study costs on AWS, from its config and one table of prices."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from hippogym.config import load_study
from hippogym.config.project import MEMORY_GB, AwsSetup
from hippogym.core.cost import (
    FREE_TRAFFIC_GB,
    HOME,
    KINDS,
    ON_DEMAND_X86,
    PRICES_OF,
    PUBLIC_ADDRESS_HOUR,
    Cost,
    Plan,
    Price,
    Traffic,
    cost,
    price,
    traffic,
)
from hippogym.errors import ConfigError

FRAME_KB = 12.0  # Ms. Pac-Man's, docs/performance.md
NAMES = {"FARGATE": "Fargate", "FARGATE_SPOT": "Fargate Spot", "arm": "ARM", "x86": "x86"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=Path, default=Path(), help="folder of config.yml (this one)")
    parser.add_argument("--participants", type=_count, default=100, help="how many take part (100)")
    parser.add_argument("--minutes", type=_minutes, help="that each needs the server for (maxRuntime)")
    parser.add_argument("--cpu", type=int, choices=list(MEMORY_GB), help="vCPUs (awsSetup.cpu)")
    parser.add_argument("--memory", type=_count, help="GB (awsSetup.memory)")
    parser.add_argument("--region", help="where (awsSetup.region)")
    parser.add_argument("--per-task", type=_count, metavar="N", help="who share a server (participantsPerTask)")
    parser.add_argument("--frame-kb", type=_minutes, default=FRAME_KB, help=f"size of a picture ({FRAME_KB:g})")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Prints what it costs. Raises ConfigError."""
    study = load_study(arguments.study)
    setup = study.project.awsSetup or AwsSetup()
    region = arguments.region or setup.region or HOME
    plan = Plan(
        participants=arguments.participants,
        minutes=min(arguments.minutes or study.project.maxRuntime, study.project.maxRuntime),
        max_runtime=study.project.maxRuntime,
        vcpus=arguments.cpu or setup.cpu,
        memory_gb=arguments.memory or _memory(arguments.cpu, setup),
        per_task=arguments.per_task or setup.participantsPerTask,
    )
    least, most = MEMORY_GB[int(plan.vcpus)]
    if not least <= plan.memory_gb <= most:
        raise ConfigError(f"Fargate has no {plan.memory_gb:g} GB with {plan.vcpus:g} vCPU, but {least} to {most} GB")
    costs = [(each, cost(each, plan)) for each in (price(region, *kind) for kind in KINDS)]
    shown = traffic(plan, float(study.trial.startingFrameRate), arguments.frame_kb)
    if arguments.json:
        sys.stdout.write(json.dumps(_plain(plan, costs, shown), indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _told(region, plan, costs, shown))
    return 0


def _memory(cpu: int | None, setup: AwsSetup) -> int:
    """With another number of vCPUs than the study's, the study's memory as far as there is such a container."""
    least, most = MEMORY_GB[cpu or setup.cpu]
    return min(max(setup.memory, least), most)


def _told(region: str, plan: Plan, costs: list[tuple[Price, Cost]], shown: Traffic) -> list[str]:
    where = region if region in ON_DEMAND_X86 else f"{region} (not in the table: prices of {HOME})"
    shared = f", {plan.per_task} sharing one" if plan.per_task > 1 else ""
    lines = [
        f"{plan.participants} participants, a server with {plan.vcpus:g} vCPU and {plan.memory_gb:g} GB for "
        f"{plan.minutes:g} minutes each{shared}; {where}",
        f"US dollars at prices of {PRICES_OF}, without taxes",
        "",
        f"{'':20}{'an hour':>12}{'a participant':>16}{'the study':>12}{'at most':>12}",
    ]
    for each, its in costs:
        name = f"{NAMES[each.capacity]}, {NAMES[each.architecture]}"
        about = "~" if each.estimated else ""
        amounts = (about + _dollars(amount) for amount in (its.hour, its.participant, its.study, its.most))
        lines.append("{:20}{:>12}{:>16}{:>12}{:>12}".format(name, *amounts))
    lines += [
        f"{'pictures':20}{'':12}{_dollars(shown.participant):>16}{_dollars(shown.study):>12}"
        f"   {shown.study_gb:.1f} GB; an account has {FREE_TRAFFIC_GB} GB a month for nothing",
        "",
        f"With the public address ({_dollars(PUBLIC_ADDRESS_HOUR)} an hour) and {plan.start_minutes:g} minutes "
        "in which a server starts.",
        f"At most: every server runs for all of maxRuntime, {plan.max_runtime:g} minutes.",
        "Spot is spare capacity: its price changes, and where there is none, servers run at the price of Fargate.",
    ]
    if any(each.estimated for each, _ in costs):
        lines.append(f"~ in proportion to {HOME}, not read")
    return lines


def _plain(plan: Plan, costs: list[tuple[Price, Cost]], shown: Traffic) -> dict[str, object]:
    rows = [{**asdict(each), **asdict(its)} for each, its in costs]
    return {"pricesOf": PRICES_OF, "plan": asdict(plan), "costs": rows, "pictures": asdict(shown)}


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.4f}" if amount < 0.1 else f"{amount:.3f}"


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10_000_000:
        raise argparse.ArgumentTypeError("expected a whole number from 1")
    return value


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value
