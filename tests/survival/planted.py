"""Bugs that are planted one after the other into a copy of the tree, each with the tests that are meant to notice it.

python -m tests.survival.planted [WORD …]     all of them, or those whose claim holds all the words; ends with 1 unless
                                              every one was caught

A promise is only as good as the check that would notice it broken. Caught means: some test failed. A bug that no test
notices is a test that is missing, here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT
from tests.survival.planted_bugs import BUGS, Bug

LEFT_BEHIND = ("__pycache__", "node_modules", "Trials", ".*")
LONGEST_S = 900.0


@dataclass(frozen=True)
class Outcome:
    """caught: by which test, None where none failed."""

    bug: Bug
    caught: str | None
    took_s: float

    def __str__(self) -> str:
        how = f"caught by {self.caught}" if self.caught else "NOT CAUGHT"
        return f"{self.bug.claim}: {how} ({self.took_s:.0f} s)"


def fits(bug: Bug, root: Path = ROOT) -> bool:
    """Whether the text that it changes stands in its file, and only once."""
    return (root / bug.file).read_text(encoding="utf-8").count(bug.good) == 1


def copy_of_the_tree(to: Path) -> Path:
    """Everything that the tests need; compiled files, records and what is hidden are left behind."""
    return Path(shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*LEFT_BEHIND)))


def plant(bug: Bug, tree: Path) -> Outcome:
    """Change the copy, run the tests, and change it back. RuntimeError where the tests did not even run."""
    path = tree / bug.file
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace(bug.good, bug.bad), encoding="utf-8")
    began_s = time.monotonic()
    try:
        code, said = run_tests(bug.tests, tree)
    finally:
        path.write_text(good, encoding="utf-8")
    if code not in (0, 1):
        raise RuntimeError(f"{bug.claim}: the tests did not run ({code}):\n{said[-2000:]}")
    failed = [line.split()[1] for line in said.splitlines() if line.startswith(("FAILED ", "ERROR ")) and "::" in line]
    caught = failed[0].rpartition("::")[2] if code == 1 and failed else None
    return Outcome(bug, caught, time.monotonic() - began_s)


def run_tests(tests: Iterable[str], tree: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not long", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def plant_all(bugs: Iterable[Bug]) -> Iterator[Outcome]:
    """One after the other. RuntimeError where the tests fail without any bug."""
    chosen = list(bugs)
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = copy_of_the_tree(Path(folder) / "tree")
        for bug in chosen:
            if not fits(bug, tree):
                raise RuntimeError(f"{bug.claim}: {bug.file} does not hold the text that the bug changes (once)")
            yield plant(bug, tree)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.survival.planted", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("words", nargs="*", help="only the bugs whose claim holds all of these")
    words = parser.parse_args().words
    outcomes = []
    for outcome in plant_all(bug for bug in BUGS if all(word in bug.claim for word in words)):
        print(outcome, flush=True)
        outcomes.append(outcome)
    caught = sum(outcome.caught is not None for outcome in outcomes)
    print(f"{caught} of {len(outcomes)} caught")
    return 0 if caught == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
