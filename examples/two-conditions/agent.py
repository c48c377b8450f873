"""The participant balances a pole; in the condition ``helped``, a program does it for them now and then.

The help is shared autonomy at its plainest: when the pole is about to fall, the program acts instead of the participant
with the probability ``help``, which config.yml gives for each condition. Who really acted stands in every record.
"""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import gymnasium
import numpy as np

LEANING = 0.06  # radians of the pole's angle, from which on help may come


class Agent:
    def __init__(self):
        self.env = None
        self.help = 0.0  # without a condition nobody is helped
        self.observation = np.zeros(4)
        self.rng = np.random.default_rng()

    def participant(self, about):
        """Called first, before start. about: the condition, its parameters, and which step of the study this is."""
        practice = about.get("step") == "practice"
        self.help = 0.0 if practice else float(about.get("parameters", {}).get("help", 0.0))

    def start(self, game):
        self.env = gymnasium.make(game, render_mode="rgb_array")
        return self.env

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)  # so that an episode can be replayed
        self.observation, info = self.env.reset(seed=seed)
        return self.observation, info

    def step(self, action):
        """action: what the participant pressed; where they are helped, the program may do something else."""
        _, _, angle, turning = self.observation
        helping = bool(abs(angle) > LEANING and self.rng.random() < self.help)
        done = int(angle + 0.3 * turning > 0) if helping else int(action)
        self.observation, reward, terminated, truncated, info = self.env.step(done)
        return {
            "observation": self.observation,
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "done": terminated or truncated,
            "info": info,
            "action": done,
            "helped": helping,
        }

    def render(self):
        return self.env.render()

    def close(self):
        self.env.close()
