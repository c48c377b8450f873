"""What every trial's process is told, and how long it may take."""

import hashlib
from pathlib import Path
from typing import Any

from hippogym import __version__
from hippogym.config import Study
from hippogym.data.versions import versions
from hippogym.live.session import SessionLimits


def describe(study: Study, folder: Path, records: Path, dev: bool) -> dict[str, Any]:
    """Plain values only. folder: of the study."""
    header = {
        "project": study.project.id,
        "game": study.trial.game,
        "config_sha256": study.sha256,
        "agent_sha256": hashlib.sha256((folder / "agent.py").read_bytes()).hexdigest(),
        "step_mode": study.trial.stepMode,
        "action_buffer_lifespan": study.trial.actionBufferLifespan,
        "frame_rate": study.trial.startingFrameRate,
        "jpeg_quality": study.trial.jpegQuality,
        "versions": versions(__version__),
    }
    return {
        "trial": "check",
        "participant": {"userId": "check", "projectId": None},
        "study": str(folder),
        "records": str(records),
        "settings": study.trial_settings(),
        "header": header,
        "dev": dev,
    }


def limits_of(study: Study) -> SessionLimits:
    """Times in seconds, memory in bytes."""
    trial = study.trial
    return SessionLimits(trial.reconnectGrace, trial.stepTimeout, trial.hookTimeout, trial.memoryLimit * 2**20)
