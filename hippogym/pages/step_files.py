"""The study's StepFiles, read once at the start: pages made ready to be shown, and the files beside them.

From then on no request touches the folder but for large files whose path was found here: no text of a client is ever
part of a path.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hippogym.core.study.forms import Form, read_form, strip_marks
from hippogym.core.study.way import stem_of, variant
from hippogym.errors import StartError
from hippogym.pages.cleaning import clean, title_of

FOLDER = "StepFiles"
LARGEST_PAGE = 2 * 2**20
IN_MEMORY = 2**20  # larger files are read from the disk when somebody asks for them

TYPES = {
    ".apng": "image/apng", ".avif": "image/avif", ".bmp": "image/bmp", ".gif": "image/gif", ".ico": "image/x-icon",
    ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp",
    ".css": "text/css; charset=utf-8",
    ".otf": "font/otf", ".ttf": "font/ttf", ".woff": "font/woff", ".woff2": "font/woff2",
    ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".wav": "audio/wav",
    ".m4v": "video/mp4", ".mp4": "video/mp4", ".ogv": "video/ogg", ".webm": "video/webm",
    ".vtt": "text/vtt; charset=utf-8", ".pdf": "application/pdf",
}  # fmt: skip
SCRIPT_TYPES = {".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
                ".json": "application/json"}  # fmt: skip


@dataclass(frozen=True)
class StepPage:
    """A page as it is sent. html: cleaned. sha256: of the file, in hex, so that one knows later what was shown.

    form: what the file asks, with what is right; that part never leaves the server.
    """

    file: str
    html: str = field(repr=False)
    title: str
    sha256: str
    form: Form = field(repr=False)


@dataclass(frozen=True)
class Asset:
    """A file beside the pages. body: None where it is too large to be held."""

    path: Path
    media_type: str
    body: bytes | None = field(repr=False)


@dataclass(frozen=True)
class StepFiles:
    """pages: by file name, variants included. variants: page stem → its arms. assets: by path within the folder."""

    pages: Mapping[str, StepPage]
    variants: Mapping[str, tuple[str, ...]]
    assets: Mapping[str, Asset]


def read_step_files(folder: Path, pages: Iterable[str], *, scripts: bool = False) -> StepFiles:
    """Read what a study shows.

    folder: StepFiles. pages: the files that the study names (``way.pages()``), without variants.
    Raises StartError, with everything that is missing or cannot be read.
    """
    found = _files_below(folder)
    read: dict[str, StepPage] = {}
    variants: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for page in pages:
        arms = _arms_of(page, found)
        if arms:
            variants[stem_of(page)] = tuple(arms)
        elif page not in found:
            problems.append(f"{FOLDER}/{page} is not there")
        for name in arms.values() if arms else [page] if page in found else []:
            try:
                read[name] = _read_page(found[name], name, scripts)
            except (OSError, ValueError) as problem:
                problems.append(f"{FOLDER}/{name} cannot be read: {getattr(problem, 'strerror', None) or problem}")
    if problems:
        raise StartError("\n".join(["The study's pages are not complete:", *(f"  {one}" for one in problems)]))
    return StepFiles(read, variants, dict(_assets(found, TYPES | (SCRIPT_TYPES if scripts else {}))))


def _arms_of(page: str, found: Mapping[str, Path]) -> dict[str, str]:
    """The page's variants, arm → file: survey-0.html, survey-1.html and so on for survey.html."""
    arms: dict[str, str] = {}
    while (name := variant(page, len(arms))) in found:
        arms[str(len(arms))] = name
    return arms


def _read_page(path: Path, name: str, scripts: bool) -> StepPage:
    with path.open("rb") as file:
        raw = file.read(LARGEST_PAGE + 1)
    if len(raw) > LARGEST_PAGE:
        raise ValueError(f"a page has at most {LARGEST_PAGE // 2**20} MiB")
    text = raw.decode("utf-8-sig")
    html = clean(strip_marks(text), name, scripts=scripts)
    return StepPage(name, html, title_of(text) or _in_words(name), hashlib.sha256(raw).hexdigest(), read_form(text))


def _in_words(name: str) -> str:
    """A file's name as a title: "Post game survey" for post_game-survey.html."""
    words = re.sub(r"[-_]+", " ", stem_of(name.rpartition("/")[2])).strip()
    return words[:1].upper() + words[1:]


def _files_below(folder: Path) -> dict[str, Path]:
    """Every plain file, by its path within the folder. Links and hidden files are not looked at."""
    found: dict[str, Path] = {}
    for inside, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(inside) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path
    return found


def _assets(found: Mapping[str, Path], types: Mapping[str, str]) -> Iterator[tuple[str, Asset]]:
    for name, path in found.items():
        media_type = types.get(path.suffix.lower())
        if media_type is not None:
            held = path.stat().st_size <= IN_MEMORY and not media_type.startswith(("audio", "video"))  # those in pieces
            body = path.read_bytes() if held else None
            yield name, Asset(path, media_type, body)
