"""The commands that a person gives: each a program of its own, with the account's endpoint in its environment."""

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from hippogym.cli import main
from hippogym.config import load_study
from hippogym.deploy import issuing
from hippogym.deploy.aws import Aws
from hippogym.deploy.command import add_arguments, run
from hippogym.deploy.registry import Registry
from tests.deploy.rehearsal.account import REGION, Account
from tests.deploy.rehearsal.engines import Engine, Processes
from tests.servers import ROOT
from updateProject import pages_of

HIPPOGYM = (sys.executable, "-c", "import sys; from hippogym.cli import main; sys.exit(main())")
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Failed(Exception):
    """A command has ended with another exit code than was expected; with what it said."""


def command(
    *words: str, environment: Mapping[str, str], cwd: Path, wait_s: float = 300, codes: tuple[int, ...] = (0,)
) -> str:
    """What it prints. Raises Failed."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("AWS_") and key != "COVERAGE_PROCESS_START"
    }
    ran = subprocess.run(
        words, capture_output=True, text=True, timeout=wait_s, cwd=cwd, check=False,
        env=inherited | {"PYTHONPATH": str(ROOT), "DOCKER_BUILDKIT": "0", "COLUMNS": "160"} | dict(environment),
    )  # fmt: skip
    if ran.returncode not in codes:
        raise Failed(f"{' '.join(words[1:])}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout + ran.stderr


@contextmanager
def called(account: Account) -> Iterator[io.StringIO]:
    """A command as a function of this process: the same code, without a second of imports. Yields what it says.

    For the short rehearsal; the whole one runs programs.
    """
    said = io.StringIO()
    with mock.patch.dict(os.environ, account.environment()), redirect_stdout(said), redirect_stderr(said):
        yield said


def hippogym(*words: str, account: Account, cwd: Path, codes: tuple[int, ...] = (0,)) -> str:
    """``hippogym …``"""
    if account.programs:
        return command(*HIPPOGYM, *words, environment=account.environment(), cwd=cwd, codes=codes)
    with called(account) as said:
        code = main(words)
    if code not in codes:
        raise Failed(f"hippogym {' '.join(words)}: exit code {code}\n{said.getvalue()}")
    return said.getvalue()


CERTBOT = """#!/bin/sh
# certbot and an authority, as far as get_ssl_certs.py has to do with them: they leave chain and key where it looks.
while [ $# -gt 0 ]; do
    case "$1" in --config-dir) config=$2 ;; --cert-name) name=$2 ;; esac
    shift
done
mkdir -p "$config/live/$name" && cp {issued}/*.pem "$config/live/$name"
"""


def get_ssl_certs(study: Path, account: Account, chain: bytes, key: bytes) -> str:
    """``get_ssl_certs.py``, with an authority that gives these. tests/deploy/test_get_ssl_certs.py has real ones."""
    issued, program = study.parent / "issued", study.parent / "certbot"
    issued.mkdir()
    (issued / "fullchain.pem").write_bytes(chain)
    (issued / "privkey.pem").write_bytes(key)
    program.write_text(CERTBOT.format(issued=issued))
    program.chmod(0o755)
    words = ("--study", str(study), "--folder", str(study.parent / "authority"), "--certbot", str(program), "--yes")
    if not account.programs:
        parser = argparse.ArgumentParser()
        issuing.add_arguments(parser)
        with called(account) as said:
            code = issuing.run(parser.parse_args(words), load_study(study), Path("get_ssl_certs.py"))
        assert code == 0, said.getvalue()
        return said.getvalue()
    command_words = (sys.executable, str(ROOT / "get_ssl_certs.py"), *words)
    return command(*command_words, environment=account.environment(), cwd=study)


def update_project(study: Path, account: Account, engine: Engine) -> str:
    """``updateProject.py --yes``: as a program; without an engine its image is files in a folder."""
    if isinstance(engine, Processes):
        return _updated_without_images(study, account, engine)
    words = (sys.executable, str(ROOT / "updateProject.py"), "--study", str(study), "--yes", *engine.words)
    return command(*words, environment=account.environment(), cwd=study, wait_s=2400)


def _updated_without_images(study: Path, account: Account, engine: Processes) -> str:
    def push(registry: Registry, docker: object, image: str, said: object) -> None:
        name, tag = image.partition("/")[2].rsplit(":", 1)
        config = {"digest": hashlib.sha256(tag.encode()).hexdigest()}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [], "config": config}
        account.client("ecr").put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag)

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    loaded = load_study(study)
    with called(account) as said, mock.patch.object(Registry, "push", push):
        code = run(parser.parse_args(["--yes"]), loaded, ROOT, lambda: pages_of(loaded), engine.docker, Aws(REGION))
    assert code == 0, said.getvalue()
    return said.getvalue()
