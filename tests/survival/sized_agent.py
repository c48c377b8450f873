"""An environment that counts, with observations of the size that the participant's name says: ``seat-3-30000``.

Episodes are short, so that whoever kills at random also hits the moments between two records.
"""

import numpy as np

EPISODE_TICKS = 30
FIRST_BYTES = 50


class Counter:
    def __init__(self):
        self.count = 0
        self.resets = 0
        self.size_bytes = FIRST_BYTES

    def observation(self):
        return np.full(self.size_bytes, self.count % 256, np.uint8)


def start(game):
    return Counter()


def message(env, message):
    if "userId" in message:
        env.size_bytes = int(message["userId"].rpartition("-")[2])


def step(env, action):
    env.count += 1
    return {"observation": env.observation(), "reward": 1.0, "done": env.count >= EPISODE_TICKS, "info": {}}


def render(env):
    picture = np.full((48, 64, 3), env.count, dtype=np.uint8)
    picture[:, :, 1] = env.resets % 256
    return picture


def reset(env):
    env.count = 0
    env.resets += 1
    return env.observation()


def close(env):
    env.count = -1
