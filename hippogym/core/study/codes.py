"""Completion codes: what a participant types in to be paid, and what nobody can make up.

A code is 25 signs in five groups, ``CPWXV-04Q3T-…``: one for the outcome, eight that stand for the visit, sixteen that
prove it (80 bits of HMAC-SHA-256 over the rest, under the study's key). Who guesses needs 2**80 tries for a single hit,
and each try has to be shown to us. The same visit has the same code however often the page is loaded.

The signs are those of Crockford's base 32: no I, L, O, U. What people mistake is read as it was meant (O as 0, I and L
as 1, small letters as capitals), and whatever separates the groups is passed over.
"""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY_BYTES: Final = 32
LENGTH: Final = 25

_LETTERS: Final = {
    "complete": "C", "screenedOut": "S", "failedCheck": "K", "withdrew": "W", "fault": "F", "full": "N",
}  # fmt: skip
_OUTCOMES: Final = {letter: outcome for outcome, letter in _LETTERS.items()}
_VALUES: Final = {sign: value for value, sign in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_GROUP: Final = 5
_VISIT_SIGNS, _PROOF_SIGNS = 8, 16
_LONGEST_TEXT: Final = 200


@dataclass(frozen=True)
class Code:
    """A code that is real. outcome: how the visit ended. visit: what stands for it; ``visit_signs`` makes the same."""

    outcome: str
    visit: str


def make_code(key: bytes, outcome: str, visit_id: str) -> str:
    """The code of a visit that ended so. key: 32 secret bytes. Raises ValueError for an outcome that does not exist."""
    if outcome not in _LETTERS:
        raise ValueError(f"{outcome!r} is no outcome: {', '.join(_LETTERS)}")
    signs = _LETTERS[outcome] + visit_signs(key, visit_id)
    return grouped(signs + _proof(key, signs))


def read_code(key: bytes, text: str) -> Code | None:
    """What a code says, or None for one that this study never gave out. Takes as long for the one as for the other."""
    signs = plain_code(text)
    given = signs if signs is not None else "0" * LENGTH
    said, proof = given[:-_PROOF_SIGNS], given[-_PROOF_SIGNS:]
    real = hmac.compare_digest(_proof(key, said), proof)
    outcome = _OUTCOMES.get(said[0])
    if signs is None or outcome is None or not real:
        return None
    return Code(outcome, said[1:])


def plain_code(text: str) -> str | None:
    """The 25 signs that were meant by what somebody typed, or None where they cannot be a code."""
    if len(text) > _LONGEST_TEXT:
        return None
    meant = (sign for sign in unicodedata.normalize("NFKC", text).upper() if not _separates(sign))
    values = [_VALUES.get(sign) for sign in meant]
    if len(values) != LENGTH or None in values:
        return None
    return "".join(ALPHABET[value] for value in values if value is not None)


def visit_signs(key: bytes, visit_id: str) -> str:
    """The eight signs that stand for a visit in its codes; without the key nobody can tell which."""
    return _signs(_keyed(key, b"visit", visit_id.encode("utf-8", "surrogatepass")), _VISIT_SIGNS)


def grouped(signs: str) -> str:
    """In groups of five, as people can copy it."""
    return "-".join(signs[at : at + _GROUP] for at in range(0, len(signs), _GROUP))


def _proof(key: bytes, signs: str) -> str:
    return _signs(_keyed(key, b"code", signs.encode()), _PROOF_SIGNS)


def _keyed(key: bytes, purpose: bytes, about: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return hmac.digest(key, b"hippogym code 1 " + purpose + b"\0" + about, hashlib.sha256)


def _signs(digest: bytes, count: int) -> str:
    """The first 5 * count bits."""
    bits = int.from_bytes(digest, "big") >> (8 * len(digest) - 5 * count)
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in reversed(range(count)))


def _separates(sign: str) -> bool:
    """Blanks, dashes of every kind, and dots, quotes or marks that a form or a mail puts around or between."""
    return unicodedata.category(sign)[0] in "ZCPS"
