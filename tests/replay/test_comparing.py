"""Values are the same when they come out of a record the same, and a difference is named."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.plain import plainify
from hippogym.core.record_format import encode_entry
from hippogym.data.safe_pickle import load
from hippogym.replay.comparing import MISSING, difference, digest, same

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
arrays = st.builds(lambda items, kind: np.array(items, kind), st.lists(st.integers(0, 9)), st.sampled_from("fdiB"))
values = st.recursive(
    leaves | arrays | st.complex_numbers(allow_nan=True),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.frozensets(leaves, max_size=3)
    ),
    max_leaves=10,
)


@given(values)
def test_a_value_is_the_same_when_it_was_recorded_and_read(value):
    plain = plainify({"value": value}, {})
    read, _ = load(encode_entry(plain, 0), trailer=True)
    assert same(plain, read)


@given(values)
def test_a_value_in_company_is_another_value(value):
    assert not same([value], [value, value])
    assert not same([value], (value,))
    assert not same({"a": value}, {"b": value})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (1, 1.0),
        ([1], (1,)),
        (0.0, -0.0),
        ("1", b"1"),
        (None, MISSING),
        ({}, []),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2, "f4"), np.zeros(2, "f8")),
        (np.zeros(1), 0.0),
        (["a", "b"], ["ab"]),
        ([["a"], "b"], [["a", "b"]]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
)
def test_these_are_not_the_same(one, other):
    assert not same(one, other)
    assert difference(one, other).count("recorded") == 1


def test_any_nan_is_like_any_other_and_order_says_nothing():
    other_nan = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\x7f", "<f8")
    assert same(math.nan, -math.nan) and same(np.array([np.nan]), other_nan)
    assert same({"a": 1, "b": {2, 3}}, {"b": {3, 2}, "a": 1})


@pytest.mark.parametrize(
    ("recorded", "replayed", "told"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "['a'][1]['b']: recorded 2, replayed 3"),
        (np.array([[1, 2], [3, 4]]), np.array([[1, 2], [9, 4]]), "[1, 0]: recorded 3, replayed 9"),
        ([1], [1, 2], "[1]: recorded nothing, replayed 2"),
        (1, True, "recorded 1, replayed True"),
        (np.float32, 1, "recorded <class 'numpy.float32'>, replayed 1"),
        (np.zeros(3), np.zeros(4), "recorded an array of shape (3,), replayed one of (4,)"),
        (np.array([np.nan, 1.0]), np.array([np.nan, 2.0]), "[1]: recorded 1.0, replayed 2.0"),
    ],
)
def test_a_difference_is_told_where_it_is(recorded, replayed, told):
    assert difference(recorded, replayed) == told


def test_what_nests_too_deeply_for_a_record_does_no_harm():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert not same(deep, [])


def test_a_digest_is_the_same_in_every_process():
    assert digest({"a": [1, 2.5, "x", np.arange(3, dtype="<i4")]}).hex() == "f4a359aae574889a"
