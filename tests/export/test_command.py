"""The command ``hippogym``, run as people run it."""

import json
import os
import pickle
import subprocess
import sys

import pytest

from hippogym import cli
from tests.export.making import Play, simple_record
from tests.servers import ROOT


def run(*words):
    """In this process. Returns the exit code."""
    return cli.main([str(word) for word in words])


def test_read_shows_a_line_for_every_episode(tmp_path, capsys):
    play = Play(tmp_path, "trial-a")
    play.begin().tick(reward=1.5).tick(reward=-0.25, terminated=True).end()
    play.begin().tick().end("stopped")
    play.close()
    assert run("read", tmp_path) == 0
    first, second, total = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == [
        "trial-a/episode_0000",
        "Ann",
        "CartPole-v1",
        "0",
        "2",
        "1.25",
        "0.1",
        "30.0",
        "done",
        "complete",
    ]
    assert second.split()[-2:] == ["stopped", "complete"]
    assert total == "2 episodes, 3 ticks"


def test_read_as_json_is_for_other_programs(tmp_path, capsys):
    simple_record(tmp_path, episodes=2)
    assert run("read", "--json", tmp_path) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["episode"], line["ticks"], line["state"]) for line in lines] == [
        (0, 3, "complete"),
        (1, 3, "complete"),
    ]


def test_a_pause_does_not_slow_the_rate(tmp_path, capsys):
    play = Play(tmp_path).begin()
    for number in range(40):
        play.now_ns += 20_000_000_000 * (number == 20)
        play.tick()
    play.end()
    play.close()
    assert run("read", "--json", tmp_path) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["rate"] == pytest.approx(30.0, abs=0.01) and line["duration_s"] > 20


def test_damage_is_shown_and_is_no_success(tmp_path, capsys):
    path = simple_record(tmp_path, ticks=9)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    assert run("read", tmp_path) == 1
    assert "damaged" in capsys.readouterr().out
    assert run("verify", tmp_path) == 1
    out = capsys.readouterr().out
    assert "trial-a/episode_0000.pkl: " in out and out.endswith("0 records are as they were written, 1 are not\n")


def test_what_a_participant_typed_does_not_reach_the_terminal_as_an_order(tmp_path, capsys):
    simple_record(tmp_path, participant={"userId": "\x1b[31mred\x07 [bold]\u202eevil"})
    assert run("read", tmp_path) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
    assert "�[31mred� [bold]�evil" in out


def test_the_first_hippo_gyms_pickles_are_read_and_marked(tmp_path, capsys):
    entry = {"userId": "Ann", "frameId": 3, "observation": [1, 2], "reward": 2.0, "done": False, "info": {}}
    last = {**entry, "done": True}
    (tmp_path / "episode_7_user_Ann").write_bytes(pickle.dumps(entry) + pickle.dumps(last))
    (tmp_path / "trial_Ann").write_bytes(pickle.dumps([entry, last, entry]))
    assert run("read", "--json", tmp_path) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [(line["episode"], line["ticks"], line["returned"], line["participant"], line["state"]) for line in lines]
    assert found == [
        (7, 2, 4.0, "Ann", "unverified"),
        (0, 2, 4.0, "Ann", "unverified"),
        (1, 1, 2.0, "Ann", "unverified"),
    ]


@pytest.mark.parametrize("command", ["read", "verify"])
def test_nothing_to_read_is_said(tmp_path, capsys, command):
    assert run(command, tmp_path) == 1
    assert "there are no records" in capsys.readouterr().err
    assert run(command, tmp_path / "nothing") == 1
    assert "there is no file or folder" in capsys.readouterr().err


def test_export_says_what_it_has_written(tmp_path, capsys):
    simple_record(tmp_path / "Trials", episodes=2)
    out = tmp_path / "out" / "study.jsonl"
    assert run("export", tmp_path / "Trials", "--to", "jsonl", "--out", out) == 0
    assert capsys.readouterr().out == f"{out}: 2 episodes, 6 ticks, read back and compared\n"
    assert out.stat().st_mode & 0o777 == 0o600, "what participants did is not for everybody"
    assert run("export", tmp_path / "Trials", "--to", "jsonl", "--out", out) == 1
    assert "exists already" in capsys.readouterr().err


def test_an_unknown_command_is_a_question_of_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        run("raed")
    assert ended.value.code == cli.USAGE
    assert "raed" in capsys.readouterr().err


def test_every_command_has_a_module_with_help(capsys):
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as ended:
            run(name, "--help")
        assert ended.value.code == 0
        assert f"hippogym {name}" in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path):
    simple_record(tmp_path, episodes=3)
    command = [sys.executable, "-m", "hippogym", "read", "--json", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert b"Traceback" not in errors and process.returncode == cli.PROBLEM


def test_reading_needs_no_library_of_an_export(tmp_path):
    simple_record(tmp_path)
    code = (
        "import sys; from hippogym.cli import main; main(['read', sys.argv[1]]); "
        "print(sorted({'pyarrow', 'minari', 'h5py', 'boto3', 'gymnasium', 'pydantic'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
                         check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_small_file_that_would_become_a_large_one_is_refused(tmp_path, capsys):
    """The same megabyte, mentioned a thousand times, would be a gigabyte in an export."""
    same = bytes(2**20)
    (tmp_path / "trial_Ann").write_bytes(pickle.dumps([{"observation": [same] * 1000, "done": True}] * 2))
    assert run("read", tmp_path) == 1
    assert "nothing can be read" in capsys.readouterr().out
    assert run("verify", tmp_path) == 1
    assert "refused: too many bytes" in capsys.readouterr().out
