"""A game of five steps in a dict, without any library: the agent of somebody who has no gym."""

import numpy as np


def start(game):
    return {"game": game, "left": 5, "actions": [], "told": []}


def step(env, action):
    env["left"] -= 1
    env["actions"].append(action)
    return {"done": env["left"] == 0, "left": env["left"], "reward": float("nan")}


def render(env):
    return np.full((4, 6, 3), env["left"], np.uint8)


def reset(env):
    env["left"] = 5


def close(env):
    env["game"] = None


def message(env, message):
    env["told"].append(message)


def display(env):
    return {"Steps left": np.int64(env["left"]), "Lives": [3], "Bonus": float("inf"), "Name": "x" * 1000}
