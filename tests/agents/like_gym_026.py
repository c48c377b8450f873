"""An agent of gym 0.26 or Gymnasium in the shortest form, with an environment that behaves like theirs."""

import numpy as np


class Box:
    shape, dtype = (2,), np.dtype("float32")
    low, high = np.array([-1, -np.inf], "float32"), np.array([1, np.inf], "float32")


class Walk:
    """reset() takes a seed and gives two values, step() gives five, render() takes nothing."""

    action_space = Box()
    metadata = {"render_modes": ["rgb_array"]}

    def reset(self, *, seed=None, options=None):
        self.place = np.random.default_rng(seed).random(2) if seed is not None else np.zeros(2)
        return self.place, {"seeded": seed}

    def step(self, action):
        assert isinstance(action, np.ndarray) and action.dtype == np.float32 and action.shape == (2,)
        return action, 0.5, False, True, {}

    def render(self):
        return np.zeros((5, 7, 4), np.uint8)

    def close(self):
        pass


def start(game):
    return Walk()


def step(env, action):
    return env.step(action)


def render(env):
    return env.render()


def reset(env):
    env.reset()


def close(env):
    env.close()
