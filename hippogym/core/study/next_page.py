"""A view as /next sends it to existing front ends: one text, ``show_game_page`` or ``wait``, or HTML."""

import html
import re
from collections.abc import Mapping
from typing import Any, Final

STAMP: Final = "hippogym-stamp"
UNKNOWN_PROJECT: Final = "Project ID Not Found"
GAME: Final = "show_game_page"
WAIT: Final = "wait"
FILES: Final = "/study/files/"  # where the files beside the pages are, in the pages as they are kept

_FILE: Final = re.compile(r"(?<![\w/.:-])" + re.escape(FILES))


def page_of(view: Mapping[str, Any], files: str, *, has_place: bool) -> str:
    """What stands under ``page``. files: the address of their folder. has_place: whether the game could begin."""
    if view["kind"] == "game":
        return GAME if has_place else WAIT
    page = with_files(view["html"] or f"<h1>{html.escape(view['title'])}</h1>", files)
    if view["kind"] == "end":
        return page + _ending(view["end"])
    told = "".join(f'<p role="alert">{html.escape(problem["text"])}</p>' for problem in view["problems"])
    return f'{told}{page}<input type="hidden" name="{STAMP}" value="{html.escape(view["stamp"] or "")}">'


def with_files(page: str, files: str) -> str:
    """The page with its files at another address; also in a srcset and in styles, where they stand among others."""
    return _FILE.sub(lambda _: html.escape(files), page)


def _ending(end: Mapping[str, Any]) -> str:
    said = f"<p>{html.escape(end['text'])}</p>"
    if end["code"]:
        said += f"<p>Your code: <strong>{html.escape(end['code'])}</strong></p>"
    if end["redirect"]:
        said += f'<p><a href="{html.escape(end["redirect"])}">Go on</a></p>'
    return said
