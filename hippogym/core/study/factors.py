"""What differs between participants: a factor and its arms; and chance that anybody can recompute from the seed.

Chance is SHA-256 of the seed, the factor's name and a number, so a log can be checked in any language, for ever.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, get_args

Method = Literal["balanced", "blocks", "random"]

CONDITION = "condition"
"""The factor of the study's conditions; every other factor is named after the page whose variants are its arms."""

_TWO_64 = 1 << 64


@dataclass(frozen=True)
class Arm:
    """weight: its share is weight / sum of weights; 0 closes it. quota: how many it takes; None without end."""

    weight: float = 1
    quota: int | None = None


@dataclass(frozen=True)
class Factor:
    """A factor of the study. Raises ValueError for what cannot be assigned.

    block_size: places in a block, a multiple of ``smallest_block``; None takes that. seed: any whole number.
    """

    name: str
    arms: Mapping[str, Arm]
    method: Method = "balanced"
    block_size: int | None = None
    seed: int = 0
    shares: Mapping[str, Fraction] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"{self.method!r} is not a method: {', '.join(get_args(Method))}")
        if any(not math.isfinite(arm.weight) or arm.weight < 0 for arm in self.arms.values()):
            raise ValueError(f"{self.name}: a weight is a number from 0")
        if any(arm.quota is not None and arm.quota < 0 for arm in self.arms.values()):
            raise ValueError(f"{self.name}: a quota is a whole number from 0")
        object.__setattr__(self, "shares", {name: Fraction(str(arm.weight)) for name, arm in self.arms.items()})
        smallest = smallest_block(self.arms)
        if self.method == "blocks" and self.block_size is not None and self.block_size % smallest:
            raise ValueError(f"{self.name}: with these weights a block has {smallest} places, or a multiple of that")

    @property
    def places_in_block(self) -> int:
        """How many places a block has."""
        return self.block_size or smallest_block(self.arms)


def factors_of(settings: Mapping[str, Any], variants: Mapping[str, Sequence[str]], seed: int) -> tuple[Factor, ...]:
    """The factors of a study.

    settings: what ``Study.study_settings`` gives. variants: page → the arms that it has as files, such as
    ``{"survey": ("0", "1")}``. seed: used where the settings have none.
    """
    assignment = settings.get("assignment", {})
    method: Any = assignment.get("method") or "balanced"
    own_seed = assignment.get("seed")
    seed = seed if own_seed is None else own_seed
    factors = []
    if settings.get("conditions"):
        arms = {
            name: Arm(1 if arm.get("weight") is None else arm["weight"], arm.get("quota"))
            for name, arm in settings["conditions"].items()
        }
        factors.append(Factor(CONDITION, arms, method, assignment.get("blockSize"), seed))
    for page, names in variants.items():
        if page == CONDITION:
            raise ValueError("a page that has variants cannot be called condition.html: the name is taken")
        factors.append(Factor(page, {str(name): Arm() for name in names}, method, None, seed))
    return tuple(factors)


def smallest_block(arms: Mapping[str, Arm]) -> int:
    """The fewest places in which every arm has exactly its share. Raises ValueError where no arm has a weight."""
    return sum(_whole_shares(tuple((name, Fraction(str(arm.weight))) for name, arm in arms.items())).values())


def factor_text(factor: Factor) -> str:
    """A factor as JSON, as the log keeps it."""
    arms = {name: [arm.weight, arm.quota] for name, arm in factor.arms.items()}
    return json.dumps({"arms": arms, "method": factor.method, "blockSize": factor.block_size, "seed": factor.seed})


def factor_from_text(name: str, text: str) -> Factor:
    """The factor that ``factor_text`` has written."""
    given = json.loads(text)
    arms = {arm: Arm(weight, quota) for arm, (weight, quota) in given["arms"].items()}
    return Factor(name, arms, given["method"], given["blockSize"], given["seed"])


def drawn_number(factor: Factor, kind: str, number: int) -> int:
    """A number from 0 to 2**64 - 1, the same for the same seed, factor, kind and number."""
    about = f"{factor.seed}/{factor.name}/{kind}/{number}"
    return int.from_bytes(hashlib.sha256(about.encode()).digest()[:8], "big")


def one_of(factor: Factor, arms: Sequence[str], number: int) -> str:
    """One of the arms, each as likely."""
    return arms[drawn_number(factor, "tie", number) % len(arms)]


def one_by_weight(factor: Factor, arms: Sequence[str], number: int) -> str:
    """One of the arms, as likely as its weight among theirs."""
    at = Fraction(drawn_number(factor, "draw", number), _TWO_64) * sum(factor.shares[arm] for arm in arms)
    for arm in arms[:-1]:
        at -= factor.shares[arm]
        if at < 0:
            return arm
    return arms[-1]


def slot(factor: Factor, position: int) -> str:
    """The arm at a position of the endless row of blocks, each shuffled for itself."""
    block, place = divmod(position, factor.places_in_block)
    return _block(factor.name, factor.seed, tuple(factor.shares.items()), factor.places_in_block, block)[place]


@lru_cache(maxsize=256)
def _block(name: str, seed: int, shares: tuple[tuple[str, Fraction], ...], size: int, block: int) -> tuple[str, ...]:
    whole = _whole_shares(shares)
    copies = size // sum(whole.values())
    places = [arm for arm, count in whole.items() for _ in range(count * copies)]
    keys = [hashlib.sha256(f"{seed}/{name}/block/{block}/{place}".encode()).digest() for place in range(size)]
    return tuple(places[place] for place in sorted(range(size), key=keys.__getitem__))


@lru_cache(maxsize=256)
def _whole_shares(shares: tuple[tuple[str, Fraction], ...]) -> dict[str, int]:
    """The shares as the smallest whole numbers of the same proportions."""
    weights = [share for _, share in shares]
    if not any(weights):
        raise ValueError("no arm has a weight above 0")
    scale = math.lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    divisor = math.gcd(*whole)
    return {arm: count // divisor for (arm, _), count in zip(shares, whole, strict=True)}
