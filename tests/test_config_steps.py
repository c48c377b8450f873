"""Steps with details, conditions, endings and assignment in config.yml: what is read of them, and what is refused."""

import json

import pytest

from hippogym.config import load_study
from hippogym.config.arms import study_endings
from hippogym.config.values import Wrong
from hippogym.core.study.way import build_way
from hippogym.errors import ConfigError

TRIAL = "trial:\n  game: CartPole-v1\n  maxEpisodes: 5\n"
"""Three lines, so that the project begins on line 4 and its settings on line 5."""


@pytest.fixture
def read(tmp_path):
    """Reads a study whose project has these lines."""

    def read(lines, trial=TRIAL):
        text = "".join(f"  {line}\n" for line in lines.splitlines())
        (tmp_path / "config.yml").write_text(f"{trial}project:\n{text}")
        return load_study(tmp_path)

    return read


@pytest.fixture
def refused(read):
    """What is said of a study whose project has these lines."""

    def refused(lines, trial=TRIAL):
        with pytest.raises(ConfigError) as error:
            read(lines, trial)
        return str(error.value)

    return refused


WAY = """\
steps:
  1: consent.html
  2: {page: about-you.html, name: you, tries: 2, onFail: consent}
  3: {end: screenedOut, when: you.age < 18}
  4: {page: game, name: practice, trial: {maxEpisodes: 1, startingFrameRate: 15}}
  5: game
  6:
  7: {page: game, when: [game.score > 0, you.again == true]}
  8: about-you.html
  9: {when: condition == slow}
  finalStep: {page: thanks.html}
conditions:
  control:
  slow: {weight: 2, quota: 9, trial: {startingFrameRate: 10, maxEpisodes: 3}, agent: {advice: [1, 0.5]}}
  short: {steps: {1: game, finalStep: bye.html}}
endings: {failedCheck: {page: sorry.html, code: none, redirect: "https://a.org/x?cc={code}&id={PROLIFIC_PID}"}}
assignment: {method: blocks, seed: 7}
resume: refuse
attentionLimit: 0
withdraw: False
scripts: True
recruiting: prolific"""


def test_the_way_is_handed_on_as_plain_values(read):
    settings = read(WAY).study_settings()
    assert json.loads(json.dumps(settings)) == settings
    names = [(step["number"], step["name"], step["page"]) for step in settings["steps"]]
    assert names == [
        (1, "consent", "consent.html"), (2, "you", "about-you.html"), (3, "end-3", None), (4, "practice", "game"),
        (5, "game", "game"), (6, "page-6", None), (7, "game-2", "game"), (8, "about-you", "about-you.html"),
        (9, "page-9", None),
    ]  # fmt: skip
    assert settings["steps"][1] == {
        "number": 2, "name": "you", "page": "about-you.html", "end": None, "when": [], "trial": {}, "tries": 2,
        "onFail": "consent",
    }  # fmt: skip
    assert settings["steps"][6]["when"] == ["game.score > 0", "you.again == true"]
    assert settings["steps"][2]["when"] == ["you.age < 18"] and settings["steps"][2]["end"] == "screenedOut"
    assert settings["final"] == {"page": "thanks.html"}
    assert settings["conditions"]["control"] == {
        "weight": 1.0, "quota": None, "trial": {}, "agent": {}, "steps": None, "final": None,
    }  # fmt: skip
    assert settings["conditions"]["slow"]["agent"] == {"advice": [1, 0.5]}
    assert settings["conditions"]["short"]["final"] == {"page": "bye.html"}
    assert settings["assignment"] == {"method": "blocks", "blockSize": None, "seed": 7, "giveBack": 30.0}
    others = {name: settings[name] for name in ("resume", "attentionLimit", "withdraw", "scripts", "recruiting")}
    wanted = {"resume": "refuse", "attentionLimit": 0, "withdraw": False, "scripts": True, "recruiting": "prolific"}
    assert others == wanted


def test_the_rules_read_what_the_file_says(read):
    way = build_way(read(WAY).study_settings())
    assert [step.name for step in way.steps_for("short")] == ["game", "finalStep"]
    assert way.steps_for("short")[-1].page == "bye.html" and way.steps_for("control")[-1].page == "thanks.html"
    assert [way.step_named("slow", name).episodes for name in ("practice", "game")] == [1, 3]
    assert [way.step_named("control", name).episodes for name in ("practice", "game")] == [1, 5]
    assert way.ending("failedCheck").redirect == "https://a.org/x?cc={code}&id={PROLIFIC_PID}"
    assert (way.resume, way.attention_limit, way.can_withdraw, way.scripts) == ("refuse", 0, False, True)


def test_a_study_that_is_only_a_game_has_no_steps(read):
    study = read("id: a")
    assert study.study_settings()["steps"] == [] and not build_way(study.study_settings()).has_steps


def test_names_are_free_even_where_files_are_called_like_words_of_the_study(read):
    steps = read("steps: {1: group.html, 2: my page.v2.html, 3: game.html, 4: game, 5: {page: game, name: game-2}, "
                 "6: game, finalStep: a.html}").study_settings()["steps"]  # fmt: skip
    assert [step["name"] for step in steps] == ["group-page", "my-page-v2", "game", "game-3", "game-2", "game-4"]


def test_settings_of_a_game_lie_over_those_of_the_condition_and_those_over_the_studys(read):
    study = read(WAY)
    way = build_way(study.study_settings())
    settings = study.trial_settings(*way.overrides("slow", way.step_named("slow", "practice")))
    assert (settings["maxEpisodes"], settings["startingFrameRate"], settings["game"]) == (1, 15, "CartPole-v1")
    settings = study.trial_settings(*way.overrides("slow", way.step_named("slow", "game")))
    assert (settings["maxEpisodes"], settings["startingFrameRate"]) == (3, 10)
    assert study.trial_settings(*way.overrides(None, way.step_named(None, "game"))) == study.trial_settings()


def test_a_setting_may_be_taken_back_in_a_game(read):
    study = read(
        "steps: {1: {page: game, trial: {seed: , instructions: Go.}}, finalStep: a.html}", TRIAL + "  seed: 3\n"
    )
    way = build_way(study.study_settings())
    settings = study.trial_settings(*way.overrides(None, way.steps_for(None)[0]))
    assert way.steps_for(None)[0].trial == {"seed": None, "instructions": ["Go."]}  # as the trial gets them
    assert (settings["seed"], settings["instructions"], study.trial_settings()["seed"]) == (None, ["Go."], 3)


def test_all_mistakes_in_a_way_are_told_at_once_each_with_its_line(refused):
    message = refused(
        "steps:\n"
        "  1: {page: a.html, tries: 0, nam: x}\n"
        "  2: {page: game, trial: {maxEpisodes: none, frob: 1, ui: {up: 1}}}\n"
        "  finalStep: a.html\n"
        "conditions:\n"
        "  slow: {weight: 0, agent: 3, trial: {startingFrameRat: 3}}\n"
        "endings: {complet: {text: x}}\n"
    )
    found = [line.strip() for line in message.splitlines()[1:]]
    assert found == [
        "line 6: project.steps.1.tries: found 0, expected a whole number from 1 to 1,000",
        "line 6: project.steps.1.nam: not known here; did you mean name?",
        "line 7: project.steps.2.trial.frob: not a setting of the trial",
        "line 7: project.steps.2.trial.maxEpisodes: found 'none', expected a whole number from 1 to 1,000,000",
        "line 7: project.steps.2.trial.ui.up: found 1, expected true or false",
        "line 10: project.conditions.slow.weight: found 0, expected a number from 0.001 to 1,000",
        "line 10: project.conditions.slow.agent: found 3, expected a map of plain values for the agent",
        "line 10: project.conditions.slow.trial.startingFrameRat: not a setting of the trial; did you mean "
        "startingFrameRate?",
        "line 11: project.endings.complet: not known here; did you mean complete?",
    ]


def steps(step, others=""):
    return f"steps:\n  1: consent.html\n  2: {step}\n  3: game\n  finalStep: a.html\n{others}"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (steps("{page: b/c.html}"), "line 7: project.steps.2.page: found 'b/c.html', expected the name of a file"),
        (steps("{page: 5}"), "project.steps.2.page: found 5, expected the name of a file in StepFiles, or game, or "
         "nothing; write it in quotes: '5'"),
        (steps("[a.html]"), "line 7: project.steps.2: found a list, expected the name of a file"),
        (steps("{page: b.html, name: group}"), "project.steps.2.name: found 'group', expected a name of letters"),
        (steps("{page: b.html, name: my step}"), "project.steps.2.name: found 'my step'"),
        (steps("{page: b.html, name: b}", "conditions: {x: {steps: {1: {page: a.html, name: b}, 2: {page: game, name: "
         "b}}}}"), "line 10: project.conditions.x.steps.2.name: 'b' is the name of step 1 already"),
        (steps("{page: b.html, when: consent}"), "line 7: project.steps.2.when: 'consent': expected a comparison"),
        (steps("{page: b.html, when: [consent.a == 1, consent.b < x]}"), "project.steps.2.when.1: 'consent.b < x': <"),
        (steps("{page: b.html, when: []}"), "project.steps.2.when: found a list with nothing in it, expected a com"),
        (steps("{page: b.html, when: conset.a == 1}"), "project.steps.2.when: conset.a == 1: no step is called conset; "
         "did you mean consent?"),
        (steps("{page: b.html, when: game.score > 1}"), "game.score > 1: game does not come before this step"),
        (steps("{page: b.html, when: b.a == 1}"), "b.a == 1: b does not come before this step"),
        (steps("{page: b.html, when: consent == 1}"), "consent == 1: expected consent.<name of a control>"),
        (steps("game", "conditions: {x: {steps: {1: game, 2: {page: b.html, when: game.points > 1}}}}"),
         "line 10: project.conditions.x.steps.2.when: game.points > 1: expected game.score, .episodes, .ticks or"),
        (steps("{page: b.html, when: condition == slow}"), "condition == slow: there are no conditions"),
        (steps("{page: b.html, when: condition == slo}", "conditions: {slow: , fast: }"), "no condition is called slo; "
         "did you mean slow?"),
        (steps("{page: b.html, when: group == 1}"), "group == 1: expected group.<page>"),
        (steps("{page: b.html, tries: 1, onFail: consnt}"), "line 7: project.steps.2.onFail: found 'consnt', expected "
         "complete, screenedOut, failedCheck, continue or a step of this way; did you mean consent?"),
        (steps("{page: b.html, trial: {seed: 1}}"), "project.steps.2.trial: only a game has settings of the trial"),
        (steps("{page: game, tries: 1}"), "project.steps.2.tries: only a page with questions can be answered wrong"),
        (steps("{page: game, end: complete}"), "project.steps.2.end: a step is a page or an end, not both"),
        (steps("{end: full}"), "project.steps.2.end: found 'full', expected complete, screenedOut or failedCheck"),
        (steps("{page: game, trial: {maxParticipants: 1}}"), "trial.maxParticipants: the same for all trials of a"),
        (steps("{page: game, trial: {game: 2048}}"), "trial.game: found 2048, expected the name of an environment, "
         "such as ALE/MsPacman-v5; write it in quotes: '2048'"),
        (steps("{page: game, trial: {ui: {on: true}}}"), "trial.ui.on: YAML reads on as True; write it in quotes:"),
        (steps("{page: game, trial: {startingFrameRate: 91}}"), "line 7: project.steps.2.trial.startingFrameRate: "
         "found 91, expected no more than maxFrameRate, which is 90 by default"),
        (steps("{page: game, trial: {actionSpace: [a], defaultAction: b}}"), "steps.2.trial.defaultAction: found 'b', "
         "expected a name from actionSpace"),
        (steps("{page: game, trial: {startingFrameRate: 15}}", "conditions: {slow: {trial: {minFrameRate: 20}}, x: }"),
         "line 10: project.conditions.slow.trial.minFrameRate: found 20, expected no more than startingFrameRate, "
         "which is 15"),
        ("conditions: {a: , b: }", "line 5: project.conditions: found conditions, but there are no steps"),
        (steps("game", "conditions: {a: {steps: {}}, b: }"), "project.conditions.a.steps: found no numbered step"),
        (steps("game", "conditions: {a b: }"), "project.conditions.a b: expected a name of letters, digits"),
        (steps("game", "conditions: {a: {agent: {x: .inf}}}"), "conditions.a.agent: found a map, expected a map of"),
        (steps("game", "endings: {full: {code: no}}"), "endings.full.code: found no (which YAML reads as False), e"),
        (steps("game", "recruiting: Prolific"), "line 10: project.recruiting: found 'Prolific', expected prolific,"),
        (steps("game", "assignment: {metod: blocks}"), "project.assignment.metod: not a setting we know; did you m"),
        (steps("game", "conditions: {a: {weight: 2}, b: }\nassignment: {method: blocks, blockSize: 4}"),
         "line 11: project.assignment.blockSize: found 4, expected 3 or a multiple of it"),
        (steps("game", "resume: never"), "line 10: project.resume: found 'never', expected resume, restart or refuse"),
        (steps("game").replace("finalStep: a.html", "finalStep: {page: a.html, when: x.y == 1}"), "finalStep.when:"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_way_is_named_with_its_line(refused, lines, complaint):
    assert complaint in refused(lines)


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (steps("game", "conditions: {slow: }"), "line 10: project.conditions: one condition alone is the same for"),
        (steps("game", "assignment: {blockSize: 4}"), "line 10: project.assignment.blockSize: says nothing with me"),
        (steps("game").replace("finalStep: a.html", "finalStep: game"), "project.steps.finalStep: a game cannot be"),
        (steps("{page: game, trial: {ui: {fpsup: true}}}"), "line 7: project.steps.2.trial.ui.fpsup: a button of y"),
        (steps("game", "conditions: {a: , b: {steps: {1: x.html, 2: game}}}"), "line 10: project.conditions.b.steps.1: "
         "StepFiles/x.html is not there"),
        (steps("{page: y.html}"), "line 7: project.steps.2.page: StepFiles/y.html is not there"),
        (steps("game", "endings: {full: {page: z.html}}"), "project.endings.full.page: StepFiles/z.html is not there"),
    ],
)  # fmt: skip
def test_advice_on_the_way_is_given_with_its_line(read, lines, warning):
    assert warning in "\n".join(read(lines).warnings)


def test_a_page_may_ask_for_what_a_later_one_has_found_where_a_failure_leads_back(read):
    way = "steps: {1: {page: help.html, when: quiz.q == 1}, 2: {page: quiz.html, tries: 1, onFail: help}, 3: game, "
    assert read(way + "finalStep: a.html}").project.steps


def test_a_condition_whose_games_all_say_otherwise_may_have_what_would_not_go_with_the_study(read):
    lines = steps("game", "conditions: {x: {trial: {minFrameRate: 50}, steps: {1: {page: game, trial: "
                  "{startingFrameRate: 60}}}}, y: }")  # fmt: skip
    assert read(lines).project.conditions["x"]


@pytest.mark.parametrize("address", [
    "https://app.prolific.com/submissions/complete?cc={code}", "http://localhost:5000/{userId}", "https://a.org",
    "https://lab.sona-systems.com/webstudy_credit.aspx?experiment_id=1&survey_code={id}#x",
])  # fmt: skip
def test_an_address_to_return_to_may_have_parameters_in_braces(address):
    assert study_endings({"complete": {"redirect": address}}) == {"complete": {"redirect": address}}


@pytest.mark.parametrize("address", [
    "https://{host}/", "https://a.{x}/", "//a.org", "javascript:alert(1)", "https://a.org/{", "https://a.org/{}",
    "https://a.org/{a b}", "https://a.org/ x", "https://a.org@b.org/", "https://a.org/\"><script>", "https://a.org{x}",
    "a.org",
])  # fmt: skip
def test_no_parameter_of_a_link_can_say_where_a_participant_is_sent(address):
    with pytest.raises(Wrong):
        study_endings({"complete": {"redirect": address}})
