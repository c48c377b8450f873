"""``hippogym export``: records as a Minari dataset, Parquet, JSON lines or CSV."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from hippogym.data.export.options import Options
from hippogym.data.export.run import FORMATS, export
from hippogym.data.sources import Found
from hippogym.data.terminal import harmless, messages, with_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|DIR|s3://…", help="a record, a folder of records, or a bucket")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format")
    parser.add_argument(
        "--out",
        type=Path,
        help="the new file; for Minari the folder of datasets (MINARI_DATASETS_PATH, or Minari's own)",
    )
    parser.add_argument("--game", help="only the episodes of this game")
    parser.add_argument("--participant", help="only the episodes of this participant")
    parser.add_argument("--unfinished", action="store_true", help="also records that are not closed")
    parser.add_argument("--dataset", metavar="ID", help="Minari: the dataset's id (<game>/human-v0)")


def run(arguments: argparse.Namespace) -> int:
    said = messages()

    def watch(found: Iterable[Found]) -> Iterator[Found]:
        yield from with_progress("exporting", arguments.where, found, said)

    options = Options(
        game=arguments.game,
        participant=arguments.participant,
        dataset=arguments.dataset,
        unfinished=arguments.unfinished,
    )
    exported = export(arguments.where, arguments.to, arguments.out, options=options, watch=watch)
    for note in exported.notes:
        said.print(harmless(note, 400))
    counts = exported.counts
    sys.stdout.write(f"{exported.path}: {counts.episodes} episodes, {counts.ticks} ticks, read back and compared\n")
    return 0
