"""Keeps what happens in one trial: every entry is in its file before ``write`` returns.

Light on purpose, as it runs in the trial's process. The order in which things reach the disk at the end of a
record: the entries; the manifest under a temporary name; the record's final name; the manifest's final name.
Killed anywhere between, recovery.py finishes it.
"""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hippogym.core.plain import plainify
from hippogym.core.record_format import HIPPO_KEY, encode_entry
from hippogym.data import manifest
from hippogym.data.record_file import NO_ROOM, RecordFile, Syncing, sync_folder
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)


class Recorder:
    """The records of one trial, in a folder of its own.

    folder: ``<records>/<trial id>``; made if it is missing, readable by its owner only.
    trial: the trial's id, letters a-z, digits and dashes, at most 64; ValueError otherwise.
    per: one file for each episode, or one for the whole trial.
    fsync_every_s: how often what was written is brought to the disk, by a thread, off the tick.
    """

    def __init__(
        self,
        folder: Path,
        trial: str,
        *,
        per: Literal["episode", "trial"] = "episode",
        fsync_every_s: float = 1.0,
    ) -> None:
        if manifest.TRIAL_ID.fullmatch(trial) is None:
            raise ValueError(f"{trial[:80]!r} is not a trial id: a-z, 0-9 and -, at most 64")
        if per not in ("episode", "trial"):
            raise ValueError(f"records are kept per 'episode' or per 'trial', not per {per!r}")
        self.oddities: dict[str, int] = {}  # per type: values that could only be kept as their type and repr
        self._folder = folder
        self._trial = trial
        self._per = per
        self._fsync_every_s = fsync_every_s
        self._folder_fd = -1
        self._closed = False
        self._file: RecordFile | None = None
        self._syncing: Syncing | None = None
        self._episodes: list[dict[str, Any]] = []
        self._in_episode = False
        self._seq = 0
        self._ticks = 0
        self._last_kind: object = None
        self._odd_in_file: dict[str, int] = {}
        self._started_s = 0.0
        try:
            self._folder_fd = _open_folder(folder)
        except RecordError as problem:
            if not problem.disk_full:
                raise  # else open_episode tries again, and may be tried again

    @property
    def is_open(self) -> bool:
        """Whether an episode is open."""
        return self._in_episode

    @property
    def next_seq(self) -> int:
        """The number that the next entry will have in its file."""
        return self._seq

    def open_episode(self, episode: int, header: Mapping[str, Any]) -> None:
        """Begin an episode; header goes to the manifest.

        Raises RecordError; with disk_full=True it may be tried again.
        """
        if self._in_episode:
            raise RecordError("an episode is still open")
        if not 0 <= episode < 10**9:
            raise ValueError(f"{episode} is not an episode's number")
        if self._file is None:
            self._open_file("trial" if self._per == "trial" else f"episode_{episode:04d}")
        self._episodes.append(manifest.episode(episode, plainify(dict(header), {}), self._seq))
        self._in_episode = True

    def write(self, entry: Mapping[str, Any]) -> int:
        """Append one entry; returns its number in the file. When this returns, a killed process no longer
        loses it.

        Sets ``seq`` under the key ``hippogym``, and in an entry of kind 'end' ``sha256_before``, the hash of
        the file up to this entry. Whatever the agent put into the entry is made plain; the caller's dict is
        not changed.
        RecordError with disk_full=True: nothing was written, and the same entry may be written again when
        there is room. With disk_full=False: the record cannot go on, and should be closed.
        """
        file = self._file
        if file is None or not self._in_episode:
            raise RecordError("no episode is open")
        odd: dict[str, int] = {}
        ours = plainify(entry.get(HIPPO_KEY), odd)
        plain = plainify({key: value for key, value in entry.items() if key != HIPPO_KEY}, odd)
        kind = None
        if type(ours) is dict:
            kind = ours.get("kind")
            ours["seq"] = self._seq
            if kind == "end":
                ours["sha256_before"] = file.digest()
        if HIPPO_KEY in entry:
            plain[HIPPO_KEY] = ours
        try:
            data = encode_entry(plain, self._seq)
        except ValueError as problem:
            raise RecordError(str(problem)) from problem
        file.append(data)
        self._count(kind, odd)
        return self._seq - 1

    def close_episode(self, reason: str, summary: Mapping[str, Any]) -> Path:
        """End the episode, and with it its file if each episode has its own; returns the record's final path.

        RecordError with disk_full=True: there was no room for the manifest; everything is kept, call again.
        """
        if self._file is None:
            raise RecordError("no episode is open")
        if self._in_episode:
            about = self._episodes[-1]
            about["last_seq"] = self._seq - 1 if self._seq > about["first_seq"] else None
            about["reason"] = reason
            about["summary"] = manifest.json_safe(plainify(dict(summary), {}))
            self._in_episode = False
        path = self._folder / (self._file.stem + manifest.RECORD)
        if self._per == "episode":
            self._close_file(self._file, reason)
        return path

    def close(self) -> None:
        """Close what is open; idempotent. An episode still open is closed with the reason 'closed'.

        RecordError where there was no room for the manifest: the record is kept as ``.part``, and the repair
        at the next start closes it.
        """
        try:
            if self._in_episode:
                self.close_episode("closed", {})
            if self._file is not None:
                self._close_file(self._file, self._episodes[-1]["reason"])
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._syncing is not None:
            self._syncing.stop()
        if self._file is not None:
            self._file.close()
        if self._folder_fd >= 0:
            os.close(self._folder_fd)
        self._file = self._syncing = None
        self._folder_fd = -1
        self._closed = True

    def _open_file(self, stem: str) -> None:
        if self._closed:
            raise RecordError("the recorder is closed")
        if self._folder_fd < 0:
            self._folder_fd = _open_folder(self._folder)
        self._file = RecordFile(self._folder_fd, stem)
        self._syncing = Syncing(self._file, self._fsync_every_s)
        self._episodes = []
        self._seq = self._ticks = 0
        self._last_kind = None
        self._odd_in_file = {}
        self._started_s = time.time()

    def _count(self, kind: object, odd: dict[str, int]) -> None:
        self._seq += 1
        self._last_kind = kind
        if kind == "tick":
            self._ticks += 1
            self._episodes[-1]["ticks"] += 1
        for name, count in odd.items():
            if name not in self.oddities:
                logger.warning("the agent returns a %s, of which only type and repr can be kept", name)
            self.oddities[name] = self.oddities.get(name, 0) + count
            self._odd_in_file[name] = self._odd_in_file.get(name, 0) + count

    def _close_file(self, file: RecordFile, reason: str) -> None:
        if self._syncing is not None:
            self._syncing.stop()
        file.sync()
        try:
            manifest.write_part(self._folder_fd, file.stem, self._manifest(file, reason))
            file.rename()
            manifest.publish(self._folder_fd, file.stem)
        except OSError as problem:
            what = f"the manifest of {file.stem} could not be written: {problem.strerror}"
            raise RecordError(what, disk_full=True) from problem
        file.close()
        self._file = self._syncing = None

    def _manifest(self, file: RecordFile, reason: str) -> dict[str, Any]:
        sha256 = file.digest()
        content = {
            "entries": self._seq,
            "ticks": self._ticks,
            "bytes": file.size,
            "sha256": sha256,
            "first_seq": 0 if self._seq else None,
            "last_seq": self._seq - 1 if self._seq else None,
        }
        ending = {
            "reason": reason,
            "complete": self._last_kind == "end" and not file.unsynced,
            "started": manifest.iso(self._started_s),
            "ended": manifest.iso(time.time()),
            "recovered": None,
            "oddities": self._odd_in_file,
            "unsynced": file.unsynced,
        }
        return manifest.make(file.stem, self._trial, self._episodes, content, ending)


def _open_folder(folder: Path) -> int:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
        sync_folder(folder.parent)  # else a power failure takes the folder, and all that was synced in it
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        what = f"the records folder {folder} cannot be used: {problem.strerror}"
        raise RecordError(what, disk_full=problem.errno in NO_ROOM) from problem
