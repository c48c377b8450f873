"""A bucket as a store: AWS, or anything else that speaks S3 (AWS_ENDPOINT_URL_S3 says where).

Credentials come from boto3's own chain and from nowhere else: a task's role on AWS, a profile or the environment
elsewhere. Every request has its deadlines and is tried once: when to try again is the caller's decision.
"""

import base64
import contextlib
import hashlib
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from hippogym.data.storage.s3_problems import PROBLEMS, code_of, explained, status_of
from hippogym.data.storage.store import ANSWER_S, FileRange, Match
from hippogym.errors import StorageError

CONNECT_S = 5.0
LARGEST_PUT = 256 * 2**20  # larger files go in pieces, so that a broken connection costs one piece
PIECE = 64 * 2**20
MOST_PIECES = 9_000  # S3 takes 10,000
PIECE_TRIES = 5
SLOWEST_BYTES_S = 2_000  # a reading that goes slower for long is given up

_MD5 = re.compile(r"[0-9a-f]{32}")
_CHUNK = 2**20


class S3Storage:
    """A bucket, and a prefix that stands before every key. Needs s3:PutObject, GetObject, DeleteObject, ListBucket."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        region: str | None = None,
        answer_s: float = ANSWER_S,
        largest_put: int = LARGEST_PUT,
        piece: int = PIECE,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.where = f"s3://{bucket}/{self._prefix}".rstrip("/")
        self._largest_put, self._piece = largest_put, piece
        self._conditions = True  # whether the store understands If-None-Match; found out when it does not
        with explained(self.where):
            self._s3 = _client(region, answer_s)

    def check(self) -> None:
        """Ask for the first name in the bucket."""
        with explained(self.where):
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def compare(self, key: str, body: FileRange) -> Match:
        """By size, then by the store's own md5 (its ETag); where there is none, by reading the object.

        A checksum that we sent is no proof: some stores give back what they were told. Where AWS encrypts with a
        key of its key service, the ETag is no md5, but AWS has checked the checksum.
        """
        with explained(self.where):
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED")
            except ClientError as problem:
                if status_of(problem) == 404:
                    return Match.MISSING
                raise
            if "ETag" not in head:
                raise StorageError(f"{self.where}: an answer that is not S3's")
            if head["ContentLength"] != body.size:
                return Match.DIFFERENT
            if self._proves(head, body):
                return Match.EQUAL
            same = self._sha256(key) == body.digests(self._piece_of(body)).sha256
            return Match.EQUAL if same else Match.DIFFERENT

    def put_new(self, key: str, body: FileRange) -> bool:
        """With If-None-Match where the store has it. In pieces where the file is large."""
        with explained(self.where):
            put = self._put_pieces if body.size > self._largest_put else self._put_whole
            return put(self._prefix + key, body)

    def replace(self, key: str, body: FileRange) -> None:
        """An older version stays where the bucket keeps versions."""
        with explained(self.where):
            self._put(self._prefix + key, body, {})

    def fetch(self, key: str) -> IO[bytes]:
        """Copied to a temporary file, so that it is whole and can seek."""
        file = cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=16 * _CHUNK))
        try:
            with explained(self.where):
                for data in self._read(key):
                    file.write(data)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def keys(self, prefix: str) -> Iterator[str]:
        """A thousand at a time."""
        with explained(self.where):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(self._prefix)

    def delete(self, key: str) -> None:
        """The newest version, where the bucket keeps versions."""
        with explained(self.where):
            self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def erase(self, prefix: str, *, exactly: bool = False) -> int:
        """All versions and all marks of deletion; needs s3:ListBucketVersions and DeleteObjectVersion besides."""
        with explained(self.where):
            try:
                found = list(self._versions(prefix))
            except ClientError as problem:
                if status_of(problem) not in (400, 405, 501):
                    raise
                found = [{"Key": self._prefix + key} for key in self.keys(prefix)]  # a store without versions
            found = [item for item in found if item["Key"] == self._prefix + prefix or not exactly]
            for item in found:
                self._s3.delete_object(Bucket=self._bucket, **item)
        return len(found)

    def close(self) -> None:
        """Ends the connections."""
        self._s3.close()

    # -- what is there -------------------------------------------------------------------------------------------

    def _proves(self, head: Mapping[str, Any], body: FileRange) -> bool:
        etag = str(head.get("ETag", "")).strip('"').lower()
        piece = self._piece_of(body)
        digests = body.digests(piece)
        if _MD5.fullmatch(etag) and etag == digests.md5:
            return True
        if etag == f"{digests.pieces_md5}-{digests.pieces}":
            return True
        by_key_service = str(head.get("ServerSideEncryption", "")).startswith("aws:kms")
        return by_key_service and head.get("ChecksumSHA256") == _base64(bytes.fromhex(digests.sha256))

    def _sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        for data in self._read(key):
            digest.update(data)
        return digest.hexdigest()

    def _read(self, key: str) -> Iterator[bytes]:
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
        size, got, began_s = answer["ContentLength"], 0, time.monotonic()
        with contextlib.closing(answer["Body"]) as stream:
            while data := stream.read(_CHUNK):
                yield data
                got += len(data)
                if time.monotonic() - began_s > 60 + got / SLOWEST_BYTES_S:
                    raise StorageError(f"{self.where} sends too slowly")
        if got != size:
            raise StorageError(f"{self.where} sent {got} bytes of {size}")

    def _versions(self, prefix: str) -> Iterator[dict[str, str]]:
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        for page in pages:
            for kind in ("Versions", "DeleteMarkers"):
                for item in page.get(kind, ()):
                    yield {"Key": item["Key"], "VersionId": item["VersionId"]}

    # -- putting -------------------------------------------------------------------------------------------------

    def _put_whole(self, key: str, body: FileRange) -> bool:
        return self._where_nothing_is(lambda condition: self._put(key, body, condition))

    def _put(self, key: str, body: FileRange, condition: dict[str, str]) -> None:
        sha256 = body.digests().sha256
        with body.open() as file:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=file,
                ChecksumSHA256=_base64(bytes.fromhex(sha256)),
                Metadata={"sha256": sha256},
                **condition,
            )

    def _put_pieces(self, key: str, body: FileRange) -> bool:
        piece_bytes = self._piece_of(body)
        sha256 = body.digests(piece_bytes).sha256
        place = {"Bucket": self._bucket, "Key": key}
        upload = self._s3.create_multipart_upload(**place, Metadata={"sha256": sha256})["UploadId"]
        try:
            parts = [
                {"PartNumber": number, "ETag": self._put_piece(place, upload, number, piece)}
                for number, piece in enumerate(body.pieces(piece_bytes), 1)
            ]

            def complete(condition: dict[str, str]) -> None:
                self._s3.complete_multipart_upload(
                    **place, UploadId=upload, MultipartUpload={"Parts": parts}, **condition
                )

            done = self._where_nothing_is(complete)
        except BaseException:
            self._abort(place, upload)
            raise
        if not done:
            self._abort(place, upload)
        return done

    def _put_piece(self, place: dict[str, str], upload: str, number: int, piece: FileRange) -> str:
        """Tried a few times, as all pieces before it would have to go again."""
        md5 = _base64(bytes.fromhex(piece.digests().md5))
        for failures in range(1, PIECE_TRIES + 1):
            try:
                with piece.open() as file:
                    answer = self._s3.upload_part(
                        **place, UploadId=upload, PartNumber=number, Body=file, ContentMD5=md5
                    )
                return str(answer["ETag"])
            except PROBLEMS as problem:
                if failures == PIECE_TRIES or status_of(problem) in (403, 404):
                    raise
                time.sleep(2 ** (failures - 1))
        raise AssertionError("unreachable")

    def _abort(self, place: dict[str, str], upload: str) -> None:
        """Best effort: what stays is removed by the bucket's rule for unfinished uploads."""
        with contextlib.suppress(*PROBLEMS):
            self._s3.abort_multipart_upload(**place, UploadId=upload)

    def _where_nothing_is(self, put: Any) -> bool:
        try:
            put({"IfNoneMatch": "*"} if self._conditions else {})
        except ClientError as problem:
            status = status_of(problem)
            if status == 412:
                return False
            unknown = status == 501 or (status == 400 and code_of(problem) in _NOT_UNDERSTOOD)
            if not (unknown and self._conditions):
                raise
            put({})  # the caller has looked whether something is there
            self._conditions = False
        return True

    def _piece_of(self, body: FileRange) -> int:
        return max(self._piece, -(-body.size // MOST_PIECES))


_NOT_UNDERSTOOD = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest", "BadRequest", "400"})


def _client(region: str | None, answer_s: float) -> Any:
    """One client for all threads. Outside AWS paths name the bucket: few other stores have a host for each."""
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "read_timeout": answer_s,
        "retries": {"total_max_attempts": 1},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "max_pool_connections": 16,
        "tcp_keepalive": True,
    }
    session = boto3.session.Session(region_name=region)
    make: Any = session.client
    region_name = session.region_name or "us-east-1"
    client = make("s3", config=Config(**settings), region_name=region_name)
    if ".amazonaws.com" in client.meta.endpoint_url:
        return client
    client.close()
    return make("s3", config=Config(**settings, s3={"addressing_style": "path"}), region_name=region_name)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
