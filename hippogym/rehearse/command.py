"""``hippogym rehearse``: participants that are programs go through a study, and what they left behind is checked."""

import argparse
import sys
from pathlib import Path

from hippogym.errors import StartError
from hippogym.rehearse.amounts import arrivals_a_second, duration_s, share, whole
from hippogym.rehearse.network import read_network
from hippogym.rehearse.plan import Shares


def add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = Shares()
    parser.add_argument(
        "study", metavar="STUDY", nargs="?", type=Path, default=Path(), help="the study's folder (this)"
    )
    parser.add_argument("--participants", metavar="N", type=whole, default=40, help="how many come (40)")
    parser.add_argument("--arrivals", metavar="N/min", type=arrivals_a_second, default=arrivals_a_second("5/min"),
                        help="how many come in a minute, on average (5/min)")  # fmt: skip
    parser.add_argument("--network", metavar="150ms,2%,1Mbit", type=read_network,
                        help="a bad line for everybody: round trip, loss, rate each way")  # fmt: skip
    parser.add_argument("--server", metavar="URL", help="a server that runs already; else the study's own is started")
    parser.add_argument("--play", metavar="60s", type=duration_s, default=60.0,
                        help="they press Stop after so long in a game; 0: they play to its end (60s)")  # fmt: skip
    parser.add_argument("--think", metavar="3s", type=duration_s, default=3.0, help="for each page, on average (3s)")
    parser.add_argument("--patience", metavar="30min", type=duration_s, default=1800.0,
                        help="for how long they wait in line for a place (30min)")  # fmt: skip
    parser.add_argument("--leave", metavar="10%", type=share, default=usual.leave, help="close the tab for good (10%%)")
    parser.add_argument("--reload", metavar="20%", type=share, default=usual.reload, help="load a page again (20%%)")
    parser.add_argument("--two-tabs", metavar="10%", type=share, default=usual.two_tabs,
                        help="have it open in two tabs (10%%)")  # fmt: skip
    parser.add_argument("--careless", metavar="10%", type=share, default=usual.careless,
                        help="leave out or answer wrong what is asked, at first (10%%)")  # fmt: skip
    parser.add_argument("--confirm", action="store_true",
                        help="also try 80%% and 130%% of the predicted number of players")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed is the same rehearsal (1)")
    parser.add_argument(
        "--report", metavar="FILE.json", type=Path, help="also write everything that was found to a file"
    )
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep the data and the server's log in this new folder"
    )


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 where every check is green, else 1."""
    try:
        from hippogym.rehearse.rehearsal import rehearse  # only now: it brings clients with it
    except ModuleNotFoundError as missing:
        if missing.name not in ("httpx", "psutil"):
            raise
        raise StartError(f"a rehearsal needs the package {missing.name}: pip install 'hippogym[rehearse]'") from missing
    if arguments.confirm and arguments.server:
        raise StartError("--confirm lifts the study's limit on participants, and so needs a server of its own")
    found = rehearse(arguments)
    sys.stdout.flush()
    return 0 if found.is_fine else 1
