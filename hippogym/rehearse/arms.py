"""Whether the arms of a study came out as even as its method promises. Pure.

Counted are those who completed and those who hold a place, as core.study.tally counts them. ``balanced``: arms of
equal weight differ by at most one; of unequal weight, each is less than two places from its share. ``blocks``: within
a block of it. ``random`` promises nothing, and full arms cannot keep up. The log must come to the same arms again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hippogym.core.study.assignment import decided, replay
from hippogym.core.study.factors import Factor, factor_from_text, smallest_block
from hippogym.core.study.tally import Tally

Log = Sequence[Mapping[str, Any]]


def uneven(log: Log) -> tuple[list[str], list[str]]:
    """(each factor's counts, as text; what is wrong with them)."""
    told, wrong = [], []
    for name in dict.fromkeys(entry["factor"] for entry in log if entry["event"] != "preview"):
        factor = _factor(name, log)
        if factor is None:
            wrong.append(f"{name}: the log does not say what it rests on")
            continue
        counts = {arm: count.held for arm, count in Tally(factor, log).counts.items()}
        told.append(f"{name}: {', '.join(f'{arm} {count}' for arm, count in counts.items())}")
        wrong += _wrong(factor, counts)
        if replay(factor, log) != decided(factor, log):
            wrong.append(f"{name}: the log does not come to the same arms again")
    return told, wrong


def _factor(name: str, log: Log) -> Factor | None:
    settings = [entry["reason"] for entry in log if entry["factor"] == name and entry["event"] == "settings"]
    return factor_from_text(name, settings[-1]) if settings else None


def _wrong(factor: Factor, counts: Mapping[str, int]) -> list[str]:
    open_arms = [arm for arm, its in factor.arms.items() if its.quota is None or counts[arm] < its.quota]
    shares = {arm: factor.shares[arm] for arm in open_arms if factor.shares[arm]}
    if factor.method == "random" or len(shares) < 2 or len(open_arms) < len(factor.arms):
        return []
    allowed = 1 if factor.method == "balanced" else factor.places_in_block // smallest_block(factor.arms)
    if len(set(shares.values())) == 1:
        apart = max(counts[arm] for arm in shares) - min(counts[arm] for arm in shares)
        return [f"{factor.name}: arms differ by {apart}, more than {allowed}"] if apart > allowed else []
    if factor.method == "blocks":
        return []  # an unfinished block of unequal arms may hold any part of it
    everybody, all_shares = sum(counts[arm] for arm in shares), sum(shares.values())
    far = [arm for arm in shares if abs(counts[arm] - everybody * shares[arm] / all_shares) >= 2]
    return [f"{factor.name}: {arm} is two places or more from its share" for arm in far]
