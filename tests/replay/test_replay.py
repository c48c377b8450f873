"""A replay says whether a record is true, and where it is not."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.errors import AgentError
from hippogym.replay.process import run_replay
from hippogym.replay.trials import find_study
from tests.replay.conftest import plain_loop


def replay(capsys, *arguments: object) -> tuple[int, str]:
    code = main(["replay", *map(str, arguments)])
    return code, capsys.readouterr().out


def run(study: Path, record: Path):
    return run_replay(study, {record.name: record}, frozenset({record.name}))


def test_a_whole_trial_is_verified(played, capsys):
    code, out = replay(capsys, played["plain"].folder)
    assert code == 0
    episodes = len(list(played["plain"].folder.glob("*.pkl")))
    assert f"{episodes} episodes: {episodes} verified" in out and "episode 1: verified (20 ticks" in out


def test_the_study_of_a_record_is_found(played):
    assert find_study(played["plain"].record) == played["plain"].study


@pytest.mark.parametrize("tick", [1, 20])
def test_a_changed_action_is_found_at_its_tick(played, tmp_path, capsys, tick):
    def change(entries):
        action = ticks(entries)[tick]["hippogym"]["action"]
        action["value"] = (action["value"] + 1) % 3

    record = played["plain"].changed(tmp_path / "changed", change)
    code, out = replay(capsys, record, "--study", played["plain"].study)
    assert (code, f"differs at tick {tick}\n  observation: [0]: recorded" in out) == (1, True), out


CHANGES = {
    "reward": lambda entry: entry.update(reward=entry["reward"] + 1),
    "terminated": lambda entry: entry.update(terminated=True),
    "truncated": lambda entry: entry.update(truncated=True),
    "info": lambda entry: entry["info"].update(ticks=0),
    "observation": lambda entry: entry["observation"].__setitem__(2, 5.0),
    "frame": lambda entry: entry["hippogym"]["frame"].update(sha256="0" * 64),
    "note": lambda entry: entry.update(note=3),
}


def test_whatever_was_changed_is_found_in_the_tick_where_it_was(played, tmp_path):
    entries = ticks(plain_loop(played["plain"].record))
    with_frame = [tick for tick in entries if entries[tick]["hippogym"]["frame"]]
    where = {name: 3 + place for place, name in enumerate(CHANGES)} | {"frame": with_frame[-1]}

    def change(entries):
        for name, alter in CHANGES.items():
            alter(ticks(entries)[where[name]])

    record = played["plain"].changed(tmp_path / "changed", change)
    (outcome,) = run(played["plain"].study, record).outcomes
    assert {name: tick for name, (tick, _) in outcome.differences.items()} == where


def test_the_first_difference_is_told(played, tmp_path, capsys):
    def change(entries):
        for tick in (9, 8):
            ticks(entries)[tick]["reward"] += 1

    record = played["plain"].changed(tmp_path / "changed", change)
    code, out = replay(capsys, record, "--study", played["plain"].study)
    assert (code, "differs at tick 8\n  reward: recorded " in out) == (1, True), out


def test_a_seed_that_was_changed_is_found_in_the_first_tick(played, tmp_path, capsys):
    record = played["plain"].changed(tmp_path / "changed", lambda entries: entries[0]["hippogym"].update(seed=1))
    code, out = replay(capsys, record, "--study", played["plain"].study)
    assert (code, "differs at tick 1\n" in out) == (1, True)


def test_chance_is_named_and_not_blamed(played, capsys):
    code, out = replay(capsys, played["chance"].record)
    assert code == 3
    assert "episode 0: not deterministic, from tick 7 on\n  observation: [0]: recorded" in out


def test_times_in_info_are_no_difference(played, capsys):
    code, out = replay(capsys, played["clock"].record)
    assert code == 0
    assert "info is not the same in two replays, from tick 1 on; all else is." in out


def test_messages_reach_the_agent_before_the_tick_that_they_came_before(played, tmp_path, capsys):
    entries = plain_loop(played["listens"].record)
    said = [tick for tick, entry in ticks(entries).items() if praised(entry)]
    assert said, "nobody said good in this episode"
    assert replay(capsys, played["listens"].record)[0] == 0

    def unsay(entries):
        ours = ticks(entries)[said[0]]["hippogym"]
        ours["inputs"] = [one for one in ours["inputs"] if one["message"].get("command") != "good"]
        entries[said[0]].pop("command", None)

    record = played["listens"].changed(tmp_path / "unsaid", unsay)
    code, out = replay(capsys, record, "--study", played["listens"].study)
    assert (code, f"differs at tick {said[0]}\n" in out) == (1, True)


def test_what_an_agent_learns_is_learned_again(played, tmp_path, capsys):
    later = played["learns"].folder / "episode_0001.pkl"
    assert replay(capsys, played["learns"].folder)[0] == 0
    assert replay(capsys, later)[0] == 0
    alone = shutil.copy(later, tmp_path)
    code, out = replay(capsys, alone, "--study", played["learns"].study)
    assert code == 1
    assert "differs at tick 1\n" in out and "Earlier episodes of its trial are not here" in out


def test_the_agents_code_runs_in_another_process_and_without_our_secrets(played, monkeypatch, capsys):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    pids = played["watches"].study / "pids"
    pids.unlink()
    code, out = replay(capsys, played["watches"].record)
    assert code == 0 and "an agent may print" not in out
    ran = [line.split() for line in pids.read_text().splitlines()]
    assert ran and all(int(pid) != os.getpid() for pid, _ in ran)
    assert not any(Path(f"/proc/{pid}").exists() for pid, _ in ran)


def test_other_versions_and_another_agent_are_named(played, tmp_path, capsys):
    def change(entries):
        ours = entries[0]["hippogym"]
        ours["versions"]["numpy"] = "1.2.3"
        ours["agent_sha256"] = "0" * 64
        ticks(entries)[4]["reward"] += 1

    record = played["plain"].changed(tmp_path / "changed", change)
    _, out = replay(capsys, record, "--study", played["plain"].study)
    assert "numpy: recorded with 1.2.3, replayed with " in out
    assert "agent.py is not the one that it was recorded with." in out


def test_an_agent_that_raises_now_is_a_difference(played, tmp_path, capsys):
    study = shutil.copytree(played["plain"].study, tmp_path / "study")
    agent = (study / "agent.py").read_text()
    (study / "agent.py").write_text(agent.replace("self.ticks += 1", "self.ticks += 1; assert self.ticks < 5"))
    code, out = replay(capsys, played["plain"].record, "--study", study)
    assert code == 1
    assert "differs at tick 5\n  step: the record goes on, but the replay does not: agent.py line" in out


@pytest.mark.parametrize(
    ("agent", "sentence"), [("import no_such_thing", "No module named"), ("import os; os._exit(3)", "took it with it")]
)
def test_an_agent_that_cannot_be_used_is_said_in_a_sentence(played, tmp_path, capsys, agent, sentence):
    (tmp_path / "agent.py").write_text(agent)
    assert main(["replay", str(played["plain"].record), "--study", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert sentence in told.out + told.err


def test_an_agent_that_hangs_is_ended(played, tmp_path):
    (tmp_path / "agent.py").write_text("import time; time.sleep(1000)")
    record = played["plain"].record
    with pytest.raises(AgentError, match="said nothing for"):
        run_replay(tmp_path, {record.name: record}, frozenset({record.name}), quiet_s=1.5)


def test_a_damaged_record_is_replayed_up_to_the_damage(played, tmp_path, capsys):
    damaged = Path(shutil.copy(played["plain"].record, tmp_path))
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(data)
    code, out = replay(capsys, damaged, "--study", played["plain"].study)
    assert code == 1
    assert "cannot be replayed after tick" in out and "damaged or missing" in out


def test_a_record_of_the_first_hippo_gym_cannot_be_replayed(played, tmp_path, capsys):
    old = tmp_path / "episode_0_user_someone"
    old.write_bytes(pickle.dumps({"observation": 1, "done": False}))
    shutil.copytree(played["plain"].folder, tmp_path / "trial")
    code, out = replay(capsys, tmp_path, "--study", played["plain"].study)
    assert code == 1
    assert "cannot be replayed: the record does not say which game" in out
    assert "episode 0: verified" in out, "the others are"


@pytest.mark.parametrize("value", [None, {"__type__": "x"}, (1, 2, 3), 2**300, float("nan")])
def test_a_strangers_action_does_no_harm(played, tmp_path, value):
    record = played["plain"].changed(
        tmp_path / "changed", lambda entries: ticks(entries)[3]["hippogym"]["action"].update(value=value)
    )
    (outcome,) = run(played["plain"].study, record).outcomes
    assert min(tick for tick, _ in outcome.differences.values()) == 3


def test_records_that_are_still_written_are_left_out(played, tmp_path, capsys):
    (tmp_path / "trial").mkdir()
    shutil.copy(played["plain"].record, tmp_path / "trial" / "episode_0000.pkl.part")
    assert main(["replay", str(tmp_path)]) == 1
    assert "no closed records" in capsys.readouterr().err


def test_the_header_says_how_pictures_were_made(played):
    manifest = json.loads(played["plain"].record.with_suffix(".json").read_text())
    assert manifest["episodes"][0]["header"]["jpeg_quality"] == 80


def ticks(entries: list[dict]) -> dict[int, dict]:
    return {entry["hippogym"]["tick"]: entry for entry in entries if entry["hippogym"]["kind"] == "tick"}


def praised(entry: dict) -> bool:
    return any(one["message"].get("command") == "good" for one in entry["hippogym"]["inputs"])
