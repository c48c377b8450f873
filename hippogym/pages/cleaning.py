"""Makes of a step file what may be put into our page: controls, words, pictures and styles, and nothing that acts.

The library that cleans is nh3 (ammonia, which parses as browsers do). Addresses are turned so that they lead to
``/study/files/``, where what lies beside the step files is served.
"""

import posixpath
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nh3

from hippogym.core.study.next_page import FILES
from hippogym.core.study.page_reader import MARKS

_TAGS = frozenset(nh3.ALLOWED_TAGS) | frozenset(
    "audio big button datalist fieldset font input label legend link main meter optgroup option output picture "
    "progress section select source style textarea tfoot track u video".split()
)
_EVERYWHERE = frozenset("align class dir hidden id lang role style tabindex title".split())
_ATTRIBUTES = {
    "*": _EVERYWHERE,
    "a": {"href", "name", "download"},
    "area": {"alt", "coords", "href", "shape"},
    "audio": {"autoplay", "controls", "loop", "muted", "preload", "src"},
    "button": {"disabled", "name", "type", "value"},
    "col": {"span", "width"},
    "colgroup": {"span"},
    "data": {"value"},
    "details": {"open", "name"},
    "fieldset": {"disabled", "name"},
    "font": {"color", "face", "size"},
    "img": {"alt", "height", "loading", "sizes", "src", "srcset", "usemap", "width"},
    "input": {"accept", "autocomplete", "checked", "disabled", "inputmode", "list", "max", "maxlength", "min",
              "minlength", "multiple", "name", "pattern", "placeholder", "readonly", "required", "size", "spellcheck",
              "step", "type", "value"},
    "label": {"for"},
    "li": {"value"},
    "link": {"href", "media"},
    "map": {"name"},
    "meter": {"high", "low", "max", "min", "optimum", "value"},
    "ol": {"reversed", "start", "type"},
    "optgroup": {"disabled", "label"},
    "option": {"disabled", "label", "selected", "value"},
    "output": {"for", "name"},
    "progress": {"max", "value"},
    "select": {"autocomplete", "disabled", "multiple", "name", "required", "size"},
    "source": {"height", "media", "sizes", "src", "srcset", "type", "width"},
    "style": {"media"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "td": {"colspan", "headers", "height", "rowspan", "valign", "width"},
    "textarea": {"autocomplete", "cols", "disabled", "maxlength", "minlength", "name", "placeholder", "readonly",
                 "required", "rows", "spellcheck", "wrap"},
    "th": {"abbr", "colspan", "headers", "height", "rowspan", "scope", "valign", "width"},
    "time": {"datetime"},
    "track": {"default", "kind", "label", "src", "srclang"},
    "video": {"autoplay", "controls", "height", "loop", "muted", "playsinline", "poster", "preload", "src", "width"},
}  # fmt: skip
_ADDRESSES = frozenset({"src", "href", "poster"})
_SCHEMES = {"http", "https", "mailto", "tel", "data"}
_GONE_WITH_CONTENT = frozenset({"iframe", "noscript", "object", "script", "template", "title"})
_CSS_URL = re.compile(r"""url\(\s*(?P<quote>["']?)(?P<address>[^"')]*)(?P=quote)\s*\)""", re.IGNORECASE)


def clean(html: str, path: str, *, scripts: bool = False) -> str:
    """A step file's HTML, ready to be put into our form.

    path: the file's, within StepFiles. scripts: whether its scripts are to be kept. Nested forms, frames and whatever
    a browser would run lose their tags; links open elsewhere, so that nobody leaves the study by one.
    """

    def turned(tag: str, name: str, value: str) -> str | None:
        if name in MARKS:  # the right answers were taken out before; a browser's parser may still find one more
            return None
        if name in _ADDRESSES:
            return address(value, path)
        if name == "srcset":
            return ", ".join(_candidate(one, path) for one in value.split(","))
        return _css(value, path) if name == "style" else value

    attributes: dict[str, set[str]] = {tag: set(names) for tag, names in _ATTRIBUTES.items()}
    tags, gone, prefixes = set(_TAGS), set(_GONE_WITH_CONTENT), {"aria-", "data-"}
    if scripts:
        tags.add("script")
        gone.discard("script")
        attributes["script"] = {"async", "defer", "src", "type"}
        prefixes.add("on")
    cleaned = nh3.clean(
        _styles_turned(html, path),
        tags=tags,
        clean_content_tags=gone,
        attributes=attributes,
        attribute_filter=turned,
        generic_attribute_prefixes=prefixes,
        url_schemes=_SCHEMES,
        tag_attribute_values={"link": {"rel": {"stylesheet"}}},
        set_tag_attribute_values={"a": {"target": "_blank"}, "area": {"target": "_blank"}},
    )
    return cleaned.strip()


def address(written: str, path: str) -> str:
    """Where an address leads that stands in the file ``path``: into StepFiles where it is relative, else as it is."""
    text = written.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or text.startswith(("#", "//")) or not text:
        return text
    if text.startswith(FILES):
        return text
    below = posixpath.join("/", posixpath.dirname(path), parts.path)
    inside = posixpath.normpath(below).lstrip("/")
    return (
        FILES + inside + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    )


def title_of(html: str) -> str | None:
    """What a page calls itself: its title, or else its first heading."""
    reader = _Titles()
    reader.feed(html)
    reader.close()
    found = (" ".join(text.split()) for text in (reader.title, reader.heading))
    return next((text[:200] for text in found if text), None)


def local_path(url: str) -> str:
    """The path within StepFiles that an address below ``/study/files/`` means."""
    return unquote(urlsplit(url).path.removeprefix(FILES))


class _Titles(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = self.heading = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" or (tag in ("h1", "h2", "h3") and not self.heading and not self._inside):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside:
            self.heading += data


def _styles_turned(html: str, path: str) -> str:
    """The addresses inside style elements, which are text to the cleaner."""
    return re.sub(
        r"(<style\b[^>]*>)(.*?)(</style)",
        lambda found: found[1] + _css(found[2], path) + found[3],
        html,
        flags=re.IGNORECASE | re.DOTALL,
    )


def _css(text: str, path: str) -> str:
    return _CSS_URL.sub(lambda found: f"url({found['quote']}{address(found['address'], path)}{found['quote']})", text)


def _candidate(text: str, path: str) -> str:
    """One of the pictures of a srcset, with its width or density."""
    where, _, size = text.strip().partition(" ")
    return f"{address(where, path)} {size}".strip()
