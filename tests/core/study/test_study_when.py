"""The comparisons of ``when``: how they are read, and what they say of each kind of answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.study.when import OPERATORS, UNKNOWN, holds, read_comparison


def test_a_comparison_has_a_name_an_operator_and_values():
    read = read_comparison("  survey.what is it  in  red, 'dark blue' ,3 ")
    assert (read.name, read.operator, read.values) == ("survey.what is it", "in", ("red", "dark blue", "3"))
    assert (read.subject, read.detail) == ("survey", "what is it")
    assert read_comparison("a.b==c").values == ("c",)
    assert read_comparison("a.point in x").name == "a.point"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("survey.age", "expected a comparison"), ("", "expected a comparison"), ("a.b = 3", "expected a comparison"),
        ("a.b ==", "nothing stands behind =="), ("a.b in a,,b", "nothing stands behind in"),
        ("a.b < high", "'high' is none"), ("a.b === 3", "=== is no comparison"), ("a.b =< 3", "expected a comparison"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words(text, says):
    with pytest.raises(ValueError, match="^") as refused:
        read_comparison(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("value", "text", "said"),
    [
        ("18", "x >= 18", True), ("9", "x < 10", True), ("18.0", "x == 18", True), ("18", "x != 18.0", False),
        ("", "x < 10", False), ("ten", "x < 10", False), ("", "x == 10", False), ("", "x != 10", True),
        ("Yes", "x == yes", False), ("yes", "x in no, yes", True), ("a, b", "x == 'a, b'", True),
        (True, "x == true", True), (True, "x == True", True), (False, "x == false", True), (False, "x != true", True),
        (True, "x == 1", False), ("true", "x == true", True),
        (None, "x == a", False), (None, "x != a", True), (None, "x < 1", False), (None, "x in a, b", False),
        (["a", "b"], "x == a", True), (["a", "b"], "x != a", False), ([], "x != a", True), (["c"], "x in a, c", True),
        (12.5, "x > 12", True), (3, "x <= 3", True), (0.1 + 0.2, "x == 0.3", True),
        ("2020-05-01", "x > 2020-04-30", True), ("2020-05-01", "x >= 2020-05-02", False),
        ("5", "x > 2020-04-30", False),
        ("23:10", "x >= 23:00", True), ("007", "x == 7", True), ("-1", "x == -1", True), ("1e3", "x == 1000", True),
    ],
)  # fmt: skip
def test_what_a_comparison_says_of_an_answer(value, text, said):
    assert holds(read_comparison(text), lambda name: value) is said


@pytest.mark.parametrize("operator", OPERATORS)
def test_nothing_is_said_of_what_is_not_known_yet(operator):
    assert holds(read_comparison(f"x.y {operator} 3"), lambda name: UNKNOWN) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.floats(-1e6, 1e6, width=32))
def test_numbers_are_ordered_as_numbers_are(value, wanted):
    text = f"{wanted:.15g}"
    if "e" not in text:
        said = {op: holds(read_comparison(f"x {op} {text}"), lambda name: value) for op in ("<", "<=", ">", ">=")}
        assert said["<"] is (not said[">="]) and said[">"] is (not said["<="])
        assert said["<="] or said[">="]


@given(st.text(max_size=20), st.none() | st.booleans() | st.text(max_size=5) | st.lists(st.text(max_size=3)))
def test_whatever_is_written_is_read_or_refused(text, value):
    try:
        comparison = read_comparison(text)
    except ValueError as error:
        assert str(error)
    else:
        assert holds(comparison, lambda name: value) in (True, False)
