"""What a rehearsal has come to: everything that the report prints, and the same as plain JSON."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hippogym.rehearse.capacity import Prediction, Window
from hippogym.rehearse.checks import RED, Check
from hippogym.rehearse.confirming import Trialled
from hippogym.rehearse.crowd import Crowd
from hippogym.rehearse.evidence import Evidence
from hippogym.rehearse.story import DONE, FAILED, LEFT, Story


@dataclass
class Findings:
    """steps: for each, how many came to it, how long it took (median, p95, in seconds), left there, failed there.

    rate: ticks a second that the study asks for. allowed: trial.maxParticipants, None where unknown.
    """

    participants: int
    took_s: float
    states: dict[str, int]
    outcomes: dict[str, int]
    steps: list[tuple[str, int, float, float, int, int]]
    whole_s: float | None
    befell: dict[str, int]
    games: dict[str, float]
    http_ms: dict[str, float]
    prediction: Prediction
    rate: float
    allowed: int | None
    cores: int
    load: dict[str, float]
    sizes: dict[str, int] = field(default_factory=dict)
    memory_mb: float | None = None
    checks: list[Check] = field(default_factory=list)
    confirmed: list[Trialled] = field(default_factory=list)
    network: str | None = None

    @property
    def is_fine(self) -> bool:
        return not any(check.state == RED for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"fine": self.is_fine}


def step_table(stories: Sequence[Story]) -> list[tuple[str, int, float, float, int, int]]:
    """How it went at each step, in the order of the way (that of their mean place, as some are not shown to all)."""
    took: dict[str, list[float]] = {}
    places: dict[str, list[int]] = {}
    for story in stories:
        for place, (name, seconds) in enumerate(story.steps):
            took.setdefault(name, []).append(seconds)
            places.setdefault(name, []).append(place)
        if story.state in (LEFT, FAILED) and story.step:
            took.setdefault(story.step, [])
            places.setdefault(story.step, []).append(len(story.steps))
    left = Counter(story.step for story in stories if story.state == LEFT)
    failed = Counter(story.step for story in stories if story.state == FAILED)
    return [
        (name, len(s) + left[name] + failed[name], percentile(s, 50), percentile(s, 95), left[name], failed[name])
        for name, s in sorted(took.items(), key=lambda item: statistics.fmean(places[item[0]]))
    ]


def summarise(
    crowd: Crowd, prediction: Prediction, rate: float, allowed: int | None, cores: int, network: str | None
) -> Findings:
    """Everything but what lies in the data folder."""
    stories = [bot.story for bot in crowd.bots]
    done_s = [story.took_s for story in stories if story.state == DONE and story.took_s is not None]
    games = [game for story in stories for game in story.games]
    pulses = [player.pulse for player in crowd.players()]
    http_s = [seconds for bot in crowd.bots for seconds in bot.http_s]
    frames, overtaken = sum(game.frames for game in games), sum(game.overtaken for game in games)
    joined_s = [game.joined_s for game in games if game.joined_s is not None]
    return Findings(
        participants=len(stories),
        took_s=crowd.took_s,
        states=dict(Counter(story.state for story in stories)),
        outcomes=dict(Counter(story.outcome for story in stories if story.outcome)),
        steps=step_table(stories),
        whole_s=statistics.median(done_s) if done_s else None,
        befell={
            "loaded a page again": sum(story.reloads for story in stories),
            "opened a second tab": sum(story.second_tabs for story in stories),
            "left something out and were told": sum(story.refusals for story in stories),
            "answered wrong and were told": sum(story.wrong_tries for story in stories),
            "waited in line for a place": sum(game.waited_s > 0 for game in games),
        },
        games={
            "games": len(games),
            "frames": frames,
            "overtaken": overtaken / (frames + overtaken) if frames else 0.0,
            "late": sum(p.late for p in pulses) / max(1, sum(p.ticks for p in pulses)),
            "first_picture_p50_ms": 1000 * percentile(joined_s, 50),
            "first_picture_p95_ms": 1000 * percentile(joined_s, 95),
            "longest_wait_s": max((game.waited_s for game in games), default=0.0),
        },
        http_ms={
            "p50": 1000 * percentile(http_s, 50),
            "p95": 1000 * percentile(http_s, 95),
            "requests": len(http_s),
        },  # fmt: skip
        prediction=prediction,
        rate=rate,
        allowed=allowed,
        cores=cores,
        load=machine_load(crowd.sampler.windows),
        memory_mb=memory_of_one_mb(crowd.sampler.memory),
        network=network,
    )


def add_data(findings: Findings, found: Evidence, checks: Sequence[Check]) -> None:
    """What lies in the data folder, and what came of the checks."""
    findings.sizes = found.sizes
    findings.checks += checks


def machine_load(windows: Sequence[Window]) -> dict[str, float]:
    """Cores that were busy on average: with the server, the bots, everything else; and the most by everything else."""
    told = [window for window in windows if window.server_s is not None and window.others_s is not None]
    if not told:
        return {}
    others = [(window.others_s or 0.0) / window.seconds for window in told]
    seconds = sum(window.seconds for window in told)
    return {
        "server": sum(window.server_s or 0.0 for window in told) / seconds,
        "bots": sum(window.bots_s for window in told) / seconds,
        "others": statistics.fmean(others),
        "others_most": max(others),
    }


def memory_of_one_mb(memory: Sequence[tuple[int, int]]) -> float | None:
    """Memory that one more player takes, in MB: the slope of what was seen; None where nothing can be told."""
    playing = np.array([count for count, _ in memory], float)
    if len(memory) < 3 or np.ptp(playing) == 0:
        return None
    slope = float(np.polyfit(playing, np.array([used for _, used in memory], float), 1)[0])
    return slope / 1e6 if slope > 0 else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the neighbours; 0 where there is nothing."""
    return float(np.percentile(np.asarray(values), percent)) if len(values) else 0.0
