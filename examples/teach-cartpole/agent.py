"""A cart that learns from "good" and "bad" which way to go, and from nothing else: the reward is never looked at.

For each action there is a weight for each thing that can be seen (place, speed, angle and turn of the pole). Their sum
is how well the program expects to be thought of; it does what promises most. A press of Good or Bad is about what it
did in the last second, the latest most, because people need a moment: the weights go a little towards what would
have expected that press. This is TAMER (Knox and Stone, 2009) in its simplest form.
"""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import gymnasium
import numpy as np

LEARNING_RATE = 0.2
MEMORY_TICKS = 12  # a press is about so many ticks at most
FADES = 0.75  # each tick further back is meant so much less
SCALE = np.array([2.4, 2.0, 0.2, 2.0])  # makes everything that can be seen about 1


class Agent:
    """One for each participant, for the whole trial: what was taught stays from episode to episode."""

    def __init__(self):
        self.env = None
        self.weights = np.zeros((2, 4))
        self.lately = []  # (what was seen, what was done), the latest last
        self.seen = np.zeros(4)
        self.presses = 0
        self.rng = np.random.default_rng()

    def start(self, game):
        self.env = gymnasium.make(game, render_mode="rgb_array")
        return self.env

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)  # so that an episode can be replayed
        self.lately.clear()
        observation, info = self.env.reset(seed=seed)
        self.seen = observation / SCALE
        return observation, info

    def step(self, action):
        """action: what the participant does, which is nothing here. What the program does is recorded as ``action``."""
        chosen = self.choose()
        self.lately = [*self.lately[-MEMORY_TICKS:], (self.seen, chosen)]
        observation, reward, terminated, truncated, info = self.env.step(chosen)
        self.seen = observation / SCALE
        return {
            "observation": observation,
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "done": terminated or truncated,
            "info": info,
            "action": chosen,
            "weights": self.weights.copy(),
        }

    def choose(self):
        """What promises most; chance where nothing has been taught."""
        left, right = self.weights @ self.seen
        return int(self.rng.integers(2)) if left == right else int(right > left)

    def message(self, message):
        """Called with everything that the participant does; only Good and Bad matter here."""
        meant = {"good": 1.0, "bad": -1.0}.get(message.get("command"))
        if meant is None:
            return
        self.presses += 1
        share = 1.0
        for seen, done in reversed(self.lately):
            expected = self.weights[done] @ seen
            self.weights[done] += LEARNING_RATE * share * (meant - expected) * seen / (1 + seen @ seen)
            share *= FADES

    def render(self):
        return self.env.render()

    def display(self):
        return {"Presses so far": self.presses}

    def close(self):
        self.env.close()
