"""The commands on a real bucket, and the spool held against it."""

import asyncio
import json
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from hippogym import cli
from hippogym.data.storage.s3 import S3Storage
from hippogym.data.upload_queue import UploadQueue
from hippogym.data.upload_status import write_status
from tests.export.making import Play, simple_record
from tests.played import play_trial, study_of
from tests.survival.scenes import bring_up
from tests.upload.conftest import Store

PROJECT = "Trials"  # bring_up puts everything below the folder's own name
TICKS = 30


@dataclass
class Uploaded:
    """A study whose records are in a bucket. keys: of the records there."""

    study: Path
    url: str
    store: Store

    @property
    def records(self) -> Path:
        return self.study / "Trials"

    @property
    def bucket(self) -> str:
        return self.url.removeprefix("s3://")

    @property
    def keys(self) -> list[str]:
        return [key for key in self.store.objects(self.bucket) if key.endswith(".pkl")]

    def upload(self) -> None:
        """What the uploader does in one turn; its status, too."""
        storage = S3Storage(self.bucket)
        bring_up(self.records, storage)
        write_status(self.records, storage.where, UploadQueue())
        storage.close()

    def put(self, key: str, data: bytes) -> None:
        self.store.client().put_object(Bucket=self.bucket, Key=key, Body=data)

    def remove(self, key: str) -> None:
        self.store.client().delete_object(Bucket=self.bucket, Key=key)


@pytest.fixture
def store(rclone: Store) -> Store:
    """One is enough for most."""
    return rclone


@pytest.fixture
def empty(tmp_path: Path, store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Uploaded:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.port}")
    study = study_of(tmp_path / "study", "CartPole-v1")
    (study / "Trials").mkdir()
    monkeypatch.chdir(study)
    return Uploaded(study, f"s3://{bucket}", store)


@pytest.fixture(scope="module")
def two_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two participants did in CartPole."""
    study = study_of(tmp_path_factory.mktemp("played"), "CartPole-v1")
    for trial, user in (("one", "ada"), ("two", "ben")):
        asyncio.run(play_trial(study, trial, ticks=TICKS, user=user))
    return study / "Trials"


@pytest.fixture
def played(empty: Uploaded, two_trials: Path) -> Uploaded:
    """The two trials, uploaded."""
    shutil.copytree(two_trials, empty.records, dirs_exist_ok=True)
    empty.upload()
    return empty


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


# -- a bucket as a place to read from --------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["rclone", "moto"], indirect=True)
def test_read_finds_in_the_bucket_what_it_finds_on_the_disk(played: Uploaded, capsys: pytest.CaptureFixture) -> None:
    def lines(where: object) -> list[dict]:
        assert run("read", "--json", where) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [{name: value for name, value in line.items() if name != "source"} for line in told]

    assert lines(played.url) == lines(played.records)
    assert {line["participant"] for line in lines(f"{played.url}/{PROJECT}/Trials/ada")} == {"ada"}
    assert lines(f"{played.url}/{played.keys[1]}") == [lines(played.url)[1]]


def test_verify_reads_the_bucket_and_finds_one_changed_byte_in_it(
    played: Uploaded, capsys: pytest.CaptureFixture
) -> None:
    assert run("verify", played.url) == 0
    assert run("verify", f"{played.url}/{played.keys[-1]}") == 0, "of a single record's neighbours nothing is asked"
    key = played.keys[0]
    data = bytearray(played.store.objects(played.bucket)[key])
    data[len(data) // 2] ^= 1
    played.put(key, bytes(data))
    capsys.readouterr()
    assert run("verify", played.url) == 1
    assert f"{key}: bytes " in capsys.readouterr().out
    assert run("verify", "Trials", "--copies", played.url) == 1
    assert "its copy is another file" in capsys.readouterr().out


def test_replay_brings_records_here_trial_by_trial_and_leaves_nothing(
    played: Uploaded, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    assert run("replay", played.url) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert total == f"{len(played.keys)} episodes: {len(played.keys)} verified"
    assert [line.partition(":")[0] for line in lines] == played.keys
    assert run("replay", f"{played.url}/{played.keys[1]}") == 0
    assert capsys.readouterr().out.endswith("1 episodes: 1 verified\n")
    assert run("replay", f"{played.url}/{PROJECT}/Trials/ben") == 0
    assert set(tmp_path.iterdir()) == before


def test_a_record_that_its_machine_did_not_outlive_is_read_from_its_parts(
    empty: Uploaded, capsys: pytest.CaptureFixture
) -> None:
    trial = Play(empty.records, "lost").begin()
    for _ in range(7):
        trial.tick()
    empty.upload()
    trial.close()
    assert run("read", "--json", empty.url) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["ticks"], line["state"]) == (7, "open")
    assert run("verify", empty.url, "--remarks") == 0
    assert "still being written" in capsys.readouterr().out
    assert run("replay", empty.url) == 1
    assert "no closed records" in capsys.readouterr().err


def test_video_and_export_take_what_is_in_a_bucket(
    played: Uploaded, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    assert run("video", f"{played.url}/{played.keys[0]}", "--out", tmp_path / "one.mp4") == 0
    assert (tmp_path / "one.mp4").stat().st_size > 1000
    assert run("video", played.url, "--out", tmp_path / "two.mp4") == 1
    assert "is not the address of one record" in capsys.readouterr().err
    assert run("export", played.url, "--to", "jsonl", "--out", tmp_path / "study.jsonl") == 0
    assert f"{len(played.keys)} episodes" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["read", "verify", "replay"])
def test_what_is_not_there_is_said_in_a_sentence(
    command: str, empty: Uploaded, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where, sentence in (
        (f"{empty.url}/nothing", "there are no "),
        (f"{empty.url}/trial-1-episode_0000.pkl", "there "),
        ("s3://no-such-bucket-of-ours", "there is no such bucket"),
        ("s3://Not a bucket", "cannot be the name of a bucket"),
    ):
        assert run(command, where) == 1
        told = capsys.readouterr().err
        assert sentence in told and len(told.splitlines()) == 1
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    assert run(command, empty.url) == 1
    assert "it cannot be reached" in capsys.readouterr().err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert run(command, empty.url) == 1
    assert "there are no credentials" in capsys.readouterr().err


# -- the spool against the bucket ------------------------------------------------------------------------------------


@pytest.fixture
def three(empty: Uploaded) -> Uploaded:
    for number in range(3):
        simple_record(empty.records, f"trial-{number}")
    empty.upload()
    return empty


def last_lines(capsys: pytest.CaptureFixture, *words: object) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = run("verify", *words)
    return code, capsys.readouterr().out.splitlines()


def test_a_folder_and_its_bucket_agree(three: Uploaded, capsys: pytest.CaptureFixture) -> None:
    for words in (["Trials"], ["Trials", "--uploaded"], ["Trials", "--uploaded", "--remarks"]):
        assert last_lines(capsys, *words) == (
            0,
            ["3 records are as they were written, 0 are not", f"all 3 records are in {three.url}"],
        )


def test_what_waits_is_said_and_why(three: Uploaded, capsys: pytest.CaptureFixture) -> None:
    simple_record(three.records, "trial-3")
    trial = Play(three.records, "trial-4").begin().tick()
    code, lines = last_lines(capsys, "Trials", "--uploaded", "--remarks")
    assert code == 0
    assert "trial-3/episode_0000.pkl: (it waits to be uploaded)" in lines
    assert lines[-1].startswith("2 records (") and "are not uploaded: trial-3-episode_0000" in lines[-1]
    trial.close()
    status = three.records / ".spool" / "status.json"
    trouble = {"reason": "s3://x: it answers 403", "since": "2026-01-01T00:00:00+00:00", "tries": 7}
    told = {"store": trouble, "failing": [{"record": "trial-3-episode_0000", **trouble}]}
    status.write_text(json.dumps({**json.loads(status.read_text()), **told}))
    code, lines = last_lines(capsys, "Trials", "--remarks")
    assert "trial-3/episode_0000.pkl: (it waits to be uploaded: s3://x: it answers 403)" in lines
    assert "403" in lines[-1]


@pytest.mark.parametrize("ending", [".pkl", ".json"])
def test_what_the_bucket_has_lost_or_changed_is_found_only_by_asking_it(
    ending: str, three: Uploaded, capsys: pytest.CaptureFixture
) -> None:
    objects = three.store.objects(three.bucket)
    lost, changed = (next(key for key in objects if f"trial-{n}-" in key and key.endswith(ending)) for n in (0, 1))
    three.remove(lost)
    three.put(changed, objects[changed][:-1] + b"?")
    assert last_lines(capsys, "Trials")[0] == 0
    code, lines = last_lines(capsys, "Trials", "--uploaded")
    assert code == 1
    assert lines[:-1] == [
        f"trial-0/episode_0000.pkl: its {ending} was uploaded, and is not in the store any more",
        f"trial-1/episode_0000.pkl: its {ending} in the store is another file",
        "1 records are as they were written, 2 are not",
    ]


def test_a_record_that_changed_after_its_upload_is_found_by_the_spool_alone(
    three: Uploaded, capsys: pytest.CaptureFixture
) -> None:
    beside = three.records / "trial-2" / "episode_0000.json"
    beside.chmod(0o600)
    beside.write_text(beside.read_text() + " ")
    code, lines = last_lines(capsys, "Trials")
    assert (code, lines[0]) == (1, "trial-2/episode_0000.pkl: its .json is not what was uploaded")
    code, lines = last_lines(capsys, three.records / "trial-2" / "episode_0000.pkl")
    assert (code, lines[0]) == (1, "episode_0000.pkl: its .json is not what was uploaded")
    assert last_lines(capsys, three.records / "trial-1")[0] == 0


def test_what_is_only_in_the_store_is_said_and_is_looked_for_there(
    three: Uploaded, capsys: pytest.CaptureFixture
) -> None:
    for path in (three.records / "trial-1").iterdir():
        path.unlink()
    code, lines = last_lines(capsys, "Trials")
    assert (code, lines[-1]) == (0, "1 records were uploaded, and are not here any more")
    assert last_lines(capsys, "Trials", "--uploaded")[1][0] == "3 records are as they were written, 0 are not"
    three.remove(next(key for key in three.keys if "trial-1-" in key))
    code, lines = last_lines(capsys, "Trials", "--uploaded")
    assert code == 1 and "trial-1/episode_0000.pkl: its .pkl cannot be had from the store" in lines[0]


def test_a_spool_that_says_nonsense_is_no_proof(three: Uploaded, capsys: pytest.CaptureFixture) -> None:
    verified = three.records / ".spool" / "verified"
    half = verified / "trial-0.episode_0000.json"
    half.write_text(half.read_text()[:-20])
    without = verified / "trial-1.episode_0000.json"
    told = json.loads(without.read_text())
    del told["stored"][".json"]
    without.write_text(json.dumps(told))
    code, lines = last_lines(capsys, "Trials")
    assert code == 1
    assert lines[0] == "trial-0/episode_0000.pkl: what the spool says about its upload cannot be read"
    assert lines[1] == "trial-1/episode_0000.pkl: the spool says that it is uploaded, but not its .json"


def test_who_never_uploaded_cannot_ask(empty: Uploaded, capsys: pytest.CaptureFixture) -> None:
    simple_record(empty.records, "trial-1")
    assert run("verify", "Trials") == 0
    assert capsys.readouterr().out == "1 records are as they were written, 0 are not\n"
    assert run("verify", "Trials", "--uploaded") == 1
    assert "nothing was uploaded from Trials" in capsys.readouterr().err


def test_names_in_keys_are_not_printed(three: Uploaded, capsys: pytest.CaptureFixture) -> None:
    for key in three.store.objects(three.bucket):
        three.remove(key)
    code, lines = last_lines(capsys, "Trials", "--uploaded", "--remarks")
    assert code == 1 and len(lines) > 6
    assert "Ann" not in "".join(lines)
