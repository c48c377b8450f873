"""Who gets into which arm: even at every moment, with a reason, and the same again from the log."""

import hashlib
import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hippogym.core.study.allocation import Allocation
from hippogym.core.study.assignment import decided, replay
from hippogym.core.study.factors import Arm, Factor, factors_of, slot, smallest_block


def equal(*arms: str, **about) -> Factor:
    return Factor("condition", {arm: Arm() for arm in arms}, **about)


class Study:
    """A study of one factor or more, with a log as a ledger keeps it: JSON, one entry after the other."""

    def __init__(self, *factors: Factor) -> None:
        self.allocation, self.log, self.clock_s = Allocation(factors), [], 0.0

    def keep(self, entries) -> None:
        entries = json.loads(json.dumps(entries))
        self.log += entries
        self.allocation.add(entries)

    def arrive(self, visit: str, absent=(), **about):
        self.clock_s += 1
        placement = self.allocation.place(visit, self.clock_s, absent=absent, **about)
        self.keep(placement.entries)
        return placement

    def complete(self, visit: str) -> None:
        self.keep(self.allocation.settle(visit, "complete", self.clock_s))

    def again(self, *factors: Factor) -> None:
        """The server is started anew, perhaps with another config."""
        self.allocation = Allocation(factors or self.allocation.factors, self.log)

    def held(self, factor: str = "condition") -> dict[str, int]:
        return {arm: count.held for arm, count in self.allocation.counts()[factor].items()}


def spread(counts: dict[str, int]) -> int:
    return max(counts.values()) - min(counts.values())


def held_after_each_decision(log, arms) -> list[dict[str, int]]:
    """Completed plus live in each arm, read from the log alone, by other code than the one that is tested."""
    held, moments = dict.fromkeys(arms, 0), []
    for entry in log:
        if entry["event"] in ("assign", "keep"):
            held[entry["arm"]] += 1
            moments.append(dict(held))
        elif entry["event"] == "return":
            held[entry["arm"]] -= 1
    return moments


def chance(seed: int, number: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:6], "big") / 2**48


def simulate(study: Study, arrivals: int, drop_out: float, seed: int) -> list[int]:
    """People who come one after the other, take a while, and complete or leave. Returns how uneven those who are
    really there were after each arrival."""
    ends: dict[int, list[tuple[str, bool]]] = {}
    gone: set[str] = set()
    really: list[int] = []
    for number in range(arrivals):
        for visit, leaves in ends.pop(number, []):
            if leaves:
                gone.add(visit)
            else:
                study.complete(visit)
        visit = f"v{number}"
        study.arrive(visit, absent=gone)
        stays = 1 + int(chance(seed, 2 * number) * 60)
        ends.setdefault(number + stays, []).append((visit, chance(seed, 2 * number + 1) < drop_out))
        really.append(spread({arm: count.there for arm, count in study.allocation.counts()["condition"].items()}))
    return really


@pytest.mark.parametrize(
    "arms", ["abc", pytest.param("ab", marks=pytest.mark.long), pytest.param("abcdefg", marks=pytest.mark.long)]
)
def test_arms_differ_by_one_at_most_through_10000_arrivals_with_30_percent_drop_out(arms):
    factor = equal(*arms, seed=7)
    study = Study(factor)
    really = simulate(study, 10_000, 0.3, seed=len(arms))
    moments = held_after_each_decision(study.log, arms)
    assert len(moments) == 10_000
    assert max(spread(moment) for moment in moments) == 1
    assert sum(uneven <= 1 for uneven in really) > 9_800, "newcomers go where people are really missing"
    assert replay(factor, study.log) == decided(factor, study.log)
    assert Counter(entry["event"] for entry in study.log)["return"] > 2_900


@pytest.mark.long
def test_blocks_stay_even_through_10000_arrivals_too():
    factor = equal("a", "b", "c", method="blocks", seed=1)
    study = Study(factor)
    simulate(study, 10_000, 0.3, seed=3)
    assert max(spread(moment) for moment in held_after_each_decision(study.log, "abc")) == 1
    assert replay(factor, study.log) == decided(factor, study.log)


class Arrivals(RuleBasedStateMachine):
    """People arrive, leave, come back, complete and come again, in any order; the server stops and starts."""

    visits = Bundle("visits")

    @initialize(
        arms=st.integers(2, 5),
        method=st.sampled_from(["balanced", "blocks"]),
        seed=st.integers(0, 10**6),
    )
    def begin(self, arms, method, seed):
        self.factor = equal(*(f"arm {n}" for n in range(arms)), method=method, seed=seed)
        self.study, self.absent, self.first_arm, self.over = Study(self.factor), set(), {}, set()

    @rule(target=visits)
    def somebody_arrives(self):
        visit = f"v{len(self.first_arm)}"
        self.first_arm[visit] = self.study.arrive(visit, self.absent).condition
        return visit

    @rule(visit=visits)
    def somebody_leaves(self, visit):
        if visit not in self.over:
            self.absent.add(visit)

    @rule(visit=visits)
    def somebody_is_heard_of_again_in_time(self, visit):
        if self.study.allocation.settle(visit, "return", 0):  # the place is still theirs
            self.absent.discard(visit)

    @rule(visit=visits)
    def somebody_completes(self, visit):
        if visit not in self.absent:
            self.over.add(visit)
            self.study.complete(visit)

    @rule(visit=visits)
    def a_request_comes_twice(self, visit):
        if visit not in self.absent:
            placement = self.study.allocation.place(visit, 0.0, absent=self.absent)
            assert placement.condition == self.first_arm[visit] and placement.entries == ()

    @rule(target=visits, visit=visits)
    def somebody_comes_again_on_another_device(self, visit):
        again = f"v{len(self.first_arm)}"
        if visit in self.over or not self.study.allocation.settle(visit, "return", 0):
            self.first_arm[again] = self.study.arrive(again, self.absent).condition
            return again
        self.first_arm[again] = self.study.arrive(again, self.absent, instead_of=visit).condition
        assert self.first_arm[again] == self.first_arm[visit]
        self.absent.add(visit)
        return again

    @rule()
    def the_server_starts_anew(self):
        self.study.again()

    @rule()
    def a_researcher_looks(self):
        before = self.study.held()
        self.study.keep(self.study.allocation.preview("preview", 0.0).entries)
        assert self.study.held() == before

    @invariant()
    def arms_are_even_and_the_log_agrees(self):
        assert spread(self.study.held()) <= 1
        moments = held_after_each_decision(self.study.log, self.factor.arms)
        assert all(spread(moment) <= 1 for moment in moments)
        if moments:
            assert moments[-1] == self.study.held()
        assert replay(self.factor, self.study.log) == decided(self.factor, self.study.log)
        assert [entry["n"] for entry in self.study.log] == list(range(len(self.study.log)))


def test_arms_stay_even_whatever_people_do():
    run_state_machine_as_test(Arrivals, settings=settings(max_examples=30, stateful_step_count=40, deadline=None))


@pytest.mark.long
def test_arms_stay_even_whatever_people_do_for_longer():
    run_state_machine_as_test(Arrivals, settings=settings(max_examples=1_000, stateful_step_count=80, deadline=None))


@given(
    weights=st.lists(st.sampled_from([0, 0.5, 1, 2, 3, 10]), min_size=1, max_size=5).filter(any),
    quotas=st.lists(st.none() | st.integers(0, 6), min_size=5, max_size=5),
    method=st.sampled_from(["balanced", "blocks", "random"]),
    seed=st.integers(0, 10**9),
    people=st.lists(st.sampled_from(["arrives", "arrives", "arrives", "leaves", "completes"]), max_size=60),
)
@settings(max_examples=80)
def test_the_log_replays_and_no_quota_is_exceeded(weights, quotas, method, seed, people):
    arms = {f"arm {n}": Arm(weight, quotas[n]) for n, weight in enumerate(weights)}
    factor = Factor("condition", arms, method, seed=seed)
    study, absent, there = Study(factor), set(), []
    for number, what in enumerate(people):
        if what == "arrives":
            there += [f"v{number}"] if study.arrive(f"v{number}", absent).condition else []
        elif there and what == "leaves":
            absent.add(there.pop(number % len(there)))
        elif there:
            study.complete(there.pop(number % len(there)))
        for arm, count in study.held().items():
            assert arms[arm].quota is None or count <= arms[arm].quota
            assert arms[arm].weight or not count
    assert replay(factor, study.log) == decided(factor, study.log)


def test_a_changed_log_is_noticed():
    factor = equal("a", "b", seed=5)
    study = Study(factor)
    for number in range(20):
        study.arrive(f"v{number}")
    entry = study.log[10]
    entry["arm"] = "b" if entry["arm"] == "a" else "a"
    assert replay(factor, study.log) != decided(factor, study.log)


def test_a_full_arm_closes_and_opens_when_somebody_leaves():
    study = Study(Factor("condition", {"a": Arm(quota=1), "b": Arm(quota=2)}))
    arms = [study.arrive(f"v{number}").condition for number in range(3)]
    assert sorted(arms) == ["a", "b", "b"]
    turned_away = study.arrive("late")
    assert (turned_away.condition, turned_away.full) == (None, "condition")
    assert study.log[-1]["event"] == "full" and study.log[-1]["reason"] == "full: a 1, b 2"
    gone = f"v{arms.index('a')}"
    assert study.arrive("later", absent={gone}).condition == "a"
    assert study.arrive("still later", absent={gone}).full == "condition"


def test_quotas_are_met_exactly_although_three_in_ten_leave():
    study = Study(Factor("condition", {"a": Arm(quota=30), "b": Arm(quota=60)}))
    absent, number = set(), 0
    while (placement := study.arrive(f"v{number}", absent)).full is None:
        if chance(4, number) < 0.3:
            absent.add(f"v{number}")
        else:
            study.complete(f"v{number}")
        number += 1
        assert number < 200
    counts = study.allocation.counts()["condition"]
    assert {arm: count.completed for arm, count in counts.items()} == {"a": 30, "b": 60}
    assert placement.arms == {}


def test_weights_are_kept_at_every_moment():
    study = Study(Factor("condition", {"rare": Arm(1), "common": Arm(3)}))
    for number in range(400):
        study.arrive(f"v{number}")
        held = study.held()
        assert abs(held["common"] - 0.75 * (number + 1)) <= 1
    assert study.held() == {"rare": 100, "common": 300}


def test_the_first_one_goes_where_most_are_to_go():
    for seed in range(10):
        assert (
            Study(Factor("condition", {"rare": Arm(1), "common": Arm(3)}, seed=seed)).arrive("v").condition == "common"
        )


def test_an_arm_without_weight_gets_nobody():
    study = Study(Factor("condition", {"open": Arm(), "closed": Arm(0)}))
    assert {study.arrive(f"v{number}").condition for number in range(20)} == {"open"}


def test_every_block_holds_each_arm_by_its_share_in_an_order_of_its_own():
    factor = Factor("condition", {"a": Arm(1), "b": Arm(0.5)}, "blocks", block_size=6, seed=2)
    blocks = [tuple(slot(factor, 6 * block + place) for place in range(6)) for block in range(50)]
    assert all(Counter(block) == {"a": 4, "b": 2} for block in blocks)
    assert len(set(blocks)) > 10


def test_a_place_in_a_block_that_somebody_left_is_filled_before_the_block_goes_on():
    factor = equal("a", "b", method="blocks", seed=9)
    study = Study(factor)
    arms = [study.arrive(f"v{number}").condition for number in range(3)]
    assert study.arrive("v3", absent={"v0"}).condition == arms[0]
    assert study.arrive("v4", absent={"v0"}).condition == slot(factor, 3)


def test_chance_is_fair_and_depends_on_the_seed_alone():
    def arms_of(seed: int, count: int) -> list[str]:
        study = Study(Factor("condition", {"a": Arm(1), "b": Arm(3)}, "random", seed=seed))
        return [study.arrive(f"v{number}").condition for number in range(count)]

    assert arms_of(1, 50) == arms_of(1, 50) != arms_of(2, 50)
    assert Counter(arms_of(3, 4_000))["b"] == pytest.approx(3_000, abs=5 * 27.4)  # five standard deviations
    pairs = Counter(pairwise(arms_of(4, 4_000)))
    assert pairs["b", "b"] == pytest.approx(0.75 * 0.75 * 3_999, rel=0.08), "each draw is independent of the last"


def test_who_is_first_among_equals_is_drawn():
    firsts = Counter(Study(equal("a", "b", seed=seed)).arrive("v").condition for seed in range(400))
    assert firsts["a"] == pytest.approx(200, abs=50)


def test_who_comes_back_in_time_has_lost_nothing():
    study = Study(equal("a", "b"))
    arm = study.arrive("v0").condition
    study.arrive("v1", absent={"v0"})  # takes the place of v0
    other = study.arrive("v2", absent={"v0"}).condition
    assert study.allocation.place("v2", 0.0).entries == ()
    study.arrive("v3", absent={"v0", "v2"})  # takes the place of v2
    assert [e["visit"] for e in study.log if e["event"] == "return"] == ["v0", "v2"]
    back = study.arrive("v0")
    assert back.condition == arm and study.log[-1]["event"] == "keep"
    study.complete("v0")
    assert study.allocation.counts()["condition"][arm].completed == 1
    assert other is not None


def test_who_completes_although_the_place_was_given_away_is_counted():
    study = Study(equal("a", "b"))
    arm = study.arrive("v0").condition
    study.arrive("v1")
    assert study.arrive("v2", absent={"v0"}).condition == arm
    study.complete("v0")
    assert study.allocation.counts()["condition"][arm].completed == 1
    assert study.held()[arm] == 2


def test_only_who_is_absent_now_loses_the_place():
    study = Study(equal("a", "b"))
    arms = {f"v{number}": study.arrive(f"v{number}").condition for number in range(4)}
    first, second = [visit for visit, arm in arms.items() if arm == "a"]
    study.keep(study.allocation.settle(first, "absent", 1.0))
    assert study.arrive("v4", absent={second}).condition == "a"
    assert study.allocation.settle(first, "complete", 2.0)[0]["arm"] == "a"
    assert [e["visit"] for e in study.log if e["event"] == "return"] == [second]
    assert [e["visit"] for e in study.log if e["event"] == "present"] == [first]


def test_who_is_back_counts_again_for_the_next_decision():
    study = Study(equal("a", "b"))
    for number in range(4):
        study.arrive(f"v{number}")
    study.keep(study.allocation.settle("v0", "absent", 1.0))
    study.arrive("v4")
    assert [entry["event"] for entry in study.log[-2:]] == ["present", "assign"]
    assert study.log[-1]["reason"] == "drawn among a, b: a 2, b 2"


@pytest.mark.parametrize("method", ["balanced", "blocks"])
def test_a_place_that_was_given_back_at_once_is_the_next_to_be_taken(method):
    study = Study(equal("a", "b", method=method, seed=2))
    arms = [study.arrive(f"v{number}").condition for number in range(4)]
    study.keep(study.allocation.settle("v0", "return", 1.0))
    assert study.arrive("v4", absent={"v2"} if arms[2] == arms[0] else {"v3"}).condition == arms[0]
    assert [e["visit"] for e in study.log if e["event"] == "return"] == ["v0"]
    assert spread(study.held()) == 0


def test_absence_that_nobody_made_use_of_leaves_no_trace_in_the_counts():
    study = Study(equal("a", "b"))
    for number in range(4):
        study.arrive(f"v{number}")
    before = study.held()
    study.keep(study.allocation.settle("v0", "absent", 1.0))
    assert study.held() == before and sum(c.absent for c in study.allocation.counts()["condition"].values()) == 1
    study.keep(study.allocation.settle("v0", "present", 2.0))
    assert study.held() == before and sum(c.absent for c in study.allocation.counts()["condition"].values()) == 0


def test_who_comes_again_is_in_the_same_arms_and_counts_once():
    study = Study(equal("a", "b", "c"), Factor("survey", {"0": Arm(), "1": Arm()}))
    for number in range(5):
        study.arrive(f"v{number}")
    first = study.arrive("phone")
    before = study.held(), study.held("survey")
    again = study.arrive("laptop", instead_of="phone")
    assert again.arms == first.arms
    assert (study.held(), study.held("survey")) == before


def test_previews_see_every_arm_in_turn_and_are_never_counted():
    study = Study(equal("a", "b", "c"))
    seen = []
    for number in range(6):
        placement = study.allocation.preview(f"p{number}", 0.0)
        study.keep(placement.entries)
        seen.append(placement.condition)
    assert seen == ["a", "b", "c", "a", "b", "c"]
    assert set(study.held().values()) == {0}
    assert {entry["event"] for entry in study.log} == {"preview"}
    assert study.allocation.settle("p0", "complete", 0.0) == ()


def test_several_factors_are_given_together_or_not_at_all():
    study = Study(equal("a", "b"), Factor("survey", {"0": Arm(quota=1), "1": Arm(quota=0)}))
    assert study.arrive("v0").groups == {"survey": "0"}
    refused = study.arrive("v1")
    assert refused.full == "survey" and refused.arms == {}
    assert sum(study.held().values()) == 1


def test_an_edit_of_the_study_is_in_the_log_and_the_log_still_replays():
    study = Study(equal("a", "b", seed=3))
    for number in range(10):
        study.arrive(f"v{number}")
    study.again(Factor("condition", {"b": Arm(), "c": Arm(2)}, "blocks", seed=4))
    study.arrive("v10")
    study.again()
    for number in range(11, 20):
        study.arrive(f"v{number}", absent={"v2", "v12"})
    assert [entry["event"] for entry in study.log].count("settings") == 2
    assert replay(equal("whatever"), study.log) == decided(equal("whatever"), study.log)
    assert study.allocation.counts()["condition"]["a"].held == 5


@pytest.mark.parametrize("seed", range(5))
def test_other_blocks_begin_with_a_whole_one(seed):
    study = Study(equal("a", "b", method="blocks", seed=seed))
    study.arrive("v0")
    study.again(equal("a", "b", "c", method="blocks", seed=seed))
    assert sorted(study.arrive(f"v{number}").condition for number in (1, 2, 3)) == ["a", "b", "c"]
    study.again()
    assert sorted(study.arrive(f"v{number}").condition for number in (4, 5, 6)) == ["a", "b", "c"]
    assert replay(equal("whatever"), study.log) == decided(equal("whatever"), study.log)


def test_entries_that_were_never_kept_have_no_effect():
    study = Study(equal("a", "b"))
    study.arrive("v0")
    twice = [study.allocation.place("v1", 5.0) for _ in range(2)]
    assert twice[0] == twice[1]
    study.keep(twice[0].entries)
    study.keep(study.allocation.settle("v1", "complete", 6.0) * 2)
    assert sum(count.completed for count in study.allocation.counts()["condition"].values()) == 1


def test_every_entry_says_why():
    study = Study(equal("a", "b", seed=1))
    for number in range(3):
        study.arrive(f"v{number}", absent={"v0"} if number == 2 else ())
    reasons = [(entry["event"], entry["reason"]) for entry in study.log[1:]]
    assert reasons[0][1] == "drawn among a, b: a 0, b 0"
    assert reasons[1] == ("assign", f"furthest behind: {'a 1, b 0' if study.log[1]['arm'] == 'a' else 'a 0, b 1'}")
    assert [event for event, _ in reasons[2:]] == ["absent", "return", "assign"]
    assert all(reason for _, reason in reasons)


def test_factors_come_from_the_studys_settings():
    given = {
        "conditions": {"calm": {"weight": 2, "quota": 10}, "quick": {}},
        "assignment": {"method": "blocks", "blockSize": 6, "seed": None},
    }
    condition, page = factors_of(given, {"survey": ["0", "1"]}, seed=11)
    assert condition.arms == {"calm": Arm(2, 10), "quick": Arm()} and condition.block_size == 6
    assert (page.name, page.method, page.block_size, page.seed) == ("survey", "blocks", None, 11)
    assert factors_of({"assignment": {"seed": 0}}, {"survey": ["0"]}, seed=11)[0].seed == 0
    assert factors_of({}, {}, seed=1) == ()
    with pytest.raises(ValueError, match="condition.html"):
        factors_of({}, {"condition": ["0", "1"]}, seed=1)


@pytest.mark.parametrize(
    ("arms", "about", "message"),
    [
        ({"a": Arm(-1)}, {}, "a weight is a number from 0"),
        ({"a": Arm(float("inf"))}, {}, "a weight is a number from 0"),
        ({"a": Arm(0), "b": Arm(0)}, {}, "no arm has a weight"),
        ({}, {}, "no arm has a weight"),
        ({"a": Arm(quota=-1)}, {}, "a quota is a whole number from 0"),
        ({"a": Arm()}, {"method": "alphabetical"}, "'alphabetical' is not a method: balanced, blocks, random"),
        ({"a": Arm(1), "b": Arm(2)}, {"method": "blocks", "block_size": 4}, "a block has 3 places, or a multiple"),
    ],
)
def test_what_cannot_be_assigned_is_refused(arms, about, message):
    with pytest.raises(ValueError, match=message):
        Factor("condition", arms, **about)


def test_the_smallest_block_holds_whole_shares():
    assert smallest_block({"a": Arm(0.5), "b": Arm(1.5), "c": Arm(0)}) == 4
    assert smallest_block({"a": Arm(10), "b": Arm(10)}) == 2
