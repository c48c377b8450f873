"""The kinds of files that the participants' page is made of, and nothing else is served or uploaded with it."""

from typing import Final

PAGE_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
