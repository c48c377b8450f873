"""Whether an episode is what its record says: replayed once, and again where something differs.

Environments that are left to chance differ from their records, but from themselves, too; a record that was changed
differs from every replay in the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hippogym.replay.outcome import Outcome
from hippogym.replay.process import OnFrame, OnTick, Run, run_replay

VERIFIED, DIFFERS, NOT_DETERMINISTIC, NOT_REPLAYED = "verified", "differs", "not deterministic", "cannot be replayed"
MOST_RUNS = 3
ASIDE = "info"  # may hold times and other notes that no two runs share, without the game being another


@dataclass(frozen=True)
class Verdict:
    """About one episode.

    status: one of the four words above. tick: the first at which it differs, None where it is verified.
    differences: what differs at that tick, as (name, sentence). remarks: what else should be known, as sentences.
    """

    source: str
    episode: int | None
    status: str
    ticks: int
    frames: int
    unencoded: int
    tick: int | None = None
    differences: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # package → (then, now)


def judge(
    study: Path,
    records: Mapping[str, Path],
    wanted: frozenset[str],
    *,
    on_frame: OnFrame | None = None,
    on_tick: OnTick | None = None,
) -> list[Verdict]:
    """The verdicts about the wanted records of one trial; all arguments as of run_replay. Raises AgentError."""
    first = run_replay(study, records, wanted, on_frame=on_frame, on_tick=on_tick)
    return conclude(first, lambda: run_replay(study, records, wanted, digests=True, on_tick=on_tick))


def not_replayed(wanted: frozenset[str], why: str) -> list[Verdict]:
    """The verdicts about records with which nothing could be done."""
    differences = (("record", why),)
    return [Verdict(name, None, NOT_REPLAYED, 0, 0, 0, tick=0, differences=differences) for name in sorted(wanted)]


def conclude(first: Run, again: Callable[[], Run]) -> list[Verdict]:
    """The verdicts after a first run. again: makes another run, with digests; called only where something differs."""
    runs = [first]
    open_questions = [outcome for outcome in first.outcomes if outcome.differences]
    while open_questions and len(runs) < MOST_RUNS:
        runs.append(again())
        open_questions = [
            one for one in open_questions if not one.differences.keys() <= unstable(_of(one, runs)).keys()
        ]
    verdicts: list[Verdict] = []
    for outcome in first.outcomes:
        earlier = any(verdict.status == DIFFERS for verdict in verdicts)
        verdicts.append(_verdict(outcome, unstable(_of(outcome, runs)), first.about, earlier))
    return verdicts


def unstable(outcomes: list[Outcome]) -> dict[str, int]:
    """What is not the same in all runs of an episode → the first tick (0: the reset) where that shows."""
    found: dict[str, int] = {}
    for name in {name for outcome in outcomes for name in outcome.digests}:
        one, *others = [outcome.digests.get(name, {}) for outcome in outcomes]
        ticks = [
            int(tick) for other in others for tick in one.keys() | other.keys() if one.get(tick) != other.get(tick)
        ]
        if ticks:
            found[name] = min(ticks)
    return found


def _of(outcome: Outcome, runs: list[Run]) -> list[Outcome]:
    key = (outcome.source, outcome.number)
    return [found for run in runs if (found := run.by_episode.get(key)) is not None]


def _verdict(outcome: Outcome, chance: dict[str, int], about: dict[str, Any], earlier: bool) -> Verdict:
    game = chance.keys() - {ASIDE}
    left = outcome.differences if game else {k: v for k, v in outcome.differences.items() if k not in chance}
    ticks = [tick for tick, _ in left.values()] + [chance[name] for name in game]
    verdict = Verdict(outcome.source, outcome.number, VERIFIED, outcome.ticks, outcome.frames, outcome.unencoded)
    remarks = [f"{outcome.missing[0].upper()}{outcome.missing[1:]}."] if outcome.missing else []
    if ASIDE in chance and not game:
        remarks.append(f"{ASIDE} is not the same in two replays, from tick {chance[ASIDE]} on; all else is.")
    if ticks:
        first = min(ticks)
        there = tuple((name, how) for name, (tick, how) in left.items() if tick == first)
        status = NOT_DETERMINISTIC if game else DIFFERS
        verdict = replace(verdict, status=status, tick=first, differences=there)
        if earlier and not game:
            remarks.append("An earlier episode of this trial differs, too; the game may carry something over.")
    elif outcome.gap:
        verdict = replace(verdict, status=NOT_REPLAYED, tick=outcome.ticks, differences=(("record", outcome.gap),))
    if verdict.status != VERIFIED and outcome.header.get("agent_sha256") not in (None, about.get("agent_sha256")):
        remarks.append("agent.py is not the one that it was recorded with.")
    return replace(verdict, remarks=tuple(remarks), versions=_versions(outcome.header.get("versions"), about))


def _versions(then: object, about: dict[str, Any]) -> dict[str, tuple[str, str]]:
    now = about.get("versions", {})
    if not isinstance(then, dict):
        return {}
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return {name: (str(then.get(name, "none")), str(now.get(name, "none"))) for name in names}
