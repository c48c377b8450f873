"""Records → export → training: a learner that knows only the exported dataset plays as well as those it imitates."""

import re
import subprocess
import sys

import numpy as np
import pytest

from hippogym.data.export.run import export
from tests.servers import ROOT

pytest.importorskip("minari")


def test_the_example_comes_to_the_demonstrators_return_less_a_tenth():
    ran = subprocess.run(
        [sys.executable, "-m", "examples.behaviour_cloning.clone", "--episodes", "12"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    demonstrated, cloned = (float(number) for number in re.findall(r"mean return .*?is ([0-9.]+)", ran.stdout))
    assert demonstrated > 400 and cloned >= 0.9 * demonstrated


def test_actions_that_belong_to_other_observations_are_not_worth_imitating(tmp_path):
    """So the example can fail: with every action moved by ten ticks the same learner drops the pole."""
    from examples.behaviour_cloning import clone
    from examples.behaviour_cloning.demonstrations import demonstrate

    demonstrate(tmp_path / "Trials", ROOT / "agent.py", 4)
    observations, actions, returns = clone.load(export(tmp_path / "Trials", "minari", tmp_path / "datasets").path)
    policy = clone.learn(observations, np.roll(actions, 10))
    assert np.mean([clone.try_out(policy, seed) for seed in range(4)]) < 0.9 * np.mean(returns)
