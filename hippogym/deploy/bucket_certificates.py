"""The server's certificate, fetched from its bucket by the task's role, and again when another one lies there.

So a study that runs for months needs no redeployment, and no image holds a private key.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippogym.deploy.aws import Aws, told
from hippogym.deploy.certificates import FULLCHAIN, PRIVKEY
from hippogym.deploy.problems import DeployError

LARGEST = 2**20


@dataclass
class BucketCertificates:
    """fullchain and privkey are keys in the bucket. folder: for the two files, of this process's user alone."""

    aws: Aws
    bucket: str
    fullchain: str
    privkey: str
    folder: Path
    _tags: tuple[str, str] | None = None

    def fetch(self) -> bool:
        """Fetch both where they are not what was fetched last; returns whether they are new.

        Two files are never renewed at the same moment: a key that does not fit is refused, and what was there stays.
        Raises DeployError.
        """
        tags = (self._tag(self.fullchain), self._tag(self.privkey))
        if tags == self._tags:
            return False
        (chain, chain_tag), (key, key_tag) = self._read(self.fullchain), self._read(self.privkey)
        with self._written(FULLCHAIN, chain) as new_chain, self._written(PRIVKEY, key) as new_key:
            self._fit(new_chain, new_key)
            os.replace(new_key, self.folder / PRIVKEY)
            os.replace(new_chain, self.folder / FULLCHAIN)
        self._tags = (chain_tag, key_tag)
        return True

    def _tag(self, key: str) -> str:
        with told(f"s3://{self.bucket}/{key}"):
            return str(self.aws("s3").head_object(Bucket=self.bucket, Key=key)["ETag"])

    def _read(self, key: str) -> tuple[bytes, str]:
        with told(f"s3://{self.bucket}/{key}"):
            answer: dict[str, Any] = self.aws("s3").get_object(Bucket=self.bucket, Key=key)
            with answer["Body"] as body:
                return bytes(body.read(LARGEST)), str(answer["ETag"])

    @contextmanager
    def _written(self, name: str, content: bytes) -> Iterator[Path]:
        path = self.folder / f".{name}"
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            yield path
        except OSError as problem:
            raise DeployError(f"The certificate cannot be kept: {problem.strerror or problem}.") from problem
        finally:
            path.unlink(missing_ok=True)

    def _fit(self, chain: Path, key: Path) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=_no_password)
        except (ssl.SSLError, ValueError) as problem:
            raise DeployError(
                f"s3://{self.bucket}: {self.privkey} is not the key of {self.fullchain}, or one is no PEM file; "
                "were both uploaded? (SSL_README.md)"
            ) from problem


def _no_password() -> str:
    """An encrypted key cannot be used, and nobody is there to be asked."""
    raise ValueError("the key is encrypted")
