"""A small study on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT, RunningServer, serving, write_study

COUNTING = ROOT / "tests" / "agents" / "counting.py"
CONFIG = """
trial:
  game: count-40
  maxEpisodes: 3
  actionSpace: [noop, up, right, left, down, upright]
  episodePause: 0
  allowFrameRateChange: true
  maxFrameRate: 60
  ui: {up: true, down: true, left: true, right: true, start: true, pause: true, stop: true, reset: true,
       good: true, bad: true, uploadData: true}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a study that counts to 40, three times."""
    return write_study(tmp_path / "study", CONFIG, COUNTING)


@pytest.fixture
def server(study: Path) -> Iterator[RunningServer]:
    """Its server, in dev."""
    with serving(study) as running:
        yield running
