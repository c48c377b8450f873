"""The agent of this study: five functions that HIPPO Gym calls. This one plays any Gymnasium environment by name.

Edit or replace any of them. An old agent written for ``gym`` works, too, and so does a class ``Agent`` with the same
five as methods (then without ``env``). Each participant gets an environment of their own, in a process of its own.
"""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # environments drawn with pygame need no screen,
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")  # and no loudspeaker
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import gymnasium  # after the lines above, because pygame reads them when it is imported

try:
    import ale_py  # the Atari games
except ImportError:
    ale_py = None
else:
    gymnasium.register_envs(ale_py)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)

gymnasium.logger.min_level = gymnasium.logger.ERROR  # no line for every old name and odd space


def start(game):
    """Called once, when a participant has arrived. game: ``trial.game`` of config.yml.

    Return the environment. All other functions get it as their first argument; what it is, is up to you.
    """
    try:
        env = gymnasium.make(game, render_mode="rgb_array")
    except gymnasium.error.UnregisteredEnv as error:
        raise ValueError(f"there is no environment {game!r} here: {error}{_advice(game)}") from error
    modes = env.metadata.get("render_modes") or ["rgb_array"]
    if not {"rgb_array", "rgb_array_list"} & set(modes):
        raise ValueError(f"{game} cannot be shown in a browser: it draws {', '.join(modes)}, but no rgb_array")
    return env


def reset(env, seed=None):
    """Called at the start of every episode. seed: a number to start from, so that the episode can be repeated.

    Return what the environment's reset returns: the first observation is recorded with the episode.
    """
    return env.reset(seed=seed)


def render(env):
    """Called after reset and after every step. Return the image that the participant sees, as a uint8 array of
    shape (height, width, 3).
    """
    return env.render()


def step(env, action):
    """Called at every step of the game. action: what the participant pressed, as the environment wants it.

    Return a dict with at least ``done``. All of it is recorded, so put in whatever you want to know later.
    """
    # A learning agent goes here. It may watch the participant, take turns with them, or overrule them:
    #     action = my_agent.choose(observation, human_action=action)
    # Then add "action": action to the dict, so that the record says what was really done.
    observation, reward, terminated, truncated, info = env.step(action)
    return {
        "observation": observation,
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "done": terminated or truncated,
        "info": info,
    }


def close(env):
    """Called once, when the participant has played the last episode or has left."""
    env.close()


# Three more functions are called if they are here. Take the # away to use them.
#
# def participant(about):
#     """Called before start: who will play. about: "condition" and its "parameters" (what stands behind agent: in
#     config.yml), the "step" of the study, and the "trial"."""
#
#
# def message(env, message):
#     """Called with every message of the participant, as a dict: feedback ("command": "good"), buttons of your own."""
#
#
# def display(env):
#     """Called after every step. Return what the page shows beside the game, a dict from names to texts or numbers."""
#     return {"Lives": env.unwrapped.ale.lives()}


def _advice(game):
    """Old names of Atari games, such as MsPacman-v0, live on in a package of their own and under a new name."""
    if ale_py is not None or "/" in game and not game.startswith("ALE/"):
        return ""
    name = game.removeprefix("ALE/").split("-")[0]
    return f" If it is an Atari game: pip install ale-py, and write game: ALE/{name}-v5"
