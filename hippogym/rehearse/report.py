"""A rehearsal's findings, printed for the researcher."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hippogym.data.terminal import harmless
from hippogym.rehearse.checks import GREEN, MOST_TOLD, RED, Check
from hippogym.rehearse.confirming import OVER, UNDER, Trialled
from hippogym.rehearse.findings import Findings

MARKS = {GREEN: "✓", RED: "✗"}
GAMES_ONLY = ("first picture", "frames", "memory")
OTHERS_DISTURB = 0.25  # of the machine's cores


def print_report(found: Findings, console: Console) -> None:
    """All of it, the verdict last."""
    console.print(_way(found))
    for name, value in _facts(found):
        console.print(Text.assemble((f"{name:<15}", "dim"), value))
    console.print()
    for sentence in capacity(found):
        console.print(sentence)
    for one in found.confirmed:
        console.print(Text(confirmation(one), style="green" if one.is_as_predicted else "red"))
    console.print()
    for check in found.checks:
        _print_check(check, console)
    red = sum(check.state == RED for check in found.checks)
    verdict = f"{red} of {len(found.checks)} checks are red" if red else "Every check is green."
    console.print(Text(verdict, style="bold red" if red else "bold green"))


def _way(found: Findings) -> Table:
    table = Table(title=f"{found.participants} participants in {minutes(found.took_s)}", title_justify="left")
    for name in ("step", "came", "median", "p95", "left", "failed"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for name, came, median_s, p95_s, left, failed in found.steps:
        marked = Text(str(failed or "–"), style="red" if failed else "")
        table.add_row(harmless(name), str(came), minutes(median_s), minutes(p95_s), str(left or "–"), marked)
    return table


def _facts(found: Findings) -> list[tuple[str, str]]:
    states = ", ".join(f"{name} {count}" for name, count in found.states.items())
    outcomes = ", ".join(f"{name} {count}" for name, count in sorted(found.outcomes.items()))
    befell = ", ".join(f"{count} {name}" for name, count in found.befell.items() if count)
    games = found.games
    rows = [
        ("participants", f"{states}; ends: {outcomes or '–'}"),
        ("time", f"{minutes(found.whole_s)} for the whole way (median)" if found.whole_s is not None else "–"),
        ("on the way", befell or "nothing befell anybody"),
        ("network", found.network or "this machine's own"),
        ("first picture", f"{games['first_picture_p50_ms']:.0f} ms, p95 {games['first_picture_p95_ms']:.0f} ms; "
         f"longest wait for a place {minutes(games['longest_wait_s'])}"),
        ("frames", f"{games['frames']:.0f} in {games['games']:.0f} games, {games['overtaken']:.1%} overtaken, "
         f"{games['late']:.1%} of ticks late"),
        ("pages", f"{found.http_ms['p50']:.0f} ms, p95 {found.http_ms['p95']:.0f} ms, {found.http_ms['requests']:.0f} "
         "requests"),
        ("storage", _storage(found)),
        ("memory", "–" if found.memory_mb is None else f"{found.memory_mb:.0f} MB for each player"),
        ("the machine", _machine(found)),
    ]  # fmt: skip
    return [(name, value) for name, value in rows if found.games["games"] or name not in GAMES_ONLY]


def _storage(found: Findings) -> str:
    if not found.sizes:
        return "the data are elsewhere"
    each = {kind: bytes_ / found.participants for kind, bytes_ in found.sizes.items()}
    parts = ", ".join(f"{kind} {amount(size)}" for kind, size in each.items() if size)
    return f"{amount(sum(each.values()))} for each participant ({parts})"


def _machine(found: Findings) -> str:
    if not found.load:
        return f"{found.cores} cores here; the server is elsewhere"
    load = found.load
    told = (f"{found.cores} cores; busy on average: server {load['server']:.2f}, bots {load['bots']:.2f}, "
            f"everything else {load['others']:.2f} (at most {load['others_most']:.2f})")  # fmt: skip
    if load["others"] > OTHERS_DISTURB * found.cores:
        told += " – so much else runs here that the figures are those of a disturbed machine"
    return told


def capacity(found: Findings) -> list[str]:
    """What the machine holds, in sentences."""
    said = found.prediction
    if said.holds is None:
        return [f"How many this machine holds cannot be said: {said.method}."]
    holds = f"This machine holds {said.holds} at once at {found.rate:g} ticks/s"
    if said.broke is not None or said.costs is None:
        sentences = [f"{holds} ({said.method})."]
    else:
        sentences = [f"{holds}, the bots beside them ({said.method})."]
        if said.alone is not None and said.alone > said.holds:
            sentences.append(f"With the participants elsewhere, it would be {said.alone} (not tried).")
    if found.allowed is not None and said.holds >= found.allowed:
        sentences.append(f"The study lets {found.allowed} in at once (trial.maxParticipants); others wait in line.")
    elif found.allowed is not None:
        sentences.append(
            f"The study lets {found.allowed} in at once, which is more: set trial.maxParticipants to {said.holds}."
        )
    return sentences


def confirmation(one: Trialled) -> str:
    """One crowd that was tried."""
    share = f"{UNDER if one.wanted else OVER:.0%} of {one.of}"
    holds = "holds" if one.holds else "does not hold"
    fits = "as predicted" if one.is_as_predicted else "not as predicted"
    pace = f"the slowest 5 % at {one.slowest:.1%} of the asked rate" if one.slowest else "not everybody came into play"
    return f"Tried {one.playing} at once ({share}): {holds}, {fits}; {pace}; {one.others:.2f} cores taken by others."


def _print_check(check: Check, console: Console) -> None:
    style = {GREEN: "green", RED: "red"}.get(check.state, "dim")
    console.print(Text(f"{MARKS.get(check.state, '·')} {check.name}: {harmless(check.told, 200)}", style=style))
    for detail in check.details[:MOST_TOLD]:
        console.print(Text(f"    {harmless(detail, 200)}", style=style))
    if len(check.details) > MOST_TOLD:
        console.print(Text(f"    and {len(check.details) - MOST_TOLD} more", style=style))


def minutes(seconds: float | None) -> str:
    """90 → 1:30 min; short times in seconds."""
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def amount(size: float) -> str:
    """Bytes, in words."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
