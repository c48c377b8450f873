"""Rehearsals in small: a study that is quick to go through, and everything that its participants saw and left."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from hippogym.config import load_study
from hippogym.rehearse.checks import Check, data_checks, way_checks
from hippogym.rehearse.crowd import Crowd
from hippogym.rehearse.evidence import read_evidence
from hippogym.rehearse.network import Network
from hippogym.rehearse.new import make_study
from hippogym.rehearse.plan import Shares, make_plan
from hippogym.rehearse.rehearsal import pages_of
from hippogym.rehearse.server import serving
from hippogym.rehearse.stage import Stage
from hippogym.rehearse.story import Story

WITHIN_S = 240.0


@dataclass
class Rehearsed:
    """What became of a rehearsal. code: with which the server stopped; errors: of its log."""

    stories: list[Story]
    data: Path
    code: int | None = None
    errors: list[str] = field(default_factory=list)

    def checks(self) -> dict[str, Check]:
        """Every check by its name, on the data as they are now."""
        made = [*way_checks(self.stories), *data_checks(self.stories, read_evidence(self.data))]
        return {check.name: check for check in made}


def quick_study(folder: Path, example: str) -> Path:
    """An example whose rounds are over soon, whatever is done in them."""
    make_study(folder, example)
    config = folder / "config.yml"
    text = re.sub(r"(?m)^  episodePause: .*\n", "", config.read_text())
    config.write_text(re.sub(r"(?m)^trial:$", "trial:\n  episodePause: 0.1", text))
    return folder


def rehearse(
    study: Path, folder: Path, participants: int, shares: Shares, *, play_s: float = 3.0, network: Network | None = None
) -> Rehearsed:
    """So many take part, all within a few seconds."""
    return asyncio.run(_rehearse(study, folder, participants, shares, play_s, network))


async def _rehearse(
    study: Path, folder: Path, participants: int, shares: Shares, play_s: float, network: Network | None
) -> Rehearsed:
    data = folder / "data"
    async with serving(study, data, folder) as server:
        parts = urlsplit(server.url)
        stage = Stage(
            server.url,
            parts.hostname or "",
            parts.port or 0,
            network=network,
            lines=folder,
            pages=pages_of(load_study(study)),
            think_s=0.1,
            play_s=play_s,
        )
        crowd = Crowd(stage, make_plan(participants, 2.0, shares, seed=7), server)
        await crowd.take_part(WITHIN_S)
        errors = server.errors()
    return Rehearsed([bot.story for bot in crowd.bots], data, server.code, errors)
