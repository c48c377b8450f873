"""``participantsPerTask``: several participants on one server, as many as fit, and it stays until the last has left."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
from functions.seats import Seats

from hippogym.core.study.tickets import read, server_key, sign, visit_of_token
from tests.deploy.cloud import BUCKET, DOMAIN, KEY, Cloud, Objects, Stopper, cloud, study_document
from tests.deploy.memory_aws import Bucket, over_the_network
from tests.deploy.memory_cloud import memory_cloud
from tests.patience import PATIENCE_S

SHARED = {"awsSetup": {"participantsPerTask": 3}}


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.long)])
def lab(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with (memory_cloud if request.param == "memory" else cloud)(**SHARED) as made:
        yield made


def place(lab: Cloud, token: str) -> dict:
    status, body = lab.ask("GET", "/study/now", token)
    assert status == 200, body
    return body["view"]["game"]["place"]


def at_the_game(lab: Cloud, count: int) -> list[str]:
    tokens = []
    for _ in range(count):
        token, view = lab.arrive()
        assert lab.answer(token, view)["kind"] == "game"
        tokens.append(token)
    return tokens


def playing(lab: Cloud, count: int) -> list[str]:
    tokens = at_the_game(lab, count)
    lab.deliver()
    for task in lab.tasks():
        lab.run(task)
    assert [place(lab, token)["state"] for token in tokens] == ["ready"] * count
    return tokens


def leave(lab: Cloud, token: str) -> None:
    assert lab.ask("POST", "/study/withdraw", token, {})[0] == 200
    lab.deliver()


def test_three_share_a_task_and_the_fourth_gets_another(lab):
    tokens = playing(lab, 4)
    places = [place(lab, token) for token in tokens]
    assert len(lab.tasks()) == 2
    assert [one["url"] for one in places[:3]] == [places[0]["url"]] * 3 and places[3]["url"] != places[0]["url"]
    assert sorted(lab.names()) == sorted({one["url"][6:-5] for one in places})
    assert sorted(lab.schedules()) == sorted(name.removesuffix(f".{DOMAIN}") for name in lab.names())


def test_each_has_a_ticket_of_their_own_signed_for_the_server_they_share(lab):
    tokens = playing(lab, 2)
    for token in tokens:
        got = place(lab, token)
        server = got["url"].removeprefix("wss://").partition(".")[0]
        said = read(server_key(KEY, "pilot", server), "ticket", got["ticket"])
        assert said is not None and said["visit"] == visit_of_token(KEY, "pilot", token) != server


def test_what_the_shared_server_says_counts_for_each_of_them_and_what_another_says_does_not(lab):
    token, other = playing(lab, 2)
    server = place(lab, token)["url"].removeprefix("wss://").partition(".")[0]
    visit = visit_of_token(KEY, "pilot", token)
    receipt = {"kind": "over", "visit": visit, "trial": "t1", "reason": "finished", "episodes": 2}
    for signer, status in (("0" * 20, 400), (visit, 400), (server, 200)):
        text = sign(server_key(KEY, "pilot", signer), "receipt", receipt)
        assert lab.ask("POST", "/study/now", token, {"receipts": [text]})[0] == status
    assert lab.ask("GET", "/study/now", token)[1]["view"]["name"] == "survey"
    lab.deliver()
    assert place(lab, other)["state"] == "ready"


def test_a_shared_server_stays_until_the_last_has_left(lab):
    tokens = playing(lab, 3)
    for token in tokens[:2]:
        leave(lab, token)
        assert len(lab.tasks()) == 1
    assert place(lab, tokens[2])["state"] == "ready"
    leave(lab, tokens[2])
    assert (lab.tasks(), lab.names(), lab.schedules()) == ([], {}, [])
    assert lab.document("places.json")["taken"] == []


def test_a_seat_that_was_left_is_given_to_the_next(lab):
    tokens = playing(lab, 3)
    leave(lab, tokens[0])
    (late,) = at_the_game(lab, 1)
    lab.deliver()
    assert place(lab, late)["url"] == place(lab, tokens[1])["url"] and len(lab.tasks()) == 1


def test_an_interruption_moves_all_of_them(lab):
    tokens = playing(lab, 3)
    before = place(lab, tokens[0])
    (old,) = lab.tasks()
    lab.ecs_says(Stopper, {**old, "desiredStatus": "STOPPED", "stopCode": "SpotInterruption"})
    lab.client("ecs").stop_task(cluster="hippogym", task=old["taskArn"], reason="Spot")
    assert [place(lab, token) for token in tokens] == [{"state": "waiting"}] * 3
    lab.deliver()
    (new,) = lab.tasks()
    lab.run(new)
    after = [place(lab, token) for token in tokens]
    assert [one["url"] for one in after] == [before["url"]] * 3
    server = before["url"].removeprefix("wss://").partition(".")[0]
    assert {read(server_key(KEY, "pilot", server), "ticket", one["ticket"])["turn"] for one in after} == {2}


def test_who_comes_late_is_not_put_on_a_server_that_ends_soon(lab):
    first = playing(lab, 1)[0]
    lab.now_s += 10 * 60
    late = at_the_game(lab, 1)[0]
    lab.deliver()
    for task in lab.tasks():
        lab.run(task)
    assert place(lab, late)["url"] != place(lab, first)["url"]


def test_at_max_runtime_all_on_it_move_on_and_nothing_is_left(lab):
    tokens = playing(lab, 3)
    lab.now_s += 31 * 60
    server = lab.schedules()[0]
    lab.told.append(("STOP_TOPIC", {"project": "pilot", "server": server, "why": "maxRuntime"}))
    lab.deliver()
    assert (lab.tasks(), lab.names(), lab.schedules()) == ([], {}, [])
    for token in tokens:
        assert lab.ask("GET", "/study/now", token)[1]["view"]["game"] is None
    lab.deliver()
    assert lab.tasks() == []


def test_who_has_left_without_a_word_is_found_by_the_janitor(lab):
    tokens = playing(lab, 2)
    for token in tokens:
        visit = visit_of_token(KEY, "pilot", token)
        document = lab.document(f"visits/{visit}.json")
        document["visit"] |= {"outcome": "withdrew", "stamp": None}
        lab.put(f"pilot/visits/{visit}.json", document)
    lab.now_s += 400
    assert lab.janitor() == 2
    lab.deliver()
    assert (lab.tasks(), lab.names(), lab.schedules()) == ([], {}, [])
    assert lab.janitor() == 0


def seats_at_once(count: int, most: int) -> None:
    """All look for a seat at one moment: each has one, no server has more than fit, and few are half empty."""
    document = study_document(awsSetup={"participantsPerTask": most})
    bucket = Bucket(time.time, over_the_network)
    visits = [f"{number:020x}" for number in range(count)]
    problems: list[BaseException] = []
    at_once = threading.Barrier(count)

    def sit(visit: str) -> None:
        try:
            at_once.wait(PATIENCE_S)
            Seats(Objects(bucket, BUCKET), document, time.time).take(visit)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=sit, args=(visit,)) for visit in visits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not problems
    read_one = lambda key: json.loads(bucket.there[key][0])  # noqa: E731
    of = {visit: read_one(f"pilot/servers/of/{visit}.json")["server"] for visit in visits}
    servers = {server: read_one(f"pilot/servers/{server}.json")["visits"] for server in set(of.values())}
    assert all(visit in servers[server] for visit, server in of.items())
    assert max(len(seated) for seated in servers.values()) <= most
    assert sum(len(seated) for seated in servers.values()) == count
    assert len(servers) <= -(-count // most) + 1


def test_many_look_for_a_seat_at_one_moment():
    seats_at_once(10, 4)


@pytest.mark.long
def test_fifty_look_for_a_seat_at_one_moment():
    seats_at_once(50, 8)
