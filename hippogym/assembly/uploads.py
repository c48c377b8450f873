"""Whether and where a study's records are uploaded, and what is said at the end."""

import logging
from pathlib import Path

from hippogym.config import Study
from hippogym.data.upload_status import status
from hippogym.data.uploader import Uploader

LEFT = 75  # EX_TEMPFAIL of sysexits.h: nothing is lost, but not everything is done

logger = logging.getLogger("communicator")


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
