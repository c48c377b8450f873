"""Learns to play CartPole from people: exports their records to Minari, imitates what they did, and tries it out.

    python -m examples.behaviour_cloning.clone                     # scripted demonstrations; half a minute
    python -m examples.behaviour_cloning.clone --records Trials    # what people did in your study

Needs ``pip install 'hippogym[export]'`` and nothing else: the learner is a logistic regression in numpy.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import gymnasium
import numpy as np

from examples.behaviour_cloning.demonstrations import GAME, demonstrate
from hippogym.data.export.options import Options
from hippogym.data.export.run import export

AGENT = Path(__file__).resolve().parents[2] / "agent.py"
MOST_STEPS = 50  # of Newton's method; it takes about ten
ALLOWED_LOSS = 0.10


def main() -> int:
    """Returns 0 if the clone comes to the demonstrators' mean return, less a tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, help="records to learn from (scripted demonstrations)")
    parser.add_argument("--episodes", type=int, default=20, help="how many to demonstrate, and to try it out with")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records = arguments.records
        if records is None:
            records = Path(folder) / "Trials"
            demonstrate(records, AGENT, arguments.episodes)
        exported = export(records, "minari", Path(folder) / "datasets", options=Options(game=GAME))
        observations, actions, returns = load(exported.path)
    print(f"{len(returns)} episodes, {len(actions)} ticks; the demonstrators' mean return is {np.mean(returns):.1f}")
    policy = learn(observations, actions)
    tried = [try_out(policy, seed=10_000 + number) for number in range(arguments.episodes)]
    print(f"the clone's mean return in {len(tried)} new episodes is {np.mean(tried):.1f}")
    return 0 if np.mean(tried) >= (1 - ALLOWED_LOSS) * np.mean(returns) else 1


def load(dataset: Path):
    """All (observation, action) pairs of a Minari dataset, and each episode's return.

    minari.load_dataset("CartPole-v1/human-v0") does the same for a dataset in Minari's own folder.
    """
    import minari

    observations, actions, returns = [], [], []
    for episode in minari.MinariDataset(dataset / "data").iterate_episodes():
        observations.append(episode.observations[:-1])  # the last one was not acted upon
        actions.append(episode.actions)
        returns.append(float(episode.rewards.sum()))
    return np.concatenate(observations), np.concatenate(actions), returns


def learn(observations, actions):
    """Logistic regression by Newton's method. Returns a function from an observation to an action, 0 or 1."""
    middle, spread = observations.mean(axis=0), observations.std(axis=0) + 1e-8

    def features(seen):
        return np.append((seen - middle) / spread, np.ones((*np.shape(seen)[:-1], 1)), axis=-1)

    inputs, weights = features(observations.astype(np.float64)), np.zeros(observations.shape[1] + 1)
    for _ in range(MOST_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (likely - actions) / len(actions) + 1e-3 * weights
        curve = (inputs * (likely * (1 - likely))[:, None]).T @ inputs / len(actions) + 1e-3 * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return lambda seen: int(features(np.asarray(seen, np.float64)) @ weights > 0)


def try_out(policy, seed: int) -> float:
    """The policy's return in one episode."""
    env = gymnasium.make(GAME)
    observation, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total, over = total + float(reward), terminated or truncated
    env.close()
    return total


if __name__ == "__main__":
    sys.exit(main())
