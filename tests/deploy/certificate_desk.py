"""An account with a zone and a bucket for certificates, and ``get_ssl_certs.py`` with a stand-in for certbot."""

import argparse
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from hippogym.config import load_study
from hippogym.deploy.aws import Aws
from hippogym.deploy.bucket_certificates import BucketCertificates
from hippogym.deploy.certificate_pair import SHUT
from hippogym.deploy.issuing import add_arguments, run
from tests.deploy.lab import DOMAIN, REGION, SSL_BUCKET, Calls, Wire, certificate

KEYS = ("SSL/fullchain.pem", "SSL/privkey.pem")

STAND_IN = """#!/bin/sh
# What certbot leaves behind, without an authority: what lies in `next`. `says`: a failure to print. `hangs`: it does.
cd {told} || exit 9
echo "$@" >> asked
if [ -e hangs ]; then echo $$ > pid; exec sleep 1000; fi
if [ -e says ]; then cat says; exit 1; fi
while [ $# -gt 0 ]; do
    case "$1" in --config-dir) config=$2 ;; --cert-name) name=$2 ;; esac
    shift
done
mkdir -p "$config/live/$name" && cp next/* "$config/live/$name"
"""


@functools.cache
def client(service: str) -> Any:
    """Made once, as that takes longer than all it is asked."""
    return boto3.client(service, region_name=REGION)


@functools.cache
def aws_of_servers() -> Aws:
    return Aws(REGION, attempts=1)


def set_up(s3: Any, route53: Any) -> None:
    """The zone and the bucket."""
    s3.create_bucket(Bucket=SSL_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_public_access_block(Bucket=SSL_BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(SHUT, True))
    route53.create_hosted_zone(Name=DOMAIN, CallerReference="1")


@dataclass
class Desk:
    """study: folder of config.yml. told: what the stand-in is told, and tells. days: that what it gives lasts."""

    study: Path
    told: Path
    program: Path
    s3: Any
    wire: Wire
    days: float = 90

    def ask(self, *words: str, now: datetime | None = None, calls: Calls | None = None, aws: Aws | None = None) -> int:
        """``python3 get_ssl_certs.py`` with these words. Raises what it raises."""
        self.give(*certificate(days=self.days))
        self.wire.calls = calls or Calls()
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        arguments = parser.parse_args(
            ["--study", str(self.study), "--folder", str(self.folder), "--certbot", str(self.program), *words]
        )
        return run(arguments, load_study(self.study), Path("get_ssl_certs.py"), aws or self.wire.aws, now)

    def give(self, chain: bytes, key: bytes) -> None:
        """What certbot comes back with."""
        (self.told / "next").mkdir(exist_ok=True)
        (self.told / "next" / "fullchain.pem").write_bytes(chain)
        (self.told / "next" / "privkey.pem").write_bytes(key)

    @property
    def folder(self) -> Path:
        return self.told / "certbot"

    def asked(self) -> list[list[str]]:
        """The words of each call of certbot."""
        path = self.told / "asked"
        return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []

    def put(self, *contents: bytes | None) -> None:
        for key, content in zip(KEYS, contents, strict=True):
            if content is not None:
                self.s3.put_object(Bucket=SSL_BUCKET, Key=key, Body=content)

    def there(self) -> dict[str, bytes]:
        """What lies in the bucket."""
        found = self.s3.list_objects_v2(Bucket=SSL_BUCKET).get("Contents", ())
        return {one["Key"]: self.s3.get_object(Bucket=SSL_BUCKET, Key=one["Key"])["Body"].read() for one in found}

    def server(self, folder: Path) -> BucketCertificates:
        """What a server has that looks into the bucket."""
        folder.mkdir(exist_ok=True)
        return BucketCertificates(aws_of_servers(), SSL_BUCKET, *KEYS, folder)


@contextmanager
def desk(study: Path, told: Path, wire: Wire) -> Iterator[Desk]:
    """An account of its own, in which the study has no certificate yet."""
    told.mkdir()
    program = told / "certbot-stand-in"
    program.write_text(STAND_IN.format(told=told))
    program.chmod(0o755)
    with mock_aws():
        set_up(client("s3"), client("route53"))
        yield Desk(study, told, program, client("s3"), wire)
