"""The rehearsal as a script; see __init__.py. Exit code 0: everything was as it must be."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.deploy.rehearsal.engines import Containers, Processes, why_no_containers, why_not_here
from tests.deploy.rehearsal.story import Told, rehearse
from tests.deploy.rehearsal.study import Scale

SCALES = {"docker": Scale(3, 30), "process": Scale(2, 100)}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.deploy.rehearsal", description="A study on AWS, without AWS."
    )
    parser.add_argument("--engine", choices=tuple(SCALES), default="docker", help="docker: images and containers")
    parser.add_argument("--pictures", type=Path, help="a folder for what the participant sees")
    parser.add_argument("--short", action="store_true", help="without mishaps: who walks away, what is left behind")
    arguments = parser.parse_args()
    why_not = why_not_here() or (why_no_containers() if arguments.engine == "docker" else None)
    if why_not is not None:
        sys.stderr.write(f"{why_not} (docs/rehearsing-the-cloud.md)\n")
        return 2
    told = Told(lambda line: print(line, flush=True))
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        work = Path(folder)
        engine = Containers(work) if arguments.engine == "docker" else Processes(work)
        rehearse(
            work, engine, told, SCALES[arguments.engine], pictures=arguments.pictures, thorough=not arguments.short
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
