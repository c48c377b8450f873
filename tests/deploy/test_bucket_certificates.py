"""A server's certificate comes from the bucket, by the task's role, and is renewed while people play."""

import asyncio
import os
import re
import signal
import ssl
import stat
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from hippogym.deploy.aws import Aws
from hippogym.deploy.bucket_certificates import BucketCertificates
from hippogym.deploy.problems import DeployError
from tests.clients import join
from tests.deploy.lab import REGION, SSL_BUCKET, certificate
from tests.servers import serving

KEYS = ("SSL/fullchain.pem", "SSL/privkey.pem")


def put(s3, *contents: bytes | None) -> None:
    for key, content in zip(KEYS, contents, strict=True):
        if content is not None:
            s3.put_object(Bucket=SSL_BUCKET, Key=key, Body=content)


def bucket_of(region: str = REGION, **about):
    s3 = boto3.client("s3", region_name=region, **about)
    s3.create_bucket(Bucket=SSL_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    return s3


@mock_aws
def test_both_files_are_fetched_once_and_again_when_both_are_renewed(tmp_path: Path) -> None:
    s3, (first, second) = bucket_of(), (certificate(), certificate())
    fetched = BucketCertificates(Aws(REGION, attempts=1), SSL_BUCKET, *KEYS, tmp_path)
    put(s3, *first)
    assert [fetched.fetch(), fetched.fetch()] == [True, False]
    chain, key = fetched.folder / "fullchain.pem", fetched.folder / "privkey.pem"
    assert (chain.read_bytes(), key.read_bytes()) == first
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    put(s3, second[0], None)
    for _ in range(2):
        with pytest.raises(DeployError, match="is not the key of"):
            fetched.fetch()
        assert (chain.read_bytes(), key.read_bytes()) == first
    put(s3, None, second[1])
    assert fetched.fetch()
    assert (chain.read_bytes(), key.read_bytes()) == second
    assert sorted(path.name for path in fetched.folder.iterdir()) == ["fullchain.pem", "privkey.pem"]


@mock_aws
@pytest.mark.parametrize(
    ("contents", "words"), [((None, None), "404"), ((b"x", b"y"), "is not the key of")], ids=["absent", "nonsense"]
)
def test_what_cannot_be_used_is_a_sentence(tmp_path: Path, contents, words: str) -> None:
    put(bucket_of(), *contents)
    with pytest.raises(DeployError, match=words):
        BucketCertificates(Aws(REGION, attempts=1), SSL_BUCKET, *KEYS, tmp_path).fetch()


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_a_server_without_files_fetches_them_and_uses_new_ones_while_a_game_goes_on(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = (study / "config.yml").read_text()
    plain = re.sub(r"  (steps|events): .*\n", "", config).replace("s3upload: True", "s3upload: False")
    (study / "config.yml").write_text(plain)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        endpoint = "http://{}:{}".format(*moto.get_host_and_port())
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        s3, (first, second) = bucket_of(endpoint_url=endpoint), (certificate(), certificate())
        put(s3, *first)
        empty = tmp_path / "run"
        empty.mkdir()
        with serving(study, mode="", cwd=empty) as server:
            where = re.match(r"https://([\d.]+):(\d+)", server.url).groups()
            shown = lambda: asyncio.to_thread(ssl.get_server_certificate, (where[0], int(where[1])))  # noqa: E731
            assert (await shown()).encode() == first[0]
            async with join(server.ws, ssl=trusting(), origin=server.url) as client:
                await client.hello()
                await client.say(command="start")
                await client.until_frame(2)
                put(s3, second[0], None)
                server.process.send_signal(signal.SIGHUP)
                while "the old ones stay in use" not in server.log:
                    await asyncio.sleep(0.02)
                assert (await shown()).encode() == first[0]
                put(s3, None, second[1])
                server.process.send_signal(signal.SIGHUP)
                while "certificates reloaded" not in server.log:
                    await asyncio.sleep(0.02)
                assert (await shown()).encode() == second[0]
                await client.until_frame(4)
            assert server.stop() == 0
    finally:
        moto.stop()
