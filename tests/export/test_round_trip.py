"""What comes out of an export is what was recorded: for every kind of space, and every value that a record can hold."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hippogym.core.env_facts import as_value
from hippogym.core.spaces import describe_space
from hippogym.data.columns import HUMAN_COLUMNS
from hippogym.data.episodes import episodes
from hippogym.data.export import jsonl, parquet
from hippogym.data.export.run import export
from hippogym.data.export.spaces import build_space
from hippogym.data.export.tagged import dumps, loads
from tests.export.making import Play

minari = pytest.importorskip("minari")

DTYPES = st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.int64])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)


@st.composite
def boxes(draw):
    dtype = np.dtype(draw(DTYPES))
    low, high = (0, 200) if dtype.kind == "u" else draw(st.sampled_from([(-3, 5), (0, 1), (-100, 100)]))
    shape = draw(SHAPES)
    if dtype.kind == "f" and draw(st.booleans()):
        return spaces.Box(-np.inf, np.inf, shape, dtype)
    if shape and draw(st.booleans()):  # every number with bounds of its own
        size = int(np.prod(shape))
        lows = np.arange(size).reshape(shape).astype(dtype)
        return spaces.Box(lows, (lows + 3).astype(dtype), dtype=dtype)
    return spaces.Box(low, high, shape, dtype)


SIMPLE = st.one_of(
    boxes(),
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 9), st.integers(-5, 5)),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 5), min_size=1, max_size=4)),
    st.builds(spaces.MultiDiscrete, st.just([[2, 3], [4, 1]])),
    st.builds(spaces.MultiBinary, st.integers(1, 6) | st.just([2, 3])),
)
NAMES = st.text("abcxyz_ é", min_size=1, max_size=5)
SPACES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
    ),
    max_leaves=4,
)


@given(SPACES)
def test_a_space_is_made_again_from_its_description(space):
    assert build_space(describe_space(space)) == space


@pytest.mark.parametrize(
    "described",
    [
        None,
        {},
        {"type": "Graph", "repr": "Graph()"},
        {"type": "Box", "shape": [10**9, 10**9], "dtype": "float32", "low": 0, "high": 1},
        {"type": "Box", "shape": [2], "dtype": "object", "low": 0, "high": 1},
        {"type": "Box", "shape": [2], "dtype": "float32", "low": [0, 0, 0], "high": 1},
        {"type": "Box", "shape": [-1], "dtype": "float32", "low": 0, "high": 1},
        {"type": "Box", "shape": "ab", "dtype": "float32", "low": 0, "high": 1},
        {"type": "Discrete", "n": -1, "start": 0},
        {"type": "Discrete", "n": "many", "start": 0},
        {"type": "MultiBinary", "n": 10**12},
        {"type": "MultiDiscrete", "nvec": ["a"], "start": [0], "dtype": "int64"},
        {"type": "Tuple", "spaces": 3},
        {"type": "Dict", "spaces": {"a": {"type": "no"}}},
        {"type": ["Box"]},
    ],
)
def test_a_description_from_a_stranger_is_refused_in_a_sentence(described):
    with pytest.raises(ValueError, match="."):
        build_space(described)


def record_of(folder, observation_space, action_space, seed, ticks=3):
    """An episode of samples. Returns what went into it: observations, actions."""
    observation_space.seed(seed)
    action_space.seed(seed)
    told = {"observation": describe_space(observation_space), "action": describe_space(action_space)}
    play = Play(folder, spaces=told, game="Unregistered-v0", actions={"names": [], "values": [], "default": ""})
    seen, done = [observation_space.sample()], []
    play.begin(seen[0])
    for number in range(ticks):
        seen.append(observation_space.sample())
        done.append(action_space.sample())
        last = number == ticks - 1
        play.tick(seen[-1], as_value(done[-1]), reward=number / 3, truncated=last, info={"x": number})
    play.end()
    play.close()
    return seen, done


def step(values, index):
    """One value out of stacked ones."""
    if isinstance(values, dict):
        return {name: step(part, index) for name, part in values.items()}
    if isinstance(values, tuple):
        return tuple(step(part, index) for part in values)
    return values[index]


@settings(max_examples=40)
@given(SPACES, SPACES, st.integers(0, 99))
def test_minari_gives_back_what_was_recorded(tmp_path_factory, observation_space, action_space, seed):
    folder = tmp_path_factory.mktemp("minari")
    seen, done = record_of(folder / "Trials", observation_space, action_space, seed)
    exported = export(folder / "Trials", "minari", folder / "datasets")
    dataset = minari.MinariDataset(exported.path / "data")
    assert dataset.observation_space == observation_space and dataset.action_space == action_space
    (episode,) = dataset.iterate_episodes()
    assert (len(episode.observations if not isinstance(episode.observations, dict | tuple) else seen), len(done)) == (
        4,
        3,
    )
    for index, observation in enumerate(seen):
        assert data_equivalence(plain(observation), plain(step(episode.observations, index)), exact=True)
    for index, action in enumerate(done):
        assert data_equivalence(plain(action), plain(step(episode.actions, index)), exact=True)
    assert episode.rewards.tolist() == [0, 1 / 3, 2 / 3]
    assert episode.terminations.tolist() == [False] * 3 and episode.truncations.tolist() == [False, False, True]
    assert episode.infos["human"]["t_mono_ns"].shape == (4,)
    (about,) = dataset.storage.get_episode_metadata([0])
    assert about["seed"] == 7 and about["participant"] == "Ann"


def plain(value):
    """Arrays of numbers and names only, so that scalars of numpy and of Python compare."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    return np.asarray(value)


@settings(max_examples=25)
@given(SPACES, SPACES, st.integers(0, 99))
def test_rows_give_back_what_was_recorded(tmp_path_factory, observation_space, action_space, seed):
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("rows")
    record_of(folder / "Trials", observation_space, action_space, seed)
    (episode,) = episodes(folder / "Trials")
    lines = list(jsonl.read(export(folder / "Trials", "jsonl", folder / "a.jsonl").path))
    table = list(parquet.read(export(folder / "Trials", "parquet", folder / "a.parquet").path))
    assert dumps(lines) == dumps(table)
    assert [row["tick"] for row in lines] == [0, 1, 2, 3]
    for index, row in enumerate(lines):
        assert dumps(row["observation"]) == dumps(raw(folder / "Trials")[index]["observation"])
        if index:
            assert row["action"] == raw(folder / "Trials")[index]["hippogym"]["action"]["value"]
            assert row["reward"] == episode.rewards[index - 1] and row["info"] == {"x": index - 1}


def raw(folder):
    """The entries, by the plain loop that any researcher writes."""
    from tests.records import plain_loop

    return plain_loop(folder / "trial-a" / "episode_0000.pkl")


arrays = hnp.arrays(
    st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64)),
              hnp.unicode_string_dtypes(max_len=3), hnp.datetime64_dtypes(max_period="s")),
    hnp.array_shapes(min_dims=0, max_dims=2, max_side=3),
)  # fmt: skip
keys = st.text(max_size=4) | st.integers() | st.tuples(st.integers(), st.text(max_size=2)) | st.binary(max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(max_size=6)
    | st.complex_numbers() | arrays | st.sets(st.integers(), max_size=3)
    | st.frozensets(st.text(max_size=2), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(values)
def test_json_loses_nothing(value):
    assert same(loads(dumps(value)), value)


def same(one, other):
    """Equal in kind and value, with nan equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) for pair in zip(one.items(), other.items(), strict=True) for a, b in zip(*pair, strict=True)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or repr(one) == repr(other)


@pytest.mark.parametrize(
    "text", ['{"__nonsense__":1}', '{"__array__":{}}', '{"__array__":{"dtype":"|O","shape":[1],"base64":""}}',
             '{"__bytes__":3}', '{"__tuple__":3}', '{"__complex__":[1]}', '{"__set__":[[]]}', "[" * 300 + "]" * 300]
)  # fmt: skip
def test_json_from_a_stranger_is_refused(text):
    with pytest.raises(ValueError, match="."):
        loads(text)


def test_text_in_infos_reaches_minari_whatever_it_holds(tmp_path):
    play = Play(tmp_path / "Trials").begin(np.zeros(2, np.float32), info={"note": "a\0b", "a/b": [1, 2]})
    play.entries.add_input({"typed": "\ud83d \0 =1"}, conn=1, received_ns=1, frame=None, t_client_ms=None)
    play.tick(np.ones(2, np.float32), 1, info={"note": "ü", "lives": 3, "human": 1}, terminated=True)
    play.end()
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    (episode,) = minari.MinariDataset(exported.path / "data").iterate_episodes()
    assert [text.decode() for text in episode.infos["note"]] == ["a�b", "ü"]
    assert np.array_equal(episode.infos["lives"], [np.nan, 3.0], equal_nan=True)
    assert [text.decode() for text in episode.infos["a_b"]] == ["[1,2]", ""]
    assert np.array_equal(episode.infos["human_2"], [np.nan, 1.0], equal_nan=True)
    assert b"typed" in episode.infos["human"]["inputs"][1]
    assert set(episode.infos["human"]) == {*HUMAN_COLUMNS, "inputs"}


def test_a_registered_environment_can_be_recovered(tmp_path):
    env = gymnasium.make("CartPole-v1")
    told = {"observation": describe_space(env.observation_space), "action": describe_space(env.action_space)}
    play = Play(tmp_path / "Trials", spaces=told).begin(np.zeros(4, np.float32))
    play.tick(np.zeros(4, np.float32), 1, terminated=True).end()
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert exported.notes == []
    dataset = minari.MinariDataset(exported.path / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataset.recover_environment().spec.id == "CartPole-v1"


def test_records_without_spaces_take_those_of_the_registered_environment_and_say_so(tmp_path):
    play = Play(tmp_path / "Trials").begin(np.zeros(4, np.float32))
    play.tick(np.zeros(4, np.float32), 1, terminated=True).end()
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert any("of the registered environment" in note for note in exported.notes)
    assert minari.MinariDataset(exported.path / "data").action_space == spaces.Discrete(2)


def test_spaces_that_nobody_knows_are_guessed_and_said_so(tmp_path):
    play = Play(tmp_path / "Trials", game="os:system", actions={"names": ["a", "b"], "values": [(0, 1), (2, 0)]})
    play.begin({"x": np.zeros(3, np.uint8), "n": 4}).tick({"x": np.ones(3, np.uint8), "n": 6}, (2, 0), terminated=True)
    play.end()
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert sum("guessed" in note for note in exported.notes) == 2
    dataset = minari.MinariDataset(exported.path / "data")
    assert dataset.action_space == spaces.MultiDiscrete([3, 2])
    assert dataset.observation_space == spaces.Dict(x=spaces.Box(0, 255, (3,), np.uint8), n=spaces.Discrete(7))
    (episode,) = dataset.iterate_episodes()
    assert episode.actions.tolist() == [[2, 0]] and episode.observations["n"].tolist() == [4, 6]


def test_actions_that_fit_no_space_are_numbers_in_the_studys_list(tmp_path):
    values = ["north", "south"]
    play = Play(tmp_path / "Trials", game="mine", actions={"names": values, "values": values, "default": "north"})
    play.begin(np.zeros(1)).tick(np.zeros(1), "south").tick(np.ones(1), "north", terminated=True).end()
    play.close()
    exported = export(tmp_path / "Trials", "minari", tmp_path / "datasets")
    assert any("numbers in the study's list" in note for note in exported.notes)
    (episode,) = minari.MinariDataset(exported.path / "data").iterate_episodes()
    assert episode.actions.tolist() == [1, 0]
