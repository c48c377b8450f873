"""Makes docs/environments.md out of what the sweep found."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from gymnasium.envs.registration import EnvSpec

from hippogym import __version__
from hippogym.data.versions import versions

PAGE = Path(__file__).parent.parent / "docs" / "environments.md"
TURN_BASED = ("toy_text", "tabular")  # nothing moves in them by itself

GROUPS = {  # from the module that an environment comes from to what people call its kind
    "classic_control": "Classic control",
    "box2d": "Box2D",
    "toy_text": "Toy text",
    "ale_py": "Atari",
    "mujoco": "MuJoCo",
    "phys2d": "Functional, with JAX",
    "tabular": "Functional, with JAX",
}

INTRO = """# Environments

<!-- Made by `python -m scripts.sweep_environments --write-docs`. Do not edit. -->

Every environment that {versions} register was played with the shipped `agent.py` and a study that
says hardly more than its name: a real trial in a process of its own, {ticks} ticks at up to 120 frames/s, with keys
pressed at random out of those that the trial says mean something. It passes when the trial ends in order, every frame
is a picture of the size that it claims, and the record is closed and whole, with every message that was sent, every
frame that was seen, and at every tick an action of the environment's own space, driven by the keys.

**{counts}**

- *actions*: how many have names, and the space behind them. A Box has one for each direction of each of its numbers;
  those that are held together are added up.
- *keys*: keys of the keyboard and buttons of a gamepad that do something by default. What each does stands beside the
  game, and `python3 communicator.py check` lists it.
- *idle*: the action when nothing is pressed (`trial.defaultAction` chooses another). Empty for those that were played
  with `stepMode: turn`, because nothing moves in them by itself.
- *tick*: mean time of a step with its rendering, encoding and recording, on a machine with other work to do, so an
  upper bound: what takes less than 33 ms can be played at 30 frames/s.
"""

OLDER = """
## Older versions and older names

They were played in the same way. For a new study take the newest: the others are there so that old results can be
repeated. Of the Atari games, `ALE/Name-v5` is the name of today. `Name-v0` and `Name-v4` skip 2 to 4 frames at random,
`NameNoFrameskip-v0` and `-v4` none; each `-v0` repeats the last action at random, one time in four.
"""


class Played(Protocol):
    """What the sweep knows of an environment; see sweep_environments.Trial."""

    name: str
    space: str
    actions: list[str]
    keys: list[str]
    keyless: list[str]
    idle: str
    size: tuple[int, int]
    ticks: int
    mean_ms: float
    problem: str
    missing: bool


def wants_turns(spec: EnvSpec) -> bool:
    """Whether an environment waits for its participant."""
    return any(part in str(spec.entry_point) for part in TURN_BASED)


def group_of(spec: EnvSpec) -> str:
    """Which heading an environment belongs under."""
    return next((title for part, title in GROUPS.items() if part in str(spec.entry_point)), "Others")


def newest(registry: Mapping[str, EnvSpec]) -> list[str]:
    """The ids that are the newest of their name; of an Atari game, only the one that is in ``ALE/``."""
    latest: dict[tuple[str | None, str], EnvSpec] = {}
    for spec in registry.values():
        known = latest.get((spec.namespace, spec.name))
        if known is None or (spec.version or 0) > (known.version or 0):
            latest[(spec.namespace, spec.name)] = spec
    return [spec.id for spec in latest.values() if not _is_old_atari_name(spec, registry)]


def _is_old_atari_name(spec: EnvSpec, registry: Mapping[str, EnvSpec]) -> bool:
    today = f"ALE/{spec.name.removesuffix('NoFrameskip')}-v5"
    return spec.namespace is None and group_of(spec) == "Atari" and today in registry


def page(trials: Sequence[Played], registry: Mapping[str, EnvSpec], ticks: int) -> str:
    """The whole page, in Markdown."""
    latest = set(newest(registry))
    tables: dict[str, list[Played]] = defaultdict(list)
    older: dict[str, list[Played]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: _for_people(trial.name)):
        (tables if trial.name in latest else older)[group_of(registry[trial.name])].append(trial)
    order = [*dict.fromkeys(GROUPS.values()), "Others"]
    text = INTRO.format(versions=_packages(), ticks=ticks, counts=counts(trials))
    for title in order:
        if title in tables:
            text += f"\n## {title}\n\n{_table(tables[title])}"
    if older:
        text += OLDER
        for title in order:
            if title in older:
                text += f"\n**{title}**: {_compact(older[title])}\n"
    return text


def counts(trials: Iterable[Played]) -> str:
    """In a sentence: how many passed, failed, and could not be made."""
    outcomes = ["missing" if trial.missing else "failed" if trial.problem else "passed" for trial in trials]
    passed, failed, missing = (outcomes.count(one) for one in ("passed", "failed", "missing"))
    return (
        f"Of {len(outcomes)} environments {passed} passed, {failed} failed, {missing} need what is not installed here."
    )


def result(trial: Played) -> str:
    """``pass``, what is not installed, or what went wrong."""
    if not trial.problem:
        return "pass"
    sentence = trial.problem
    if match := re.search(r"No module named '(\w+)", sentence):
        return f"not installed: {match[1]}"
    if match := re.search(r'pip install "?(shimmy|[\w\[\]-]+)', sentence):
        return f"not installed: {match[1]}"
    if "have been moved to" in sentence:
        return "moved to another package: gymnasium-robotics"
    return sentence.replace("|", "\\|").replace("\n", " ")[:300]


def _table(trials: Sequence[Played]) -> str:
    if not any(trial.ticks for trial in trials):
        return _compact(trials) + "\n"
    lines = ["| environment | actions | keys | idle | frame | tick | result |", "|---|---|---:|---|---:|---:|---|"]
    return "\n".join([*lines, *map(_row, trials)]) + "\n"


def _row(trial: Played) -> str:
    if not trial.ticks:
        return f"| `{trial.name}` | | | | | | {result(trial)} |"
    keyless = f", {len(trial.keyless)} of them without a key" if trial.keyless else ""
    cells = (
        f"`{trial.name}`",
        f"{len(trial.actions)}: `{trial.space}`{keyless}",
        str(len(trial.keys)),
        trial.idle,
        "{} × {}".format(*trial.size),
        f"{trial.mean_ms:.1f} ms",
        result(trial),
    )
    return f"| {' | '.join(cells)} |"


def _compact(trials: Sequence[Played]) -> str:
    """Names by what came of them, the versions of one name together."""
    by_result: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        name, _, version = trial.name.rpartition("-")
        by_result[result(trial)][name].append(version)
    parts = []
    for outcome, names in by_result.items():
        listed = ", ".join(f"`{name}-{'` `-'.join(found)}`" for name, found in names.items())
        parts.append(f"{outcome} ({sum(map(len, names.values()))}): {listed}.")
    return " ".join(parts)


def _packages() -> str:
    installed: Mapping[str, Any] = versions(__version__)
    return " and ".join(f"{name} {installed[name]}" for name in ("gymnasium", "ale-py") if name in installed)


def _for_people(name: str) -> tuple[str, str]:
    return (name.lower(), name)
