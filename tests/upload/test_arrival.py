"""One record on its way to a real store: every file there once, byte for byte, whatever goes wrong at which request."""

import asyncio
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from hippogym.data.delivery import Delivery
from hippogym.data.records_scan import Record, RecordsScan
from hippogym.data.spool import Spool
from hippogym.data.storage.s3 import S3Storage
from hippogym.errors import StorageError
from tests.fault_proxy import FAULTS, FaultProxy, only, seeded
from tests.upload.trials import begin, end, expected, keep, parts, play, running, waiting

MOST_TRIES = 40


@pytest.fixture
def records(tmp_path: Path) -> Path:
    folder = tmp_path / "Trials"
    folder.mkdir()
    return folder


@pytest.fixture
def s3(proxy: FaultProxy, bucket: str, monkeypatch: pytest.MonkeyPatch):
    """The bucket as seen through the proxy. One that answers late is given up after half a second."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    storage = S3Storage(bucket, answer_s=1.0)
    yield storage
    storage.close()


def deliver(records: Path, s3: S3Storage) -> list[str]:
    """Everything, with a new spool and a new delivery for every try, as after a kill; returns what went wrong."""
    problems = []
    for _ in range(MOST_TRIES):
        spool = Spool(records)
        spool.open()
        delivery = Delivery(records, spool, s3, "study")
        try:
            for found in RecordsScan(records).look():
                if not spool.is_done(found.record):
                    if found.closed:
                        delivery.finish(found)
                    else:
                        delivery.send_part(found.record)
            return problems
        except StorageError as problem:
            problems.append(str(problem))
    raise AssertionError(f"not delivered: {problems}")


def test_a_record_and_its_manifest_arrive_and_the_spool_is_empty(records, s3, store, bucket):
    keep(records, "trial-1")
    assert deliver(records, s3) == []
    assert store.objects(bucket) == expected(records)
    assert waiting(records) == []


def test_what_has_arrived_is_not_sent_again(records, s3, proxy):
    keep(records, "trial-1")
    deliver(records, s3)
    before = len(proxy.seen)
    assert deliver(records, s3) == []
    assert len(proxy.seen) == before


@pytest.mark.parametrize("store", ["rclone", pytest.param("moto", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.long) if fault == "time-out" else fault for fault in FAULTS]
)
def test_a_fault_at_any_request_costs_no_file_and_doubles_none(fault, records, s3, proxy, store, bucket):
    """The number of requests without a fault tells at which there can be one."""
    trial = begin(records, "trial-0", size=2000)
    deliver(records, s3)
    play(trial, 2)
    end(trial)
    deliver(records, s3)
    requests = len(proxy.seen)
    assert requests > 10
    for number in range(requests):
        name = f"trial-{number + 1}"
        proxy.seen.clear()
        proxy.plan = only(number, fault)
        trial = begin(records, name, size=2000)
        deliver(records, s3)
        play(trial, 2)
        end(trial)
        deliver(records, s3)
        assert any(seen == fault for *_, seen in proxy.seen)
    assert store.objects(bucket) == expected(records)
    assert waiting(records) == []


@pytest.mark.parametrize("seed", range(2))
def test_many_faults_in_a_row_cost_nothing_either(seed, records, s3, proxy, store, bucket):
    many_faults(seed, records, s3, proxy, store, bucket)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_more_faults_in_a_row_cost_nothing_either(seed, records, s3, proxy, store, bucket):
    many_faults(seed, records, s3, proxy, store, bucket)


def many_faults(seed, records, s3, proxy, store, bucket) -> None:
    quick = tuple(fault for fault in FAULTS if fault != "time-out")
    proxy.plan = seeded(seed, 0.3, 120, quick)
    trials = [begin(records, f"trial-{number}", size=1000) for number in range(3)]
    for _ in range(3):
        for trial in trials:
            play(trial, 2)
        deliver(records, s3)
    for trial in trials:
        end(trial)
    deliver(records, s3)
    assert store.objects(bucket) == expected(records)
    assert waiting(records) == []


def test_the_parts_of_a_running_record_are_the_record(records, s3, store, bucket):
    trial = begin(records, "trial-1")
    for _ in range(3):
        deliver(records, s3)
        assert parts(store.objects(bucket), "trial-1") == running(records, "trial-1")
        play(trial, 2)
    end(trial)
    deliver(records, s3)
    assert store.objects(bucket) == expected(records)


def test_a_part_that_arrived_unnoticed_is_the_same_part_after_a_restart(records, s3, store, bucket, proxy):
    """Its end was known before it was put; else it would be cut anew, longer, under a name that is taken."""
    trial = begin(records, "trial-1")
    proxy.plan = only(1, "answer lost")
    spool = Spool(records)
    spool.open()
    with pytest.raises(StorageError):
        Delivery(records, spool, s3, "study").send_part(Record("trial-1", "episode_0000"))
    assert [(method, fault) for method, _, fault in proxy.seen] == [("HEAD", None), ("PUT", "answer lost")]
    assert parts(store.objects(bucket), "trial-1") == running(records, "trial-1")
    play(trial, 2)
    deliver(records, s3)
    assert parts(store.objects(bucket), "trial-1") == running(records, "trial-1")
    trial.close()


def test_parts_end_where_entries_end_and_after_four_mebibytes(records, s3, store, bucket, proxy):
    trial = begin(records, "trial-1", ticks=12, size=1_000_000)
    whole = running(records, "trial-1")
    with (records / "trial-1" / "episode_0000.pkl.part").open("ab") as file:
        file.write(whole[-1000:-10])  # half an entry, as while one is being written
    deliver(records, s3)
    objects = store.objects(bucket)
    assert parts(objects, "trial-1") == whole
    assert len(objects) == 3
    assert 4 * 2**20 < proxy.largest < 4 * 2**20 + 1_001_000
    trial.close()


def test_something_else_under_its_name_is_left_there_and_it_is_kept_beside(records, s3, store, bucket, caplog):
    record = keep(records, "trial-1")
    files = expected(records)
    key = next(key for key in files if key.endswith(".pkl"))
    store.client().put_object(Bucket=bucket, Key=key, Body=b"somebody else's")
    deliver(records, s3)
    objects = store.objects(bucket)
    assert objects.pop(key) == b"somebody else's"
    beside = next(name for name in objects if ".conflict-" in name)
    assert re.fullmatch(re.escape(key) + r"\.conflict-[0-9a-f]{12}", beside)
    assert objects.pop(beside) == record.read_bytes()
    assert objects == {key: data for key, data in files.items() if key.endswith(".json")}
    assert "kept apart" in caplog.text
    assert [path.name for path in (records / ".spool" / "verified").iterdir()] == ["trial-1.episode_0000.conflict.json"]


def test_the_same_file_under_its_name_is_enough(records, s3, store, bucket, proxy):
    keep(records, "trial-1")
    for key, data in expected(records).items():
        store.client().put_object(Bucket=bucket, Key=key, Body=data)
    deliver(records, s3)
    assert store.objects(bucket) == expected(records)
    assert not [method for method, *_ in proxy.seen if method == "PUT"]


def test_a_store_that_changed_a_byte_is_found_out(records, s3, store, bucket, proxy):
    """Of the same size, and with our own checksum in what the store tells about it."""
    record = keep(records, "trial-1")
    passed = FaultProxy._pass

    async def pass_damaged(request):
        if request.method == "PUT" and request.path.endswith(".pkl") and not damaged:
            damaged.append(request.path)
            key = unquote(request.path).split("/", 2)[2]
            await asyncio.to_thread(client.put_object, Bucket=bucket, Key=key, Body=b"?" + request.body[1:])
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return await passed(proxy, request)

    damaged, client = [], store.client()
    proxy._pass = pass_damaged
    problems = deliver(records, s3)
    assert "has something else under its name" in problems[0]
    assert [data for key, data in store.objects(bucket).items() if ".conflict-" in key] == [record.read_bytes()]


def test_a_store_without_conditions_is_served_without(records, s3, proxy, store, bucket):
    refused = []

    passed = FaultProxy._pass

    async def refuse(request):
        if re.search(rb"(?i)if-none-match", request.head):
            refused.append(request.path)
            xml = b"<Error><Code>NotImplemented</Code></Error>"
            return b"HTTP/1.1 501 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(xml) + xml
        return await passed(proxy, request)

    proxy._pass = refuse
    keep(records, "trial-1")
    assert deliver(records, s3) == []
    assert store.objects(bucket) == expected(records)
    assert len(refused) == 1  # then it is known


def test_a_large_file_goes_in_pieces(records, proxy, store, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    keep(records, "trial-1", ticks=11, size=2**20)
    s3 = S3Storage(bucket, largest_put=6 * 2**20, piece=5 * 2**20)
    proxy.plan = lambda number: "500" if number == 3 else None
    deliver(records, s3)
    assert store.objects(bucket) == expected(records)
    assert proxy.largest == 5 * 2**20
    assert waiting(records) == []
    s3.close()


@pytest.mark.parametrize("user", ["../../elsewhere", "with spaces", "..", ".", "", "x" * 300, None])
def test_whoever_played_gets_a_key_that_is_a_name(user, records, s3, store, bucket):
    keep(records, "trial-1", user=user)
    deliver(records, s3)
    for key in store.objects(bucket):
        assert re.fullmatch(r"study/Trials/(unknown|id-[0-9a-f]{16})/trial-1-episode_0000\.(pkl|json)", key)


def test_parts_that_hold_more_than_the_disk_are_kept(records, s3, store, bucket, caplog):
    """A disk that loses, with its power, what it had said to be written."""
    trial = begin(records, "trial-1")
    play(trial, 5)
    deliver(records, s3)
    whole = running(records, "trial-1")
    trial.close()
    path = records / "trial-1" / "episode_0000.pkl"
    path.chmod(0o600)
    path.write_bytes(whole[: len(whole) // 2])
    deliver(records, s3)
    assert parts(store.objects(bucket), "trial-1") == whole
    assert "shorter than its parts" in caplog.text and "no longer what its manifest says" in caplog.text


def test_what_is_the_matter_is_said_without_a_name(records, s3, proxy):
    keep(records, "trial-1")
    proxy.plan = lambda number: "403" if number < 1 else ("reset at once" if number < 2 else None)
    first, second = deliver(records, s3)
    assert "it answers 403" in first and "does not let us" in first
    assert second.endswith("it broke the connection")
    assert "ada" not in first + second
