"""What of a study lies in its bucket: step files, study.json, and the project's line in the master list."""

import contextlib
import hashlib
import json
import mimetypes
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.problems import DeployError

FOLDER, STUDY, MASTER_LIST = "StepFiles", "study.json", "project_master_list.json"
LARGEST = 5 * 2**30  # of one put

Moved = Callable[[int], None]


@dataclass(frozen=True)
class Upload:
    """A file and its place."""

    key: str
    path: Path
    size: int
    md5: str
    sha256: str


class StudyBucket:
    """The part of a bucket that is one project's."""

    def __init__(self, aws: Aws, bucket: str, project: str) -> None:
        self._aws, self._bucket, self._project = aws, bucket, project
        self._where = f"s3://{bucket}"

    def uploads(self, folder: Path, pages: Collection[str]) -> list[Upload]:
        """Every file of StepFiles; pages also under their older front ends' name. Raises DeployError."""
        found = []
        for path in sorted((folder / FOLDER).rglob("*")):
            name = path.relative_to(folder / FOLDER).as_posix()
            if any(part.startswith(".") for part in name.split("/")) or path.is_symlink() or not path.is_file():
                continue
            found += [_upload(f"{self._project}/{FOLDER}/{name}", path)]
            if name in pages:
                found += [_upload(f"{self._project}/{name}", path)]
        return found

    def differing(self, uploads: list[Upload]) -> list[Upload]:
        """Those that are not in the bucket as they are here. Raises DeployError."""
        if not uploads:
            return []
        there = self._listed(f"{self._project}/{FOLDER}/") | {
            one.key: tag for one in uploads if f"/{FOLDER}/" not in one.key and (tag := self._tag(one.key)) is not None
        }
        return [one for one in uploads if there.get(one.key) != one.md5 and not self._same(one, there)]

    def upload(self, one: Upload, moved: Moved) -> None:
        """moved: called with the bytes that have gone. Raises DeployError."""
        kind = mimetypes.guess_type(one.path.name)[0] or "application/octet-stream"
        with told(self._where), one.path.open("rb") as file:
            body = _Watched(file, moved)
            self._aws("s3").put_object(
                Bucket=self._bucket, Key=one.key, Body=body, ContentType=kind, ContentLength=one.size,
                Metadata={"sha256": one.sha256},
            )  # fmt: skip

    def study(self) -> dict[str, Any] | None:
        """study.json as it is there; None where there is none. Raises DeployError."""
        return self._json(f"{self._project}/{STUDY}")

    def put_study(self, study: Mapping[str, Any]) -> None:
        """Raises DeployError."""
        with told(self._where):
            self._aws("s3").put_object(
                Bucket=self._bucket, Key=f"{self._project}/{STUDY}", ContentType="application/json",
                Body=json.dumps(study, sort_keys=True, ensure_ascii=False).encode(),
            )  # fmt: skip

    def listed(self) -> dict[str, Any] | None:
        """The project's line in the master list, without its date. Raises DeployError."""
        line = (self._json(MASTER_LIST) or {}).get(self._project)
        return {key: value for key, value in line.items() if key != "updated"} if isinstance(line, dict) else None

    def _json(self, key: str) -> dict[str, Any] | None:
        raw = self.read(key)
        if raw is None:
            return None
        try:
            found = json.loads(raw)
        except ValueError as problem:
            raise DeployError(f"{self._where}/{key} is not JSON; an older version of it is in the bucket.") from problem
        return found if isinstance(found, dict) else {}

    def read(self, key: str) -> bytes | None:
        """An object's bytes; None where there is none. Raises DeployError."""
        return read_object(self._aws, self._bucket, key)

    def _listed(self, prefix: str) -> dict[str, str]:
        found: dict[str, str] = {}
        with told(self._where):
            for page in self._aws("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                found |= {item["Key"]: item["ETag"].strip('"') for item in page.get("Contents", ())}
        return found

    def _tag(self, key: str) -> str | None:
        head = self._head(key)
        return None if head is None else str(head["ETag"]).strip('"')

    def _same(self, one: Upload, there: Mapping[str, str]) -> bool:
        """Where AWS encrypts with its key service, the tag is no md5: then what we noted beside the object counts."""
        if one.key not in there:
            return False
        head = self._head(one.key) or {}
        by_key_service = str(head.get("ServerSideEncryption", "")).startswith("aws:kms")
        return by_key_service and head.get("Metadata", {}).get("sha256") == one.sha256

    def _head(self, key: str) -> dict[str, Any] | None:
        with told(self._where):
            try:
                return dict(self._aws("s3").head_object(Bucket=self._bucket, Key=key))
            except ClientError as problem:
                if code_of(problem) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise


def read_object(aws: Aws, bucket: str, key: str) -> bytes | None:
    """An object's bytes; None where there is none. Raises DeployError."""
    with told(f"s3://{bucket}"):
        try:
            with contextlib.closing(aws("s3").get_object(Bucket=bucket, Key=key)["Body"]) as body:
                return bytes(body.read())
        except ClientError as problem:
            if code_of(problem) in ("NoSuchKey", "404"):
                return None
            raise


class _Watched:
    """A file that says how far it has been read; read from the start again when a request is repeated."""

    def __init__(self, file: Any, moved: Moved) -> None:
        self._file, self._moved = file, moved

    def read(self, size: int = -1) -> bytes:
        data = bytes(self._file.read(size))
        self._moved(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())


def _upload(key: str, path: Path) -> Upload:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(2**20):
                md5.update(data)
                sha256.update(data)
            size = file.tell()
    except OSError as problem:
        raise DeployError(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    if size > LARGEST:
        raise DeployError(f"{path} is larger than 5 GiB; a participant would wait for it for a long time.")
    return Upload(key, path, size, md5.hexdigest(), sha256.hexdigest())
