"""Environments of every kind can be played: a few here, all of them in the long run, and the docs say so."""

import importlib.util
import json
import re
import subprocess
import sys
from importlib.metadata import version

import gymnasium
import numpy as np
import pytest

import agent
from hippogym.core.entries import Entries, Moment
from hippogym.data.recorder import Recorder
from scripts.environments_page import counts, group_of, newest, page, result, wants_turns
from scripts.sweep_checks import Record
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "environments.md").read_text("utf-8")
OF_EVERY_KIND = {
    "CartPole-v1": "Discrete(2)",
    "ALE/Pong-v5": "Discrete(6)",
    "Taxi-v4": "Discrete(6)",
    "Blackjack-v1": "Discrete(2)",
    "Pendulum-v1": "Box(-2.0, 2.0, (1,), float32)",
    "LunarLanderContinuous-v3": "Box(-1.0, 1.0, (2,), float32)",
    "CarRacing-v3": "Box([-1.  0.  0.], 1.0, (3,), float32)",
    "BipedalWalker-v3": "Box(-1.0, 1.0, (4,), float32)",
}
assert agent.gymnasium is gymnasium  # importing it registers the Atari games


def sweep(folder, *arguments, timeout_s):
    """What the sweep found, by name, and what it said."""
    report = folder / "sweep.json"
    command = [sys.executable, "-m", "scripts.sweep_environments", "--json", str(report), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    found = json.loads(report.read_text()) if report.exists() else []
    return {trial["name"]: trial for trial in found}, done


# --- playing ---------------------------------------------------------------------------------------------------------


def test_environments_of_every_kind_are_played_and_recorded(tmp_path):
    trials, done = sweep(tmp_path, "--ticks", "40", "--only", *OF_EVERY_KIND, timeout_s=110)
    assert {name: trial["problem"] for name, trial in trials.items()} == dict.fromkeys(OF_EVERY_KIND, ""), done.stderr
    assert {name: trial["space"] for name, trial in trials.items()} == OF_EVERY_KIND
    for trial in trials.values():
        assert trial["ticks"] >= 40 and trial["keys"] and not trial["keyless"] and not trial["notes"]
        assert trial["mode"] == ("turn" if trial["name"] in ("Taxi-v4", "Blackjack-v1") else "realtime")
    assert done.returncode == 0


def test_what_cannot_be_made_is_told_with_what_it_needs(tmp_path):
    names = ["HalfCheetah-v3", "HalfCheetah-v5"]
    trials, done = sweep(tmp_path, "--only", *names, timeout_s=100)
    assert "gymnasium-robotics" in trials["HalfCheetah-v3"]["problem"] and trials["HalfCheetah-v3"]["missing"]
    if importlib.util.find_spec("mujoco") is None:
        assert "MuJoCo is not installed" in trials["HalfCheetah-v5"]["problem"] and trials["HalfCheetah-v5"]["missing"]
    assert done.returncode == 0


def test_a_name_that_nobody_has_registered_is_refused(tmp_path):
    trials, done = sweep(tmp_path, "--only", "NoSuchGame-v7", timeout_s=60)
    assert (trials, done.returncode) == ({}, 2)
    assert "not registered here: NoSuchGame-v7" in done.stderr


@pytest.mark.long
@pytest.mark.timeout(3700)
def test_every_environment_that_is_registered_here_is_played_and_recorded(tmp_path):
    trials, done = sweep(tmp_path, timeout_s=3650)
    assert {name: trial["problem"] for name, trial in trials.items() if trial["problem"] and not trial["missing"]} == {}
    assert trials.keys() == gymnasium.registry.keys()
    assert len([trial for trial in trials.values() if not trial["problem"]]) > 300
    assert done.returncode == 0


# --- judging ---------------------------------------------------------------------------------------------------------

SAID = [{"userId": "sweep"}, {"keys": ["KeyW"]}]
SEEN = {1: "a", 2: "b"}
MADE = gymnasium.spaces.Discrete(3)


@pytest.fixture
def folder(tmp_path):
    """The record of a little trial: reset, two ticks, end."""
    recorder, entries = Recorder(tmp_path / "t", "t"), Entries("t")
    recorder.open_episode(0, {})
    for message in SAID:
        entries.add_input(message, conn=1, received_ns=1, frame=None, t_client_ms=None)
    action = {"name": "up", "value": 2, "origin": "held", "age_ticks": 0, "seq": 2}
    for kind, ours in (
        ("reset", {"frame": {"id": 1, "sha256": "a"}}),
        ("tick", {"frame": {"id": 2, "sha256": "b"}, "action": action}),
        ("tick", {"frame": None, "action": {**action, "origin": "default", "value": 0}}),
        ("end", {}),
    ):
        recorder.write(entries.build(kind, Moment(1, 1, 0, 0, 1, 30.0), {}, **ours))
    recorder.close_episode("stopped", {})
    recorder.close()
    return tmp_path / "t"


def problems(folder, said=SAID, seen=SEEN, space=MADE, ticks=2, turns=False):
    return Record(folder).problems(said, seen, space, ticks=ticks, turns=turns)


def test_a_record_that_is_as_it_must_be_has_no_problems(folder):
    assert problems(folder) == []


@pytest.mark.parametrize(
    ("different", "sentence"),
    [
        ({"said": SAID[:1]}, "1 messages were sent, but 2 are in the record"),
        ({"said": SAID[::-1]}, "or in another order"),
        ({"seen": {**SEEN, 3: "c"}}, "1 frames that were seen are not in the record"),
        ({"seen": {1: "a", 2: "c"}}, "1 frames that were seen are not in the record"),
        ({"space": gymnasium.spaces.Discrete(2)}, "actions that are not in Discrete(2): 2"),
        ({"space": gymnasium.spaces.Box(-1, 1, (2,), np.float32)}, "actions that are not in Box(-1.0, 1.0"),
        ({"ticks": 3}, "only 2 ticks are in the record"),
        ({"turns": True}, "the keys did not drive it: its actions were default, held"),
    ],
)
def test_a_difference_between_the_record_and_what_happened_is_noticed(folder, different, sentence):
    found = problems(folder, **different)
    assert len(found) == 1 and sentence in found[0]


def test_a_damaged_or_open_record_is_noticed(folder):
    manifest, record = folder / "episode_0000.json", folder / "episode_0000.pkl"
    (folder / "episode_0001.pkl.part").touch()
    assert problems(folder) == ["a record is not closed"]
    (folder / "episode_0001.pkl.part").unlink()
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**facts, "oddities": {"a.B": 1}}))
    assert problems(folder) == ["episode_0000.pkl holds values that are not plain: {'a.B': 1}"]
    manifest.write_text(json.dumps({**facts, "sha256": "0"}))
    assert problems(folder) == ["episode_0000.pkl is not what its manifest says"]
    manifest.unlink()
    assert problems(folder) == ["episode_0000.pkl is not what its manifest says"]
    record.unlink()
    assert problems(folder)[0] == "a record is not closed"
    assert problems(folder)[-1] == "only 0 ticks are in the record"


# --- telling ---------------------------------------------------------------------------------------------------------


class Played:
    """One that passed, but for what is said."""

    name, space, idle, problem, missing = "CartPole-v1", "Discrete(2)", "left", "", False
    actions, keys, keyless, size, ticks, mean_ms = ["left", "right"], ["KeyA", "KeyD"], [], (600, 400), 100, 1.25

    def __init__(self, **different):
        self.__dict__ |= different


def test_an_environment_is_a_line_with_what_came_of_it():
    row = "| `CartPole-v1` | 2: `Discrete(2)` | 2 | left | 600 × 400 | 1.2 ms | pass |"
    assert row in page([Played()], gymnasium.registry, 100).splitlines()


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("", "pass"),
        ("No module named 'jax'", "not installed: jax"),
        ('MuJoCo is not installed, run `pip install "gymnasium[mujoco]"`', "not installed: gymnasium[mujoco]"),
        ('run `pip install "shimmy[gym-v21]"` or', "not installed: shimmy"),
        ("a | b\nc", "a \\| b c"),
    ],
)
def test_a_reason_is_short_and_fits_into_a_table(problem, told):
    assert result(Played(problem=problem)) == told


def test_what_failed_is_told_as_failed():
    trials = [Played(), Played(problem="no"), Played(problem="no jax", missing=True)]
    assert counts(trials) == "Of 3 environments 1 passed, 1 failed, 1 need what is not installed here."
    assert "| no |" in page(trials[1:2], gymnasium.registry, 100)


def test_only_the_newest_of_a_name_stands_in_the_tables():
    latest = newest(gymnasium.registry)
    assert {"CartPole-v1", "ALE/Pong-v5", "phys2d/CartPole-v1", "Ant-v5"} <= set(latest)
    assert not {"CartPole-v0", "Pong-v4", "PongNoFrameskip-v4", "phys2d/CartPole-v0", "Ant-v4"} & set(latest)
    text = page([Played(), Played(name="CartPole-v0"), Played(name="Pong-v0"), Played(name="Pong-v4")],
                gymnasium.registry, 100)  # fmt: skip
    assert "**Classic control**: pass (1): `CartPole-v0`." in text
    assert "**Atari**: pass (2): `Pong-v0` `-v4`." in text


def test_board_and_card_games_wait_for_their_participant():
    turns = {name for name in newest(gymnasium.registry) if wants_turns(gymnasium.spec(name))}
    assert {"Blackjack-v1", "Taxi-v4", "FrozenLake-v1", "CliffWalking-v1"} <= turns
    assert not {"CartPole-v1", "ALE/Blackjack-v5", "CarRacing-v3"} & turns
    assert {group_of(gymnasium.spec(name)) for name in turns} == {"Toy text", "Functional, with JAX"}


def test_the_page_in_the_docs_is_about_all_that_is_registered_and_nothing_failed():
    told = []
    for name in re.findall(r"`((?:[\w/]+)?-v\d+)`", PAGE):
        told.append(told[-1].rpartition("-")[0] + name if name.startswith("-v") else name)
    told = [name for name in told if name in gymnasium.registry]
    assert sorted(told) == sorted(gymnasium.registry), "renew it: python -m scripts.sweep_environments --write-docs"
    assert f"Of {len(told)} environments " in PAGE and " 0 failed" in PAGE


@pytest.mark.parametrize("package", ["gymnasium", "ale-py"])
def test_the_page_in_the_docs_is_about_the_versions_that_are_required(package):
    assert f"{package} {version(package)} " in PAGE.replace("\n", " ")
    assert f"=={version(package)}" in (ROOT / "requirements.txt").read_text("utf-8")
