"""An episode as a video: pictures from its replay, at the pace at which it was really played."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hippogym.core.frame_header import FrameHeader
from hippogym.errors import RecordError
from hippogym.replay.mp4 import Mp4Writer, find_encoder
from hippogym.replay.picture import FLASH_S, Layout, draw
from hippogym.replay.process import OnTick
from hippogym.replay.timeline import Mark, Moment, Timeline
from hippogym.replay.verdict import Verdict, judge

LEAST_RATE, MOST_RATE = 10, 60
LAST_S = 1.0  # for so long the last picture is shown


@dataclass(frozen=True)
class Options:
    """inputs: draw what the participant did. longest_pause_s: longer pauses are cut to that; None: none is."""

    inputs: bool = False
    longest_pause_s: float | None = None


def make_video(
    study: Path,
    records: Mapping[str, Path],
    name: str,
    lines: list[Timeline],
    out: Path,
    options: Options,
    on_tick: OnTick | None = None,
) -> list[Verdict]:
    """Replay the record ``name`` (see run_replay), and write the episodes in ``lines`` to ``out``.

    Returns the verdicts about them: a video of what differs from the record says so from that picture on.
    Raises RecordError, AgentError.
    """
    find_encoder()
    if out.exists():
        raise RecordError(f"{out} exists already; it is not replaced")
    with ExitStack() as files:
        film = Film(lines, out, options, files)
        verdicts = judge(study, records, frozenset({name}), on_frame=film.take, on_tick=on_tick)
        film.finish()
    wanted = {line.episode for line in lines}
    return [verdict for verdict in verdicts if verdict.episode in wanted]


class Film:
    """Takes the pictures as the replay makes them, and holds each until the next one's time has come."""

    def __init__(self, lines: list[Timeline], out: Path, options: Options, files: ExitStack) -> None:
        self._files, self._out, self._options = files, out, options
        self._rate = round(min(MOST_RATE, max([LEAST_RATE, *(line.rate for line in lines)])))
        self._moments = {(line.episode, moment.tick): moment for line in lines for moment in line.moments}
        self._clock = shown_times([moment.t_s for line in lines for moment in line.moments], options.longest_pause_s)
        self._marks = sorted(
            (mark for line in lines for mark in line.marks if mark.kind in ("feedback", "command")),
            key=lambda mark: mark.t_s,
        )
        self._layout: Layout | None = None
        self._writer: Mp4Writer | None = None
        self._now: tuple[Moment, bytes, bool] | None = None
        self._pictures = 0
        self._as_recorded = True

    def take(self, header: FrameHeader, jpeg: bytes) -> None:
        """The picture of a tick."""
        moment = self._moments.get((header.episode, header.tick))
        if moment is None:
            return
        if self._writer is None or self._layout is None:
            self._layout = Layout.of(header.size, self._options.inputs)
            self._writer = self._files.enter_context(Mp4Writer(self._out, self._layout.picture, self._rate))
        if moment.frame_sha256 is not None and hashlib.sha256(jpeg).hexdigest() != moment.frame_sha256:
            self._as_recorded = False
        self._show_until(self._clock[moment.t_s])
        self._now = (moment, jpeg, self._as_recorded)

    def finish(self) -> None:
        """The last picture stays for a moment. RecordError where there was none."""
        if self._now is None:
            raise RecordError("no picture of it could be made")
        self._show_until(self._clock[self._now[0].t_s] + LAST_S)

    def _show_until(self, until_s: float) -> None:
        """Write the picture that is shown now as often as its time lasts."""
        if self._now is None or self._writer is None or self._layout is None:
            return
        moment, jpeg, as_recorded = self._now
        recent: list[Mark] | None = None
        pixels = b""
        while self._pictures / self._rate < until_s:
            t_s = moment.t_s + self._pictures / self._rate - self._clock[moment.t_s]
            marks = self._recent(t_s)
            if marks != recent:
                recent = marks
                pixels = draw(self._layout, jpeg, moment, marks, moment.t_s, as_recorded)
            self._writer.write(pixels)
            self._pictures += 1

    def _recent(self, t_s: float) -> list[Mark]:
        if not self._options.inputs:
            return []
        return [mark for mark in self._marks if t_s - FLASH_S < mark.t_s <= t_s][-3:]


def shown_times(times_s: list[float], longest_pause_s: float | None) -> dict[float, float]:
    """When each moment is shown: as it was, but for pauses that are cut."""
    shown: dict[float, float] = {}
    before_s, clock_s = None, 0.0
    for t_s in times_s:
        if before_s is not None:
            pause_s = t_s - before_s
            clock_s += pause_s if longest_pause_s is None else min(pause_s, longest_pause_s)
        before_s = t_s
        shown[t_s] = clock_s
    return shown
