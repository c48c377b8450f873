"""Demonstrations to try the example with, when nobody has played yet: a script balances the pole.

They are kept by the very recorder that keeps what people do, from the agent that people play with, so what is trained
on here has the form of any study's records. Nothing of it is needed to train on records of your own.
"""

import math
import time
from pathlib import Path

from hippogym import __version__
from hippogym.core.actions import build_action_table
from hippogym.core.entries import Entries, Moment
from hippogym.data.recorder import Recorder
from hippogym.data.versions import versions
from hippogym.live.agent import load_agent
from hippogym.live.spaces import read_spaces

GAME = "CartPole-v1"
RATE = 30.0


def balance(observation, tick: int) -> int:
    """Where to push: under the pole's fall, and slowly back to the middle. Now and then the hand slips."""
    position, speed, angle, turning = (float(number) for number in observation)
    lean = angle + 0.4 * turning + 0.03 * position + 0.06 * speed
    return int(lean > 0) if tick % 17 else int(math.sin(tick) > 0)


def demonstrate(records: Path, agent_file: Path, episodes: int, trial: str = "demonstration") -> list[float]:
    """Play and record. Returns each episode's return."""
    agent = load_agent(agent_file)
    agent.start(GAME)
    table = build_action_table(agent.facts())
    header = {
        "project": "example",
        "game": GAME,
        "trial": trial,
        "participant": {"userId": "a-script"},
        "actions": {"names": list(table.names), "values": list(table.values), "default": table.default},
        "spaces": read_spaces(agent.env),
        "versions": versions(__version__),
    }
    recorder, entries = Recorder(records / trial, trial), Entries(trial)
    returns = []
    for episode in range(episodes):
        returns.append(play(agent, table, recorder, entries, {**header, "episode": episode, "seed": episode}))
    recorder.close()
    agent.close()
    return returns


def play(agent, table, recorder: Recorder, entries: Entries, header: dict) -> float:
    """One episode, as trial.py would play it with a participant."""

    def keep(kind: str, record: dict, **ours) -> None:
        moment = Moment(time.monotonic_ns(), time.time_ns(), episode, tick, conn=1, rate=RATE)
        recorder.write(entries.build(kind, moment, record, **ours))

    episode, tick, score = header["episode"], 0, 0.0
    begun = agent.reset(header["seed"])
    header["seed_used"] = begun.seed_used
    recorder.open_episode(episode, header)
    keep("reset", {"observation": begun.observation, "info": begun.info}, **header, frame=None)
    observation, done = begun.observation, False
    while not done:
        name = table.names[balance(observation, tick)]
        seq = entries.add_input({"action": name}, conn=1, received_ns=time.monotonic_ns(), frame=None, t_client_ms=None)
        tick += 1
        result = agent.step(table.value_of(name))
        action = {"name": name, "value": table.value_of(name), "origin": "held", "age_ticks": 0, "seq": seq}
        keep("tick", result.record, action=action, frame=None, late_ns=0, missed_ticks=0)
        observation, done, score = result.record["observation"], result.done, score + (result.reward or 0.0)
    summary = {"reason": "done", "ticks": tick, "return": score}
    keep("end", {}, **summary)
    recorder.close_episode("done", summary)
    return score
