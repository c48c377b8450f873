"""Arms stay even, and the log replays, with the real desk and ledger: many at once, kills, a full disk."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hippogym.core.study.assignment import decided, replay
from hippogym.core.study.factors import Factor, factor_from_text
from hippogym.core.study.tally import Tally
from hippogym.data.ledger.sqlite import FILE, SqliteLedger
from tests.servers import ROOT
from tests.study.whole_study import whole_study

CONFIG = """
project:
  id: arms
  steps: {1: consent.html, 2: survey.html, finalStep: thanks.html}
  conditions: {slow: , fast: , none: }
  assignment: {giveBack: 30}
trial: {game: count-3, maxEpisodes: 1, actionSpace: [noop, up]}
"""
CONSENT = '<label><input type="checkbox" name="agree"> I agree</label>'
PAGES = {"consent.html": CONSENT, "survey-0.html": CONSENT, "survey-1.html": CONSENT, "thanks.html": "<p>Thank you</p>"}
WITHIN_S = 100


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = whole_study(tmp_path / "study", CONFIG, PAGES)
    (folder / "Trials").mkdir()
    return folder


@contextmanager
def arrivals(study: Path, number: int, people: int, *more: str) -> Iterator[subprocess.Popen]:
    """The program; it does not outlive the test, whatever happens."""
    words = [sys.executable, "-m", "tests.study.arrivals_program", str(study), str(number), str(people), *more]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def a_round(study: Path, number: int, people: int, *more: str) -> list[str]:
    """Everybody of a round comes and goes. Returns the names of those who were let in."""
    with arrivals(study, number, people, *more) as process:
        out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, err
    return out.splitlines()


def a_round_that_is_killed(study: Path, number: int, people: int, after: int) -> list[str]:
    """The same, but after so many names the process is killed."""
    with arrivals(study, number, people) as process:
        said = [process.stdout.readline().strip() for _ in range(after)]
        process.kill()
        rest, _ = process.communicate(timeout=WITHIN_S)
    return [name for name in [*said, *rest.split("\n")[:-1]] if name]


def what_is_kept(study: Path):
    ledger = SqliteLedger(study / "Trials" / FILE)
    with ledger.reading():
        visits, log = [held.visit for held in ledger.all()], list(ledger.assignments())
    ledger.close()
    return visits, log


def check_everything(study: Path, said: list[str]) -> Counter:
    """Holds what is kept against itself and against what people were told. Returns how often each event is there."""
    visits, log = what_is_kept(study)
    names = Counter(visit["user"] for visit in visits)
    assert not Counter(said) - names, "who was let in is in the ledger"
    for name in ("condition", "survey"):
        entries = [entry for entry in log if entry["factor"] == name]
        assert [entry["n"] for entry in entries] == list(range(len(entries)))
        factor = factor_from_text(name, entries[0]["reason"])
        assert replay(factor, log) == decided(factor, log)
        check_even(factor, entries)
        check_visits(name, factor, visits, entries)
    return Counter(entry["event"] for entry in log if entry["factor"] == "condition")


def check_even(factor: Factor, entries) -> None:
    held = dict.fromkeys(factor.arms, 0)
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if entry["event"] == "return":
            held[entry["arm"]] -= 1
            assert following["arm"] == entry["arm"], "a place is only given back to whoever takes it"
        elif entry["event"] in ("assign", "keep"):
            held[entry["arm"]] += 1
            assert max(held.values()) - min(held.values()) <= 1


def check_visits(name: str, factor: Factor, visits, entries) -> None:
    """Everybody has the arm that the log gave them, nobody has two, and nobody is in the log who is not there."""
    given = {entry["visit"]: entry["arm"] for entry in entries if entry["event"] in ("assign", "keep")}
    has = {visit["id"]: visit["condition"] if name == "condition" else visit["groups"][name] for visit in visits}
    assert has == given
    assert len(given) == sum(entry["event"] in ("assign", "keep") for entry in entries)
    complete = {visit["id"] for visit in visits if visit["outcome"] == "complete"}
    tally = Tally(factor, entries)
    assert complete == {visit["id"] for visit in visits if tally.state_of(visit["id"]) == "completed"}
    assert sum(count.completed for count in tally.counts.values()) == len(complete)


def test_forty_at_once_who_come_and_go_are_spread_evenly(study):
    said = a_round(study, 1, 200)
    events = check_everything(study, said)
    assert events["assign"] == 200 and events["keep"] > 5, "and some came again"
    assert events["return"] > 10 and events["complete"] > 90


def test_kills_between_any_two_steps_leave_a_log_that_holds(study):
    said, chance = [], random.Random(5)
    for number in range(3):
        said += a_round_that_is_killed(study, number, 200, after=chance.randint(1, 50))
        check_everything(study, said)
    said += a_round(study, 9, 30)
    assert check_everything(study, said)["assign"] >= 33


def test_who_is_refused_for_want_of_room_is_in_no_arm(study):
    said = a_round(study, 1, 150, "full")
    visits, _ = what_is_kept(study)
    assert 100 <= len(set(said)) < 150, "in the middle there was no room"
    assert {visit["user"] for visit in visits} == set(said)
    check_everything(study, said)


@pytest.mark.long
def test_fifty_kills_leave_a_log_that_holds(study):
    said, chance = [], random.Random(7)
    for number in range(50):
        said += a_round_that_is_killed(study, number, 300, after=chance.randint(1, 200))
        check_everything(study, said)
    said += a_round(study, 99, 200)
    check_everything(study, said)
