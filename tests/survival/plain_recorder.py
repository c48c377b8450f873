"""The control of the experiment: a recorder in the plain way, a buffered file and ``pickle.dump``, never repaired.

It stands in for the real one in a trial's process (``USE_IT`` at the end of an agent.py), so that nothing else differs.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

USE_IT = """
import trial
from tests.survival.plain_recorder import PlainRecorder
trial.Recorder = PlainRecorder
"""


class PlainRecorder:
    """As much of Recorder as a trial uses."""

    def __init__(self, folder: Path, trial: str, *, per: str) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._file: Any = None

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def open_episode(self, episode: int, header: Mapping[str, Any]) -> None:
        self._file = (self._folder / f"episode_{episode:04d}.pkl").open("wb")

    def write(self, entry: Mapping[str, Any]) -> None:
        pickle.dump(entry, self._file)

    def close_episode(self, reason: str, summary: Mapping[str, Any]) -> None:
        self._file.close()
        self._file = None

    def close(self) -> None:
        if self.is_open:
            self.close_episode("closed", {})
