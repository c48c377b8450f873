"""Every setting deleted, retyped and set to its bounds, as the schema itself lists them; and files made at random."""

import copy
import math
import re
import tempfile
from pathlib import Path

import pytest
import yaml
from annotated_types import Ge, Le
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hippogym.config import SETTINGS, Study, load_study
from hippogym.config.arms import OF_CONDITION, OF_ENDING
from hippogym.config.schema import OLDER_SPELLINGS
from hippogym.config.steps import ENTRIES
from hippogym.core.study.way import OUTCOMES, build_way
from hippogym.errors import ConfigError

FULL = {
    "project": {
        "id": "pilot-2", "name": "Pilot", "researcher": "", "teamMembers": "", "live": True, "useAWS": True,
        "maxRuntime": 60, "origins": ["https://lab.example.org:8443"],
        "steps": {1: "consent.html", 2: "game", 3: "survey.html", "finalStep": "thanks.html"},
        "events": {"startServerStep": 1, "stopServerStep": 3},
        "awsSetup": {
            "bucket": "a-bucket", "region": "us-west-2", "rootDomain": "lab.example", "cpu": 2, "memory": 8,
            "participantsPerTask": 4,
        },
        "conditions": {
            "slow": {"weight": 2, "quota": 20, "trial": {"startingFrameRate": 15}, "agent": {"skill": 0.5}},
            "fast": None,
        },
        "assignment": {"method": "blocks", "blockSize": 6, "seed": 1, "giveBack": 30},
        "endings": {"screenedOut": {"text": "Thank you.", "code": "NO", "redirect": "https://a.org/?cc={code}"}},
        "resume": "restart", "attentionLimit": 1, "withdraw": True, "scripts": False, "recruiting": "prolific",
        "ssl": {"sslBucket": "a-bucket", "fullchain": "SSL/fullchain.pem", "privkey": "SSL/privkey.pem"},
    },
    "trial": {
        "game": "CartPole-v1", "maxEpisodes": 20, "stepMode": "realtime", "actionSpace": ["noop", "left", "right"],
        "keys": {"ArrowLeft": "left"}, "defaultAction": "noop", "actionBufferLifespan": 1, "startingFrameRate": 30,
        "allowFrameRateChange": True, "frameRateStepSize": 5, "minFrameRate": 1, "maxFrameRate": 60,
        "ui": {"start": True, "good": False}, "instructions": ["Play."], "dataFile": "trial", "s3upload": True,
        "uploadDeadline": 100,
        "seed": 1, "jpegQuality": 80, "reconnectGrace": 120, "maxParticipants": 16, "stepTimeout": 5, "hookTimeout": 60,
        "memoryLimit": 4096, "episodePause": 1,
    },
}  # fmt: skip

WRONG_KINDS = {
    "text": "?/ \t?", "number text": "12", "negative": -1, "zero": 0, "one": 1, "fraction": 2.5, "huge": 10**30,
    "overflow": 1e300, "nan": math.nan, "infinity": math.inf, "true": True, "false": False, "list": [], "map": {},
    "list of lists": [[]], "map of maps": {"a": {}}, "empty text": "", "long text": "x" * 20_000,
}  # fmt: skip

ACCEPTED_KINDS = {
    "trial.actionSpace": set(), "trial.keys": {"map"}, "trial.ui": {"map"}, "project.steps": {"map"},
    "project.conditions": {"map", "map of maps"}, "project.endings": {"map"},
    "project.origins": {"list"}, "trial.instructions": {"text", "number text", "list"},
    "trial.game": {"number text"}, "project.id": {"number text"},
    "project.ssl.fullchain": {"number text"}, "project.ssl.privkey": {"number text"},
    **dict.fromkeys(["project.name", "project.researcher", "project.teamMembers"], {"empty text", "number text"}),
}  # fmt: skip
"""What else a setting takes; numbers are judged by their bounds, and flags and sections by their kind."""

LEAVES = [setting for setting in SETTINGS if setting.section is None]
NUMBERS = [setting for setting in LEAVES if setting.expected.startswith(("a whole number", "a number"))]


def field_of(setting):
    model = Study
    for part in setting.path[:-1]:
        model = next(s.section for s in SETTINGS if s.path[-1] == part and s.section is not None)
    return model.model_fields[setting.path[-1]]


def bounds_of(setting):
    limits = field_of(setting).metadata
    return next(m.ge for m in limits if isinstance(m, Ge)), next(m.le for m in limits if isinstance(m, Le))


def study_with(setting, value, content=FULL):
    changed = copy.deepcopy(content)
    section = changed
    for part in setting.path[:-1]:
        section = section[part]
    section[setting.path[-1]] = value
    return changed


def load(content, folder):
    """The study, or the message of the refusal; nothing else may come."""
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "config.yml").write_text(text, "utf-8")
    try:
        return load_study(folder)
    except ConfigError as error:
        return str(error)


def line_of(setting, folder):
    """The line on which the setting's key is written, found by its indentation alone."""
    depth, wanted = 0, list(setting.path)
    for number, line in enumerate((folder / "config.yml").read_text("utf-8").split("\n"), start=1):
        if line.startswith("  " * depth + wanted[depth] + ":"):
            depth += 1
            if depth == len(wanted):
                return number
    raise AssertionError(f"{setting.dotted} is not written")


def is_fine(setting, kind, value):
    if setting in NUMBERS:
        low, high = bounds_of(setting)
        whole = setting.expected.startswith("a whole") and not isinstance(value, int)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and not whole and low <= value <= high
    if setting.expected == "true or false":
        return isinstance(value, bool)
    return kind in ACCEPTED_KINDS.get(setting.dotted, ()) or (
        setting.dotted == "project.awsSetup.cpu" and kind == "one"
    )


def assert_refused_at(message, setting, folder):
    """On the setting's own line, or, for something inside it, on that line or a later one."""
    assert isinstance(message, str), "accepted"
    found = re.findall(rf"^  line (\d+): {re.escape(setting.dotted)}(\.\S*)?: ", message, re.MULTILINE)
    assert found, message
    own_line = line_of(setting, folder)
    assert all(int(line) >= own_line if inside else int(line) == own_line for line, inside in found), message


def test_the_full_study_names_every_setting_and_is_read(tmp_path):
    written = {(*path,) for path in leaves_of(FULL)}
    assert {setting.path for setting in LEAVES} == {path[: len(path)] for path in written}
    study = load(FULL, tmp_path)
    assert isinstance(study, Study), study
    assert all("StepFiles" in warning for warning in study.warnings)


def leaves_of(content, path=()):
    known = {setting.path for setting in LEAVES}
    for key, value in content.items():
        here = (*path, key)
        if here in known:
            yield here
        else:
            yield from leaves_of(value, here)


@pytest.mark.parametrize("setting", LEAVES, ids=lambda setting: setting.dotted)
def test_a_deleted_setting_has_its_default_or_is_missed(setting, tmp_path):
    content = copy.deepcopy(FULL)
    section = content
    for part in setting.path[:-1]:
        section = section[part]
    del section[setting.path[-1]]
    if setting.dotted == "project.steps":
        del content["project"]["events"], content["project"]["conditions"]
    result = load(content, tmp_path)
    if setting.dotted in ("trial.game", "project.awsSetup.bucket", "project.awsSetup.region"):
        assert f"{setting.dotted}: missing" in result
    else:
        assert isinstance(result, Study), result
        value = result
        for part in setting.path:
            value = getattr(value, part)
        assert value == (True if setting.dotted == "project.useAWS" else setting.default)


@pytest.mark.parametrize("kind", WRONG_KINDS)
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.dotted)
def test_a_retyped_setting_is_refused_at_its_line_or_read_as_documented(setting, kind, tmp_path):
    value = WRONG_KINDS[kind]
    result = load(study_with(setting, value), tmp_path)
    if setting.section is not None:
        assert isinstance(result, str) or kind == "map"  # an empty section is as if it were not there
        if not isinstance(value, dict):
            assert_refused_at(result, setting, tmp_path)
    elif is_fine(setting, kind, value):
        # Accepted as such; what it is to other settings may still be refused (a frame rate above the highest).
        assert isinstance(result, Study) or f"expected {setting.expected}" not in result
    else:
        assert_refused_at(result, setting, tmp_path)


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.dotted)
def test_bounds_are_inclusive_and_what_lies_beyond_is_refused(setting, tmp_path):
    low, high = bounds_of(setting)
    step = 1 if setting.expected.startswith("a whole") else 0.001
    for value in (low, high):
        assert f"expected {setting.expected}" not in str(load(study_with(setting, value), tmp_path))
    for value in (low - step, high + step):
        result = load(study_with(setting, value), tmp_path)
        assert_refused_at(result, setting, tmp_path)
        assert f"expected {setting.expected}" in result


def test_all_settings_that_are_wrong_are_told_at_once(tmp_path):
    content = copy.deepcopy(FULL)
    for setting in LEAVES:
        content = study_with(setting, {"?": [None]}, content)
    message = load(content, tmp_path)
    for setting in LEAVES:
        assert_refused_at(message, setting, tmp_path)
    lines = message.splitlines()
    assert lines[0] == f"config.yml has {len(lines) - 1} things to fix:"
    numbers = [int(line.split()[1].rstrip(":")) for line in lines[1:]]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.dotted)
def test_a_misspelt_name_is_refused_with_the_name_that_was_meant(setting, tmp_path):
    name = setting.path[-1]
    content = copy.deepcopy(FULL)
    section = content
    for part in setting.path[:-1]:
        section = section[part]
    section[name + "x"] = section[name]
    result = load(content, tmp_path)
    assert f"{setting.dotted}x: not a setting we know; did you mean {name}?" in result


WORDS = {*ENTRIES, *OF_CONDITION, *OF_ENDING, *OUTCOMES}
NAMES = sorted(
    {s.path[-1] for s in SETTINGS} | {p[-1] for p in OLDER_SPELLINGS} | {"finalStep", "1", "on", "x"} | WORDS
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 200), st.integers(), st.floats(), st.text(max_size=8), st.dates(),
    st.sampled_from(["game", "episode", "turn", "noop", "KeyA", "KeyA+KeyB", "https://a.org", "a.html", "no", "1:30"]),
)  # fmt: skip
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=4), st.integers(0, 4)), inner, max_size=5),
    ),
    max_leaves=12,
)


def section_values(path):
    """A section in which any setting may be anything."""
    here = [setting for setting in SETTINGS if setting.path[:-1] == path]
    return st.fixed_dictionaries(
        {}, optional={s.path[-1]: section_values(s.path) | ANYTHING if s.section else ANYTHING for s in here}
    )


def check_never_anything_else(text):
    with tempfile.TemporaryDirectory() as folder:
        result = load(text, Path(folder))
    if isinstance(result, str):
        assert result.startswith(("config.yml has ", "config.yml is empty")), result
        lines = result.splitlines()
        assert result.startswith("config.yml is empty") or all(line.startswith("  line ") for line in lines[1:])
    else:
        assert result.trial_settings()["game"]
        assert build_way(result.study_settings()).steps_for(None)[-1].is_final


@given(section_values(()) | ANYTHING)
@hypothesis_settings(max_examples=150, deadline=None)
def test_whatever_a_config_holds_it_is_read_or_refused_in_order(content):
    check_never_anything_else(yaml.safe_dump(content, allow_unicode=True))


@given(st.text(st.sampled_from("tg: \n-[]{}&*!?|>'\"#%@,\t\\Ux0189"), max_size=60))
@example("%YAML 1" + "0" * 5000 + "\n---\na: b")
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_text_a_config_is_it_is_read_or_refused_in_order(text):
    check_never_anything_else("trial:\n  game: a\n" + text)


def entries(of):
    """Maps with these names, each with something that is often right and sometimes anything."""
    return st.fixed_dictionaries({}, optional={name: LIKELY.get(name, ANYTHING) | ANYTHING for name in of})


OVERRIDES = st.dictionaries(st.sampled_from(["maxEpisodes", "seed", "ui", "minFrameRate", "frob"]), PLAIN, max_size=3)
LIKELY = {
    "page": st.sampled_from(["a.html", "game"]), "name": st.sampled_from(["a", "b", "group"]), "trial": OVERRIDES,
    "when": st.sampled_from(["a.x == 1", "condition == x", "a.x <", "zz.y > 1"]), "tries": st.integers(0, 3),
    "onFail": st.sampled_from(["a", "continue", "complete"]), "end": st.sampled_from(OUTCOMES),
}  # fmt: skip
STEPS = st.lists(st.sampled_from(["a.html", "game", None]) | entries(ENTRIES), max_size=4).map(
    lambda steps: dict(enumerate(steps, start=1)) | {"finalStep": "a.html"}
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["x", "y", "a b"]), st.none() | entries(OF_CONDITION) | st.fixed_dictionaries({"steps": STEPS})
)


@given(STEPS, CONDITIONS, st.dictionaries(st.sampled_from(OUTCOMES), entries(OF_ENDING), max_size=2))
@hypothesis_settings(max_examples=150, deadline=None)
def test_whatever_a_way_holds_it_is_read_or_refused_in_order(steps, conditions, endings):
    project = {"steps": steps, "conditions": conditions, "endings": endings}
    check_never_anything_else(yaml.safe_dump({"trial": {"game": "a"}, "project": project}, allow_unicode=True))


@pytest.mark.long
@pytest.mark.timeout(300)
@given(section_values(()) | ANYTHING)
@hypothesis_settings(max_examples=2_000, deadline=None)
def test_thousands_of_configs_are_read_or_refused_in_order(content):
    check_never_anything_else(yaml.safe_dump(content, allow_unicode=True))
