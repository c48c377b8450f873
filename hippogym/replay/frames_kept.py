"""The pictures of a replay, kept on the disk for as long as somebody looks at them."""

import tempfile
import threading
from types import TracebackType


class FramesKept:
    """JPEGs by (episode, tick), in a file that has no name and is gone with us. ``get`` may be called by any thread."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def add(self, episode: int, tick: int, jpeg: bytes) -> None:
        """Keep one. Raises OSError where there is no room."""
        with self._lock:
            self._file.seek(self._end)
            self._file.write(jpeg)
            self._places[episode, tick] = (self._end, len(jpeg))
            self._end += len(jpeg)

    def get(self, episode: int, tick: int) -> bytes | None:
        """One, None where there is none."""
        place = self._places.get((episode, tick))
        if place is None:
            return None
        with self._lock:
            self._file.seek(place[0])
            return self._file.read(place[1])

    def has(self, episode: int, tick: int) -> bool:
        """Whether there is one."""
        return (episode, tick) in self._places

    def __enter__(self) -> "FramesKept":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
