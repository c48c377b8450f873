"""A participant of a study on AWS is forgotten by the bucket's documents, too, in all versions."""

import hashlib
import json
import time

import pytest

from hippogym.cli import main
from hippogym.data.users import file_name
from tests.forget.study_with_people import OTHER, PROJECT, WHO, make_study

VISIT, OTHERS, SERVER = "0123456789abcdef0123", "f" * 20, "a" * 20


@pytest.fixture
def bucket(moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    bucket = moto.make_bucket()
    moto.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def keys_of(visit_id, who):
    listed = f"visits/by-user/{hashlib.sha256(who.encode()).hexdigest()}"
    return [f"visits/answers/{visit_id}/q.json", f"visits/left/{visit_id}", f"visits/{visit_id}.json", listed,
            f"receipts/{visit_id}.json", f"servers/of/{visit_id}.json", f"users/{file_name(who, '')}.json"]  # fmt: skip


def put(client, bucket, key, value):
    client.put_object(Bucket=bucket, Key=f"{PROJECT}/{key}", Body=json.dumps(value).encode())


def take_part(client, bucket, visit_id, who, *, seen_s=1.0, state="stopped"):
    """Everything that a visit leaves on AWS, each written twice."""
    link = {"SESSION_ID": f"session-of-{visit_id}"}
    visit = {"id": visit_id, "user": who, "link": link, "seen_s": seen_s, "outcome": None, "superseded_by": None}
    for key in keys_of(visit_id, who) * 2:
        value = {"visit": visit} if key == f"visits/{visit_id}.json" else {"server": SERVER}
        put(client, bucket, key, [{"visit": visit_id, "t_s": 1}] if "by-user" in key else value)
    server = {"id": SERVER, "visits": [visit_id], "state": state, "until_s": time.time() + 3600}
    put(client, bucket, f"servers/{SERVER}.json", server)


def left(client, bucket):
    found = client.list_object_versions(Bucket=bucket)
    return {
        one["Key"].removeprefix(f"{PROJECT}/") for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, ())
    }


@pytest.mark.parametrize("name", [WHO, f"session-of-{VISIT}"])
def test_visits_go_in_all_versions_under_a_name_or_a_part_of_the_link(moto, bucket, tmp_path, capsys, name):
    client, study = moto.client(), make_study(tmp_path / "study", bucket)
    take_part(client, bucket, VISIT, WHO)
    take_part(client, bucket, OTHERS, OTHER)
    put(client, bucket, "assignments.json", [{"visit": VISIT, "arm": "a"}])
    client.delete_object(Bucket=bucket, Key=f"{PROJECT}/receipts/{VISIT}.json")
    assert main(["forget", name, "--study", str(study), "--yes"]) == 0
    assert WHO not in "".join(capsys.readouterr())
    assert left(client, bucket) == {*keys_of(OTHERS, OTHER), f"servers/{SERVER}.json", "assignments.json"}


def test_after_a_failure_the_list_still_says_which_visits_there_were(moto, bucket, tmp_path):
    client, study = moto.client(), make_study(tmp_path / "study", bucket)
    take_part(client, bucket, VISIT, WHO)
    client.delete_object(Bucket=bucket, Key=f"{PROJECT}/visits/{VISIT}.json")  # older versions are still there
    assert main(["forget", WHO, "--study", str(study), "--yes"]) == 0
    assert left(client, bucket) == {f"servers/{SERVER}.json"}


@pytest.mark.parametrize("now", [{"state": "running"}, {"state": "stopping"}, {"seen_s": 2.0**40}])
def test_who_takes_part_or_has_a_server_is_not_forgotten_by_halves(moto, bucket, tmp_path, now):
    client, study = moto.client(), make_study(tmp_path / "study", bucket)
    take_part(client, bucket, VISIT, WHO, **now)
    before = left(client, bucket)
    assert main(["forget", WHO, "--study", str(study), "--yes"]) != 0
    assert left(client, bucket) == before
