"""The amounts that are written on the command line: ``5/min``, ``90s``, ``10%``, ``1Mbit``. Pure."""

import argparse
import re

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
BITS = {"bit": 1.0, "kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"


def duration_s(text: str) -> float:
    """``150ms``, ``20s``, ``2min``; a bare number counts seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(rf"{_NUMBER}(ms|s|min|h)?", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 150ms, 20s or 2min")
    return float(found[1]) * SECONDS[found[2] or "s"]


def arrivals_a_second(text: str) -> float:
    """``5/min``, ``1/s``, ``200/h``: how many people come in a second, on average. Raises ArgumentTypeError."""
    found = re.fullmatch(rf"{_NUMBER}/(s|min|h)", text.strip())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate of arrivals such as 5/min, 1/s or 200/h")
    return float(found[1]) / SECONDS[found[2]]


def share(text: str) -> float:
    """``10%`` or ``0.1``: a part of all, from 0 to 1. Raises ArgumentTypeError."""
    found = re.fullmatch(rf"{_NUMBER}(%?)", text.strip())
    part = float(found[1]) / (100 if found[2] else 1) if found else 2.0
    if part > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 10% or 0.1")
    return part


def bits_a_second(text: str) -> float:
    """``1Mbit``, ``500kbit``: what a line carries. Raises ArgumentTypeError."""
    found = re.fullmatch(rf"{_NUMBER}(bit|kbit|Mbit|Gbit)(?:/s)?", text.strip())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 1Mbit or 500kbit")
    return float(found[1]) * BITS[found[2]]


def whole(text: str) -> int:
    """A number of people: 1 or more. Raises ArgumentTypeError."""
    if re.fullmatch(r"[1-9][0-9]{0,5}", text.strip()) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 999999")
    return int(text)
