"""The records folder is tried before anything listens, and belongs to one server at a time."""

import os
import subprocess
import sys

import pytest

from hippogym.data.records_folder import claim
from hippogym.errors import StartError


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path):
    with claim(tmp_path / "a" / "Trials"):
        assert (tmp_path / "a" / "Trials").stat().st_mode & 0o777 == 0o700
        assert os.listdir(tmp_path / "a" / "Trials") == [".lock"]


def test_a_second_server_is_told_who_has_the_folder(tmp_path):
    with claim(tmp_path), pytest.raises(StartError) as caught:
        claim(tmp_path)
    assert str(tmp_path) in str(caught.value) and f"process {os.getpid()}" in str(caught.value)


def test_a_folder_that_was_released_can_be_had_again(tmp_path):
    lock = claim(tmp_path)
    lock.release()
    lock.release()
    claim(tmp_path).release()


def test_a_killed_server_holds_no_folder(tmp_path):
    pid = os.fork()
    if pid == 0:
        try:
            claim(tmp_path)
        finally:
            os._exit(7)
    os.waitpid(pid, 0)
    claim(tmp_path).release()


def test_what_the_server_starts_does_not_inherit_the_lock(tmp_path):
    lock = claim(tmp_path)
    program = [sys.executable, "-c", "print(flush=True); input()"]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    try:
        child.stdout.readline()  # it runs: what it was not to inherit is closed by now
        lock.release()
        claim(tmp_path).release()
    finally:
        child.communicate(b"\n")


def test_a_refusal_leaves_no_descriptor_open(tmp_path):
    with claim(tmp_path):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(StartError):
            claim(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_nearly_full_disk_is_refused(tmp_path):
    with pytest.raises(StartError, match="nearly full") as caught:
        claim(tmp_path, min_free_bytes=2**60)
    assert str(tmp_path) in str(caught.value)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "Trials").write_text("")
    with pytest.raises(StartError, match="Trials: "):
        claim(tmp_path / "Trials")


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError):
        claim(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_gives_back_other_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: b"other")
    with pytest.raises(StartError, match="does not give back"):
        claim(tmp_path)
    assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match="Permission denied"):
        claim(tmp_path)


@pytest.mark.parametrize(("options", "why"), [("ro", "Read-only"), ("size=4k", "No space left")])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_read_only_or_full_disk_is_refused_with_a_sentence(tmp_path, options, why):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", tmp_path], check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        with pytest.raises(StartError, match=f"records cannot be kept in {tmp_path}: {why}"):
            claim(tmp_path)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
