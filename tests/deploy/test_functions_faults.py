"""One call of AWS goes wrong, each in its turn and in every way: nothing is lost, nothing is left, and it goes on.

Lambda does not even try again here: what repairs is the participant's next request, and the janitor's next round.
"""

import contextlib
import json
from typing import Any

import pytest
from functions.objects import Objects
from functions.update_master_list import update

from hippogym.core.study.tickets import server_key, sign, visit_of_token
from hippogym.errors import RecordError
from tests.deploy.cloud import BUCKET, KEY
from tests.deploy.memory_aws import Bucket
from tests.deploy.world import FAULTS, Asked, Calls, World

POLL_S = 15.0
LONGEST_S = 20 * 60.0
NOTHING = {"tasks": [], "names": [], "schedules": [], "places": []}


class Person:
    """A participant whose page asks again whatever has failed, as the real one does."""

    def __init__(self, world: World) -> None:
        self.world, self.token, self.view = world, "", {}

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> dict[str, Any]:
        """Until it is answered."""
        for _ in range(4):
            status, answer = self.world.ask(method, path, token or self.token or None, body)
            if status == 200:
                self.view = answer["view"]
                return answer
            assert status == 503, (status, answer)
            self.world.run(lambda: False, POLL_S)
        raise AssertionError("the page has asked in vain")

    def arrives(self) -> None:
        self.token = self.ask("POST", "/study/arrive", {"link": {"userId": "somebody"}})["token"]

    def answers(self, word: str) -> None:
        self.ask("POST", "/study/answer", {"stamp": self.view["stamp"], "answers": {"word": word}})

    def waits(self) -> dict[str, Any]:
        """Until the server is ready; returns the ticket's place."""
        start_s = self.world.now_s
        while self.world.now_s - start_s < LONGEST_S:
            self.ask("GET", "/study/now")
            place = self.view["game"]["place"]
            if place["state"] == "ready" and self.world._is_well(self._address(place), ""):
                return dict(place)
            self.world.run(lambda: False, POLL_S)
        raise AssertionError(f"no server after {LONGEST_S:g} s")

    def plays(self) -> None:
        visit = visit_of_token(KEY, "pilot", self.token)
        key = server_key(KEY, "pilot", str(visit))
        about = {"visit": visit, "trial": "t1"}
        told = [{"kind": "began", **about}, {"kind": "over", **about, "reason": "finished", "episodes": 2}]
        self.ask("POST", "/study/now", {"receipts": [sign(key, "receipt", one) for one in told]})

    def _address(self, place: dict[str, Any]) -> str:
        name = place["url"].removeprefix("wss://").removesuffix(":5000") + "."
        record = self.world.route53.there.get(name)
        return str(record["ResourceRecords"][0]["Value"]) if record else ""


def story(calls: Calls) -> World:
    """Consent, the game with an interruption in it, the survey; and an hour later."""
    world = World(calls, retries_s=())
    person = Person(world)
    person.arrives()
    person.answers("consent")
    person.waits()
    (task,) = world.tasks()
    world.interrupt(task)
    world.run(lambda: task["lastStatus"] == "STOPPED", 60)
    person.waits()
    person.plays()
    person.answers("survey")
    assert person.view["end"]["outcome"] == "complete"
    world.run(lambda: False, 3600.0)
    document = world.document(f"visits/{visit_of_token(KEY, 'pilot', person.token)}.json")
    assert [row["answers"] for row in document["answers"]] == [{"word": "consent"}, {"word": "survey"}]
    assert world.left() == NOTHING
    assert max(world.most_at_once.values()) == 1
    return world


def calls_of_a_story() -> list[str]:
    calls = Calls()
    story(calls)
    busy = calls.said[: 1 + max(at for at, name in enumerate(calls.said) if "sns" in name or "delete" in name)]
    return calls.said[: len(busy) + 12]  # and one round of a janitor who finds nothing


SAID = calls_of_a_story()


def test_a_story_without_faults_asks_every_service_and_leaves_nothing():
    assert {name.partition(".")[0] for name in SAID} == {"s3", "ecs", "route53", "scheduler", "ec2", "ssm", "sns"}
    assert {"ecs.run_task", "ecs.stop_task", "scheduler.delete_schedule", "route53.list_resource_record_sets"} <= set(
        SAID
    )


def test_every_fourth_call_goes_wrong_and_nothing_is_lost_or_left():
    for at in range(1, len(SAID) + 1, 4):
        one_fault(at, FAULTS[at % len(FAULTS)])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_line_of_the_master_list_is_written_at_the_second_try_and_nobody_elses_is_lost(fault):
    for at in range(1, 5):
        bucket, now_s = Bucket(lambda: 0.0), 1_800_000_000.0
        update(Objects(bucket, BUCKET), {"id": "other", "live": True}, now_s)
        calls = Calls(at, fault)
        objects = Objects(Asked("s3", bucket, calls), BUCKET)
        for _ in range(2):
            with contextlib.suppress(RecordError):
                update(objects, {"id": "pilot", "live": False}, now_s)
        listed = json.loads(bucket.there["project_master_list.json"][0])
        assert {name: one["live"] for name, one in listed.items()} == {"other": True, "pilot": False}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_each_call_goes_wrong_in_every_way_and_nothing_is_lost_or_left(fault):
    for at in range(1, len(SAID) + 1):
        one_fault(at, fault)


def one_fault(at: int, fault: str) -> None:
    calls = Calls(at, fault)
    try:
        story(calls)
    except BaseException as problem:
        problem.add_note(f"call {at}: {calls.said[at - 1] if len(calls.said) >= at else '?'}: {fault}")
        raise
