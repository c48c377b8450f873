"""Which records are replayed together: an episode needs what its trial had played before, in the same environment."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hippogym.data.manifest import PART, RECORD, STEM
from hippogym.data.sources import find_records
from hippogym.errors import RecordError


@dataclass
class TrialRecords:
    """The records of one trial, name → file, in the order in which they were played.

    wanted: the names of those that were asked for. missing: whether some that were played before are not here.
    """

    records: dict[str, Path] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    missing: bool = False


def find_trials(where: Path) -> Iterator[TrialRecords]:
    """What is at a path: all below a folder, trial by trial; or one file, with those that its trial had before.

    Records that are still being written are left out unless one is named. Raises RecordError where there is nothing.
    """
    if not where.is_dir():
        yield _one_file(where)
        return
    trial: dict[str, Path] = {}
    found_any = False
    for found in find_records(where):
        if not found.closed:
            continue
        found_any = True
        path = where / found.name
        if trial and next(iter(trial.values())).parent != path.parent:
            yield whole_trial(trial)
            trial = {}
        trial[found.name] = path
    if trial:
        yield whole_trial(trial)
    if not found_any:
        raise RecordError(f"there are no closed records in {where}")


def find_study(where: Path) -> Path:
    """The study that a record lies in: the nearest folder above it with an agent.py, else the current one."""
    return next((folder for folder in where.absolute().parents if (folder / "agent.py").is_file()), Path())


def _one_file(path: Path) -> TrialRecords:
    if not path.is_file():
        raise RecordError(f"there is no file or folder {path}")
    number = _number(path.name)
    before = {}
    if number is not None:
        siblings = sorted((n, one) for one in path.parent.iterdir() if (n := _number(one.name)) is not None)
        before = {one.name: one for n, one in siblings if n < number and one.name.endswith(RECORD)}
    records = {**before, path.name: path}
    return TrialRecords(records, frozenset({path.name}), number is not None and len(before) < number)


def whole_trial(trial: dict[str, Path]) -> TrialRecords:
    """All closed records of one trial, name → file."""
    in_order = dict(sorted(trial.items(), key=lambda one: (_number(one[1].name) or 0, one[0])))
    numbers = [number for path in in_order.values() if (number := _number(path.name)) is not None]
    return TrialRecords(in_order, frozenset(in_order), bool(numbers) and numbers != list(range(len(numbers))))


def _number(name: str) -> int | None:
    """The episode in the name of a file of ours; None for a trial's one file, and for what is not ours."""
    stem = name.removesuffix(PART).removesuffix(RECORD)
    digits = stem.removeprefix("episode_")
    return int(digits) if STEM.fullmatch(stem) and digits != stem else None
