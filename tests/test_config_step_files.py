"""The linter of steps and their pages: each mistake with the sentence that it gets, and none for what is right."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.config import load_study
from hippogym.config.possible import can_hold
from hippogym.config.step_files import check_step_files
from hippogym.core.study.forms import read_form
from hippogym.core.study.when import holds, read_comparison

ROOT = Path(__file__).parent.parent
CONSENT = '<label><input type="checkbox" name="agree" required> I consent.</label>'
WAY = "steps: {1: consent.html, 2: page.html, 3: game, finalStep: thanks.html}"


@pytest.fixture
def lint(tmp_path):
    """What the linter says of a project with these lines (from line 4 on) and these pages, as sentences."""

    def lint(lines=WAY, kind=None, **pages):
        files = {"consent.html": CONSENT, "page.html": "<p>Read.</p>", "thanks.html": "<p>Thank you.</p>"}
        files |= {name.replace("__", ".").replace("_", "-"): content for name, content in pages.items()}
        folder = tmp_path / "StepFiles"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            if content is not None:
                (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        text = "".join(f"  {line}\n" for line in lines.splitlines())
        (tmp_path / "config.yml").write_text(f"trial:\n  game: CartPole-v1\nproject:\n{text}")
        remarks = check_step_files(load_study(tmp_path))
        return [str(remark) for remark in remarks if kind in (None, remark.kind)]

    return lint


def test_a_sound_study_has_no_remarks(lint):
    quiz = (
        "<fieldset><legend>Which?</legend><label><input type=radio name=q value=a data-right required>A</label>"
        "<label><input type=radio name=q value=b>B</label></fieldset>"
    )
    lines = (
        "steps:\n  1: consent.html\n  2: {page: page.html, tries: 2, onFail: consent}\n  3: game\n"
        "  4: {page: more.html, when: [game.score > 3, page.q == b]}\n  finalStep: thanks.html"
    )
    assert lint(lines, page__html=quiz, more__html="<img src='a b.png' alt=''><a href='https://a.org'>x</a>",
                **{"a b__png": ""}) == []  # fmt: skip
    assert lint("id: a") == []


@pytest.mark.parametrize(
    "folder", [ROOT, *sorted((ROOT / "examples").glob("*/config.yml"))], ids=lambda path: path.name
)
def test_what_is_shipped_has_no_remarks(folder):
    study = load_study(folder if folder.is_dir() else folder.parent)
    assert [str(remark) for remark in check_step_files(study)] == []


LABELLED = "aria-label=x"
PROBLEMS = [
    (f"<input {LABELLED}>", "line 1: a control (text) without a name; its answer would not be kept"),
    (f"\n\n<input name=a {LABELLED}><input name=a {LABELLED}>", "line 3: the name a is taken (line 3); only one of th"),
    (f"<select name=a {LABELLED}></select><input type=radio name=a {LABELLED}>", "the name a is taken (line 1)"),
    (f"<input name=hippogym-stamp {LABELLED}>", "the name hippogym-stamp is taken; call it something else"),
    ("<fieldset><legend>q</legend>" + f"<input type=checkbox name=a {LABELLED}>" * 2 + "</fieldset>", "a has two "
     "choices with the value 'on'"),
    ("<input name=a placeholder=Age>", "a has no label (<label>, or aria-label)"),
    ("<label for=b>A</label><input name=a id=a>", "a has no label"),
    (f"<select name=a data-right {LABELLED}><option>1</select>", "data-right stands on the right <option>, not on the"),
    (f"<input name=a data-right='' {LABELLED}>", "a: data-right is empty; write the right answers"),
    (f"<input name=a data-attention {LABELLED}>", "a has data-attention, but nothing says what is right"),
    (f"<input type=number name=a data-right=three {LABELLED}>", "a: data-right is no number"),
    (f"<input type=file name=a data-right=x {LABELLED}>", "a: a file control cannot be answered right"),
    (f"<select name=a {LABELLED}><option data-right>1<option data-right>2</select>", "every choice is marked as right"),
    (f"<input type=radio name=a value=1 data-right=1 {LABELLED}><input type=radio name=a value=2 {LABELLED}>",
     "data-right stands on the right choice itself, without a value"),
    (f"<input type=radio name=a data-right=false {LABELLED}>", 'data-right="false" says something only on a box'),
    (f"<select name=a {LABELLED}><option>1<option disabled data-right>2</select>", "marked as right is disabled"),
    (f"<input type=number max=3 name=a data-right=4 {LABELLED}>", "cannot be answered on this page, so nobody can"),
    (f"<input type=number name=a data-right=2.5 {LABELLED}>", "only whole numbers can be entered here"),
    (f"<input maxlength=3 name=a data-right=four {LABELLED}>", "cannot be answered on this page, so nobody can pass"),
    (f"<input type=checkbox required name=a data-right=false {LABELLED}>", "so nobody can pass"),
    (f"<fieldset><legend>q</legend><input type=checkbox name=a value=1 required {LABELLED}>"
     f"<input type=checkbox name=a value=2 data-right {LABELLED}></fieldset>", "so nobody can pass"),
    ("<a href=no.pdf>x</a>", "StepFiles/no.pdf is not there"),
    ("<img src=no.png alt=''>", "StepFiles/no.png is not there"),
    ("<img src=/no.png alt=''>", "/no.png begins with a slash; write it as it lies in StepFiles"),
    (b"\xff\xfe", "StepFiles/page.html: not text in UTF-8"),
    (b" " * (2**21 + 1), "StepFiles/page.html: larger than 2 MiB"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "says"), PROBLEMS, ids=lambda part: str(part)[:60])
def test_a_page_that_would_lose_an_answer_or_a_participant_is_named(lint, html, says):
    assert any(says in remark and "StepFiles/page.html" in remark for remark in lint(kind="problem", page__html=html))


@pytest.mark.parametrize(
    ("html", "says"),
    [
        (f"<input type=radio name=a value=1 {LABELLED}><input type=radio name=a value=2 {LABELLED}>", "the choices of "
         "a have no question of their own (<fieldset> with a <legend>)"),
        (f"<input name=a data-hint=x {LABELLED}>", "a has data-hint, but nothing says what is right"),
        (f"<input name=a data-right=x {LABELLED}>", "a is not required, so leaving it empty counts as a wrong try"),
        ("<p>\n<script>1</script>", "line 2: scripts are not run here"), ("<p onclick='x()'>", "on… attributes are sc"),
        ("<form></form>", "this <form> is left out"), ("<iframe></iframe>", "<iframe> is left out"),
        ("<p>\n\n<input type='submit'>", "line 3: a Submit button stands below every page already"),
        ("<button type=submit>Go</button>", "a Submit button stands below every page already"),
        ("<img src='https://tracker.org/x.png' alt=''>", "<img> comes from tracker.org, which is not let in"),
    ],
)  # fmt: skip
def test_what_is_worth_a_look_on_a_page_is_said(lint, html, says):
    assert any(says in remark for remark in lint(kind="warning", page__html=html))


def test_scripts_that_are_run_are_no_remark(lint):
    assert lint(WAY + "\nscripts: True", page__html="<script>1</script><p onclick='x()'>") == []


def steps(*entries):
    listed = [f"  {number}: {entry}" for number, entry in enumerate(entries, start=1)]
    return "\n".join(["steps:", *listed, "  finalStep: thanks.html"])


ASKING = (
    f"<input type=number name=age min=18 max=99 {LABELLED}><select name=sex {LABELLED}><option>f<option>m</select>"
    f"<input type=checkbox name=ok {LABELLED}><input name=text {LABELLED}><input type=date name=day {LABELLED}>"
    f"<fieldset><legend>g</legend><input type=checkbox name=g value=1 {LABELLED}>"
    f"<input type=checkbox name=g value=2 {LABELLED}></fieldset>"
)


@pytest.mark.parametrize(
    "when",
    [
        "page.age < 18", "page.age > 99", "[page.age > 30, page.age < 25]", "page.age == young", "page.sex == x",
        "[page.sex == f, page.sex == m]", "page.ok == 1", "[page.text == a, page.text == b]", "page.g == 3",
        "page.day == 31.12.2020", "[page.day > 2020-01-01, page.day < 2020-01-02]", "game.episodes < 0",
        "game.score == high", "[game.score > 3, game.score <= 3]", "attention_failed < 0", "condition == other",
        "group.survey == 2", "[group.survey != 0, group.survey != 1]", "[page.sex in x, y]",
    ],
)  # fmt: skip
def test_a_when_that_can_never_hold_is_a_step_for_nobody(lint, when):
    lines = steps("consent.html", "page.html", "survey.html", "game", f"{{page: more.html, when: {when!r}}}")
    lines = lines.replace("'[", "['").replace("]'", "']").replace("'['", "['").replace("']'", "']")
    if when.startswith("["):
        parts = when[1:-1].split(", ") if " in " not in when else [when[1:-1]]
        lines = steps("consent.html", "page.html", "survey.html", "game", f"{{page: more.html, when: {parts}}}")
    lines += "\nconditions: {one: , two: , other: {steps: {1: consent.html, 2: game}}}"
    remarks = lint(lines, "problem", page__html=ASKING, survey_0__html="", survey_1__html="", more__html="")
    assert len(remarks) == 1 and "line 9: project.steps.5.when" in remarks[0]
    assert "can never hold, so nobody is shown this step" in remarks[0]


@pytest.mark.parametrize(
    "when",
    [
        "page.age <= 18", "[page.age > 30, page.age < 32]", "page.age != 18", "[page.sex != f, page.sex != m]",
        "page.ok == false", "page.text == anything", "[page.text != a, page.text != b]", "[page.g == 1, page.g == 2]",
        "[page.day > 2020-01-01, page.day < 2020-01-03]", "game.score < 0", "game.reason == stopped",
        "[game.score > 3, game.score < 4]", "attention_failed == 0", "condition in one, other", "group.survey == 1",
    ],
)  # fmt: skip
def test_a_when_that_may_hold_is_no_remark(lint, when):
    parts = when[1:-1].split(", ") if when.startswith("[") else [when]
    lines = steps("consent.html", "page.html", "survey.html", "game", f"{{page: more.html, when: {parts}}}")
    lines += "\nconditions: {one: , two: , other: {steps: {1: consent.html, 2: game}}}"
    assert lint(lines, page__html=ASKING, survey_0__html="", survey_1__html="", more__html="") == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (steps("consent.html", "page.html", "{page: game, when: page.agee > 3}"), "line 7: project.steps.3.when: "
         "page.agee > 3: StepFiles/page.html has no control called agee; did you mean age?"),
        (steps("consent.html", "page.html", "game", "{page: page.html, when: group.pge == 1}"), "there is no group of"),
        (steps("consent.html", "no.html", "game"), "line 6: project.steps.2: StepFiles/no.html is not there"),
        (steps("consent.html", "{end: complete}", "game"), "line 7: project.steps.3: nobody gets here"),
        (steps("consent.html", "page.html", "game") + "\nconditions: {a: {steps: {1: consent.html, 2: {end: complete}, "
         "3: game}}, b: }", "line 9: project.conditions.a.steps.3: nobody gets here"),
    ],
)  # fmt: skip
def test_a_way_that_leads_nowhere_is_named_with_its_line(lint, lines, says):
    assert any(says in remark for remark in lint(lines, "problem", page__html=ASKING))


def test_a_step_that_a_failure_leads_to_is_reached(lint):
    quiz = f"<input name=q data-right=1 required {LABELLED}>"
    way = [
        "consent.html",
        "{page: page.html, tries: 1, onFail: help}",
        "{end: complete}",
        "{page: help.html, name: help}",
    ]
    assert [r for r in lint(steps(*way, "game"), page__html=quiz, help__html="") if "nobody gets" in r] == []
    way[1] = "page.html"
    assert len([r for r in lint(steps(*way, "game"), page__html=quiz) if "nobody gets here" in r]) == 2


@pytest.mark.parametrize(
    ("lines", "pages", "says"),
    [
        (steps("page.html", "game"), {}, "line 4: project.steps: no page before the first game speaks of consent"),
        (steps("game", "consent.html"), {}, "no page before the first game speaks of consent"),
        (WAY, {"consent__html": "<p>We need your consent."}, "line 4: project.steps.1: nothing on consent.html must b"),
        (WAY, {"thanks__html": f"<input name=a {LABELLED}>"}, "thanks.html, line 1: a: nothing is kept of what is ent"),
        (WAY, {"odd__html": ""}, "StepFiles/odd.html: no step shows it"),
        (WAY, {"page_0__html": ""}, "StepFiles/page-0.html: a group of one is the same for everybody"),
        (WAY, {"page_0__html": "", "page_1__html": ""}, "StepFiles/page.html: shown to nobody, because there is page-"),
        (WAY, {"page_0__html": "", "page_1__html": "", "page_3__html": ""}, "page-3.html: shown to nobody, because "
         "page-2.html is missing"),
        (steps("consent.html", "{page: page.html, tries: 2}", "game"), {}, "line 6: project.steps.2.tries: nothing on "
         "page.html is marked as right"),
        (steps("consent.html", "{page: page.html, onFail: consent}", "game"), {}, "project.steps.2.onFail: nobody fai"),
        (WAY + "\nconditions: {a: {steps: {1: consent.html, 2: game}}, b: {steps: {1: consent.html, 2: game}}}", {},
         "line 4: project.steps: every condition has steps of its own, so nobody goes this way"),
        (steps("consent.html", "page.html", "game", "{page: page.html, when: page.age > 1}"),
         {"page_0__html": ASKING, "page_1__html": ""}, "StepFiles/page-1.html of the group has no control called age"),
    ],
)  # fmt: skip
def test_what_is_worth_a_look_on_the_way_is_said(lint, lines, pages, says):
    assert any(says in remark for remark in lint(lines, "warning", **pages))


CONTROLS = [read_form(ASKING).control(name) for name in ("age", "sex", "ok", "text", "day")]
ANSWERS = {
    "age": [str(n) for n in range(18, 100)], "sex": ["f", "m"], "ok": [True, False], "text": ["", "a", "b", "5", "c d"],
    "day": ["2019-12-31", "2020-01-01", "2020-01-02", "2020-01-05"],
}  # fmt: skip
COMPARISONS = st.builds(
    "x.y {} {}".format,
    st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "in"]),
    st.sampled_from(["18", "18.5", "30", "5", "2020-01-01", "2020-01-02"]),
)


@given(st.sampled_from(CONTROLS), st.lists(COMPARISONS, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_what_some_answer_satisfies_is_never_called_impossible(control, texts):
    comparisons = [read_comparison(text) for text in texts]
    for answer in ANSWERS[control.name]:
        if all(holds(comparison, lambda name, answer=answer: answer) for comparison in comparisons):
            assert can_hold(comparisons, control, always=True), answer
