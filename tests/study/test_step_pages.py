"""Step files as researchers write them, made ready to be put into our page: what acts is gone, what asks is there."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.study.forms import read_form
from hippogym.errors import StartError
from hippogym.pages.cleaning import address, clean, title_of
from hippogym.pages.step_files import read_step_files
from tests.study.whole_study import PAGES

ACTS = [
    "<script>x()</script>", "<script src=x.js></script>", "<img src=x onerror=x()>", "<body onload=x()>",
    "<a href='javascript:x()'>a</a>", "<a href=' java\nscript:x()'>a</a>", "<a href='vbscript:x'>a</a>",
    "<iframe src=x></iframe>", "<object data=x></object>", "<embed src=x>", "<form action=x><input name=a></form>",
    "<button formaction=x>b</button>", "<input type=image formaction=x>", "<svg onload=x()><script>x()</script></svg>",
    "<math><mtext></mtext></math>", "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=x'>",
    "<link rel=import href=x>", "<template><script>x()</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=x()>'>",
    "<svg></p><style><a id='</style><img src=1 onerror=x()>'>", "<details open ontoggle=x()>",
    "<video src=x onplay=x()></video>",
    "<input autofocus onfocus=x()>", "<p style='x:expression(x())'>", "<isindex action=x>", "<marquee onstart=x()>",
]  # fmt: skip


class Acting(HTMLParser):
    """Whatever in a page a browser would run, load as a page, or send elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in (
            "script",
            "iframe",
            "object",
            "embed",
            "form",
            "base",
            "meta",
            "svg",
            "math",
            "template",
            "noscript",
        ):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("formaction", "action", "srcdoc"):
                self.found.append(name)
            if name in ("href", "src") and re.match(r"\s*(javascript|vbscript)", value or "", re.IGNORECASE):
                self.found.append(value or "")


@pytest.mark.parametrize("html", ACTS)
def test_what_acts_is_gone(html):
    assert Acting(clean(f"<p>before</p>{html}<p>after</p>", "page.html")).found == []


@given(
    st.lists(st.sampled_from([*ACTS, "<p>", "</p>", "<style>", "</style>", "<!--", "-->", '"', "'", "<select>", "x"]))
)
def test_what_acts_is_gone_however_it_is_put_together(pieces):
    assert Acting(clean("".join(pieces), "page.html")).found == []


def test_every_control_of_a_page_asks_the_same_after_cleaning():
    before, after = (read_form(html) for html in (PAGES["survey.html"], clean(PAGES["survey.html"], "survey.html")))
    strip = [(c.name, c.kind, c.required, c.multiple, c.options, c.min, c.max, c.label) for c in before.controls]
    assert [(c.name, c.kind, c.required, c.multiple, c.options, c.min, c.max, c.label) for c in after.controls] == strip
    assert len(strip) == 14


@pytest.mark.parametrize(
    ("written", "path", "leads_to"),
    [
        ("cat.png", "a.html", "/study/files/cat.png"),
        ("img/cat.png?v=1#x", "a.html", "/study/files/img/cat.png?v=1#x"),
        ("../cat.png", "sub/a.html", "/study/files/cat.png"),
        ("../../../etc/passwd", "sub/a.html", "/study/files/etc/passwd"),
        ("/cat.png", "sub/a.html", "/study/files/cat.png"),
        ("https://x.example/cat.png", "a.html", "https://x.example/cat.png"),
        ("//x.example/cat.png", "a.html", "//x.example/cat.png"),
        ("data:image/png;base64,AAAA", "a.html", "data:image/png;base64,AAAA"),
        ("mailto:a@b.example", "a.html", "mailto:a@b.example"),
        ("#part", "a.html", "#part"),
        ("/study/files/cat.png", "a.html", "/study/files/cat.png"),
        ("http://[", "a.html", ""),
    ],
)
def test_addresses_lead_to_what_lies_beside_the_page(written, path, leads_to):
    assert address(written, path) == leads_to


def test_addresses_in_every_place_are_turned():
    html = """<style>p { background: url("a.png"), url( b.png ) }</style><p style="background: url('c.png')">x</p>
    <img src="d.png" srcset="e.png 1x, f.png 2x"><video src="g.mp4" poster="h.png"></video><a href="i.pdf">i</a>"""
    found = clean(html, "page.html")
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.mp4", "h.png", "i.pdf"):
        assert f"/study/files/{name}" in found, name


def test_no_mark_of_a_right_answer_is_sent_even_where_parsers_differ():
    odd = (
        '<!--><input type=radio name=q value=a data-right data-hint="think"><input name=b data-attention data-other=1>'
    )
    assert re.findall(r"data-\w+", clean(odd, "quiz.html")) == ["data-other"]


def test_scripts_are_kept_where_the_study_says_so():
    html = '<script>if (a < b && c) go("</p>")</script><script src="a.js"></script><p onclick="go()">x</p>'
    found = clean(html, "page.html", scripts=True)
    assert 'if (a < b && c) go("</p>")' in found and 'src="/study/files/a.js"' in found and 'onclick="go()"' in found
    assert "<form" not in clean("<form><input name=a></form>", "page.html", scripts=True)


def test_links_do_not_lead_out_of_the_study():
    assert 'target="_blank"' in clean('<a href="https://x.example" target="_top">x</a>', "page.html")


@pytest.mark.parametrize(
    ("html", "title"),
    [("<title> A  B </title><h1>C</h1>", "A B"), ("<p>x</p><h2>A <b>b</b></h2><h1>c</h1>", "A b"), ("<p>x</p>", None)],
)
def test_what_a_page_calls_itself(html, title):
    assert title_of(html) == title


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", "-").replace("_html", ".html").replace("_js", ".js")).write_text(text)
    return folder


def test_a_page_is_read_with_what_it_asks_and_without_what_is_right(tmp_path):
    files = read_step_files(
        write(tmp_path, quiz_html='\ufeff<input name="a" data-right="4" data-hint="h">'), ["quiz.html"]
    )
    page = files.pages["quiz.html"]
    assert (page.html, page.title) == ('<input name="a">', "Quiz")
    assert page.form.control("a").right == ("4",)
    assert "right" not in repr(page), "what is right never gets into a log"


def test_variants_take_the_place_of_the_page_itself(tmp_path):
    write(tmp_path, survey__0_html="zero", survey__1_html="one", survey__3_html="no two, so no three", other_html="x")
    files = read_step_files(tmp_path, ["survey.html", "other.html"])
    assert files.variants == {"survey": ("0", "1")}
    assert sorted(files.pages) == ["other.html", "survey-0.html", "survey-1.html"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.html").write_bytes(b" " * (2 * 2**20 + 1))
    with pytest.raises(StartError) as told:
        read_step_files(tmp_path, ["missing.html", "bytes.html", "large.html"])
    for words in ("StepFiles/missing.html is not there", "StepFiles/bytes.html", "StepFiles/large.html"):
        assert words in str(told.value)


def test_only_known_kinds_of_files_are_served_and_no_links(tmp_path):
    write(tmp_path, a_html="x", code_js="x()")
    for name in ("cat.PNG", "style.css", "notes.txt", ".hidden.png", "config.yml"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "cat.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    assert sorted(read_step_files(tmp_path, ["a.html"]).assets) == ["cat.PNG", "secret/cat.png", "style.css"]
    assert "code.js" in read_step_files(tmp_path, ["a.html"], scripts=True).assets
