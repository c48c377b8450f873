"""Where a server in production has its certificate from."""

import atexit
import logging
import shutil
import tempfile
from pathlib import Path

from hippogym.config import Study
from hippogym.deploy.aws import Aws
from hippogym.deploy.bucket_certificates import BucketCertificates
from hippogym.live.certificates import Certificates

BAKED = "certificates"  # in an image or mounted into a container, on purpose

logger = logging.getLogger("communicator")


def certificates_of(folder: Path, study: Study) -> Certificates:
    """The certificates of a server in production, checked.

    folder: where it was started; they are there, or in its ``certificates``, or else in the study's ``sslBucket``, of
    which the server may read them. Raises HippoError.
    """
    certificates = _found(folder, study)
    certificates.check()
    if soon := certificates.warning():
        logger.warning("%s", soon)
    return certificates


def _found(folder: Path, study: Study) -> Certificates:
    own = Certificates(folder)
    for there in (own, Certificates(folder / BAKED)):
        if there.fullchain.exists() or there.privkey.exists():
            return there
    project, setup = study.project, study.project.awsSetup
    ssl = project.ssl
    if not (project.useAWS and setup and setup.region and ssl.sslBucket and ssl.fullchain and ssl.privkey):
        return own
    kept = Path(tempfile.mkdtemp(prefix="hippo-tls-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    bucket = BucketCertificates(Aws(setup.region), ssl.sslBucket, ssl.fullchain, ssl.privkey, kept)
    bucket.fetch()
    logger.info("certificates fetched from the bucket")
    return Certificates(bucket.folder, bucket.fetch)
