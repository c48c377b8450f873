"""Pages as researchers write them: what they ask, what may be answered, and what never reaches a browser."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.study.forms import MOST_UNKNOWN, read_form, strip_marks
from hippogym.core.study.page_reader import MARKS, PageReader

EVERY_KIND = """
<p><label for="t">Name</label> <input id="t" name="t" maxlength="5" minlength="2"></p>
<label>Why? <textarea name="why">as it was</textarea></label>
<fieldset><legend>Which hand?</legend>
 <label><input type="radio" name="hand" value="l" required>left</label>
 <label><input type=radio name=hand value=r>right</label></fieldset>
<label><input type="checkbox" name="agree" required> I agree</label>
<div role="group" aria-label="Games">
 <label><input type="checkbox" name="games" value="go"> Go</label>
 <label><input type="checkbox" name="games" value="chess"> Chess</label></div>
<label>Sex <select name="sex" required><option value="">choose<option>f<option>m<option disabled>x</select></label>
<select multiple name="langs" aria-label="Languages">
 <option value=de>German</option><option value=fr>French</option></select>
<label>Age <input type="NUMBER" name="age" min="18" max="99"></label>
<input type="range" name="mood" aria-label="Mood">
<input type="date" name="born" min="1900-01-01" title="Born"><input type="time" name="slept" aria-label="Slept">
<input type="email" name="mail" aria-label="Mail"><input type="file" name="cv" aria-label="CV">
<input type="hidden" name="version" value="3"><input type="tel" name="tel" aria-label="Phone">
<input type="submit" name="go"><button name="b">B</button><input disabled name="off"><input>
<fieldset disabled><input name="off2"></fieldset><template><input name="inert"></template>
"""
FINE = {"hand": "l", "agree": True, "sex": "f"}


def problems(html, **answers):
    return {problem.name: problem.text for problem in read_form(html).check(answers)}


def test_every_control_is_found_in_document_order_with_its_kind():
    kinds = {control.name: control.kind for control in read_form(EVERY_KIND).controls}
    assert kinds == {
        "t": "text", "why": "textarea", "hand": "radio", "agree": "checkbox", "games": "checkbox", "sex": "select",
        "langs": "select-multiple", "age": "number", "mood": "range", "born": "date", "slept": "time",
        "mail": "email", "cv": "file", "version": "hidden", "tel": "other",
    }  # fmt: skip
    assert list(kinds) == [*dict.fromkeys(kinds)] and next(iter(kinds)) == "t"


def test_labels_are_found_however_they_are_given():
    labels = {control.name: control.label for control in read_form(EVERY_KIND).controls}
    wanted = {"t": "Name", "why": "Why?", "hand": "Which hand?", "agree": "I agree", "games": "Games", "sex": "Sex"}
    wanted |= {"langs": "Languages", "age": "Age", "mood": "Mood", "born": "Born", "version": ""}
    assert {name: labels[name] for name in wanted} == wanted
    named_later = read_form('<input name=a aria-labelledby="x y"><b id=x>One</b> <i id=y>two</i>')
    assert named_later.controls[0].label == "One two"


def test_what_is_not_answered_has_its_own_kind_of_nothing():
    assert read_form(EVERY_KIND).complete({}) == {
        "t": "", "why": "", "hand": None, "agree": False, "games": [], "sex": "", "langs": [], "age": "", "mood": "",
        "born": "", "slept": "", "mail": "", "cv": None, "version": "", "tel": "",
    }  # fmt: skip


def test_ticked_boxes_stand_in_the_order_of_the_page():
    form = read_form(EVERY_KIND)
    assert form.complete({"games": ["chess", "go"], "langs": ["fr"]})["games"] == ["go", "chess"]
    assert form.control("sex").options[0].value == "" and [o.value for o in form.control("sex").options] == [
        "",
        "f",
        "m",
    ]


def test_an_answer_as_it_must_be_has_no_problem():
    content = {"file": "cv.pdf", "type": "application/pdf", "base64": base64.b64encode(b"\0\xff").decode()}
    answers = FINE | {
        "t": "Ada", "why": "x" * 50_000, "games": ["go"], "langs": [], "age": "18", "mood": "100",
        "born": "1990-02-28", "slept": "23:15", "mail": "a@b", "cv": content, "version": "3", "tel": "+1 2",
    }  # fmt: skip
    assert problems(EVERY_KIND, **answers) == {}
    assert read_form(EVERY_KIND).complete(answers)["cv"] == content


def test_all_that_is_missing_is_told_at_once():
    assert problems(EVERY_KIND) == {
        "hand": "Please choose one.",
        "agree": "Please tick this box.",
        "sex": "Please choose one.",
    }


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"t": "x" * 6}, "at most 5 characters"), ({"t": "x"}, "at least 2"), ({"t": True}, "another form"),
        ({"why": "x" * 100_001}, "at most 100,000"), ({"hand": "up"}, "not one of the choices"),
        ({"hand": ["l"]}, "another form"), ({"agree": "on"}, "another form"), ({"agree": False}, "tick"),
        ({"games": "go"}, "another form"), ({"games": ["go", "go"]}, "another form"), ({"games": ["x"]}, "not among"),
        ({"sex": "x"}, "not one of the choices"), ({"age": "17"}, "from 18"), ({"age": "100"}, "up to 99"),
        ({"age": "1e999"}, "a number"), ({"age": "٣٠"}, "a number"), ({"age": "twenty"}, "a number"),
        ({"mood": "101"}, "up to 100"), ({"born": "1.2.1990"}, "a date"), ({"born": "1899-12-31"}, "from 1900-01-01"),
        ({"slept": "soon"}, "a time"), ({"mail": "nobody"}, "e-mail"), ({"cv": "cv.pdf"}, "not arrived whole"),
        ({"cv": {"file": "a", "type": "b", "base64": "%%%"}}, "not arrived whole"),
        ({"unknown": {"a": 1}}, "cannot be kept"), ({"unknown": 7}, "cannot be kept"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_answer_is_refused_with_a_sentence(wrong, says):
    told = problems(EVERY_KIND, **(FINE | wrong))
    assert list(told) == list(wrong) and says in told[next(iter(wrong))]


def test_a_box_among_several_may_be_required():
    html = "<input type=checkbox name=c value=1 required><input type=checkbox name=c value=2>"
    assert list(problems(html, c=["2"])) == ["c"] and problems(html, c=["1"]) == {}


def test_what_the_page_does_not_have_is_kept_if_it_is_plain_and_not_too_much():
    form = read_form("<input name=a>")
    extra = {f"x{n}": "1" for n in range(MOST_UNKNOWN + 5)}
    assert list(form.complete(extra | {"a": "2"}))[:2] == ["a", "x0"]
    assert len(form.complete(extra)) == MOST_UNKNOWN + 1 and "" not in form.complete({"": "x"})


def test_names_that_the_page_does_not_have_are_no_place_for_much():
    form = read_form("<input name=a>")
    assert [problem.name for problem in form.check({"x" * 201: "1"})] == ["x" * 200]
    assert not form.check({"x" * 200: "1"})
    assert form.check({f"{n}": "y" * 1_000 for n in range(70)}) and form.check({f"{n:0190}": True for n in range(400)})
    assert not form.check({f"{n}": "y" * 1_000 for n in range(60)})


def test_an_existing_front_ends_answers_are_taken_for_what_they_mean():
    form = read_form(EVERY_KIND)
    flat = {"t": "Ada", "": "x", "hand": "r", "agree": "on", "games": "go", "langs": "de", "cv": "C:\\cv.pdf", "age": 7}
    wanted = {"t": "Ada", "hand": "r", "agree": True, "games": ["go"], "langs": ["de"], "cv": None, "age": "7"}
    assert form.from_v1(flat) == wanted
    assert form.from_v1({"hand": "", "agree": "", "games": "", "odd": {"a": 1}, "more": "y"}) == {
        "hand": None, "agree": False, "games": [], "more": "y",
    }  # fmt: skip


# Marks


MARKED = """<P CLASS=x>1 &amp; 2<br/><input name='q' data-right="a|b" value='&quot;x&quot;'  data-hint="<b>" required>
"""


def test_marks_are_taken_out_and_all_else_stays_as_it_is():
    stripped = strip_marks(MARKED)
    assert stripped == '<P CLASS=x>1 &amp; 2<br/><input name="q" value="&quot;x&quot;" required>\n'
    plain = "<!-- data-right --><p title='data-hint'>data-attention\r\n<script>if (a<b) '<input data-right>'</script>"
    assert strip_marks(plain) == plain


TEXTS = st.text(st.sampled_from("ab <>&\"'\n\té=/-"), max_size=12)
PIECES = st.one_of(
    TEXTS,
    st.sampled_from(["<p>", "</p>", "<!-- ", " -->", "<select name=s>", "<option data-right>", "</select>", "<br/>",
                     "<textarea name=t>", "</textarea>", "<label>", "</label>", "<fieldset>", "<legend>", "&amp;",
                     "<script>", "</script>", "<template>", "</template>", "<input data-attention name=x />"]),
    st.builds(
        "<input name={} data-right='{}' value=\"{}\">".format, st.sampled_from("abc"), TEXTS, TEXTS,
    ),
)  # fmt: skip


@given(st.lists(PIECES, max_size=15).map("".join))
def test_no_mark_is_left_on_any_tag_of_any_page_and_nothing_else_changes(html):
    stripped = strip_marks(html)
    assert not any(field.attributes.keys() & set(MARKS) for field in PageReader(stripped).fields)
    assert strip_marks(stripped) == stripped
    before, after = read_form(html), read_form(stripped)
    assert [(c.name, c.kind, c.label) for c in before.controls] == [(c.name, c.kind, c.label) for c in after.controls]
    assert [o.value for c in before.controls for o in c.options] == [o.value for c in after.controls for o in c.options]
    if not any(mark in html for mark in MARKS):
        assert stripped == html


@given(st.dictionaries(st.sampled_from([c.name for c in read_form(EVERY_KIND).controls] + ["x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["l", "go", "2000-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["file", "base64", "type"]), inner),
)))  # fmt: skip
def test_whatever_comes_as_an_answer_is_refused_in_words_or_kept_as_it_is(answers):
    form = read_form(EVERY_KIND)
    found = form.check(answers)
    assert all(problem.text and problem.name in {*answers, "hand", "agree", "sex"} for problem in found)
    if not found:
        kept = form.complete(answers)
        for name, value in answers.items():
            if value is not None:
                assert kept[name] == value or sorted(kept[name]) == sorted(value)
