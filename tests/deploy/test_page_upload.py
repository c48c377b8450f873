"""The participants' page in its bucket: whole, atomically another one, and with headers as strict as a server's own."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from hippogym.deploy.aws import Aws
from hippogym.deploy.page_upload import STATIC, PageBucket
from hippogym.pages.policy import content_policy
from hippogym.pages.routes import PageSettings, strict_headers
from hippogym.pages.step_files import TYPES
from tests.deploy.distribution import Distribution, resources

REGION, BUCKET = "us-west-2", "page-of-a-lab"
OUTPUTS = {"PageBucket": BUCKET, "ApiUrl": "https://api.example.org/", "RootDomain": "lab.example.org"}
VERSION = re.compile(r'"/static/([0-9a-f]{16})/js/main\.js"')


@pytest.fixture
def static(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STATIC, tmp_path / "static"))


@pytest.fixture
def s3() -> Iterator[object]:
    with mock_aws():
        made = boto3.client("s3", region_name=REGION)
        made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield made


def there(s3) -> dict[str, dict]:
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    return {key: s3.get_object(Bucket=BUCKET, Key=key) for key in keys}


def index(s3) -> str:
    return s3.get_object(Bucket=BUCKET, Key="index.html")["Body"].read().decode()


def test_every_file_is_there_with_its_kind_and_a_time_for_which_it_may_be_kept(s3, static):
    bucket = PageBucket(Aws(REGION), OUTPUTS, static)
    assert bucket.item().now == "not there"
    version = bucket.upload()
    found = there(s3)
    kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
    of_version = {key: one for key, one in found.items() if key.startswith(f"static/{version}/")}
    assert set(found) - set(of_version) == {"index.html", "page-settings"}
    for key, one in of_version.items():
        assert one["ContentType"] == kinds[Path(key).suffix]
        assert "immutable" in one["CacheControl"]
    for key, kind in (("index.html", "text/html; charset=utf-8"), ("page-settings", "application/json")):
        assert (found[key]["ContentType"], found[key]["CacheControl"]) == (kind, "no-cache")
    assert not [key for key in found if "dashboard" in key or "package.json" in key]
    for name in re.findall(r'(?:src|href)="/([^"]+)"', index(s3)):
        assert name in found
    settings = json.loads(found["page-settings"]["Body"].read())
    assert (settings["api"], settings["rootDomain"]) == ("https://api.example.org", "lab.example.org")
    assert settings["dev"] is False and settings["steps"] is True


def test_a_second_time_nothing_is_to_be_done(s3, static):
    bucket = PageBucket(Aws(REGION), OUTPUTS, static)
    version = bucket.upload()
    before = {key: one["LastModified"] for key, one in there(s3).items()}
    assert (bucket.item().now, bucket.item().change) == (f"version {version}", "")
    bucket.upload()
    assert {key: one["LastModified"] for key, one in there(s3).items()} == before


def test_another_version_takes_its_place_at_once_and_the_one_before_stays_for_those_who_have_just_got_it(s3, static):
    bucket = PageBucket(Aws(REGION), OUTPUTS, static)
    versions = [bucket.upload()]
    for number in range(2):
        (static / "js" / "main.js").write_text(f"// {number}\n")
        (static / "js" / f"new-{number}.js").write_text("")
        (static / "js" / f"new-{number - 1}.js").unlink(missing_ok=True)
        assert bucket.item().change
        versions.append(bucket.upload())
        assert bucket.item().change == ""
    assert VERSION.search(index(s3))[1] == versions[2]
    assert {key.split("/")[1] for key in there(s3) if key.startswith("static/")} == set(versions[1:])


def test_a_half_done_upload_is_not_what_people_get_and_can_be_done_again(s3, static, monkeypatch):
    bucket = PageBucket(Aws(REGION), OUTPUTS, static)
    first = bucket.upload()
    (static / "js" / "main.js").write_text("// another\n")
    done, put = [], bucket._put

    def fails(one, about=None):
        done.append(one)
        if len(done) == 5:
            raise RuntimeError("the line is gone")
        put(one, about)

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "_put", fails)
        with pytest.raises(RuntimeError):
            bucket.upload()
    assert VERSION.search(index(s3))[1] == first
    second = bucket.upload()
    assert VERSION.search(index(s3))[1] == second != first
    assert bucket.item().change == ""


def test_cloudfront_says_what_a_server_of_ones_own_says(s3, static):
    PageBucket(Aws(REGION), OUTPUTS, static).upload()
    values = {**OUTPUTS, "ApiUrl": "https://api.example.org"}
    page = Distribution(s3, {"PageBucket": BUCKET, "StudyBucket": BUCKET}, values)
    status, headers, body = page.answer("GET", "/?projectId=pilot", [], b"")
    assert status == 200 and body.decode() == index(s3)
    own = content_policy((), dev=False, step_pages=())
    ours = dict(part.strip().split(" ", 1) for part in own.split(";"))
    theirs = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert theirs.pop("connect-src") == "'self' https://api.example.org wss://*.lab.example.org:5000"
    assert ours.pop("connect-src") == "'self'"
    assert theirs == ours
    strict = strict_headers(PageSettings("", "", (), dev=False))
    for name, value in strict.items():
        assert name == "Content-Security-Policy" or headers[name.lower()] == value, name
    page._server.server_close()


def test_of_step_files_only_what_pages_show_can_be_read_and_nothing_else_of_a_study():
    [statement] = [
        one
        for one in resources()["StudyBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow"
    ]
    readable = set(statement["Resource"])
    large = {".PNG", ".JPG", ".JPEG"}
    assert readable == {"${StudyBucket.Arn}/*/StepFiles/*" + suffix for suffix in TYPES.keys() | large}
    assert not {".html", ".json", ".js"} & {Path(one).suffix for one in readable}
