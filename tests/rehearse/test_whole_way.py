"""Programs go through real studies on real servers; what they leave is checked, and what is wrong in it is found."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hippogym.rehearse.checks import GREY, RED, server_check
from hippogym.rehearse.network import Network
from hippogym.rehearse.new import examples
from hippogym.rehearse.plan import Shares
from hippogym.rehearse.story import DONE, LEFT
from tests.rehearse.rehearsed import Rehearsed, quick_study, rehearse

EVERYTHING_BEFALLS = Shares(leave=0.2, reload=0.6, two_tabs=0.5, careless=0.6)
NOTHING_BEFALLS = Shares(0, 0, 0, 0)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """Twelve participants of the study with two conditions; most of them do something that people do."""
    folder = tmp_path_factory.mktemp("rehearsal")
    return rehearse(quick_study(folder / "study", "two-conditions"), folder, 12, EVERYTHING_BEFALLS)


def test_everybody_goes_their_way_and_every_check_is_green(rehearsed: Rehearsed) -> None:
    assert {name: check.details for name, check in rehearsed.checks().items() if check.state == RED} == {}
    assert server_check(rehearsed.code, rehearsed.errors).state != RED, rehearsed.errors
    assert [check.name for check in rehearsed.checks().values() if check.state == GREY] == []


def test_what_befalls_people_has_befallen_them(rehearsed: Rehearsed) -> None:
    stories = rehearsed.stories
    assert {story.state for story in stories} == {DONE, LEFT}
    assert sum(story.reloads for story in stories) and sum(story.second_tabs for story in stories)
    assert {story.outcome for story in stories if story.state == DONE} == {"complete"}
    assert len({story.code for story in stories if story.state == DONE}) == sum(s.state == DONE for s in stories)


def _sql(data: Path, *statements: str) -> None:
    connection = sqlite3.connect(data / "study.sqlite")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def _change_an_answer(data: Path) -> None:
    connection = sqlite3.connect(data / "study.sqlite")
    with connection:
        n, text = connection.execute("SELECT n, document FROM answers WHERE step = 'survey' LIMIT 1").fetchone()
        row = json.loads(text)
        row["answers"]["age"] = "99"
        connection.execute("UPDATE answers SET document = ? WHERE n = ?", (json.dumps(row), n))
    connection.close()


def _keep_everybody_alone(data: Path) -> None:
    _sql(data, 'UPDATE assignments SET entry = replace(entry, \'"arm":"helped"\', \'"arm":"alone"\')')


def _skip_a_step(data: Path) -> None:
    _sql(data, 'UPDATE visits SET document = replace(document, \'"consent","instructions",\', \'"consent",\')')


def _flip_a_byte(data: Path) -> None:
    record = max(data.glob("*/episode_0000.pkl"), key=lambda path: path.stat().st_size)
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 1
    record.write_bytes(content)


def _lose_a_trial(data: Path) -> None:
    record = max(data.glob("*/episode_0000.pkl"), key=lambda path: path.stat().st_size)  # of somebody who has seen much
    shutil.rmtree(record.parent)


def _another_key(data: Path) -> None:
    (data / "code.key").chmod(0o600)
    (data / "code.key").write_bytes(bytes(32))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_change_an_answer, "answers are what was entered"),
        (lambda data: _sql(data, "DELETE FROM answers WHERE n = 2"), "answers are what was entered"),
        (
            lambda data: _sql(
                data,
                "INSERT INTO answers (visit, step, stamp, document) SELECT visit, step, 'again', "
                "replace(document, stamp, 'again') FROM answers WHERE n = 1",
            ),
            "answers are what was entered",
        ),
        (lambda data: _sql(data, "DELETE FROM visits WHERE rowid = 1"), "one visit for everybody"),
        (
            lambda data: _sql(data, "UPDATE visits SET document = replace(document, '\"complete\"', '\"withdrew\"')"),
            "one visit for everybody",
        ),
        (_skip_a_step, "no step skipped or repeated"),
        (_keep_everybody_alone, "arms are balanced"),
        (_flip_a_byte, "records are as they were written"),
        (_lose_a_trial, "what was seen is recorded"),
        (_another_key, "codes verify"),
    ],
)
def test_what_is_wrong_with_the_data_turns_its_check_red(
    damage: Callable[[Path], None], found: str, rehearsed: Rehearsed, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(rehearsed.data, data)
    damage(data)
    check = replace(rehearsed, data=data).checks()[found]
    assert check.state == RED and check.details


def test_a_server_that_complained_or_did_not_stop_is_red() -> None:
    assert server_check(0, []).state != RED
    assert server_check(0, ["12:00:00 ERROR something"]).state == RED
    assert server_check(1, []).state == server_check(None, []).state == RED


@pytest.mark.parametrize(
    "example", [one if one == "two-conditions" else pytest.param(one, marks=pytest.mark.long) for one in examples()]
)
def test_a_bot_goes_through_every_example(example: str, tmp_path: Path) -> None:
    study = quick_study(tmp_path / "study", example)
    done = rehearse(study, tmp_path, 2, NOTHING_BEFALLS, play_s=2.0)
    assert {name: check.details for name, check in done.checks().items() if check.state == RED} == {}
    assert {(story.state, story.outcome) for story in done.stories} == {(DONE, "complete")}
    assert all(game.frames for story in done.stories for game in story.games)


@pytest.mark.long
def test_a_bad_line_delays_and_loses_nothing(tmp_path: Path) -> None:
    study = quick_study(tmp_path / "study", "two-conditions")
    done = rehearse(study, tmp_path, 2, Shares(0, 1, 1, 1), network=Network(0.15, 0.02, 2e6))
    assert {name: check.details for name, check in done.checks().items() if check.state == RED} == {}
    assert {story.state for story in done.stories} == {DONE}
