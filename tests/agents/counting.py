"""An environment that counts: its observation is the number of steps, its picture shows it as a grey value.

The episode is over after ``length`` steps, which the game's name says: ``count-40``.
"""

import numpy as np


class Counter:
    def __init__(self, length):
        self.length = length
        self.count = 0
        self.resets = 0


def start(game):
    return Counter(int(game.split("-")[1]))


def step(env, action):
    env.count += 1
    return {"observation": env.count, "reward": 1.0, "done": env.count >= env.length, "info": {"action": action}}


def render(env):
    picture = np.full((48, 64, 3), env.count % 256, dtype=np.uint8)
    picture[:, :, 1] = env.resets % 256
    return picture


def reset(env):
    env.count = 0
    env.resets += 1
    return env.count


def close(env):
    env.count = -1
