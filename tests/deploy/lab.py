"""A lab's account as moto has it, an engine that only remembers, and AWS calls that go wrong where a test says so."""

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from functions.objects import Objects
from functions.update_master_list import problem_of, update
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import botocore_stubber

from hippogym.config import load_study
from hippogym.deploy.aws import Aws
from hippogym.deploy.command import add_arguments, run
from hippogym.deploy.docker import Docker
from updateProject import ROOT, pages_of

REGION, ACCOUNT, DOMAIN = "us-west-2", "123456789012", "lab.example.org"
BUCKET, SSL_BUCKET, STACK = "lab-studies", "lab-certificates", "hippogym"

CONFIG = f"""
project:
  id: pilot
  name: A pilot
  researcher: whoever asks
  useAWS: True
  maxRuntime: 30
  steps: {{1: consent.html, 2: game, 3: survey.html, finalStep: thanks.html}}
  events: {{startServerStep: 1, stopServerStep: 3}}
  awsSetup: {{bucket: {BUCKET}, region: {REGION}, rootDomain: {DOMAIN}, cpu: 2, memory: 4}}
  ssl: {{sslBucket: {SSL_BUCKET}, fullchain: SSL/fullchain.pem, privkey: SSL/privkey.pem}}
trial:
  game: CartPole-v1
  s3upload: True
"""
PAGE = "<!doctype html><html lang=en><title>{0}</title><h1>{0}</h1>{1}"
FORM = "<label>Say a word <input name=word required></label>"


def make_study(folder: Path, config: str = CONFIG) -> Path:
    """A study with pages, a picture and an agent."""
    (folder / "StepFiles" / "images").mkdir(parents=True)
    (folder / "config.yml").write_text(config)
    (folder / "agent.py").write_text((ROOT / "agent.py").read_text())
    for name in ("consent", "survey-0", "survey-1", "thanks"):
        (folder / "StepFiles" / f"{name}.html").write_text(PAGE.format(name, "" if name == "thanks" else FORM))
    (folder / "StepFiles" / "images" / "dot.png").write_bytes(b"\x89PNG" + bytes(40_000))
    return folder


def certificate(names: tuple[str, ...] = (f"*.{DOMAIN}",), days: float = 90) -> tuple[bytes, bytes]:
    """A chain of one, and its key, in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def make_root(folder: Path) -> Path:
    """As much of HIPPO Gym's folder as its image is made of, and small."""
    folder.mkdir()
    for name in ("Dockerfile", ".dockerignore", "xvfb.sh", "communicator.py", "trial.py", "requirements.lock"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


@dataclass
class Engine(Docker):
    """docker as far as it is asked here; what is pushed is in moto's ECR."""

    built: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed: list[str] = field(default_factory=list)
    fails: str = ""

    def ask(self, *words: str, stdin: bytes | None = None, wait_s: float = 60) -> str:
        if words[0] == "version":
            return "amd64"
        if words[:2] == ("image", "inspect"):
            if words[2] not in self.built:
                return "[]"
            return json.dumps([{"Config": {"Labels": self.built[words[2]]}}])
        raise AssertionError(words)

    def follow(self, *words: str, said: Callable[[str], None], wait_s: float = 0) -> None:
        assert words[0] == "build", words
        said("Step 1/2 : FROM somewhere")
        label = words[words.index("--label") + 1].partition("=")
        self.built[words[words.index("--tag") + 1]] = {label[0]: label[2]}


def push_to_moto(registry, docker: Engine, image: str, said: Callable[[str], None]) -> None:
    """Takes the place of ``docker login`` and ``docker push``, which the tests of the real registry have."""
    assert image in docker.built
    registry._password()
    name, tag = image.partition("/")[2].rsplit(":", 1)
    said("0123456789ab: Pushed")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "layers": [],
        "config": {"digest": hashlib.sha256(tag.encode()).hexdigest()},
    }
    boto3.client("ecr", region_name=REGION).put_image(
        repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag
    )
    docker.pushed.append(image)


@dataclass
class Calls:
    """Every request to AWS. fault: what is wrong with the one numbered ``at``, which is counted from 1."""

    said: list[str] = field(default_factory=list)
    at: int = 0
    fault: str = ""
    hurt: str = ""
    plain: BotocoreStubber = botocore_stubber

    def __call__(self, event_name: str, request: AWSRequest, **_: object) -> AWSResponse | None:
        operation = event_name.removeprefix("before-send.")
        self.said.append(operation)
        if operation == "lambda.Invoke":
            answer = self._list(request)
        else:
            answer = None
        if len(self.said) != self.at:
            return answer
        self.hurt = operation
        if self.fault == "time-out":
            raise ConnectTimeoutError(endpoint_url=request.url)
        if self.fault == "answer lost":
            _ = answer or self.plain(event_name, request)
            raise ReadTimeoutError(endpoint_url=request.url)
        status, code = {"throttled": (400, "ThrottlingException"), "error": (500, "InternalFailure"),
                        "denied": (403, "AccessDeniedException")}[self.fault]  # fmt: skip
        json_body = json.dumps({"__type__": code, "__type": code, "code": code, "message": "as the test wants it"})
        xml = (
            f"<ErrorResponse><Error><Code>{code}</Code><Message>as the test wants it</Message></Error></ErrorResponse>"
        )
        s3 = f"<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>"
        service = operation.partition(".")[0]
        body = s3 if service == "s3" else xml if service in ("iam", "sts", "cloudformation") else json_body
        headers = {"x-amzn-errortype": code}
        return AWSResponse(request.url, status, headers, MockRawResponse(body.encode()))

    def _list(self, request: AWSRequest) -> AWSResponse:
        """The function itself, with the bucket that moto has."""
        entry = json.loads(request.body)["project"]
        problem = problem_of(entry)
        if problem is None:
            update(Objects(boto3.client("s3", region_name=REGION), BUCKET), entry, 1_795_000_000.0)
        body = json.dumps({} if problem is None else {"error": problem}).encode()
        return AWSResponse(request.url, 200, {}, MockRawResponse(body))


@dataclass
class Wire:
    """The way to AWS: clients that are made once, as that takes longer than all they are asked."""

    calls: Calls = field(default_factory=Calls)

    @cached_property
    def aws(self) -> Aws:
        return a_client(self)

    def __call__(self, **about: object) -> AWSResponse | None:
        return self.calls(**about)


def a_client(wire: Wire) -> Aws:
    """What updateProject makes, but that each call is tried once."""
    session = boto3.Session(region_name=REGION)
    session.events.register_first("before-send", wire)
    return Aws(REGION, session, attempts=1)


WIRE = Wire()


@dataclass
class Lab:
    """An account that is set up, and a study on the researcher's machine."""

    study: Path
    wire: "Wire"
    engine: Engine = field(default_factory=Engine)
    calls: Calls = field(default_factory=Calls)

    def deploy(self, *words: str, at: int = 0, fault: str = "", fresh: bool = False) -> Calls:
        """``python3 updateProject.py`` with these words. Raises what it raises.

        fresh: with credentials as they are found now.
        """
        self.calls = Calls(at=at, fault=fault)
        self.wire.calls = self.calls
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        study = load_study(self.study)
        root = self.study.parent / "hippo-gym"
        root.is_dir() or make_root(root)
        aws = a_client(self.wire) if fresh else self.wire.aws
        code = run(parser.parse_args(list(words)), study, root, lambda: pages_of(study), self.engine, aws)
        assert code == 0
        return self.calls

    def objects(self) -> dict[str, bytes]:
        """Everything in the study's bucket."""
        s3 = boto3.client("s3", region_name=REGION)
        listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}

    def state(self) -> dict[str, object]:
        """What there is of the project in the account, without times."""
        ecs, iam, ecr = (boto3.client(name, region_name=REGION) for name in ("ecs", "iam", "ecr"))
        return {
            "objects": {key: hashlib.sha256(body).hexdigest() for key, body in self.objects().items()},
            "definitions": ecs.list_task_definitions()["taskDefinitionArns"],
            "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"]),
            "images": [
                (name, sorted(one["imageTag"] for one in ecr.list_images(repositoryName=name)["imageIds"]))
                for name in (found["repositoryName"] for found in ecr.describe_repositories()["repositories"])
            ],
        }  # fmt: skip


def set_up(chain: bytes, key: bytes) -> None:
    """The stack, as far as updateProject looks at it, and the certificate."""
    s3 = boto3.client("s3", region_name=REGION)
    for bucket in (BUCKET, SSL_BUCKET):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=SSL_BUCKET, Key="SSL/fullchain.pem", Body=chain)
    s3.put_object(Bucket=SSL_BUCKET, Key="SSL/privkey.pem", Body=key)
    boundary = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    template = {
        "Resources": {
            "Boundary": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"ManagedPolicyName": "hippogym-hippogym-boundary", "PolicyDocument": boundary},
            }
        },
        "Outputs": {"StudyBucket": {"Value": BUCKET}, "TaskBoundary": {"Value": {"Ref": "Boundary"}}},
    }
    boto3.client("cloudformation", region_name=REGION).create_stack(StackName=STACK, TemplateBody=json.dumps(template))


@contextmanager
def lab(study: Path) -> Iterator[Lab]:
    """An account of its own."""
    with mock_aws():
        set_up(*certificate())
        yield Lab(study, WIRE)
