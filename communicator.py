"""Start a study's server:  python3 communicator.py [dev|check] [--address A] [--port N] [--study DIR] [--data DIR]

(nothing)   production: TLS with fullchain.pem and privkey.pem of the running folder
dev         plain http and websocket on this machine, no upload
check       do not listen: check everything, play 20 ticks without a browser, say what was found
"""

import signal
import sys

if __name__ == "__main__":  # first of all: process 1 of a container ignores what it has no handler for
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import argparse
import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path

from hippogym import __version__
from hippogym.assembly.certificates import certificates_of
from hippogym.assembly.desks import desk_of
from hippogym.assembly.server import address_of, serve
from hippogym.assembly.trial_description import describe, limits_of
from hippogym.assembly.uploads import say_what_is_left, uploads
from hippogym.config import Study, environment, load_study
from hippogym.data.records_folder import claim
from hippogym.data.recovery import repair
from hippogym.errors import HippoError
from hippogym.live.check import check_agent, check_trial
from hippogym.live.check_report import print_report
from hippogym.live.process import preload
from hippogym.live.server import listen
from hippogym.live.sessions import Sessions
from hippogym.live.trial_process import look_at_agent
from hippogym.logs import start_logging
from hippogym.pages.dashboard.door import dashboard_token
from trial import play

CHECK_TICKS = 20
ORPHANS_S = 10.0  # the trials of a server that was killed have ended by then

logger = logging.getLogger("communicator")


def main() -> int:
    """Run the command.

    Returns the exit code: 0 done, 2 something is not as it must be, 75 records are left to upload; each is said.
    """
    arguments = read_arguments()
    start_logging(plain=arguments.mode != "production")
    try:
        return run(arguments)
    except HippoError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyboardInterrupt:  # before it listens there is nothing to put in order
        return 130


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="communicator.py", description="Start the server of a HIPPO Gym study.")
    parser.add_argument("mode", nargs="?", choices=("production", "dev", "check"), default="production")
    parser.add_argument("--address", help="where to listen ($ADDRESS, or localhost)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any free one ($PORT, or 5000)")
    parser.add_argument("--study", type=Path, default=Path(), help="folder of config.yml and agent.py (this one)")
    parser.add_argument("--data", type=Path, help="folder for the records (Trials in the study)")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked, and only then listen."""
    surroundings = environment()
    study = load_study(arguments.study)
    for warning in study.warnings:
        logger.warning("%s", warning)
    dev = arguments.mode != "production"
    folder = arguments.study.absolute()
    records = (arguments.data or folder / "Trials").absolute()
    preload("hippogym.live.preload", "trial")
    asyncio.run(check_agent(look_at_agent, {"study": str(folder)}))
    if arguments.mode == "check":
        return check(study, folder)
    certificates = None if dev else certificates_of(Path().absolute(), study)
    token = dashboard_token(surroundings.DASHBOARD_TOKEN)
    with claim(records), desk_of(study, folder, records, surroundings, dev=dev) as desk:
        for repaired in repair(records, wait_s=ORPHANS_S):
            logger.warning("%s", repaired)
        address, port = address_of(arguments.address, arguments.port, surroundings)
        uploader = uploads(study, records, dev)
        with listen(address, port) as sock, uploader or contextlib.nullcontext():
            spec = describe(study, folder, records, dev)

            async def on_end(name: str, in_order: bool) -> None:
                if not in_order:  # its process is gone, so nobody else writes there
                    for repaired in await asyncio.to_thread(repair, records / name):
                        logger.warning("%s", repaired)

            at_desk = desk.desk if desk is not None else None
            sessions = Sessions(play, spec, limits_of(study), study.trial.maxParticipants, on_end, at_desk)
            server = serve(sock, study, sessions, desk, uploader, certificates, dev=dev, address=address, token=token)
            asyncio.run(server)
    logger.info("stopped")
    return 0 if uploader is None else say_what_is_left(uploader, records)


def check(study: Study, folder: Path) -> int:
    """Play without a participant, into a folder that is thrown away, and say what was found."""
    with tempfile.TemporaryDirectory() as records:
        spec = describe(study, folder, Path(records), dev=True)
        limit_s = study.trial.hookTimeout + CHECK_TICKS * study.trial.stepTimeout
        report = asyncio.run(check_trial(play, spec, CHECK_TICKS, limit_s))
    return print_report(report, study.trial.game, study.trial.startingFrameRate)


if __name__ == "__main__":
    sys.exit(main())
