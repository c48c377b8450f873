"""A name is found in whatever form somebody has written it."""

import json
import os
import pickle
import sqlite3
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.record_format import encode_entry
from hippogym.data.forgetting import search as searching
from hippogym.data.forgetting.search import Findings, holds, search

NAMES = ("participant", "ada@example.org", "Zoë Ünal", "5", "名前", 'a"b\\c', "x" * 300, "\U0001f600 smile")
WAYS = {
    "text": lambda name: f"it was {name}, and nobody else".encode(),
    "json": lambda name: json.dumps({"userId": name}).encode(),
    "json as it is": lambda name: json.dumps({"userId": name}, ensure_ascii=False).encode(),
    "record": lambda name: encode_entry({"userId": name}, 0),
    "record with text opcodes": lambda name: encode_entry({"a": "C\x10HGR1", "userId": name}, 0),
    "old pickle": lambda name: pickle.dumps({"userId": name}, 0),
    "pickle 2": lambda name: pickle.dumps({"userId": name}, 2),
    "pickle 5": lambda name: pickle.dumps({"userId": name, "b": name.encode()}, 5),
    "array": lambda name: np.array([name, name + " and somebody"]).tobytes(),
    "utf-16": lambda name: f'x"{name}"'.encode("utf-16"),
    "utf-16 be": lambda name: f'"{name}"'.encode("utf-16-be"),
    "address": lambda name: f"http://x/{quote(name, safe='')}/".encode(),
}
SHORT_TOO = ("json", "json as it is", "record", "pickle 2", "pickle 5", "utf-16", "utf-16 be", "address")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_in_every_form(tmp_path, name, way):
    (tmp_path / "file").write_bytes(b"before " * 3 + WAYS[way](name) + b" after" * 3)
    found = search([tmp_path], name)
    if len(name.encode()) >= searching.SHORT or way in SHORT_TOO:
        assert found.hits >= 1
    assert holds(tmp_path / "file", name)


@pytest.mark.parametrize("way", ["text", "json", "record", "pickle 5", "array"])
def test_a_longer_name_is_not_certain(tmp_path, way):
    (tmp_path / "file").write_bytes(WAYS[way]("participant2"))
    found = search([tmp_path], "participant")
    assert found.hits == 0
    assert sum(found.possible.values()) >= 1


def test_a_database_is_searched(tmp_path):
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("create table people (a text, b text)")
        database.execute("insert into people values (?, ?)", ("participant", "2026"))
    database.close()
    found = search([tmp_path], "participant")
    assert found.certain or found.possible


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(1, 12))
def test_it_does_not_matter_in_which_pieces_a_file_is_read(tmp_path_factory, noise, places, chunk):
    data = noise
    for place in places:
        data = data[:place] + b"participant" + data[place:]
    folder = tmp_path_factory.mktemp("search")
    (folder / "file").write_bytes(data)
    whole = search([folder], "participant")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "_CHUNK", chunk)
        pieces = search([folder], "participant")
    assert (pieces.certain, pieces.possible) == (whole.certain, whole.possible)
    assert sum(whole.certain.values()) + sum(whole.possible.values()) == data.count(b"participant")


def test_names_of_files_and_folders_count(tmp_path):
    (tmp_path / "participant").mkdir()
    (tmp_path / "participant" / "participant.csv").write_text("")
    (tmp_path / "participants").mkdir()
    assert len(search([tmp_path], "participant").names) == 2


def test_links_are_not_followed_and_what_cannot_be_read_is_said(tmp_path):
    outside, study = tmp_path / "outside", tmp_path / "study"
    outside.write_text("participant")
    study.mkdir()
    (study / "link").symlink_to(outside)
    os.mkfifo(study / "pipe")
    assert search([study], "participant") == Findings()
    assert search([study / "nothing"], "participant").unread == [study / "nothing"]


def test_compressed_files_are_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1....")
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b....")
    assert [Path(path).name for path in search([tmp_path], "participant").compressed] == ["x.gz", "x.parquet"]
