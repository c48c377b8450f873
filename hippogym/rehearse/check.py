"""``hippogym check``: everything that can be known of a study before anybody comes, in one report.

Its settings with their lines, its pages and its way, and its agent, which plays some ticks (``communicator.py check``,
in a process of its own as it runs the researcher's code).
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hippogym.config import Study, load_study
from hippogym.config.step_files import check_step_files
from hippogym.data.terminal import console, harmless
from hippogym.errors import ConfigError, StartError

AGENT_WITHIN_S = 900.0
FINE, PROBLEM = "green", "red"
LONGEST = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "study", metavar="STUDY", nargs="?", type=Path, default=Path(), help="the study's folder (this)"
    )
    parser.add_argument("--pages-only", action="store_true", help="leave the agent out")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 where people can take part in the study, else 1."""
    shown = console()
    try:
        study = load_study(arguments.study)
    except ConfigError as problem:
        shown.print(Text(f"✗ {problem}", style=PROBLEM))
        return 1
    fine = _settings_and_pages(study, shown)
    if not arguments.pages_only:
        shown.print()
        fine = _agent(arguments.study, shown) and fine
    shown.print()
    verdict = "The study is ready." if fine else "The study is not ready: see what is marked ✗."
    shown.print(Text(verdict, style=f"bold {FINE if fine else PROBLEM}"))
    return 0 if fine else 1


def _settings_and_pages(study: Study, shown: Console) -> bool:
    """Print what there is to say; returns whether nothing is wrong."""
    remarks = check_step_files(study)
    wrong = [str(remark) for remark in remarks if remark.kind == "problem"]
    notable = [f"{study.path.name}, {warning}" for warning in study.warnings if not _is_said(warning, wrong)]
    notable += [str(remark) for remark in remarks if remark.kind != "problem"]
    steps = len(study.project.steps)
    told = f"{steps} steps" if steps else "only the game, no steps"
    shown.print(Text(f"✓ {study.path.name}: read and understood ({told})", style=FINE))
    for sentence in wrong:
        shown.print(Text(f"✗ {harmless(sentence, LONGEST)}", style=PROBLEM))
    for sentence in notable:
        shown.print(Text(f"· {harmless(sentence, LONGEST)}", style="yellow"))
    if not wrong and steps:
        shown.print(Text("✓ StepFiles: every page is there, and every answer would be kept", style=FINE))
    return not wrong


def _is_said(warning: str, wrong: list[str]) -> bool:
    """Whether the linter says the same about a missing file, and says it as the problem that it is."""
    return "is not there" in warning and any(sentence.endswith(warning.rpartition(": ")[2]) for sentence in wrong)


def _agent(folder: Path, shown: Console) -> bool:
    """Let the agent play; what it shows is printed as it comes. Raises StartError where that cannot be."""
    origin = importlib.util.find_spec("communicator")
    if origin is None or origin.origin is None:
        raise StartError("communicator.py is not installed here; run this where HIPPO Gym is: pip install -e .")
    sys.stdout.flush()
    command = [sys.executable, origin.origin, "check", "--study", str(folder)]
    try:
        code = subprocess.run(command, timeout=AGENT_WITHIN_S, check=False).returncode
    except subprocess.TimeoutExpired:
        shown.print(Text(f"✗ agent.py: no end after {AGENT_WITHIN_S:.0f} s", style=PROBLEM))
        return False
    told = "✓ agent.py: loads and plays" if code == 0 else f"✗ agent.py: people could not play this ({code}; see above)"
    shown.print(Text(told, style=FINE if code == 0 else PROBLEM))
    return code == 0
