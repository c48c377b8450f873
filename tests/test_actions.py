"""Which actions exist, what they are called, which keys give them, and which one a set of held keys means."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.action_names import atoms_of, is_noop, same_name, squash
from hippogym.core.actions import EnvFacts, build_action_table
from hippogym.core.keymaps import code_of, parse_combination

ATARI_18 = (
    "NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT UPFIRE RIGHTFIRE LEFTFIRE DOWNFIRE "
    "UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE DOWNLEFTFIRE"
).split()
PACMAN_9 = "NOOP UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT".split()


def discrete(n, name="", meanings=None, start=0, keys=None):
    return EnvFacts({"type": "Discrete", "n": n, "start": start}, tuple(meanings) if meanings else None, keys, name)


def box(low, high, name=""):
    return EnvFacts({"type": "Box", "low": low, "high": high, "shape": [len(low)], "dtype": "float32"}, name=name)


def pacman():
    return discrete(9, "ALE/MsPacman-v5", PACMAN_9)


def held(table, *codes):
    return table.choose([token for code in codes for token in table.tokens_of_code(code)])


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["upleft", "leftUp", "up_left", "UP-LEFT", " Left Up ", "north west"])
def test_a_diagonal_is_found_whichever_way_it_is_spelt(spelling):
    assert build_action_table(pacman()).lookup(spelling) == "upleft"


def test_a_diagonal_of_the_study_is_found_by_the_name_of_the_pages_control():
    table = build_action_table(pacman(), ["noop", "up", "right", "left", "down", "rightUp", "leftUp", "dr", "dl"])
    assert table.lookup("upright") == "rightUp"


def test_noop_is_the_default_where_the_environment_has_none():
    table = build_action_table(discrete(2, "CartPole-v1"))
    assert table.default == "left"
    assert table.lookup("noop") == "left"


def test_an_unknown_name_is_nothing():
    assert build_action_table(pacman()).lookup("jump") is None
    assert build_action_table(pacman()).tokens_of_name("jump") == ()


@pytest.mark.parametrize("name", ["upup", "updown", "leftright", "noop", "", "+", "sunrise", "fireup!"])
def test_only_true_directions_have_atoms(name):
    assert atoms_of(name) == frozenset()


def test_signs_tell_names_apart():
    assert not same_name("0-", "0+")
    assert not same_name("-1", "1")


@given(st.text(max_size=30))
def test_any_text_can_be_looked_up(text):
    assert build_action_table(pacman()).lookup(text) in (None, *map(str.lower, PACMAN_9))
    squash(text), is_noop(text), code_of(text), parse_combination(text)


# --- what environments offer -----------------------------------------------------------------------------------------


def test_atari_names_come_from_the_environment_in_its_order():
    table = build_action_table(discrete(18, "ALE/Pitfall-v5", ATARI_18))
    assert table.names == tuple(name.lower() for name in ATARI_18)
    assert table.values == tuple(range(18))
    assert table.default == "noop"
    assert table.problems == ()


def test_every_atari_action_can_be_reached_on_arrows_and_on_wasd_with_space():
    table = build_action_table(discrete(18, "ALE/Pitfall-v5", ATARI_18))
    for up, down, left, right in (
        ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"),
        ("KeyW", "KeyS", "KeyA", "KeyD"),
    ):
        code = {"up": up, "down": down, "left": left, "right": right, "fire": "Space"}
        for name in table.names[1:]:
            for order in itertools.permutations(code[atom] for atom in atoms_of(name)):
                assert table.resolve(order) == name, order


PONG = "NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE".split()


@pytest.mark.parametrize("name", ["ALE/Pong-v5", "PongNoFrameskip-v4"])
def test_pongs_paddle_goes_where_the_arrow_points(name):
    """In the game, right is up and left is down."""
    table = build_action_table(discrete(6, name, PONG))
    for keys, action in (("ArrowUp", "right"), ("KeyS", "left"), ("PadUp+PadA", "rightfire"), ("KeyD", "right")):
        assert held(table, *keys.split("+")).name == action
    assert table.problems == ()


def test_pongs_own_keys_give_way_to_the_studys_and_to_an_action_that_is_called_up():
    table = build_action_table(discrete(6, "ALE/Pong-v5", PONG), keys={"ArrowUp": "fire", "KeyW": None})
    assert table.resolve(["ArrowUp"]) == "fire"
    assert table.resolve(["KeyW"]) == "noop"
    table = build_action_table(discrete(6, "ALE/Pong-v5", PONG), ["noop", "fire", "up", "down", "upfire", "downfire"])
    assert table.value_of(table.resolve(["ArrowUp"])) == 2
    table = build_action_table(discrete(18, "ALE/Pong-v5", ATARI_18))
    assert table.resolve(["ArrowUp"]) == "up"


def test_other_games_keep_the_arrows_of_their_names():
    table = build_action_table(discrete(4, "ALE/Breakout-v5", PONG[:4]))
    assert table.tokens_of_code("ArrowUp") == ()


def test_a_gamepad_plays_too():
    table = build_action_table(discrete(18, "ALE/Pitfall-v5", ATARI_18))
    assert table.resolve(["PadUp", "PadLeft", "PadA"]) == "upleftfire"


@pytest.mark.parametrize(
    ("name", "n", "names", "default"),
    [
        ("CartPole-v1", 2, ("left", "right"), "left"),
        ("MountainCar-v0", 3, ("left", "noop", "right"), "noop"),
        ("Acrobot-v1", 3, ("left", "noop", "right"), "noop"),
        ("LunarLander-v3", 4, ("noop", "left", "up", "right"), "noop"),
        ("FrozenLake8x8-v1", 4, ("left", "down", "right", "up"), "left"),
        ("CliffWalkingSlippery-v1", 4, ("up", "right", "down", "left"), "up"),
        ("Taxi-v4", 6, ("down", "up", "right", "left", "pickup", "dropoff"), "down"),
        ("tabular/Blackjack-v0", 2, ("stick", "hit"), "stick"),
        ("CartPoleEnv", 2, ("left", "right"), "left"),
    ],
)
def test_well_known_environments_have_names_and_a_key_for_every_action(name, n, names, default):
    table = build_action_table(discrete(n, name))
    assert table.names == names
    assert table.default == default
    assert table.problems == ()
    assert all(row["keys"] for row in table.legend())


def test_a_name_that_is_known_with_another_space_is_not_known():
    assert build_action_table(discrete(3, "CartPole-v1")).names == ("0", "1", "2")
    assert build_action_table(discrete(2, "CartPole-v1", start=5)).names == ("5", "6")


def test_an_unknown_discrete_environment_gets_digits_then_letters():
    table = build_action_table(discrete(14))
    assert table.names == tuple(str(action) for action in range(14))
    assert [table.resolve([f"Digit{digit}"]) for digit in range(10)] == list("0123456789")
    assert [row["keys"] for row in table.legend()[10:]] == [[["KeyQ"]], [["KeyW"]], [["KeyE"]], [["KeyR"]]]


def test_actions_beyond_the_keyboard_are_told():
    table = build_action_table(discrete(50))
    assert "no key is left for 36, 37" in table.problems[0]
    assert table.value_of("49") == 49


def test_a_space_that_starts_elsewhere_gives_its_own_numbers():
    assert build_action_table(discrete(3, start=-1)).values == (-1, 0, 1)
    assert build_action_table(discrete(3, start=7), ["a", "b", "c"]).value_of("c") == 9


def test_the_environments_own_keys_are_used_where_names_say_nothing():
    own = (((), 2), (("KeyJ",), 0), (("KeyK",), 1), (("KeyJ", "KeyK"), 3))
    table = build_action_table(discrete(4, "Custom", ("spin", "hop", "sit", "roll"), keys=own))
    assert table.default == "sit"
    assert [table.resolve(codes) for codes in (["KeyJ"], ["KeyK"], ["KeyK", "KeyJ"], [])] == [
        "spin",
        "hop",
        "roll",
        "sit",
    ]


def test_opposites_that_an_environment_maps_to_nothing_do_not_freeze_the_player():
    own = (((), 1), (("ArrowLeft",), 0), (("ArrowRight",), 2), (("ArrowLeft", "ArrowRight"), 1))
    table = build_action_table(discrete(3, "MountainCar-v0", keys=own))
    assert table.resolve(["ArrowLeft", "ArrowRight"]) == "right"


# --- the study's own list ---------------------------------------------------------------------------------------------


def test_a_list_of_another_length_is_a_problem_and_its_surplus_is_left_out():
    table = build_action_table(discrete(2, "CartPole-v1"), ["left", "right", "jump"])
    assert table.names == ("left", "right")
    assert "has 3 names, but CartPole-v1 (Discrete(2)) has 2 actions" in table.problems[0]


def test_a_list_in_another_order_than_the_environments_is_a_problem():
    table = build_action_table(
        pacman(), ["noop", "up", "right", "left", "upright", "upleft", "downright", "downleft", "down"]
    )
    assert table.problems[0] == (
        "trial.actionSpace names action 4 'upright', "
        "but in ALE/MsPacman-v5 action 4 is 'DOWN' and 'UPRIGHT' is action 5"
    )
    assert len(table.problems) == 5


def test_the_order_of_known_environments_is_checked_too():
    assert build_action_table(discrete(2, "CartPole-v1"), ["right", "left"]).problems
    assert not build_action_table(discrete(2, "CartPole-v1"), ["left", "right"]).problems


def test_names_of_ones_own_are_no_problem():
    table = build_action_table(pacman(), ["still", *"abcdefgh"])
    assert table.problems == ()
    assert table.default == "still"


def test_one_name_twice_is_a_problem_and_the_first_counts():
    table = build_action_table(discrete(3), ["upleft", "x", "LEFT-UP"])
    assert "are one name" in table.problems[0]
    assert table.value_of(table.lookup("leftUp")) == 0


def test_a_list_for_a_space_of_arrays_gives_positions_and_says_so():
    table = build_action_table(box([-1], [1]), ["left", "right"])
    assert table.values == (0, 1)
    assert "translate them in step(), or write a map" in table.problems[0]


def test_a_list_is_enough_for_an_environment_without_an_action_space():
    table = build_action_table(EnvFacts(name="Lab"), ["noop", "left", "right"])
    assert (table.default, table.value_of("right"), table.problems) == ("noop", 2, ())


def test_the_neutral_action_of_a_known_environment_is_found_under_any_name():
    assert build_action_table(discrete(3, "MountainCar-v0"), ["left", "glide", "right"]).default == "glide"


def test_the_study_chooses_the_default():
    assert build_action_table(discrete(2, "CartPole-v1"), default_action="Right").default == "right"
    with pytest.raises(ValueError, match=r"trial.defaultAction: there is no action 'jump'; there are left, right"):
        build_action_table(discrete(2, "CartPole-v1"), default_action="jump")


# --- maps and spaces of arrays ---------------------------------------------------------------------------------------


def test_a_map_plays_a_box_and_zeros_are_the_default():
    table = build_action_table(box([-1.0], [1.0]), {"left": [-1.0], "right": 1})
    assert table.names == ("left", "right", "noop")
    assert table.values == ((-1.0,), (1.0,), (0.0,))
    assert table.default == "noop"
    assert table.resolve(["ArrowLeft"]) == "left"
    assert table.problems == ()


@pytest.mark.parametrize(
    ("facts", "value", "complaint"),
    [
        (box([-1.0, -1.0], [1.0, 1.0]), [1.0], "has not the shape [2]"),
        (box([-1.0], [1.0]), [2.0], "outside the bounds"),
        (box([-1.0], [1.0]), "fast", "not made of numbers"),
        (discrete(4), 4, "not a whole number from 0 to 3"),
        (discrete(4), [1], "not a whole number from 0 to 3"),
        (EnvFacts({"type": "MultiBinary", "n": 2}), [0, 2], "outside the bounds"),
        (EnvFacts({"type": "MultiDiscrete", "nvec": [3, 2]}), [0, 2], "outside the bounds"),
    ],
)
def test_a_value_outside_the_space_is_a_problem(facts, value, complaint):
    assert complaint in build_action_table(facts, {"go": value}).problems[0]


def test_a_map_on_a_discrete_space_keeps_its_numbers_and_says_what_nothing_is():
    table = build_action_table(discrete(5), {"jump": 3})
    assert (table.value_of("jump"), table.value_of(table.default)) == (3, 0)
    assert "when nothing is pressed" in table.problems[0]


def test_a_map_plays_spaces_that_have_no_keys_of_their_own():
    facts = EnvFacts({"type": "Dict", "repr": "Dict('arm': Box(...))"}, name="Robot-v0")
    table = build_action_table(facts, {"noop": {"arm": [0.0]}, "up": {"arm": [1.0]}})
    assert table.value_of(table.resolve(["ArrowUp"])) == {"arm": (1.0,)}


@pytest.mark.parametrize("kind", ["Dict", "Tuple", "Text", "Graph"])
def test_a_space_without_names_says_what_to_write(kind):
    with pytest.raises(ValueError, match=r"Robot-v0 .* write trial.actionSpace as a map from a name"):
        build_action_table(EnvFacts({"type": kind, "repr": f"{kind}(...)"}, name="Robot-v0"))


def test_an_environment_without_any_action_space_says_what_to_write():
    with pytest.raises(ValueError, match="has no action_space.*list their names in trial.actionSpace"):
        build_action_table(EnvFacts())


@pytest.mark.parametrize("empty", [[], {}])
def test_an_empty_action_space_is_refused(empty):
    with pytest.raises(ValueError, match="trial.actionSpace is empty"):
        build_action_table(pacman(), empty)


def test_a_huge_box_is_refused_with_what_to_write():
    with pytest.raises(ValueError, match="as a map from a name"):
        build_action_table(EnvFacts({"type": "Box", "shape": [84, 84, 3], "dtype": "uint8"}))
    with pytest.raises(ValueError, match="as a map from a name"):
        build_action_table(box([-1.0] * 65, [1.0] * 65))


def test_every_dimension_of_an_unknown_box_has_its_keys():
    table = build_action_table(box([-1.0, 0.0, float("-inf")], [1.0, 2.0, float("inf")]))
    assert table.names == ("0-", "0+", "1+", "2-", "2+", "noop")
    assert table.values[2:] == ((0.0, 2.0, 0.0), (0.0, 0.0, -1.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    assert [table.resolve([code]) for code in ("ArrowLeft", "KeyQ", "KeyW", "KeyD", "KeyE")] == [
        "0-",
        "0+",
        "1+",
        "2-",
        "2+",
    ]


def test_neutral_is_moved_into_the_bounds():
    table = build_action_table(box([0.5, -3.0], [1.0, -1.0]))
    assert table.value_of(table.default) == (0.5, -1.0)


def test_keys_of_a_box_compose():
    table = build_action_table(box([-1.0, 0.0, 0.0], [1.0, 1.0, 1.0], "CarRacing-v3"))
    choice = held(table, "ArrowUp", "KeyA")
    assert (choice.name, choice.value) == ("left&up", (-1.0, 1.0, 0.0))


def test_of_opposite_keys_of_a_box_the_newest_wins():
    table = build_action_table(box([-1.0, 0.0, 0.0], [1.0, 1.0, 1.0], "CarRacing-v3"))
    assert held(table, "ArrowLeft", "ArrowUp", "ArrowRight").value == (1.0, 1.0, 0.0)
    assert held(table, "ArrowLeft", "ArrowRight").name == "right"


def test_composed_values_stay_inside_the_bounds():
    table = build_action_table(box([-1.0], [1.0]), {"slow": [0.4], "fast": [0.8]}, {"KeyJ": "slow", "KeyK": "fast"})
    assert held(table, "KeyJ", "KeyK").value == (1.0,)


def test_a_combination_that_the_study_names_comes_before_composing():
    keys = {"KeyJ": "slow", "KeyK": "fast", "KeyJ+KeyK": "stop"}
    table = build_action_table(box([-1.0], [1.0]), {"slow": [0.4], "fast": [0.8], "stop": [0.0]}, keys)
    assert (held(table, "KeyJ", "KeyK").name, held(table, "KeyK").name) == ("stop", "fast")


def test_bits_are_chords():
    table = build_action_table(EnvFacts({"type": "MultiBinary", "n": 4}))
    assert held(table, "Digit3", "Digit0").value == (1, 0, 0, 1)
    assert table.value_of(table.default) == (0, 0, 0, 0)


def test_a_consoles_buttons_name_its_bits():
    table = build_action_table(EnvFacts({"type": "MultiBinary", "n": 4}, ("B", "", "LEFT", "UP")))
    assert table.names == ("b", "1", "left", "up", "noop")
    assert held(table, "ArrowLeft", "KeyW").value == (0, 0, 1, 1)


def test_choices_of_different_dimensions_compose_and_the_newest_counts_in_each():
    table = build_action_table(EnvFacts({"type": "MultiDiscrete", "nvec": [3, 2], "start": [0, 0]}))
    assert table.names == ("0=1", "0=2", "1=1", "noop")
    assert table.choose(["0=1", "1=1", "0=2"]).value == (2, 1)


def test_bipedal_walker_has_a_column_of_keys_for_each_joint():
    table = build_action_table(box([-1.0] * 4, [1.0] * 4, "BipedalWalker-v3"))
    assert held(table, "KeyQ", "KeyS").value == (1.0, -1.0, 0.0, 0.0)


# --- keys of the study -----------------------------------------------------------------------------------------------


def test_the_studys_keys_replace_what_they_gave_and_leave_the_others():
    table = build_action_table(pacman(), keys={"i": "up", "ArrowUp": "down", "KeyJ+KeyK": "UP-RIGHT"})
    assert table.resolve(["KeyI"]) == "up"
    assert table.resolve(["ArrowUp"]) == "down"
    assert table.resolve(["KeyK", "KeyJ"]) == "upright"
    assert table.resolve(["KeyW"]) == "up"
    assert table.resolve(["ArrowUp", "ArrowRight"]) == "downright"
    assert table.problems == ()


def test_a_key_can_be_taken_away():
    table = build_action_table(pacman(), keys={"ArrowUp": None})
    assert table.resolve(["ArrowUp"]) == "noop"
    assert table.resolve(["ArrowUp", "ArrowRight"]) == "right"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"ArrowUp": "jump"}, "there is no action 'jump'"),
        ({"Hyperspace": "up"}, "'Hyperspace' is not a key"),
        ({"KeyJ": "up", "j": "down"}, "this key is already 'up'"),
        ({"KeyJ": "up", "KeyK": "up", "KeyJ+KeyD": "down", "KeyK+KeyD": "left"}, "already mean 'down', which stays"),
    ],
)
def test_keys_that_cannot_be_so_are_told(keys, problem):
    table = build_action_table(pacman(), keys=keys)
    assert len(table.problems) == 1
    assert problem in table.problems[0]


def test_an_action_whose_key_is_taken_away_gets_no_other():
    table = build_action_table(discrete(4), keys={"2": None})
    assert table.resolve(["Digit2"]) == "0"
    assert [row["keys"] for row in table.legend()] == [[["Digit0"]], [["Digit1"]], [], [["Digit3"]]]


def test_the_larger_combination_wins_over_the_one_with_newer_keys():
    table = build_action_table(discrete(3), ["noop", "two", "three"], {"K+L": "two", "H+I+L": "three"})
    assert table.resolve(["KeyH", "KeyI", "KeyK", "KeyL"]) == "three"


def test_a_modifier_without_an_action_of_its_own_changes_another_key():
    table = build_action_table(discrete(3), ["noop", "walk", "run"], {"KeyJ": "walk", "Shift+KeyJ": "run"})
    assert table.resolve(["ShiftLeft"]) == "noop"
    assert table.resolve(["ShiftLeft", "KeyJ"]) == "run"
    assert table.resolve(["KeyJ", "ShiftLeft"]) == "run"


def test_the_legend_shows_the_real_keys_in_reading_order():
    legend = {row["action"]: row["keys"] for row in build_action_table(pacman(), keys={"KeyU": "upright"}).legend()}
    assert legend["upright"] == [["KeyU"], ["ArrowUp", "ArrowRight"], ["KeyW", "KeyD"], ["PadUp", "PadRight"]]
    assert list(legend) == [name.lower() for name in PACMAN_9]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        *[("w", "KeyW"), (" ", "Space"), ("5", "Digit5"), ("numpad 5", "Numpad5")],
        *[("LEFT", "ArrowLeft"), ("arrow_up", "ArrowUp"), ("Shift", "ShiftLeft")],
        *[(ord("d"), "KeyD"), (13, "Enter"), (276, "ArrowLeft"), (1073741903, "ArrowRight")],
        *[(None, None), (True, None), ("", None), (-1, None), (10**30, None), (1.5, None)],
    ],
)
def test_keys_are_understood_as_environments_write_them(key, code):
    assert code_of(key) == code


# --- held together ---------------------------------------------------------------------------------------------------


def test_keys_of_different_families_and_names_combine():
    table = build_action_table(discrete(18, "ALE/Pitfall-v5", ATARI_18))
    assert table.resolve(["KeyW", "ArrowRight", "Space"]) == "uprightfire"
    assert table.resolve_names(["up", "right"]) == "upright"
    assert table.resolve_names(["leftUp", "fire"]) == "upleftfire"
    assert table.choose([*table.tokens_of_code("ArrowUp"), *table.tokens_of_name("left")]).name == "upleft"


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        (["ArrowLeft", "ArrowRight"], "right"),
        (["ArrowRight", "ArrowLeft"], "left"),
        (["ArrowLeft", "ArrowRight", "ArrowUp"], "upright"),
        (["ArrowUp", "ArrowLeft", "ArrowRight"], "upright"),
        (["ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"], "downleft"),
        (["ArrowUp", "KeyX", "Space"], "up"),
        (["KeyX"], "noop"),
        ([], "noop"),
    ],
)
def test_the_newest_wins_where_keys_do_not_combine(codes, name):
    assert build_action_table(pacman()).resolve(codes) == name


def test_a_new_key_that_combines_with_nothing_is_not_swallowed_by_an_older_combination():
    table = build_action_table(discrete(5), ["noop", "up", "right", "upright", "fire"])
    assert table.resolve(["ArrowUp", "ArrowRight", "Space"]) == "fire"


COMBINATIONS = {frozenset(atoms_of(name)): name.lower() for name in ATARI_18 if name != "NOOP"}
CODES = {"up": "ArrowUp", "down": "KeyS", "left": "PadLeft", "right": "ArrowRight", "fire": "Space"}


@given(st.permutations(sorted(CODES)).flatmap(lambda order: st.integers(0, 5).map(lambda length: order[:length])))
def test_any_atari_keys_mean_the_largest_action_with_the_newest_of_them(pressed):
    """Against every subset, tried out one by one."""
    subsets = [set(s) for size in range(1, 6) for s in itertools.combinations(pressed, size) if pressed[-1] in s]
    meant = [subset for subset in subsets if frozenset(subset) in COMBINATIONS]
    newest_first = sorted(meant, key=lambda s: (len(s), sorted(map(pressed.index, s), reverse=True)), reverse=True)
    expected = COMBINATIONS[frozenset(newest_first[0])] if newest_first else "noop"
    table = build_action_table(discrete(18, "ALE/Pitfall-v5", ATARI_18))
    assert table.resolve([CODES[atom] for atom in pressed]) == expected


@given(st.lists(st.integers(0, 7), max_size=10))
def test_bits_held_in_any_order_are_their_union(pressed):
    table = build_action_table(EnvFacts({"type": "MultiBinary", "n": 8}))
    choice = table.choose([token for bit in pressed for token in table.tokens_of_code(f"Digit{bit}")])
    assert (choice.value if choice else (0,) * 8) == tuple(int(bit in pressed) for bit in range(8))
