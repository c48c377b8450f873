"""Every bundled environment that promises to be deterministic is: what people played in it comes out again."""

import asyncio
from pathlib import Path

import gymnasium
import pytest

from hippogym.replay.command import lines_about
from hippogym.replay.trials import find_trials
from hippogym.replay.verdict import DIFFERS, VERIFIED, judge
from tests.played import play_trial, study_of
from tests.replay.conftest import Played, plain_loop

FAMILIES = ("classic_control", "toy_text", "box2d")
QUICK = ("CartPole-v1", "Taxi-v4", "ALE/Pong-v5", "LunarLander-v3")
TICKS = 200


def bundled() -> list[str]:
    """The newest version of each, and every Atari game in its current form (sticky actions)."""
    import ale_py

    gymnasium.register_envs(ale_py)
    newest: dict[str, str] = {}
    for name, spec in gymnasium.registry.items():
        point = str(spec.entry_point)
        if any(f".{family}" in point for family in FAMILIES) and "phys2d" not in name and "tabular" not in name:
            kept = newest.get(spec.name)
            if kept is None or gymnasium.registry[kept].version < spec.version:
                newest[spec.name] = name
        elif name.startswith("ALE/") and spec.version == 5:
            newest[name] = name
    return sorted(newest.values())


async def replay(tmp_path: Path, game: str, ticks: int) -> None:
    study = study_of(tmp_path / "study", game)
    folder = await play_trial(study, "one", ticks=ticks)
    (trial,) = find_trials(folder)
    verdicts = await asyncio.to_thread(judge, study, trial.records, trial.wanted)
    told = [line for verdict in verdicts if verdict.status != VERIFIED for line in lines_about(verdict)]
    assert not told
    assert sum(verdict.ticks for verdict in verdicts) >= ticks
    assert sum(verdict.frames for verdict in verdicts) > 0.5 * ticks, "hardly a picture was compared"


@pytest.mark.parametrize("game", QUICK)
async def test_what_was_played_comes_out_again(tmp_path: Path, game: str) -> None:
    await replay(tmp_path, game, 60)


async def test_one_action_or_one_reward_that_was_changed_is_found_at_its_tick(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "CartPole-v1")
    played = Played(study, await play_trial(study, "one", ticks=30))

    def change_action(entries: list[dict]) -> None:
        entries[5]["hippogym"]["action"]["value"] = 1 - entries[5]["hippogym"]["action"]["value"]

    def change_reward(entries: list[dict]) -> None:
        entries[6]["reward"] = 2.0

    for name, change, what in (("action", change_action, "observation"), ("reward", change_reward, "reward")):
        record = played.changed(tmp_path / name, change)
        tick = plain_loop(record)[5 if name == "action" else 6]["hippogym"]["tick"]
        (verdict,) = await asyncio.to_thread(judge, study, {record.name: record}, frozenset({record.name}))
        assert (verdict.status, verdict.tick) == (DIFFERS, tick)
        assert [found for found, _ in verdict.differences][0] == what


@pytest.mark.long
@pytest.mark.parametrize("game", bundled())
async def test_what_was_played_comes_out_again_everywhere(tmp_path: Path, game: str) -> None:
    await replay(tmp_path, game, TICKS)
