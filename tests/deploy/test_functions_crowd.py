"""Many newcomers at one moment: everybody gets in, and the log of assignments is as if they had come one by one."""

import json
import threading
import time
from typing import Any

import pytest

from tests.deploy.cloud import BUCKET, KEY, ChangedMeanwhile, Objects, Visits, study_document
from tests.deploy.memory_aws import Bucket, over_the_network
from tests.patience import PATIENCE_S


def come_at_once(count: int) -> tuple[list[BaseException], list[dict[str, Any]]]:
    """Each in a function of their own; what went wrong, and the log."""
    study = study_document()["study"]
    document = study_document(events={}, study={**study, "conditions": {"one": {}, "two": {}}})
    bucket = Bucket(time.time, over_the_network)
    problems: list[BaseException] = []
    at_once = threading.Barrier(count)

    def come() -> None:
        try:
            at_once.wait(PATIENCE_S)
            Visits(Objects(bucket, BUCKET), document, KEY).arrive({}, None, {})
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=come) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    return problems, json.loads(bucket.there["pilot/assignments.json"][0])


def all_got_in(count: int) -> None:
    problems, log = come_at_once(count)
    assert not problems
    arms = [entry["arm"] for entry in log if entry["event"] == "assign"]
    assert len(arms) == count and abs(2 * arms.count("one") - count) <= 1
    assert [entry["n"] for entry in log] == list(range(count + 1))


def test_a_dozen_newcomers_at_one_moment_all_get_in():
    all_got_in(12)


@pytest.mark.long
@pytest.mark.parametrize("count", [50, 100])
def test_fifty_newcomers_at_one_moment_all_get_in(count):
    all_got_in(count)


def test_the_bucket_in_memory_takes_and_refuses_what_the_real_one_does():
    objects = Objects(Bucket(time.time), BUCKET)
    tag = objects.put("a/x.json", {"a": 1}, None)
    assert objects.put("a/x.json", {"a": 1}, None) == tag
    for wrong in (None, '"0"'):
        with pytest.raises(ChangedMeanwhile):
            objects.put("a/x.json", {"a": 2}, wrong)
    with pytest.raises(ChangedMeanwhile):
        objects.put("a/y.json", {"a": 2}, tag)
    objects.put("a/x.json", {"a": 2}, tag)
    objects.put("a/b/y.json", {}, None)
    assert [one.key for one in objects.listed("a/")] == ["a/x.json"]
    assert objects.get("a/z.json") is None
