"""``updateProject.py`` with ``--target aws`` in an account under moto."""

import json
import re

import boto3
import pytest

from hippogym.deploy.problems import DeployError
from hippogym.errors import HippoError
from tests.deploy.lab import BUCKET, CONFIG, DOMAIN, REGION, SSL_BUCKET, Lab, certificate


def definition() -> dict:
    return boto3.client("ecs", region_name=REGION).describe_task_definition(taskDefinition="hippogym-pilot")[
        "taskDefinition"
    ]


def test_a_dry_run_prints_the_plan_and_what_it_costs_and_changes_nothing(lab: Lab, capsys) -> None:
    before = lab.state()
    calls = lab.deploy("--dry-run")
    plan = capsys.readouterr().out
    assert "task definition" in plan and "->  register" in plan
    assert re.search(r"Spot\s+\$0\.\d+ an hour", plan)
    assert lab.state() == before
    assert not (lab.study / ".trialConfig.yml").exists()
    reading = re.compile(r"\.(Get|Describe|List|Head)")
    assert [call for call in calls.said if not reading.search(call)] == []


def test_the_first_run_places_everything_and_the_second_changes_nothing(lab: Lab, capsys) -> None:
    lab.deploy("--yes")
    objects = lab.objects()
    for name in ("consent.html", "survey-0.html", "survey-1.html", "thanks.html"):
        assert objects[f"pilot/StepFiles/{name}"] == objects[f"pilot/{name}"]
    assert len(objects["pilot/StepFiles/images/dot.png"]) == 40_004
    [line] = json.loads(objects["project_master_list.json"]).values()
    assert (line["id"], line["live"], line["steps"]["2"], line["maxRuntime"]) == ("pilot", True, "game", 30)
    study = json.loads(objects["pilot/study.json"])
    assert study["taskDefinition"] == definition()["taskDefinitionArn"]
    assert study["variants"] == {"survey": ["0", "1"]}
    assert study["pages"]["consent.html"]["form"]["controls"][0]["name"] == "word"
    placed = lab.state()
    capsys.readouterr()
    calls = lab.deploy("--yes")
    assert "nothing to do" in capsys.readouterr().out
    assert lab.state() == placed
    assert len(lab.engine.pushed) == 1
    assert not [call for call in calls.said if re.search(r"\.(Put|Create|Register|Invoke|Update|Delete)", call)]


def test_the_container_gets_what_it_needs_to_know_and_may_do_no_more_than_that(lab: Lab) -> None:
    lab.deploy("--yes")
    task = definition()
    [container] = task["containerDefinitions"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert environment == {
        "PROJECT_ID": "pilot", "ADDRESS": "0.0.0.0", "PORT": "5000", "STUDY_BUCKET": BUCKET, "SSL_BUCKET": SSL_BUCKET,
        "AWS_REGION": REGION, "PAGE_ORIGIN": "",
    }  # fmt: skip
    assert (task["cpu"], task["memory"], container["stopTimeout"]) == ("2048", "4096", 120)
    assert task["runtimePlatform"]["cpuArchitecture"] == "X86_64"
    assert re.search(r"/hippogym/pilot@sha256:[0-9a-f]{64}$", container["image"])
    role = boto3.client("iam").get_role(RoleName="hippogym-hippogym-task-pilot")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/hippogym-hippogym-boundary")
    assert role["Arn"] == task["taskRoleArn"]
    policy = boto3.client("iam").get_role_policy(
        RoleName="hippogym-hippogym-task-pilot", PolicyName="records-and-certificates"
    )["PolicyDocument"]
    resources = [
        r for s in policy["Statement"] for r in ([s["Resource"]] if isinstance(s["Resource"], str) else s["Resource"])
    ]
    assert all("/pilot/" in r or "/SSL/" in r or r == f"arn:aws:s3:::{BUCKET}" for r in resources)
    assert not any("*" in action for s in policy["Statement"] for action in s["Action"])


@pytest.mark.parametrize(
    ("change", "items"),
    [
        (lambda lab: (lab.study / "StepFiles" / "consent.html").write_text("<h1>New</h1>"),
         {"step files", "image", "task definition", "study.json"}),
        (lambda lab: (lab.study / "config.yml").write_text(CONFIG.replace("whoever", "somebody")),
         {".projectConfig.yml", "line in the master list"}),
        (lambda lab: (lab.study / "config.yml").write_text(CONFIG.replace("memory: 4", "memory: 8")),
         {".projectConfig.yml", "task definition", "study.json"}),
        (lambda lab: (lab.study / "agent.py").write_text("# new"), {"image", "task definition", "study.json"}),
    ],
    ids=["a page", "a name", "the memory", "the agent"],
)  # fmt: skip
def test_only_what_differs_is_done(lab: Lab, capsys, change, items: set[str]) -> None:
    lab.deploy("--yes")
    change(lab)
    capsys.readouterr()
    lab.deploy("--yes")
    marked = set(re.findall(r"^  \+ (image|repository|[\w .]+?)(?: [0-9a-f]{20}\S+)?  ", capsys.readouterr().out, re.M))
    assert marked == items
    lab.deploy("--yes")
    assert "nothing to do" in capsys.readouterr().out


def test_n_leaves_the_container_and_does_the_rest(lab: Lab, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO("n\n"))
    lab.deploy()
    assert lab.engine.built == {} and lab.state()["definitions"] == []
    assert (lab.study / ".trialConfig.yml").is_file()
    assert json.loads(lab.objects()["pilot/study.json"])["taskDefinition"] is None
    lab.deploy("--no-container")
    assert "answer y" in capsys.readouterr().out
    lab.deploy("--yes")
    assert json.loads(lab.objects()["pilot/study.json"])["taskDefinition"] == definition()["taskDefinitionArn"]


@pytest.mark.parametrize("answer", ["", "q\n", "perhaps\nwhy\nwhat\n"])
def test_without_a_clear_answer_nothing_is_changed(lab: Lab, monkeypatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO(answer))
    before = lab.state()
    with pytest.raises(DeployError, match=r"(?i)nothing was changed"):
        lab.deploy()
    assert lab.state() == before


def test_everything_that_is_wrong_is_said_at_once_before_anything_is_changed(lab: Lab) -> None:
    (lab.study / "StepFiles" / "consent.html").unlink()
    (lab.study / "agent.py").write_text("KEY = 'AKIA" + "ABCDEFGHIJKLMNOP'\n")
    (lab.study / "notes.txt").write_text("-----BEGIN RSA PRIVATE" + " KEY-----\n")
    before = lab.state()
    with pytest.raises(DeployError) as refused:
        lab.deploy("--yes")
    for words in ("consent.html", "agent.py holds an AWS access key", "notes.txt holds a private key"):
        assert words in str(refused.value)
    assert lab.state() == before


def test_aws_needs_a_domain_a_certificate_and_the_steps_of_the_server(lab: Lab) -> None:
    config = re.sub(r"rootDomain: [\w.]+, ", "", re.sub(r"  (ssl|events): .*\n", "", CONFIG))
    (lab.study / "config.yml").write_text(config)
    with pytest.raises(DeployError) as refused:
        lab.deploy("--yes")
    for name in ("rootDomain", "sslBucket", "fullchain", "privkey", "startServerStep", "stopServerStep"):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "There is no certificate"),
        (certificate(("*.other.example.org",)), rf"for \*\.other\.example\.org, not for \*\.{DOMAIN}"),
        ((b"nonsense", b""), "not a certificate"),
    ],
    ids=["none", "of another domain", "nonsense"],
)
def test_a_certificate_that_browsers_would_refuse_holds_back_the_container(lab: Lab, made, words: str) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    if made is None:
        s3.delete_object(Bucket=SSL_BUCKET, Key="SSL/fullchain.pem")
    else:
        s3.put_object(Bucket=SSL_BUCKET, Key="SSL/fullchain.pem", Body=made[0])
    before = lab.state()
    with pytest.raises(DeployError, match=words):
        lab.deploy("--yes")
    assert lab.state() == before


def test_what_is_worth_a_look_is_said(lab: Lab, capsys) -> None:
    chain, _ = certificate(days=12)
    boto3.client("s3", region_name=REGION).put_object(Bucket=SSL_BUCKET, Key="SSL/fullchain.pem", Body=chain)
    (lab.study / "config.yml").write_text(CONFIG.replace("s3upload: True", "s3upload: False"))
    (lab.study / "xvfb.sh").write_text('#!/bin/sh\n# runs it\nset -- python3 communicator.py dev\nexec "$@"\n')
    lab.deploy("--dry-run")
    said = capsys.readouterr().out
    for words in ("xvfb.sh runs dev", "in 11 days: renew it", "s3upload is off"):
        assert words in said


def test_without_a_stack_it_says_what_to_do(lab: Lab) -> None:
    with pytest.raises(DeployError, match="hippogym aws setup"):
        lab.deploy("--yes", "--stack", "elsewhere")


def test_without_credentials_it_says_where_they_go(lab: Lab, monkeypatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(HippoError, match=r"no AWS credentials.*\.env"):
        lab.deploy("--dry-run", fresh=True)


def test_a_role_whose_rights_were_changed_by_hand_is_brought_in_order(lab: Lab, capsys) -> None:
    lab.deploy("--yes")
    placed = lab.state()
    iam, role = boto3.client("iam"), "hippogym-hippogym-task-pilot"
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="records-and-certificates", PolicyDocument=json.dumps(everything))
    capsys.readouterr()
    lab.deploy("--yes")
    assert "other rights" in capsys.readouterr().out
    assert lab.state() == placed
    lab.deploy("--yes")
    assert "nothing to do" in capsys.readouterr().out
