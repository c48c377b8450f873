"""Pictures to an mp4 file, through the ffmpeg that the package imageio-ffmpeg brings."""

import contextlib
import importlib
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

from hippogym.errors import RecordError


def find_encoder() -> str:
    """The path of an ffmpeg. RecordError, with what to type, where there is none."""
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError) as problem:
        raise RecordError("this needs the package imageio-ffmpeg: pip install 'hippogym[video]'") from problem


class Mp4Writer:
    """Writes ``out``, which appears only when it is whole; leaving the block with an error leaves nothing.

    size: (width, height), both even. rate: pictures per second. Raises RecordError where ffmpeg fails.
    """

    def __init__(self, out: Path, size: tuple[int, int], rate: int) -> None:
        self._out = out
        self._part = out.with_name(f".{out.name}.part.mp4")
        self._said: IO[bytes] = tempfile.TemporaryFile()
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(rate), "-i", "-"]
        coded = [
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "18",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
        ]
        self._process = subprocess.Popen(
            [find_encoder(), "-hide_banner", "-loglevel", "error", "-y", *raw, *coded, "-f", "mp4", str(self._part)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    def write(self, pixels: bytes) -> None:
        """The next picture: RGB, row by row."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pixels)
        except BrokenPipeError as problem:
            raise self._failed() from problem

    def __enter__(self) -> "Mp4Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        try:
            if kind is not None:
                self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            if self._process.wait() != 0 and kind is None:
                raise self._failed()
            if kind is None:
                os.replace(self._part, self._out)
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._part.unlink()
            self._said.close()

    def _failed(self) -> RecordError:
        self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return RecordError(f"ffmpeg could not write {self._out}: {lines[-1] if lines else 'it gave no reason'}")
