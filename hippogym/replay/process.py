"""The end of a replay's process that stays clean: starts it, listens to it, ends it."""

import contextlib
import json
import multiprocessing
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hippogym.core import packets
from hippogym.core.frame_header import LAYOUT, FrameHeader
from hippogym.errors import AgentError
from hippogym.replay.child import replay_records
from hippogym.replay.outcome import Outcome

QUIET_S = 120.0
"""So long may the study's agent take for one call."""

OnFrame = Callable[[FrameHeader, bytes], None]
OnTick = Callable[[str, int, int], None]  # record, episode, tick

# A fresh interpreter for every run: two that share a fork server would share what they take for chance.
_context = multiprocessing.get_context("spawn")


class Run:
    """One run of some records of one trial. outcomes: those of the wanted records. about: what it ran with."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.about: dict[str, Any] = {}

    @property
    def by_episode(self) -> dict[tuple[str, int | None], Outcome]:
        """The outcomes by the name of their record, and their episode's number."""
        return {(outcome.source, outcome.number): outcome for outcome in self.outcomes}


def run_replay(
    study: Path,
    records: Mapping[str, Path],
    wanted: frozenset[str],
    *,
    digests: bool = False,
    on_frame: OnFrame | None = None,
    on_tick: OnTick | None = None,
    quiet_s: float = QUIET_S,
) -> Run:
    """Replay the records (name → file, in the order in which they were played) of one trial in a process of its own.

    wanted: the names of those whose outcomes, and pictures, are wanted; the others are what the trial had played
    before. Raises AgentError where the study's agent cannot be used, or says nothing for quiet_s.
    """
    spec = {
        "study": str(study.absolute()),
        "records": [[name, str(path.absolute())] for name, path in records.items()],
        "wanted": sorted(wanted),
        "frames": on_frame is not None,
        "digests": digests,
    }
    run = Run()
    for kind, payload in _packets(spec, quiet_s):
        if kind == packets.FRAME:
            if on_frame is not None:
                on_frame(FrameHeader.decode(payload), payload[LAYOUT.size :])
            continue
        match json.loads(payload):
            case {"at": [str(name), int(episode), int(tick)]}:
                if on_tick is not None:
                    on_tick(name, episode, tick)
            case {"episode": outcome}:
                run.outcomes.append(Outcome.from_note(outcome))
            case {"problem": problem, "hook": hook}:
                raise AgentError(str(hook), str(problem))
            case {"over": about}:
                run.about = about
    if not run.about:
        raise AgentError("replay", "the process that replays has ended before the episode: the agent took it with it")
    return run


def _packets(spec: dict[str, Any], quiet_s: float) -> Iterator[tuple[int, bytes]]:
    """What the process sends, until it has closed its end."""
    ours, theirs = socket.socketpair()
    process = _context.Process(target=replay_records, args=(theirs, spec))
    with ours:
        try:
            process.start()
            theirs.close()
            splitter = packets.PacketSplitter()
            while data := _receive(ours, quiet_s):
                yield from splitter.feed(data)
        finally:
            theirs.close()
            _end(process)


def _receive(sock: socket.socket, quiet_s: float) -> bytes:
    if not select.select([sock], [], [], quiet_s)[0]:
        raise AgentError("replay", f"the agent has said nothing for {quiet_s:g} s; the replay was ended")
    try:
        return sock.recv(1 << 18)
    except ConnectionResetError:
        return b""


def _end(process: Any) -> None:
    if process.pid is None:
        return
    process.join(0.5)
    if process.exitcode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own, see live.worker
        process.kill()
        process.join()
    process.close()
