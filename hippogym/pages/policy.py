"""The content policy of the participant's page: what a browser may load, run and be framed by.

Nothing inline is let in, with one exception: what the study's own step files have in them, and every piece of that by
its hash, computed when the server starts. So a style that a researcher wrote works, and one that somebody smuggled
in does not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", re.IGNORECASE)
LOCAL = ("ws://localhost:*", "http://localhost:*", "ws://127.0.0.1:*", "http://127.0.0.1:*")
SCRIPT_TYPES = ("", "module", "text/javascript", "application/javascript")  # anything else is data, and never run


@dataclass
class Inline:
    """The texts that stand inline in step pages, each once: style and script elements, style and event attributes."""

    styles: set[str] = field(default_factory=set)
    style_attributes: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)
    handlers: set[str] = field(default_factory=set)


class _Collector(HTMLParser):
    """Reads the pages as a browser does where it matters: the raw text of style and script, decoded attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.inline = Inline()

    def reset(self) -> None:
        """Ready for the next page, whatever the last one left open."""
        super().reset()
        self._into: set[str] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "style" and value:
                self.inline.style_attributes.add(value)
            elif name.startswith("on") and value:
                self.inline.handlers.add(value)
        given = dict(attrs)
        if tag == "style":
            self._into, self._text = self.inline.styles, ""
        elif tag == "script" and "src" not in given and (given.get("type") or "").lower() in SCRIPT_TYPES:
            self._into, self._text = self.inline.scripts, ""

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script") and self._into is not None:
            if self._text:
                self._into.add(self._text)
            self._into = None


def inline_parts(pages: Iterable[str]) -> Inline:
    """What stands inline in these pages, as it will be sent to the browser (that is: after cleaning)."""
    collector = _Collector()
    for page in pages:
        collector.feed(re.sub(r"\r\n?", "\n", page))
        collector.close()
        collector.reset()
    return collector.inline


def hashes(texts: Iterable[str]) -> list[str]:
    """The sources that let exactly these texts in, in a steady order."""
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_policy(
    origins: Iterable[str], *, dev: bool, step_pages: Iterable[str] | None = None, scripts: bool = False
) -> str:
    """The value of the header Content-Security-Policy.

    origins: others (``http(s)://host[:port]``) that the page may talk to, take a style sheet from and be framed by.
    dev: servers on this machine are welcome too. step_pages: the HTML of the study's steps as it is sent to the
    browser; None: there are none. scripts: whether their scripts may run.

    Raises ValueError for an origin that is not one: it would end up in a header.
    """
    listed = [checked_origin(origin) for origin in origins]
    sockets = [re.sub("^http", "ws", origin, flags=re.IGNORECASE) for origin in listed]
    policy = {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", *listed],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'", *sockets, *listed, *(LOCAL if dev else ())],
        "frame-ancestors": ["'self'", *listed],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    if step_pages is not None:
        _let_in(policy, inline_parts(step_pages), scripts)
        policy["img-src"] += listed
        policy["media-src"] = policy["font-src"] = ["'self'", *listed]
    return "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items())


def checked_origin(origin: str) -> str:
    """The origin itself. Raises ValueError where it is not ``http(s)://host[:port]``."""
    if not ORIGIN.fullmatch(origin):
        raise ValueError(f"{origin!r} is not an origin: https://host or https://host:port, nothing after it")
    return origin


def _let_in(policy: Mapping[str, list[str]], inline: Inline, scripts: bool) -> None:
    """Adds the hashes. Attributes need a word of their own, which lets in nothing but what is hashed."""
    policy["style-src"].extend(hashes(inline.styles | inline.style_attributes))
    if inline.style_attributes:
        policy["style-src"].append("'unsafe-hashes'")
    if not scripts:
        return
    policy["script-src"].extend(hashes(inline.scripts | inline.handlers))
    if inline.handlers:
        policy["script-src"].append("'unsafe-hashes'")
