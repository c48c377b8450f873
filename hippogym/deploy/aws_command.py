"""``hippogym aws setup|status|destroy``: what a lab sets up once, for all its studies (AWS_README.md)."""

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from dotenv import load_dotenv
from rich.console import Console

from hippogym.deploy.aws import Aws
from hippogym.deploy.functions_zip import program
from hippogym.deploy.page_upload import PageBucket
from hippogym.deploy.plan import as_text
from hippogym.deploy.problems import DeployError
from hippogym.deploy.progress import Shown
from hippogym.deploy.stack import Stack, Wanted, as_json

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "aws" / "template.yml"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}\Z")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    setup = actions.add_parser("setup", help="make what is missing, change what is old; prints a plan first")
    status = actions.add_parser("status", help="how the stack is, and where things are")
    destroy = actions.add_parser("destroy", help="remove it; records, answers and certificates stay")
    for action in (setup, status, destroy):
        action.add_argument("--region", required=True, help="such as us-west-2; awsSetup.region of the studies")
        action.add_argument("--stack", default="hippogym", help="its name (hippogym)")
    for action in (setup, destroy):
        action.add_argument("--dry-run", action="store_true", help="print the plan, and change nothing")
        action.add_argument("--yes", action="store_true", help="ask nothing")
    setup.add_argument("--domain", required=True, help="awsSetup.rootDomain of the studies, hosted in Route53")
    setup.add_argument("--email", required=True, help="who is told when a month becomes expensive")
    setup.add_argument("--budget", type=int, default=100, help="a month's costs in US dollars (100)")
    setup.add_argument("--most-servers", type=int, default=50, help="of one project at a time (50)")
    status.add_argument("--json", action="store_true", help="for programs")
    destroy.add_argument("--data", metavar="STACK", help="all that was kept, too: say the stack's name again")


def run(arguments: argparse.Namespace, stack: Stack | None = None) -> int:
    """Returns 0 when all is done, or as it should be. Raises DeployError. stack: handed in by tests."""
    load_dotenv(Path(".env"))  # AWS keys, on the researcher's machine only
    if not NAME.match(arguments.stack):
        raise DeployError(f"--stack {arguments.stack!r}: small letters, digits and -, at most 20, a letter first.")
    stack = stack or Stack(Aws(arguments.region), arguments.stack)
    shown = Shown(Console(highlight=False))
    if arguments.action == "setup":
        return _setup(arguments, stack, shown)
    return _status(arguments, stack) if arguments.action == "status" else _destroy(arguments, stack, shown)


def _setup(arguments: argparse.Namespace, stack: Stack, shown: Shown) -> int:
    parameters = {
        "RootDomain": arguments.domain, "HostedZoneId": stack.zone(arguments.domain), "BudgetEmail": arguments.email,
        "BudgetDollars": str(arguments.budget), "MostTasks": str(arguments.most_servers),
    }  # fmt: skip
    try:
        template = TEMPLATE.read_text("utf-8")
    except OSError as problem:
        raise DeployError(f"{TEMPLATE} cannot be read: {problem.strerror}; it comes with HIPPO Gym.") from problem
    wanted = Wanted(stack.name, template, program(ROOT), parameters)
    plan = stack.plan(wanted)
    plan = replace(plan, items=(*plan.items, _page(stack).item()))
    sys.stdout.write(as_text(plan))
    sys.stdout.flush()
    if arguments.dry_run or not plan.changes:
        return 0
    _ask(arguments, "Do it? [y/n] ")
    for item in plan.changes:
        shown.say(f"{item.what}: {item.change}")
        if item.key == "page":
            shown.say(f"  version {_page(stack).upload()}")
        else:
            stack.carry_out(item, wanted, lambda line: shown.say(f"  {line}"))
    _say_outputs(stack)
    return 0


def _status(arguments: argparse.Namespace, stack: Stack) -> int:
    """Exit code 1 where there is no stack that can be used."""
    now = stack.now()
    if arguments.json:
        told = {"stack": stack.name, "status": now["StackStatus"] if now else None, "outputs": stack.outputs()}
        sys.stdout.write(as_json(told) + "\n")
    elif now is None:
        sys.stdout.write(f"There is no stack {stack.name} in {arguments.region}: hippogym aws setup makes it.\n")
    else:
        sys.stdout.write(f"The stack {stack.name} is {now['StackStatus']}.\n{_of_page(stack)}\n")
        _say_outputs(stack)
    usable = now is not None and str(now["StackStatus"]).endswith("_COMPLETE") and "DELETE" not in now["StackStatus"]
    return 0 if usable else 1


def _page(stack: Stack) -> PageBucket:
    return PageBucket(stack.aws, stack.outputs())


def _of_page(stack: Stack) -> str:
    if not stack.outputs().get("PageBucket"):
        return "There is no participants' page yet."
    item = _page(stack).item()
    return f"The participants' page: {item.now}{'; hippogym aws setup makes it this one' if item.change else ''}."


def _destroy(arguments: argparse.Namespace, stack: Stack, shown: Shown) -> int:
    if arguments.data is not None and arguments.data != stack.name:
        raise DeployError(f"--data {arguments.data}: say the stack's name, {stack.name}, so that it is not by mistake.")
    with_data = arguments.data is not None
    buckets = stack.data_buckets()
    kept = ", ".join(buckets) or "no buckets"
    removed = f"the stack {stack.name} in {arguments.region}, its running servers and its functions"
    if with_data:
        what = f"Removes {removed},\nAND ALL DATA: {kept}, in every version, and the key of the codes.\n"
    else:
        what = f"Removes {removed}.\nKeeps records, answers and certificates: {kept}, and the key of the codes.\n"
    sys.stdout.write(what)
    sys.stdout.flush()
    if arguments.dry_run:
        return 0
    _ask(arguments, "Do it? [y/n] ")
    stack.destroy(shown.say, data=with_data)
    return 0


def _say_outputs(stack: Stack) -> None:
    outputs = stack.outputs()
    wide = max((len(name) for name in outputs), default=0)
    sys.stdout.writelines(f"  {name:<{wide}}  {value}\n" for name, value in sorted(outputs.items()))


def _ask(arguments: argparse.Namespace, question: str) -> None:
    """Raises DeployError where the answer is no."""
    if arguments.yes:
        return
    sys.stdout.write(question)
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower()[:1] != "y":
        raise DeployError("Nothing was changed.")
