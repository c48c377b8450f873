"""``hippogym video``: an episode as mp4, at the pace at which it was played."""

import argparse
import sys
from pathlib import Path

from hippogym.data.terminal import harmless
from hippogym.errors import RecordError
from hippogym.replay.command import exit_code, lines_about, progress, study_of
from hippogym.replay.from_store import brought_here
from hippogym.replay.timeline import timelines
from hippogym.replay.trials import find_trials
from hippogym.replay.verdict import VERIFIED
from hippogym.replay.video import Options, make_video


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|s3://…", help="a record")
    parser.add_argument("--out", type=Path, required=True, help="the new file, such as episode.mp4")
    parser.add_argument("--inputs", action="store_true", help="draw what the participant did below the game")
    parser.add_argument("--episode", type=int, help="of a record with several episodes only this one")
    parser.add_argument("--longest-pause", type=float, metavar="SECONDS", help="cut longer pauses to so much")
    parser.add_argument("--study", type=Path, help="folder of the agent.py to replay with (the record's own study)")


def run(arguments: argparse.Namespace) -> int:
    """Returns what ``hippogym replay`` would: 1 or 3 where the video does not show what was recorded."""
    study = arguments.study or study_of(arguments.where)
    with brought_here(arguments.where) as record:
        if record.is_dir():
            raise RecordError(f"{record} is a folder; a video is made of one record")
        (trial,) = find_trials(record)
        lines = [line for line in timelines(record) if arguments.episode in (None, line.episode)]
        if not lines:
            raise RecordError(f"there is no such episode in {arguments.where}")
        options = Options(arguments.inputs, arguments.longest_pause)
        with progress("replaying") as at_tick:
            verdicts = make_video(study, trial.records, record.name, lines, arguments.out, options, at_tick)
    for verdict in verdicts:
        if verdict.status != VERIFIED:
            for line in lines_about(verdict):
                sys.stderr.write(f"{harmless(line, 500)}\n")
    sys.stdout.write(f"{arguments.out}: {len(lines)} episodes, {sum(verdict.ticks for verdict in verdicts)} ticks\n")
    return exit_code(verdicts)
