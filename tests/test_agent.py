"""The researcher's agent: loading it, calling it, and what becomes of anything it does."""

import importlib.util
import re
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

from hippogym.core.actions import build_action_table
from hippogym.errors import AgentError
from hippogym.live.agent import load_agent
from hippogym.live.agent_results import SERVERS_OWN
from hippogym.live.display import Display

AGENTS = Path(__file__).parent / "agents"
SHIPPED = Path(__file__).parent.parent / "agent.py"

FIVE = """
    import numpy as np
    def start(game): return game
    def step(env, action): return {"done": False}
    def render(env): return np.zeros((2, 3, 3), np.uint8)
    def reset(env): pass
    def close(env): pass
"""


@pytest.fixture(autouse=True)
def _path_as_it_was(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def write(tmp_path):
    """Writes an agent: the five simplest functions, and what replaces some of them."""

    def write_agent(source="", base=FIVE, name="agent.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(base) + textwrap.dedent(source))
        return path

    return write_agent


def started(path, game="a game"):
    agent = load_agent(path)
    agent.start(game)
    return agent


def refused(function, *args):
    with pytest.raises(AgentError) as caught:
        function(*args)
    return caught.value


# --- loading ---------------------------------------------------------------------------------------------------------


def test_a_module_of_functions_is_an_agent():
    agent = started(AGENTS / "countdown.py")
    assert (agent.game, agent.env["game"]) == ("a game", "a game")
    assert agent.reset(None).observation is None
    result = agent.step(3)
    assert result.record["left"] == 4
    assert agent.render().tolist() == [[[4] * 3] * 6] * 4
    env = agent.env
    agent.close()
    assert env["game"] is None


def test_a_class_is_an_agent_and_imports_its_neighbours():
    agent = started(AGENTS / "countdown_class.py")
    reset = agent.reset(seed=12)
    assert (reset.observation, reset.seed_used) == (12, True)
    assert agent.step(0).action_reported == 1
    assert agent.render().shape == (4, 6, 3)
    agent.close()


def test_a_file_that_is_not_there_is_named(tmp_path):
    error = refused(load_agent, tmp_path / "agent.py")
    assert error.hook == "load"
    assert f"there is no file {tmp_path / 'agent.py'}" in str(error)


def test_missing_functions_are_listed(write):
    error = refused(load_agent, write("def start(game): pass\ndef render(env): pass\n", base=""))
    assert str(error) == (
        "agent.py has no step() and no reset() and no close(): every agent needs start, step, render, reset and close"
    )


def test_missing_methods_are_listed(write):
    error = refused(load_agent, write("class Agent:\n    def start(self, game): pass\n", base=""))
    assert str(error).startswith("class Agent of agent.py has no step() and no render()")


def test_functions_come_before_a_class_that_happens_to_be_called_agent(write):
    assert started(write("class Agent:\n    def __init__(self, network): pass\n")).env == "a game"


def test_a_mistake_in_the_file_is_told_with_its_line(write):
    assert str(refused(load_agent, write("def broken(:\n"))).startswith(
        "agent.py line 8: loading it raised SyntaxError"
    )
    error = refused(load_agent, write("1 / 0\n"))
    assert str(error) == "agent.py line 8: loading it raised ZeroDivisionError: division by zero"
    assert isinstance(error.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def step(env): pass", "agent.py: step(env) should be step(env, action)"),
        ("def start(): pass", "agent.py: start() should be start(game)"),
        ("async def step(env, action): pass", "step() must be a plain function, without async"),
        ("def render(env): yield", "render() must be a plain function, without async and without yield"),
        ("def display(): pass", "display() should be display(env)"),
        ("def participant(env, about): pass", "participant(env, about) should be participant(about)"),
    ],
)
def test_functions_that_cannot_be_called_are_refused_before_anybody_plays(write, source, sentence):
    assert sentence in str(refused(load_agent, write(source)))


def test_an_agents_module_is_nobody_elses(write):
    path = write("import sys\nNAME = __name__\nassert sys.modules[__name__].start is start\n", name="json.py")
    load_agent(path)
    import json

    assert json.dumps({}) == "{}"


def test_a_constructor_that_raises_is_an_error_of_start(write):
    source = "class Agent:\n" + "".join(
        f"    def {name}(self{rest}): 1 / 0\n"
        for name, rest in [("__init__", ""), ("start", ", game"), ("step", ", action"), ("render", ""), ("reset", ""),
                           ("close", "")]
    )  # fmt: skip
    agent = load_agent(write(source, base=""))
    error = refused(agent.start, "x")
    assert (error.hook, str(error)) == ("start", "agent.py line 2: start() raised ZeroDivisionError: division by zero")
    agent.close()


# --- what a function raises ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raised", ["ValueError('no')", "SystemExit(0)", "KeyboardInterrupt()", "GeneratorExit()",
                                    "StopIteration(1)", "MemoryError()"])  # fmt: skip
@pytest.mark.parametrize("hook", ["start", "step", "render", "reset", "close", "message", "display"])
def test_whatever_a_function_raises_is_an_agent_error_with_its_name(write, hook, raised):
    parameters = {"start": "game", "step": "env, action", "message": "env, message"}.get(hook, "env")
    agent = load_agent(write(f"def {hook}({parameters}): raise {raised}\n"))
    if hook != "start":
        agent.start("x")
    arguments = {"start": ["x"], "step": [0], "reset": [1], "message": [{}]}.get(hook, [])
    error = refused(getattr(agent, hook), *arguments)
    assert error.hook == hook
    assert f"agent.py line 8: {hook}() raised {raised.split('(')[0]}" in str(error)
    assert type(error.__cause__).__name__ == raised.split("(")[0]


def test_an_exception_that_cannot_be_printed_is_told_all_the_same(write):
    source = "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef step(env, action): raise Odd\n"
    assert "step() raised" in str(refused(started(write(source)).step, 0))


def test_an_endless_message_is_cut(write):
    source = "def step(env, action): raise ValueError('x' * 10_000_000)\n"
    assert len(str(refused(started(write(source)).step, 0))) < 1200


def test_closing_twice_or_before_the_start_does_nothing(write):
    agent = load_agent(write("def start(game): return []\ndef close(env): env.append('closed')\n"))
    agent.close()
    agent.start("x")
    agent.close()
    agent.close()
    assert agent.env == ["closed"]


# --- render ----------------------------------------------------------------------------------------------------------


def rendering(write, expression):
    return started(write(f"def render(env): return {expression}\n"))


PIXELS = "np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)"


@pytest.mark.parametrize(
    "expression",
    [
        PIXELS,
        f"[{PIXELS}]",
        f"[np.zeros((9, 9, 3), np.uint8), {PIXELS}]",
        f"np.dstack([{PIXELS}, np.full((2, 3), 7, np.uint8)])",
        f"np.asfortranarray({PIXELS})",
        f"np.ascontiguousarray({PIXELS}[:, ::-1, ::-1])[:, ::-1, ::-1]",
        f"np.ascontiguousarray({PIXELS}.transpose(1, 0, 2)).transpose(1, 0, 2)",
        f"np.ascontiguousarray({PIXELS}.transpose(2, 0, 1)).transpose(1, 2, 0)",
        f"np.hstack([{PIXELS}, {PIXELS}])[:, :3]",
        f"np.vstack([{PIXELS}, {PIXELS}])[:2][::-1][::-1]",
    ],
)
def test_an_image_in_any_order_of_bytes_is_the_same_image(write, expression):
    frame = rendering(write, expression).render()
    assert frame.flags.c_contiguous
    assert frame.dtype == np.uint8
    assert frame.tolist() == np.arange(18).reshape(2, 3, 3).tolist()


def test_grey_is_three_equal_colours(write):
    assert rendering(write, "np.array([[1, 2]], np.uint8)").render().tolist() == [[[1, 1, 1], [2, 2, 2]]]


@pytest.mark.parametrize(
    ("expression", "came", "hint"),
    [
        ("None", "None", "render_mode='rgb_array'"),
        ("'picture'", "an object of type str", "not a numpy array"),
        ("[]", "a list of 0", "not a numpy array"),
        ("[[1, 2], [3, 4]]", "a list of 2", "not a numpy array"),
        ("np.zeros((2, 3, 3))", "an array of shape (2, 3, 3) and dtype float64", "(frame * 255)"),
        ("np.zeros((3, 20, 30), np.uint8)", "shape (3, 20, 30)", "np.transpose(frame, (1, 2, 0))"),
        ("np.zeros((2, 3, 5), np.uint8)", "shape (2, 3, 5)", "no image's shape"),
        ("np.zeros(3, np.uint8)", "shape (3,)", "no image's shape"),
        ("np.zeros((0, 3, 3), np.uint8)", "shape (0, 3, 3)", "1 to 4096 pixels"),
        ("np.zeros((4097, 1), np.uint8)", "shape (4097, 1)", "1 to 4096 pixels"),
    ],
)
def test_anything_but_an_image_is_refused_with_what_came_and_what_was_expected(write, expression, came, hint):
    error = refused(rendering(write, expression).render)
    assert error.hook == "render"
    assert str(error).startswith("render() returned ")
    assert came in str(error)
    assert "expected an image as a uint8 array of shape (height, width, 3)" in str(error)
    assert hint in str(error)


# --- step ------------------------------------------------------------------------------------------------------------


def stepping(write, expression):
    return started(write(f"def step(env, action): return {expression}\n")).step(0)


def test_a_dict_is_kept_as_it_is(write):
    result = stepping(write, "{'done': np.True_, 'mood': 'fine', 'action': 4, 'reward': np.float32(0.5)}")
    assert result.record == {"done": True, "mood": "fine", "action": 4, "reward": 0.5}
    assert (result.done, result.reward, result.action_reported) == (True, 0.5, 4)
    assert (result.terminated, result.truncated) == (None, None)


def test_four_values_are_those_of_gym(write):
    result = stepping(write, "('o', 1, True, {'TimeLimit.truncated': True})")
    assert list(result.record) == ["observation", "reward", "done", "info"]
    assert (result.done, result.terminated, result.truncated, result.reward) == (True, False, True, 1.0)
    assert stepping(write, "('o', 1, True, {})").truncated is None


@pytest.mark.parametrize("ends", [(False, False), (True, False), (False, True), (True, True)])
def test_five_values_are_those_of_gymnasium(write, ends):
    result = stepping(write, f"('o', 1, {ends[0]}, {ends[1]}, {{}})")
    assert list(result.record) == ["observation", "reward", "terminated", "truncated", "done", "info"]
    assert (result.terminated, result.truncated, result.done) == (*ends, any(ends))


def test_a_reward_that_is_not_a_number_is_kept():
    agent = started(AGENTS / "countdown.py")
    result = agent.step(0)
    assert np.isnan(result.reward)
    assert np.isnan(result.record["reward"])


@pytest.mark.parametrize("reward", ["'much'", "[1, 2]", "None", "10 ** 400", "1j", "np.zeros(2)"])
def test_a_reward_of_another_kind_does_not_end_the_game(write, reward):
    assert stepping(write, f"{{'done': False, 'reward': {reward}}}").reward is None


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("None", "step() returned None, expected a dict with at least 'done', or the tuple"),
        ("(1, 2, 3)", "step() returned a tuple of 3"),
        ("np.zeros(4)", "step() returned an array of shape (4,)"),
        ("{'reward': 1}", "step() returned a dict with the keys reward, but 'done' is missing"),
        ("{'done': 'no'}", "step() returned an object of type str as 'done', expected True or False"),
        ("{'done': None}", "step() returned None as 'done'"),
        ("{'done': float('nan')}", "step() returned an object of type float as 'done'"),
        ("('o', 1, False, {'TimeLimit.truncated': False}, {})", "step() returned a dict with the keys"),
    ],
)
def test_anything_else_is_refused_with_what_came(write, expression, sentence):
    with pytest.raises(AgentError) as caught:
        stepping(write, expression)
    assert caught.value.hook == "step"
    assert sentence in str(caught.value)


# --- reset -----------------------------------------------------------------------------------------------------------


def test_the_first_observation_is_kept_though_the_agent_returns_nothing():
    agent = started(AGENTS / "like_gym_026.py")
    result = agent.reset(None)
    assert result.observation.tolist() == [0, 0]
    assert result.info == {"seeded": None}
    assert not result.seed_used


def test_a_seed_reaches_the_environment_though_the_agent_does_not_know_of_it():
    agent = started(AGENTS / "like_gym_026.py")
    one, other = agent.reset(7), agent.reset(7)
    assert one.seed_used
    assert one.info == {"seeded": 7}
    assert (one.observation == other.observation).all()
    assert "reset" not in vars(agent.env), "the environment's own method is back"


def test_environments_before_gym_026_are_seeded_by_their_method():
    agent = started(AGENTS / "like_gym_021.py")
    one, other = agent.reset(7), agent.reset(7)
    assert one.seed_used
    assert one.observation == other.observation == np.random.default_rng(7).integers(100)
    assert one.info is None


@pytest.mark.parametrize(
    ("source", "observation", "info"),
    [
        ("def reset(env): return 'o'", "o", None),
        ("def reset(env): return 'o', {'a': 1}", "o", {"a": 1}),
        ("def reset(env): return ('o', 'p')", ("o", "p"), None),
        ("def reset(env): return env", None, None),
        ("def reset(env, seed): return seed", 5, None),
        ("def reset(env, **options): return options", {"seed": 5}, None),
    ],
)
def test_what_reset_returns_is_the_first_observation(write, source, observation, info):
    result = started(write(source)).reset(5)
    assert (result.observation, result.info) == (observation, info)
    assert result.seed_used == ("seed" in source or "options" in source)


def test_a_seed_that_the_agent_chose_itself_stays(write):
    source = """
        class Env:
            def reset(self, seed=None): return seed
        def start(game): return Env()
        def reset(env): env.reset(seed=3)
    """
    result = started(write(source)).reset(5)
    assert (result.observation, result.seed_used) == (3, False)


def test_an_environment_whose_reset_cannot_be_watched_still_resets(write):
    source = """
        class Env:
            __slots__ = ("resets",)
            def reset(self): self.resets = 1
        def start(game): return Env()
        def reset(env): env.reset()
    """
    agent = started(write(source))
    assert agent.reset(5).observation is None
    assert agent.env.resets == 1


def test_a_reset_that_raises_leaves_the_environment_as_it_was(write):
    source = """
        class Env:
            def reset(self): raise ValueError("cold")
        def start(game): return Env()
        def reset(env): env.reset()
    """
    agent = started(write(source))
    assert "ValueError: cold" in str(refused(agent.reset, 5))
    assert vars(agent.env) == {}


def test_the_environment_of_a_class_is_found_under_its_name(write):
    source = """
        class Env:
            def reset(self, seed=None): return seed, {}
        class Agent:
            def start(self, game): self.env = Env()
            def step(self, action): pass
            def render(self): pass
            def reset(self): self.env.reset()
            def close(self): pass
    """
    assert started(write(source, base="")).reset(4).observation == 4


# --- message and display ---------------------------------------------------------------------------------------------


def test_message_and_display_are_used_only_where_they_exist(write):
    agent = started(write())
    assert not agent.has_message
    assert not agent.has_display
    agent.message({"command": "good"})
    assert agent.display() is None


def test_a_message_reaches_the_agent_and_display_gives_plain_values():
    agent = started(AGENTS / "countdown.py")
    agent.message({"command": "good"})
    assert agent.env["told"] == [{"command": "good"}]
    shown = agent.display()
    assert shown == {"Steps left": 5, "Lives": "[3]", "Bonus": "inf", "Name": "x" * 500}
    assert type(shown["Steps left"]) is int


def test_a_display_that_is_no_dict_is_refused(write):
    error = refused(started(write("def display(env): return 7\n")).display)
    assert str(error) == "display() returned an object of type int, expected a dict from names to values"


def test_a_display_of_very_many_rows_is_cut(write):
    source = 'def display(env): return {f"row {n}": n for n in range(100_000)} | {"wire": {"Score": 3}}\n'
    shown = started(write(source)).display()
    assert list(shown) == [*(f"row {n}" for n in range(64)), "wire"]


def test_an_agent_may_learn_who_will_play_before_there_is_an_environment(write):
    source = """
        def participant(about):
            global name
            name = about["condition"]
        def start(game): return f"{game} for {name}"
    """
    agent = load_agent(write(source))
    agent.meet({"condition": "advice"})
    agent.start("chess")
    assert agent.env == "chess for advice"


def test_a_class_learns_who_will_play_and_is_made_once(write):
    source = """
        class Agent:
            made = 0
            def __init__(self): Agent.made += 1
            def participant(self, about): self.condition = about["condition"]
            def start(self, game): self.env = (game, self.condition, Agent.made)
            def step(self, action): ...
            def render(self): ...
            def reset(self): ...
            def close(self): ...
    """
    agent = load_agent(write(source, base=""))
    agent.meet({"condition": "advice"})
    agent.start("chess")
    assert agent.env == ("chess", "advice", 1)


def test_what_is_raised_there_is_named(write):
    error = refused(load_agent(write("def participant(about): 1 / 0\n")).meet, {})
    assert error.hook == "participant"
    assert "participant() raised ZeroDivisionError" in str(error)


def test_who_does_not_ask_is_not_told_who_will_play(write):
    agent = load_agent(write())
    agent.meet({"condition": "advice"})
    agent.start("chess")
    assert agent.env == "chess"


def displaying(write, returned):
    return started(write(f"def display(env): return {returned}\n"))


def test_what_a_display_says_under_wire_is_passed_on_as_json(write):
    wire = {"imageL": "data:image/png;base64,AA==", "Instructions": ["Eat.", None], "Score": 3, "Grid": {"rows": [1.5]}}
    shown = displaying(write, repr({"Lives": [3], "wire": wire})).display()
    assert shown == {"Lives": "[3]", "wire": wire}


def test_numpys_scalars_under_wire_are_numbers_and_tuples_are_lists(write):
    shown = displaying(write, '{"wire": {"Score": np.int64(3), "Steps": (np.float32(0.5), np.True_)}}').display()
    assert shown == {"wire": {"Score": 3, "Steps": [0.5, True]}}
    assert type(shown["wire"]["Score"]) is int


def test_an_agent_that_changes_what_it_has_shown_under_wire_is_noticed(write):
    source = """
        shown = {"Grid": {"tiles": []}}
        def display(env):
            shown["Grid"]["tiles"].append(1)
            return {"wire": shown}
    """
    display = Display(started(write(source)))
    assert display.changes() == {"display": {}, "Grid": {"tiles": [1]}}
    assert display.changes() == {"display": {}, "Grid": {"tiles": [1, 1]}}


@pytest.mark.parametrize("returned", ['{"wire": None}', '{"wire": {}}'])
def test_nothing_under_wire_is_nothing(write, returned):
    assert Display(displaying(write, returned)).changes() == {"display": {}}


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        ("[1]", "display() returned a list of 1 as 'wire', expected a dict of JSON values"),
        ("{'a': object()}", "display() returned under 'wire' what is not JSON: an object of type object"),
        ("{'a': {1, 2}}", "display() returned under 'wire' what is not JSON: an object of type set"),
        ("{'a': np.zeros(2)}", "what is not JSON: an array of shape (2,) and dtype float64"),
        ("{'a': [float('nan')]}", "what is not JSON: Out of range float values are not JSON compliant"),
        ("{'a': np.float64('inf')}", "what is not JSON: Out of range float values are not JSON compliant"),
        ("{'a': b'bytes'}", "what is not JSON: an object of type bytes"),
        ("{'a': np.complex64(1)}", "what is not JSON"),
        ("{(1, 2): 'a'}", "what is not JSON: keys must be"),
        ("(lambda loop: loop.setdefault('a', loop) and loop)({})", "what is not JSON: Circular reference detected"),
        ("{'a': __import__('functools').reduce(lambda deep, _: [deep], range(100_000), [])}", "what is not JSON"),
        ("{'a': 10**5000}", "what is not JSON"),
        ("{'a': 'x' * 2**20}", f"display() returned {2**20 + 9} bytes of JSON under 'wire', at most {2**20} go"),
        ("{'done': 1, 'Score': 1, 'UI': []}", "display() returned UI, done under 'wire': only the server says that"),
    ],
)
def test_what_is_no_json_under_wire_is_refused_with_the_functions_name(write, wire, why):
    error = refused(displaying(write, f'{{"wire": {wire}}}').display)
    assert error.hook == "display"
    assert why in str(error)


def test_a_message_under_wire_may_be_as_large_as_the_limit(write):
    text = "x" * (2**20 - len('{"a": ""}'))
    assert displaying(write, f'{{"wire": {{"a": "x" * {len(text)}}}}}').display() == {"wire": {"a": text}}


def test_an_agent_may_say_under_wire_all_that_is_not_the_servers(write):
    """Names of the protocol's table that are not the server's own are those that display() is for."""
    page = (SHIPPED.parent / "docs" / "protocol.md").read_text("utf-8")
    table = page.split("## Server → client")[1].split("## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert names - SERVERS_OWN == {"inputBudget", "usedInputBudget", "imageL", "imageR", "Instructions", "Score"}


# --- facts and actions -----------------------------------------------------------------------------------------------


def test_old_spaces_are_read_and_get_their_numbers():
    agent = started(AGENTS / "like_gym_021.py")
    facts = agent.facts()
    assert facts.space == {"type": "Discrete", "n": 3, "start": 0}
    assert facts.name == "Walk"
    agent.reset(None)
    result = agent.step(np.int64(2))
    assert (result.done, result.truncated, agent.render().shape) == (False, False, (5, 7, 3))


def test_an_action_becomes_an_array_of_the_spaces_kind():
    agent = started(AGENTS / "like_gym_026.py")
    assert agent.facts().space["high"] == [1.0, float("inf")]
    agent.reset(1)
    result = agent.step((0.25, -1))
    assert result.record["observation"].tolist() == [0.25, -1]
    assert (result.terminated, result.truncated, result.done) == (False, True, True)


@pytest.mark.parametrize("action", [3, "up", (1, 2, 3), None, {"a": 1}, ("x", "y")])
def test_an_action_that_does_not_fit_the_space_reaches_the_agent_as_it_is(write, action):
    source = """
        class Box:
            shape, dtype = (2,), np.dtype("float32")
        class Env:
            action_space = Box()
        def start(game): return Env()
        def step(env, action): return {"done": False, "action": action}
    """
    assert started(write(source)).step(action).action_reported == action


def test_nested_spaces_get_each_part_in_its_own_kind(write):
    source = """
        class Discrete: n = 2
        class Box: shape, dtype = (1,), np.dtype("int8")
        class Tuple: spaces = (Discrete(), Box())
        class Dict: spaces = {"arm": Tuple(), "leg": Box()}
        class Env: action_space = Dict()
        def start(game): return Env()
        def step(env, action): return {"done": False, "action": action}
    """
    action = started(write(source)).step({"arm": (1, (2,)), "leg": (3,)}).action_reported
    assert type(action["arm"][0]) is int
    assert (action["arm"][1].dtype, action["leg"].dtype) == (np.int8, np.int8)


@pytest.mark.parametrize(
    "env",
    [
        "None",
        "7",
        "type('Env', (), {'action_space': None})()",
        "type('Env', (), {'unwrapped': property(lambda s: 1/0)})()",
        "type('Env', (), {'action_space': property(lambda s: 1/0), 'get_action_meanings': 3, 'spec': 4})()",
        "type('Env', (), {'get_action_meanings': lambda s: 1/0, 'get_keys_to_action': lambda s: [1]})()",
    ],
)
def test_facts_of_an_odd_environment_are_missing_not_fatal(write, env):
    facts = started(write(f"def start(game): return {env}\n")).facts()
    assert (facts.space, facts.meanings, facts.keys_to_action) == (None, None, None)


def test_keys_of_environments_are_understood_in_every_form_they_come_in(write):
    source = """
        class Env:
            def get_keys_to_action(self):
                return {(): 0, (ord("w"), ord("d")): 1, "sa": 2, 276: 3, " ": np.int64(4), ("e", None): 5, None: 6,
                        ("F13",): 7, "left": 8}
        def start(game): return Env()
    """
    facts = started(write(source)).facts()
    assert facts.keys_to_action == (
        *[((), 0), (("KeyW", "KeyD"), 1), (("KeyS", "KeyA"), 2), (("ArrowLeft",), 3), (("Space",), 4)],
        *[(("ArrowLeft",), 8)],
    )


# --- real environments -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _box2d_is_loaded():
    """Its loading warns, and crashes the interpreter where warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import Box2D  # noqa: F401


@pytest.mark.parametrize(
    ("game", "shape", "default"),
    [
        ("CartPole-v1", (400, 600, 3), "left"),
        ("ALE/MsPacman-v5", (210, 160, 3), "noop"),
        ("MsPacman-v0", (210, 160, 3), "noop"),
        ("Blackjack-v1", (376, 384, 3), "stick"),
        ("Taxi-v4", (456, 536, 3), "down"),
        ("Pendulum-v1", (500, 500, 3), "noop"),
        ("LunarLander-v3", (400, 600, 3), "noop"),
        ("BipedalWalker-v3", (400, 600, 3), "noop"),
    ],
)
def test_the_shipped_agent_plays(game, shape, default):
    agent = started(SHIPPED, game)
    table = build_action_table(agent.facts())
    assert (table.default, table.problems) == (default, ())
    one = agent.reset(7)
    assert one.seed_used
    assert isinstance(one.info, dict)
    for value in table.values:
        if not agent.step(value).done:
            continue
        agent.reset(None)
    frame = agent.render()
    assert (frame.shape, frame.flags.c_contiguous) == (shape, True)
    agent.close()


def test_the_shipped_agents_seed_repeats_an_episode():
    agent = started(SHIPPED, "CartPole-v1")

    def episode():
        return [agent.reset(3).observation.tolist(), *(agent.step(1).record["observation"].tolist() for _ in range(5))]

    assert episode() == episode()
    agent.close()


def test_car_racing_is_played_with_pedals_and_wheel():
    agent = started(SHIPPED, "CarRacing-v3")
    table = build_action_table(agent.facts())
    assert table.choose([*table.tokens_of_code("ArrowUp"), *table.tokens_of_code("ArrowLeft")]).value == (
        -1.0,
        1.0,
        0.0,
    )
    agent.close()


@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        (
            "MsPacmann-v5",
            "there is no environment 'MsPacmann-v5' here: Environment `MsPacmann` doesn't exist. Did you mean",
        ),
        ("LunarLander-v2", "Please use `LunarLander-v3` instead"),
        ("ALE/Nothing-v5", "there is no environment 'ALE/Nothing-v5'"),
    ],
)
def test_a_game_that_does_not_exist_says_what_does(game, sentence):
    assert sentence in str(refused(load_agent(SHIPPED).start, game))


def test_an_atari_game_without_its_package_says_what_to_install(monkeypatch):
    agent = load_agent(SHIPPED)
    monkeypatch.setattr(agent._owner, "ale_py", None)
    error = refused(agent.start, "MsPackman-v0")
    assert "pip install ale-py, and write game: ALE/MsPackman-v5" in str(error)


def test_an_environment_that_cannot_be_drawn_says_so():
    import gymnasium

    class Words(gymnasium.Env):
        metadata = {"render_modes": ["ansi"]}

        def __init__(self, render_mode=None):
            self.action_space = self.observation_space = gymnasium.spaces.Discrete(2)

    agent = load_agent(SHIPPED)
    gymnasium.register("HippoTest/Words-v0", entry_point=Words)
    try:
        error = refused(agent.start, "HippoTest/Words-v0")
    finally:
        del gymnasium.registry["HippoTest/Words-v0"]
    assert "HippoTest/Words-v0 cannot be shown in a browser: it draws ansi, but no rgb_array" in str(error)


@pytest.mark.skipif(importlib.util.find_spec("gym") is None, reason="needs the gym extra")
@pytest.mark.filterwarnings("ignore")
def test_an_agent_written_for_gym_026_runs_unmodified():
    agent = started(AGENTS / "with_gym.py", "CartPole-v1")
    assert agent.facts().space == {"type": "Discrete", "n": 2, "start": 0}
    assert build_action_table(agent.facts()).names == ("left", "right")
    one, other = agent.reset(5), agent.reset(5)
    assert one.seed_used
    assert (one.observation == other.observation).all()
    assert agent.step(1).record["reward"] == 1.0
    assert agent.render().shape == (400, 600, 3)
    agent.close()
