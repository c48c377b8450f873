"""Rule W: whatever a participant has seen is on the disk, because no frame is let go before its record is written."""

from pathlib import Path

import pytest

from tests.played import play_trial, study_of

WATCHED = """
from pathlib import Path
import pickle
import numpy as np
from hippogym.live.screen import Screen

HERE = Path(__file__).parent
show = Screen.show

def last_entry():
    *_, file = sorted(HERE.glob("Trials/*/*.pkl*"))
    entry = None
    with file.open("rb") as opened:
        while True:
            try:
                entry = pickle.load(opened)
            except EOFError:
                return entry["hippogym"]

def watched(screen, picture, now_ns):
    kept = last_entry()
    whole = kept["frame"] == picture.facts() and kept["kind"] in ("reset", "tick")
    with (HERE / "shown").open("a") as file:
        print("kept" if whole else f"shown before it was kept: {picture.facts()}, and the last is {kept}", file=file)
    show(screen, picture, now_ns)

Screen.show = watched

class Discrete:
    n, start = 2, 0

class Env:
    action_space = Discrete()

def start(game): return Env()
def reset(env):
    env.ticks = 0
    return 0
def step(env, action):
    env.ticks += 1
    return {"observation": env.ticks, "reward": 1.0, "done": env.ticks % 7 == 0}
def render(env): return np.full((40, 60, 3), env.ticks % 256, np.uint8)
def close(env): pass
"""


@pytest.mark.parametrize("per", ["episode", "trial"])
async def test_at_the_moment_a_frame_is_let_go_its_record_is_in_the_file(tmp_path: Path, per: str) -> None:
    study = study_of(tmp_path / "study", "Counting", WATCHED)
    await play_trial(study, "one", ticks=40, dataFile=per)
    shown = (study / "shown").read_text().splitlines()
    assert len(shown) > 40
    assert set(shown) == {"kept"}
