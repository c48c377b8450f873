"""An agent that was written for gym 0.26 and never changed. It needs the gym extra."""

import gym


def start(game):
    return gym.make(game, render_mode="rgb_array")


def step(env, action):
    observation, reward, terminated, truncated, info = env.step(action)
    return {"observation": observation, "reward": reward, "done": terminated or truncated, "info": info}


def render(env):
    return env.render()


def reset(env):
    env.reset()


def close(env):
    env.close()
