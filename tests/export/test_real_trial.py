"""A person (here a program) plays on the real server; the record is read, verified and exported."""

import re

import numpy as np
import pytest

from hippogym.data.episodes import episodes
from hippogym.data.export.run import export
from hippogym.data.verify import verify
from tests.clients import join
from tests.records import wait_for_files
from tests.servers import serving, write_study

minari = pytest.importorskip("minari")

CONFIG = """
trial:
  game: CartPole-v1
  maxEpisodes: 2
  episodePause: 0
  startingFrameRate: 8
  ui: {left: true, right: true, start: true, stop: true}
"""


async def play(server) -> dict[int, int]:
    """Two episodes, pressing right early in each. Returns the tick that was on the screen then, for each episode.

    Slow: an episode has about ten ticks, and a busy machine has to take the key before the pole has fallen.
    """
    async with join(server.ws) as client:
        await client.hello("Ann")
        await client.until_frame()
        await client.say(command="start", frameId=1, t=1.0)
        pressed_at: dict[int, int] = {}
        while True:
            frame = await client.until_frame()
            if frame.episode not in pressed_at and frame.tick:
                pressed_at[frame.episode] = frame.tick
                await client.say(keys=["ArrowRight"], frameId=frame.frame, t=0.0)
            if (frame.episode, frame.flags & 1) == (1, 1):
                return pressed_at


async def test_what_was_played_becomes_a_dataset(tmp_path) -> None:
    study = write_study(tmp_path / "study", CONFIG)
    with serving(study) as server:
        pressed_at = await play(server)
        wait_for_files(server, 2)
    assert [verdict.problems for verdict in verify(server.records)] == [[], []]

    found = list(episodes(server.records))
    for episode in found:
        assert (episode.participant, episode.reason, episode.verified, episode.missing) == ("Ann", "done", True, 0)
        assert episode.observations.shape == (len(episode) + 1, 4) and episode.terminated[-1]
        caused = episode.human["action_origin"] == "held"
        assert caused.any() and set(episode.actions[caused]) == {1}
        first, pressed = int(np.flatnonzero(caused)[0]), pressed_at[episode.number]
        assert episode.human["tick_seen"][first] == pressed < episode.ticks[first]
        assert episode.human["input_delay_ms"][first] > 0 and np.isnan(episode.human["input_delay_ms"][first + 1])
        drawn = ~np.isnan(episode.human["frame_drawn_client_ms"])
        assert drawn.any() and (episode.human["frame_sent_ns"][drawn] > 0).all()

    exported = export(server.records, "minari", tmp_path / "datasets")
    assert exported.notes == [], "the record says which spaces there are"
    dataset = minari.MinariDataset(exported.path / "data")
    assert dataset.env_spec.id == "CartPole-v1"
    assert re.fullmatch(r"CartPole-v1/human-v0", dataset.id)
    for episode, kept in zip(found, dataset.iterate_episodes(), strict=True):
        assert np.array_equal(kept.observations, episode.observations)
        assert np.array_equal(kept.actions, episode.actions)
    env = dataset.recover_environment()
    for episode in found:  # the seed, the actions and the observations belong together
        observation, _ = env.reset(seed=episode.seed)
        for action, seen in zip(episode.actions, episode.observations, strict=False):
            assert np.array_equal(observation, seen)
            observation, *_ = env.step(action)
    env.close()
