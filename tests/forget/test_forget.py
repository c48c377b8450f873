"""Who is forgotten is nowhere any more; everybody else is as they were."""

import fcntl
import json
import shutil
import sys
from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.data.forgetting.forget import Forgetting
from hippogym.data.storage import open_storage
from hippogym.errors import RecordError
from tests.forget.study_with_people import (
    OTHER,
    PROJECT,
    WHO,
    answer,
    deliver,
    export_all,
    keep,
    make_study,
    records_of,
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    study = make_study(tmp_path / "study")
    keep(study, "trial-1", WHO)
    keep(study, "trial-2", OTHER)
    keep(study, "trial-3", WHO)
    return study


def forget(capsys, *arguments: object) -> tuple[int, str]:
    code = main(["forget", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out + told.err


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_participant_is_removed_from_everywhere_and_nobody_else_is(study, tmp_path, capsys):
    store = open_storage(str(tmp_path / "store"))
    deliver(study, store)
    for who in (WHO, OTHER):
        answer(study, store, who)
    exports = export_all(study, study / "exports")
    of_the_other = {name: data for name, data in everything(study).items() if "trial-2" in name}
    stored = {key for key in store.keys("") if f"/{OTHER}" in key}
    code, out = forget(capsys, WHO, "--study", study, "--store", tmp_path / "store", "--yes")
    assert code == 0, out
    assert "0 hits" in out
    assert records_of(study) == {"trial-2"}
    assert {name: data for name, data in everything(study).items() if "trial-2" in name} == of_the_other
    assert set(store.keys("")) == stored and len(stored) == 3
    assert not any(path.exists() for path in exports)
    assert not any(holds(data, WHO, OTHER) for data in everything(study).values())


def test_nothing_that_is_printed_or_left_says_who_it_was(study, capsys):
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert code == 0
    tombstone = (study / "Trials" / ".forgotten").read_text()
    assert WHO not in out + tombstone
    nothing = dict.fromkeys(("notes on uploads", "exports", "visits with their answers", "files with their answers"), 0)
    assert json.loads(tombstone)["removed"] == {**nothing, "records": 6}
    assert set(json.loads(tombstone)) == {"date", "removed"}


def test_it_can_be_repeated(study, capsys):
    forget(capsys, WHO, "--study", study, "--yes")
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert (code, "nothing is kept of this participant" in out) == (0, True)
    assert (study / "Trials" / ".forgotten").read_text().count("\n") == 1


def test_who_is_playing_is_not_forgotten(study, capsys):
    recorder = keep(study, "trial-4", WHO, closed=False)
    before = everything(study)
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert (code, "is playing now" in out) == (1, True)
    assert everything(study) == before
    recorder.close()
    assert forget(capsys, WHO, "--study", study, "--yes")[0] == 0


def test_others_may_be_playing(study, capsys):
    recorder = keep(study, "trial-4", OTHER, closed=False)
    assert forget(capsys, WHO, "--study", study, "--yes")[0] == 0
    recorder.close()
    assert records_of(study) == {"trial-2", "trial-4"}


def test_a_record_that_waits_for_its_repair_is_found(study, capsys):
    keep(study, "trial-4", WHO, closed=False)._let_go()
    (study / "Trials" / "trial-1" / "episode_0000.json").unlink()
    (study / "Trials" / "trial-3" / "episode_0000.json").write_text("{")
    assert forget(capsys, WHO, "--study", study, "--yes")[0] == 0
    assert records_of(study) == {"trial-2"} and not (study / "Trials" / "trial-4").exists()


def test_while_a_server_uploads_nobody_is_forgotten(study, tmp_path, capsys):
    with (study / "Trials" / ".lock").open() as server:
        fcntl.flock(server, fcntl.LOCK_EX)
        code, out = forget(capsys, WHO, "--study", study, "--store", tmp_path / "store", "--yes")
        assert (code, "a server of this study is running" in out) == (1, True)
        assert forget(capsys, WHO, "--study", study, "--yes")[0] == 0


def test_a_store_that_does_not_answer_leaves_everything_as_it_was(study, tmp_path, capsys):
    (tmp_path / "store").write_text("not a folder")
    before = everything(study)
    assert forget(capsys, WHO, "--study", study, "--store", tmp_path / "store" / "x", "--yes")[0] == 1
    assert everything(study) == before


def test_without_yes_somebody_is_asked(study, capsys, monkeypatch):
    before = everything(study)
    assert forget(capsys, WHO, "--study", study)[0] == 1
    for word, code in (("no\n", 1), ("\n", 1), ("yes\n", 0)):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdin, "readline", lambda word=word: word, raising=False)
        assert everything(study) == before
        assert forget(capsys, WHO, "--study", study)[0] == code
    assert records_of(study) == {"trial-2"}


def test_the_name_can_come_from_standard_input(study, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdin, "readline", lambda: f"{WHO}\n", raising=False)
    assert forget(capsys, "-", "--study", study, "--yes")[0] == 0
    assert records_of(study) == {"trial-2"}


def test_what_a_search_finds_is_said_and_is_no_success(study, capsys):
    (study / "notes.txt").write_text(f"{WHO} was late")
    (study / f"{WHO}.txt").write_text("")
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert code == 1
    assert "2 hits" in out and "notes.txt" in out


def test_a_file_that_is_no_export_any_more_is_not_removed(study, capsys):
    csv, *_ = export_all(study, study / "exports")
    csv.write_text("something of mine")
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert (code, "is something else now" in out) == (1, True)
    assert csv.read_text() == "something of mine" and len(records_of(study)) == 3


def test_exports_without_them_stay(study, capsys):
    shutil.rmtree(study / "Trials" / "trial-1")
    shutil.rmtree(study / "Trials" / "trial-3")
    csv, jsonl, parquet = export_all(study, study / "exports")
    keep(study, "trial-5", "another participant")
    forget(capsys, "another participant", "--study", study, "--yes")
    assert csv.exists() and jsonl.exists()
    assert not parquet.exists(), "nobody can look inside, so it goes"
    assert (study / "Trials" / ".exports").read_text().count("\n") == 2


def test_what_was_uploaded_under_an_older_name_of_the_project_goes_too(study, tmp_path):
    store = open_storage(str(tmp_path / "store"))
    deliver(study, store)
    with Forgetting(study, study / "Trials", "renamed", [store], WHO) as forgetting:
        forgetting.remove(forgetting.plan())
    assert [key for key in store.keys("") if f"/{WHO}/" in key] == []
    assert list(store.keys(f"{PROJECT}/Trials/{OTHER}/"))


def test_answers_of_whose_name_is_longer_stay(study, tmp_path):
    store = open_storage(str(tmp_path / "store"))
    keys = [f"{PROJECT}/users/{name}" for name in (WHO, f"{WHO}.json", f"{WHO}2", f"{WHO}.b")]
    for key in keys:
        answer(study, store, WHO, key)
    with Forgetting(study, study / "Trials", PROJECT, [store], WHO) as forgetting:
        forgetting.remove(forgetting.plan())
    assert sorted(store.keys("")) == sorted(keys[2:])


def test_nobody_has_an_empty_name(study):
    with pytest.raises(RecordError, match="empty"):
        Forgetting(study, study / "Trials", PROJECT, [], "")


def holds(data: bytes, name: str, longer: str) -> bool:
    return any(
        name.encode(encoding) in data.replace(longer.encode(encoding), b"") for encoding in ("utf-8", "utf-32-le")
    )
