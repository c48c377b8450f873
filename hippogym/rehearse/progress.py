"""What is seen while a rehearsal runs: a live table at a terminal, a line now and then elsewhere."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hippogym.data.terminal import harmless
from hippogym.rehearse.capacity import slowest
from hippogym.rehearse.crowd import Crowd
from hippogym.rehearse.story import COMING, DONE, FAILED, LEFT

REFRESH_S = 0.5
LINE_EVERY_S = 15.0
LATEST = 5  # troubles


@asynccontextmanager
async def shown(crowd: Crowd, console: Console) -> AsyncIterator[None]:
    """Show how it goes until the block is left."""
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        if console.is_terminal:
            showing = tasks.create_task(_show_live(crowd, console, began_s))
        else:
            showing = tasks.create_task(_tell(crowd, console, began_s))
        try:
            yield
        finally:
            showing.cancel()


async def _show_live(crowd: Crowd, console: Console, began_s: float) -> None:
    with Live(picture(crowd, 0.0), console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(picture(crowd, time.monotonic() - began_s), refresh=True)
            await asyncio.sleep(REFRESH_S)


async def _tell(crowd: Crowd, console: Console, began_s: float) -> None:
    with suppress(BrokenPipeError):
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            console.print(line(crowd, time.monotonic() - began_s))


def line(crowd: Crowd, at_s: float) -> str:
    """How it goes, in a line."""
    count = crowd.count()
    gone = count.states[DONE] + count.states[LEFT] + count.states[FAILED]
    return (
        f"{at_s:4.0f} s  {len(crowd.bots) - count.states[COMING]} have come, {gone} are through, {count.playing} play, "
        f"{count.in_line} in line, {count.states[FAILED]} failed, {len(count.troubles)} troubles  {_pace(crowd)}"
    )


def picture(crowd: Crowd, at_s: float) -> Group:
    """How it goes, for a terminal that is redrawn."""
    count = crowd.count()
    gone = count.states[DONE] + count.states[LEFT] + count.states[FAILED]
    head = Text(f"{gone} of {len(crowd.bots)} participants are through, after {at_s // 60:.0f}:{at_s % 60:02.0f}")
    facts = Table.grid(padding=(0, 2))
    rows: list[tuple[str, Callable[[], str]]] = [
        ("still to come", lambda: str(count.states[COMING])),
        ("at a step", lambda: ", ".join(f"{harmless(step)} {n}" for step, n in count.steps.most_common(8)) or "–"),
        ("in the game", lambda: f"{count.playing}   in line for a place {count.in_line}"),
        ("through", lambda: f"{count.states[DONE]}   left as planned {count.states[LEFT]}"),
        ("failed", lambda: str(count.states[FAILED])),
        ("pace", lambda: _pace(crowd) or "–"),
    ]
    for name, value in rows:
        style = "red" if name == "failed" and count.states[FAILED] else ""
        facts.add_row(Text(name, style="dim"), Text(value(), style=style))
    latest = [Text(harmless(f"{who} at {step or 'the door'}: {what}", 150), style="red")
              for who, step, what in count.troubles[-LATEST:]]  # fmt: skip
    bar = ProgressBar(total=len(crowd.bots), completed=gone, width=60)
    return Group(head, bar, Text(), facts, *latest)


def _pace(crowd: Crowd) -> str:
    """The latest look at the games and the processor."""
    recent = crowd.sampler.windows[-5:]
    if not recent:
        return ""
    pace = slowest(recent)
    told = "too little was played" if pace is None else f"slowest 5 % at {pace:.0%} of the asked rate"
    used = [window.server_s / window.seconds for window in recent if window.server_s is not None]
    bots = statistics.fmean(window.bots_s / window.seconds for window in recent)
    if not used:
        return told
    others = statistics.fmean((window.others_s or 0.0) / window.seconds for window in recent)
    return f"{told}; cores: server {statistics.fmean(used):.2f}, bots {bots:.2f}, others {others:.2f}"
