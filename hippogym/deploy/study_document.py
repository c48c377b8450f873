"""``study.json``: all that the functions on AWS know of a study. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from hippogym.config import Study

VERSION = 1


def study_document(
    study: Study, pages: Mapping[str, Any], stack: str, task: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Plain values for JSON.

    pages: ``pages`` and ``variants``, as participants get them. task: the registered definition of the container; None
    where there is none yet, and then nobody gets a server.
    """
    project, trial = study.project, study.trial
    container = task["containerDefinitions"][0] if task else {}
    document = {
        "v": VERSION,
        "id": project.id,
        "live": project.live,
        "stack": stack,
        "study": study.study_settings(),
        "trial": study.trial_settings(),
        "instructions": list(trial.instructions),
        "origins": list(project.origins),
        "events": project.events.model_dump(),
        "maxRuntime": project.maxRuntime,
        "maxParticipants": trial.maxParticipants,
        "reconnectGrace": trial.reconnectGrace,
        "awsSetup": project.awsSetup.model_dump() if project.awsSetup else {},
        "ssl": project.ssl.model_dump(),
        "pages": pages["pages"],
        "variants": pages["variants"],
        "taskDefinition": task["taskDefinitionArn"] if task else None,
        "container": container.get("name"),
        "image": container.get("image"),
    }
    return dict(json.loads(json.dumps(document)))  # as it comes back: tuples are lists
