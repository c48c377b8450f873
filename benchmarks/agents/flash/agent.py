"""An agent whose picture turns white, and back, at the tick in which the action ``flash`` arrives.

Underneath, the game goes on as always and costs what it always costs. White compresses to almost nothing, so a client
sees the change in the size of the frame and need not decode it.
"""

from typing import Any

import gymnasium
import numpy as np

try:
    import ale_py
except ImportError:
    pass  # then start() says that there is no such game
else:
    gymnasium.register_envs(ale_py)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)

FLASH = 1


class Flash(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Changes colour at each new press; never done, so that no reset falls into a measurement of delays."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.white = False
        self.pressed = False

    def step(self, action: int) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        pressed = int(action) == FLASH
        if pressed and not self.pressed:
            self.white = not self.white
        self.pressed = pressed
        observation, reward, terminated, truncated, info = self.env.step(0)
        if terminated or truncated:
            observation, info = self.env.reset()
        return observation, reward, False, False, info

    def render(self) -> Any:
        picture = self.env.render()
        return np.full_like(picture, 255) if self.white else picture


def start(game: str) -> Flash:
    return Flash(gymnasium.make(game, render_mode="rgb_array", disable_env_checker=True))


def step(env: Flash, action: int) -> Any:
    return env.step(action)


def render(env: Flash) -> Any:
    return env.render()


def reset(env: Flash) -> Any:
    return env.reset()


def close(env: Flash) -> None:
    env.close()
