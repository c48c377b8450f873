"""``get_ssl_certs.py``: got when it is needed, put where servers find it, and every failure a sentence."""

import io
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from moto.core.authorization import enable_iam_authentication

from hippogym.deploy.aws import Aws
from hippogym.deploy.certbot import PRODUCTION, STAGING, Certbot
from hippogym.deploy.problems import DeployError
from hippogym.live.certificates import Certificates
from tests.deploy.certificate_desk import KEYS, Desk, desk
from tests.deploy.lab import CONFIG, DOMAIN, REGION, SSL_BUCKET, Calls, Wire, certificate
from tests.patience import PATIENCE_S
from updateProject import ROOT

WIRE = Wire()
ONCE = ["s3.GetObject", "s3.GetObject", "s3.GetPublicAccessBlock", "route-53.ListHostedZones", "s3.PutObject",
        "s3.PutObject", "s3.GetObject", "s3.GetObject"]  # fmt: skip
"""What a run that gets a certificate asks of AWS."""


@pytest.fixture
def here(study: Path, tmp_path: Path) -> Iterator[Desk]:
    with desk(study, tmp_path / "told", WIRE) as made:
        yield made


def locked(key: bytes) -> bytes:
    encryption = BestAvailableEncryption(b"a word")
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_the_first_one_is_got_and_put_where_servers_find_it(
    here: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here.ask("--yes") == 0
    server = here.server(tmp_path / "server")
    assert server.fetch()
    certificates = Certificates(server.folder)
    certificates.check()
    assert certificates.valid_for() > timedelta(days=89)
    out = capsys.readouterr().out
    assert "not there" in out and "get one from Let's Encrypt" in out
    assert not any(line and line in out for line in here.there()[KEYS[1]].decode().splitlines())
    [words] = here.asked()
    assert words[words.index("--domains") + 1] == f"*.{DOMAIN}" and words[words.index("--server") + 1] == PRODUCTION
    assert stat.S_IMODE(os.stat(here.folder).st_mode) == 0o700
    for key in KEYS:
        assert here.s3.head_object(Bucket=SSL_BUCKET, Key=key)["ServerSideEncryption"] == "AES256"
        grants = here.s3.get_object_acl(Bucket=SSL_BUCKET, Key=key)["Grants"]
        assert [one["Grantee"]["Type"] for one in grants] == ["CanonicalUser"]


def test_a_second_run_does_nothing_and_says_so_unless_it_is_to_be_quiet(
    here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    here.ask("--yes")
    before, _ = here.there(), capsys.readouterr()
    assert here.ask() == 0
    assert "nothing to do" in capsys.readouterr().out
    assert here.ask("--yes", "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert len(here.asked()) == 1 and here.there() == before


@pytest.mark.parametrize(
    ("days", "renewed"), [(31, False), (30.5, False), (29.5, True), (0.1, True), (-1, True)], ids=str
)
def test_it_is_renewed_when_under_30_days_are_left(here: Desk, days: float, renewed: bool) -> None:
    old = certificate(days=days)
    here.put(*old)
    assert here.ask("--yes") == 0
    assert len(here.asked()) == renewed
    assert (tuple(here.there().values()) == old) is not renewed


def test_one_that_never_lasts_long_is_not_renewed_every_day(here: Desk) -> None:
    here.put(*certificate(days=-60))  # it began 100 days ago, so it lasted for 40
    ended = datetime.now(UTC) - timedelta(days=60)
    assert here.ask("--yes", now=ended - timedelta(days=21)) == 0
    assert not here.asked()
    assert here.ask("--yes", now=ended - timedelta(days=19)) == 0
    assert len(here.asked()) == 1


@pytest.mark.parametrize(
    ("chain", "key", "words"),
    [
        (certificate()[0], certificate()[1], "do not belong together"),
        (*certificate(("*.elsewhere.org",)), "it is for *.elsewhere.org"),
        (b"nonsense", b"more of it", "cannot be read"),
        (certificate()[0], None, "not there"),
    ],
    ids=["mismatched", "another domain", "nonsense", "no key"],
)
def test_what_servers_cannot_use_is_replaced(
    here: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], chain: bytes, key: bytes | None, words: str
) -> None:
    here.put(chain, key)
    assert here.ask("--yes") == 0
    assert words in capsys.readouterr().out
    assert here.server(tmp_path / "server").fetch()


def test_an_encrypted_key_is_replaced(here: Desk, tmp_path: Path) -> None:
    chain, key = certificate()
    here.put(chain, locked(key))
    assert here.ask("--yes") == 0
    assert here.server(tmp_path / "server").fetch()


def test_force_gets_another_one_and_a_dry_run_changes_nothing(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert here.ask("--dry-run") == 0
    assert "2 things to do" in capsys.readouterr().out
    assert not here.asked() and not here.there() and not here.folder.exists()
    here.ask("--yes")
    first = here.there()
    assert here.ask("--yes", "--force") == 0
    assert len(here.asked()) == 2 and here.there() != first


def test_staging_tries_everything_and_leaves_the_bucket_alone(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    old = certificate(days=3)
    here.put(*old)
    assert here.ask("--staging", "--yes") == 0
    [words] = here.asked()
    assert words[words.index("--server") + 1] == STAGING
    assert tuple(here.there().values()) == old
    assert "without --staging" in capsys.readouterr().out
    assert here.ask("--yes") == 0
    assert len(here.asked()) == 2  # what staging gave is nothing to put


@pytest.mark.parametrize(
    "fault",
    ["answer lost", "denied", *(pytest.param(f, marks=pytest.mark.long) for f in ("time-out", "throttled", "error"))],
)
def test_whatever_call_fails_the_pair_in_the_bucket_belongs_together_and_the_next_run_is_enough(
    here: Desk, tmp_path: Path, fault: str
) -> None:
    at, asked = 1, 0
    while True:
        here.put(*certificate(days=5))
        server = here.server(tmp_path / f"server-{at}")
        server.fetch()
        calls = Calls(at=at, fault=fault)
        try:
            assert here.ask("--yes", "--force", calls=calls) == 0
        except DeployError as problem:
            assert "\n" not in str(problem) and str(problem).endswith((".", "(SSL_README.md)"))
        if len(calls.said) < at:
            break
        server.fetch()  # raises where they do not belong together
        asked = len(here.asked())
        assert here.ask("--yes") == 0
        assert len(here.asked()) == asked if calls.hurt == "s3.PutObject" else len(here.asked()) <= asked + 1
        server.fetch()
        assert Certificates(server.folder).valid_for() > timedelta(days=80)
        at += 1
    assert calls.said == ONCE


def test_while_it_is_replaced_a_server_keeps_what_it_has_or_takes_both(here: Desk, tmp_path: Path) -> None:
    here.put(*certificate(days=5))
    server, seen = here.server(tmp_path / "server"), []
    server.fetch()

    class Looking(Calls):
        def __call__(self, event_name: str, request, **more):
            answer = super().__call__(event_name, request, **more)
            if event_name.startswith("before-send.s3"):
                try:
                    seen.append(server.fetch())
                except DeployError as problem:
                    seen.append(str(problem))
                Certificates(server.folder).check()
            return answer

    assert here.ask("--yes", calls=Looking()) == 0
    assert server.fetch() or True in seen
    assert Certificates(server.folder).valid_for() > timedelta(days=80)
    assert any("is not the key of" in str(one) for one in seen), "nobody looked between the two"


def test_two_at_the_same_time_do_not_mix_their_halves(here: Desk, tmp_path: Path) -> None:
    here.put(*certificate(days=5))
    theirs = certificate()

    class Hurried(Calls):
        def __call__(self, event_name: str, request, **more):
            if event_name == "before-send.s3.PutObject" and theirs[1] != here.there()[KEYS[1]]:
                here.put(*theirs)
            return super().__call__(event_name, request, **more)

    with pytest.raises(DeployError, match="Somebody else"):
        here.ask("--yes", calls=Hurried())
    assert tuple(here.there().values()) == theirs
    assert here.ask() == 0


def test_an_upload_whose_answer_was_lost_is_repeated_and_known_as_ours(here: Desk) -> None:
    here.put(*certificate(days=5))
    session = boto3.Session(region_name=REGION)
    session.events.register_first("before-send", WIRE)
    calls = Calls(at=len(ONCE) - 3, fault="answer lost")
    assert here.ask("--yes", calls=calls, aws=Aws(REGION, session, attempts=3)) == 0
    assert calls.hurt == "s3.PutObject" and calls.said.count("s3.PutObject") == 3
    assert here.there()[KEYS[1]] == (here.told / "next" / "privkey.pem").read_bytes()


SAID = {
    "The requested dns-route53 plugin does not appear to be installed": "pip install certbot",
    "Unable to locate credentials\nTo use certbot-dns-route53, configure credentials": "there are no AWS credentials",
    "An error occurred (AccessDenied) when calling the ChangeResourceRecordSets operation": "policy they need is in",
    "Unable to find a Route53 hosted zone for _acme-challenge.lab.example.org": "no hosted zone for the domain",
    "Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the "
    "last 168h0m0s, retry after 2027-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/":
        r"as many certificates as it gives \(\S+\), until 2027-01-02 03:04:05 UTC",
    "Type:   dns\n  Detail: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.lab": "did not find the record",
    "Detail: Incorrect TXT record found at _acme-challenge.lab.example.org": "did not find the record",
    "Timed out waiting for Route53 change. Current status: PENDING": "in a few minutes",
    "Detail: CAA record for lab.example.org prevents issuance": "CAA record of the domain forbids",
    "Another instance of Certbot is already running.": "running already",
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='acme'): Max retries exceeded": "cannot be reached",
    "The ACME server believes me@ is an invalid email address.": "the address of --email",
    "urn:ietf:params:acme:error:serverInternal :: The server experienced an internal error": "trouble of its own",
    "Saving debug log to /x/log\nThe moon was full": "certbot ended with 1: The moon was full",
}  # fmt: skip


@pytest.mark.parametrize("said", SAID, ids=lambda said: said[:30])
def test_what_certbot_cannot_do_is_a_sentence_with_what_to_do(here: Desk, said: str) -> None:
    old = certificate(days=5)
    here.put(*old)
    (here.told / "says").write_text(said)
    with pytest.raises(DeployError, match=SAID[said]) as raised:
        here.ask("--yes")
    assert "\n" not in str(raised.value) and "letsencrypt.log says more" in str(raised.value)
    assert tuple(here.there().values()) == old


def test_a_certbot_that_hangs_is_ended(here: Desk) -> None:
    (here.told / "hangs").touch()
    certbot = Certbot(here.folder, program=str(here.program), wait_s=0.2)
    while not (here.told / "pid").exists():  # slow machines may end it before it has begun
        certbot = Certbot(here.folder, program=str(here.program), wait_s=2 * certbot.wait_s)
        with pytest.raises(DeployError, match="did not end within"):
            certbot.issue(DOMAIN)
    with pytest.raises(ProcessLookupError):
        os.kill(int((here.told / "pid").read_text()), 0)


def test_no_certbot_no_zone_no_bucket_and_no_word_are_sentences(
    here: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeployError, match="not a program: python3 -m pip install certbot"):
        here.ask("--yes", "--certbot", str(tmp_path / "nothing"))
    with pytest.raises(DeployError, match="Route53 has no hosted zone for other.example.com"):
        here.ask("--yes", "--domain", "other.example.com")
    with pytest.raises(DeployError, match="there is no such bucket"):
        here.ask("--yes", "--bucket", "nobodys-bucket")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(DeployError, match="--yes says it"):
        here.ask()
    here.s3.delete_public_access_block(Bucket=SSL_BUCKET)
    with pytest.raises(DeployError, match=f"put-public-access-block --bucket {SSL_BUCKET}"):
        here.ask("--yes")
    assert not here.asked() and not here.there()


def test_what_config_yml_does_not_say_is_named_together(here: Desk) -> None:
    (here.study / "config.yml").write_text(
        CONFIG.replace("fullchain: SSL/fullchain.pem, ", "").replace("True", "False")
    )
    with pytest.raises(DeployError, match=r"^project.ssl.fullchain is missing in config.yml; or say --fullchain\.$"):
        here.ask("--yes")
    assert here.ask("--yes", "--fullchain", "TLS/chain.pem", "--privkey", "TLS/key.pem") == 0
    assert sorted(here.there()) == ["TLS/chain.pem", "TLS/key.pem"]


def test_the_line_for_crontab_is_the_same_command_without_questions(
    here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here.ask("--cron", "--email", "50%@example.org") == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and not here.asked()
    minute, hour, *every, command = line.split(maxsplit=5)
    assert int(minute) in range(60) and int(hour) in range(24) and every == ["*", "*", "*"]
    assert r"50\%@" in command
    words = shlex.split(command.replace(r"\%", "%"))
    assert words[:2] == [sys.executable, str(Path("get_ssl_certs.py"))]
    assert here.ask(*words[2:]) == 0
    assert [one[one.index("--email") + 1] for one in here.asked()] == ["50%@example.org"]
    capsys.readouterr()
    assert here.ask(*words[2:]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_itself_ends_with_2_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("trial:\n  game: CartPole-v1\n")
    command = [sys.executable, str(ROOT / "get_ssl_certs.py"), "--study", str(tmp_path), "--yes"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == 2 and ran.stdout == ""
    assert "project.awsSetup.rootDomain is missing in config.yml; or say --domain." in ran.stderr


def policy() -> dict[str, Any]:
    """What SSL_README.md says is the least."""
    text = (ROOT / "SSL_README.md").read_text()
    written = text[text.index('    {"Version"') : text.index("**When it does not work.**")]
    found: dict[str, Any] = json.loads(
        written.replace("SSLBUCKET", SSL_BUCKET).replace("hostedzone/ZONE", "hostedzone/*")
    )
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_policy_of_the_readme_is_enough_for_the_bucket_and_none_of_it_is_too_much(here: Desk) -> None:
    """Only for the bucket: moto takes every signature to Route53 for a wrong one where it looks at them."""
    here.ask("--yes")  # one lies here now, to be put
    iam = boto3.client("iam", region_name=REGION)
    iam.create_user(UserName="admin")
    made = iam.create_access_key(UserName="admin")["AccessKey"]
    theirs = Aws(REGION, boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], region_name=REGION), attempts=1)

    def ask(statements: list[dict[str, Any]]) -> int:
        for key in KEYS:
            here.s3.delete_object(Bucket=SSL_BUCKET, Key=key)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="admin", PolicyName="certificates", PolicyDocument=document)
        with enable_iam_authentication():
            return here.ask("--yes", aws=theirs)

    statements = [one for one in policy()["Statement"] if isinstance(one["Action"], list)]
    assert ask(statements) == 0 and len(here.asked()) == 1
    for action in ("s3:GetObject", "s3:PutObject"):  # moto lets everybody ask for the rest
        fewer = [{**one, "Action": [each for each in one["Action"] if each != action]} for one in statements]
        assert fewer != statements
        with pytest.raises(DeployError, match="these credentials may not"):
            ask(fewer)
