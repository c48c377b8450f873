"""The command ``hippogym``: what can be done with a study's records. One module for each subcommand.

A module has ``add_arguments(parser)`` and ``run(arguments) -> int``, the exit code. It is imported only when its
command is asked for, so that none of them makes the others slow, or needs what they need.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from hippogym import __version__
from hippogym.errors import HippoError

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("hippogym.rehearse.new", "a complete study in a folder of its own, to begin from"),
    "check": ("hippogym.rehearse.check", "is a study as it must be: settings, pages, agent?"),
    "rehearse": ("hippogym.rehearse.command", "let programs take part in a study, and check what they leave behind"),
    "read": ("hippogym.data.commands.read", "what is in records: a line for every episode"),
    "verify": ("hippogym.data.commands.verify", "are records as they were written?"),
    "export": ("hippogym.data.commands.export", "records as Minari, Parquet, JSON lines or CSV"),
    "replay": ("hippogym.replay.command", "do episodes come out again as they were recorded? Or: look at one"),
    "video": ("hippogym.replay.video_command", "an episode as mp4"),
    "answers": ("hippogym.data.commands.answers", "what participants answered, as a table"),
    "code": ("hippogym.data.commands.code", "is a completion code one that this study gave out?"),
    "payouts": ("hippogym.data.commands.payouts", "who is to be paid: the table for the recruiting site"),
    "cost": ("hippogym.deploy.cost_command", "what the study costs on AWS"),
    "aws": ("hippogym.deploy.aws_command", "what a lab sets up once on AWS: setup, status, destroy"),
    "forget": ("hippogym.data.commands.forget", "remove a participant from everything that the study keeps"),
}

PROBLEM, USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns its exit code: 0 all is well, 1 not so (said in a sentence), 2 it was not understood."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="hippogym", description="Read, check and export what participants did.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=_sentence(summary))
        if words[:1] == [name]:
            module = importlib.import_module(module_name)
            module.add_arguments(command)
    chosen = parser.parse_args(words)
    try:
        code = int(module.run(chosen))
        sys.stdout.flush()  # here, where a reader who has gone is expected, and not when Python ends
        return code
    except HippoError as problem:
        sys.stderr.write(f"{problem}\n")
    except BrokenPipeError:  # somebody has read enough, as ``head`` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        sys.stderr.write(f"{problem.filename or 'the disk'}: {problem.strerror or problem}\n")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    return PROBLEM


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
