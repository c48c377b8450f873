"""The record format: what is written, what a scan finds of it after damage, and what becomes of strange values."""

import enum
import io
import pickle
import random
import struct
import zlib
from collections import OrderedDict, deque, namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hippogym.core.plain import MAX_DEPTH, MAX_NODES, plainify
from hippogym.core.record_format import PREFIX, Damage, Entry, Scanner, encode_entry, scan
from hippogym.data.safe_pickle import load


def entries_of(count: int = 5) -> list[dict]:
    return [
        {"observation": np.arange(4, dtype=np.float32) + n, "reward": 0.5 * n, "text": "é" * n} for n in range(count)
    ]


def file_of(entries: list[dict]) -> tuple[bytes, list[tuple[int, int]]]:
    """The file, and where each entry stands in it."""
    pieces = [encode_entry(plainify(entry, {}), seq) for seq, entry in enumerate(entries)]
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    return b"".join(pieces), list(zip([0, *ends], ends, strict=False))


def plain_loop(data: bytes, unpickler=pickle.Unpickler) -> list:
    file, found = io.BytesIO(data), []
    while True:
        try:
            found.append(unpickler(file).load())
        except EOFError:
            return found


def same(left, right) -> bool:
    """Equal in value and in type, all the way down; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, dict):
        return list(map(repr, left)) == list(map(repr, right)) and all(
            same(a, b) for a, b in zip(left.values(), right.values(), strict=True)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, float | complex):
        return repr(left) == repr(right)
    return left == right


def intact(data: bytes) -> list[int]:
    return [found.seq for found in scan(data) if isinstance(found, Entry)]


# -- what is written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unpickler", [pickle.Unpickler, pickle._Unpickler])
def test_the_plain_loop_of_any_researcher_reads_a_file(unpickler):
    entries = entries_of()
    assert all(same(a, b) for a, b in zip(plain_loop(file_of(entries)[0], unpickler), entries, strict=True))


def test_the_trailer_costs_19_bytes_a_tick():
    entry = {"reward": 1.0, "info": {"lives": 3}}
    assert len(encode_entry(entry, 7)) == len(pickle.dumps(entry, 3)) + 19


def test_arrays_read_back_can_be_written_to():
    (entry,) = plain_loop(encode_entry({"observation": np.zeros(3)}, 0))
    entry["observation"][0] = 1.0
    assert entry["observation"].tolist() == [1.0, 0.0, 0.0]


def test_arrays_name_no_private_module_of_numpy():
    data = encode_entry({"observation": np.zeros(3)}, 0)
    assert b"multiarray" not in data and b"_core" not in data


@pytest.mark.parametrize("value", [print, object(), np.dtype("f4"), type, np.float32(1), np.array([{}])])
def test_what_is_not_plain_is_never_encoded(value):
    with pytest.raises(TypeError):
        encode_entry({"value": value}, 0)


def test_a_sequence_number_out_of_range_is_refused():
    for seq in (-1, 2**32):
        with pytest.raises(ValueError, match="sequence number"):
            encode_entry({}, seq)


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(codec=None))
    | st.binary()
)
KEYS = st.text() | st.integers() | st.booleans() | st.none() | st.tuples(st.integers(), st.text())
ARRAYS = arrays.arrays(
    arrays.scalar_dtypes().filter(lambda dtype: dtype.itemsize > 0)
    | st.just(np.dtype([("a", "<f4"), ("b", "u1", (2,))])),
    arrays.array_shapes(min_dims=0, min_side=0, max_side=3),
)
PLAIN = st.recursive(
    ATOMS | ARRAYS | st.frozensets(st.integers()) | st.sets(st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.dictionaries(st.text(), PLAIN, max_size=5), st.integers(0, 2**32 - 1), st.booleans())
def test_plain_values_come_back_as_they_were_by_every_way_of_reading(entry, seq, escaped):
    if escaped:
        entry["typed"] = "C\x10HGR1"
    odd = {}
    made = plainify(entry, odd)
    assert odd == {} and same(made, entry)
    data = encode_entry(made, seq)
    assert [(found.start, found.end, found.seq) for found in scan(data)] == [(0, len(data), seq)]
    assert same(load(data, trailer=True)[0], entry)
    assert same(pickle.loads(data), entry) and same(pickle._Unpickler(io.BytesIO(data)).load(), entry)


# -- what looks like a trailer -----------------------------------------------------------------------------------

INNER = encode_entry({"reward": 1000.0}, 3)


@pytest.mark.parametrize(
    "value",
    [
        "C\x10HGR1",
        INNER.decode("latin-1"),
        INNER,
        PREFIX,
        b"HGR1" + bytes(12),  # sixteen bytes: what stands before them completes the prefix
        np.frombuffer(INNER, np.uint8),
        np.frombuffer(INNER + bytes(-len(INNER) % 8), np.float64),
        int.from_bytes(INNER + b"\1", "little"),
        {INNER.decode("latin-1"): INNER},
        [0x481043FF >> 8 << 8, 1.0],
        (INNER, {INNER.decode("latin-1")}, frozenset({INNER}), 1j, [None, True, False, -1, float("inf")]),
    ],
    ids=range(11),
)
def test_nothing_that_an_entry_holds_can_pass_for_a_trailer(value):
    data = encode_entry(plainify({"message": value}, {}), 2)
    assert data.count(PREFIX) == 1
    assert intact(data) == [2]
    assert same(pickle.loads(data)["message"], value) and same(load(data, trailer=True)[0]["message"], value)


def test_a_torn_entry_gives_up_no_forged_one():
    """A participant who knows the format types a whole entry; then the disk loses the end of the real one."""
    data = encode_entry(plainify({"message": INNER.decode("latin-1"), "bytes": INNER}, {}), 2)
    assert all(intact(data[:end]) == [] for end in range(len(data)))


# -- damage ------------------------------------------------------------------------------------------------------


def test_a_file_cut_anywhere_loses_only_what_was_cut():
    data, places = file_of(entries_of())
    for end in range(len(data) + 1):
        whole = [seq for seq, place in enumerate(places) if place[1] <= end]
        assert intact(data[:end]) == whole
        rest = [found for found in scan(data[:end]) if isinstance(found, Damage)]
        good_end = places[len(whole) - 1][1] if whole else 0
        assert rest == ([Damage(good_end, end)] if end > good_end else [])


def test_a_flipped_bit_costs_exactly_the_entry_it_is_in():
    data, places = file_of(entries_of(4))
    for position in range(len(data)):
        (hit,) = [seq for seq, (start, end) in enumerate(places) if start <= position < end]
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            found = list(scan(damaged))
            assert [item.seq for item in found if isinstance(item, Entry)] == [n for n in range(4) if n != hit]
            assert [item for item in found if isinstance(item, Damage)] == [Damage(*places[hit])]


def damage(data: bytes, random_: random.Random) -> tuple[bytes, int, int]:
    """Delete, zero, or insert some bytes; also what range of the original was touched."""
    start = random_.randrange(len(data))
    length = random_.choice([1, 2, 7, 20, 60, 200])
    end = min(len(data), start + length)
    kind = random_.choice(["delete", "zero", "insert", "noise", "repeat"])
    if kind == "delete":
        return data[:start] + data[end:], start, end
    if kind == "insert":
        return data[:start] + random_.randbytes(length) + data[start:], start, start
    if kind == "repeat":  # a piece of the file stands twice
        other = random_.randrange(len(data))
        return data[:start] + data[other : other + length] + data[start:], start, start
    middle = bytes(end - start) if kind == "zero" else random_.randbytes(end - start)
    return data[:start] + middle + data[end:], start, end


def check_random_damages(count: int, seed: int) -> None:
    random_ = random.Random(seed)
    entries = entries_of(12)
    data, places = file_of(entries)
    originals = {seq: data[start:end] for seq, (start, end) in enumerate(places)}
    for _ in range(count):
        damaged, first, last = damage(data, random_)
        untouched = {n for n, (start, end) in enumerate(places) if end <= first or start >= max(last, first)}
        found = [item for item in scan(damaged) if isinstance(item, Entry)]
        assert all(item.data == originals[item.seq] for item in found), "an entry was accepted that nobody wrote"
        assert untouched <= {item.seq for item in found}, "an entry was lost that nobody touched"


def test_random_damage_costs_only_the_entries_it_touches():
    check_random_damages(600, seed=1)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_20000_random_damages_cost_only_the_entries_they_touch():
    check_random_damages(20_000, seed=2)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 400), max_size=40), st.binary(max_size=60))
def test_a_file_may_come_in_pieces_of_any_size(sizes, noise):
    data = file_of(entries_of(6))[0]
    data = data[:300] + noise + data[300:]
    scanner, found, at = Scanner(), [], 0
    for size in sizes:
        found += scanner.feed(data[at : at + size])
        at += size
    found += scanner.feed(data[at:])
    found += scanner.finish()
    assert found == list(scan(data))
    assert [item.start for item in found] == [0, *[item.end for item in found[:-1]]]


def test_a_scan_keeps_no_more_than_the_largest_entry():
    scanner = Scanner(max_entry_bytes=1000)
    for _ in range(50):
        assert list(scanner.feed(b"\x80\x03C\x10HGR" * 200)) == []
        assert len(scanner._buffer) <= 1000
    data = encode_entry({"a": 1}, 0)
    assert [type(found) for found in scanner.feed(data)] == [Damage, Entry]
    assert list(scanner.finish()) == []


def test_a_hostile_file_makes_a_scan_look_at_no_byte_twice(monkeypatch):
    """Thousands of trailers, each of which claims everything before it as its entry."""
    looked_at = []

    def counting(data, *start):
        looked_at.append(len(data))
        return zlib.crc32(data, *start)

    data = b"\x80\x03" + b"}" * 1000
    for _ in range(2000):
        data += PREFIX + struct.pack("<III", 0, len(data) + 20, 7) + b"0."
    monkeypatch.setattr("hippogym.core.record_format.zlib", SimpleNamespace(crc32=counting))
    assert list(scan(data)) == [Damage(0, len(data))]
    assert 0 < sum(looked_at) < 2 * len(data)


# -- strange values ----------------------------------------------------------------------------------------------


class Colour(enum.IntEnum):
    RED = 3


class Grumpy:
    def __repr__(self):
        raise ZeroDivisionError("no")


class Liar(dict):
    def items(self):
        raise ValueError

    def __iter__(self):
        raise ValueError

    def __len__(self):
        return -1

    __class__ = property(lambda self: 1 / 0)


class Tensor:
    def __array__(self, dtype=None, copy=None):
        return np.ones(3, np.float32)


class OnTheGpu:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("copy it to the host first")


class Meta(type):
    def __getattribute__(cls, name):
        raise ZeroDivisionError(name)


class Nameless(metaclass=Meta):
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(1.5), 1.5),
        (np.int8(-3), -3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.bytes_(b"x"), b"x"),
        (np.complex64(1j), 1j),
        (np.datetime64("2020-01-01T00:00:00.000000001"), np.array("2020-01-01T00:00:00.000000001", "M8[ns]")),
        (Colour.RED, 3),
        (Point(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (deque([1, (2,)]), [1, (2,)]),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (Liar(a=1), {"a": 1}),
        (Tensor(), np.ones(3, np.float32)),
        (np.array([[1, 2]]).view(np.recarray), np.array([[1, 2]])),
        (np.arange(6)[::2], np.array([0, 2, 4])),
        (np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6).reshape(2, 3)),
        ({np.int64(1): 2, Colour.RED: 3}, {1: 2, 3: 3}),
        ({1, np.int64(2)}, {1, 2}),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.array(7, ">i2"), np.array(7, ">i2")),
    ],
    ids=range(22),
)
def test_what_can_be_plain_becomes_plain_without_losing_its_value(value, plain):
    odd = {}
    entry = plainify({"value": value}, odd)
    assert odd == {}
    assert same(pickle.loads(encode_entry(entry, 0)), {"value": plain})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: print, "<built-in function print>"),
        (lambda: Grumpy(), "<repr raised builtins.ZeroDivisionError>"),
        (lambda: OnTheGpu(), "OnTheGpu object"),
        (lambda: Nameless(), ""),
        (lambda: np.array([{}, None]), "array of object"),
        (lambda: np.ma.masked_array([1, 2], [True, False]), "masked"),
        (lambda: np.array(["NaT"], "M8"), "array of datetime64"),
        (lambda: 10**5000, "too many digits"),
        (type("Wordy", (), {"__repr__": lambda self: "x" * 10**6}), "x" * 100),
    ],
    ids=range(9),
)
def test_what_cannot_be_plain_is_kept_as_type_and_text_and_counted(make, text):
    odd = {}
    (kept,) = pickle.loads(encode_entry(plainify({"value": [make()]}, odd), 0))["value"]
    assert set(kept) == {"__type__", "__repr__"} and text in kept["__repr__"] and len(kept["__repr__"]) <= 500
    assert odd == {kept["__type__"]: 1}


def test_odd_keys_stay_apart():
    first, second = Grumpy(), Grumpy()
    plain = plainify({first: 1, second: 2, (1, Grumpy()): 3}, {})
    assert list(plain.values()) == [1, 2, 3]
    assert all(type(key) is str for key in plain)


def test_circles_and_abysses_end():
    circle: list = []
    circle.append(circle)
    abyss: dict = {}
    for _ in range(10_000):
        abyss = {"in": abyss}
    odd = {}
    entry = plainify({"circle": circle, "abyss": abyss}, odd)
    data = encode_entry(entry, 0)
    assert same(load(data, trailer=True)[0], pickle.loads(data))
    assert odd == {"builtins.list": 1, "builtins.dict": 1}
    assert repr(entry).count("{'in'") <= MAX_DEPTH


@pytest.mark.parametrize(
    "huge",
    [
        [0] * (MAX_NODES + 1),
        [[object()] * (MAX_NODES // 3)] * 9,
        [np.zeros(1)] * (MAX_NODES // 3),
        [{"a": n} for n in range(MAX_NODES // 2)],
        {(n, -n): {n, b""} for n in range(MAX_NODES // 9)},
        [f"text {n}" for n in range(MAX_NODES - 5)],
        [1j, b"", None] * (MAX_NODES // 4),
        np.zeros(200 * 2**20, np.uint8),
        ["x" * 10**6] * 200,
    ],
    ids=["list", "objects", "arrays", "dicts", "keys", "texts", "numbers", "bytes", "text"],
)
def test_what_is_huge_is_bounded_and_can_still_be_read(huge):
    odd = {}
    data = encode_entry(plainify({"huge": huge}, odd), 0)
    value, _ = load(data, trailer=True)
    assert same(value, pickle.loads(data))
    assert len(data) < 150 * 2**20


def test_the_callers_values_are_not_changed():
    inner = {"lives": np.int64(3)}
    plainify({"info": inner}, {})
    assert type(inner["lives"]) is np.int64
