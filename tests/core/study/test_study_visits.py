"""Any visit to any way: nobody skips or repeats a step, an old stamp does nothing, the end is for ever."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.core.study import rules
from hippogym.core.study.forms import read_form
from hippogym.core.study.visit import is_over
from hippogym.core.study.way import OUTCOMES
from tests.core.study.ways import Person, way_of

ANY = read_form(
    "<input name=n type=number min=0 max=3><input name=q data-right=1><input name=a data-right=1 data-attention>"
)
REASONS = ("finished", "stopped", "abandoned", "server", "server_lost", "disconnected", "failed", "odd")


@st.composite
def ways(draw):
    """A way of up to seven steps, with branches on what came before, ends, tries and ways back."""
    steps = []
    for number in range(1, draw(st.integers(1, 7)) + 1):
        name = f"s{number}"
        kind = draw(st.sampled_from(["page", "page", "page", "game", "end"]))
        step = {"name": name}
        if kind == "end":
            step |= {"end": draw(st.sampled_from(["complete", "screenedOut"]))}
        else:
            step |= {"page": "game" if kind == "game" else f"{name}.html"}
        if kind == "page" and draw(st.booleans()):
            goals = ["failedCheck", "continue", *(earlier["name"] for earlier in steps if "page" in earlier)]
            step |= {"tries": draw(st.integers(1, 3)), "onFail": draw(st.sampled_from(goals))}
        if number > 1 and draw(st.booleans()):
            about = f"s{draw(st.integers(1, number - 1))}"
            what = draw(st.sampled_from([f"{about}.n", f"{about}.score", "condition", "group.s1", "attention_failed"]))
            step |= {"when": [f"{what} {draw(st.sampled_from(['==', '!=', '<', '>=']))} {draw(st.integers(0, 3))}"]}
        steps.append(step)
    policy = draw(st.sampled_from(["resume", "restart", "refuse"]))
    return way_of(*steps, resume=policy, attentionLimit=draw(st.none() | st.integers(0, 2)))


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(-1, 4), st.sampled_from("12"), st.sampled_from("12")),
        st.tuples(st.just("again"), st.integers(1, 30)),
        st.tuples(st.just("look")),
        st.tuples(st.just("begin"), st.integers(1, 3)),
        st.tuples(st.just("progress"), st.integers(0, 3)),
        st.tuples(st.just("over"), st.sampled_from(REASONS), st.integers(0, 3)),
        st.tuples(st.just("withdraw")),
    ),
    max_size=40,
)


def do(person, deed, *how):
    """One deed; returns what an answer gave, else None."""
    person.now += 1
    match deed:
        case "answer":
            number, q, a = how
            return person.answer(form=ANY, n=str(number), q=q, a=a)
        case "again":
            return person.answer(stamp=f"stamp-{how[0]}", form=ANY, n="1", q="1", a="1")
        case "look":
            assert rules.view(person.way, person.visit) == rules.view(person.way, person.visit)
            person.visit = rules.shown(person.way, person.visit, person.now)
        case "begin":
            person.begin_game(f"t{how[0]}")
        case "progress":
            told = {"episodes": how[0], "ticks": how[0], "score": 1.0}
            person.visit = rules.game_progress(person.way, person.visit, told, person.now)
        case "over":
            person.end_game(how[0], episodes=how[1])
        case "withdraw":
            if person.now % 5 == 0:
                person.visit = rules.withdraw(person.way, person.visit, person.now)
    return None


def check_move(way, before, after, deed, result):
    """What must hold of every single move."""
    moved = after["trail"] != before["trail"] or after["step"] != before["step"]
    if deed in ("look", "begin", "progress"):
        assert not moved and after["stamp"] == before["stamp"] and after["answers"] == before["answers"]
    if result is not None and (result.repeated or result.problems):
        assert after == before and result.stored is None
    if result is not None and result.stored is not None:
        assert result.stored["stamp"] == before["stamp"] and result.stored["step"] == before["step"]
        assert after["stamp"] != before["stamp"]
    if is_over(before):
        assert after == before
    if moved and after["outcome"] is None:
        check_nothing_is_skipped(way, before, after)
    assert after["trail"][: len(before["trail"])] == before["trail"]
    assert len(after["trail"]) <= len(before["trail"]) + 1


def check_nothing_is_skipped(way, before, after):
    steps = way.steps_for(None)
    old, new = (next(step for step in steps if step.name == visit["step"]) for visit in (before, after))
    if new.number <= old.number:
        assert old.on_fail == new.name or any(s.name == old.on_fail and s.number <= new.number for s in steps)
        return
    for step in steps[old.number : new.number - 1]:
        assert rules.is_wanted(way, after, step) is not True


def check_view(way, visit):
    view = rules.view(way, visit)
    assert (view.kind == "end") is is_over(visit)
    assert view.kind == "page" or view.stamp is None
    assert 0 <= view.number <= view.of and (view.kind == "end" or view.number >= 1)
    assert view.tries_left is None or view.tries_left >= 1
    assert json.loads(json.dumps(visit)) == visit


def check_visit(way, deeds):
    person = Person(way)
    stored = []
    for deed in deeds:
        before = copy.deepcopy(person.visit)
        given = person.visit
        result = do(person, *deed)
        assert given == before, "the visit that was handed in has changed"
        check_move(way, before, person.visit, deed[0], result)
        check_view(way, person.visit)
        if result is not None and result.stored is not None:
            stored.append(result.stored)
    assert len({row["stamp"] for row in stored}) == len(stored)
    tries = [(row["step"], row["try"]) for row in stored]
    assert len(set(tries)) == len(tries)
    assert person.visit["outcome"] in (None, *OUTCOMES)


@given(ways(), DEEDS)
@settings(max_examples=300, deadline=None)
def test_in_every_visit_nobody_skips_or_repeats_and_what_is_acknowledged_is_stored_once(way, deeds):
    check_visit(way, deeds)


@pytest.mark.long
@given(ways(), DEEDS)
@settings(max_examples=10_000, deadline=None)
def test_in_ten_thousand_visits_nobody_skips_or_repeats(way, deeds):
    check_visit(way, deeds)


@given(ways())
@settings(max_examples=100, deadline=None)
def test_whoever_answers_right_and_plays_comes_to_an_end(way):
    person = Person(way)
    for _ in range(20):
        if person.view.kind == "end":
            break
        person.play() if person.view.kind == "game" else person.answer(form=ANY, n="1", q="1", a="1")
    assert person.visit["outcome"] in ("complete", "screenedOut")
    assert len(person.visit["trail"]) == len(set(person.visit["trail"]))
