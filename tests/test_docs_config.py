"""docs/config.md says what the schema says: no more, no less, and its examples are read as they stand."""

import re
from pathlib import Path

import pytest
import yaml

from hippogym.config import KNOWN_UI, SETTINGS, load_study
from hippogym.config.schema import OLDER_SPELLINGS
from hippogym.config.table import table, with_tables
from hippogym.errors import ConfigError

PAGE = (Path(__file__).parent.parent / "docs" / "config.md").read_text("utf-8")
LEAVES = [setting for setting in SETTINGS if setting.section is None]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def documented_keys() -> list[str]:
    return re.findall(r"^\| `((?:project|trial)\.[\w.]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|", PAGE, re.MULTILINE)


def test_the_page_documents_every_setting_once_and_none_that_does_not_exist():
    assert sorted(documented_keys()) == sorted(setting.dotted for setting in LEAVES)


def test_the_tables_are_those_of_the_schema():
    assert with_tables(PAGE) == PAGE, "renew them: python -m hippogym.config.table docs/config.md"


def test_a_table_that_lacks_a_row_is_noticed():
    row = next(line for line in PAGE.splitlines(keepends=True) if line.startswith("| `trial.seed`"))
    assert with_tables(PAGE.replace(row, "")) == PAGE


def test_a_section_without_settings_has_no_table():
    with pytest.raises(ValueError, match="project.nothing"):
        table("project.nothing")


@pytest.mark.parametrize("setting", LEAVES, ids=lambda setting: setting.dotted)
def test_every_setting_says_what_it_takes_what_it_is_for_and_an_example(setting):
    assert setting.expected and setting.meaning.endswith((".", ")")) and setting.shown_default
    assert list(yaml.safe_load(setting.example)) == [setting.path[-1]]
    assert "|" not in setting.expected + setting.meaning + setting.example + setting.shown_default


@pytest.mark.parametrize("setting", LEAVES, ids=lambda setting: setting.dotted)
def test_every_setting_accepts_its_own_example(setting, tmp_path):
    content = {"trial": {"game": "CartPole-v1"}}
    section = content
    for part in setting.path[:-1]:
        section = section.setdefault(part, {})
    section |= yaml.safe_load(setting.example)
    if setting.path[:2] == ("project", "awsSetup"):
        content["project"]["useAWS"] = False
    if setting.path[:2] == ("project", "events"):
        content["project"]["steps"] = {1: "a.html", 2: "game", 3: "b.html", "finalStep": "b.html"}
    if setting.path == ("project", "conditions"):
        content["project"]["steps"] = {1: "game", "finalStep": "b.html"}
    if setting.path == ("trial", "s3upload"):
        content["project"] = {"awsSetup": {"bucket": "a-bucket", "region": "us-west-2"}}
    if setting.path == ("project", "useAWS"):
        content["project"] |= {"awsSetup": {"bucket": "a-bucket", "region": "us-west-2"}}
    (tmp_path / "config.yml").write_text(yaml.safe_dump(content))
    assert load_study(tmp_path)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_page_is_a_study(example, tmp_path):
    (tmp_path / "config.yml").write_text(example)
    study = load_study(tmp_path)
    assert study.trial.game
    assert [warning for warning in study.warnings if "StepFiles" not in warning] == []


def test_the_smallest_study_of_the_page_has_two_lines():
    assert EXAMPLES[0].count("\n") == 2


def test_the_page_names_every_control_and_every_older_spelling():
    for name in KNOWN_UI:
        assert re.search(rf"[`\s]{name}[`\s]", PAGE), name
    for path, today in OLDER_SPELLINGS.items():
        assert f"| `{'.'.join(path)}` | `{'.'.join((*path[: path.index(path[-1])], today))}` |" in PAGE


def test_the_message_that_the_page_shows_is_the_one_that_comes(tmp_path):
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1].strip()
    (tmp_path / "config.yml").write_text(
        "project:\n  id: a\ntrial:\n  startingFrameRate: fast\n  actionspace: [a]\n  game: CartPole-v1\n"
    )
    with pytest.raises(ConfigError) as refused:
        load_study(tmp_path)
    assert [line.strip() for line in str(refused.value).splitlines()] == [line.strip() for line in shown.splitlines()]
