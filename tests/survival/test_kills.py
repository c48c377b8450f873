"""kill -9 of the server, of trials, of everything, at random moments: what somebody has seen is never lost."""

import hashlib
import random
from pathlib import Path

import pytest

from hippogym.data.recorder import Recorder
from tests.clients import Seen
from tests.survival.campaign import Campaign, campaign
from tests.survival.proof import Kept, Tally, compare, read_trial


def assert_nothing_lost(done: Campaign, kills: dict[str, int]) -> None:
    assert dict(done.kills) == kills
    assert not done.tally.wrong, (done.tally.wrong, done.tally.notes[:20])
    assert done.tally.frames_seen > 5 * sum(kills.values())
    assert done.tally.repaired >= kills["server"] + kills["both"]  # the kills hit people who played


@pytest.mark.timeout(400)
async def test_a_dozen_random_kills_lose_nothing_that_was_shown(tmp_path: Path) -> None:
    kills = {"trial": 6, "server": 4, "both": 2}
    assert_nothing_lost(await campaign(tmp_path, kills, lanes=2, seed=random.randrange(10**6)), kills)


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_the_plain_design_loses_some_in_the_same_harness(tmp_path: Path) -> None:
    kills = {"trial": 8, "server": 2, "both": 0}
    done = await campaign(tmp_path, kills, lanes=1, seed=random.randrange(10**6), plain=True, sizes_bytes=(50, 400))
    assert done.tally.lost > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_1000_random_kills_lose_nothing_that_was_shown(tmp_path: Path) -> None:
    kills = {"trial": 500, "server": 400, "both": 100}
    assert_nothing_lost(await campaign(tmp_path, kills, lanes=2, seed=random.randrange(10**6)), kills)


# -- the proof itself can fail ---------------------------------------------------------------------------------------


def kept(*ticks: tuple[int, int], image: bytes = b"picture") -> Kept:
    found = Kept("someone")
    sha256 = hashlib.sha256(image).hexdigest()
    for number, (episode, tick) in enumerate(ticks, start=1):
        found.frames[number] = (sha256, episode, tick)
        found.ticks[episode, tick] += 1
    return found


SEEN = [Seen(1, b"picture", 0.0, 0, 0, 0), Seen(2, b"picture", 0.0, 0, 0, 1)]


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        (kept((0, 0), (0, 1)), {}),
        (kept((0, 0), (0, 1), (0, 2)), {}),  # kept and not seen: that is no loss
        (kept((0, 0)), {"lost": 1}),
        (Kept(), {"lost": 2}),
        (kept((0, 0), (0, 2)), {"untrue": 1}),
        (kept((0, 0), (0, 1), image=b"another"), {"untrue": 2}),
    ],
)
def test_a_frame_without_a_true_entry_is_counted(records: Kept, wrong: dict[str, int]) -> None:
    tally = Tally()
    compare("someone", SEEN, records, tally)
    assert tally.wrong == wrong


def test_damage_in_a_trials_folder_is_counted(tmp_path: Path) -> None:
    def record(name: str, ticks: list[int]) -> Path:
        recorder = Recorder(tmp_path / name, name)
        recorder.open_episode(0, {})
        for tick in ticks:
            ours = {"kind": "tick" if tick else "reset", "episode": 0, "tick": tick, "frame": None}
            recorder.write({"observation": tick, "hippogym": ours})
        recorder.close()
        return tmp_path / name

    def wrong(folder: Path) -> dict[str, int]:
        tally = Tally()
        read_trial(folder, tally)
        return tally.wrong

    assert wrong(record("whole", [0, 1, 2, 3])) == {}
    assert wrong(record("gap", [0, 1, 3])) == {"gaps": 1}
    assert wrong(record("twice", [0, 1, 1])) == {"duplicated": 1}
    torn = record("torn", [0, 1, 2]) / "episode_0000.pkl"
    torn.chmod(0o600)
    torn.write_bytes(torn.read_bytes()[:-5])
    assert wrong(torn.parent) == {"gaps": 1, "unreadable": 1, "unclosed": 1}
    unclosed = record("open", [0, 1]) / "episode_0000.json"
    unclosed.unlink()
    assert wrong(unclosed.parent) == {"unclosed": 1}
