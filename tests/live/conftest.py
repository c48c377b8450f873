"""A small study on a real server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import ROOT, RunningServer, serving, write_study

COUNTING = ROOT / "tests" / "agents" / "counting.py"
CONFIG = """
trial:
  game: count-40
  maxEpisodes: 3
  maxParticipants: 200
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
def own_server(study: Path) -> Iterator[RunningServer]:
    """Its server in dev, for this test alone."""
    with serving(study) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The same, for all tests of a module: starting a server takes a second or two."""
    with serving(write_study(tmp_path_factory.mktemp("shared") / "study", CONFIG, COUNTING)) as running:
        yield running


@pytest.fixture
def server(shared_server: RunningServer) -> RunningServer:
    """The shared server, with its earlier trials out of sight."""
    known = frozenset(path.name for path in shared_server.records.iterdir())
    return replace(shared_server, known=known)
