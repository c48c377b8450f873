"""Receipts on their way to the bucket: the newest, sooner or later, and never at the cost of the game."""

import json
import threading

from hippogym.assembly.receipts import ReceiptPost
from hippogym.data.storage import FileRange
from hippogym.errors import StorageError
from tests.patience import PATIENCE_S
from tests.upload.conftest import wait_until


class SlowStore:
    """What was put, in order. failures: so many tries go wrong first. Each waits for ``go``."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.tries, self.put, self.go = failures, 0, [], threading.Event()
        self.go.set()

    def replace(self, key: str, body: FileRange) -> None:
        self.tries += 1
        assert self.go.wait(PATIENCE_S)
        if self.tries <= self.failures:
            raise StorageError("the store is away")
        with body.open() as file:
            self.put.append((key, json.loads(file.read())["receipts"]))


def test_of_what_waits_only_the_newest_is_brought() -> None:
    store = SlowStore()
    store.go.clear()
    with ReceiptPost(store, "pilot") as post:
        post.keep("a", ["1"])
        wait_until(lambda: store.tries == 1)
        for newer in ("2", "3", "4"):
            post.keep("a", ["1", newer])
        store.go.set()
        post.close(PATIENCE_S)
    assert store.put == [("pilot/receipts/a.json", ["1"]), ("pilot/receipts/a.json", ["1", "4"])]


def test_a_store_that_is_away_is_tried_again(caplog) -> None:
    store = SlowStore(failures=2)
    with ReceiptPost(store, "pilot") as post:
        post.keep("a", ["1"])
        post.keep("b", ["2"])
        wait_until(lambda: len(store.put) == 2)
    assert dict(store.put) == {"pilot/receipts/a.json": ["1"], "pilot/receipts/b.json": ["2"]}
    assert caplog.text.count("is tried again") == 1 and "did not come" not in caplog.text


def test_at_the_end_it_is_tried_for_as_long_as_there_is_time_and_said_what_is_left(caplog) -> None:
    store = SlowStore(failures=1_000_000)
    with ReceiptPost(store, "pilot") as post:
        post.keep("a", ["1"])
        post.close(0.5)
    assert "what became of 1 games did not come into the bucket" in caplog.text
    assert store.tries >= 1 and store.put == []


def test_a_store_that_hangs_holds_nobody_up() -> None:
    store = SlowStore()
    store.go.clear()
    with ReceiptPost(store, "pilot") as post:
        post.keep("a", ["1"])
        wait_until(lambda: store.tries == 1)
        post.keep("a", ["2"])
    assert store.put == [], "it still hangs"
    store.go.set()
