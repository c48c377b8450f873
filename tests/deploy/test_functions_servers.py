"""Servers of participants: started once, named, moved when interrupted, stopped, and nothing left behind."""

from collections.abc import Iterator

import pytest
from functions.janitor import Janitor

from hippogym.core.study.tickets import read, server_key, sign, visit_of_token
from hippogym.errors import RecordError
from tests.deploy.cloud import DOMAIN, KEY, Cloud, Names, Servers, Stopper, cloud
from tests.deploy.memory_cloud import memory_cloud


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.long)])
def lab(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with (memory_cloud if request.param == "memory" else cloud)() as made:
        yield made


def place(lab: Cloud, token: str) -> dict:
    status, body = lab.ask("GET", "/study/now", token)
    assert status == 200, body
    return body["view"]["game"]["place"]


def at_the_game(lab: Cloud, **link: str) -> tuple[str, str]:
    token, view = lab.arrive(**link)
    assert lab.answer(token, view)["kind"] == "game"
    return token, str(visit_of_token(KEY, "pilot", token))


def playing(lab: Cloud) -> tuple[str, str]:
    token, visit = at_the_game(lab)
    lab.deliver()
    lab.run(lab.tasks()[0])
    assert place(lab, token)["state"] == "ready"
    return token, visit


def test_a_participant_gets_one_server_however_often_it_is_asked_for(lab):
    token, visit = at_the_game(lab)
    lab.told = lab.told * 3
    lab.deliver()
    assert place(lab, token) == {"state": "waiting"}
    lab.deliver()
    (task,) = lab.tasks()
    assert task["startedBy"] == f"pilot/{visit}/1"
    assert lab.schedules() == [visit]
    lab.run(task)
    lab.run(task)
    assert list(lab.names()) == [f"{visit}.{DOMAIN}"]


def test_the_ticket_says_who_plays_and_is_signed_for_this_server_only(lab):
    token, visit = playing(lab)
    got = place(lab, token)
    assert got["url"] == f"wss://{visit}.{DOMAIN}:5000"
    said = read(server_key(KEY, "pilot", visit), "ticket", got["ticket"])
    assert said["visit"] == visit and said["step"] == "game"
    assert read(server_key(KEY, "pilot", "0" * 20), "ticket", got["ticket"]) is None


def test_nobody_is_sent_to_a_server_that_does_not_answer(lab):
    token, _ = at_the_game(lab)
    lab.deliver()
    lab.well = False
    lab.run(lab.tasks()[0])
    assert place(lab, token) == {"state": "waiting"}
    lab.well = True
    assert place(lab, token)["state"] == "ready"


def test_after_the_game_everything_is_removed(lab):
    token, visit = playing(lab)
    receipt = {
        "kind": "over",
        "visit": visit,
        "trial": "t1",
        "reason": "finished",
        "episodes": 2,
        "ticks": 9,
        "score": 1,
    }
    text = sign(server_key(KEY, "pilot", visit), "receipt", receipt)
    status, body = lab.ask("POST", "/study/now", token, {"receipts": [text]})
    assert status == 200 and body["view"]["name"] == "survey"
    lab.deliver()
    assert (lab.tasks(), lab.names(), lab.schedules()) == ([], {}, [])
    assert lab.document("places.json")["taken"] == []
    assert lab.document(f"servers/{visit}.json")["state"] == "stopped"


def test_a_receipt_of_another_server_is_refused(lab):
    token, visit = playing(lab)
    receipt = {"kind": "over", "visit": visit, "trial": "t1", "reason": "finished"}
    text = sign(server_key(KEY, "pilot", "0" * 20), "receipt", receipt)
    assert lab.ask("POST", "/study/now", token, {"receipts": [text]})[0] == 400


def test_who_is_interrupted_by_spot_goes_on_in_a_new_task(lab):
    token, visit = playing(lab)
    old = lab.tasks()[0]
    lab.ecs_says(Stopper, {**old, "lastStatus": "RUNNING", "desiredStatus": "STOPPED", "stopCode": "SpotInterruption"})
    assert lab.names() == {}
    lab.client("ecs").stop_task(cluster="hippogym", task=old["taskArn"], reason="Spot")
    lab.deliver()
    lab.ecs_says(Stopper, {**old, "lastStatus": "STOPPED", "stopCode": "SpotInterruption"})
    lab.deliver()
    (new,) = lab.tasks()
    assert new["startedBy"] == f"pilot/{visit}/2"
    lab.run(new)
    assert place(lab, token)["state"] == "ready"


def test_where_spot_has_no_room_a_server_is_run_on_demand(lab, monkeypatch):
    ecs, asked = lab.client("ecs"), []
    plain = ecs.run_task

    def run_task(**about):
        asked.append(about["capacityProviderStrategy"][0]["capacityProvider"])
        if asked[-1] == "FARGATE_SPOT":
            return {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}
        return plain(**about)

    monkeypatch.setattr(ecs, "run_task", run_task)
    at_the_game(lab)
    lab.deliver()
    assert asked == ["FARGATE_SPOT", "FARGATE"]
    assert len(lab.tasks()) == 1


def test_no_more_servers_than_the_cap_and_the_next_one_gets_the_first_that_is_free(lab):
    first, _ = at_the_game(lab)
    at_the_game(lab)
    third, _ = at_the_game(lab)
    lab.deliver()
    assert len(lab.tasks()) == 2
    lab.ask("POST", "/study/withdraw", first, {})
    lab.deliver()
    assert len(lab.tasks()) == 1
    lab.now_s += 60
    place(lab, third)
    lab.deliver()
    assert len(lab.tasks()) == 2


def test_at_max_runtime_the_server_stops_and_the_participant_moves_on(lab):
    token, visit = playing(lab)
    key = server_key(KEY, "pilot", visit)
    lab.ask(
        "POST",
        "/study/now",
        token,
        {"receipts": [sign(key, "receipt", {"kind": "began", "visit": visit, "trial": "t"})]},
    )
    lab.now_s += 31 * 60
    lab.told.append(("STOP_TOPIC", {"project": "pilot", "server": visit, "why": "maxRuntime"}))
    lab.deliver()
    assert lab.tasks() == [] and lab.names() == {}
    status, body = lab.ask("GET", "/study/now", token)
    assert status == 200 and body["view"]["name"] == "survey"
    assert lab.tasks() == []


def test_a_word_that_time_is_up_is_not_believed_before_it_is(lab):
    _, visit = playing(lab)
    lab.told.append(("STOP_TOPIC", {"project": "pilot", "server": visit, "why": "maxRuntime"}))
    lab.deliver()
    assert len(lab.tasks()) == 1


def test_a_container_that_never_starts_is_not_started_for_ever(lab):
    token, _ = at_the_game(lab)
    for _ in range(12):
        lab.deliver()
        for task in lab.tasks():
            lab.client("ecs").stop_task(cluster="hippogym", task=task["taskArn"], reason="bad")
            ended = {**task, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": "bad image"}
            lab.ecs_says(Stopper, ended)
    assert lab.tasks() == [] and lab.told == []
    status, body = lab.ask("GET", "/study/now", token)
    assert status == 200 and body["view"]["end"]["outcome"] == "fault"
    assert lab.document("places.json")["taken"] == []


def test_the_janitor_finds_tasks_and_names_that_nobody_has(lab):
    token, visit = playing(lab)
    ecs = lab.client("ecs")
    inside = {"subnets": [lab.settings["SUBNETS"]], "securityGroups": [lab.settings["SECURITY_GROUP"]]}
    ecs.run_task(
        cluster="hippogym", taskDefinition="hippogym-pilot", startedBy=f"pilot/{'a' * 20}/1", launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": inside},
    )  # fmt: skip

    lab.put(f"pilot/servers/{'b' * 20}.json", {**lab.document(f"servers/{visit}.json"), "state": "stopped"})
    Names(lab.around).set(f"{'b' * 20}.{DOMAIN}", "203.0.113.7")
    Names(lab.around).set(f"www.{DOMAIN}", "203.0.113.8")
    lab.now_s += 400
    assert lab.janitor() >= 2
    lab.deliver()
    assert [task["startedBy"] for task in lab.tasks()] == [f"pilot/{visit}/1"]
    assert sorted(lab.names()) == sorted([f"{visit}.{DOMAIN}", f"www.{DOMAIN}"])
    assert place(lab, token)["state"] == "ready"
    assert lab.janitor() == 0


def test_a_start_that_breaks_off_after_the_task_was_run_finds_it_again(lab, monkeypatch):
    at_the_game(lab)
    lost = list(lab.told)

    with monkeypatch.context() as patch:
        patch.setattr(Servers, "put", lambda *_: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError):
            lab.deliver()
    lab.told = lost
    lab.deliver()
    assert len(lab.tasks()) == 1


def test_a_task_that_has_ended_unheard_is_found_and_the_participant_gets_another(lab):
    token, visit = playing(lab)
    lab.client("ecs").stop_task(cluster="hippogym", task=lab.tasks()[0]["taskArn"], reason="unheard")
    lab.now_s += 400
    assert lab.janitor() == 1
    lab.deliver()
    assert place(lab, token) == {"state": "waiting"}
    lab.deliver()
    (new,) = lab.tasks()
    assert new["startedBy"] == f"pilot/{visit}/2"
    lab.run(new)
    assert place(lab, token)["state"] == "ready"


def test_where_ecs_has_not_said_that_a_task_runs_the_page_asks_and_it_is_looked_at(lab):
    token, visit = at_the_game(lab)
    lab.deliver()
    (task,) = lab.tasks()
    told, lab.ecs_says = lab.ecs_says, lambda *_: None
    lab.run(task)
    lab.ecs_says = told
    lab.now_s += 60
    assert place(lab, token) == {"state": "waiting"}
    lab.deliver()
    assert list(lab.names()) == [f"{visit}.{DOMAIN}"]
    assert place(lab, token)["state"] == "ready"


def test_a_study_under_the_name_of_another_is_no_study_and_gets_no_server(lab):
    token, visit = at_the_game(lab)
    lab.put("pilot/study.json", {**lab.document("study.json"), "id": "other"})
    assert lab.ask("POST", "/study/arrive", None, {"link": {"userId": "somebody"}})[0] == 404
    assert lab.ask("GET", "/study/now", token)[0] == 404
    with pytest.raises(RecordError, match="no container for this study"):
        lab.deliver()
    assert lab.tasks() == [] and Janitor(lab.around, lab.clock)._needs("pilot") is None


def test_the_janitor_leaves_the_names_of_another_stack_and_of_studies_that_are_not_in_the_list(lab):
    Names(lab.around).set(f"{'c' * 20}.{DOMAIN}", "203.0.113.7")
    token, visit = playing(lab)
    lab.put("project_master_list.json", {"other": {"id": "other", "live": True}})
    lab.now_s += 400
    assert lab.janitor() == 0
    assert sorted(lab.names()) == sorted([f"{visit}.{DOMAIN}", f"{'c' * 20}.{DOMAIN}"])


def test_a_name_is_kept_while_a_task_of_its_server_is_live(lab):
    _, visit = playing(lab)
    lab.put("pilot/places.json", {"taken": [], "number": 9})
    lab.now_s += 400
    assert lab.janitor() == 0 and list(lab.names()) == [f"{visit}.{DOMAIN}"]


@pytest.mark.parametrize("bad", [("places.json", []), ("study.json", {"id": "broken"}), ("servers/x.json", {})])
def test_one_study_that_cannot_be_read_keeps_the_janitor_from_no_other(lab, bad):
    playing(lab)
    lab.put("project_master_list.json", {"broken": {}, "pilot": {}})
    lab.put("broken/places.json", {"taken": ["x"], "number": 1})
    lab.put("broken/study.json", {**lab.document("study.json"), "id": "broken"})
    lab.put("broken/servers/x.json", {})
    lab.put(f"broken/{bad[0]}", bad[1])
    lab.client("ecs").stop_task(cluster="hippogym", task=lab.tasks()[0]["taskArn"], reason="unheard")
    lab.now_s += 400
    assert lab.janitor() == 1
    assert [about["why"] for _, about in lab.told] == ["gone"]


def test_no_name_is_removed_in_a_round_in_which_a_study_cannot_be_read(lab):
    _, visit = playing(lab)
    lab.put(f"pilot/servers/{'b' * 20}.json", {**lab.document(f"servers/{visit}.json"), "state": "stopped"})
    Names(lab.around).set(f"{'b' * 20}.{DOMAIN}", "203.0.113.7")
    lab.put("project_master_list.json", {"broken": {}, "pilot": {}})
    lab.put("broken/places.json", [])
    assert lab.janitor() == 0
    lab.put("broken/places.json", {"taken": [], "number": 1})
    assert lab.janitor() == 1


def test_the_place_of_a_server_without_a_document_is_given_back(lab):
    lab.put("pilot/places.json", {"taken": ["d" * 20], "number": 1})
    assert lab.janitor() == 1
    lab.deliver()
    assert lab.document("places.json")["taken"] == [] and lab.janitor() == 0
