"""The functions' program as a zip: the rules of core and what stands on them, named after its contents."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hippogym.deploy.problems import DeployError

RULES = ("hippogym/core/study", "hippogym/bookkeeping", "aws/functions")
SINGLE = ("hippogym/__init__.py", "hippogym/errors.py", "hippogym/core/__init__.py")
MADE_AT = (2020, 1, 1, 0, 0, 0)  # so that the same files are the same zip


@dataclass(frozen=True)
class Program:
    """key: its name in the functions' bucket."""

    key: str
    body: bytes


def program(root: Path) -> Program:
    """root: the folder of HIPPO Gym. Raises DeployError."""
    raw = io.BytesIO()
    try:
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(_files(root)):
                name = path.relative_to(root).as_posix().removeprefix("aws/")
                about = zipfile.ZipInfo(name, MADE_AT)
                about.external_attr, about.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                archive.writestr(about, path.read_bytes())
    except OSError as problem:
        raise DeployError(f"{problem.filename}: {problem.strerror}; it comes with HIPPO Gym.") from problem
    body = raw.getvalue()
    return Program(f"functions-{hashlib.sha256(body).hexdigest()[:16]}.zip", body)


def _files(root: Path) -> Iterator[Path]:
    for folder in RULES:
        yield from (root / folder).glob("*.py")
    yield from (root / name for name in SINGLE)
