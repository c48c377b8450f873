"""Looks for a participant's name in every byte below a folder, in all the forms in which it may have been written.

A name can be a part of another one (``anna`` of ``anna2``): what stands alone, or is a whole text of a pickle, is
certain; the rest is possible. Compressed files hide what they hold; they are named.
"""

import errno
import json
import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_letters, digits
from typing import IO
from urllib.parse import quote

SHORT = 6  # bytes; shorter names occur everywhere, and count only where they are a whole text
_CHUNK = 2**20
_AROUND = 16
_WORD = frozenset(bytes([sign]) for sign in (ascii_letters + digits + "_@-").encode())
_PICKLED = ((b"X", "<I"), (b"\x8c", "<B"), (b"\x8d", "<Q"), (b"U", "<B"), (b"T", "<I"), (b"C", "<B"), (b"B", "<I"),
            (b"\x8e", "<Q"))  # fmt: skip
_COMPRESSED = (
    b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x89HDF\r\n\x1a\n", b"PAR1",
    b"7z\xbc\xaf\x27\x1c", b"\x78\x9c", b"\x78\xda", b"\x78\x01",
)  # fmt: skip


@dataclass
class Findings:
    """certain, possible: path → how many times. names: paths that hold the name themselves. unread: could not be read.

    compressed: files into which nobody can look. files, bytes: how much was searched.
    """

    certain: dict[Path, int] = field(default_factory=dict)
    possible: dict[Path, int] = field(default_factory=dict)
    names: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    compressed: list[Path] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    @property
    def hits(self) -> int:
        """How many times the name was found for certain."""
        return sum(self.certain.values()) + len(self.names)


@dataclass(frozen=True)
class _Form:
    """needle: the name, encoded. width: bytes of a character; big: the significant one comes last. short: see SHORT."""

    needle: bytes
    width: int
    big: bool
    short: bool


def search(folders: list[Path], name: str, watch: Callable[[int], None] = lambda size: None) -> Findings:
    """Search all plain files below the folders (links are not followed). watch: is told how many bytes were read.

    Never raises OSError: what cannot be read is in the findings.
    """
    found = Findings()
    forms = _forms(name)
    for folder in folders:
        for path, is_file in _walk(folder, found):
            if _in_text(os.fsencode(path.name), forms):
                found.names.append(path)
            if is_file:
                _search_file(path, forms, found, watch)
    return found


def merged(every: list[Findings]) -> Findings:
    """What was found when several names were looked for in the same folders."""
    both = Findings(files=every[0].files, bytes=every[0].bytes)
    for one in every:
        for mine, theirs in ((both.certain, one.certain), (both.possible, one.possible)):
            for path, count in theirs.items():
                mine[path] = mine.get(path, 0) + count
        for paths, more in ((both.names, one.names), (both.unread, one.unread), (both.compressed, one.compressed)):
            paths.extend(path for path in more if path not in paths)
    return both


def holds(path: Path, name: str) -> bool:
    """Whether a file holds the name, alone or as a part of another. OSError where it cannot be read."""
    found = Findings()
    _search_file(path, [replace(form, short=False) for form in _forms(name)], found, lambda size: None)
    if found.unread:
        raise OSError(f"{path} cannot be read")
    return bool(found.certain or found.possible)


def _forms(name: str) -> list[_Form]:
    plain = name.encode("utf-8", "surrogatepass")
    in_pickle = name.replace("\\", "\\u005c").encode("raw-unicode-escape")  # of protocol 0
    texts = (plain, json.dumps(name)[1:-1].encode(), in_pickle, quote(plain, safe="").encode())
    short = len(plain) < SHORT
    forms = [_Form(text, 1, False, short) for text in dict.fromkeys(texts)]
    for encoding, width in (("utf-16-le", 2), ("utf-16-be", 2), ("utf-32-le", 4), ("utf-32-be", 4)):
        forms.append(_Form(name.encode(encoding, "surrogatepass"), width, encoding.endswith("be"), short))
    return forms


def _walk(folder: Path, found: Findings) -> Iterator[tuple[Path, bool]]:
    """Everything below a folder, and whether it is no folder."""

    def cannot(problem: OSError) -> None:
        found.unread.append(Path(problem.filename or folder))

    for inside, folders, files in os.walk(folder, onerror=cannot):
        folders.sort()
        yield from ((Path(inside) / name, False) for name in folders)
        yield from ((Path(inside) / name, True) for name in sorted(files))


def _in_text(text: bytes, forms: list[_Form]) -> bool:
    """Whether a file's name holds it, on its own."""
    return any(
        at >= 0 and _alone(form, text, at) for form in forms if form.width == 1 for at in [text.find(form.needle)]
    )


def _search_file(path: Path, forms: list[_Form], found: Findings, watch: Callable[[int], None]) -> None:
    certain: set[int] = set()
    possible: set[int] = set()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            found.files += 1
            for start, data, last in _pieces(file, max(len(form.needle) for form in forms) + 2 * _AROUND):
                if start == 0 and not last and data.startswith(_COMPRESSED):
                    found.compressed.append(path)
                for form in forms:
                    _note(form, start, data, last, certain, possible)
                watch(len(data))
            found.bytes += os.fstat(file.fileno()).st_size
    except OSError as problem:
        if problem.errno != errno.ELOOP:  # a link: what it leads to is another file, or not the study's
            found.unread.append(path)
    if certain:
        found.certain[path] = len(certain)
    if possible - certain:
        found.possible[path] = len(possible - certain)


def _pieces(file: IO[bytes], overlap: int) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, bytes, whether they are the last) of a file; each piece begins with the end of the one before."""
    start, data = 0, b""
    while True:
        more = file.read(_CHUNK)
        if not more:
            break
        dropped = max(0, len(data) - overlap)
        start, data = start + dropped, data[dropped:] + more
        yield start, data, False
    yield start, data, True


def _note(form: _Form, start: int, data: bytes, last: bool, certain: set[int], possible: set[int]) -> None:
    """Where it is in these bytes of a file. At their end nobody knows yet what follows: that comes again."""
    end = len(data) if last else len(data) - _AROUND
    at = data.find(form.needle, 0, end)
    while at >= 0:
        if _pickled(form, data, at) or _alone(form, data, at):
            certain.add(start + at)
        elif not form.short:
            possible.add(start + at)
        at = data.find(form.needle, at + 1, end)


def _pickled(form: _Form, data: bytes, at: int) -> bool:
    """A pickle's text: its length stands before it, or it is a line of its own."""
    if form.width > 1:
        return False
    length = len(form.needle)
    if data[max(0, at - 1) : at] == b"V" and data[at + length : at + length + 1] == b"\n":
        return True
    return any(
        length < 256 ** struct.calcsize(layout) // 2 and data.endswith(opcode + struct.pack(layout, length), 0, at)
        for opcode, layout in _PICKLED
    )


def _alone(form: _Form, data: bytes, at: int) -> bool:
    """Whether no letter or digit stands beside it; short names have to be in quotes, or between slashes."""
    before, after = _beside(form, data, at - form.width), _beside(form, data, at + len(form.needle))
    if form.short:
        return before == after and before in (b'"', b"'", b"/", b"")
    return before not in _WORD and after not in _WORD


def _beside(form: _Form, data: bytes, at: int) -> bytes:
    """The character there: nothing where the data end, or where it is none of one byte's."""
    character = data[at : at + form.width] if at >= 0 else b""
    if form.width == 1 or not character:
        return character
    significant = character[-1:] if form.big else character[:1]
    rest = character[:-1] if form.big else character[1:]
    return significant if not any(rest) else b"?"
