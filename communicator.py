"""Start a study's server:  python3 communicator.py [dev|check] [--address A] [--port N] [--study DIR] [--data DIR]

(nothing)   production: TLS with fullchain.pem and privkey.pem of the running folder
dev         plain http and websocket on this machine, no upload
check       do not listen: check everything, play 20 ticks without a browser, say what was found
"""

import argparse
import asyncio
import contextlib
import hashlib
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from hippogym import __version__
from hippogym.config import Study, environment, load_study
from hippogym.data.records_folder import claim
from hippogym.data.recovery import repair
from hippogym.data.upload_status import status
from hippogym.data.uploader import Uploader
from hippogym.data.versions import versions
from hippogym.errors import HippoError
from hippogym.live.certificates import Certificates
from hippogym.live.check import check_agent, check_trial
from hippogym.live.check_report import print_report
from hippogym.live.endpoint import Welcome
from hippogym.live.process import preload
from hippogym.live.server import Server, listen
from hippogym.live.session import SessionLimits
from hippogym.live.sessions import Sessions
from hippogym.live.trial_process import look_at_agent
from hippogym.logs import start_logging
from hippogym.pages.routes import PageSettings, page_routes
from trial import play

ADDRESS = "localhost"
PORT = 5000
CHECK_TICKS = 20
LEFT = 75  # EX_TEMPFAIL of sysexits.h: nothing is lost, but not everything is done
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
    parser.add_argument("--address", help=f"where to listen ($ADDRESS, or {ADDRESS})")
    parser.add_argument("--port", type=int, help=f"port to listen on, 0 for any free one ($PORT, or {PORT})")
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
    certificates = None if dev else Certificates(Path().absolute())
    if certificates is not None:
        certificates.check()
        if soon := certificates.warning():
            logger.warning("%s", soon)
    with claim(records):
        for repaired in repair(records, wait_s=ORPHANS_S):
            logger.warning("%s", repaired)
        address = arguments.address or surroundings.ADDRESS or ADDRESS
        port = next(p for p in (arguments.port, surroundings.PORT, PORT) if p is not None)
        uploader = uploads(study, records, dev)
        with listen(address, port) as sock, uploader or contextlib.nullcontext():
            spec = describe(study, folder, records, dev)
            asyncio.run(build(study, spec, address, certificates, uploader).run(sock))
    logger.info("stopped")
    return 0 if uploader is None else say_what_is_left(uploader, records)


def uploads(study: Study, records: Path, dev: bool) -> Uploader | None:
    """What brings the records to the study's bucket; None where they stay on this machine."""
    project, place = study.project, study.project.awsSetup
    if dev or not study.trial.s3upload or not project.useAWS or place is None:
        return None
    return Uploader(records, f"s3://{place.bucket}", project.id, place.region)


def say_what_is_left(uploader: Uploader, records: Path) -> int:
    """Returns the exit code: 0 everything is in the store, 75 something is not."""
    if uploader.drained:
        logger.info("%s", status(records))
        return 0
    logger.error("%s. They are kept in %s, and go up when the server is started again.", status(records), records)
    return LEFT


def describe(study: Study, folder: Path, records: Path, dev: bool) -> dict[str, Any]:
    """What every trial's process is told: plain values only."""
    header = {
        "project": study.project.id,
        "game": study.trial.game,
        "config_sha256": study.sha256,
        "agent_sha256": hashlib.sha256((folder / "agent.py").read_bytes()).hexdigest(),
        "step_mode": study.trial.stepMode,
        "action_buffer_lifespan": study.trial.actionBufferLifespan,
        "frame_rate": study.trial.startingFrameRate,
        "jpeg_quality": study.trial.jpegQuality,
        "versions": versions(__version__),
    }
    return {
        "trial": "check",
        "participant": {"userId": "check", "projectId": None},
        "study": str(folder),
        "records": str(records),
        "settings": study.trial_settings(),
        "header": header,
        "dev": dev,
    }


def build(
    study: Study, spec: dict[str, Any], address: str, certificates: Certificates | None, uploader: Uploader | None
) -> Server:
    """Name the concrete parts and put them together."""
    trial, dev, records = study.trial, bool(spec["dev"]), Path(spec["records"])
    limits = SessionLimits(trial.reconnectGrace, trial.stepTimeout, trial.hookTimeout, trial.memoryLimit * 2**20)

    async def on_end(name: str, in_order: bool) -> None:
        if not in_order:  # its process is gone, so nobody else writes there
            for repaired in await asyncio.to_thread(repair, records / name):
                logger.warning("%s", repaired)

    async def on_stopped(after_s: float) -> None:
        if uploader is not None:
            await asyncio.to_thread(uploader.drain, max(0.0, trial.uploadDeadline - after_s))

    def ready(port: int) -> None:
        scheme = "http" if certificates is None else "https"
        host = "localhost" if address in ("0.0.0.0", "::", "") else f"[{address}]" if ":" in address else address
        sys.stdout.write(f"Play at {scheme}://{host}:{port}/   (Ctrl-C stops)\n")
        sys.stdout.flush()

    name = study.project.name or study.project.id
    wire = {
        "graceS": trial.reconnectGrace,
        "version": __version__,
        "project": name,
        "projectId": study.project.id,
        "game": trial.game,
        "instructions": list(trial.instructions),
    }
    origins = study.project.origins
    ui = frozenset(name for name, shown in trial.ui.items() if shown)
    return Server(
        sessions=Sessions(play, spec, limits, trial.maxParticipants, on_end),
        welcome=Welcome(wire, ui, frozenset(origins), dev, most_sockets=4 * trial.maxParticipants + 64),
        routes=page_routes(PageSettings(study.project.id, name, tuple(origins), dev)),
        certificates=certificates,
        ready=ready,
        on_stopped=on_stopped,
    )


def check(study: Study, folder: Path) -> int:
    """Play without a participant, into a folder that is thrown away, and say what was found."""
    with tempfile.TemporaryDirectory() as records:
        spec = describe(study, folder, Path(records), dev=True)
        limit_s = study.trial.hookTimeout + CHECK_TICKS * study.trial.stepTimeout
        report = asyncio.run(check_trial(play, spec, CHECK_TICKS, limit_s))
    return print_report(report, study.trial.game, study.trial.startingFrameRate)


if __name__ == "__main__":
    sys.exit(main())
