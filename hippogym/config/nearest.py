"""The known name that was probably meant by an unknown one."""

import difflib
from collections.abc import Iterable


def nearest_name(written: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The same name in another case, or else the one most alike; None where nothing comes near."""
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(written[:60].lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[close[0]] if close else None


def did_you_mean(written: str, names: Iterable[str]) -> str:
    """The hint at the end of a complaint; empty where nothing comes near."""
    nearest = nearest_name(written, names)
    return f"; did you mean {nearest}?" if nearest else ""
