"""docs/study.md: its studies are read, its pages are sound, its words are those of the rules."""

import re
from pathlib import Path

import pytest

from hippogym.config import load_study
from hippogym.config.arms import OF_CONDITION
from hippogym.config.page_check import page_remarks, read_page
from hippogym.config.steps import ENTRIES
from hippogym.core.study.forms import read_form, strip_marks
from hippogym.core.study.page_reader import MARKS
from hippogym.core.study.way import OUTCOMES, build_way
from hippogym.core.study.when import GAME_RESULTS, OPERATORS

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "study.md").read_text("utf-8")
STUDIES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PAGES = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", STUDIES, ids=range(len(STUDIES)))
def test_every_study_of_the_page_is_read(example, tmp_path):
    (tmp_path / "config.yml").write_text(example)
    study = load_study(tmp_path)
    assert [warning for warning in study.warnings if "StepFiles" not in warning] == []
    assert build_way(study.study_settings()).has_steps


@pytest.mark.parametrize("html", PAGES, ids=range(len(PAGES)))
def test_every_page_of_the_page_is_sound(html):
    assert read_form(html).controls
    assert [str(r) for r in page_remarks(read_page("x.html", html, is_last=False, scripts=False))] == []
    assert not any(mark in strip_marks(html) for mark in MARKS)


@pytest.mark.parametrize(
    "word", [*OUTCOMES, *MARKS, *GAME_RESULTS, *OPERATORS, "attention_failed", "group.", "condition"]
)
def test_every_word_of_the_rules_is_explained(word):
    assert re.search(rf"`[^`\n]*{re.escape(word)}[^`\n]*`", PAGE)


def test_everything_that_a_step_or_a_condition_may_say_is_in_the_table_of_settings():
    page = (DOCS / "config.md").read_text("utf-8")
    for name in (*ENTRIES, *OF_CONDITION):
        assert f"\n| `{name}` | " in page, name
