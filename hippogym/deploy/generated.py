"""The two files that are made from config.yml: what the container needs, and what the project's infrastructure needs.

``.trialConfig.yml``: the study without what only people and the infrastructure need. The container reads it.
``.projectConfig.yml``: the other half, for whoever wants to see what was deployed.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hippogym.config import Study
from hippogym.deploy.problems import DeployError

TRIAL, PROJECT = ".trialConfig.yml", ".projectConfig.yml"

FOR_PEOPLE = ("researcher", "teamMembers", "live", "maxRuntime", "events")
OF_THE_CONTAINER = (
    "cpu",
    "memory",
    "rootDomain",
    "participantsPerTask",
)  # of awsSetup: about the container, not for it
MADE = "# Made from config.yml by updateProject.py; what is changed here is lost.\n"


def generated(study: Study) -> dict[str, bytes]:
    """File name → content; the same study gives the same bytes. Raises DeployError."""
    values = _values(study)
    project = dict(values.get("project") or {})
    inside = {key: value for key, value in project.items() if key not in FOR_PEOPLE}
    if isinstance(inside.get("awsSetup"), dict):
        inside["awsSetup"] = {key: value for key, value in inside["awsSetup"].items() if key not in OF_THE_CONTAINER}
    inside.setdefault("useAWS", study.project.useAWS)
    trial = {"project": inside, "trial": values.get("trial")}
    return {TRIAL: _yaml(trial), PROJECT: _yaml({"project": project | {"id": study.project.id}})}


def master_list_entry(study: Study) -> dict[str, Any]:
    """What ``project_master_list.json`` says of the project, without the date."""
    project = study.project
    steps = {str(key): _file_of(step) for key, step in project.steps.items()}
    return {
        "id": project.id,
        "name": project.name,
        "live": project.live,
        "researcher": project.researcher,
        "teamMembers": project.teamMembers,
        "steps": steps,
        "events": {name: value for name, value in project.events.model_dump().items() if value is not None},
        "maxRuntime": project.maxRuntime,
    }


def write_if_changed(path: Path, content: bytes) -> bool:
    """Whole or not at all. Returns whether it was changed. Raises DeployError."""
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as problem:
        raise DeployError(f"{path} cannot be written: {problem.strerror or problem}.") from problem
    return True


def is_as(path: Path, content: bytes) -> bool:
    """Whether the file is there with this content."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _values(study: Study) -> dict[str, Any]:
    if study.path.name == TRIAL:
        raise DeployError(f"{study.path.parent} has no config.yml, only the {TRIAL} that is made from it.")
    values = yaml.safe_load(study.path.read_text("utf-8-sig"))
    return values if isinstance(values, dict) else {}


def _file_of(step: object) -> str:
    if isinstance(step, Mapping):
        step = step.get("page")
    return step if isinstance(step, str) else ""


def _yaml(values: dict[str, Any]) -> bytes:
    return (MADE + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)).encode()
