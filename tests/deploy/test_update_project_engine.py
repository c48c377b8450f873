"""``updateProject.py`` with a real engine: on this machine, and into a real registry."""

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from hippogym.deploy.docker import Docker
from hippogym.deploy.problems import DeployError
from tests.clients import join
from tests.deploy import engine
from tests.deploy.lab import CONFIG, REGION, certificate, make_study
from tests.deploy.lab import lab as a_lab

MISSING = engine.why_no_engine()
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]
GAME = "project: {id: alone}\ntrial:\n  game: ALE/MsPacman-v5\n  maxEpisodes: 2\n"
REGISTRY = engine.REGISTRY


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, that nobody works in meanwhile."""
    return engine.copy_of_the_project(tmp_path_factory.mktemp("clone"))


def update(project: Path, study: Path, *words: str) -> str:
    """The command as a person gives it, and what it says."""
    options = [f"--{kind}-option={one}" for kind in ("build", "run") for one in engine.network()]
    ran = subprocess.run(
        [sys.executable, str(project / "updateProject.py"), "--study", str(study), *words, *options],
        capture_output=True, text=True, timeout=1800, check=False, env=os.environ | {"DOCKER_BUILDKIT": "0"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def put_certificate(study: Path) -> str:
    for name, content in zip(("fullchain.pem", "privkey.pem"), certificate(("localhost",)), strict=True):
        (study / name).write_bytes(content)
    return (study / "fullchain.pem").read_text()


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_on_this_machine_it_runs_with_tls_stays_and_takes_a_new_certificate_without_a_stop(
    tmp_path: Path,
) -> None:
    study, name, port = make_study(tmp_path / "study", GAME), "hippo-test-here", engine.free_port()
    first = put_certificate(study)
    words = ("--yes", "--target", "docker", "--name", name, "--port", str(port), f"--run-option=--env=PORT={port}")
    try:
        assert "->  start" in await asyncio.to_thread(update, project, study, *words)
        shown = lambda: asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))  # noqa: E731
        assert await shown() == first
        assert "nothing to do" in await asyncio.to_thread(update, project, study, *words)
        assert engine.said("exec", name, "stat", "-c", "%u %a", "/study/privkey.pem") == "10001 600"
        secret = (study / "privkey.pem").read_bytes().splitlines()[1]
        assert not any(secret in layer for _, layer in engine.layers(name, tmp_path))
        async with join(f"wss://127.0.0.1:{port}/ws", ssl=trusting(), origin=f"https://127.0.0.1:{port}") as client:
            await client.hello()
            await client.say(command="start")
            await client.until_frame(3)
            second = put_certificate(study)
            assert "games go on" in await asyncio.to_thread(update, project, study, *words)
            for _ in range(300):
                if await shown() == second:
                    break
                await asyncio.sleep(0.1)
            assert await shown() == second
            await client.until_frame(len(client.frames) + 3)
        (study / "config.yml").write_text(GAME.replace("maxEpisodes: 2", "maxEpisodes: 3"))
        assert "its games end" in await asyncio.to_thread(update, project, study, *words)
        trials = engine.copied_out(name, "/study/Trials", tmp_path)
        assert list(trials.rglob("*.pkl")) and not list(trials.rglob("*.part")), "records outlive the container"
    finally:
        engine.docker("rm", "--force", name, check=False)
        engine.docker("volume", "rm", f"{name}-alone-trials", check=False)


@pytest.mark.skipif(not engine.registry_answers(), reason=f"no registry answers at {REGISTRY}")
def test_the_image_goes_into_a_real_registry_once_and_no_password_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    study = make_study(tmp_path / "study", CONFIG.replace("id: pilot", f"id: pilot-{os.getpid()}"))
    words = ["--yes", "--registry", REGISTRY, *(f"--build-option={one}" for one in engine.network())]
    with a_lab(study) as lab:
        lab.engine = Docker()
        lab.deploy(*words)
        assert "pushing layers" in capsys.readouterr().out
        task = boto3.client("ecs", region_name=REGION).describe_task_definition(
            taskDefinition=f"hippogym-pilot-{os.getpid()}"
        )["taskDefinition"]
        image = task["containerDefinitions"][0]["image"]
        assert re.fullmatch(rf"{REGISTRY}/hippogym/pilot-\d+@sha256:[0-9a-f]{{64}}", image)
        assert json.loads(lab.objects()[f"pilot-{os.getpid()}/study.json"])["image"] == image
        lab.deploy(*words)
        assert "nothing to do" in capsys.readouterr().out
    assert [path for path in home.rglob("*") if path.is_file()] == []
    docker_login = ["--config", str(tmp_path / "puller"), "login", "--username", "AWS", "--password-stdin", REGISTRY]
    engine.docker(*docker_login, input=b"123456789012-auth-token")
    engine.docker("image", "rm", "--force", image, check=False)
    engine.docker("--config", str(tmp_path / "puller"), "pull", image)
    assert engine.said("run", "--rm", "--entrypoint", "ls", image, "/study/.trialConfig.yml")


def test_a_registry_that_is_not_there_is_a_sentence_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    study = make_study(tmp_path / "study")
    nowhere = f"127.0.0.1:{engine.free_port()}"
    options = [f"--build-option={one}" for one in engine.network()]
    with a_lab(study) as lab:
        lab.engine = Docker()
        for _ in range(2):
            with pytest.raises(DeployError, match=r"does not answer"):
                lab.deploy("--yes", "--registry", nowhere, *options)
        lab.deploy("--no-container")
        assert "pilot/study.json" in lab.objects()
