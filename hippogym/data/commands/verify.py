"""``hippogym verify``: are records as they were written? A line for each that is not, and a count of the others."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hippogym.data.sources import find_records, is_address, open_store
from hippogym.data.terminal import harmless, messages, with_progress
from hippogym.data.verify import Verdict, verify
from hippogym.errors import RecordError

if TYPE_CHECKING:
    from hippogym.data.verify_uploads import SpoolAndStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|DIR|s3://…", help="a record, a folder of records, or a bucket")
    parser.add_argument("--uploaded", action="store_true", help="also ask the store that the records were uploaded to")
    parser.add_argument("--copies", metavar="s3://…", help="also compare every record with its copy there")
    parser.add_argument("--remarks", action="store_true", help="also say what is odd without being damage")


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where something is not as it was written, else 0."""
    copies = None if arguments.copies is None else open_store(arguments.copies)
    uploads = _uploads(arguments.where, ask=arguments.uploaded)
    watched = with_progress("verifying", arguments.where, find_records(arguments.where, lost=True), messages())
    counts: Counter[str] = Counter()
    for verdict in verify(watched, copies=copies, uploads=uploads):
        counts[_kind(verdict)] += 1
        _say(verdict, arguments.remarks)
    if not counts:
        raise RecordError(f"there are no records in {arguments.where}")
    without = f", {counts['unverified']} without checksums" if counts["unverified"] else ""
    sys.stdout.write(f"{counts['good']} records are as they were written{without}, {counts['bad']} are not\n")
    if uploads is not None:
        sys.stdout.write(f"{harmless(str(uploads.status), 1000)}\n")
    if counts["gone"]:
        sys.stdout.write(f"{counts['gone']} records were uploaded, and are not here any more\n")
    return 1 if counts["bad"] else 0


def _kind(verdict: Verdict) -> str:
    if not verdict.good:
        return "bad"
    if verdict.verified:
        return "good"
    return "unverified" if verdict.entries else "gone"


def _uploads(where: str, *, ask: bool) -> "SpoolAndStore | None":
    """What is known of uploads from there. RecordError where the store should be asked, and none is known."""
    from hippogym.data.verify_uploads import SpoolAndStore, records_folder_of

    records = None if is_address(where) else records_folder_of(Path(where))
    if records is None:
        if ask:
            raise RecordError(f"nothing was uploaded from {where}")
        return None
    from hippogym.data.storage import open_storage
    from hippogym.data.upload_status import status

    address = status(records).where
    if address is None and not ask:
        return None  # an uploader has been started, and was never heard of again
    storage = open_storage(address) if ask and address is not None else None
    return SpoolAndStore(records, Path(where), storage)


def _say(verdict: Verdict, remarks: bool) -> None:
    name = harmless(verdict.name, 200)
    for problem in verdict.problems:
        sys.stdout.write(f"{name}: {harmless(problem, 300)}\n")
    for remark in verdict.remarks if remarks else ():
        sys.stdout.write(f"{name}: ({harmless(remark, 300)})\n")
