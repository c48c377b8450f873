"""Which files are records, wherever they are."""

import io
import os

import pytest

from hippogym.data.sources import Found, find_records, is_record, records_in
from hippogym.data.ticks import read_parts
from hippogym.errors import RecordError
from tests.export.making import simple_record


class Shelf:
    """A store that holds its objects in memory."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def keys(self, prefix):
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def fetch(self, key):
        if key not in self.objects:
            raise FileNotFoundError(key)
        return io.BytesIO(self.objects[key])


def names(where, **how):
    return [found.name for found in find_records(where, **how)]


def test_records_of_a_folder_come_in_the_order_of_their_names(tmp_path):
    simple_record(tmp_path, "b", episodes=2)
    simple_record(tmp_path, "a")
    assert names(tmp_path) == ["a/episode_0000.pkl", "b/episode_0000.pkl", "b/episode_0001.pkl"]


@pytest.mark.parametrize(
    "name", ["episode_0000.pkl", "trial.pkl.part", "a-b-trial.pkl", "episode_3_user_Ann", "trial_Ann B.pkl"]
)
def test_these_are_records(name):
    assert is_record(name)


@pytest.mark.parametrize(
    "name",
    ["episode_0000.json", "episode_0000.pkl.torn", "episode_0000.pkl.torn.part", "notes.txt", "x.pkl", "trial_a.json"],
)
def test_these_are_not(name):
    assert not is_record(name)


def test_links_and_hidden_folders_are_not_followed(tmp_path):
    simple_record(tmp_path / "outside", "a")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "b").symlink_to(tmp_path / "outside" / "a")
    (inside / "episode_0000.pkl").symlink_to(tmp_path / "outside" / "a" / "episode_0000.pkl")
    simple_record(inside / ".hidden", "c")
    assert names(inside) == []


def test_a_file_that_is_named_is_a_record_whatever_it_is_called(tmp_path):
    path = simple_record(tmp_path)[0]
    other = tmp_path / "from a colleague.bin"
    os.link(path, other)
    assert names(other) == ["from a colleague.bin"]


def test_an_open_record_says_so(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "episode_0000.pkl.part").touch()
    assert [found.closed for found in find_records(tmp_path)] == [False]


def test_a_manifest_without_its_record_is_a_lost_record(tmp_path):
    paths = simple_record(tmp_path, episodes=3)
    for path in paths[1:]:
        path.unlink()
    assert names(tmp_path) == ["trial-a/episode_0000.pkl"]
    assert names(tmp_path, lost=True) == [f"trial-a/episode_000{number}.pkl" for number in range(3)]
    lost = list(find_records(tmp_path, lost=True))[2]
    with pytest.raises(FileNotFoundError):
        lost.open()


def test_a_store_is_searched_like_a_folder(tmp_path):
    path = simple_record(tmp_path)[0]
    name = "p/Trials/Ann/trial-a-episode_0000"
    beside = path.with_suffix(".json").read_bytes()
    shelf = Shelf(
        **{f"{name}.pkl": path.read_bytes(), f"{name}.json": beside, f"{name}.pkl.torn": b"x", "p/users/u": b"a"}
    )
    (found,) = records_in(shelf)
    assert (found.name, found.closed, found.has_manifest) == (f"{name}.pkl", True, True)
    assert found.manifest()["ticks"] == 3
    with found.open() as file:
        assert file.read() == path.read_bytes()


def test_parts_in_a_store_are_one_unfinished_record(tmp_path):
    path = simple_record(tmp_path)[0]
    data = path.read_bytes()
    name = "p/Trials/Ann/trial-a-episode_0000.pkl.parts"
    shelf = Shelf(**{f"{name}/000000": data[:300], f"{name}/000001": b"", f"{name}/000002": data[300:]})
    (found,) = records_in(shelf)
    assert (found.name, found.closed) == (name, False)
    with found.open() as file:
        assert file.read() == data
    assert [type(part).__name__ for part in read_parts(found)] == ["Head", "Tick", "Tick", "Tick", "Tail"]


def test_parts_beside_the_whole_record_do_not_count(tmp_path):
    path = simple_record(tmp_path)[0]
    shelf = Shelf(**{"a-trial.pkl": path.read_bytes(), "a-trial.pkl.parts/000000": b"x"})
    assert [found.name for found in records_in(shelf)] == ["a-trial.pkl"]


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "[" * 100_000, '{"a": NaNN}'])
def test_a_manifest_that_is_none_is_an_error_in_a_sentence(tmp_path, text):
    path = simple_record(tmp_path)[0]
    path.with_suffix(".json").write_text(text)
    (found,) = find_records(tmp_path)
    with pytest.raises(RecordError, match="the manifest of trial-a/episode_0000.pkl cannot be read"):
        found.manifest()


def test_no_manifest_is_no_error(tmp_path):
    path = simple_record(tmp_path)[0]
    path.with_suffix(".json").unlink()
    (found,) = find_records(tmp_path)
    assert isinstance(found, Found) and found.manifest() is None


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(RecordError, match="there is no file or folder"):
        names(tmp_path / "nothing")
