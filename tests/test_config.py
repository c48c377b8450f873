"""config.yml: what is read, what is refused and how it is said."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from hippogym.config import Environment, environment, load_study
from hippogym.errors import ConfigError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def read(tmp_path):
    """Writes a config.yml and reads it."""

    def read(content, name="config.yml"):
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
        return load_study(tmp_path)

    return read


@pytest.fixture
def refusal(read):
    """The lines of the message with which a config.yml is refused."""

    def refusal(content):
        with pytest.raises(ConfigError) as refused:
            read(content)
        return str(refused.value).splitlines()

    return refusal


def trial(lines):
    """A study with these lines in its trial, from line 3 on."""
    return "trial:\n  game: CartPole-v1\n" + "".join(f"  {line}\n" for line in lines.splitlines())


def project(lines):
    """A study with these lines in its project, from line 4 on."""
    return "trial:\n  game: CartPole-v1\nproject:\n" + "".join(f"  {line}\n" for line in lines.splitlines())


# What is read


def test_game_alone_is_a_study(read):
    study = read("trial:\n  game: CartPole-v1\n")
    assert (study.project.id, study.trial.game, study.trial.startingFrameRate) == ("study", "CartPole-v1", 30)
    assert list(study.trial.ui) == ["left", "right", "up", "down", "start", "pause"]
    assert (study.project.useAWS, study.trial.s3upload, study.warnings) == (False, False, ())


def test_the_shipped_study_is_read_without_a_warning():
    study = load_study(ROOT)
    assert study.trial.game == "ALE/MsPacman-v5" and study.trial.actionSpace is None
    assert (study.trial.maxEpisodes, study.trial.actionBufferLifespan, study.trial.dataFile) == (20, 1, "episode")
    assert (study.trial.minFrameRate, study.trial.startingFrameRate, study.trial.maxFrameRate) == (1, 30, 60)
    assert study.warnings == ()


def test_the_shipped_study_is_read_with_its_comments_taken_as_settings(read):
    """The commented examples are settings too: a researcher takes the # away and expects them to hold."""
    setting = r"^( *)# ( *(?:- \S+|[\w+]+:(?: .*)?))$"
    study = read(re.sub(setting, r"\1\2", (ROOT / "config.yml").read_text(), flags=re.MULTILINE))
    assert study.project.steps["4"]["page"] == "game" and study.project.awsSetup.cpu == 2
    assert list(study.project.conditions) == ["usual", "slow"] and study.project.attentionLimit == 1
    assert study.project.endings["complete"]["code"] == "C1A2B3C4" and study.project.recruiting == "prolific"
    assert study.trial.keys["ArrowUp+ArrowRight"] == "upright" and study.trial.seed == 1


def test_the_study_knows_its_file_and_the_hash_of_its_bytes(read, tmp_path):
    content = b"\xef\xbb\xbftrial: {game: CartPole-v1}\r\n"
    study = read(content)
    assert study.path == tmp_path / "config.yml"
    assert study.sha256 == hashlib.sha256(content).hexdigest()


def test_a_study_cannot_be_changed(read):
    study = read(trial(""))
    with pytest.raises(ValidationError):
        study.trial.game = "other"


def test_the_file_of_the_container_is_read_where_only_that_exists(read):
    assert read("trial: {game: A}", name=".trialConfig.yml").trial.game == "A"
    assert read("trial: {game: B}", name="config.yml").trial.game == "B"


def test_an_action_space_is_absent_a_list_or_a_map(read):
    assert read(trial("")).trial.actionSpace is None
    assert read(trial("actionSpace: [noop, up]")).trial.actionSpace == ("noop", "up")
    space = read(trial("actionSpace: {noop: 0, left: [-1.0], both: [[1, 0], [0, 1]]}")).trial.actionSpace
    assert space == {"noop": 0, "left": [-1.0], "both": [[1, 0], [0, 1]]}


def test_a_key_map_names_actions_however_they_are_spelt(read):
    study = read(trial("actionSpace: [noop, upleft]\nkeys: {ArrowUp+ArrowLeft: leftUp, w: UPLEFT, KeyS: }"))
    assert study.trial.keys == {"ArrowUp+ArrowLeft": "leftUp", "w": "UPLEFT", "KeyS": None}


def test_instructions_are_one_text_or_several(read):
    assert read(trial("instructions: Play.")).trial.instructions == ("Play.",)
    assert read(trial("instructions: [Play., Win.]")).trial.instructions == ("Play.", "Win.")


def test_steps_are_numbers_and_final_step(read):
    steps = read(project("steps: {1: consent.html, 2: game, 3: , finalStep: thanks.html}")).project.steps
    assert steps == {"1": "consent.html", "2": "game", "3": None, "finalStep": "thanks.html"}


def test_aws_is_meant_where_it_is_described_unless_the_file_says_otherwise(read):
    setup = "awsSetup: {bucket: a-bucket, region: us-west-2}"
    assert read(project(setup)).project.useAWS is True
    assert read(project(f"{setup}\nuseAWS: no")).project.useAWS is False


def test_dates_and_quoted_numbers_are_text(read):
    assert read(project("name: 2021-05-01\nid: '2021'")).project.name == "2021-05-01"


def test_what_the_trial_gets_is_plain_and_survives_json(read):
    study = read(trial("actionSpace: {left: [-1.0], noop: [0]}\ninstructions: Play.\nkeys: {KeyA: left}"))
    settings = study.trial_settings()
    assert json.loads(json.dumps(settings)) == settings
    assert (settings["projectId"], settings["game"], settings["seed"]) == ("study", "CartPole-v1", None)
    assert settings["instructions"] == ["Play."] and "s3upload" not in settings


# What is refused, and how


def test_all_problems_are_told_at_once_with_line_path_found_and_expected(refusal):
    content = "project:\n  id: my_id\ntrial:\n  startingFrameRate: fast\n  actionspace: [a]\n  seed: -1\n"
    assert refusal(content) == [
        "config.yml has 5 things to fix:",
        "  line 2: project.id: found 'my_id', expected an id of letters, digits and dashes (at most 63, no dash at "
        "either end)",
        "  line 3: trial.game: missing; expected the name of an environment, such as ALE/MsPacman-v5",
        "  line 4: trial.startingFrameRate: found 'fast', expected a number from 1 to 120",
        "  line 5: trial.actionspace: not a setting we know; did you mean actionSpace?",
        "  line 6: trial.seed: found -1, expected a whole number from 0 to 2,147,483,647",
    ]


def test_one_problem_is_one_thing(refusal):
    assert refusal("project: {id: a}\n")[0] == "config.yml has 1 thing to fix:"


@pytest.mark.parametrize("levels", [10, 18])
def test_aliases_cannot_make_a_small_file_enormous(refusal, levels):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, levels))
    bomb += "trial: {game: x}\n"
    assert any("aliases" in line for line in refusal(bomb))


def test_no_more_share_a_container_than_a_server_takes(read, refusal):
    shared = "project:\n  awsSetup: {{bucket: a-b, region: us-west-2, participantsPerTask: {}}}\n".format
    most = "trial:\n  game: CartPole-v1\n  maxParticipants: 4\n"
    assert read(shared(4) + most).project.awsSetup.participantsPerTask == 4
    assert "line 2: project.awsSetup.participantsPerTask: found 5, but a server takes no more" in str(
        refusal(shared(5) + most)
    )


@pytest.mark.parametrize("cpu, memory", [(1, 2), (1, 8), (2, 4), (2, 16), (4, 8), (4, 30)])
def test_memory_goes_with_the_vcpus_its_bounds_included(read, refusal, cpu, memory):
    setup = "awsSetup: {{bucket: a-b, region: us-west-2, cpu: {}, memory: {}}}".format
    assert read(project(setup(cpu, memory))).project.awsSetup.memory == memory
    outside = memory - 1 if memory in (2, 4, 8) and (cpu, memory) != (1, 8) else memory + 1
    assert any("line 4: project.awsSetup.memory: found" in line for line in refusal(project(setup(cpu, outside))))


def test_a_wrong_section_does_not_hide_what_is_wrong_elsewhere(refusal):
    lines = refusal("project: 5\ntrial: {minFrameRate: 99, ggame: x}\n")
    for path in ("project", "trial.game", "trial.ggame", "trial.minFrameRate"):
        assert any(f" {path}: " in line for line in lines), path


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_answered_with_the_smallest_study(refusal, content):
    assert refusal(content)[0].startswith("config.yml is empty.")
    assert refusal(content)[-1] == "    game: ALE/MsPacman-v5"


def test_a_missing_file_or_folder_is_said(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="There is no config.yml in"):
            load_study(folder)


def test_what_is_not_a_file_of_reasonable_size_is_not_read(refusal, tmp_path):
    assert "larger than 1 MiB" in refusal("#" * ((1 << 20) + 1))[0]
    (tmp_path / "config.yml").unlink()
    os.mkfifo(tmp_path / "config.yml")
    with pytest.raises(ConfigError, match="is not a file"):
        load_study(tmp_path)


# What is said without stopping


def test_older_spellings_have_the_effect_of_the_new(read):
    content = trial("allowFramRateChange: true") + "project: {step: {1: game, finalStep: game}}"
    study = read(content)
    assert study.trial.allowFrameRateChange is True and study.project.steps["1"] == "game"


def test_steps_whose_files_are_there_are_not_warned_about(read, tmp_path):
    (tmp_path / "StepFiles").mkdir()
    (tmp_path / "StepFiles" / "end.html").touch()
    (tmp_path / "StepFiles" / "survey-0.html").touch()
    assert read(project("steps: {1: survey.html, 2: game, finalStep: end.html}")).warnings == ()


# The environment


def test_the_environment_says_where_to_listen(monkeypatch):
    monkeypatch.setenv("ADDRESS", "0.0.0.0")
    monkeypatch.setenv("PORT", "8080")
    assert environment() == Environment("0.0.0.0", 8080)


@pytest.mark.parametrize("value", [None, "", " "])
def test_an_environment_without_values_says_nothing(monkeypatch, value):
    for name in ("ADDRESS", "PORT"):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert environment() == Environment(None, None)


@pytest.mark.parametrize("port", ["0", "65535"])
def test_a_port_may_be_at_its_bounds(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    assert environment().PORT == int(port)


@pytest.mark.parametrize("port", ["65536", "-1", "http", "5000.0", "٥", "9" * 5000])
def test_a_port_that_is_none_is_refused(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(ConfigError, match="PORT"):
        environment()
