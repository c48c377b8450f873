"""What writes, closes and uploads a record may be killed at any of its system calls: a restart brings it to its end."""

from pathlib import Path

import pytest

from hippogym.data.recovery import repair
from hippogym.data.storage.s3 import S3Storage
from tests.survival.scenes import STORE, bring_up
from tests.survival.syscalls import SOME, killed_everywhere
from tests.survival.test_every_syscall import check_records
from tests.upload.conftest import Store
from tests.upload.trials import expected, parts, running, waiting


class Bucket:
    """The bucket as the store has it, and as an uploader sees it."""

    def __init__(self, store: Store, bucket: str) -> None:
        self.store, self.name = store, bucket
        self.storage = S3Storage(bucket)

    def below(self, folder: Path) -> dict[str, bytes]:
        return self.store.objects(self.name, f"{folder.name}/")

    def check(self, folder: Path, acks: list[str]) -> None:
        """What the store has is true at once; after a repair and one turn of the uploader it has all, and no more."""
        there = self.below(folder)
        uploaded = expected(folder, folder.name, "unknown")
        if "uploaded" in acks:
            assert there == uploaded, "it was said to be uploaded"
        check_parts(folder, there, acks)
        whole = {key: data for key, data in there.items() if ".parts/" not in key}
        assert whole.items() <= uploaded.items(), "the store has what the disk does not have"
        check_records_and_keep(folder, acks)
        bring_up(folder, self.storage)
        uploaded = expected(folder, folder.name, "unknown")
        assert self.below(folder) == uploaded
        assert waiting(folder) == []
        bring_up(folder, self.storage)
        assert self.below(folder) == uploaded


def check_parts(folder: Path, there: dict[str, bytes], acks: list[str]) -> None:
    """The parts are the beginning of the record; they may go when the whole and its manifest are there."""
    if any(key.endswith(".json") for key in there):
        return
    in_parts = parts(there, "t-1")
    assert in_parts or "part 1" not in acks, "a machine lost now would take the record along"
    closed = folder / "t-1" / "episode_0000.pkl"
    on_disk = closed.read_bytes() if closed.exists() else running(folder, "t-1") if in_parts else b""
    assert on_disk.startswith(in_parts)


def check_records_and_keep(folder: Path, acks: list[str]) -> None:
    repair(folder)
    if list(folder.glob("t-1/*.pkl")):
        check_records(folder, [ack for ack in acks if ack.startswith(("entry", "closed"))])


@pytest.mark.parametrize("most", [SOME, pytest.param(None, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_what_uploads_killed_at_any_system_call_comes_to_the_same_end(
    tmp_path: Path, store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.port}")
    monkeypatch.setenv(STORE, f"s3://{bucket}")
    killed_everywhere(tmp_path, "upload", Path.mkdir, Bucket(store, bucket).check, most)
