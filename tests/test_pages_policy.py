"""What the page's content policy lets in of the study's own step files: exactly what stands in them."""

from __future__ import annotations

import base64
import hashlib

import pytest

from hippogym.pages.policy import content_policy, hashes, inline_parts
from hippogym.pages.routes import PageSettings, page_headers, strict_headers

PAGE = """<style>p { color: teal }\r\nb > i { margin: 0 }</style>
<p style="width: 3em; content: &quot;&amp;&quot;">One</p>
<style>p { color: teal }</style><style></style>
<script>count = 1 < 2 && "</p>";</script>
<script src="elsewhere.js">never run</script>
<script type="application/json">{"data": true}</script>
<button type="button" onclick="count += 1">More</button>"""


def rules(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (rule.split() for rule in policy.split(";"))}


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_what_stands_inline_is_found_as_a_browser_reads_it():
    inline = inline_parts([PAGE, "<i style='top: 0'>"])
    assert inline.styles == {"p { color: teal }\nb > i { margin: 0 }", "p { color: teal }"}
    assert inline.style_attributes == {'width: 3em; content: "&"', "top: 0"}
    assert inline.scripts == {'count = 1 < 2 && "</p>";'}
    assert inline.handlers == {"count += 1"}


def test_styles_are_let_in_by_their_hash_and_nothing_else_is():
    found = rules(content_policy((), dev=False, step_pages=[PAGE]))
    assert digest("p { color: teal }") in found["style-src"]
    assert digest('width: 3em; content: "&"') in found["style-src"]
    assert found["style-src"][-1] == "'unsafe-hashes'", "which the hashes of attributes need"
    assert found["script-src"] == ["'self'"]
    everything = [source for sources in found.values() for source in sources]
    assert "'unsafe-inline'" not in everything and "'unsafe-eval'" not in everything and "*" not in everything


def test_without_style_attributes_no_attribute_is_let_in():
    found = rules(content_policy((), dev=False, step_pages=["<style>p { top: 0 }</style>"]))
    assert found["style-src"] == ["'self'", digest("p { top: 0 }")]


def test_scripts_are_let_in_only_where_the_study_says_so():
    found = rules(content_policy((), dev=False, step_pages=[PAGE], scripts=True))
    wanted = hashes(['count = 1 < 2 && "</p>";', "count += 1"])
    assert found["script-src"] == ["'self'", *wanted, "'unsafe-hashes'"]
    plain = rules(content_policy((), dev=False, step_pages=["<script>a = 1</script>"], scripts=True))
    assert plain["script-src"] == ["'self'", digest("a = 1")]


def test_a_page_with_steps_shows_pictures_and_plays_sounds_of_its_own_and_of_listed_places_only():
    found = rules(content_policy(["https://lab.example"], dev=False, step_pages=[]))
    assert found["img-src"] == ["'self'", "data:", "blob:", "https://lab.example"]
    assert found["media-src"] == found["font-src"] == ["'self'", "https://lab.example"]
    assert "media-src" not in rules(content_policy((), dev=False))


def test_the_hashes_stand_at_the_page_and_not_at_every_file():
    settings = PageSettings("p", "P", (), dev=False, step_pages=(PAGE,))
    assert "sha256-" in page_headers(settings)["Content-Security-Policy"]
    assert "sha256-" not in strict_headers(settings)["Content-Security-Policy"]
    unlike = {name for name, value in page_headers(settings).items() if strict_headers(settings)[name] != value}
    assert unlike == {"Content-Security-Policy"}


@pytest.mark.parametrize("end", ["<style>p { top: 0 }", "<style>p { top: 0 }</style", "<p style='", "<!-- "])
def test_a_page_that_breaks_off_changes_nothing_for_the_next(end: str):
    inline = inline_parts([end, "text</style><style>b { top: 1px }</style>"])
    assert inline.styles == {"b { top: 1px }"}
