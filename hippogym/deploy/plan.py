"""What is, what would change, and what it costs: plain values, made before anything is touched, and printable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

WIDTH = 78


@dataclass(frozen=True)
class Item:
    """One thing that there is to be.

    what: its name. now: how it is. change: what would be done about it; empty where it is as it must be.
    container: it belongs to the container, which can be left for later.
    """

    key: str
    what: str
    now: str
    change: str = ""
    container: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything about a deployment. warnings: nothing to stop for. costs: lines about money."""

    title: str
    items: tuple[Item, ...]
    warnings: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Item, ...]:
        """What would be done, in this order."""
        return tuple(item for item in self.items if item.change)

    @property
    def touches_container(self) -> bool:
        """Whether something would be built, pushed or started."""
        return any(item.container for item in self.changes)

    def without_container(self) -> "Plan":
        """The same with the container left as it is."""
        return replace(self, items=tuple(replace(i, change="") if i.container else i for i in self.items))


def as_text(plan: Plan) -> str:
    """The plan for a terminal, without colours; ends with a line break."""
    lines = [plan.title, ""]
    wide = max((len(item.what) for item in plan.items), default=0)
    for item in plan.items:
        mark = "+" if item.change else "="
        lines.append(f"  {mark} {item.what:<{wide}}  {item.now}{f'  ->  {item.change}' if item.change else ''}")
    if plan.costs:
        lines += ["", "What it costs", *(f"  {line}" for line in plan.costs)]
    if plan.warnings:
        lines += ["", "Please note", *(f"  {line}" for line in plan.warnings)]
    lines += ["", _summary(plan.changes)]
    return "\n".join(lines) + "\n"


def _summary(changes: Sequence[Item]) -> str:
    if not changes:
        return "Everything is as it should be; nothing to do."
    return f"{_count(len(changes), 'thing')} to do, marked with +."


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Iterable[str], most: int = 4) -> str:
    """A few names, and how many more there are."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most} more"
