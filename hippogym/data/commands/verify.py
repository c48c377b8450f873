"""``hippogym verify``: are records as they were written? A line for each that is not, and a count of the others."""

import argparse
import sys

from hippogym.data.sources import find_records, open_store
from hippogym.data.terminal import harmless, messages, with_progress
from hippogym.data.verify import Verdict, verify
from hippogym.errors import RecordError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|DIR|s3://…", help="a record, a folder of records, or a bucket")
    parser.add_argument("--copies", metavar="s3://…", help="also compare every record with its copy there")
    parser.add_argument("--remarks", action="store_true", help="also say what is odd without being damage")


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where something is not as it was written, else 0."""
    copies = None if arguments.copies is None else open_store(arguments.copies)
    found = find_records(arguments.where, lost=True)
    good = bad = unverified = 0
    watched = with_progress("verifying", arguments.where, found, messages())
    for verdict in verify(watched, copies=copies):
        good += verdict.good and verdict.verified
        unverified += verdict.good and not verdict.verified
        bad += not verdict.good
        _say(verdict, arguments.remarks)
    if good + bad + unverified == 0:
        raise RecordError(f"there are no records in {arguments.where}")
    without = f", {unverified} without checksums" if unverified else ""
    sys.stdout.write(f"{good} records are as they were written{without}, {bad} are not\n")
    return 1 if bad else 0


def _say(verdict: Verdict, remarks: bool) -> None:
    name = harmless(verdict.name, 200)
    for problem in verdict.problems:
        sys.stdout.write(f"{name}: {harmless(problem, 300)}\n")
    for remark in verdict.remarks if remarks else ():
        sys.stdout.write(f"{name}: ({harmless(remark, 300)})\n")
