"""The participants' page in its bucket, behind CloudFront: the same files that a server of one's own serves.

Each version is a folder of its own, named after its contents, which browsers and CloudFront may keep for ever;
``index.html`` says which version it is, and is asked for anew each time. So an update takes effect at once, all of it
or nothing, and whoever has just been given the version before still gets all of that.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from hippogym.core.study.page_kinds import PAGE_KINDS
from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.plan import Item
from hippogym.deploy.problems import DeployError

STATIC = Path(__file__).resolve().parents[1] / "pages" / "static"
ONLY_OF_SERVERS = "dashboard"  # a researcher's page, for a server that holds a study
INDEX, SETTINGS = "index.html", "page-settings"
FOR_EVER, ASK_ANEW = "public, max-age=31536000, immutable", "no-cache"
AT_ONCE = 1000

_VERSION = re.compile(r"/static/([0-9a-f]{16})/")


@dataclass(frozen=True)
class PageFile:
    """An object as it is to be."""

    key: str
    body: bytes = field(repr=False)
    kind: str
    cache: str

    @property
    def tag(self) -> str:
        """What S3 says of it."""
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Page:
    """A version of the page. files: what is uploaded first. index: what makes it the one that people get."""

    version: str
    files: tuple[PageFile, ...]
    index: PageFile


def page(outputs: Mapping[str, str], static: Path = STATIC) -> Page:
    """The page as it is to be. outputs: of the stack. Raises DeployError."""
    try:
        found = dict(_files(static))
        index = (static / INDEX).read_text("utf-8")
    except OSError as problem:
        raise DeployError(f"{problem.filename}: {problem.strerror}; it comes with HIPPO Gym.") from problem
    whole = hashlib.sha256()
    for name, body in found.items():
        whole.update(f"{name} {len(body)}\n".encode() + body)
    version = whole.hexdigest()[:16]
    files = [
        PageFile(f"static/{version}/{name}", body, PAGE_KINDS[Path(name).suffix], FOR_EVER)
        for name, body in found.items()
    ]
    index = index.replace("PROJECT_NAME", "HIPPO Gym").replace('"/static/', f'"/static/{version}/')
    told_to_page = PageFile(SETTINGS, page_settings(outputs), "application/json", ASK_ANEW)
    return Page(version, (*files, told_to_page), PageFile(INDEX, index.encode(), PAGE_KINDS[".html"], ASK_ANEW))


def page_settings(outputs: Mapping[str, str]) -> bytes:
    """What the page is told of the stack; of a study it learns by its link."""
    about = {
        "api": outputs["ApiUrl"].rstrip("/"), "rootDomain": outputs["RootDomain"], "origins": [], "dev": False,
        "steps": True, "scripts": False, "projectName": "",
    }  # fmt: skip
    return json.dumps(about, indent=1, sort_keys=True).encode()


class PageBucket:
    """The page of a stack. outputs: of the stack; without them there is none yet."""

    def __init__(self, aws: Aws, outputs: Mapping[str, str], static: Path = STATIC) -> None:
        self._aws, self._bucket, self._outputs, self._static = aws, outputs.get("PageBucket"), outputs, static

    def item(self) -> Item:
        """How it is, and what would be done. Changes nothing. Raises DeployError."""
        if self._bucket is None:
            return Item("page", "participants' page", "not there", "upload")
        wanted, there = page(self._outputs, self._static), self._listed()
        missing = [one for one in (*wanted.files, wanted.index) if there.get(one.key) != one.tag]
        left = self._left_over(wanted, there, self._before())
        now = "not there" if INDEX not in there else "another version" if missing else f"version {wanted.version}"
        changes = [f"upload {len(missing)} of its files"] * bool(missing) + [f"remove {len(left)}"] * bool(left)
        return Item("page", "participants' page", now, ", ".join(changes))

    def upload(self) -> str:
        """Make it so; can be repeated. Returns the version. Raises DeployError."""
        wanted, there = page(self._outputs, self._static), self._listed()
        version = self._version()
        before = version if version not in (None, wanted.version) else self._before()
        for one in wanted.files:
            if there.get(one.key) != one.tag:
                self._put(one)
        if there.get(INDEX) != wanted.index.tag:
            self._put(wanted.index, {"before": before or ""})
        self._remove(self._left_over(wanted, there, before))
        return wanted.version

    def _left_over(self, wanted: Page, there: Mapping[str, str], before: str | None) -> list[str]:
        """What nobody needs. The version before is needed by whoever has just opened the page."""
        needed = {one.key for one in (*wanted.files, wanted.index)}
        kept = f"static/{before}/" if before else None
        return [key for key in there if key not in needed and not (kept and key.startswith(kept))]

    def _version(self) -> str | None:
        """The one that people get now."""
        with told(f"s3://{self._bucket}"):
            try:
                body = self._aws("s3").get_object(Bucket=self._bucket, Key=INDEX)["Body"].read()
            except ClientError as problem:
                if code_of(problem) in ("NoSuchKey", "404"):
                    return None
                raise
        found = _VERSION.search(body.decode("utf-8", "replace"))
        return found[1] if found else None

    def _before(self) -> str | None:
        """The one that they got before that."""
        with told(f"s3://{self._bucket}"):
            try:
                head = self._aws("s3").head_object(Bucket=self._bucket, Key=INDEX)
            except ClientError as problem:
                if code_of(problem) in ("NoSuchKey", "404", "NotFound"):
                    return None
                raise
        return head["Metadata"].get("before") or None

    def _listed(self) -> dict[str, str]:
        found: dict[str, str] = {}
        with told(f"s3://{self._bucket}"):
            for part in self._aws("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
                found |= {one["Key"]: one["ETag"].strip('"') for one in part.get("Contents", ())}
        return found

    def _put(self, one: PageFile, about: Mapping[str, str] | None = None) -> None:
        with told(f"s3://{self._bucket}"):
            self._aws("s3").put_object(
                Bucket=self._bucket, Key=one.key, Body=one.body, ContentType=one.kind, CacheControl=one.cache,
                Metadata=dict(about or {}),
            )  # fmt: skip

    def _remove(self, keys: list[str]) -> None:
        for at in range(0, len(keys), AT_ONCE):
            doomed: list[Any] = [{"Key": key} for key in keys[at : at + AT_ONCE]]
            with told(f"s3://{self._bucket}"):
                answer = self._aws("s3").delete_objects(Bucket=self._bucket, Delete={"Objects": doomed, "Quiet": True})
            if answer.get("Errors"):
                raise DeployError(f"s3://{self._bucket}: {len(answer['Errors'])} old files could not be removed.")


def _files(static: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(static.rglob("*")):
        name = path.relative_to(static)
        if path.is_file() and path.suffix in PAGE_KINDS and path.name != INDEX and name.parts[0] != ONLY_OF_SERVERS:
            yield name.as_posix(), path.read_bytes()
