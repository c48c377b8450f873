"""Answers made from the markup: whatever the page asks, they are possible; what is marked as right is right."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.core.study.forms import read_form, strip_marks
from hippogym.core.study.quiz import judge
from hippogym.rehearse.answering import answers_to, without_required, wrong_answers

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted({path.resolve() for path in (*ROOT.glob("StepFiles/*.html"), *ROOT.glob("examples/*/StepFiles/*.html"))})

EVERYTHING = """
<input name="t" required minlength="30"> <textarea name="area" maxlength="9"></textarea>
<input type="number" name="age" min="0" max="120" required> <input type="range" name="r">
<input type="date" name="d" min="2001-02-03" max="2001-02-05" required> <input type="time" name="time" required>
<input type="email" name="e" required> <input type="file" name="f" required> <input type="hidden" name="h" value="7">
<input type="color" name="c" value="#ff0000"> <input type="checkbox" name="alone">
<input type="checkbox" name="several" value="a"><input type="checkbox" name="several" value="b" required>
<input type="radio" name="radio" value="no" required>No <input type="radio" name="radio" value="yes">Yes
<select name="s" required><option value="">?</option><option>x</option></select>
<select name="m" multiple required><option>p</option><option>q</option></select>
"""

QUIZ = """
<input type="radio" name="radio" value="a"><input type="radio" name="radio" value="b" data-right>
<input type="checkbox" name="box" data-right="false"> <input name="text" data-right="forty-two|42">
<input type="checkbox" name="boxes" value="1" data-right><input type="checkbox" name="boxes" value="2">
<select name="s"><option>x</option><option data-right>y</option></select> <input type="number" name="n" data-right="3">
<input type="radio" name="attentive" value="1"><input type="radio" name="attentive" value="2" data-right data-attention>
"""


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_every_kind_of_control_gets_an_answer_that_the_study_takes(seed: int) -> None:
    form = read_form(EVERYTHING)
    answers = answers_to(form, random.Random(seed))
    assert list(answers) == [control.name for control in form.controls]
    assert form.check(answers) == []
    assert form.complete(answers) == answers  # nothing is left to be filled in, so that they can be compared exactly


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_pages_that_are_shipped_can_be_answered_and_passed(page: Path) -> None:
    html = page.read_text()
    right = {control.name: control for control in read_form(html).controls}
    form = read_form(strip_marks(html))
    for seed in range(20):
        answers = answers_to(form, random.Random(seed), right)
        assert form.check(answers) == []
        judgement = judge(read_form(html), answers)
        assert judgement.right is not False and not judgement.attention_failed


def test_what_is_known_to_be_right_is_answered() -> None:
    form, hidden = read_form(strip_marks(QUIZ)), read_form(QUIZ)
    right = {control.name: control for control in hidden.controls}
    judgement = judge(hidden, answers_to(form, random.Random(1), right))
    assert judgement.right is True and not judgement.attention_failed


@pytest.mark.parametrize("name", ["radio", "box", "text", "boxes", "s"])
def test_a_wrong_answer_is_wrong_and_yet_possible(name: str) -> None:
    hidden = read_form(QUIZ)
    right = {control.name: control for control in hidden.controls if control.name == name}
    answers = answers_to(hidden, random.Random(1), {control.name: control for control in hidden.controls})
    wrong = wrong_answers(answers, right)
    assert wrong is not None and hidden.check(wrong) == []
    assert [problem.name for problem in judge(hidden, wrong).wrong] == [name]


def test_where_nothing_is_judged_nothing_can_be_wrong() -> None:
    form = read_form(EVERYTHING)
    answers = answers_to(form, random.Random(1))
    assert wrong_answers(answers, {control.name: control for control in form.controls}) is None


def test_an_answer_that_is_left_out_is_one_that_the_study_misses() -> None:
    form = read_form(EVERYTHING)
    name, answers = without_required(form, answers_to(form, random.Random(2))) or ("", {})
    assert [problem.name for problem in form.check(answers)] == [name]
    assert without_required(read_form("<input name=a>"), {"a": ""}) is None


def test_a_guess_that_was_wrong_is_not_made_again() -> None:
    form = read_form('<input type="radio" name="q" value="1" required><input type="radio" name="q" value="2">')
    assert {answers_to(form, random.Random(s), None, {"q": ["1"]})["q"] for s in range(20)} == {"2"}


def test_who_takes_part_consents() -> None:
    form = read_form('<input type="radio" name="c" value="no">No<input type="radio" name="c" value="yes" required>Yes')
    assert {answers_to(form, random.Random(s))["c"] for s in range(20)} == {"yes"}
