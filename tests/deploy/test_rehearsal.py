"""The complete rehearsal: a study set up, deployed, played over an interruption by Spot, kept whole, removed again."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import find_chromium
from tests.deploy.rehearsal.engines import Containers, Processes, why_no_containers, why_not_here
from tests.deploy.rehearsal.sharing import two_share
from tests.deploy.rehearsal.story import Told, rehearse
from tests.deploy.rehearsal.study import Scale

NOT_HERE, NO_CONTAINERS = why_not_here(), why_no_containers()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(NOT_HERE is not None, reason=str(NOT_HERE)),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # moto, of parts of the template that it passes over
]


@pytest.fixture(autouse=True)
def chromium() -> None:
    """Missing: a failure where CI=true, since tests that never run prove nothing; else skipped."""
    if find_chromium() is None:
        missing = "no Chromium here: install it, or name it in CHROMIUM"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)


def test_a_participant_plays_over_an_interruption_and_nothing_is_lost_or_left(tmp_path: Path) -> None:
    rehearse(tmp_path, Processes(tmp_path), Told(), Scale(2, 100))


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.skipif(NO_CONTAINERS is not None, reason=str(NO_CONTAINERS))
def test_the_same_with_the_real_image_from_a_real_registry_and_with_what_people_leave_behind(tmp_path: Path) -> None:
    rehearse(tmp_path, Containers(tmp_path), Told(print), Scale(3, 30), thorough=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_on_one_server_are_moved_together_and_each_goes_on_with_their_own_game(tmp_path: Path) -> None:
    two_share(tmp_path, Processes(tmp_path), Told(print), Scale(2, 60, shared=2))
