"""An agent that gets into trouble where its game's name says: ``trouble-<hook>-<kind>``."""

import ctypes
import os
import sys
import time

import numpy as np

SIZE = (48, 64, 3)


def trouble(hook, kind):
    if kind == "raise":
        raise RuntimeError(f"planted in {hook}")
    if kind == "exit":
        sys.exit(3)
    if kind == "die":
        os._exit(3)
    if kind == "crash":
        ctypes.string_at(0)
    if kind == "hang":
        time.sleep(1000)
    if kind == "spin":
        while True:
            pass
    if kind == "hold":  # holds the interpreter's lock in C
        ctypes.PyDLL(None).sleep(1000)
    if kind == "leak":
        hoard = []
        while True:
            hoard.append(np.ones(2_000_000))
            time.sleep(0.01)
    if kind == "none":
        return None
    if kind == "text":
        return "text"
    if kind == "big":
        return np.zeros((5000, 5000, 3), dtype=np.uint8)
    if kind == "float":
        return np.zeros(SIZE)
    raise AssertionError(kind)


class Env:
    def __init__(self, game):
        _, self.hook, self.kind = game.split("-")
        self.count = 0

    def at(self, hook):
        return self.hook == hook


def start(game):
    env = Env(game)
    return trouble("start", env.kind) if env.at("start") else env


def step(env, action):
    env.count += 1
    if env.at("step") and env.count == 3:
        return trouble("step", env.kind)
    return {"observation": env.count, "reward": 1.0, "done": False, "info": {}}


def render(env):
    if env.at("render") and env.count == 3:
        return trouble("render", env.kind)
    return np.zeros(SIZE, dtype=np.uint8)


def reset(env):
    if env.at("reset"):
        return trouble("reset", env.kind)
    return 0


def close(env):
    if env.at("close"):
        return trouble("close", env.kind)


def message(env, message):
    if env.at("message") and message.get("command") == "good":
        return trouble("message", env.kind)
