"""``hippogym new NAME``: a complete study in a folder of its own, made from one of the examples."""

import argparse
import re
import shutil
import sys
from pathlib import Path

import hippogym
from hippogym.errors import StartError

EXAMPLES = Path(hippogym.__file__).resolve().parent.parent / "examples"
USUAL = "ms-pacman"
NOT_COPIED = ("Trials", "__pycache__", "*.pyc", ".*")
NOT_FOR_GIT = "# What participants did belongs to the data, not to the code.\nTrials/\n__pycache__/\n.env\n*.pem\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=Path, help="the new folder; its name becomes the study's id")
    listed = ", ".join(examples()) or "none are here"
    parser.add_argument("--example", metavar="EXAMPLE", default=USUAL, help=f"what to begin from ({USUAL}): {listed}")


def run(arguments: argparse.Namespace) -> int:
    """Make the folder, and say what can be done with it. Returns 0. Raises StartError."""
    make_study(arguments.name, arguments.example)
    where = arguments.name
    communicator = "communicator.py" if Path("communicator.py").is_file() else "-m communicator"
    commands = [
        (f"hippogym check {where}", "is it as it must be?"),
        (f"python3 {communicator} dev --study {where}", "take part yourself, in the browser"),
        (f"hippogym rehearse {where}", "let 40 programs take part"),
    ]
    width = max(len(command) for command, _ in commands)
    sys.stdout.write(f"{where} is a study: settings in config.yml, words in StepFiles, the program in agent.py.\n\n")
    sys.stdout.writelines(f"  {command:<{width}}   {what}\n" for command, what in commands)
    return 0


def examples() -> list[str]:
    """The names of the studies that one can begin from."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/config.yml"))


def make_study(folder: Path, example: str) -> None:
    """Copy an example, under an id of its own. Raises StartError, and then nothing was made."""
    known = examples()
    if not known:
        raise StartError(f"the examples are not here ({EXAMPLES}); they come with HIPPO Gym's own folder: git clone it")
    if example not in known:
        raise StartError(f"there is no example {example!r}; there are {', '.join(known)}")
    project = project_id(folder.absolute().name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StartError(f"{folder} is there already, and not empty")
    try:
        shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True)
        config = folder / "config.yml"
        text = config.read_text(encoding="utf-8")
        config.write_text(re.sub(r"(?m)^(  id: )[A-Za-z0-9-]+", rf"\g<1>{project}", text, count=1), encoding="utf-8")
        (folder / ".gitignore").write_text(NOT_FOR_GIT, encoding="utf-8")
    except OSError as problem:
        raise StartError(f"{folder} cannot be made: {problem.strerror or problem}") from problem


def project_id(name: str) -> str:
    """A project id made of a folder's name. Raises StartError where nothing is left of it."""
    made = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:63].strip("-")
    if not made:
        raise StartError(f"{name!r} has no letter or digit of which a study's id could be made")
    return made
