"""The study's pages on AWS: the same rules as on a server of one's own, and nothing lost or doubled in the bucket."""

import json
import re
import threading
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from hippogym.core.study.tickets import participant_token, server_key, sign, visit_of_token
from tests.deploy.cloud import (
    BUCKET,
    KEY,
    BucketLedger,
    ChangedMeanwhile,
    Cloud,
    Objects,
    Service,
    Visits,
    cloud,
    study_document,
)


@pytest.fixture
def lab() -> Iterator[Cloud]:
    with cloud(events={}) as made:
        yield made


def with_conditions() -> dict:
    study = study_document()["study"]
    return {"events": {}, "study": {**study, "conditions": {"one": {}, "two": {}}}}


def test_get_shows_and_post_advances_and_both_can_be_repeated(lab):
    token, view = lab.arrive()
    assert lab.ask("GET", "/study/now", token)[1]["view"] == lab.ask("GET", "/study/now", token)[1]["view"] == view
    body = {"stamp": view["stamp"], "answers": {"word": "yes"}}
    first, again = (lab.ask("POST", "/study/answer", token, body)[1] for _ in range(2))
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["view"]["name"] == again["view"]["name"] == "game"


def test_an_answer_is_in_the_bucket_when_it_is_acknowledged(lab):
    token, view = lab.arrive(userId="somebody")
    lab.answer(token, view)
    visit = visit_of_token(KEY, "pilot", token)
    document = lab.document(f"visits/{visit}.json")
    assert [row["answers"] for row in document["answers"]] == [{"word": "yes"}]
    listed = lab.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="pilot/users/")["Contents"]
    told = json.load(lab.client("s3").get_object(Bucket=BUCKET, Key=listed[0]["Key"])["Body"])
    assert told["user"] == "somebody" and told["visits"][0]["every_answer"][0]["answers"] == {"word": "yes"}


def test_a_large_answer_is_kept_beside_the_visit_and_comes_back_whole(lab):
    token, view = lab.arrive()
    word = "long " * 20_000
    status, _ = lab.ask("POST", "/study/answer", token, {"stamp": view["stamp"], "answers": {"word": word}})
    assert status == 200
    visit = visit_of_token(KEY, "pilot", token)
    ledger = BucketLedger(lab.around.objects, "pilot", lab.now_s)
    assert [row["answers"]["word"] for row in ledger.answers(visit)] == [word]
    assert ledger.answers_bytes(visit) >= len(word)


def test_what_is_missing_is_told_and_changes_nothing(lab):
    token, view = lab.arrive()
    status, body = lab.ask("POST", "/study/answer", token, {"stamp": view["stamp"], "answers": {}})
    assert status == 422 and [problem["name"] for problem in body["problems"]] == ["word"]
    assert lab.ask("GET", "/study/now", token)[1]["view"]["stamp"] == view["stamp"]


@pytest.mark.parametrize("token", [None, "", "x", "0" * 20 + "." + "A" * 43, "é" * 60])
def test_without_a_signed_token_nothing_is_read_or_changed(lab, token):
    lab.arrive()
    for method, path in (
        ("GET", "/study/now"),
        ("POST", "/study/now"),
        ("POST", "/study/answer"),
        ("POST", "/study/withdraw"),
    ):
        assert lab.ask(method, path, token, {})[0] == 401


def test_a_token_of_another_project_or_of_another_key_opens_nothing(lab):
    token, _ = lab.arrive()
    visit = str(visit_of_token(KEY, "pilot", token))
    for other in (participant_token(KEY, "pilot2", visit), participant_token(bytes(32), "pilot", visit)):
        assert lab.ask("GET", "/study/now", other)[0] == 401


def test_only_listed_pages_may_ask(lab):
    assert lab.ask("POST", "/study/arrive", None, {}, origin="https://elsewhere.example")[0] == 403
    assert lab.ask("POST", "/study/arrive", None, {}, origin="https://page.example.org")[0] == 200
    assert lab.ask("OPTIONS", "/study/arrive", None, None, origin="https://page.example.org")[0] == 204


def test_a_study_that_is_not_live_is_shown_to_previews_only(lab):
    lab.put("pilot/study.json", {**lab.document("study.json"), "live": False})
    assert lab.ask("POST", "/study/arrive", None, {"link": {}})[0] == 404
    assert lab.ask("POST", "/study/arrive", None, {"link": {"preview": ""}})[0] == 200


def test_who_comes_twice_from_a_recruiting_site_has_one_visit(lab):
    token, _ = lab.arrive(PROLIFIC_PID="p1")
    assert lab.arrive(token, PROLIFIC_PID="p1")[0] == token
    assert lab.ask("POST", "/study/arrive", None, {"link": {"PROLIFIC_PID": "p1"}})[0] == 409
    lab.now_s += 300
    other, _ = lab.arrive(PROLIFIC_PID="p1")
    assert other != token
    assert lab.ask("GET", "/study/now", token)[1]["view"]["end"]["outcome"] == "superseded"


def test_one_visit_is_left_after_a_failure_between_the_new_one_and_the_one_whose_place_it_takes(lab, monkeypatch):
    first, view = lab.arrive(PROLIFIC_PID="p1")
    lab.now_s += 300
    s3, place = lab.client("s3"), f"pilot/visits/{visit_of_token(KEY, 'pilot', first)}.json"
    plain = s3.put_object

    def fails(**about):
        if about["Key"] == place:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "PutObject")
        return plain(**about)

    with monkeypatch.context() as patch:
        patch.setattr(s3, "put_object", fails)
        assert lab.ask("POST", "/study/arrive", None, {"link": {"PROLIFIC_PID": "p1"}})[0] == 503
    lab.now_s += 300
    lab.arrive(PROLIFIC_PID="p1")
    visits = [held.visit for held in BucketLedger(lab.around.objects, "pilot", lab.now_s).by_user("p1")]
    assert len(visits) == 3
    assert [visit["superseded_by"] for visit in visits] == [None, visits[0]["id"], visits[0]["id"]]


def test_who_has_an_end_in_any_earlier_visit_is_done(lab, monkeypatch):
    test_one_visit_is_left_after_a_failure_between_the_new_one_and_the_one_whose_place_it_takes(lab, monkeypatch)
    visits = [held.visit for held in BucketLedger(lab.around.objects, "pilot", lab.now_s).by_user("p1")]
    oldest = f"visits/{visits[-1]['id']}.json"
    document = lab.document(oldest)
    document["visit"] |= {"superseded_by": None, "outcome": "complete"}
    lab.put(f"pilot/{oldest}", document)
    lab.now_s += 300
    assert lab.ask("POST", "/study/arrive", None, {"link": {"PROLIFIC_PID": "p1"}})[0] == 403  # not 409: elsewhere


def test_two_doors_at_once_let_a_recruited_participant_in_once(lab):
    """The second comes between every two requests of the first, at each place in turn."""
    for place in range(1, 12):
        about = {"link": {"PROLIFIC_PID": f"at-{place}"}}
        calls, others = [0], []
        plain = lab.client("s3")

        class Between:
            def __getattr__(self, name):
                def asked(**arguments):
                    calls[0] += 1  # noqa: B023
                    if calls[0] == place:  # noqa: B023
                        others.append(lab.ask("POST", "/study/arrive", None, about)[0])  # noqa: B023
                    return getattr(plain, name)(**arguments)  # noqa: B023

                return asked if name in ("get_object", "put_object") else getattr(plain, name)  # noqa: B023

        around = lab.around
        around.client = lambda service: Between() if service == "s3" else lab.client(service)
        service = Service(around, Visits, clock=lab.clock, longest_s=0.05)
        event = {
            "rawPath": "/study/arrive", "requestContext": {"http": {"method": "POST"}}, "body": json.dumps(about),
            "queryStringParameters": {"projectId": "pilot"}, "headers": {},
        }  # fmt: skip
        statuses = sorted([service(event)["statusCode"], *others])
        if len(statuses) == 2:
            assert statuses[0] == 200 and statuses[1] in (409, 503), (place, statuses)


def test_conditions_are_even_and_kept_when_many_come_at_once():
    with cloud(**with_conditions()) as lab:
        lab.now_s = time.time()
        objects = lab.around.objects
        problems: list[BaseException] = []

        def come() -> None:
            try:
                for _ in range(4):
                    Visits(objects, lab.document("study.json"), KEY, lab.clock).arrive({}, None, {})
            except BaseException as problem:
                problems.append(problem)

        threads = [threading.Thread(target=come) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not problems
        log = [entry for entry in lab.document("assignments.json") if entry["event"] == "assign"]
        arms = [entry["arm"] for entry in log]
        assert len(arms) == 12 and arms.count("one") == 6
        assert [entry["n"] for entry in lab.document("assignments.json")] == list(range(13))


def test_a_failed_read_never_becomes_an_empty_visit(lab, monkeypatch):
    token, view = lab.arrive()
    lab.answer(token, view)
    before = lab.document(f"visits/{visit_of_token(KEY, 'pilot', token)}.json")
    from botocore.exceptions import EndpointConnectionError

    with monkeypatch.context() as patch:

        def fails(**_):
            raise EndpointConnectionError(endpoint_url="https://s3")

        patch.setattr(lab.client("s3"), "get_object", fails)
        assert lab.ask("GET", "/study/now", token)[0] == 503
        assert lab.ask("POST", "/study/answer", token, {"stamp": "x", "answers": {}})[0] == 503
    assert lab.document(f"visits/{visit_of_token(KEY, 'pilot', token)}.json") == before


def test_withdrawing_with_deletion_leaves_no_answer_in_any_version(lab):
    token, view = lab.arrive(userId="somebody")
    status, _ = lab.ask(
        "POST", "/study/answer", token, {"stamp": view["stamp"], "answers": {"word": "a secret " * 9_000}}
    )
    assert status == 200
    assert lab.ask("POST", "/study/withdraw", token, {"delete": True})[0] == 200
    s3 = lab.client("s3")
    for one in s3.list_object_versions(Bucket=BUCKET).get("Versions", ()):
        body = s3.get_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
        assert b"a secret" not in body, one["Key"]


@pytest.mark.parametrize("operation", ["delete_object", "list_object_versions", "put users", "put left"])
def test_a_deletion_that_breaks_off_is_said_and_the_next_try_finishes_it(lab, monkeypatch, operation):
    token, view = lab.arrive(userId="somebody")
    lab.ask("POST", "/study/answer", token, {"stamp": view["stamp"], "answers": {"word": "a secret " * 9_000}})
    s3 = lab.client("s3")
    kind, _, folder = operation.partition(" ")
    name = "put_object" if kind == "put" else "get_paginator" if kind.startswith("list") else kind
    plain = getattr(s3, name)

    def fails(*what, **about):
        if (folder and f"/{folder}/" in about["Key"]) or what == (kind,) or name == "delete_object":
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, kind)
        return plain(*what, **about)

    with monkeypatch.context() as patch:
        patch.setattr(s3, name, fails)
        assert lab.ask("POST", "/study/withdraw", token, {"delete": True})[0] == 503
    assert lab.ask("POST", "/study/withdraw", token, {"delete": True})[0] == 200
    for one in s3.list_object_versions(Bucket=BUCKET).get("Versions", ()):
        body = s3.get_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
        assert b"a secret" not in body, one["Key"]


def test_who_asks_without_end_has_nothing_written(lab, monkeypatch):
    token, view = lab.arrive(userId="somebody")
    lab.answer(token, view)
    lab.arrive(token, userId="somebody")
    s3, written = lab.client("s3"), []
    plain = s3.put_object
    monkeypatch.setattr(s3, "put_object", lambda **about: written.append(about["Key"]) or plain(**about))
    for _ in range(3):
        lab.arrive(token, userId="somebody")
    assert written == []
    lab.now_s += 61
    lab.arrive(token, userId="somebody")
    lab.ask("GET", "/study/now", token)
    assert written and not any("/users/" in key for key in written)


def without_the_game(lab: Cloud) -> None:
    document = lab.document("study.json")
    document["study"]["steps"] = [step for step in document["study"]["steps"] if step["page"] != "game"]
    lab.put("pilot/study.json", document)


@pytest.mark.parametrize("by", ["now", "arrive"])
def test_a_visit_at_a_step_that_is_no_more_goes_on(lab, by):
    token, _ = at_the_game(lab)
    without_the_game(lab)
    path, body = ("/study/now", {"receipts": []}) if by == "now" else ("/study/arrive", {"link": {}})
    view = lab.ask("POST", path, token, body)[1]["view"]
    assert view["name"] == "survey"
    assert lab.ask("GET", "/study/now", token)[1]["view"] == view
    assert lab.answer(token, view)["end"]["outcome"] == "complete"


def test_a_put_whose_answer_was_lost_is_not_taken_for_somebody_elses(lab):
    objects = Objects(lab.client("s3"), BUCKET)
    tag = objects.put("pilot/x.json", {"a": 1}, None)
    assert objects.put("pilot/x.json", {"a": 1}, None) == tag
    with pytest.raises(ChangedMeanwhile):
        objects.put("pilot/x.json", {"a": 2}, None)
    with pytest.raises(ChangedMeanwhile):
        objects.put("pilot/x.json", {"a": 2}, '"' + "0" * 32 + '"')


# -- receipts ----------------------------------------------------------------------------------------------------------


def receipt(visit: str, kind: str, trial: str = "t1", **about) -> str:
    said = {"kind": kind, "visit": visit, "step": "game", "trial": trial, **about}
    return sign(server_key(KEY, "pilot", visit), "receipt", said)


def at_the_game(lab: Cloud) -> tuple[str, str]:
    token, view = lab.arrive()
    assert lab.answer(token, view)["name"] == "game"
    return token, str(visit_of_token(KEY, "pilot", token))


OVER = {"reason": "finished", "episodes": 2, "ticks": 9, "score": 1}


def test_what_a_server_left_in_the_bucket_counts_when_its_page_was_closed(lab):
    token, visit = at_the_game(lab)
    lab.put(f"pilot/receipts/{visit}.json", {"receipts": [receipt(visit, "over", **OVER), receipt(visit, "began")]})
    assert lab.ask("GET", "/study/now", token)[1]["view"]["name"] == "survey"


def test_a_place_that_is_ready_is_looked_behind_only_when_something_has_happened(lab):
    token, visit = at_the_game(lab)
    lab.deliver()
    lab.run(lab.tasks()[0])
    assert lab.ask("GET", "/study/now", token)[1]["view"]["game"]["place"]["state"] == "ready"
    lab.put(f"pilot/receipts/{visit}.json", {"receipts": [receipt(visit, "over", **OVER)]})
    assert lab.ask("GET", "/study/now", token)[1]["view"]["name"] == "game"
    assert lab.ask("GET", "/study/now", token, query={"after": "game"})[1]["view"]["name"] == "survey"


def test_what_cannot_be_used_in_the_bucket_changes_nothing_and_stops_nobody(lab):
    token, visit = at_the_game(lab)
    forged = sign(server_key(KEY, "pilot", "0" * 20), "receipt", {"kind": "over", "visit": visit, "trial": "t", **OVER})
    for content in ({"receipts": [forged]}, {"receipts": ["x", 7]}, {"other": 1}, [1, 2], {"receipts": None}):
        lab.put(f"pilot/receipts/{visit}.json", content)
        status, body = lab.ask("GET", "/study/now", token)
        assert (status, body["view"]["name"]) == (200, "game"), content


def test_what_was_said_of_an_earlier_trial_does_not_stop_the_one_that_runs(lab):
    token, visit = at_the_game(lab)
    first = [receipt(visit, "began", "t1"), receipt(visit, "over", "t1", **OVER | {"reason": "server", "episodes": 1})]
    for texts in (first, [receipt(visit, "began", "t2")], first):
        status, _ = lab.ask("POST", "/study/now", token, {"receipts": texts})
        assert status == 200
    game = lab.document(f"visits/{visit}.json")["visit"]["games"]["game"]
    assert (game["trial"], game["state"], game["starts"], game["episodes"]) == ("t2", "playing", 2, 1)
    assert lab.ask("POST", "/study/now", token, {"receipts": [receipt(visit, "over", "t2", **OVER)]})[0] == 200
    assert lab.ask("GET", "/study/now", token)[1]["view"]["name"] == "survey"


# -- the page ----------------------------------------------------------------------------------------------------------


def test_a_page_of_ours_is_told_also_that_there_is_no_such_study(lab):
    for method in ("OPTIONS", "POST"):
        event = {
            "rawPath": "/study/arrive", "requestContext": {"http": {"method": method}}, "body": "{}",
            "queryStringParameters": {"projectId": "other"}, "headers": {"origin": "https://page.example.org"},
        }  # fmt: skip
        answer = Service(lab.around, Visits)(event)
        assert answer["statusCode"] == (204 if method == "OPTIONS" else 404)
        assert answer["headers"]["access-control-allow-origin"] == "https://page.example.org"


def test_what_pages_show_is_beside_the_page_and_the_study_has_its_name(lab):
    document = lab.document("study.json")
    document["pages"]["consent.html"]["html"] = (
        '<img src="/study/files/a.png" srcset="/study/files/a.png 1x, /study/files/b.png 2x"> see x.org/study/files/'
    )
    lab.put("pilot/study.json", document)
    body = lab.ask("POST", "/study/arrive", None, {"link": {}})[1]
    assert body["study"] == {"name": "A pilot"}
    assert body["view"]["html"] == (
        '<img src="/pilot/StepFiles/a.png" srcset="/pilot/StepFiles/a.png 1x, /pilot/StepFiles/b.png 2x"> '
        "see x.org/study/files/"
    )


# -- existing front ends -----------------------------------------------------------------------------------------------


def stamp_in(page: str) -> str:
    return re.search(r'name="hippogym-stamp" value="([^"]+)"', page)[1]


def front_end(lab: Cloud, user: str, body: object = None, project: str = "pilot") -> tuple[int, object]:
    method = "GET" if body is None else "POST"
    return lab.ask(method, "/next", None, body, {"projectId": project, "userId": user})


def test_next_shows_and_never_advances_and_one_submit_is_one_answer(lab):
    status, told = front_end(lab, "ann")
    assert (status, set(told)) == (200, {"page", "css"}) and told["css"] is None
    assert front_end(lab, "ann")[1] == told
    given = {"word": "yes", "": "", "hippogym-stamp": stamp_in(told["page"])}
    assert front_end(lab, "ann", given)[1] == front_end(lab, "ann", given)[1] == {"page": "wait", "css": None}
    lab.deliver()
    lab.run(lab.tasks()[0])
    assert front_end(lab, "ann")[1]["page"] == "show_game_page"


def test_next_asks_again_for_what_is_missing(lab):
    given = {"word": "", "hippogym-stamp": stamp_in(front_end(lab, "ann")[1]["page"])}
    assert 'role="alert"' in front_end(lab, "ann", given)[1]["page"]
    assert 'role="alert"' not in front_end(lab, "ann")[1]["page"]


def test_a_name_opens_only_the_visit_that_came_by_that_door(lab):
    token, view = lab.arrive(userId="ann")
    lab.answer(token, view)
    assert "consent.html" in front_end(lab, "ann")[1]["page"]
    assert lab.ask("GET", "/study/now", token)[1]["view"]["name"] == "game"


def test_next_does_not_know_other_projects_nobody_and_closed_studies(lab):
    unknown = (400, "Project ID Not Found")
    assert front_end(lab, "ann", project="other") == front_end(lab, "") == front_end(lab, "a" * 300) == unknown
    lab.put("pilot/study.json", {**lab.document("study.json"), "live": False})
    assert front_end(lab, "ann") == unknown
