"""JSON documents in a bucket that several functions change at a time, and none undoes what another has done."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hippogym.errors import RecordError

MISSING = ("NoSuchKey", "404", "NotFound")
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class ChangedMeanwhile(Exception):
    """Somebody else has written the document since it was read; nothing was written. Read it again."""


@dataclass(frozen=True)
class Found:
    """A document. tag: of this version, to be handed back with what is put in its place."""

    value: Any
    tag: str


@dataclass(frozen=True)
class Listed:
    """An object that is there. written_s: when, in seconds since 1970."""

    key: str
    written_s: float


class Objects:
    """The bucket. All of this raises RecordError when S3 does not answer, or refuses."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def get(self, key: str) -> Found | None:
        """The document; None where there is none."""
        with told():
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            except ClientError as problem:
                if code_of(problem) in MISSING:
                    return None
                raise
            with contextlib.closing(answer["Body"]) as body:
                raw = body.read()
        try:
            return Found(json.loads(raw), str(answer["ETag"]))
        except ValueError as problem:
            raise RecordError("a document in the bucket is not JSON; an older version of it is there") from problem

    def put(self, key: str, value: Any, tag: str | None) -> str:
        """Put it in the place of the version ``tag``; None: where nothing was. Returns the new tag.

        Raises ChangedMeanwhile.
        """
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        with told():
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition
                )
            except ClientError as problem:
                if code_of(problem) not in CHANGED and (tag is None or code_of(problem) not in MISSING):
                    raise
                there = self.get(key)  # where our first try came through, and only its answer was lost, it is there
                if there is None or there.value != json.loads(body):
                    raise ChangedMeanwhile from problem
                return there.tag
        return str(answer["ETag"])

    def put_anyway(self, key: str, value: Any) -> None:
        """For documents that are made from others, and for content under a name made from it."""
        body = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
        with told():
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

    def delete(self, key: str) -> None:
        """The bucket keeps older versions."""
        with told():
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def forget_versions(self, key: str, *, but_the_latest: bool) -> None:
        """Remove what the bucket keeps of older versions of one object; for good."""
        with told():
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
            for page in pages:
                for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                    if one["Key"] == key and not (but_the_latest and one["IsLatest"]):
                        self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=one["VersionId"])

    def forget_folder(self, prefix: str) -> None:
        """Remove everything under a prefix, in all versions; for good. It may be repeated."""
        with told():
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                    self._s3.delete_object(Bucket=self._bucket, Key=one["Key"], VersionId=one["VersionId"])

    def listed(self, prefix: str) -> Iterator[Listed]:
        """The objects of one folder, without those of folders in it."""
        with told():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    yield Listed(one["Key"], one["LastModified"].timestamp())


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what boto3 raises into a RecordError."""
    try:
        yield
    except ClientError as problem:
        raise RecordError(f"{problem.operation_name} was answered with {code_of(problem)}") from problem
    except BotoCoreError as problem:
        raise RecordError(f"the service does not answer ({type(problem).__name__})") from problem


def code_of(problem: ClientError) -> str:
    """AWS's word for it."""
    return str(problem.response.get("Error", {}).get("Code", ""))
