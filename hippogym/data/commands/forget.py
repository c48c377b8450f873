"""``hippogym forget``: remove a participant from everything that the study keeps, and prove it."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn

from hippogym.config import load_study
from hippogym.data.forgetting.forget import Forgetting, Plan
from hippogym.data.forgetting.search import SHORT, Findings
from hippogym.data.storage import Storage, open_storage
from hippogym.data.terminal import harmless, messages
from hippogym.data.upload_status import status
from hippogym.errors import RecordError

_MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("participant", help="their userId, exactly; - reads it from standard input")
    parser.add_argument("--study", type=Path, default=Path(), help="folder of config.yml (this one)")
    parser.add_argument("--data", type=Path, help="folder of the records (Trials in the study)")
    parser.add_argument("--store", action="append", metavar="s3://…", help="another place that was uploaded to")
    parser.add_argument("--only-here", action="store_true", help="leave what was uploaded alone")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 where nothing is left, 1 where something is, or somebody said no."""
    for theirs in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(theirs).setLevel(logging.CRITICAL)  # their lines hold keys, and with them names
    name = sys.stdin.readline().rstrip("\n") if arguments.participant == "-" else arguments.participant
    study = load_study(arguments.study)
    records = arguments.data or arguments.study / "Trials"
    with ExitStack() as opened:
        stores = [] if arguments.only_here else _stores(arguments, study.project.awsSetup, records)
        for store in stores:
            opened.callback(store.close)
            store.check()
        forgetting = opened.enter_context(Forgetting(arguments.study, records, study.project.id, stores, name))
        plan = forgetting.plan()
        if plan and not (arguments.yes or _agreed(plan)):
            sys.stdout.write("nothing was removed\n")
            return 1
        _say_removed(forgetting.remove(plan))
        with _progress() as watch:
            findings = forgetting.prove(watch)
    return _say_found(findings, name)


def _stores(arguments: argparse.Namespace, place: object, records: Path) -> list[Storage]:
    """Where the study uploads to, where it last did, and what was named besides."""
    bucket, region = getattr(place, "bucket", None), getattr(place, "region", None)
    urls = [f"s3://{bucket}" if bucket else None, status(records).where if records.is_dir() else None]
    urls += arguments.store or []
    return [open_storage(url, region=region) for url in dict.fromkeys(urls) if url is not None]


def _agreed(plan: Plan) -> bool:
    for title, lines in plan.found.items():
        sys.stdout.write(f"{title}:\n")
        sys.stdout.writelines(f"  {harmless(line, 300)}\n" for line in lines[:_MOST_LINES])
        if len(lines) > _MOST_LINES:
            sys.stdout.write(f"  and {len(lines) - _MOST_LINES} more\n")
    if not sys.stdin.isatty():
        raise RecordError("this cannot be undone: say --yes, or answer at a terminal")
    sys.stdout.write("Remove all of this for good? It cannot be undone. [yes/no] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _say_removed(removed: dict[str, int]) -> None:
    told = [f"{count} {title}" for title, count in removed.items() if count]
    sys.stdout.write(f"removed: {', '.join(told)}\n" if told else "nothing is kept of this participant\n")


def _say_found(findings: Findings, name: str) -> int:
    """The proof, or what speaks against it."""
    for what, paths in (
        ("holds the name", [*findings.certain, *findings.names]),
        ("could not be read", findings.unread),
        ("holds it as a part of a longer word", [*findings.possible]),
        ("is compressed, so nobody can look inside", findings.compressed),
    ):
        sys.stdout.writelines(f"{harmless(str(path), 300)} {what}\n" for path in paths[:_MOST_LINES])
        if len(paths) > _MOST_LINES:
            sys.stdout.write(f"and {len(paths) - _MOST_LINES} more\n")
    if len(name.encode("utf-8", "surrogatepass")) < SHORT:
        sys.stdout.write("the name is short: only where it is a whole text was it counted\n")
    searched = f"{findings.files} files, {findings.bytes:,} bytes searched"
    sys.stdout.write(f"{findings.hits} hits ({searched})\n")
    return 1 if findings.hits or findings.unread else 0


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    shown = messages()
    if not shown.is_terminal:
        yield lambda size: None
        return
    with Progress(SpinnerColumn(), TextColumn("searching"), DownloadColumn(), console=shown, transient=True) as bar:
        task = bar.add_task("searching", total=None)
        yield lambda size: bar.update(task, advance=size)
