"""Exports hold what they should, leave out what they must, and never stand half written under their name."""

import csv as plain_csv
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from hippogym.data.episodes import episodes
from hippogym.data.export import csv, jsonl, ledger
from hippogym.data.export.options import Options
from hippogym.data.export.rows import COLUMNS, Counts
from hippogym.data.export.run import FORMATS, export
from hippogym.data.records_folder import claim
from hippogym.errors import RecordError
from tests.export.making import Play, simple_record
from tests.servers import ROOT

minari = pytest.importorskip("minari")
pytest.importorskip("pyarrow")

OUT = {"minari": "datasets", "parquet": "a.parquet", "jsonl": "a.jsonl", "csv": "a.csv"}


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("to", FORMATS)
def test_counts_are_those_of_the_records(tmp_path, to):
    simple_record(tmp_path / "Trials", "a", episodes=2, ticks=4)
    simple_record(tmp_path / "Trials", "b", episodes=1, ticks=1)
    assert export(tmp_path / "Trials", to, tmp_path / OUT[to]).counts == Counts(episodes=3, ticks=9)


@pytest.mark.parametrize("to", FORMATS)
def test_what_stands_there_is_never_replaced(tmp_path, to):
    simple_record(tmp_path / "Trials")
    export(tmp_path / "Trials", to, tmp_path / OUT[to])
    before = listing(tmp_path)
    with pytest.raises(RecordError, match="already"):
        export(tmp_path / "Trials", to, tmp_path / OUT[to])
    assert listing(tmp_path) == before


@pytest.mark.parametrize("to", FORMATS)
def test_what_does_not_come_back_as_written_is_not_put_in_place(tmp_path, to, monkeypatch):
    simple_record(tmp_path / "Trials")
    (tmp_path / "out").mkdir()
    module = FORMATS[to]()
    right = module.recount

    def one_less(path, options):
        counts = right(path, options)
        return Counts(counts.episodes, counts.ticks - 1)

    monkeypatch.setattr(module, "recount", one_less)
    with pytest.raises(RecordError, match="does not come back: 1 episodes of 3 ticks were written, 1 of 2 can be read"):
        export(tmp_path / "Trials", to, tmp_path / "out" / OUT[to])
    assert [name for name in listing(tmp_path / "out") if name != "datasets"] == []


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_to_export_leaves_nothing(tmp_path, to):
    (tmp_path / "Trials").mkdir()
    (tmp_path / "out").mkdir()
    with pytest.raises(RecordError, match="nothing to export|no episode"):
        export(tmp_path / "Trials", to, tmp_path / "out" / OUT[to])
    assert [name for name in listing(tmp_path / "out") if name != "datasets"] == []


@pytest.mark.parametrize("to", ["parquet", "jsonl", "csv"])
def test_a_file_that_ends_too_early_does_not_pass(tmp_path, to, monkeypatch):
    simple_record(tmp_path / "Trials", ticks=40)
    module = FORMATS[to]()
    right = module.write

    def cut(parts, path, options):
        counts = right(parts, path, options)
        os.truncate(path, path.stat().st_size // 2)
        return counts

    monkeypatch.setattr(module, "write", cut)
    with pytest.raises((RecordError, ValueError, OSError)):
        export(tmp_path / "Trials", to, tmp_path / OUT[to])
    assert listing(tmp_path) == [name for name in listing(tmp_path) if name.startswith("Trials")]


def test_only_those_who_were_asked_for(tmp_path):
    simple_record(tmp_path / "Trials", "a", participant={"userId": "Ann"})
    simple_record(tmp_path / "Trials", "b", participant={"userId": "Bob"}, episodes=2)
    simple_record(tmp_path / "Trials", "c", participant={"userId": "Bob"}, game="Other-v0")
    options = Options(participant="Bob", game="CartPole-v1")
    exported = export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl", options=options)
    assert {(row["participant"], row["trial"]) for row in jsonl.read(exported.path)} == {("Bob", "b")}
    assert exported.counts.episodes == 2


def test_rows_hold_every_column_in_order(tmp_path):
    simple_record(tmp_path / "Trials", condition="slow")
    rows = list(jsonl.read(export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl").path))
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert [row["kind"] for row in rows] == ["reset", "tick", "tick", "tick"]
    about = {
        name: rows[1][name] for name in ("source", "participant", "condition", "episode", "seed", "verified", "game")
    }
    assert about == {"source": "trial-a/episode_0000.pkl", "participant": "Ann", "condition": "slow", "episode": 0,
                     "seed": 7, "verified": True, "game": "CartPole-v1"}  # fmt: skip


def test_records_that_are_not_closed_are_left_out_unless_asked_for(tmp_path):
    play = Play(tmp_path / "Trials").begin().tick()
    with pytest.raises(RecordError, match="nothing to export"):
        export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl")
    options = Options(unfinished=True)
    assert export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl", options=options).counts.ticks == 1
    play.end()
    play.close()


def test_minari_leaves_out_what_would_be_wrong_and_says_why(tmp_path):
    trials = tmp_path / "Trials"
    simple_record(trials, "a", ticks=5)
    play = Play(trials, "b")
    play.begin(0).end()  # no ticks
    play.begin(None).tick(1).end()  # nothing to begin from
    play.begin(0).tick(1).tick("text").end()  # not in the space
    play.close()
    simple_record(trials, "c", game="Other-v0")
    (trials / "episode_0_user_Ann").write_bytes(
        pickle.dumps({"observation": 1, "reward": 0.0, "done": True, "info": {}})
    )
    exported = export(trials, "minari", tmp_path / "datasets")
    assert exported.counts == Counts(1, 5)
    for reason in (
        "no ticks",
        "began from is missing",
        "do not fit",
        "of the game Other-v0",
        "did not keep which actions",
    ):
        assert sum(reason in note for note in exported.notes) == 1, (reason, exported.notes)


def test_minari_gets_an_episode_up_to_where_ticks_are_missing(tmp_path):
    from hippogym.core.record_format import scan

    path = simple_record(tmp_path / "Trials", ticks=6)[0]
    data = bytearray(path.read_bytes())
    entries = list(scan(bytes(data)))
    data[entries[4].start + 20] ^= 1  # tick 4
    path.chmod(0o600)
    path.write_bytes(data)
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert exported.counts == Counts(1, 3)
    (episode,) = minari.MinariDataset(exported.path / "data").iterate_episodes()
    assert episode.observations.tolist() == [0, 1, 2, 3] and episode.truncations.tolist() == [False, False, True]
    rows = export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl")
    assert [row["tick"] for row in jsonl.read(rows.path)] == [0, 1, 2, 3, 5, 6]
    assert any("damaged" in note for note in rows.notes)
    (whole,) = episodes(tmp_path / "Trials")
    assert whole.missing == 1 and whole.ticks.tolist() == [1, 2, 3, 5, 6]


def test_terminated_and_truncated_are_kept_apart(tmp_path):
    play = Play(tmp_path / "Trials")
    play.begin().tick(terminated=True).end()
    play.begin().tick(truncated=True).end()
    play.begin().tick().end("stopped")
    play.begin().tick(record={"terminated": None, "truncated": None, "done": True,
                              "info": {"TimeLimit.truncated": True}}).end()  # fmt: skip
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    dataset = minari.MinariDataset(exported.path / "data")
    flags = [(bool(each.terminations[-1]), bool(each.truncations[-1])) for each in dataset.iterate_episodes()]
    assert flags == [(True, False), (False, True), (False, True), (False, True)]
    about = [(each["reason"], bool(each["cut"])) for each in dataset.storage.get_episode_metadata(range(4))]
    assert about == [("done", False), ("done", False), ("stopped", True), ("done", False)]


def test_what_the_agent_says_it_applied_is_the_action(tmp_path):
    play = Play(tmp_path / "Trials").begin().tick(action=0, reported_action=1).tick(action=0, terminated=True)
    play.end()
    play.close()
    (episode,) = episodes(tmp_path / "Trials")
    assert episode.actions.tolist() == [1, 0] and episode.human["action_name"].tolist() == ["noop", "noop"]


@pytest.mark.parametrize("name", ["../../evil-v0", "/etc/x-v0", "a b-v0", "é\0-v0"])
def test_a_dataset_stays_in_its_folder_whatever_it_is_called(tmp_path, name):
    simple_record(tmp_path / "Trials", game=name)
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert exported.path.is_relative_to(tmp_path / "datasets") and ".." not in exported.path.parts
    with pytest.raises(RecordError, match="is no name for a dataset"):
        export(tmp_path / "Trials", "minari", tmp_path / "datasets", options=Options(dataset=name))


def test_minari_loads_the_dataset_by_its_name(tmp_path, monkeypatch):
    simple_record(tmp_path / "Trials")
    export(tmp_path / "Trials", "minari", tmp_path / "datasets", options=Options(dataset="mine/first"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    assert list(minari.list_local_datasets()) == ["mine/first-v0"]
    assert minari.load_dataset("mine/first-v0").total_steps == 3


FORMULAS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "'=1", "＝1", " =1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(tmp_path, text):
    play = Play(tmp_path / "Trials", participant={"userId": text}, condition=text).begin()
    play.entries.add_input({"typed": text}, conn=1, received_ns=1, frame=None, t_client_ms=None)
    play.tick(action=text, reward=-1.0, applied={"name": text}, terminated=True).end(text)
    play.close()
    path = export(tmp_path / "Trials", "csv", tmp_path / "a.csv").path
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = plain_csv.DictReader(file)
    assert row["participant"] == row["condition"] == row["action"] == row["action_name"] == "'" + text
    assert float(row["reward"]) == -1.0
    for name, cell in row.items():
        assert name == "reward" or not cell.strip().startswith(("=", "+", "-", "@", "＝")), (name, cell)


def test_csv_times_count_from_the_beginning_of_the_episode(tmp_path):
    simple_record(tmp_path / "Trials", ticks=2)
    path = export(tmp_path / "Trials", "csv", tmp_path / "a.csv").path
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(plain_csv.DictReader(file))
    assert [row["t_s"] for row in rows] == ["0.033333", "0.066667"]
    assert rows[0]["time_utc"].endswith("+00:00") and "observation" not in rows[0]


def test_a_text_without_tricks_stays_as_it_is():
    assert csv.safe_text("Ann = 1") == "Ann = 1"
    assert csv.safe_text("a\0b") == "a�b"


def test_the_records_folder_knows_its_exports(tmp_path):
    records = tmp_path / "Trials"
    simple_record(records)
    with claim(records):
        export(records, "csv", tmp_path / "a.csv")
        export(records / "trial-a", "jsonl", tmp_path / "a.jsonl")
        dataset = export(records, "minari", tmp_path / "datasets").path
    assert list(ledger.known_exports(records)) == [
        ("csv", tmp_path / "a.csv"),
        ("jsonl", tmp_path / "a.jsonl"),
        ("minari", dataset),
    ]
    assert (records / ledger.LEDGER).stat().st_mode & 0o777 == 0o600


def test_records_of_the_first_hippo_gym_are_exported_without_what_they_lack(tmp_path):
    entry = {"userId": "Ann", "observation": np.zeros(2), "reward": 1.0, "done": False, "info": {"lives": 3}}
    (tmp_path / "Trials").mkdir()
    (tmp_path / "Trials" / "episode_2_user_Ann").write_bytes(
        pickle.dumps(entry) + pickle.dumps({**entry, "done": True})
    )
    exported = export(tmp_path / "Trials", "jsonl", tmp_path / "a.jsonl")
    assert any("no checksums" in note for note in exported.notes)
    rows = list(jsonl.read(exported.path))
    assert [(row["kind"], row["verified"], row["action"], row["episode"]) for row in rows] == [
        ("reset", False, None, 2),
        ("tick", False, None, 2),
        ("tick", False, None, 2),
    ]
    assert rows[2]["terminated"] and rows[1]["extra"] == {"userId": "Ann"} and rows[0]["participant"] == "Ann"
    (episode,) = episodes(tmp_path / "Trials")
    assert episode.actions is None and episode.observations.shape == (2, 2) and not episode.verified


MEASURE = """
import sys, resource
from pathlib import Path
from hippogym.data.export.run import export
export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(records, to, out):
    command = [sys.executable, "-c", MEASURE, str(records), to, str(out)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=env).stdout)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two folders of records, of 16 and of 60 MB; every episode has 0.4 MB."""
    pixels = np.random.default_rng(1).integers(0, 255, (160, 160), np.uint8)
    folders = [tmp_path_factory.mktemp(name) for name in ("few", "many")]
    for folder, count in zip(folders, (40, 150), strict=True):
        play = Play(folder, game="none", per="trial")
        for _ in range(count):
            play.begin(pixels)
            for number in range(15):
                play.tick(pixels, number % 2)
            play.end()
        play.close()
    return folders


@pytest.mark.parametrize("to", [to if to == "parquet" else pytest.param(to, marks=pytest.mark.long) for to in FORMATS])
def test_memory_does_not_grow_with_the_number_of_episodes(tmp_path, studies, to):
    few, many = (peak_kb(study, to, tmp_path / f"{study.name}-{OUT[to]}") for study in studies)
    assert many - few < 22_000, f"44 MB more of records needed {many - few} kB more of memory"
