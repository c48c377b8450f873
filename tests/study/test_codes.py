"""Completion codes: real ones are known, whatever people make of them; made-up ones never."""

import hashlib
import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.study.codes import ALPHABET, LENGTH, Code, make_code, plain_code, read_code, visit_signs
from hippogym.core.study.way import OUTCOMES

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
CODE = make_code(KEY, "complete", "visit 1")

visits = st.text(min_size=1, max_size=40)


@given(visits, st.sampled_from(OUTCOMES), st.binary(min_size=32, max_size=32))
def test_a_code_says_how_the_visit_ended_and_which_it_was(visit, outcome, key):
    code = make_code(key, outcome, visit)
    assert re.fullmatch(rf"([{ALPHABET}]{{5}}-){{4}}[{ALPHABET}]{{5}}", code)
    assert read_code(key, code) == Code(outcome, visit_signs(key, visit))
    assert make_code(key, outcome, visit) == code, "who loads the page again sees the same"


def test_the_codes_of_a_key_are_for_ever():
    """If this fails, the codes that studies have given out can no longer be checked."""
    assert CODE == make_code(KEY, "complete", "visit 1") == "C099S-F39F7-N1ZYN-X5E2D-VR1V7"


@given(st.lists(visits, min_size=2, max_size=2, unique=True), st.sampled_from(OUTCOMES), st.sampled_from(OUTCOMES))
def test_every_visit_and_outcome_has_a_code_of_its_own(pair, one, other):
    codes = {make_code(KEY, outcome, visit) for visit in pair for outcome in (one, other)}
    assert len(codes) == 2 * len({one, other})


def test_20000_visits_are_told_apart():
    signs = {visit_signs(KEY, f"visit {number}") for number in range(20_000)}
    assert len(signs) == 20_000


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_code_of_another_study_is_not_accepted(outcome):
    assert read_code(OTHER_KEY, make_code(KEY, outcome, "visit 1")) is None


@given(visits, st.sampled_from(OUTCOMES), st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_any_single_typo_is_noticed(visit, outcome, place, sign):
    signs = list(plain_code(make_code(KEY, outcome, visit)))
    typed = "".join([*signs[:place], sign, *signs[place + 1 :]])
    assert (read_code(KEY, typed) is None) == (sign != signs[place])


def test_every_single_typo_of_a_code_is_noticed():
    signs = plain_code(CODE)
    typos = {signs[:place] + sign + signs[place + 1 :] for place in range(LENGTH) for sign in ALPHABET} - {signs}
    assert len(typos) == LENGTH * 31
    assert not any(read_code(KEY, typo) for typo in typos)


def test_every_exchange_of_neighbours_and_every_lost_or_doubled_sign_is_noticed():
    signs = plain_code(CODE)
    swapped = {signs[:at] + signs[at + 1] + signs[at] + signs[at + 2 :] for at in range(LENGTH - 1)} - {signs}
    lost = {signs[:at] + signs[at + 1 :] for at in range(LENGTH)}
    doubled = {signs[:at] + signs[at] + signs[at:] for at in range(LENGTH)}
    assert len(swapped) > 20
    assert not any(read_code(KEY, typo) for typo in swapped | lost | doubled)


@given(visits, st.sampled_from(OUTCOMES), st.randoms(use_true_random=False))
def test_what_people_mistake_is_forgiven(visit, outcome, chance):
    code = make_code(KEY, outcome, visit)
    mistaken = {"1": "1IiLl", "0": "0Oo"}
    typed = "".join(chance.choice(mistaken.get(sign, sign + sign.lower())) for sign in code.replace("-", ""))
    for at in sorted(chance.sample(range(LENGTH), 3), reverse=True):
        typed = typed[:at] + chance.choice([" ", "-", "–", "\u00a0", ".", "\n", "_", "\u200b"]) + typed[at:]
    assert read_code(KEY, f' "{typed}"\n') == read_code(KEY, code) is not None


def test_a_code_may_come_in_wide_letters():
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in CODE)
    assert read_code(KEY, wide) == read_code(KEY, CODE) is not None


@pytest.mark.parametrize(
    "text", ["", "-", "C", CODE[:-1], CODE + "0", CODE.replace(CODE[1], "U"), CODE + CODE, "é" * 25]
)
def test_what_is_no_code_is_none(text):
    assert read_code(KEY, text) is None


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read(text):
    assert read_code(KEY, text) is None


def test_a_long_text_is_not_looked_at():
    assert read_code(KEY, "-" * 10**7 + CODE) is None


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_key_has_32_bytes(key):
    with pytest.raises(ValueError, match="32 bytes"):
        make_code(key, "complete", "visit 1")


def test_an_outcome_that_does_not_exist_has_no_code():
    with pytest.raises(ValueError, match="'won' is no outcome"):
        make_code(KEY, "won", "visit 1")


def forgeries(count: int, seed: int):
    """What somebody tries who has 200 real codes and knows how they are made, but not the key."""
    chance = random.Random(seed)
    real = [plain_code(make_code(KEY, outcome, f"visit {n}")) for n in range(34) for outcome in OUTCOMES][:200]
    for number in range(count):
        code, other = chance.sample(real, 2)
        kind = number % 5
        if kind == 0:  # anything
            yield "".join(chance.choices(ALPHABET, k=LENGTH))
        elif kind == 1:  # another outcome for one's own visit
            yield chance.choice([sign for sign in "CSKWFN" if sign != code[0]]) + code[1:]
        elif kind == 2:  # one's own proof for another visit
            yield other[:9] + code[9:]
        elif kind == 3:  # a few signs of the proof changed
            at = chance.sample(range(9, LENGTH), chance.randint(1, 4))
            yield "".join(chance.choice(ALPHABET.replace(s, "")) if n in at else s for n, s in enumerate(code))
        else:  # a key of one's own
            yield make_code(hashlib.sha256(b"%d" % number).digest(), "complete", f"visit {number % 34}")
    assert all(read_code(KEY, code) for code in real), "the real ones are accepted meanwhile"


def accepted(count: int, seed: int) -> list[str]:
    return [code for code in forgeries(count, seed) if read_code(KEY, code) is not None]


def test_of_20000_forged_codes_none_is_accepted():
    assert accepted(20_000, seed=1) == []


@pytest.mark.long
def test_of_1000000_forged_codes_none_is_accepted():
    assert accepted(1_000_000, seed=2) == []


def test_the_signs_are_those_that_people_do_not_mistake():
    assert set(ALPHABET) == set(string.digits + string.ascii_uppercase) - set("ILOU")
