"""The answers of a study on AWS are the same tables, from the documents that its functions write."""

import base64

import boto3
import pytest
from functions.ledger import LARGE, BucketLedger
from functions.objects import Objects

from hippogym.cli import main
from hippogym.core.study.codes import make_code
from hippogym.core.study.tickets import study_key
from hippogym.data.answers import ledger_in
from tests.study.at_the_desk import Clock, Guest, opened, settings_of
from tests.study.whole_study import a_file

STEPS = ["consent.html", "survey.html"]
PAGES = {
    "consent.html": '<input type="checkbox" name="agree">',
    "survey.html": '<textarea name="text"></textarea><input type="file" name="file">',
    "thanks.html": "Thanks",
}


@pytest.fixture
def bucket(moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    return moto.make_bucket()


@pytest.fixture
async def study(moto, bucket, tmp_path):
    """The same visits in a folder and in a bucket: (data folder, address)."""
    data = tmp_path / "data"
    data.mkdir()
    clock = Clock()
    async with opened(data, settings_of(STEPS), clock, PAGES) as desk:
        for who, text in (("ada", "short"), ("bob", "x" * LARGE)):
            guest = await Guest(desk, userId=who).arrive()
            await guest.submit(agree=True)
            await guest.submit(text=text, file=a_file("x", text.encode()))
            clock.now_s += 1.0
        await Guest(desk, userId="only here").arrive()
    with ledger_in(data) as kept:
        there = BucketLedger(Objects(moto.client(), bucket), "pilot", 0.0)
        for held in kept.all():
            there.create(held.visit, None)
            for version, row in enumerate(kept.answers(held.visit["id"]), 1):
                answer = {name: value for name, value in row.items() if name != "visit"}
                assert there.save(held.visit, version, answer)
        there.commit()
    return data, f"s3://{bucket}/pilot"


@pytest.mark.parametrize("rows", ["visits", "answers"])
async def test_the_tables_are_those_of_a_study_in_a_folder(study, tmp_path, capsys, rows):
    data, address = study
    tables = []
    for number, place in enumerate((["--data", str(data)], ["--study", address])):
        files = tmp_path / f"files-{number}"
        assert main(["answers", *place, "--rows", rows, "--to", "jsonl", "--files", str(files)]) == 0
        content = {path.name: path.read_bytes() for path in files.iterdir()}
        tables.append((capsys.readouterr().out.splitlines(), content))
    assert tables[0] == tables[1]
    assert len(tables[0][0]) >= 3 and len(tables[0][1]) == 2


@pytest.mark.parametrize("shape", [[], ["--ids"], ["--bonuses", "--bonus", "1"]])
async def test_who_is_to_be_paid_is_the_same(study, capsys, shape):
    data, address = study
    told = []
    for place in (["--data", str(data)], ["--study", address]):
        assert main(["payouts", *place, *shape]) == 0
        told.append(capsys.readouterr())
    assert told[0] == told[1] and "2 to be paid" in told[0].err


@pytest.fixture
def parameters(moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{moto.port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    return boto3.client("ssm")


async def test_codes_are_told_real_by_the_key_of_the_stack(study, parameters, capsys):
    key = bytes(range(32))
    parameters.put_parameter(Name="/hippogym/lab/key", Value=base64.b64encode(key).decode(), Type="SecureString")
    code = make_code(study_key(key, "pilot"), "complete", "0" * 20)
    forged = make_code(study_key(key, "another"), "complete", "0" * 20)
    assert main(["code", "verify", code, "--study", study[1], "--stack", "lab"]) == 0
    assert "real, complete" in capsys.readouterr().out
    assert main(["code", "verify", forged, "--study", study[1], "--stack", "lab"]) == 1
    assert "not a code of this study" in capsys.readouterr().out


async def test_without_the_key_no_code_is_believed(study, parameters, tmp_path, capsys):
    for command in (["code", "verify", "abc"], ["payouts", "--batch", str(tmp_path / "batch.csv")]):
        assert main([*command, "--study", study[1], "--stack", "nobodys"]) != 0
        assert "there is no stack nobodys in this region" in capsys.readouterr().err


async def test_what_cannot_be_read_is_said_in_a_sentence(moto, bucket, capsys):
    assert main(["answers", "--study", f"s3://{bucket}/nothing"]) != 0
    assert "there are no answers" in capsys.readouterr().err
    moto.client().put_object(Bucket=bucket, Key=f"pilot/visits/{'0' * 20}.json", Body=b"[1]")
    assert main(["answers", "--study", f"s3://{bucket}/pilot"]) != 0
    assert "cannot be read" in capsys.readouterr().err
