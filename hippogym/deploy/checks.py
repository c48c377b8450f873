"""What must be right before anything is touched: every problem at once, each a sentence."""

import re
from collections.abc import Iterable

from hippogym.config import Study
from hippogym.config.step_files import check_step_files
from hippogym.deploy.context import Context
from hippogym.deploy.problems import DeployError

XVFB = "xvfb.sh"
_DEV = re.compile(r"[^#]*communicator\.py\s.*\bdev\b")


def study_problems(study: Study) -> list[str]:
    """What is wrong with the study's pages and files; its settings were checked when it was read."""
    found = [str(remark) for remark in check_step_files(study) if remark.kind == "problem"]
    if not (study.path.parent / "agent.py").is_file():
        found.append(f"agent.py is not in {study.path.parent}; it is what the container runs.")
    return found


def study_warnings(study: Study) -> list[str]:
    """What is worth a look before people come."""
    found = [f"{study.path.name}, {warning}" for warning in study.warnings]
    found += [str(remark) for remark in check_step_files(study) if remark.kind == "warning"]
    if not study.trial.s3upload:
        kept = "they are lost with the container" if study.project.useAWS else "they stay in the container's volume"
        found.append(f"trial.s3upload is off: records are not uploaded, {kept}.")
    if not study.project.live:
        found.append("project.live is False: for participants, the project does not exist.")
    return list(dict.fromkeys(found))


def context_problems(context: Context) -> list[str]:
    """What must not, and what must be in the image."""
    missing = [name for name in ("communicator.py", "trial.py", "agent.py", XVFB) if name not in context.files]
    return [*context.secrets(), *(f"{name} would not be in the image; does .dockerignore say so?" for name in missing)]


def runs_dev(context: Context) -> bool:
    """Whether xvfb.sh starts the server with ``dev``: plain http, no upload."""
    script = context.files.get(XVFB)
    return script is not None and any(_DEV.match(line) for line in script.read().decode(errors="replace").splitlines())


def refuse(problems: Iterable[str]) -> None:
    """Raise DeployError with all of them, where there are any."""
    found = list(dict.fromkeys(problems))
    if found:
        count = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
        raise DeployError("\n".join([f"{count} to put right before anything is changed:", *(f"  {p}" for p in found)]))
