"""Deploy this study:  python3 updateProject.py [--dry-run] [--yes] [--target aws|docker|vm] [--study DIR]

Prints what is, what would change and what it costs; asks whether to deploy the container; does it. A second run
changes nothing, and a run that was broken off can simply be repeated. docs/deploying.md, AWS_README.md
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from hippogym.config import Study, load_study
from hippogym.core.study.way import build_way
from hippogym.deploy.command import add_arguments, run
from hippogym.errors import HippoError
from hippogym.pages.step_files import FOLDER, read_step_files

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Run the command. Returns the exit code: 0 done, 2 not done, which is said in a sentence."""
    parser = argparse.ArgumentParser(prog="updateProject.py", description="Deploy a HIPPO Gym study.")
    add_arguments(parser)
    arguments = parser.parse_args()
    load_dotenv(arguments.study / ".env")  # AWS keys, on the researcher's machine only
    try:
        study = load_study(arguments.study.absolute())
        return run(arguments, study, ROOT, lambda: pages_of(study))
    except HippoError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What was done stays; give the command again to go on.\n")
        return 130


def pages_of(study: Study) -> dict[str, Any]:
    """The study's pages as participants get them, and what they ask, for the functions on AWS. Raises StartError."""
    way = build_way(study.study_settings())
    if not way.has_steps:
        return {"pages": {}, "variants": {}}
    files = read_step_files(study.path.parent / FOLDER, way.pages(), scripts=way.scripts)
    pages = {
        name: {"html": page.html, "title": page.title, "sha256": page.sha256, "form": asdict(page.form)}
        for name, page in files.pages.items()
    }
    return {"pages": pages, "variants": {stem: list(arms) for stem, arms in files.variants.items()}}


if __name__ == "__main__":
    sys.exit(main())
