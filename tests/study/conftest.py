"""One server of the whole study for all tests of a module, and people who ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import RunningServer, serving
from tests.study.whole_study import Person, whole_study


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The whole study's server in dev: starting one takes a second or two."""
    with serving(whole_study(tmp_path_factory.mktemp("whole") / "study")) as running:
        yield running


@pytest.fixture
def person(server: RunningServer) -> Iterator[Callable[..., Person]]:
    """``person(**link)``: somebody who opens the study's link, in a browser of their own."""
    with ExitStack() as stack:
        yield lambda **link: stack.enter_context(Person(server.url, link))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The whole study, for a test that starts its server itself."""
    return whole_study(tmp_path / "study")
