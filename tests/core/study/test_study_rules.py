"""How a visit moves: by answers and games, past what is left out, back after a failure, to one of six ends."""

import copy
import json

import pytest

from hippogym.core.study import rules
from hippogym.core.study.forms import read_form
from hippogym.core.study.visit import is_over
from hippogym.core.study.way import OUTCOMES, TEXTS
from tests.core.study.ways import AGE, QUESTION, Person, way_of

AGE_FORM, QUIZ = read_form(AGE), read_form(QUESTION)
ATTENTION = read_form("<label>Type yes <input name=a data-right=yes data-attention></label>")


def test_the_steps_come_in_order_and_the_last_page_for_ever():
    person = Person(way_of("consent.html", "game", "survey.html"))
    seen = [(person.view.kind, person.view.page, person.view.number, person.view.of)]
    person.answer()
    seen.append((person.view.kind, person.view.page, person.view.number, person.view.of))
    person.play()
    seen.append((person.view.kind, person.view.page, person.view.number, person.view.of))
    person.answer()
    for _ in range(3):
        view = person.view
        assert (view.kind, view.page, view.outcome, view.stamp) == ("end", "thanks.html", "complete", None)
        assert person.answer(stamp="stamp-1", x="y").repeated and person.visit["outcome"] == "complete"
    assert seen == [("page", "consent.html", 1, 3), ("game", None, 2, 3), ("page", "survey.html", 3, 3)]
    assert person.visit["trail"] == ["consent", "game", "survey"]


def test_a_visit_is_a_document_that_json_carries():
    person = Person(way_of("quiz.html", "game"), forms={"quiz": QUIZ}, groups={"quiz": 1}, link={"PROLIFIC_PID": "x"})
    person.answer(q="b")
    person.answer(q="a")
    person.begin_game()
    assert json.loads(json.dumps(person.visit)) == person.visit
    assert (person.visit["groups"], person.visit["id"], person.visit["v"]) == ({"quiz": "1"}, "v1", 1)


def test_an_answer_is_kept_with_its_page_its_times_and_what_the_browser_says():
    person = Person(way_of("age.html"), forms={"age": AGE_FORM}, groups={"age": "2"})
    person.visit = rules.shown(person.way, person.visit, 1_003.0)
    person.now = 1_010.0
    row = person.answer(age="30", facts={"sha256": "ab", "focus_s": 4.5, "shown_ms": 6000, "client": {"w": 1}}).stored
    assert row == {
        "step": "age", "page": "age-2.html", "sha256": "ab", "stamp": "stamp-1", "try": 1, "answers": {"age": "30"},
        "shown_s": 1_003.0, "submitted_s": 1_011.0, "focus_s": 4.5, "shown_ms": 6000, "client": {"w": 1},
        "right": None, "attention_failed": [],
    }  # fmt: skip
    kept = person.visit["answers"]["age"]
    assert all(kept[name] == row[name] for name in kept)


def test_the_content_of_a_file_stands_in_the_row_and_not_in_the_visit():
    person = Person(way_of("cv.html"), forms={"cv": read_form("<input type=file name=f>")})
    content = {"file": "a.txt", "type": "text/plain", "base64": "YWJj"}
    assert person.answer(f=content).stored["answers"]["f"] == content
    kept = person.visit["answers"]["cv"]["answers"]["f"]
    assert (kept["file"], kept["bytes"], "base64" in kept, len(kept["sha256"])) == ("a.txt", 3, False, 64)


def test_an_answer_that_cannot_be_changes_nothing_and_may_be_given_again():
    person = Person(way_of("age.html", "b.html"), forms={"age": AGE_FORM})
    before = copy.deepcopy(person.visit)
    refused = person.answer(age="0")
    assert [p.name for p in refused.problems] == ["age"] and refused.stored is None
    assert person.visit == before
    person.answer(age="1")
    assert person.step == "b"


def test_an_old_stamp_changes_nothing():
    person = Person(way_of("a.html", "b.html", "c.html"))
    person.answer()
    before = copy.deepcopy(person.visit)
    for stamp in ("stamp-1", "stamp-9", ""):
        result = rules.answer(person.way, person.visit, stamp, {"x": "y"}, None, {}, "new", 2_000.0)
        assert result.repeated and result.stored is None and result.visit == before


def test_no_function_changes_the_visit_that_it_is_given():
    person = Person(way_of("quiz.html", "game"), forms={"quiz": QUIZ})
    before = copy.deepcopy(person.visit)
    rules.answer(person.way, person.visit, "stamp-1", {"q": "b"}, QUIZ, {}, "s", 1.0)
    rules.withdraw(person.way, rules.shown(person.way, person.visit, 9_999.0), 10_000.0)
    assert person.visit == before
    person.answer(q="a")
    person.begin_game()
    before = copy.deepcopy(person.visit)
    rules.game_progress(person.way, person.visit, {"episodes": 1, "ticks": 2, "score": 3.0}, 9_999.0)
    rules.game_over(person.way, person.visit, {"reason": "finished"}, "s", 9_999.0)
    assert person.visit == before


# Quizzes


def test_a_wrong_answer_is_told_and_asked_again_under_a_new_stamp():
    person = Person(way_of("quiz.html", "b.html"), forms={"quiz": QUIZ})
    assert person.answer(q="b").stored["right"] is False
    view = person.view
    assert (view.step.name, view.stamp, view.tries_left) == ("quiz", "stamp-2", None)
    assert [(p.name, p.text) for p in view.problems] == [("q", "Read again.")] and view.answers == {"q": "b"}
    assert person.answer(q="a").stored["try"] == 2
    assert person.step == "b" and person.view.problems == ()


def test_a_quiz_without_a_number_of_tries_is_asked_until_it_is_right():
    person = Person(way_of("quiz.html", "b.html"), forms={"quiz": QUIZ})
    for _ in range(20):
        person.answer(q="b")
    assert person.step == "quiz" and person.visit["tries"] == {"quiz": 20}


def test_after_the_last_try_the_visit_ends_as_the_step_says():
    for goal in ("failedCheck", "screenedOut", "complete"):
        person = Person(way_of({"page": "quiz.html", "tries": 2, "onFail": goal}, "b.html"), forms={"quiz": QUIZ})
        assert person.view.tries_left == 2
        person.answer(q="b")
        assert person.view.tries_left == 1
        person.answer(q="b")
        assert (person.visit["outcome"], person.view.kind) == (goal, "end")


def test_after_the_last_try_participants_may_go_on_all_the_same():
    step = {"page": "quiz.html", "tries": 1, "onFail": "continue"}
    person = Person(way_of(step, "b.html"), forms={"quiz": QUIZ})
    person.answer(q="b")
    assert person.step == "b" and person.visit["answers"]["quiz"]["right"] is False


def test_a_failure_may_lead_back_and_the_tries_begin_anew():
    steps = ("read.html", {"page": "quiz.html", "tries": 2, "onFail": "read"}, "b.html")
    person = Person(way_of(*steps), forms={"quiz": QUIZ})
    for _ in range(3):
        assert person.view.number == 1
        person.answer()
        assert (person.step, person.view.tries_left) == ("quiz", 2)
        person.answer(q="b")
        person.answer(q="b")
    assert person.step == "read" and person.visit["tries"] == {"read": 3, "quiz": 6}
    assert (person.view.number, person.view.of) == (1, 3)


def test_a_page_of_help_comes_only_after_the_failure_that_leads_back_to_it():
    help_page = {"page": "help.html", "when": ["quiz.q == b"]}
    person = Person(way_of(help_page, {"page": "quiz.html", "tries": 1, "onFail": "help"}), forms={"quiz": QUIZ})
    assert person.step == "quiz"
    person.answer(q="b")
    assert person.step == "help"
    person.answer()
    person.answer(q="a")
    assert (person.visit["trail"], person.visit["outcome"]) == (["quiz", "help", "quiz"], "complete")


def test_attention_checks_are_counted_once_and_end_the_visit_only_beyond_the_limit():
    steps = ("a1.html", "a2.html", "b.html")
    forms = {"a1": ATTENTION, "a2": ATTENTION}
    unlimited = Person(way_of(*steps), forms)
    for _ in steps:
        unlimited.answer(a="no")
    assert (unlimited.visit["attention_failed"], unlimited.visit["outcome"]) == (2, "complete")
    limited = Person(way_of(*steps, attentionLimit=1), forms)
    limited.answer(a="no")
    assert limited.step == "a2" and limited.view.problems == ()
    limited.answer(a="no")
    assert limited.visit["outcome"] == "failedCheck"


def test_whoever_is_sent_back_has_met_the_attention_check_already():
    both = read_form("<input name=a data-right=yes data-attention><input name=q data-right=1>")
    person = Person(way_of("both.html", "b.html"), {"both": both})
    person.answer(a="no", q="2")
    person.answer(a="no", q="1")
    assert person.visit["attention_failed"] == 1


# Branches


def test_a_step_is_left_out_where_its_comparison_does_not_hold():
    steps = (
        "age.html",
        {"page": "young.html", "when": ["age.age < 30"]},
        {"page": "old.html", "when": ["age.age >= 30"]},
    )
    for age, page in (("20", "young"), ("40", "old")):
        person = Person(way_of(*steps), forms={"age": AGE_FORM})
        assert person.view.of == 3  # which of the two is not known yet
        person.answer(age=age)
        assert (person.step, person.view.number, person.view.of) == (page, 2, 2)
        person.answer()
        assert person.visit["trail"] == ["age", page] and person.visit["outcome"] == "complete"


def test_all_comparisons_of_a_step_must_hold():
    step = {"page": "b.html", "when": ["age.age > 20", "age.age < 30"]}
    for age, shown in (("20", False), ("25", True), ("30", False)):
        person = Person(way_of("age.html", step), forms={"age": AGE_FORM})
        person.answer(age=age)
        assert (person.step == "b") is shown


def test_an_end_on_the_way_ends_the_visit_of_whoever_comes_by():
    steps = ("age.html", {"end": "screenedOut", "when": ["age.age < 18"]}, "b.html")
    minor, adult = (Person(way_of(*steps), forms={"age": AGE_FORM}) for _ in range(2))
    assert minor.view.of == 2  # an end is no step to a participant
    minor.answer(age="17")
    adult.answer(age="18")
    assert (minor.visit["outcome"], minor.visit["ended_s"]) == ("screenedOut", minor.now)
    assert adult.step == "b"


def test_what_a_step_that_was_left_out_would_have_asked_is_equal_to_nothing():
    steps = ("age.html", {"page": "more.html", "when": ["age.age > 90"]}, {"page": "b.html", "when": ["more.x != 1"]})
    person = Person(way_of(*steps), forms={"age": AGE_FORM})
    person.answer(age="20")
    assert person.step == "b"


def test_games_groups_and_failed_checks_decide_as_answers_do():
    steps = (
        "a.html", "game", {"page": "good.html", "when": ["game.score >= 10", "game.episodes == 2"]},
        {"page": "grouped.html", "when": ["group.a == 1"]}, {"page": "sleepy.html", "when": ["attention_failed > 0"]},
    )  # fmt: skip
    person = Person(way_of(*steps), forms={"a": ATTENTION}, groups={"a": 1})
    assert person.view.page == "a-1.html"
    person.answer(a="no")
    person.play(episodes=2, score=12.0, ticks=50)
    for page in ("good", "grouped", "sleepy"):
        assert person.step == page
        person.answer()
    other = Person(way_of(*steps), forms={"a": ATTENTION}, groups={"a": 0})
    other.answer(a="yes")
    other.play("stopped", episodes=1, score=12.0)
    assert other.visit["outcome"] == "complete"


def test_the_first_step_may_be_left_out_and_all_of_them():
    never = {"page": "a.html", "when": ["condition == x"]}
    assert Person(way_of(never, "b.html")).step == "b"
    assert Person(way_of(never)).visit["outcome"] == "complete"


def test_a_condition_has_its_own_steps_and_its_own_settings():
    arms = {
        "short": {"steps": [{"number": 1, "name": "game", "page": "game"}], "trial": {"maxEpisodes": 1}},
        "long": {"trial": {"maxEpisodes": 9}, "final": {"page": "other.html"}, "agent": {"a": 1}},
    }
    way = way_of("a.html", {"page": "game", "trial": {"seed": 1}}, conditions=arms)
    assert [step.name for step in way.steps_for("short")] == ["game", "finalStep"]
    assert [step.name for step in way.steps_for("long")] == ["a", "game", "finalStep"]
    assert way.steps_for("short")[0].episodes == 1 and way.step_named("long", "game").episodes == 9
    assert way.overrides("long", way.step_named("long", "game")) == ({"maxEpisodes": 9}, {"seed": 1})
    assert way.conditions["long"].agent == {"a": 1} and way.has_steps
    assert Person(way, condition="short").step == "game" and Person(way, condition="long").step == "a"


# Games


def test_a_game_is_begun_goes_on_and_moves_on():
    person = Person(way_of("game", "b.html"))
    assert person.view.kind == "game" and person.visit["games"]["game"]["state"] == "waiting"
    person.begin_game("t1")
    told = {"episodes": 1, "ticks": 40, "score": 2.5}
    person.visit = rules.game_progress(person.way, person.visit, told, 1_100.0)
    game = person.visit["games"]["game"]
    assert (game["state"], game["trial"], game["starts"], person.visit["seen_s"]) == ("playing", "t1", 1, 1_100.0)
    assert {name: game[name] for name in told} == told
    person.end_game("finished", episodes=3, ticks=90, score=4.0)
    game = person.visit["games"]["game"]
    assert (game["state"], game["episodes"], game["score"], game["reason"]) == ("over", 3, 4.0, "finished")
    assert person.step == "b" and person.visit["stamp"] is not None


def test_pages_cannot_be_answered_in_a_game_nor_games_be_played_on_a_page():
    person = Person(way_of("a.html", "game"))
    before = copy.deepcopy(person.visit)
    person.play()
    assert person.visit == before
    person.answer()
    before = copy.deepcopy(person.visit)
    assert person.answer(stamp="stamp-2").repeated and person.visit == before


def test_a_game_that_nobody_has_begun_does_not_end_and_ends_once():
    person = Person(way_of("game", {"page": "game", "name": "again"}))
    person.end_game("finished")
    assert person.step == "game"
    person.play()
    assert person.step == "again"
    person.end_game("finished")
    assert person.step == "again" and person.visit["games"]["again"]["state"] == "waiting"


def test_news_of_an_earlier_trial_change_nothing():
    person = Person(way_of("game"))
    person.begin_game("t1")
    person.end_game("server_lost", episodes=1)
    person.begin_game("t2")
    before = copy.deepcopy(person.visit)
    person.end_game("finished", trial="t1", episodes=3)
    person.visit = rules.game_progress(person.way, person.visit, {"trial": "t1", "episodes": 2}, 5_000.0)
    person.begin_game("t2")
    assert person.visit == before
    person.end_game("finished", trial="t2", episodes=2)
    assert person.visit["outcome"] == "complete"


LOST = ("abandoned", "server", "server_lost", "disconnected")


@pytest.mark.parametrize("reason", LOST)
def test_a_game_whose_environment_is_gone_goes_on_with_the_episodes_that_are_left(reason):
    person = Person(way_of("game"))
    for trial, (episodes, score) in {"t1": (1, 2.0), "t2": (1, 3.0)}.items():
        person.begin_game(trial)
        person.end_game(reason, episodes=episodes, score=score, ticks=10)
        assert person.visit["games"]["game"]["state"] == "waiting"
    person.begin_game("t3")
    person.end_game("finished", episodes=1, score=4.0, ticks=10)
    game = person.visit["games"]["game"]
    assert (game["episodes"], game["score"], game["ticks"], game["starts"]) == (3, 9.0, 30, 3)
    assert person.visit["outcome"] == "complete"


@pytest.mark.parametrize("reason", LOST)
def test_a_game_whose_environment_is_gone_may_be_played_from_the_beginning(reason):
    person = Person(way_of("game", resume="restart"))
    person.play(reason, episodes=2, score=5.0)
    assert person.visit["games"]["game"]["episodes"] == 0
    person.play("finished", episodes=3, score=1.0)
    assert (person.visit["games"]["game"]["episodes"], person.visit["games"]["game"]["score"]) == (3, 1.0)


@pytest.mark.parametrize("reason", [*LOST, "failed"])
def test_a_game_whose_environment_is_gone_may_be_the_end(reason):
    person = Person(way_of("game", "b.html", resume="refuse"))
    person.play(reason)
    assert person.visit["outcome"] == "fault"


def test_a_game_whose_last_episode_was_played_is_over_however_its_trial_ended():
    person = Person(way_of("game", "b.html"))
    person.play("server", episodes=3)
    assert person.step == "b"


@pytest.mark.parametrize("policy", ["resume", "restart"])
def test_a_trial_may_fail_twice_and_not_three_times(policy):
    person = Person(way_of("game", resume=policy))
    person.play("failed")
    person.play("abandoned")
    person.play("failed")
    assert person.view.kind == "game"
    person.play("failed")
    assert person.visit["outcome"] == "fault"


# Ends


def test_withdrawing_ends_the_visit_wherever_it_is():
    for answers in (0, 1):
        person = Person(way_of("a.html", "game"))
        for _ in range(answers):
            person.answer()
        person.begin_game()
        person.visit = rules.withdraw(person.way, person.visit, 2_000.0)
        assert (person.visit["outcome"], person.visit["ended_s"], person.view.kind) == ("withdrew", 2_000.0, "end")
        person.end_game("finished")
        assert person.visit["outcome"] == "withdrew"


def test_the_first_outcome_holds_and_only_six_exist():
    person = Person(way_of("a.html"))
    person.answer()
    ended = rules.end(person.way, person.visit, "fault", 9_999.0)
    assert ended["outcome"] == "complete" and ended["ended_s"] == person.now
    with pytest.raises(ValueError, match="'lost' is not one of complete"):
        rules.end(person.way, person.visit, "lost", 1.0)


def test_every_ending_has_words_and_may_have_a_page():
    way = way_of("a.html", endings={"screenedOut": {"page": "sorry.html", "code": "none"}, "full": {"text": "Full."}})
    assert {outcome: way.ending(outcome).text for outcome in OUTCOMES} == TEXTS | {"full": "Full."}
    assert (way.ending("complete").page, way.ending("complete").code) == ("thanks.html", "signed")
    assert way.pages() == ("a.html", "thanks.html", "sorry.html")
    person = Person(way, groups={"sorry": 1})
    person.visit = rules.end(way, person.visit, "screenedOut", 2.0)
    assert person.view.page == "sorry-1.html"


def test_a_visit_is_abandoned_when_nobody_was_heard_of_for_long_enough():
    person = Person(way_of("a.html"))
    seen = rules.seen(person.visit, 2_000.0)
    assert not rules.abandoned(seen, 1_800.0, 3_800.0) and rules.abandoned(seen, 1_800.0, 3_801.0)
    assert rules.seen(seen, 1_500.0)["seen_s"] == 2_000.0
    person.answer()
    assert not rules.abandoned(person.visit, 1.0, 1e9)


def test_a_superseded_visit_is_closed():
    person = Person(way_of("a.html"))
    person.visit = rules.supersede(person.visit, "v2", 2_000.0)
    assert is_over(person.visit) and person.visit["outcome"] is None and person.view.kind == "end"
    assert person.answer(stamp="stamp-1").repeated
    assert rules.withdraw(person.way, person.visit, 3_000.0)["outcome"] is None


def test_when_a_page_was_shown_first_is_remembered():
    person = Person(way_of("a.html", "b.html"))
    for now in (1_005.0, 1_009.0):
        person.visit = rules.shown(person.way, person.visit, now)
    assert (person.visit["shown_s"], person.visit["seen_s"]) == (1_005.0, 1_009.0)
    person.answer()
    assert person.visit["shown_s"] is None


# A study that is changed under its visits


def test_a_visit_whose_step_is_no_more_goes_on_at_the_next_it_has_not_seen():
    person = Person(way_of("a.html", "b.html", "c.html"))
    person.answer()
    changed = way_of("a.html", "new.html", "c.html")
    assert rules.view(changed, person.visit).step.name == "new"
    mended = rules.mend(changed, person.visit, "fresh", 5_000.0)
    assert (mended["step"], mended["stamp"], mended["trail"]) == ("new", "fresh", ["a", "b", "new"])
    assert rules.mend(changed, mended, "other", 6_000.0) is mended


def test_a_visit_for_which_no_step_is_left_is_over_when_it_goes_on():
    person = Person(way_of("a.html"))
    shorter = way_of()
    answered = rules.answer(shorter, person.visit, person.visit["stamp"], {}, None, {}, "fresh", 5_000.0)
    assert answered.visit["outcome"] == "complete"


def test_a_visit_whose_page_has_become_a_game_and_the_reverse_can_go_on():
    person = Person(way_of({"page": "a.html", "name": "x"}, "b.html"))
    game = way_of({"page": "game", "name": "x"}, "b.html")
    person.visit = rules.mend(game, person.visit, "fresh", 5_000.0)
    assert (person.visit["stamp"], person.visit["games"]["x"]["state"]) == (None, "waiting")
    person.visit = rules.mend(person.way, person.visit, "fresh", 6_000.0)
    person.answer()
    assert person.step == "b"


def test_a_condition_that_is_no_more_has_the_studys_own_steps():
    person = Person(
        way_of("a.html", conditions={"x": {"steps": [{"number": 1, "name": "z", "page": "z.html"}]}}), condition="x"
    )
    person.visit = rules.mend(way_of("a.html"), person.visit, "fresh", 5_000.0)
    assert person.step == "a"
