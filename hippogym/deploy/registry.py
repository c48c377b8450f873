"""The study's images in ECR: a repository for each project, a tag for each content."""

import base64
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.docker import Docker
from hippogym.deploy.plain_registry import manifest_digest
from hippogym.deploy.problems import DeployError

KEPT = 10  # images; a month of 10 costs about 20 cents
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Only the newest images are kept.",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT},
            "action": {"type": "expire"},
        }
    ]
}


@dataclass(frozen=True)
class Repository:
    """uri: without a tag. expires: whether old images are removed."""

    name: str
    uri: str
    expires: bool


class Registry:
    """ECR. host: another registry's address, where images are pushed to instead."""

    def __init__(self, aws: Aws, host: str | None = None) -> None:
        self._aws, self._host = aws, host

    def repository(self, name: str) -> Repository | None:
        """None where there is none. Raises DeployError."""
        with told("ECR"):
            try:
                found = self._aws("ecr").describe_repositories(repositoryNames=[name])["repositories"][0]
            except ClientError as problem:
                if code_of(problem) == "RepositoryNotFoundException":
                    return None
                raise
            return Repository(name, self._reached(str(found["repositoryUri"])), self._expires(name))

    def create(self, name: str) -> None:
        """The repository, with a rule that removes old images; what is there already stays. Raises DeployError."""
        with told("ECR"):
            try:
                self._aws("ecr").create_repository(
                    repositoryName=name, imageTagMutability="IMMUTABLE",
                    imageScanningConfiguration={"scanOnPush": True}, tags=[{"Key": "hippogym", "Value": "images"}],
                )  # fmt: skip
            except ClientError as problem:
                if code_of(problem) != "RepositoryAlreadyExistsException":
                    raise
            self._aws("ecr").put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))

    def digest(self, name: str, tag: str) -> str | None:
        """Of the image with this tag; None where it is not there. Raises DeployError."""
        if self._host is not None:
            return manifest_digest(self._host, name, tag, *self._password())
        with told("ECR"):
            try:
                found = self._aws("ecr").describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
            except ClientError as problem:
                if code_of(problem) in ("ImageNotFoundException", "RepositoryNotFoundException"):
                    return None
                raise
            return str(found["imageDetails"][0]["imageDigest"])

    def push(self, docker: Docker, image: str, said: Callable[[str], None]) -> None:
        """Log in, for this push only, and push. Raises DeployError."""
        user, password = self._password()
        with tempfile.TemporaryDirectory(prefix="hippo-docker-") as settings:
            Path(settings).chmod(0o700)
            own = Docker(docker.program, ("--config", settings, "--host", docker.host(), *docker.options))
            own.ask("login", "--username", user, "--password-stdin", image.partition("/")[0], stdin=password.encode())
            own.follow("push", image, said=said)

    def _password(self) -> tuple[str, str]:
        with told("ECR"):
            data = self._aws("ecr").get_authorization_token()["authorizationData"][0]
        try:
            user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        except ValueError as problem:
            raise DeployError("ECR: its answer to the login is not what it should be.") from problem
        return user, password

    def _expires(self, name: str) -> bool:
        try:
            found = self._aws("ecr").get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
        except ClientError as problem:
            if code_of(problem) == "LifecyclePolicyNotFoundException":
                return False
            raise
        return bool(json.loads(found) == LIFECYCLE)

    def _reached(self, uri: str) -> str:
        return uri if self._host is None else f"{self._host}/{uri.partition('/')[2]}"
