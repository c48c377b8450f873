"""What the tests of deploying share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # hundreds of images in every region, of which we need none

from hippogym.deploy.registry import Registry
from tests.deploy.lab import Lab, make_study, push_to_moto
from tests.deploy.lab import lab as a_lab


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a study for AWS."""
    return make_study(tmp_path / "study")


@pytest.fixture(autouse=True)
def no_credentials_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture
def lab(study: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An account under moto that is set up, with the study in nothing but a folder."""
    monkeypatch.setattr(Registry, "push", push_to_moto)
    with a_lab(study) as made:
        yield made
