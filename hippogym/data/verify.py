"""Is a record what was written? Checksums, numbers, hashes, its manifest, its neighbours, and its copy elsewhere.

Nothing is changed. Every finding is a sentence; a record without findings is as it was when it was closed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from hippogym.core.record_format import FORMAT, FORMAT_VERSION, HIPPO_KEY, Damage, Scanner
from hippogym.data import manifest
from hippogym.data.reader import ReadReport, read_entries
from hippogym.data.safe_pickle import CutShortError, RefusedError, load
from hippogym.data.sources import RECORD_NAME, Found, Store, find_records
from hippogym.errors import HippoError

_CHUNK = 2**20
_COUNTED = ("entries", "ticks", "bytes", "sha256", "trial")


class Uploads(Protocol):
    """What is known of uploads: see verify_uploads.py."""

    def look_at(self, found: Found, verdict: "Verdict") -> None:
        """Add what is wrong or odd about this record's copy."""

    def rest(self) -> Iterator["Verdict"]:
        """Verdicts on records that were uploaded, and are not here any more."""


@dataclass
class Verdict:
    """What was found out about one record.

    problems: sentences about what is not as it was written. remarks: what is worth knowing but no damage, such as a
    torn tail that a repair cut off. verified: every entry had a checksum. episodes_before: those that the participant
    had played in an earlier trial of the same game.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    verified: bool = False
    entries: int = 0
    ticks: int = 0
    bytes: int = 0
    sha256: str = ""
    trial: str | None = None
    episodes_before: int = 0

    @property
    def good(self) -> bool:
        return not self.problems


def verify(
    where: str | Path | Iterable[Found], *, copies: Store | None = None, uploads: Uploads | None = None
) -> Iterator[Verdict]:
    """A verdict on every record at a path or ``s3://`` address, in the order of their names; or on those given.

    copies: a place that should hold the same files, under names that end alike; each record is compared with its
    copy byte by byte. uploads: what is known of their way to the store. Raises RecordError where there is nothing.
    """
    copied = None if copies is None else _Copies(copies)
    episodes: dict[str, int] = {}  # of the folder that is being looked at: trial → its latest episode
    records = find_records(where, lost=True) if isinstance(where, str | Path) else where
    for found in records:
        verdict = verify_record(found)
        _look_at_order(found, verdict, episodes)
        if copied is not None and found.closed:
            copied.compare(found, verdict)
        if uploads is not None:
            uploads.look_at(found, verdict)
        yield verdict
    if uploads is not None:
        yield from uploads.rest()


def verify_record(found: Found) -> Verdict:
    """The verdict on one record."""
    verdict = Verdict(found.name)
    try:
        with found.open() as file:
            _read(file, verdict)
        if not found.closed:
            verdict.remarks.append("it is still being written, or waits for the repair at the server's next start")
        elif verdict.verified:
            _compare_with_manifest(found, verdict)
    except (OSError, HippoError) as problem:
        verdict.problems.append(str(problem))
    return verdict


def _read(file: IO[bytes], verdict: Verdict) -> None:
    report, story = ReadReport(), _Story(verdict)
    digest = _Hashing(file)
    for entry in read_entries(digest, report=report):  # type: ignore[arg-type]  # it has what is used of a file
        verdict.entries += 1
        story.take(entry, report.last_seq)
    verdict.verified, verdict.bytes = report.verified, report.bytes
    verdict.problems += [f"bytes {each.start} to {each.end}: {each.reason}" for each in report.damaged]
    verdict.problems += [f"entries {first} to {last} are missing" for first, last in report.missing]
    if report.format == "empty":
        verdict.problems.append("it is empty")
    elif not report.verified:
        verdict.remarks.append("its entries have no checksums, so it cannot be verified")
    elif not report.ended:
        verdict.remarks.append("it has no end: the trial was interrupted")
    verdict.sha256, before_end = digest.result()
    for told, is_so in before_end:
        if told != is_so:
            verdict.problems.append("what stands before its end is not what stood there when the end was written")


class _Story:
    """Whether entries follow from each other."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._episode: object = None
        self._tick = 0

    def take(self, entry: dict[Any, Any], seq: int | None) -> None:
        ours = entry.get(HIPPO_KEY)
        if type(ours) is not dict:
            return
        problems = self._verdict.problems
        if seq is not None and ours.get("seq") != seq:
            problems.append(f"entry {seq} says that it is entry {str(ours.get('seq'))[:20]}")
        if type(ours.get("trial")) is str:
            if self._verdict.trial not in (None, ours["trial"]):
                problems.append(f"entry {seq} belongs to another trial")
            self._verdict.trial = ours["trial"]
        kind, tick = ours.get("kind"), ours.get("tick")
        if kind == "reset":
            self._episode, self._tick = ours.get("episode"), 0
            if type(before := ours.get("episodes_before")) is int:
                self._verdict.episodes_before = before
        elif kind == "tick":
            self._verdict.ticks += 1
            if tick != self._tick + 1 or ours.get("episode") != self._episode:
                problems.append(f"entry {seq} is tick {str(tick)[:20]}, where tick {self._tick + 1} was expected")
            self._episode = ours.get("episode")
            self._tick = tick if type(tick) is int else self._tick + 1


class _Hashing:
    """A binary file that is hashed while it is read from its beginning, and again after a seek to it.

    Also finds, without reading twice, what each ``end`` entry says of the bytes before it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start()

    def _start(self) -> None:
        self._digest = hashlib.sha256()
        self._before = hashlib.sha256()  # of everything up to the entry that is looked at
        self._scanner = Scanner()
        self._unhashed = bytearray()
        self._ends: list[tuple[str, str]] = []

    def seekable(self) -> bool:
        return False  # then the reader copies it, reading each byte once and in order

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        self._unhashed += data
        for found in self._scanner.feed(data):
            self._look(found.start, found.end, None if isinstance(found, Damage) else found.data)
        return data

    def _look(self, start: int, end: int, entry: bytes | None) -> None:
        if entry is not None and b"sha256_before" in entry and (told := _told_hash(entry)) is not None:
            self._ends.append((told, self._before.hexdigest()))
        length = end - start
        self._before.update(self._unhashed[:length])
        del self._unhashed[:length]

    def result(self) -> tuple[str, list[tuple[str, str]]]:
        """sha256 of the file; for each ``end`` entry what it says of the bytes before it, and what is so."""
        return self._digest.hexdigest(), self._ends


def _told_hash(data: bytes) -> str | None:
    try:
        entry, _ = load(data, trailer=True)
    except (RefusedError, CutShortError):
        return None
    ours = entry.get(HIPPO_KEY) if type(entry) is dict else None
    if type(ours) is not dict or ours.get("kind") != "end":
        return None
    told = ours.get("sha256_before")
    return told if type(told) is str else None


def _compare_with_manifest(found: Found, verdict: Verdict) -> None:
    told = found.manifest()
    if told is None:
        if found.file.endswith(manifest.RECORD):
            verdict.problems.append("there is no manifest beside it")
        return
    known = RECORD_NAME.fullmatch(found.file)
    own = f"{known['stem']}{manifest.RECORD}" if known else found.file  # in a store its trial stands before it
    if told.get("format") != FORMAT or told.get("version") != FORMAT_VERSION or told.get("file") != own:
        verdict.problems.append("the manifest beside it belongs to something else")
        return
    for name in _COUNTED:
        is_so = getattr(verdict, name)
        if told.get(name) != is_so and (name != "trial" or is_so is not None):
            verdict.problems.append(f"{name} is {is_so}, but the manifest says {str(told.get(name))[:80]}")
    recovered = told.get("recovered")
    if isinstance(recovered, dict):
        torn = recovered.get("torn_bytes")
        cut = f", {torn} torn bytes were cut off and kept" if type(torn) is int and torn else ""
        verdict.remarks.append(f"it was repaired after an interruption{cut}")
    if told.get("unsynced") is True:
        verdict.remarks.append("the disk never confirmed that it has everything")


def _look_at_order(found: Found, verdict: Verdict, episodes: dict[str, int]) -> None:
    """A trial's files are numbered without gaps; one that is gone shows by the next."""
    known = RECORD_NAME.fullmatch(found.file)
    if known is None or known["stem"] == "trial" or found.alone:
        return
    number = int(known["stem"].removeprefix("episode_"))
    trial = found.name.removesuffix(found.file) + (known["trial"] or "")
    if trial not in episodes:
        episodes.clear()
        # Of a single file's neighbours nothing was asked.
        episodes[trial] = max(0, verdict.episodes_before) - 1 if trial else number - 1
    gone = range(episodes[trial] + 1, number)
    if len(gone) == 1:
        verdict.problems.append(f"the record of the episode before it ({gone[0]}) is not there")
    elif gone:
        verdict.problems.append(f"the records of the episodes before it ({gone[0]} to {gone[-1]}) are not there")
    episodes[trial] = number


class _Copies:
    """What is in a second place, where each file's name begins with its trial."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = {key.rpartition("/")[2]: key for key in store.keys("")}

    def compare(self, found: Found, verdict: Verdict) -> None:
        known = RECORD_NAME.fullmatch(found.file)
        plain = known is not None and known["trial"] is None
        key = self._keys.get(f"{verdict.trial}-{found.file}" if plain else found.file)
        if key is None:
            verdict.problems.append("there is no copy of it")
            return
        try:
            with self._store.fetch(key) as file:
                if sha256_of(file) != verdict.sha256:
                    verdict.problems.append("its copy is another file")
        except (OSError, HippoError) as problem:
            verdict.problems.append(f"its copy cannot be read: {problem}")


def sha256_of(file: IO[bytes]) -> str:
    """Of all that follows, as hex."""
    digest = hashlib.sha256()
    while data := file.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest()
