"""Stores: what every one does in the same way, a folder and a bucket."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.data.storage import FileRange, Match, open_storage, put_once
from hippogym.errors import StorageError


@pytest.fixture(params=["folder", "file url", "rclone", "moto"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if request.param == "folder":
        yield open_storage(str(tmp_path / "a folder"))
    elif request.param == "file url":
        yield open_storage((tmp_path / "a folder").as_uri())
    else:
        store = request.getfixturevalue(request.param)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.port}")
        opened = open_storage(f"s3://{store.make_bucket()}/a/prefix/")
        yield opened
        opened.close()


@pytest.fixture
def body(tmp_path: Path):
    def body(data: bytes) -> FileRange:
        path = tmp_path / f"body-{len(list(tmp_path.glob('body-*')))}"
        path.write_bytes(data)
        return FileRange(path)

    return body


def read(storage, key: str) -> bytes:
    with storage.fetch(key) as file:
        data = file.read()
        file.seek(0)
        assert file.read() == data
        return data


def test_what_was_put_can_be_compared_listed_read_and_deleted(storage, body):
    storage.check()
    assert list(storage.keys("")) == []
    for key, data in (("x/one.pkl", b"one"), ("x/two", b""), ("y@z.b_c-d/three", b"3" * 100_000)):
        assert storage.compare(key, body(data)) is Match.MISSING
        assert put_once(storage, key, body(data)) == key
        assert storage.compare(key, body(data)) is Match.EQUAL
        assert storage.compare(key, body(data + b"!")) is Match.DIFFERENT
        assert storage.compare(key, body(b"?" + data[1:])) is Match.DIFFERENT
        assert read(storage, key) == data
    assert list(storage.keys("")) == ["x/one.pkl", "x/two", "y@z.b_c-d/three"]
    assert list(storage.keys("x/o")) == ["x/one.pkl"]
    storage.delete("x/one.pkl")
    storage.delete("x/one.pkl")
    assert list(storage.keys("x/")) == ["x/two"]
    with pytest.raises(StorageError):
        storage.fetch("x/one.pkl")


def test_what_is_made_to_change_can_be_replaced(storage, body):
    for data in (b"first", b"second, and longer", b"3"):
        storage.replace("users/ada", body(data))
        assert read(storage, "users/ada") == data
        assert storage.compare("users/ada", body(data)) is Match.EQUAL
    assert list(storage.keys("")) == ["users/ada"]
    assert storage.erase("users/ada", exactly=True) >= 1 and list(storage.keys("")) == []


def test_erasing_takes_all_that_begins_so(storage, body):
    for key in ("a/1", "a/2", "b/1"):
        put_once(storage, key, body(b"data"))
    assert storage.erase("a/") == 2
    assert list(storage.keys("")) == ["b/1"]


def test_every_version_is_erased(moto, monkeypatch, body):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    bucket, client = moto.make_bucket(), moto.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"1", b"2"):
        client.put_object(Bucket=bucket, Key="who/x", Body=data)
    client.delete_object(Bucket=bucket, Key="who/x")
    storage = open_storage(f"s3://{bucket}")
    assert storage.erase("who/") == 3
    left = client.list_object_versions(Bucket=bucket)
    assert "Versions" not in left and "DeleteMarkers" not in left
    storage.close()


def test_nothing_is_ever_replaced(storage, body):
    assert put_once(storage, "k", body(b"first")) == "k"
    name = put_once(storage, "k", body(b"other"))
    assert name.startswith("k.conflict-") and put_once(storage, "k", body(b"other")) == name
    assert (read(storage, "k"), read(storage, name)) == (b"first", b"other")


@pytest.mark.parametrize("key", ["../x", "a/../x", "/x", "a//b", ".", "a\0b", ""])
def test_no_key_leads_out_of_the_folder(key, tmp_path, body):
    with pytest.raises(StorageError):
        put_once(open_storage(str(tmp_path / "store")), key, body(b"x"))
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path, body):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/store: Not a directory"):
        put_once(open_storage(str(tmp_path / "file" / "store")), "k", body(b"x"))


def test_an_object_of_a_folder_is_never_half_there(tmp_path, body, monkeypatch):
    """The disk is full before it is whole."""
    storage, whole = open_storage(str(tmp_path / "store")), body(b"x" * 100)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageError, match="No space left"):
        storage.put_new("k", whole)
    assert list(storage.keys("")) == [] and not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3://UPPER/x", "s3:///x", "file://host/x", "http://x"])
def test_what_is_no_store_is_refused(url):
    with pytest.raises(StorageError, match="expected|cannot be the name"):
        open_storage(url)


def test_where_nobody_listens_it_says_so(monkeypatch, body):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    storage = open_storage("s3://bucket", answer_s=1)
    for ask in (storage.check, lambda: storage.compare("secret-key", body(b"")), lambda: storage.fetch("secret-key")):
        with pytest.raises(StorageError, match=r"^s3://bucket: it cannot be reached$") as raised:
            ask()
        assert raised.value.__cause__ is None and not raised.value.denied
    storage.close()


def test_a_bucket_that_does_not_exist_is_named(moto, monkeypatch, body):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{moto.port}")
    storage = open_storage("s3://no-such-bucket")
    with pytest.raises(StorageError, match="there is no such bucket") as raised:
        storage.check()
    assert raised.value.denied
    storage.close()


@given(st.binary(max_size=300), st.data())
def test_a_range_reads_as_the_bytes_that_it_is(data, draw):
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        body = FileRange(Path(file.name), start, stop)
        with body.open() as reader:
            assert len(reader) == body.size == stop - start
            at = draw.draw(st.integers(0, stop - start))
            reader.seek(at)
            assert reader.read() == data[start:stop][at:] and reader.read(5) == b"" and reader.tell() == stop - start
            reader.seek(-body.size, 2)
            assert reader.read(3) == data[start:stop][:3]
        piece = draw.draw(st.integers(1, 400))
        assert b"".join(each.open().read() for each in body.pieces(piece)) == data[start:stop]


def test_a_file_that_becomes_shorter_is_noticed(tmp_path, body):
    part = FileRange(body(b"x" * 10).path, 0, 20)
    with pytest.raises(OSError, match="shorter"):
        part.digests()
