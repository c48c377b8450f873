"""docs/reading.md names everything that a reader will meet."""

import re

import pytest

from hippogym.cli import COMMANDS
from hippogym.data.columns import HUMAN_COLUMNS
from hippogym.data.export.rows import COLUMNS
from hippogym.data.export.run import FORMATS
from tests.export.making import Play, simple_record
from tests.servers import ROOT

TEXT = (ROOT / "docs" / "reading.md").read_text()
NAMED = set(re.findall(r"`([a-z_0-9]+)`", TEXT))


@pytest.mark.parametrize("column", [*HUMAN_COLUMNS, *COLUMNS])
def test_every_column_is_explained(column):
    assert column in NAMED


@pytest.mark.parametrize("name", [*FORMATS, "read", "verify", "export"])
def test_every_format_and_command_is_shown(name):
    assert name in COMMANDS or f"--to {name}" in TEXT or name in ("jsonl", "csv")
    assert f"hippogym {name}" in TEXT or name in FORMATS


def test_the_code_for_episodes_runs(tmp_path, monkeypatch, capsys):
    simple_record(tmp_path / "Trials")
    monkeypatch.chdir(tmp_path)
    run_block("from hippogym.data.episodes", {})
    assert capsys.readouterr().out == "Ann 0 done\n"


def test_the_code_for_parquet_gives_the_observation_back(tmp_path, monkeypatch):
    np = pytest.importorskip("numpy")
    table = pytest.importorskip("pyarrow.parquet")
    from hippogym.data.export.run import export

    seen = np.arange(6, dtype=np.float32).reshape(2, 3)
    play = Play(tmp_path / "Trials").begin(seen).tick(seen + 1, terminated=True)
    play.end()
    play.close()
    export(tmp_path / "Trials", "parquet", tmp_path / "study.parquet")
    row = table.read_table(tmp_path / "study.parquet").to_pylist()[1]
    line = next(line for line in TEXT.splitlines() if line.startswith("observation = "))
    names = {"np": np, "one": type("Row", (), row)}
    exec(line, names)
    assert np.array_equal(names["observation"], seen + 1)


def run_block(beginning, names):
    """Run the block of code that begins so."""
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if block.startswith(beginning)]
    exec(block, names)
