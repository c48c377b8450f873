"""What gets into the image: every file by name and content, known before anything is built.

From it comes the image's tag, so that the same study is the same image and need not be built or pushed twice.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hippogym.deploy.ignore import IgnoreRules
from hippogym.deploy.problems import DeployError

IGNORE, DOCKERFILE = ".dockerignore", "Dockerfile"
OF_THE_STUDY = ("config.yml", ".trialConfig.yml", "agent.py", "StepFiles")
CERTIFICATES = "certificates"  # the folder from which they get in, on purpose
MADE_AT_S = 1_577_836_800  # 2020-01-01: files have this date in every image, so that equal contents are equal layers

SECRETS = (
    (re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"), "a private key"),
    (re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])"), "an AWS access key"),
)
SCANNED_BYTES = 4 * 2**20  # a key is a small text


@dataclass(frozen=True)
class ContextFile:
    """A file on its way into the image. content: where it is not read from ``source``."""

    path: str
    source: Path
    executable: bool
    content: bytes | None = field(default=None, repr=False)

    def read(self) -> bytes:
        """Its bytes. Raises DeployError."""
        if self.content is not None:
            return self.content
        try:
            return self.source.read_bytes()
        except OSError as problem:
            raise DeployError(f"{self.source} cannot be read: {problem.strerror or problem}.") from problem


@dataclass(frozen=True)
class Context:
    """All files of an image, by path, and the recipe."""

    files: Mapping[str, ContextFile]
    dockerfile: bytes = field(repr=False)

    def sha256(self, *about: str) -> str:
        """Of everything that makes the image what it is. about: build arguments and the like."""
        digest = hashlib.sha256(self.dockerfile)
        for path, file in sorted(self.files.items()):
            inside = hashlib.sha256(file.read()).hexdigest()
            digest.update(f"\n{path}\0{file.executable}\0{inside}".encode())
        digest.update("\0".join(("", *about)).encode())
        return digest.hexdigest()

    def secrets(self) -> list[str]:
        """Sentences about files that look like keys and have no business in an image."""
        found = []
        for path, file in sorted(self.files.items()):
            if path.startswith(f"{CERTIFICATES}/"):
                continue
            head = file.read()[:SCANNED_BYTES]
            found += [
                f"{path} holds {what}; it would be in the image" for secret, what in SECRETS if secret.search(head)
            ]
        return found

    def lay_out(self, folder: Path) -> tuple[Path, Path]:
        """Write everything below ``folder``. Returns the context's folder and the Dockerfile beside it."""
        inside, dockerfile = folder / "context", folder / DOCKERFILE
        try:
            for path, file in self.files.items():
                target = inside / path
                target.parent.mkdir(parents=True, exist_ok=True)
                if file.content is None:
                    shutil.copyfile(file.source, target)
                else:
                    target.write_bytes(file.content)
                target.chmod(0o755 if file.executable else 0o644)
                os.utime(target, (MADE_AT_S, MADE_AT_S))
            for each in inside.rglob("*"):
                if each.is_dir():
                    each.chmod(0o755)
                    os.utime(each, (MADE_AT_S, MADE_AT_S))
            dockerfile.write_bytes(self.dockerfile)
        except OSError as problem:
            where = problem.filename or folder
            raise DeployError(f"{where}: {problem.strerror or problem} (while the image was made ready).") from problem
        return inside, dockerfile


def read_context(root: Path, study: Path, made: Mapping[str, bytes]) -> Context:
    """What would be built.

    root: the folder of HIPPO Gym, with the Dockerfile. study: the folder of config.yml, the same or another one,
    whose files then stand in the place of the shipped study's. made: files that are made from the study's description.
    Raises DeployError.
    """
    rules = IgnoreRules(_text(root / IGNORE))
    files = {file.path: file for file in _below(root, rules)}
    if study.resolve() != root.resolve():
        files = {path: file for path, file in files.items() if path.split("/")[0] not in OF_THE_STUDY}
        own = IgnoreRules(_text(study / IGNORE)) if (study / IGNORE).is_file() else rules
        files |= {file.path: file for file in _below(study, own)}
    files |= {
        path: ContextFile(path, study / path, executable=False, content=content) for path, content in made.items()
    }
    if ".trialConfig.yml" in made:
        files.pop("config.yml", None)  # what the container needs of it is in the other
    return Context(files, _text(root / DOCKERFILE).encode())


def _below(folder: Path, rules: IgnoreRules) -> Iterator[ContextFile]:
    """Plain files, links followed as docker would copy what they mean only inside the folder: so links are left out."""
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (".git", ".venv", "Trials", "__pycache__"))
        for name in sorted(names):
            file = Path(inside) / name
            path = file.relative_to(folder).as_posix()
            if rules.leaves_out(path) or file.is_symlink() or not file.is_file():
                continue
            yield ContextFile(path, file, executable=bool(file.stat().st_mode & 0o100))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as problem:
        raise DeployError(f"{path} is not there; it comes with HIPPO Gym: git checkout {path.name}") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise DeployError(f"{path} cannot be read: {problem}") from problem
