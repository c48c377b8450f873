"""``get_ssl_certs.py`` with the real certbot, a real authority (pebble), and moto as Route53 and S3."""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hippogym.deploy.aws import Aws
from hippogym.deploy.bucket_certificates import BucketCertificates
from hippogym.deploy.certificates import read_certificate
from hippogym.live.certificates import Certificates
from tests.deploy.acme import Authority, NameServer, authority, denying, name_server, records
from tests.deploy.certificate_desk import KEYS, set_up
from tests.deploy.lab import DOMAIN, REGION, SSL_BUCKET, certificate
from tests.patience import PATIENCE_S
from updateProject import ROOT

PEBBLE = shutil.which("pebble")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PEBBLE is None, reason="NO AUTHORITY TO TEST WITH: apt-get install pebble"),
]


@dataclass
class Lab:
    study: Path
    folder: Path
    moto: str
    s3: Any
    route53: Any
    names: NameServer
    authority: Authority

    def ask(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """The command, as a person gives it."""
        command = [sys.executable, ROOT / "get_ssl_certs.py", "--study", self.study, "--folder", self.folder,
                   "--server", self.authority.server, "--yes", *words]  # fmt: skip
        about = {"REQUESTS_CA_BUNDLE": str(self.authority.trust), "AWS_ENDPOINT_URL": self.moto}
        ran = subprocess.run(
            command, env=dict(os.environ) | about | environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        return ran.returncode, ran.stdout, ran.stderr

    def there(self) -> tuple[bytes, ...]:
        return tuple(self.s3.get_object(Bucket=SSL_BUCKET, Key=key)["Body"].read() for key in KEYS)


@pytest.fixture
def here(study: Path, tmp_path: Path) -> Iterator[Lab]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        url = "http://{}:{}".format(*moto.get_host_and_port())
        with urllib.request.urlopen(f"{url}/moto-api/reset", b"", timeout=PATIENCE_S):
            pass
        s3, route53 = (boto3.client(one, region_name=REGION, endpoint_url=url) for one in ("s3", "route53"))
        set_up(s3, route53)
        with name_server(route53) as (names, port), authority(PEBBLE or "", tmp_path / "pebble", port) as pebble:
            yield Lab(study, tmp_path / "certbot", url, s3, route53, names, pebble)
    finally:
        moto.stop()


def test_it_is_got_put_loaded_kept_and_renewed(here: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = here.ask()
    assert (code, err) == (0, ""), out + err
    assert f"The certificate of *.{DOMAIN} lasts until" in out and f"s3://{SSL_BUCKET}/{KEYS[0]}" in out
    assert f"TXT _acme-challenge.{DOMAIN}." in here.names.asked
    assert not list(records(here.route53, "TXT")), "the record for the authority stayed in Route53"

    first = here.there()
    assert read_certificate(first[0], "it").covers(DOMAIN) and first[0].count(b"BEGIN CERTIFICATE") > 1
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", here.moto)
    (tmp_path / "server").mkdir()
    server = BucketCertificates(Aws(REGION, attempts=1), SSL_BUCKET, *KEYS, tmp_path / "server")
    assert server.fetch()
    Certificates(server.folder).check()
    Certificates(server.folder).context()

    asked = len(here.names.asked)
    code, out, _ = here.ask()
    assert code == 0 and "nothing to do" in out
    assert here.there() == first and len(here.names.asked) == asked

    old = certificate(days=29)
    for key, content in zip(KEYS, old, strict=True):
        here.s3.put_object(Bucket=SSL_BUCKET, Key=key, Body=content)
    code, out, _ = here.ask()
    assert code == 0 and "was got before" in out
    assert here.there() == first and len(here.names.asked) == asked, "another was asked for, while one lay here"

    code, out, err = here.ask("--force")
    assert code == 0, out + err
    second = here.there()
    assert second[0] != first[0] and second[1] != first[1]
    assert server.fetch()
    Certificates(server.folder).check()


def test_real_failures_are_one_sentence_and_leave_the_bucket_as_it_was(here: Lab, tmp_path: Path) -> None:
    def fails(*words: str, **environment: str) -> str:
        code, _, err = here.ask(*words, **environment)
        assert code == 2 and err.count("\n") == 1, err
        assert "Contents" not in here.s3.list_objects_v2(Bucket=SSL_BUCKET)
        assert not list(records(here.route53, "TXT"))
        return err

    here.names.deaf = True
    assert "it did not find the record that was made for it in Route53" in fails()
    here.names.deaf = False
    with denying(here.moto, "/rrset") as door:
        assert "the policy they need is in SSL_README.md" in fails(AWS_ENDPOINT_URL_ROUTE_53=door)
    assert "is not trusted from here" in fails(REQUESTS_CA_BUNDLE="")
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    assert "there are no AWS credentials" in fails(**nobody)
    here.authority.process.kill()
    here.authority.process.wait(PATIENCE_S)
    assert "cannot be reached from here" in fails()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "certbot" in fails("--certbot", str(empty / "certbot"))
