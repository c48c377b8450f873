"""Mistakes in config.yml, each with the sentence that it gets: a list to read, and to add to."""

import pytest

from hippogym.config import load_study
from hippogym.errors import ConfigError


def trial(lines):
    """A study with these lines in its trial, from line 3 on."""
    return "trial:\n  game: CartPole-v1\n" + "".join(f"  {line}\n" for line in lines.splitlines())


def project(lines):
    """A study with these lines in its project, from line 4 on."""
    return "trial:\n  game: CartPole-v1\nproject:\n" + "".join(f"  {line}\n" for line in lines.splitlines())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (trial("startingFrameRat: 3"), "line 3: trial.startingFrameRat: not a setting we know; did you mean start"),
        (trial("GAME: x"), "line 3: trial.GAME: not a setting we know; did you mean game?"),
        ("game: x", "line 1: game: not a setting we know; did you mean trial.game?"),
        (project("awsSetup: {buckett: x}"), "line 4: project.awsSetup.buckett: not a setting we know; did you mea"),
        (trial("zzzz: 1"), "line 3: trial.zzzz: not a setting we know"),
        (trial("seed: 1\nseed: 2"), "line 4: trial.seed: written twice; the first is on line 3"),
        (trial("ui: {up: true, up: false}"), "line 3: trial.ui.up: written twice"),
        (trial("ui:\n  on: true"), "line 4: trial.ui.on: YAML reads on as True; write it in quotes: 'on'"),
        (trial("ui:\n  1: true"), "line 4: trial.ui.1: YAML reads 1 as 1; write it in quotes: '1'"),
        (trial("ui: {up: 'true'}"), "trial.ui.up: found 'true', expected true or false; write it without quotes"),
        (trial("ui: {a/b: true}"), "trial.ui.a/b: expected a name of letters"),
        (trial("actionSpace:\n- noop\n- no"), "line 5: trial.actionSpace.1: found no (which YAML reads as False),"),
        (trial("actionSpace: [noop, 7]"), "write it in quotes: '7'"),
        (trial("actionSpace: {off: 1}"), "trial.actionSpace.off: YAML reads off as False; write it in quotes: 'off'"),
        (trial("actionSpace: {up: yes}"), "trial.actionSpace.up: found yes (which YAML reads as True), expected a n"),
        (trial("actionSpace: {up: .inf}"), "trial.actionSpace.up: found .inf, expected a number"),
        (trial("actionSpace: [up, UP]"), "trial.actionSpace.1: 'UP' is named twice; the first is 0"),
        (trial("actionSpace: [upleft, leftUp]"), "trial.actionSpace.1: 'leftUp' is named twice"),
        (trial("actionSpace: []"), "line 3: trial.actionSpace: found 0 entries, expected 1 to 1,000"),
        (trial("keys: {KeyW: on}"), "trial.keys.KeyW: found on (which YAML reads as True)"),
        (trial("keys: {Hyperspace: up}"), "trial.keys.Hyperspace: not a key; expected a key such as KeyW"),
        (trial("keys: {KeyA+KeyB: up, KeyB+KeyA: up}"), "trial.keys.KeyB+KeyA: the same keys as KeyA+KeyB"),
        (trial("actionSpace: [noop, left]\nkeys: {KeyA: lft}"), "line 4: trial.keys.KeyA: found 'lft', expected a name "
         "from actionSpace; did you mean left?"),
        (trial("actionSpace: [noop]\ndefaultAction: stay"), "line 4: trial.defaultAction: found 'stay', expected"),
        (trial("minFrameRate: 40"), "line 3: trial.minFrameRate: found 40, expected no more than startingFrameRat"),
        (trial("startingFrameRate: 91"), "line 3: trial.startingFrameRate: found 91, expected no more than maxFra"),
        (trial("maxFrameRate: 20"), "line 3: trial.maxFrameRate: found 20, expected no less than startingFrameRat"),
        (project("awsSetup: {bucket: a-b, region: us-west-2, cpu: 4}"), "line 4: project.awsSetup.memory: found 4"),
        (trial("minFrameRate: 50\nmaxFrameRate: 20"), "line 3: trial.minFrameRate: found 50, expected no more tha"),
        (trial("maxEpisodes: 1:30"), "trial.maxEpisodes: found '1:30', expected a whole number"),
        (trial("seed: 010"), "trial.seed: found '010', expected a whole number"),
        (trial("seed: " + "9" * 10_000), "trial.seed: found '999"),
        (trial("s3upload: true"), "line 3: trial.s3upload: found True, expected project.awsSetup.bucket to say wh"),
        (project("id: 2021"), "line 4: project.id: found 2021, expected an id"),
        (project("id: -a"), "project.id: found '-a', expected an id"),
        (project("useAWS: true"), "line 4: project.useAWS: found True, expected a section awsSetup"),
        (project("awsSetup: {bucket: a-b}"), "line 4: project.awsSetup.region: missing"),
        (project("awsSetup: {bucket: B, cpu: 2}"), "line 4: project.awsSetup.region: missing"),
        (project("awsSetup: {cpu: 3}"), "project.awsSetup.cpu: found 3, expected 1, 2 or 4"),
        (project("awsSetup: {cpu: true}"), "project.awsSetup.cpu: found true, expected 1, 2 or 4"),
        (project("awsSetup: {rootDomain: 'https://a.org'}"), "expected a domain without a scheme"),
        (project("steps: {1: a.html, 3: game, finalStep: a.html}"), "project.steps: step 2 is missing"),
        (project("steps: {1: game}"), "line 4: project.steps: finalStep is missing"),
        (project("steps: {0: game, finalStep: a.html}"), "project.steps.0: expected a step's number from 1"),
        (project("steps:\n  1: ../a.html\n  finalStep: a.html"), "line 5: project.steps.1: found '../a.html', exp"),
        (project("step:\n  1: a/b.html\n  finalStep: a.html"), "line 5: project.step.1: found 'a/b.html', expected"),
        (project("steps: {1: game, finalStep: a.html}\nevents: {stopServerStep: 3}"), "line 5: project.events.stopServe"
         "rStep: found 3, expected a step from 1 to 2"),
        (project("events: {startServerStep: 1}"), "project.events.startServerStep: found 1, but there are no steps"),
        (project("steps: {}\nstep: {}"), "line 5: project.step: an older spelling of steps, which is there as well"),
        (project("origins: ['https://a.org/']"), "project.origins.0: found 'https://a.org/', expected a web origin"),
        (project("origins: 5"), "project.origins: found 5, expected a list"),
        (project("awsSetup: 5"), "line 4: project.awsSetup: found 5, expected a section: settings below it, inden"),
        ("trial: [a]", "line 1: trial: found a list, expected a section"),
        ("project: {}", "line 1: trial.game: missing"),
        ("- a\n- b", "line 1: found no settings, expected the sections project and trial"),
        ("just words", "line 1: found no settings"),
        ("trial:\n  game: a\n bad: b", "line 3: not readable as YAML"),
        ("trial:\n\tgame: a", "line 2: not readable as YAML: a tab; indent with spaces"),
        ("trial:\n  game: a: b", "line 2: not readable as YAML: a second colon here"),
        ("trial: {game: *a}", "line 1: not readable as YAML: found undefined alias"),
        ("trial: {game: a}\n---\ntrial: {game: b}", "line 2: a second document (---); a study is one"),
        ('trial:\n  game: "\\UFFFFFFFF"', "an escape or a directive that stands for nothing"),
        ('trial:\n  game: "\\ud800"', "line 2: trial.game: '\\ud800' has a character that is no text"),
        (b"trial:\n  game: \xff", "line 2: found bytes that are not UTF-8"),
        (b"trial:\n  game: \x00", "line 2: a character that text cannot contain"),
        (trial("<<: {seed: 1}"), "line 3: trial.<<: merging (<<) is not read here"),
        (trial("seed: !!python/object/apply:os.getcwd []"), "line 3: trial.seed: the tag '!!python/object/apply:o"),
        (trial("? [a]\n: b"), "line 3: trial: a list or a map as a key; a key is one word"),
        ("trial: &a {game: *a}", "line 1: an alias (*name) inside the very thing it stands for"),
        ("a: " + "[" * 30 + "]" * 30, "line 1: nested more than 20 levels deep"),
        ("a: [" + "x, " * 6000 + "]", "line 1: more than 5,000 values"),
        ("a: &a x\nb: [" + "*a, " * 30 + "]", "line 2: more than 20 aliases"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path, content, complaint):
    (tmp_path / "config.yml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as refused:
        load_study(tmp_path)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (trial("allowFramRateChange: true"), "line 3: trial.allowFramRateChange: an older spelling; write allowFr"),
        (project("step: {1: game, finalStep: game}"), "line 4: project.step: an older spelling; write steps"),
        (project("ssl: {privkey.pem: SSL/privkey.pem}"), "line 4: project.ssl.privkey.pem: an older spelling; wri"),
        (trial("maxEpisodes:"), "line 3: trial.maxEpisodes: nothing stands behind it; its default holds (20)"),
        (trial("ui: {fpsup: true}"), "line 3: trial.ui.fpsup: a button of your own; did you mean fpsUp?"),
        (trial("actionSpace: {left: [-1]}"), "line 3: trial.actionSpace: no action is called noop and there is no"),
        (trial("allowFrameRateChange: true\nmaxFrameRate: 31\nminFrameRate: 29"), "trial.frameRateStepSize: 5 is"),
        (project("steps: {1: game, finalStep: end.html}"), "line 4: project.steps.finalStep: StepFiles/end.html i"),
        (project("steps: {finalStep: }"), "line 4: project.steps: no step is game"),
        (project("steps: {1: game, 2: , finalStep: }\nevents: {startServerStep: 2}"), "the game is step 1, before"),
        (project("steps: {1: game, 2: , finalStep: }\nevents: {stopServerStep: 1}"), "the game is step 1; its ser"),
        (project("origins: ['http://a.org']"), "line 4: project.origins.0: http without encryption"),
        (trial("s3upload: true\n") + "project: {useAWS: no, awsSetup: {bucket: a-b}}", "line 3: trial.s3upload: "
         "nothing is uploaded"),
    ],
)  # fmt: skip
def test_advice_is_given_with_its_line(tmp_path, content, warning):
    (tmp_path / "config.yml").write_text(content)
    assert warning in "\n".join(load_study(tmp_path).warnings)
