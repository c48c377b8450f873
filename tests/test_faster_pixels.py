"""Frames of pygame environments are taken off faster, and nothing of them changes."""

import re
from pathlib import Path

import gymnasium
import numpy as np
import pygame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.live import faster_pixels
from hippogym.live.agent import load_agent
from hippogym.live.faster_pixels import copy_of, use_faster_pixels

ROOT = Path(__file__).parent.parent
GAMES = ["CartPole-v1", "Pendulum-v1", "Taxi-v4", "FrozenLake-v1", "LunarLander-v3", "BipedalWalker-v3"]


@pytest.fixture(autouse=True)
def _own_pixels(monkeypatch):
    monkeypatch.setattr(pygame.surfarray, "pixels3d", pygame.surfarray.pixels3d)


def called_from(module, surface):
    """``pygame.surfarray.pixels3d(surface)`` as if a module of that name had called it."""
    names = {"__name__": module, "pygame": pygame, "surface": surface}
    exec("pixels = pygame.surfarray.pixels3d(surface)", names)
    return names["pixels"]


def painted(width, height, depth=32, flags=0):
    surface = pygame.Surface((width, height), flags, depth)
    pixels = pygame.surfarray.pixels3d(surface)
    pixels[:] = np.random.default_rng(width).integers(0, 256, pixels.shape, np.uint8)
    return surface


@given(st.integers(2, 70), st.integers(2, 70), st.sampled_from([(24, 0), (32, 0), (32, pygame.SRCALPHA)]))
def test_gymnasiums_copy_is_the_same_in_values_and_in_order(width, height, kind):
    surface = painted(width, height, *kind)
    pixels = pygame.surfarray.pixels3d(surface)
    plain, faster = np.array(pixels), np.array(copy_of(pixels))
    assert np.array_equal(plain, faster)
    assert (plain.strides, plain.dtype, plain.shape) == (faster.strides, faster.dtype, faster.shape)


@pytest.mark.parametrize("game", GAMES)
def test_every_frame_that_an_environment_draws_is_bit_for_bit_what_it_was(game, monkeypatch):
    taken, copied = [], []

    def watched(pixels):
        taken.append(np.array(pixels))
        copied.append(copy_of(pixels))
        return copied[-1]

    monkeypatch.setattr(faster_pixels, "copy_of", watched)
    agent = load_agent(ROOT / "agent.py")
    agent.start(game)
    agent.reset(seed=1)
    frames = []
    for _ in range(3):
        agent.step(0 if isinstance(agent.env.action_space, gymnasium.spaces.Discrete) else (0.5,) * 4)
        frames.append(agent.render())
    agent.close()
    assert len(taken) == len(frames) == 3
    for frame, before, after in zip(frames, taken, copied, strict=True):
        assert np.array_equal(frame, before.transpose(1, 0, 2)[:, -frame.shape[1] :])  # the walker's world is wider
        assert not np.may_share_memory(frame, after)


def test_gymnasium_itself_only_ever_copies_these_pixels():
    """What the shortcut rests on; a new version of Gymnasium that draws through them must be noticed."""
    uses = [
        re.search(r"np\.array\(\s*pygame\.surfarray\.$", source[: match.start()])
        for path in (Path(gymnasium.__file__).parent / "envs").rglob("*.py")
        if (source := path.read_text("utf-8"))
        for match in re.finditer(r"pixels3d", source)
    ]
    assert len(uses) > 10 and all(uses)


@pytest.mark.parametrize("module", ["__main__", "my_study", "gymnasium.wrappers.rendering", "gymnasium_envs.mine"])
def test_whoever_else_asks_draws_through_the_pixels_as_ever(module):
    use_faster_pixels()
    surface = pygame.Surface((3, 2), 0, 32)
    pixels = called_from(module, surface)
    pixels[1, 1] = (7, 8, 9)
    del pixels
    assert surface.get_at((1, 1))[:3] == (7, 8, 9)


def test_gymnasiums_environments_get_the_copy():
    use_faster_pixels()
    surface = painted(3, 2)
    copy = called_from("gymnasium.envs.classic_control.cartpole", surface)
    assert not np.may_share_memory(copy, pygame.surfarray.pixels3d(surface))
    assert np.array_equal(copy, pygame.surfarray.pixels3d(surface))


def test_a_surface_without_colours_of_its_own_is_refused_as_ever():
    use_faster_pixels()
    with pytest.raises(ValueError, match="unsupported"):
        called_from("gymnasium.envs.mine", pygame.Surface((3, 2), 0, 8))


def test_doing_it_twice_does_it_once():
    use_faster_pixels()
    once = pygame.surfarray.pixels3d
    use_faster_pixels()
    assert pygame.surfarray.pixels3d is once


def test_nothing_happens_where_there_is_no_pygame(monkeypatch):
    monkeypatch.delitem(faster_pixels.sys.modules, "pygame.surfarray")
    before = pygame.surfarray.pixels3d
    use_faster_pixels()
    assert pygame.surfarray.pixels3d is before


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 3, 3), np.uint16),
        np.zeros((4, 3, 4), np.uint8),
        np.zeros((4, 3), np.uint8),
        np.zeros((4, 3, 3), np.uint8),
        np.zeros((3, 4, 3), np.uint8).transpose(1, 0, 2),
        [[[1, 2, 3]]],
    ],
)
def test_what_is_no_surfaces_pixels_is_left_alone(pixels):
    assert copy_of(pixels) is pixels
