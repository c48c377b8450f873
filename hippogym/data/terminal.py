"""Tables, progress and text for a person at a terminal, whoever wrote the text."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from hippogym.data.sources import Found, find_records

_LONGEST = 60
_WIDTH_IN_FILES = 250


def harmless(text: str | None, longest: int = _LONGEST) -> str:
    """The text without what a terminal would obey: control characters, changes of direction, half characters."""
    if text is None:
        return "–"
    shown = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign)[0] == "C" else sign for sign in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def console() -> Console:
    """Standard output, for tables. What is printed is text, not markup; in a file, lines may be long."""
    width = None if sys.stdout.isatty() else _WIDTH_IN_FILES
    return Console(markup=False, highlight=False, emoji=False, width=width)


def messages() -> Console:
    """Standard error, for progress and remarks."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def with_progress(what: str, where: str | Path, found: Iterable[Found], shown: Console) -> Iterator[Found]:
    """The records, with a bar that says how far it is; only at a terminal."""
    if not shown.is_terminal:
        yield from found
        return
    total = sum(1 for _ in find_records(where))  # names only; none is opened
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("records"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=shown, transient=True) as progress:
        yield from progress.track(found, total=total, description=what)
