"""A participant is forgotten by the bucket, too, in all versions."""

from hippogym.cli import main
from hippogym.data.storage import open_storage
from tests.forget.study_with_people import OTHER, PROJECT, WHO, answer, deliver, keep, make_study


def test_all_versions_go_and_those_of_others_stay(moto, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    bucket, client = moto.make_bucket(), moto.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    study = make_study(tmp_path / "study", bucket)
    store = open_storage(f"s3://{bucket}")
    for number, who in enumerate((WHO, OTHER)):
        keep(study, f"trial-{number}", who)
        answer(study, store, who)
        for body in (b"old", b"new"):
            client.put_object(Bucket=bucket, Key=f"{PROJECT}/users/{who}", Body=body)
    deliver(study, store)
    client.delete_object(Bucket=bucket, Key=f"{PROJECT}/users/{WHO}")
    assert main(["forget", WHO, "--study", str(study), "--yes"]) == 0
    assert WHO not in "".join(capsys.readouterr())
    left = client.list_object_versions(Bucket=bucket)
    keys = [item["Key"] for kind in ("Versions", "DeleteMarkers") for item in left.get(kind, ())]
    assert keys and all(key.startswith((f"{PROJECT}/users/{OTHER}", f"{PROJECT}/Trials/{OTHER}/")) for key in keys)
    store.close()


def test_what_was_uploaded_can_be_left_alone(moto, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    bucket = moto.make_bucket()
    study = make_study(tmp_path / "study", bucket)
    keep(study, "trial-1", WHO)
    store = open_storage(f"s3://{bucket}")
    deliver(study, store)
    before = moto.objects(bucket)
    assert main(["forget", WHO, "--study", str(study), "--yes", "--only-here"]) == 0
    assert moto.objects(bucket) == before
    store.close()
