"""``hippogym code verify``: is a completion code one that this study gave out, and for what?"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hippogym.core.study.codes import read_code, visit_signs
from hippogym.core.study.visit import Visit
from hippogym.data.ledger.sqlite import FILE
from hippogym.data.study_folder import STACK, all_visits, data_folder, existing_key, key_at, study_place, visits_at
from hippogym.data.terminal import harmless


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verify")
    verify = verbs.add_parser("verify", help="is a code real, and whose is it?")
    verify.add_argument("codes", nargs="+", metavar="CODE", help="as it was typed; - reads one from each line")
    verify.add_argument("--study", type=study_place, default=Path(),
                        help="folder of config.yml (this one), or s3://bucket/projectId of a study on AWS")  # fmt: skip
    verify.add_argument("--stack", default=STACK, help=f"of a study on AWS ({STACK})")
    verify.add_argument("--data", type=Path, help="folder of the study's data (Trials in the study)")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 where every code is real, else 1. Raises RecordError, StartError."""
    key, visits = _kept(arguments)
    by_signs = {visit_signs(key, visit["id"]): visit for visit in visits}
    fixed = Counter(visit["code"].strip().lower() for visit in visits if visit["code"] is not None)
    forged = 0
    for typed in _typed(arguments.codes):
        told = told_of(key, typed, by_signs)
        forged += told is None
        sys.stdout.write(f"{harmless(typed, 80)}: {told or _unsigned(fixed[typed.strip().lower()])}\n")
    return 1 if forged else 0


def _kept(arguments: argparse.Namespace) -> tuple[bytes, list[Visit]]:
    """The key, and every visit. Raises RecordError, StartError."""
    if isinstance(arguments.study, str):
        return key_at(arguments.study, arguments.stack), visits_at(arguments.study)
    folder = data_folder(arguments.study, arguments.data)
    return existing_key(folder), all_visits(folder) if (folder / FILE).exists() else []


def told_of(key: bytes, typed: str, by_signs: Mapping[str, Visit]) -> str | None:
    """What is to be said of a code; None for one that is not real."""
    code = read_code(key, typed)
    if code is None:
        return None
    visit = by_signs.get(code.visit)
    if visit is None:
        return f"real, {code.outcome}; its visit is no longer kept"
    told = [f"real, {code.outcome}", f"given to {harmless(visit['user'] or visit['id'])}"]
    told += [f"from {visit['site']}"] if visit["site"] else []
    told += [f"in condition {harmless(visit['condition'])}"] if visit["condition"] else []
    told += [f"began {_time(visit['created_s'])}"]
    told += [f"ended {_time(visit['ended_s'])}"] if visit["ended_s"] is not None else []
    return ", ".join(told)


def _unsigned(given: int) -> str:
    """What is to be said of a text that is not signed. given: how many were shown the very same."""
    people = "one participant" if given == 1 else f"{given} participants"
    return f"not signed, but shown to {people}: it can be passed on" if given else "not a code of this study"


def _typed(codes: Iterable[str]) -> Iterable[str]:
    for code in codes:
        if code == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield code


def _time(t_s: float) -> str:
    return datetime.fromtimestamp(t_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
