"""An agent of 2021 as it was written then, with an environment that behaves like those of gym 0.21."""

import numpy as np


class Discrete:
    def __init__(self, n):
        self.n, self.shape, self.dtype = n, (), np.dtype(int)


class Walk:
    """reset() gives only the observation, step() four values, render() wants a mode, seed() is a method."""

    action_space = Discrete(3)

    def reset(self):
        self.place = int(self.random.integers(100)) if hasattr(self, "random") else 0
        return np.array([self.place])

    def seed(self, seed=None):
        self.random = np.random.default_rng(seed)
        return [seed]

    def step(self, action):
        assert type(action) is int
        self.place += action - 1
        return np.array([self.place]), 1.0, self.place > 2, {"TimeLimit.truncated": self.place == 4}

    def render(self, mode="human"):
        assert mode == "rgb_array"
        return [np.zeros((5, 7, 3), np.uint8)]

    def close(self):
        pass


class TimeLimit:
    """Wraps as gym 0.21 did, handing on whatever it is given."""

    def __init__(self, env):
        self.env, self.unwrapped, self.action_space = env, env, env.action_space

    def __getattr__(self, name):
        return getattr(self.env, name)

    def reset(self, **kwargs):
        return self.env.reset(**kwargs)


def start(game):
    return TimeLimit(Walk())


def step(env, action):
    observation, reward, done, info = env.step(action)
    return observation, reward, done, info


def render(env):
    return env.render("rgb_array")


def reset(env):
    env.reset()


def close(env):
    env.close()
