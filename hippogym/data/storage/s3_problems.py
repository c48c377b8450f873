"""What goes wrong between us and a bucket, as sentences.

botocore's own messages hold the key of the object, and with it a participant's name; ours do not.
"""

import contextlib
import re
from collections.abc import Iterator

import urllib3.exceptions
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from hippogym.errors import StorageError

PROBLEMS = (boto.BotoCoreError, boto.ClientError, ResponseParserError, urllib3.exceptions.HTTPError)

_DENIED = frozenset({401, 403})
_WORDS: tuple[tuple[type[Exception], str, bool], ...] = (
    (boto.NoCredentialsError, "there are no credentials for it (a task role, a profile, or AWS_ACCESS_KEY_ID)", True),
    (boto.PartialCredentialsError, "half of its credentials are missing", True),
    (boto.CredentialRetrievalError, "its credentials could not be had", True),
    (boto.SSLError, "its certificate is not trusted, or the TLS connection broke", False),
    (boto.ConnectTimeoutError, "it cannot be reached in time", False),
    (boto.ReadTimeoutError, "it does not answer in time", False),
    (boto.ProxyConnectionError, "the proxy on the way to it cannot be reached", False),
    (boto.EndpointConnectionError, "it cannot be reached", False),
    (boto.ConnectionClosedError, "it broke the connection", False),
    (boto.ResponseStreamingError, "it broke off while sending", False),
    (boto.IncompleteReadError, "it broke off while sending", False),
    (ResponseParserError, "it gave an answer that is not S3's", False),
)


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what botocore raises into a StorageError that says what is the matter with the store at ``where``."""
    try:
        yield
    except PROBLEMS as problem:
        what, denied = _words(problem)
        raise StorageError(f"{where}: {what}", denied=denied) from None  # the cause's text holds the key


def status_of(problem: Exception) -> int | None:
    """The HTTP status of the store's answer, if it answered."""
    if isinstance(problem, boto.ClientError):
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status if isinstance(status, int) else None
    return None


def code_of(problem: boto.ClientError) -> str:
    """S3's word for it: letters and digits, at most 40."""
    return re.sub(r"[^A-Za-z0-9]", "", str(problem.response.get("Error", {}).get("Code", "")))[:40]


def _words(problem: Exception) -> tuple[str, bool]:
    if isinstance(problem, boto.ClientError):
        status, code = status_of(problem), code_of(problem)
        denied = status in _DENIED
        hint = "; it does not let us" if denied else ""
        if code == "NoSuchBucket":
            return "there is no such bucket", True
        return f"it answers {status}{f' {code}' if code != str(status) else ''}{hint}", denied
    for kind, words, denied in _WORDS:
        if isinstance(problem, kind):
            return words, denied
    return f"the connection failed ({type(problem).__name__})", False
