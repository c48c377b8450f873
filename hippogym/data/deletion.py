"""Removes the records of a participant who has withdrawn and wants them gone, while the server runs.

The answers are removed by the ledger in the moment of withdrawing. What is left is that somebody withdrew, under which
label, and when: for that, too, to be forgotten there is ``hippogym forget``.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import time
from pathlib import Path

from hippogym.data import manifest
from hippogym.data.delivery import user_part
from hippogym.data.spool import FOLDER as SPOOL
from hippogym.data.users_delivery import order_erasure

CLOSES_WITHIN_S = 30.0
_LOOK_AGAIN_S = 0.2

logger = logging.getLogger(__name__)


def delete_trials(records: Path, project: str, user: str | None, trials: list[str], *, uploaded: bool) -> None:
    """Remove them here, and have them removed from the store. Blocks while a trial still closes its record.

    uploaded: whether there is a store. A trial that does not close is left, and logged: it is not known what it does.
    """
    trials = [trial for trial in trials if manifest.TRIAL_ID.fullmatch(trial)]
    for trial in trials:
        folder = records / trial
        give_up_s = time.monotonic() + CLOSES_WITHIN_S
        while _is_written(folder) and time.monotonic() < give_up_s:
            time.sleep(_LOOK_AGAIN_S)
        if _is_written(folder):
            logger.error("a record that is to be deleted is still being written: %s", trial)
            continue
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        for place in ("waiting", "verified"):
            for note in (records / SPOOL / place).glob(f"{trial}.*"):
                note.unlink(missing_ok=True)
    if uploaded:
        part = user_part({"userId": user})
        prefixes = [f"{project}/Trials/{part}/{trial}-" for trial in trials]
        order_erasure(records, [f"{project}/users/{part}"], prefixes)
    logger.info("a participant who has withdrawn had everything deleted")


def _is_written(folder: Path) -> bool:
    """Whether a live trial holds a lock on a record there."""
    for path in folder.glob(f"*{manifest.PART}"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
    return False
