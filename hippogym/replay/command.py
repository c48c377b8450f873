"""``hippogym replay``: re-execute episodes, and say whether they come out as they were recorded."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hippogym.data.sources import is_address, is_record
from hippogym.data.terminal import harmless, messages
from hippogym.errors import AgentError
from hippogym.replay.from_store import brought_here, trials_in_store
from hippogym.replay.trials import TrialRecords, find_study, find_trials
from hippogym.replay.verdict import DIFFERS, NOT_DETERMINISTIC, NOT_REPLAYED, VERIFIED, Verdict, judge, not_replayed

EXIT = {VERIFIED: 0, DIFFERS: 1, NOT_REPLAYED: 1, NOT_DETERMINISTIC: 3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|DIR|s3://…", help="a record, a folder of records, or a bucket")
    parser.add_argument("--study", type=Path, help="folder of the agent.py to replay with (the record's own study)")
    parser.add_argument("--serve", action="store_true", help="show one record in the browser, on this machine only")
    parser.add_argument("--port", type=int, default=0, help="with --serve: the port (any that is free)")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 where all is verified, 1 where something differs or cannot be replayed, 3 where chance is at work."""
    study = arguments.study or study_of(arguments.where)
    if arguments.serve:
        from hippogym.replay.serve import serve  # only now: it brings a web server with it

        with brought_here(arguments.where) as path:
            return serve(path, study, arguments.port)
    verdicts = [verdict for trial in _trials(arguments.where) for verdict in judge_and_tell(trial, study)]
    _sum_up(verdicts)
    return exit_code(verdicts)


def study_of(where: str) -> Path:
    """The study to replay with where none is named; for what lies in a bucket, the current folder."""
    return Path() if is_address(where) else find_study(Path(where))


def _trials(where: str) -> Iterator[TrialRecords]:
    if not is_address(where):
        yield from find_trials(Path(where))
    elif is_record(where.rpartition("/")[2]):
        with brought_here(where) as path:
            yield from find_trials(path)
    else:
        yield from trials_in_store(where)


def exit_code(verdicts: list[Verdict]) -> int:
    """Of several verdicts the worst counts; a difference is worse than chance."""
    codes = {EXIT[verdict.status] for verdict in verdicts}
    return 1 if 1 in codes or not verdicts else max(codes)


def judge_and_tell(trial: TrialRecords, study: Path) -> list[Verdict]:
    """Replay one trial, and print a line for each of its episodes. Raises AgentError where no trial can be replayed."""
    try:
        with progress("replaying") as at_tick:
            verdicts = judge(study, trial.records, trial.wanted, on_tick=at_tick)
    except AgentError as problem:
        if problem.hook == "load":
            raise
        verdicts = not_replayed(trial.wanted, str(problem))
    for verdict in verdicts:
        for line in lines_about(verdict):
            sys.stdout.write(f"{harmless(line, 500)}\n")
        if trial.missing and verdict.status == DIFFERS:
            sys.stdout.write("  Earlier episodes of its trial are not here; the game may carry something over.\n")
    return verdicts


def lines_about(verdict: Verdict) -> Iterator[str]:
    """One verdict, for the terminal."""
    which = f"{verdict.source}: episode {'?' if verdict.episode is None else verdict.episode}: "
    compared = f"{verdict.ticks} ticks, {verdict.frames} frames"
    if verdict.unencoded:
        compared += f", {verdict.unencoded} that were never made"
    match verdict.status:
        case "verified":
            yield f"{which}verified ({compared})"
        case "differs":
            yield f"{which}differs at tick {verdict.tick}"
        case "not deterministic":
            yield f"{which}not deterministic, from tick {verdict.tick} on"
        case _:
            after = f" after tick {verdict.tick}" if verdict.ticks else ""
            yield f"{which}cannot be replayed{after}: {verdict.differences[0][1]}"
    if verdict.status in (DIFFERS, NOT_DETERMINISTIC):
        for name, how in verdict.differences:
            yield f"  {name}: {how}"
    for remark in verdict.remarks:
        yield f"  {remark}"
    for package, (then, now) in verdict.versions.items():
        yield f"  {package}: recorded with {then}, replayed with {now}"


@contextmanager
def progress(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A line that says which tick it is at; only at a terminal."""
    shown = messages()
    if not shown.is_terminal:
        yield lambda record, episode, tick: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[at]}"), TimeElapsedColumn())
    with Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task(what, total=None, at="")

        def at_tick(record: str, episode: int, tick: int) -> None:
            bar.update(task, at=f"{harmless(record)}, episode {episode}, tick {tick}")

        yield at_tick


def _sum_up(verdicts: list[Verdict]) -> None:
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in EXIT}
    told = [f"{count} {status}" for status, count in counts.items() if count or status == VERIFIED]
    sys.stdout.write(f"{len(verdicts)} episodes: {', '.join(told)}\n")
