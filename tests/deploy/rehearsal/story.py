"""The rehearsal, from the link to an empty account; everything that is asserted is asserted here."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hippogym.core.study.codes import read_code
from tests.deploy.rehearsal.account import REGION
from tests.deploy.rehearsal.commands import hippogym
from tests.deploy.rehearsal.engines import Engine
from tests.deploy.rehearsal.mishaps import is_tidy, somebody_walks_away, something_is_left_behind
from tests.deploy.rehearsal.person import Person, person
from tests.deploy.rehearsal.stage import Stage, stage, take_down
from tests.deploy.rehearsal.study import PROJECT, TICKS, Scale
from tests.patience import PATIENCE_S

PREPARED, MOVED, READY = "Your game is being prepared", "Your game is being moved", "Ready when you are"
CUT = 1  # the episode in which Spot interrupts; the first is 0
WORDS = "It went up the hill, ünd down — twice."


@dataclass
class Told:
    """figures: what → seconds. said: told of each step as it is done."""

    said: Callable[[str], None] = lambda line: None
    figures: dict[str, float] = field(default_factory=dict)
    begun_s: float = field(default_factory=time.monotonic)
    last_s: float = field(default_factory=time.monotonic)

    def __call__(self, what: str) -> None:
        """It has been done."""
        now_s = time.monotonic()
        self.took(what, now_s - self.last_s)
        self.last_s = now_s

    def took(self, what: str, seconds: float) -> None:
        self.figures[what] = seconds
        self.said(f"{time.monotonic() - self.begun_s:7.1f} s  {what}: {seconds:.1f} s")


def rehearse(
    work: Path, engine: Engine, told: Told, scale: Scale, *, pictures: Path | None = None, thorough: bool = False
) -> None:
    """All of it. work: an empty folder. thorough: with mishaps.

    Raises AssertionError where something is not as it must be, Failed where a command has failed.
    """
    with stage(work, engine, scale, told) as there:
        with person(there.net.url, there.authority.spki, pictures) as somebody:
            try:
                code = takes_part(somebody, there, told)
            except Exception:
                somebody.look("trouble")
                told.said(f"{somebody.seen}\n{somebody.complaints}\n{there.troubles()}")
                raise
            assert somebody.complaints == []
            told.said(f"           they saw {'; '.join(somebody.seen)}")
        told("played to the end")
        what_is_kept(there, code, scale.episodes)
        told("everything is kept")
        nothing_is_left(there)
        told("nothing runs any more")
        if thorough:
            somebody_walks_away(there, pictures)
            told("somebody walked away")
            something_is_left_behind(there)
            told("what was left behind is removed")
        assert there.functions.problems == [] and there.events.given_up == [] and there.tasks.problems == []
        the_stack_goes(there)
        told("hippogym aws destroy")


# -- the participant -------------------------------------------------------------------------------------------------


def takes_part(somebody: Person, there: Stage, told: Told) -> str:
    """From the link to the code, over an interruption; returns the code."""
    somebody.open(f"{there.link}&PROLIFIC_PID=5f0c0ffee")
    assert somebody.picture_is_there()
    somebody.look("1-consent")
    begun_s = time.monotonic()
    somebody.agree()
    if somebody.wait_for_card(PREPARED, READY) == PREPARED:
        somebody.look("2-wait")
    somebody.wait_for_card(READY)
    told.took("start of the server to the game's door", time.monotonic() - begun_s)
    somebody.look("3-ready")
    somebody.start()
    told.took("start of the server to the first frame", time.monotonic() - begun_s)
    somebody.wait_for_episode(0, TICKS // 4)
    somebody.look("4-play")
    is_interrupted(somebody, there, told)
    somebody.expect_heading("How was it?")
    somebody.look("7-survey")
    somebody.fill_survey(WORDS)
    code = somebody.code()
    somebody.look("8-end")
    return code


def is_interrupted(somebody: Person, there: Stage, told: Told) -> None:
    """In the middle of the second episode Spot takes the machine away; a new one goes on with it."""
    [first] = there.tasks.alive
    somebody.wait_for_episode(CUT, TICKS // 3)
    before = len(somebody.frames())
    begun_s = time.monotonic()
    there.tasks.interrupt(first)
    somebody.wait_for_card(MOVED)
    told.took("interruption to the word of it", time.monotonic() - begun_s)
    somebody.look("5-move")
    deadline = time.monotonic() + PATIENCE_S
    while len([task for task in there.tasks.all if task is not first]) == 0 or not somebody.is_playing():
        if somebody.has_to_start():
            somebody.seen.append("asked to start again")
            somebody.start()
        assert time.monotonic() < deadline, f"the game does not go on: {somebody.card()!r}"
        somebody.page.wait_for_timeout(100)
    somebody.wait_for_frames(1)
    told.took("interruption to the next frame", time.monotonic() - begun_s)
    assert len(somebody.frames()) > before
    somebody.page.keyboard.up("ArrowRight")
    somebody.page.keyboard.down("ArrowLeft")
    somebody.look("6-again")
    assert first.ended.wait(PATIENCE_S) and first.code == 0, first.log[-3000:]


# -- what is left ----------------------------------------------------------------------------------------------------


def what_is_kept(there: Stage, code: str, episodes: int) -> None:
    """Every answer and every tick, once; and what was cut off is marked."""
    [visit] = there.documents("visits")
    visit = visit["visit"]
    real = read_code(there.code_key(), code)
    assert real is not None and real.outcome == "complete" and visit["outcome"] == "complete"
    game = visit["games"]["game"]
    assert (game["state"], game["episodes"], game["reason"]) == ("over", episodes, "finished"), game
    [user] = [json.loads(body) for key, body in there.objects(f"{PROJECT}/users/").items() if key.endswith(".json")]
    answers = [row["answers"] for row in user["visits"][0]["every_answer"]]
    assert answers == [{"consent": True}, {"words": WORDS, "again": "yes"}]

    told = episodes_of(there)
    whole = [one for one in told if one["reason"] == "done"]
    assert sorted((one["episode"], one["ticks"]) for one in whole) == [(n, TICKS) for n in range(episodes)], told
    [cut] = [one for one in told if one not in whole]
    assert (cut["episode"], cut["reason"]) == (CUT, "server") and 0 < cut["ticks"] < TICKS, told
    record = next(key for key in there.objects(f"{PROJECT}/Trials/") if key.endswith(".pkl"))
    assert there.task_may_read(record) and not there.task_may_read(f"{PROJECT}/study.json"), "roles are not enforced"
    where = f"s3://{there.outputs['StudyBucket']}/{PROJECT}/Trials"
    said = hippogym("verify", where, account=there.account, cwd=there.work)
    assert f"{len(told)} records are as they were written, 0 are not" in said, said
    if there.account.programs:  # the agent once more, for as long as it was played
        said = hippogym("replay", where, "--study", str(there.study), account=there.account, cwd=there.work)
        assert f"{len(told)} verified" in said, said


def episodes_of(there: Stage) -> list[dict[str, Any]]:
    """What the manifests in the bucket say of each, when the sum of its record has been compared."""
    objects, found = there.objects(f"{PROJECT}/Trials/"), []
    for key, body in objects.items():
        if key.endswith(".json"):
            about = json.loads(body)
            record = objects[key.removesuffix(".json") + ".pkl"]
            assert hashlib.sha256(record).hexdigest() == about["sha256"], key
            found += about["episodes"]
    assert len(objects) == 2 * len(found), list(objects)
    return found


def nothing_is_left(there: Stage) -> None:
    """After the end of the study: no task, no name, no schedule, no place taken, and the document says so."""
    there.wait_for("the server is stopped, and all that belongs to it", lambda: is_tidy(there), PATIENCE_S)
    there.wait_for(
        "the server's document says so",
        lambda: [one["state"] for one in there.documents("servers")] == ["stopped"],
        PATIENCE_S,
    )
    assert [task.code for task in there.tasks.all] == [0, 0], there.troubles()
    [taken] = there.objects(f"{PROJECT}/places.json").values()
    assert json.loads(taken)["taken"] == []
    there.events.turn_clock(301)
    there.wait_for("the janitor's round", lambda: any("Minutes" in what for _, what, _ in there.events.said), 30)
    assert there.events.settled(PATIENCE_S)
    assert "left behind" not in (there.work / "logs" / "hippogym-hippogym-janitor.log").read_text()


def the_stack_goes(there: Stage) -> None:
    """All but what it says it keeps."""
    said = take_down(there)
    kept = {there.outputs["StudyBucket"], there.outputs["SslBucket"]}
    assert all(name in said for name in kept)
    client = there.account.client
    assert {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]} == kept
    assert client("lambda").list_functions()["Functions"] == [] and client("sns").list_topics()["Topics"] == []
    assert client("events").list_rules()["Rules"] == [] and there.schedules() == []
    status = hippogym("aws", "status", "--region", REGION, account=there.account, cwd=there.work, codes=(1,))
    assert "There is no stack" in status
