"""The parts of deploying that decide: what is left out, what is written, what is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hippogym.config import load_study
from hippogym.deploy.context import read_context
from hippogym.deploy.docker import Docker
from hippogym.deploy.generated import generated, master_list_entry
from hippogym.deploy.ignore import IgnoreRules
from hippogym.deploy.plan import Item, Plan, as_text
from hippogym.deploy.problems import DeployError
from hippogym.deploy.stack_facts import role_name
from hippogym.deploy.targets.vm import hook, unit
from hippogym.deploy.task_definition import same
from tests.deploy.lab import CONFIG, make_root
from tests.servers import ROOT


@pytest.mark.parametrize(
    ("patterns", "path", "out"),
    [
        ("docs", "docs/a/b.md", True),
        ("docs", "more/docs", False),
        ("**/docs", "more/docs/a", True),
        ("*.pem", "a.pem", True),
        ("*.pem", "in/a.pem", False),
        ("**/*.pem", "in/a.pem", True),
        ("**/.*", ".env", True),
        ("**/.*", "a/.aws/credentials", True),
        ("**/.*\n!.trialConfig.yml", ".trialConfig.yml", False),
        ("**/*.pem\n!certificates/*.pem", "certificates/fullchain.pem", False),
        ("**/*.pem\n!certificates/*.pem", "old/certificates/fullchain.pem", True),
        ("*\n!keep", "keep/this", False),
        ("!keep\n*", "keep/this", True),
        ("# *\n\n a ", "a", True),
        ("/a/", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("a.b", "axb", False),
    ],
)
def test_patterns_mean_what_they_mean_to_docker(patterns: str, path: str, out: bool) -> None:
    assert IgnoreRules(patterns).leaves_out(path) is out


def test_nothing_secret_is_in_the_context_of_this_folder(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    for name in (".env", "a/.env", "privkey.pem", "a/b/id_rsa", ".aws/credentials", "Trials/x.pkl", "x.key"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("secret")
    files = set(read_context(root, root, {}).files)
    assert files == {"xvfb.sh", "communicator.py", "trial.py", "requirements.lock"}


def test_what_the_image_is_named_by_changes_with_its_contents_only(study: Path, tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    made = generated(load_study(study))
    first = read_context(root, study, made).sha256()
    (study / "agent.py").touch()
    (study / "notes.md").write_text("not in the image")
    assert read_context(root, study, made).sha256() == first
    assert read_context(root, study, made).sha256("XVFB=1") != first
    (study / "agent.py").chmod(0o755)
    assert read_context(root, study, made).sha256() != first
    (study / "agent.py").chmod(0o644)
    (root / "Dockerfile").open("a").close()
    (study / "StepFiles" / "consent.html").write_text("other")
    assert read_context(root, study, made).sha256() != first


def test_equal_contents_are_laid_out_equally(study: Path, tmp_path: Path) -> None:
    context = read_context(make_root(tmp_path / "root"), study, generated(load_study(study)))
    inside, dockerfile = context.lay_out(tmp_path / "out")
    assert dockerfile.read_text().startswith("# The study as a container")
    assert not (inside / "config.yml").exists()
    for path in inside.rglob("*"):
        about = path.stat()
        assert about.st_mtime == 1_577_836_800
        assert about.st_mode & 0o777 == (0o755 if path.is_dir() or path.suffix == ".sh" else 0o644), path


def test_the_containers_file_is_the_same_study_without_what_only_people_need(study: Path, tmp_path: Path) -> None:
    whole = load_study(study)
    (tmp_path / "inside").mkdir()
    files = generated(whole)
    (tmp_path / "inside" / ".trialConfig.yml").write_bytes(files[".trialConfig.yml"])
    inside = load_study(tmp_path / "inside")
    assert inside.trial == whole.trial
    assert inside.study_settings() == whole.study_settings()
    assert (inside.project.ssl, inside.project.useAWS) == (whole.project.ssl, True)
    assert inside.project.awsSetup.bucket == whole.project.awsSetup.bucket
    assert b"whoever asks" not in files[".trialConfig.yml"]
    assert yaml.safe_load(files[".projectConfig.yml"])["project"]["researcher"] == "whoever asks"
    assert generated(whole) == files


def test_the_shipped_study_can_be_deployed_as_it_is(tmp_path: Path) -> None:
    whole = load_study(ROOT)
    (tmp_path / ".trialConfig.yml").write_bytes(generated(whole)[".trialConfig.yml"])
    assert load_study(tmp_path).study_settings() == whole.study_settings()
    assert master_list_entry(whole)["steps"]["4"] == "game"


def test_the_lock_file_has_every_requirement_in_its_version() -> None:
    name = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)", re.M)
    normal = lambda found: {(one.lower().replace("_", "-"), version) for one, version in found}  # noqa: E731
    wanted = normal(name.findall((ROOT / "requirements.txt").read_text()))
    locked = normal(name.findall((ROOT / "requirements.lock").read_text()))
    assert wanted and wanted <= locked, wanted - locked


def test_a_plan_shows_what_changes_and_what_stays() -> None:
    items = (
        Item("a", "file", "older", "write"), Item("b", "image", "there"), Item("c", "task", "none", "register", True)
    )  # fmt: skip
    plan = Plan("A study", items, ("Mind the gap.",), ("$1",))
    text = as_text(plan)
    assert re.search(r"^  \+ file  +older  ->  write$", text, re.M)
    assert re.search(r"^  = image  +there$", text, re.M)
    assert "2 things to do" in text and "Mind the gap." in text and "$1" in text
    assert [item.key for item in plan.without_container().changes] == ["a"]
    assert "nothing to do" in as_text(Plan("A study", ()))


def test_defaults_that_aws_adds_do_not_count_as_changes() -> None:
    wanted = {"a": [{"name": "x", "value": "1"}, {"name": "b", "value": "2"}], "c": {"d": 1}}
    found = {"a": [{"name": "b", "value": "2", "z": 0}, {"name": "x", "value": "1"}], "c": {"d": 1, "e": []}, "f": 0}
    assert same(found, wanted)
    for other in ({"c": {"d": 2}}, {"a": []}, {"c": None}, {"a": [{"name": "x", "value": "1"}] * 2}):
        assert not same(found | other, wanted)


def test_names_of_roles_stay_their_own_when_they_are_long() -> None:
    long = [role_name("hippogym", f"task-{'a' * 60}{end}") for end in "xy"]
    assert len(set(long)) == 2 and all(len(name) == 64 for name in long)
    assert role_name("lab", "task-pilot") == "hippogym-lab-task-pilot"


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "its engine does not answer"),
        ("permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
        ("write /x: no space left on device", "the disk is full"),
        ("denied: requested access to the resource is denied", "does not let us in"),
        ("dial tcp: lookup x: no such host", "give the command again"),
        ("toomanyrequests: slow down", "asks for a pause"),
        ("ERROR: No matching distribution found for nothing==1", "no Python package nothing==1"),
        ("something new went wrong", "docker version failed: something new went wrong"),
        ("", "it does not say why"),
    ],
)
def test_what_docker_complains_of_is_a_sentence(tmp_path: Path, stderr: str, words: str) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write({stderr!r})\nsys.exit(1)\n")
    program.chmod(0o755)
    for ask in (Docker(str(program)).engine, lambda: Docker(str(program)).follow("version", said=lambda line: None)):
        with pytest.raises(DeployError, match=re.escape(words)):
            ask()


def test_without_docker_it_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="not installed"):
        Docker(str(tmp_path / "docker")).engine()


def test_a_docker_that_hangs_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(DeployError, match="did not end within"):
        Docker(str(program)).ask("version", wait_s=0.2)
    with pytest.raises(DeployError, match="did not end within"):
        Docker(str(program)).follow("build", said=lambda line: None, wait_s=0.2)


def test_systemd_and_the_shell_understand_what_is_written_for_a_machine(tmp_path: Path) -> None:
    written = unit("hippo-pilot", "hippo-pilot:0123")
    for words in ("--publish 443:5000", "--stop-timeout 120", "TimeoutStopSec=150", "--signal HUP", "--cap-drop ALL"):
        assert words in written
    assert subprocess.run(["sh", "-n"], input=hook("hippo-pilot").encode(), check=False).returncode == 0
    (tmp_path / "hippo-pilot.service").write_text(written)
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "hippo-pilot.service")]
    try:
        ran = subprocess.run(verify, capture_output=True, text=True, timeout=240, check=False)
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not here")
    ours = [line for line in ran.stderr.splitlines() if "hippo-pilot.service:" in line and "Unknown" in line]
    assert not ours, ran.stderr


def command(study: Path, *words: str, path: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "updateProject.py"), "--study", str(study), *words],
        capture_output=True, text=True, timeout=240, input="", env={"PATH": path, "HOME": str(study)}, check=False,
    )  # fmt: skip


def test_without_aws_and_without_docker_n_still_leaves_everything_ready(study: Path, tmp_path: Path) -> None:
    plain = re.sub(r"  (events|awsSetup|ssl): .*\n", "", CONFIG).replace("useAWS: True", "useAWS: False")
    (study / "config.yml").write_text(plain.replace("s3upload: True", "s3upload: False"))
    refused = command(study, "--yes", path=str(tmp_path))
    assert (refused.returncode, "docker is not installed" in refused.stderr) == (2, True), refused.stderr
    assert not (study / ".trialConfig.yml").exists()
    ran = command(study, "--no-container", path=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert "docker build -t hippo ." in ran.stdout
    assert load_study(study).project.id == "pilot" and (study / ".trialConfig.yml").is_file()


def test_mistakes_are_a_sentence_and_exit_code_2(study: Path, tmp_path: Path) -> None:
    (study / "config.yml").write_text("project: {live: perhaps}\n")
    ran = command(study, "--dry-run", path=str(tmp_path))
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert "project.live" in ran.stderr
