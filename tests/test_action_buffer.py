"""Which action is applied at a tick, after any sequence of presses and releases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hippogym.core.action_buffer import MOST_HELD, MOST_TURNS, ActionBuffer
from hippogym.core.actions import EnvFacts, build_action_table

PACMAN = ("NOOP", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT")
TABLE = build_action_table(EnvFacts({"type": "Discrete", "n": 9, "start": 0}, PACMAN, name="ALE/MsPacman-v5"))
BITS = build_action_table(EnvFacts({"type": "MultiBinary", "n": 4}))


def buffer(lifespan=1, turn=False, table=TABLE):
    return ActionBuffer(table, lifespan, turn)


def names(buffer, ticks):
    return [buffer.next().name for _ in range(ticks)]


# --- in real time ----------------------------------------------------------------------------------------------------


def test_nothing_pressed_is_the_default():
    applied = buffer().next()
    assert (applied.name, applied.value, applied.origin, applied.age_ticks, applied.seq) == (
        "noop",
        0,
        "default",
        0,
        None,
    )


def test_a_held_key_stays_in_force_while_it_is_held():
    inputs = buffer()
    inputs.hold_codes(["ArrowUp"], 1)
    assert names(inputs, 50) == ["up"] * 50
    inputs.hold_codes([], 2)
    assert names(inputs, 2) == ["noop"] * 2


@pytest.mark.parametrize("lifespan", [1, 2, 5])
def test_a_tap_between_two_ticks_lives_for_its_whole_lifespan(lifespan):
    inputs = buffer(lifespan)
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.hold_codes([], 2)
    assert names(inputs, lifespan + 1) == ["up"] * lifespan + ["noop"]


def test_letting_go_does_not_cut_a_press_short_nor_prolong_it():
    inputs = buffer(lifespan=5)
    inputs.press("upArrow", "up", 1)
    first = names(inputs, 2)
    inputs.release("upArrow")
    assert first + names(inputs, 4) == ["up"] * 5 + ["noop"]


def test_a_click_without_release_lives_for_its_lifespan():
    inputs = buffer(lifespan=3)
    assert inputs.tap("left", 1)
    assert names(inputs, 4) == ["left"] * 3 + ["noop"]


def test_the_next_input_ends_the_one_before():
    inputs = buffer(lifespan=5)
    inputs.tap("left", 1)
    first = names(inputs, 2)
    inputs.tap("up", 2)
    assert first + names(inputs, 6) == ["left"] * 2 + ["up"] * 5 + ["noop"]


def test_press_release_press_within_one_tick_is_the_newest():
    inputs = buffer()
    inputs.press("a", "left", 1)
    inputs.release("a")
    inputs.press("b", "up", 2)
    assert inputs.next().name == "up"


def test_two_held_keys_combine_and_letting_one_go_falls_back_to_the_other():
    inputs = buffer()
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.next()
    inputs.hold_codes(["ArrowUp", "KeyD"], 2)
    both = inputs.next()
    inputs.hold_codes(["KeyD"], 3)
    one = inputs.next()
    assert (both.name, both.seq, both.age_ticks) == ("upright", 2, 0)
    assert (one.name, one.seq, one.age_ticks, one.origin) == ("right", 2, 1, "held")


def test_opposite_keys_give_the_newest_and_then_the_other_again():
    inputs = buffer()
    inputs.press("l", "left", 1)
    inputs.press("r", "right", 2)
    assert inputs.next().name == "right"
    inputs.release("r")
    assert inputs.next().name == "left"


def test_a_tap_beside_a_held_key_combines_for_its_lifespan_and_gives_way():
    inputs = buffer(lifespan=2)
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.next()
    inputs.tap("right", 2)
    assert names(inputs, 3) == ["upright", "upright", "up"]


def test_keys_and_buttons_on_the_screen_combine():
    inputs = buffer()
    inputs.hold_codes(["KeyW"], 1)
    inputs.press("pad", "left", 2)
    assert inputs.next().name == "upleft"


def test_a_whole_set_replaces_the_last_set_but_not_the_buttons():
    inputs = buffer()
    inputs.press("pad", "up", 1)
    inputs.hold_codes(["ArrowLeft", "ArrowDown"], 2)
    inputs.hold_codes(["ArrowRight"], 3)
    assert inputs.next().name == "upright"


def test_keys_without_a_meaning_are_no_input():
    inputs = buffer(lifespan=3)
    inputs.tap("left", 1)
    inputs.next()
    inputs.hold_codes(["KeyX", "Escape"], 2)
    assert names(inputs, 3) == ["left", "left", "noop"]


def test_a_repeated_press_of_a_held_key_becomes_the_newest_but_is_no_new_input():
    inputs = buffer()
    inputs.press("l", "left", 1)
    inputs.press("r", "right", 2)
    inputs.press("l", "left", 3)
    applied = inputs.next()
    assert (applied.name, applied.seq) == ("left", 1)


def test_a_source_that_changes_its_action_has_let_the_old_one_go():
    inputs = buffer()
    inputs.press("stick", "left", 1)
    inputs.press("stick", "up", 2)
    assert inputs.next().name == "up"
    inputs.release("stick")
    assert inputs.next().name == "noop"


def test_losing_the_focus_releases_everything_held():
    inputs = buffer()
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.press("pad", "left", 2)
    inputs.next()
    inputs.release_all()
    assert inputs.next().name == "noop"
    inputs.hold_codes(["ArrowUp"], 3)
    assert inputs.next().seq == 3


def test_clear_forgets_even_what_would_have_lived_on():
    inputs = buffer(lifespan=9)
    inputs.tap("left", 1)
    inputs.hold_codes(["ArrowUp"], 2)
    inputs.clear()
    assert inputs.next().origin == "default"


def test_origin_and_age_tell_held_from_buffered():
    inputs = buffer(lifespan=3)
    inputs.hold_codes(["ArrowUp"], 7)
    inputs.next()
    inputs.hold_codes([], 8)
    applied = inputs.next()
    assert (applied.origin, applied.age_ticks, applied.seq) == ("buffered", 1, 7)


def test_an_unknown_name_is_refused_and_changes_nothing():
    inputs = buffer()
    inputs.press("a", "up", 1)
    assert not inputs.press("a", "jump", 2)
    assert not inputs.tap("", 3)
    assert inputs.next().name == "up"


def test_releasing_what_was_never_pressed_does_nothing():
    inputs = buffer()
    inputs.release("ghost")
    assert inputs.next().name == "noop"


def test_bits_that_are_held_together_are_one_value():
    inputs = buffer(table=BITS)
    inputs.hold_codes(["Digit0"], 1)
    inputs.hold_codes(["Digit0", "Digit3"], 2)
    assert inputs.next().value == (1, 0, 0, 1)


def test_a_flood_of_sources_keeps_only_as_many_as_hands_can_hold():
    inputs = buffer(table=BITS)
    for number in range(10 * MOST_HELD):
        inputs.press(str(number), "1", number)
    assert inputs.next().seq == 10 * MOST_HELD - 1
    for number in range(9 * MOST_HELD, 10 * MOST_HELD):
        inputs.release(str(number))
    inputs.next()
    assert inputs.next().origin == "default", "an older press was still kept"
    inputs.hold_codes([f"Digit{digit}" for digit in range(4)] * 1000, 1)
    assert inputs.next().value == (1, 1, 1, 1)


def test_a_lifespan_below_one_is_refused():
    with pytest.raises(ValueError, match="actionBufferLifespan is 0"):
        buffer(lifespan=0)


# --- turn by turn ----------------------------------------------------------------------------------------------------


def test_the_environment_waits_for_an_input():
    inputs = buffer(turn=True)
    assert not inputs.waiting
    assert inputs.next() is None
    inputs.tap("up", 1)
    assert inputs.waiting
    assert inputs.next().name == "up"
    assert inputs.next() is None


def test_every_press_is_one_turn_in_order_and_holding_does_not_repeat():
    inputs = buffer(lifespan=5, turn=True)
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.hold_codes([], 2)
    inputs.hold_codes(["ArrowLeft"], 3)
    assert [inputs.next().name for _ in range(2)] == ["up", "left"]
    inputs.hold_codes(["ArrowLeft"], 4)
    assert inputs.next() is None


def test_a_turn_knows_its_input_and_how_long_it_waited():
    inputs = buffer(turn=True)
    inputs.tap("up", 4)
    inputs.tap("left", 5)
    first, second = inputs.next(), inputs.next()
    assert (first.seq, first.age_ticks, first.origin) == (4, 0, "buffered")
    assert (second.seq, second.age_ticks) == (5, 1)


def test_a_combination_is_what_is_held_at_the_press():
    inputs = buffer(turn=True)
    inputs.hold_codes(["ArrowUp"], 1)
    inputs.hold_codes(["ArrowUp", "ArrowRight"], 2)
    assert [inputs.next().name for _ in range(2)] == ["up", "upright"]
    inputs.hold_codes([], 3)
    inputs.hold_codes(["KeyS", "KeyA"], 4)
    assert inputs.next().name == "downleft"
    assert inputs.next() is None, "two keys pressed together are one turn"


def test_keys_of_one_set_that_do_not_combine_are_a_turn_each():
    inputs = buffer(turn=True)
    inputs.hold_codes(["ArrowLeft", "ArrowRight"], 1)
    assert [inputs.next().name for _ in range(2)] == ["left", "right"]


def test_waiting_turns_are_bounded_and_the_lost_ones_counted():
    inputs = buffer(turn=True)
    for number in range(MOST_TURNS + 3):
        inputs.tap("up", number)
    assert [inputs.next().seq for _ in range(MOST_TURNS)] == list(range(MOST_TURNS))
    assert inputs.next() is None
    assert inputs.dropped == 3


def test_clear_forgets_waiting_turns():
    inputs = buffer(turn=True)
    inputs.tap("up", 1)
    inputs.clear()
    assert not inputs.waiting


def test_in_real_time_there_is_always_an_action():
    assert buffer().waiting


# --- against a model -------------------------------------------------------------------------------------------------

KEYS = {"ArrowUp": "up", "KeyS": "down", "ArrowLeft": "left", "PadRight": "right"}
DIAGONALS = {
    ("up", "right"): "upright",
    ("up", "left"): "upleft",
    ("down", "right"): "downright",
    ("down", "left"): "downleft",
}


def expected_action(oldest_first):
    """The newest direction, made a diagonal by the newest one that crosses it."""
    if not oldest_first:
        return "noop"
    newest = oldest_first[-1]
    for other in reversed(oldest_first[:-1]):
        for pair in ((newest, other), (other, newest)):
            if pair in DIAGONALS:
                return DIAGONALS[pair]
    return newest


class History:
    """The rules, decided anew at every tick from a list of all that ever happened."""

    def __init__(self, lifespan):
        self.lifespan = lifespan
        self.events = []  # ("press" or "release", key, name) or ("tick",)

    def expected(self):
        in_force = []
        for at, event in enumerate(self.events):
            if event[0] != "press":
                continue
            later = self.events[at + 1 :]
            released = next((i for i, e in enumerate(later) if e[:2] == ("release", event[1])), None)
            if released is not None:
                ticks = sum(e[0] == "tick" for e in later)
                followed = any(e[0] == "press" for e in later[released:])
                if ticks >= self.lifespan or followed:
                    continue
            in_force.append(event[2])
        return expected_action(in_force)


class AgainstHistory(RuleBasedStateMachine):
    """Any mixture of keys, buttons, clicks and ticks gives the action that the whole history says."""

    def __init__(self):
        super().__init__()
        self.history = self.buffer = None
        self.keys, self.buttons, self.seq, self.clicks = [], set(), 0, 0

    @precondition(lambda self: self.buffer is None)
    @rule(lifespan=st.integers(1, 4))
    def begin(self, lifespan):
        self.history, self.buffer = History(lifespan), ActionBuffer(TABLE, lifespan, turn=False)

    @precondition(lambda self: self.buffer is not None)
    @rule(wanted=st.permutations(sorted(KEYS)), count=st.integers(0, 4))
    def hold(self, wanted, count):
        wanted = wanted[:count]
        self.seq += 1
        self.buffer.hold_codes(wanted, self.seq)
        self.history.events += [("release", key) for key in self.keys if key not in wanted]
        self.history.events += [("press", key, KEYS[key]) for key in wanted if key not in self.keys]
        self.keys = wanted

    @precondition(lambda self: self.buffer is not None)
    @rule(name=st.sampled_from(["up", "down", "left", "right"]))
    def press_or_release_a_button(self, name):
        self.seq += 1
        button = f"button {name}"
        if button in self.buttons:
            self.buffer.release(button)
            self.history.events.append(("release", button))
        else:
            self.buffer.press(button, name.upper(), self.seq)
            self.history.events.append(("press", button, name))
        self.buttons ^= {button}

    @precondition(lambda self: self.buffer is not None)
    @rule(name=st.sampled_from(["up", "down", "left", "right"]))
    def click(self, name):
        self.seq += 1
        self.clicks += 1
        self.buffer.tap(name, self.seq)
        self.history.events += [("press", f"click {self.clicks}", name), ("release", f"click {self.clicks}")]

    @precondition(lambda self: self.buffer is not None)
    @rule()
    def lose_focus(self):
        self.buffer.release_all()
        self.history.events += [("release", source) for source in (*self.keys, *self.buttons)]
        self.keys, self.buttons = [], set()

    @precondition(lambda self: self.buffer is not None)
    @rule()
    def tick(self):
        expected = self.history.expected()
        assert self.buffer.next().name == expected
        self.history.events.append(("tick",))

    @invariant()
    def the_same_key_twice_is_one_press(self):
        assert len(set(self.keys)) == len(self.keys)


TestAgainstHistory = AgainstHistory.TestCase
TestAgainstHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.long
@pytest.mark.timeout(300)
class TestAgainstHistoryAtLength(AgainstHistory.TestCase):
    settings = settings(max_examples=1000, stateful_step_count=60, deadline=None)


@given(st.lists(st.sampled_from([*KEYS, "tick"]), max_size=60))
def test_every_press_in_turn_mode_is_one_turn_whatever_comes_between(events):
    """Single keys, each let go of before the next: a queue of eight, and nothing else."""
    inputs, model, dropped = buffer(turn=True), [], 0
    for seq, event in enumerate(events):
        if event == "tick":
            applied = inputs.next()
            assert (applied and (applied.name, applied.seq)) == (model.pop(0) if model else None)
            continue
        inputs.hold_codes([event], seq)
        inputs.hold_codes([], seq)
        if len(model) < MOST_TURNS:
            model.append((KEYS[event], seq))
        else:
            dropped += 1
        assert inputs.waiting
    assert inputs.dropped == dropped
