"""Bars for what takes a while: uploads by bytes, image layers by number. Plain lines where nobody watches."""

import contextlib
import re
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)|^#\d+ \[(?:\S+ +)?(\d+)/(\d+)\] (.*)")
_LAYER = re.compile(r"^([0-9a-f]{12}): (.+)$")
_DONE = ("Pushed", "Layer already exists", "Mounted from")


class Shown:
    """What is being done, on a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, what: str, total: float) -> Iterator[Callable[[float, float | None], None]]:
        """A bar that is moved by calling what comes out of this with (done so far, new total or None)."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as progress:
            task: TaskID = progress.add_task(what, total=total or None)

            def move(done: float, of: float | None = None) -> None:
                progress.update(task, completed=done, total=of if of is not None else total or None)

            yield move


@contextlib.contextmanager
def build_steps(shown: Shown, what: str) -> Iterator[Callable[[str], None]]:
    """Understands the lines of ``docker build``, of both of its kinds."""
    with shown.bar(what, 0) as move:

        def said(line: str) -> None:
            found = _STEP.match(line)
            if found:
                at, of = int(found[1] or found[4]), int(found[2] or found[5])
                move(at - 1, of)

        yield said


@contextlib.contextmanager
def pushed_layers(shown: Shown, what: str) -> Iterator[Callable[[str], None]]:
    """Understands the lines of ``docker push``."""
    layers: dict[str, bool] = {}
    with shown.bar(what, 0) as move:

        def said(line: str) -> None:
            found = _LAYER.match(line)
            if found:
                layers[found[1]] = layers.get(found[1], False) or found[2].startswith(_DONE)
                move(sum(layers.values()), len(layers))

        yield said
