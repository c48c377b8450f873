"""AWS's services, with their failures as sentences that name what was asked and what to do."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, cast

import boto3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError

from hippogym.deploy.problems import DeployError

CONNECT_S, ANSWER_S, ATTEMPTS = 5.0, 30.0, 4

PROBLEMS = (boto.BotoCoreError, boto.ClientError, ResponseParserError)

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403")
_UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch",
            "AuthFailure", "InvalidSignatureException")  # fmt: skip
_OLD = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (boto.NoCredentialsError,
     "there are no AWS credentials: put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into .env, or: aws configure"),
    (boto.PartialCredentialsError, "half of the AWS credentials are missing: look at .env and ~/.aws/credentials"),
    (boto.ProfileNotFound, "there is no such AWS profile: look at AWS_PROFILE and ~/.aws/config"),
    (boto.CredentialRetrievalError, "the AWS credentials could not be had: log in again"),
    (boto.TokenRetrievalError, "the AWS credentials have ended: aws sso login"),
    (boto.SSLError, "its certificate is not trusted, or the connection broke"),
    (boto.ConnectTimeoutError, "it cannot be reached in time"),
    (boto.ReadTimeoutError, "it does not answer in time"),
    (boto.EndpointConnectionError, "it cannot be reached; is the region right, and the network there?"),
    (boto.HTTPClientError, "the connection broke"),
    (ResponseParserError, "it gave an answer that is not AWS's"),
)  # fmt: skip


class Aws:
    """Clients of one region. session: handed in by tests; else the default chain of credentials."""

    def __init__(self, region: str, session: boto3.Session | None = None, attempts: int = ATTEMPTS) -> None:
        self.region = region
        with told("AWS"):
            self._session = session or boto3.Session(region_name=region)
        self._config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """boto3's client of a service."""
        if service not in self._clients:
            with told(service.upper()):
                make = cast(Any, self._session.client)
                self._clients[service] = make(service, region_name=self.region, config=self._config)
        return self._clients[service]


@contextlib.contextmanager
def told(service: str) -> Iterator[None]:
    """Turn what boto3 raises into a DeployError."""
    try:
        yield
    except PROBLEMS as problem:
        raise DeployError(f"{service}: {sentence(problem)}.") from problem


def code_of(problem: boto.ClientError) -> str:
    """AWS's word for it."""
    return str(problem.response.get("Error", {}).get("Code", ""))


def sentence(problem: Exception) -> str:
    """What is the matter, without a full stop."""
    if isinstance(problem, boto.ClientError):
        return _answered(problem)
    for kind, words in _WORDS:
        if isinstance(problem, kind):
            return words
    return f"it failed ({type(problem).__name__}: {str(problem)[:200]})"


def _answered(problem: boto.ClientError) -> str:
    code, asked = code_of(problem), problem.operation_name
    message = str(problem.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    if code in _DENIED:
        action = re.search(r"perform: (\S+)", message)
        may = action[1] if action else asked
        return f"these credentials may not do that ({may}); the policy they need is in AWS_README.md"
    if code in _OLD:
        return "the AWS credentials have ended: get new ones, or log in again"
    if code in _UNKNOWN:
        return "AWS does not know these credentials: look at .env and ~/.aws/credentials"
    if "Throttl" in code or code in ("TooManyRequestsException", "SlowDown", "RequestLimitExceeded"):
        return f"it asks for a pause ({code} at {asked}); give the command again in a minute"
    if code == "NoSuchBucket":
        return "there is no such bucket: look at awsSetup.bucket and ssl.sslBucket"
    return f"{asked} was answered with {code or 'an error'}{f': {message[:300]}' if message else ''}"
