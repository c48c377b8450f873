"""hippogym answers: a table that says exactly what was answered, and that no spreadsheet runs."""

import base64
import csv
import hashlib
import io
import json
from pathlib import Path

import pytest

from hippogym.cli import main
from tests.study.at_the_desk import Guest, opened, settings_of
from tests.study.whole_study import EVERYTHING
from tests.study.whole_study import PAGES as EVERY_PAGE

STEPS = ["consent.html", "survey.html"]
PAGES = {name: text for name, text in EVERY_PAGE.items() if name in (*STEPS, "thanks.html")}
EVIL = '=HYPERLINK("https://evil.example")'


async def answered(folder: Path) -> None:
    """Two who answered, one of them everything; and a researcher."""
    async with opened(folder, settings_of(STEPS), pages=PAGES) as desk:
        for link, said in (({"userId": "ada"}, EVERYTHING), ({"userId": "@bob", "source": EVIL}, {"text": EVIL}),
                           ({"userId": "r", "preview": "1"}, {"text": "mine"})):  # fmt: skip
            guest = await Guest(desk, **link).arrive()
            await guest.submit(agree=True)
            await guest.submit(**said)
        await Guest(desk, userId="only here").arrive()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await answered(tmp_path)
    return tmp_path


def table(capsys, *arguments: object) -> list[dict[str, str]]:
    assert main(["answers", *map(str, arguments)]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))


async def test_a_row_for_each_visit_with_every_answer(data, capsys):
    ada, bob, here = table(capsys, "--data", data)
    assert (ada["user"], ada["outcome"], ada["consent.agree"]) == ("ada", "complete", "true")
    assert (ada["survey.radio"], ada["survey.one"], ada["survey.several"]) == ("a", "false", '["y"]')
    assert (ada["survey.number"], ada["survey.long"]) == ("33.50", EVERYTHING["long"])
    file = json.loads(ada["survey.file"])
    assert file["sha256"] == hashlib.sha256(base64.b64decode(EVERYTHING["file"]["base64"])).hexdigest()
    assert (bob["survey.radio"], bob["survey.several"], bob["survey.file"]) == ("", "[]", "")
    assert (here["outcome"], here["at_step"], here["survey.text"]) == ("", "consent", "")
    assert ada["code"] and float(ada["survey.seconds"]) >= 0 and ada["survey.tries"] == "1"


async def test_a_spreadsheet_runs_nothing_of_it(data, capsys):
    _, bob, _ = table(capsys, "--data", data)
    assert (bob["user"], bob["survey.text"], bob["link.source"]) == ("'@bob", "'" + EVIL, "'" + EVIL)


async def test_previews_are_there_when_they_are_asked_for(data, capsys):
    assert [row["user"] for row in table(capsys, "--data", data, "--previews")] == ["ada", "'@bob", "r", "only here"]


async def test_a_row_for_each_answer(data, capsys):
    rows = table(capsys, "--data", data, "--rows", "answers")
    assert len(rows) == 2 * (1 + len(EVERYTHING))
    assert [row["question"] for row in rows if row["user"] == "ada"] == ["agree", *EVERYTHING]
    assert rows[0]["page_sha256"] == hashlib.sha256(PAGES["consent.html"].encode()).hexdigest()


async def test_json_lines_hold_every_value_as_it_was_given(data, tmp_path, capsys):
    out = tmp_path / "answers.jsonl"
    assert main(["answers", "--data", str(data), "--to", "jsonl", "--out", str(out)]) == 0
    ada, bob, _ = (json.loads(line) for line in out.read_text().splitlines())
    for name, value in EVERYTHING.items():
        if name != "file":
            assert ada[f"survey.{name}"] == value
    assert bob["survey.text"] == EVIL
    assert "3 rows" in capsys.readouterr().out


async def test_parquet_holds_the_same(data, tmp_path):
    import pyarrow.parquet as pq

    out = tmp_path / "answers.parquet"
    assert main(["answers", "--data", str(data), "--to", "parquet", "--out", str(out)]) == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["survey.text"] for row in rows] == [EVERYTHING["text"], EVIL, None]
    assert json.loads(rows[0]["survey.multi"]) == EVERYTHING["multi"]


async def test_uploaded_files_come_out_byte_for_byte(data, tmp_path):
    assert main(["answers", "--data", str(data), "--out", str(tmp_path / "x.csv"), "--files", str(tmp_path / "f")]) == 0
    [file] = (tmp_path / "f").iterdir()
    assert file.read_bytes() == bytes(range(256)) and file.name == hashlib.sha256(bytes(range(256))).hexdigest()


async def test_it_can_be_asked_while_the_study_runs(tmp_path, capsys):
    async with opened(tmp_path, settings_of(STEPS), pages=PAGES) as desk:
        await Guest(desk, userId="ada").arrive()
        assert [row["user"] for row in table(capsys, "--data", tmp_path)] == ["ada"]
        await Guest(desk, userId="bob").arrive()


def test_where_there_are_no_answers_that_is_said(tmp_path, capsys):
    assert main(["answers", "--data", str(tmp_path)]) == 1
    assert "there are no answers" in capsys.readouterr().err


# -- the participants' files -------------------------------------------------------------------------------------


async def test_everybody_has_a_file_with_everything_that_they_have_answered(data):
    files = {told["user"]: told for told in (json.loads(path.read_text()) for path in (data / "users").glob("*.json"))}
    assert set(files) == {"ada", "@bob", "r", "only here"}
    [visit] = files["ada"]["visits"]
    assert visit["outcome"] == "complete" and visit["preview"] is False
    assert [row["answers"] for row in visit["every_answer"]] == [{"agree": True}, EVERYTHING]
    assert [event["kind"] for event in visit["events"]] == ["arrived", "ended"]


async def test_a_file_follows_a_visit_that_goes_on(tmp_path):
    async with opened(tmp_path, settings_of(STEPS), pages=PAGES) as desk:
        await Guest(desk, userId="ada").arrive()
    async with opened(tmp_path, settings_of(STEPS), pages=PAGES) as desk:
        await (await Guest(desk, userId="ada").arrive()).submit(agree=True)
    [path] = (tmp_path / "users").glob("*.json")
    first, second = json.loads(path.read_text())["visits"]
    assert (first["step"], second["step"]) == ("consent", "survey")


async def test_no_name_of_a_participant_is_part_of_a_path(tmp_path):
    async with opened(tmp_path, settings_of(STEPS), pages=PAGES) as desk:
        for name in ("../../evil", "a/b", "..", "CON", "x" * 190):
            await Guest(desk, userId=name).arrive()
    names = [path.name for path in (tmp_path / "users").iterdir()]
    assert len(names) == 5 and all(set(name.removesuffix(".json")) <= set("0123456789abcdef") for name in names)
