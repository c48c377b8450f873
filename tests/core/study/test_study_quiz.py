"""Quiz pages: what counts as right, what is told, and what nobody is told."""

import pytest

from hippogym.core.study.forms import read_form
from hippogym.core.study.quiz import TOLD, judge


def judged(html, **answers):
    form = read_form(html)
    return judge(form, form.complete(answers))


BOXES = (
    "<input type=checkbox name=c value=1 data-right><input type=checkbox name=c value=2 data-right>"
    "<input type=checkbox name=c value=3 data-hint='Not three.'>"
)


@pytest.mark.parametrize(
    ("html", "answer", "right"),
    [
        ("<input type=radio name=c value=1 data-right><input type=radio name=c value=2>", "1", True),
        ("<input type=radio name=c value=1 data-right><input type=radio name=c value=2>", "2", False),
        ("<input type=radio name=c value=1 data-right><input type=radio name=c value=2>", None, False),
        ("<select name=c><option>1<option data-right>2</select>", "2", True),
        ("<select name=c><option>1<option data-right>2</select>", "1", False),
        ("<select multiple name=c><option>1<option data-right>2</select>", ["2"], True),
        (BOXES, ["2", "1"], True), (BOXES, ["1"], False), (BOXES, ["1", "2", "3"], False),
        ("<input type=checkbox name=c data-right>", True, True),
        ("<input type=checkbox name=c data-right>", False, False),
        ("<input type=checkbox name=c data-right=false>", False, True),
        ("<input type=checkbox name=c data-right=false>", True, False),
        ("<input name=c data-right='Ms. Pac-Man | pacman'>", "  PACMAN ", True),
        ("<input name=c data-right='Ms. Pac-Man | pacman'>", "ms.  pac-man", True),
        ("<textarea name=c data-right='yes'></textarea>", "yes!", False),
        ("<input type=number name=c data-right=3>", "3.0", True),
        ("<input type=number name=c data-right='3|4'>", "4", True),
        ("<input type=number name=c data-right=3>", "30", False),
        ("<input type=date name=c data-right=2020-02-02>", "2020-02-02", True),
    ],
)  # fmt: skip
def test_what_counts_as_right(html, answer, right):
    judgement = judged(html, c=answer)
    assert judgement.right is right
    assert [problem.name for problem in judgement.wrong] == ([] if right else ["c"])


def test_a_page_without_marks_is_neither_right_nor_wrong():
    assert judged("<input name=a>", a="x").right is None


def test_the_hint_of_what_was_chosen_is_told_and_else_that_of_the_question():
    assert judged(BOXES, c=["3"]).wrong[0].text == "Not three."
    select = "<select name=c data-hint=general><option data-hint=special>1<option>2<option data-right>3</select>"
    assert judged(select, c="1").wrong[0].text == "special"
    assert judged(select, c="2").wrong[0].text == "general"
    assert judged("<input name=c data-right=x>", c="y").wrong[0].text == TOLD


def test_attention_checks_are_counted_and_not_told():
    html = "<input name=a data-right=x data-attention><input name=b data-right=y>"
    judgement = judged(html, a="?", b="?")
    assert (judgement.attention_failed, [p.name for p in judgement.wrong]) == (("a",), ["b"])
    alone = judged("<input name=a data-right=x data-attention>", a="?")
    assert (alone.right, alone.wrong, alone.attention_failed) == (None, (), ("a",))
