"""What one trial's process is told: what all trials of the study share, and what is this participant's own."""

from collections.abc import Mapping
from typing import Any

from hippogym.live.admission import Admission

NOBODY: dict[str, Any] = {"visit": None, "condition": None, "step": None, "parameters": {}}
IN_HEADER = {
    "game": "game",
    "step_mode": "stepMode",
    "action_buffer_lifespan": "actionBufferLifespan",
    "frame_rate": "startingFrameRate",
    "jpeg_quality": "jpegQuality",
}


def trial_spec(
    shared: Mapping[str, Any], trial: str, user_id: str, project_id: str | None, admission: Admission | None
) -> dict[str, Any]:
    """shared: of all trials. Plain values only."""
    spec = {**shared, "trial": trial, "participant": {"userId": user_id, "projectId": project_id}, "about": NOBODY}
    if admission is None:
        return spec
    own = admission.spec_overrides
    settings = own.get("settings", shared["settings"])
    about = {
        "visit": admission.visit_id,
        "condition": own.get("condition"),
        "step": own.get("step"),
        "parameters": dict(own.get("agent") or {}),
    }
    header = {**shared["header"], **{name: settings[key] for name, key in IN_HEADER.items()}, **about}
    if own.get("preview"):
        header["preview"] = True
    header |= own.get("header", {})
    episodes_done = int(own.get("episodes_done") or 0)
    if episodes_done:  # an earlier trial's: this one's files begin with a later number
        header["episodes_before"] = episodes_done
    return {**spec, "about": about, "settings": settings, "header": header, "episodes_done": episodes_done}


def label_of(admission: Admission) -> str:
    """What the participant is called in their records. It is a label: where it becomes part of a key it is checked."""
    return admission.user or f"visit_{admission.visit_id}"
