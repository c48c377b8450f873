"""The image, as a real engine builds and runs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hippogym.deploy.context import read_context
from tests.clients import join
from tests.deploy import engine
from tests.deploy.lab import certificate
from tests.records import of_kind, plain_loop
from tests.servers import ROOT

MISSING = engine.why_no_engine()
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]

MARK = b"PLANTED-7d1f0a5e-BY-A-TEST"
SECRETS = (
    ".env", ".aws/credentials", ".ssh/id_ed25519", "id_rsa", "fullchain.pem", "privkey.pem", "old/server.key",
    "StepFiles/.env", "StepFiles/key.pem", "credentials.json", "my-secret.txt", "rootkey.csv", "alice_accessKeys.csv",
    ".netrc", ".git/config", ".docker/config.json", "Trials/alice/1.pkl", "Trials/ledger.sqlite", "keys.kdbx",
    "hippogym/core/.env", "store.p12",
)  # fmt: skip
DOCUMENTED_DEV = ("set -- python3 communicator.py\n", "set -- python3 communicator.py dev\n")


@contextmanager
def changed(folder: Path, config: str | None = None) -> Iterator[None]:
    """Meanwhile dev stands at the end of line 3 of xvfb.sh, as is documented; config: another config.yml."""
    before = {name: (folder / name).read_text() for name in ("xvfb.sh", "config.yml")}
    lines = before["xvfb.sh"].splitlines(keepends=True)
    lines[2] = lines[2].rstrip("\n") + " dev\n"
    (folder / "xvfb.sh").write_text("".join(lines))
    (folder / "config.yml").write_text(config or before["config.yml"])
    try:
        yield
    finally:
        for name, text in before.items():
            (folder / name).write_text(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose owner keeps secrets in it."""
    folder = engine.copy_of_the_project(tmp_path_factory.mktemp("clone"))
    for name in SECRETS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"before " + MARK + b" after\n")
    return folder


@pytest.fixture(scope="module")
def image(project: Path) -> str:
    """For production."""
    return engine.build(project, "hippo-test")


@pytest.fixture(scope="module")
def dev_image(project: Path) -> str:
    """For development, of a study that is only a game."""
    with changed(project, config="trial:\n  game: ALE/MsPacman-v5\n"):
        return engine.build(project, "hippo-test-dev")


def test_no_layer_holds_any_of_the_planted_secrets(image: str, tmp_path: Path) -> None:
    seen = 0
    for name, layer in engine.layers(image, tmp_path):
        assert MARK not in layer, name
        seen += b"communicator.py" in layer
    assert seen, "the study is in none of them: nothing was looked at"


def test_the_search_finds_what_does_get_in(project: Path, tmp_path: Path) -> None:
    (project / "StepFiles" / "notes.html").write_bytes(MARK)
    try:
        planted = engine.build(project, "hippo-test-planted")
    finally:
        (project / "StepFiles" / "notes.html").unlink()
    assert any(MARK in layer for _, layer in engine.layers(planted, tmp_path))
    engine.docker("image", "rm", planted)


def test_we_know_exactly_which_files_docker_takes(image: str, project: Path) -> None:
    listed = engine.said(
        "run", "--rm", "--entrypoint", "find", image, "/study", "-type", "f", "!", "-name", "*.pyc", "-printf", "%P\\n"
    )
    assert set(listed.splitlines()) == set(read_context(project, project, {}).files)


def test_it_runs_as_somebody_who_cannot_change_the_program(image: str) -> None:
    assert engine.said("run", "--rm", "--entrypoint", "id", image, "-u") == "10001"
    touch = "touch /study/communicator.py 2>/dev/null || touch /study/agent.py 2>/dev/null || echo refused"
    assert engine.said("run", "--rm", "--entrypoint", "sh", image, "-c", touch) == "refused"


def test_without_certificates_production_refuses_in_a_sentence(image: str) -> None:
    ran = engine.docker("run", "--rm", *engine.network(), image, check=False)
    assert ran.returncode == 2
    assert b"fullchain.pem is missing" in ran.stderr


async def test_stopping_reaches_python_and_every_record_is_closed(dev_image: str, tmp_path: Path) -> None:
    with engine.container(dev_image, "hippo-test-stops") as port:
        async with join(f"ws://127.0.0.1:{port}/ws") as client:
            await client.hello()
            await client.say(command="start")
            await client.until_frame(5)
            engine.docker("stop", "-t", "120", "hippo-test-stops")
            assert (await client.until("done"))["done"]["reason"] == "server"
        ended = engine.state("hippo-test-stops")
        assert (ended["ExitCode"], ended["OOMKilled"]) == (0, False), engine.logs("hippo-test-stops")
        trials = engine.copied_out("hippo-test-stops", "/study/Trials", tmp_path)
    assert not list(trials.rglob("*.part"))
    [file] = trials.rglob("*.pkl")
    assert [entry["hippogym"]["reason"] for entry in of_kind(plain_loop(file), "end")] == ["server"]
    assert len(of_kind(plain_loop(file), "tick")) >= 4


def test_the_engine_sees_that_it_is_well(dev_image: str) -> None:
    with engine.container(dev_image, "hippo-test-health"):
        deadline = time.monotonic() + engine.PATIENCE_S
        while (health := engine.state("hippo-test-health")["Health"]["Status"]) == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert health == "healthy"


def test_certificates_that_were_put_in_on_purpose_are_used(project: Path) -> None:
    """In a folder of their own, which is how they get in; and as files that only the server may read."""
    (project / "certificates").mkdir()
    for name, content in zip(("fullchain.pem", "privkey.pem"), certificate(), strict=True):
        (project / "certificates" / name).write_bytes(content)
    baked = engine.build(project, "hippo-test-baked")
    with engine.container(baked, "hippo-test-baked"):
        assert "https://" in engine.logs("hippo-test-baked")


def test_xvfb_is_there_when_it_was_asked_for_and_swallows_no_signal(project: Path) -> None:
    with changed(project):
        drawing = engine.build(project, "hippo-test-xvfb", "--build-arg", "XVFB=1")
    with engine.container(drawing, "hippo-test-xvfb"):
        engine.docker("exec", "hippo-test-xvfb", "test", "-S", "/tmp/.X11-unix/X99")
        assert engine.said("exec", "hippo-test-xvfb", "python3", "-c", ITS_DISPLAY) == ":99"
        engine.docker("stop", "-t", "120", "hippo-test-xvfb")
        assert engine.state("hippo-test-xvfb")["ExitCode"] == 0


ITS_DISPLAY = r"""
import os
for process in filter(str.isdigit, os.listdir("/proc")):
    if "communicator.py" in open(f"/proc/{process}/cmdline").read().split("\0"):
        settings = dict(one.split("=", 1) for one in open(f"/proc/{process}/environ").read().split("\0") if one)
        print(settings.get("DISPLAY"))
        break
"""


def test_line_3_is_where_the_documentation_says() -> None:
    assert (ROOT / "xvfb.sh").read_text().splitlines(keepends=True)[2] in DOCUMENTED_DEV
