"""The process that uploads, with a real store: it works by itself, survives kills, and says how things stand."""

import json
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from hippogym.data.upload_status import status
from hippogym.data.uploader import Uploader
from tests.fault_proxy import FaultProxy, fault_proxy, seeded
from tests.patience import PATIENCE_S
from tests.upload.conftest import Store, running, uploading, wait_until
from tests.upload.trials import USER, begin, end, expected, keep, parts, play, waiting
from tests.upload.trials import running as on_disk

QUICK = ("500", "503", "403", "reset in mid-body", "reset at once", "slow", "answer lost", "half an answer")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    folder = tmp_path / "Trials"
    folder.mkdir()
    return folder


@pytest.fixture
def store(rclone: Store) -> Store:
    """One is enough here."""
    return rclone


@pytest.fixture
def through_proxy(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> FaultProxy:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    return proxy


def test_what_is_there_and_what_comes_is_uploaded(records, through_proxy, store, bucket):
    keep(records, "trial-1")
    with uploading(records, f"s3://{bucket}") as uploader:
        wait_until(lambda: store.objects(bucket) == expected(records))
        keep(records, "trial-2")
        wait_until(lambda: store.objects(bucket) == expected(records))
        assert uploader.drain(30) == 0
    assert waiting(records) == []
    assert "uploaded trial-2-episode_0000" in uploader.log
    assert USER not in uploader.log and "ada" not in uploader.log


def test_a_prefix_of_the_bucket_stands_before_every_key(records, through_proxy, store, bucket):
    keep(records, "trial-1")
    with uploading(records, f"s3://{bucket}/deep/below") as uploader:
        assert uploader.drain(30) == 0
    assert store.objects(bucket) == {f"deep/below/{key}": data for key, data in expected(records).items()}


def test_a_running_record_goes_up_every_few_seconds(records, through_proxy, store, bucket):
    trial = begin(records, "trial-1")
    with uploading(records, f"s3://{bucket}") as uploader:
        wait_until(lambda: parts(store.objects(bucket), "trial-1") == on_disk(records, "trial-1"))
        play(trial, 5, size=2**20)  # more than 4 MiB goes at once
        wait_until(lambda: len(parts(store.objects(bucket), "trial-1")) > 4 * 2**20)
        play(trial, 3)
        end(trial)
        assert uploader.drain(30) == 0
    assert store.objects(bucket) == expected(records)


def test_what_a_killed_trial_left_is_in_the_store_when_the_machine_goes(records, through_proxy, store, bucket):
    trial = begin(records, "trial-1")
    with uploading(records, f"s3://{bucket}") as uploader:
        assert uploader.drain(60) == 75  # nobody has closed it
    assert parts(store.objects(bucket), "trial-1") == on_disk(records, "trial-1")
    left = status(records).waiting
    assert [(each.record.name, each.closed) for each in left] == [("trial-1-episode_0000", False)]
    trial.close()


def kill_often(seed: int, records: Path, proxy: FaultProxy, store: Store, bucket: str, kills: int) -> None:
    chance = random.Random(seed)
    proxy.plan = seeded(seed, 0.2, 200, QUICK)
    trials = [begin(records, f"trial-{number}") for number in range(4)]
    for kill in range(kills):
        with uploading(records, f"s3://{bucket}") as uploader:
            for trial in trials:
                play(trial, 2, size=1000)
            if kill % 2 and trials:
                end(trials.pop())
            requests = len(proxy.seen)
            wait_until(lambda before=requests: len(proxy.seen) > before)
            time.sleep(chance.uniform(0, 0.3))
            uploader.process.kill()
            uploader.process.wait(PATIENCE_S)
    for trial in trials:
        end(trial)
    with uploading(records, f"s3://{bucket}") as uploader:
        assert uploader.drain(120) == 0, uploader.log
    assert store.objects(bucket) == expected(records)
    assert waiting(records) == []


def test_killed_again_and_again_it_comes_to_the_same_end(records, through_proxy, store, bucket):
    kill_often(1, records, through_proxy, store, bucket, kills=4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_killed_more_often_it_comes_to_the_same_end_too(seed, records, through_proxy, store, bucket):
    kill_often(seed, records, through_proxy, store, bucket, kills=20)


def test_a_store_that_is_away_and_comes_back_gets_everything(records, tmp_path, monkeypatch):
    with running("rclone", tmp_path / "own" / "buckets") as store, fault_proxy(store.port) as proxy:
        bucket = store.make_bucket()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        with uploading(records, f"s3://{bucket}") as uploader:
            keep(records, "trial-1")
            wait_until(lambda: "uploaded trial-1" in uploader.log)
            store.stop()
            keep(records, "trial-2")
            wait_until(lambda: "uploads wait" in uploader.log)
            wait_until(lambda: status(records).trouble)
            uploader.process.kill()
            uploader.process.wait(PATIENCE_S)
        with uploading(records, f"s3://{bucket}") as uploader:
            keep(records, "trial-3")
            wait_until(lambda: uploader.log.count("uploads wait") == 2)
            wait_until(lambda: len([each for each in status(records).waiting if each.reason]) == 2)
            store.start()
            wait_until(lambda: "work again" in uploader.log)
            assert uploader.drain(60) == 0
        assert store.objects(bucket) == expected(records)
        assert status(records).waiting == () and status(records).trouble is None
        assert "3 records are in" in str(status(records))


def test_a_store_that_does_not_let_us_in_is_reported_at_once_and_tried_again(records, through_proxy, bucket, store):
    through_proxy.plan = lambda number: "403"
    keep(records, "trial-1")
    with uploading(records, f"s3://{bucket}") as uploader:
        wait_until(lambda: status(records).waiting and status(records).waiting[0].tries > 1)
        told = status(records)
        assert "403" in told.trouble and told.trouble_since and "403" in told.waiting[0].reason
        assert told.waiting_bytes == sum(path.stat().st_size for path in records.glob("*/*.pkl"))
        assert "trial-1-episode_0000" in str(told)
        lines = [line.split(" ", 1)[1] for line in uploader.log.splitlines() if "uploads wait" in line]
        assert len(lines) == len(set(lines)) <= 2 and lines[0].startswith("ERROR")  # AccessDenied, and without a word
        through_proxy.plan = lambda number: None
        wait_until(lambda: "work again" in uploader.log)
        assert uploader.drain(30) == 0
    assert store.objects(bucket) == expected(records)


def test_without_credentials_it_says_so(records, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with uploading(records, "s3://some-bucket") as uploader:
        wait_until(lambda: "no credentials" in uploader.log)
        assert uploader.drain(5) == 0  # nothing waits


def test_a_store_that_never_answers_keeps_nobody_longer_than_the_deadline(records, through_proxy, bucket):
    through_proxy.plan = lambda number: "time-out"
    files = {path: path.read_bytes() for path in [keep(records, f"trial-{number}") for number in range(3)]}
    with uploading(records, f"s3://{bucket}", answer_s=20) as uploader:
        wait_until(lambda: through_proxy.seen)
        assert uploader.drain(1) == 75
    assert len(status(records).waiting) == 3
    assert {path: path.read_bytes() for path in files} == files


def test_foreign_files_are_left_alone(records, through_proxy, store, bucket):
    record = keep(records, "trial-1")
    names = ["trial-1/notes.txt", "trial-1/episode_1.pkl", "trial-1/episode_0002.json", "episode_0000.pkl",
             "UPPER/episode_0000.pkl", ".spool/notes"]  # fmt: skip
    foreign = [records / name for name in names]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (record.parent / "episode_0001.pkl").symlink_to(record)
    (record.parent / "episode_0001.json").symlink_to(record.with_suffix(".json"))
    (records / "linked").symlink_to(record.parent)
    (records / ".spool" / "waiting").mkdir()
    (records / ".spool" / "waiting" / "trial-1.episode_0000.json").write_text('{"version": 1, "parts"')
    with uploading(records, f"s3://{bucket}") as uploader:
        assert uploader.drain(30) == 0
    objects = store.objects(bucket)
    assert sorted(key.rsplit("/", 1)[1] for key in objects) == ["trial-1-episode_0000.json", "trial-1-episode_0000.pkl"]
    assert all(path.read_text() == "mine" for path in foreign)


def test_a_dead_uploader_is_started_again_and_ends_with_us(records, through_proxy, store, bucket):
    with Uploader(records, f"s3://{bucket}", "study", plain=True) as uploader:
        first = wait_until(lambda: uploader.pid)
        os.kill(first, signal.SIGKILL)
        second = wait_until(lambda: uploader.pid if uploader.pid != first else None)
        keep(records, "trial-1")
        assert uploader.drain(30)
        assert store.objects(bucket) == expected(records)
    assert not psutil.pid_exists(second) and uploader.pid is None


def test_an_uploader_that_dies_while_it_drains_is_started_again(records, through_proxy, store, bucket):
    through_proxy.plan = lambda number: "slow"
    for number in range(10):
        keep(records, f"trial-{number}")
    with Uploader(records, f"s3://{bucket}", "study", plain=True) as uploader:
        wait_until(lambda: len(through_proxy.seen) > 3)
        os.kill(uploader.pid, signal.SIGKILL)
        assert uploader.drain(60)
    assert store.objects(bucket) == expected(records)


def test_leaving_without_draining_kills_it(records, through_proxy, bucket):
    with Uploader(records, f"s3://{bucket}", "study") as uploader:
        pid = wait_until(lambda: uploader.pid)
    assert not psutil.pid_exists(pid)


def test_it_ends_when_its_server_dies(records, through_proxy, bucket):
    with uploading(records, f"s3://{bucket}") as uploader:
        wait_until(lambda: through_proxy.seen)
        uploader.process.send_signal(signal.SIGTERM)  # for the server alone, which tells it
        uploader.process.stdin.close()
        assert uploader.process.wait(PATIENCE_S) == 75


def test_the_status_is_a_file_of_plain_facts(records, through_proxy, bucket):
    with uploading(records, f"s3://{bucket}") as uploader:
        keep(records, "trial-1")
        assert uploader.drain(30) == 0
    told = json.loads((records / ".spool" / "status.json").read_text())
    assert {"written", "pid", "where", "draining", "waiting", "running", "waiting_bytes", "store", "failing"} == set(
        told
    )
    assert (told["waiting"], told["store"], told["failing"]) == (0, None, [])
    assert USER not in json.dumps(told)
