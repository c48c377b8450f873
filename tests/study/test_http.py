"""The study's JSON interface on a real server: what is acknowledged is kept, and what is kept is what was sent."""

import contextlib
import json
import sqlite3
import stat
from pathlib import Path

import httpx
import pytest

from hippogym.data.ledger.sqlite import FILE
from tests.servers import RunningServer, serving
from tests.study.whole_study import CONFIG, EVERYTHING, Person, a_file, whole_study

NEW = {"agree": True}


def rows_of(server: RunningServer, visit_stamp: str) -> list[dict]:
    """The answers of a showing, as they stand in the ledger."""
    with contextlib.closing(sqlite3.connect(server.records / FILE)) as database:
        found = database.execute("SELECT document FROM answers WHERE stamp = ?", (visit_stamp,)).fetchall()
    return [json.loads(text) for (text,) in found]


def at_survey(someone: Person) -> Person:
    someone.arrive()
    someone.submit(NEW)
    someone.submit({"sum": "4"})
    assert someone.view["name"] == "survey"
    return someone


# -- the way -----------------------------------------------------------------------------------------------------


def test_the_whole_way_leads_to_a_code(person):
    someone = at_survey(person())
    someone.submit({})
    assert someone.view["kind"] == "end"
    assert someone.view["end"]["outcome"] == "complete" and len(someone.view["end"]["code"]) > 20
    code = someone.view["end"]["code"]
    someone.now()
    someone.arrive()
    assert someone.view["end"]["code"] == code


def test_looking_never_advances(person):
    someone = person()
    someone.arrive()
    first = someone.view
    for _ in range(20):
        someone.now()
        someone.arrive()
    assert someone.view == first


def test_submitting_twice_is_one_answer(person, server):
    someone = person()
    someone.arrive()
    stamp = someone.view["stamp"]
    assert someone.submit(NEW, stamp).json()["repeated"] is False
    after = someone.view
    again = someone.submit({"agree": False}, stamp)
    assert (again.status_code, again.json()["repeated"], someone.view) == (200, True, after)
    assert [row["answers"] for row in rows_of(server, stamp)] == [NEW]


def test_a_second_tab_cannot_skip_a_page(person, server):
    one = person()
    one.arrive()
    other = Person(server.url, token=one.token)
    other.now()
    assert other.view == one.view
    one.submit(NEW)
    late = other.submit(NEW)
    assert late.json()["repeated"] is True
    assert other.view["name"] == "quiz" == one.view["name"]
    other.client.close()


def test_what_is_missing_is_named_and_nothing_is_kept(person, server):
    someone = person()
    someone.arrive()
    stamp = someone.view["stamp"]
    refused = someone.submit({"agree": False})
    assert refused.status_code == 422
    assert refused.json()["problems"] == [{"name": "agree", "text": "Please tick this box."}]
    assert refused.json()["error"]["code"] == "incomplete"
    someone.now()
    assert (someone.view["stamp"], rows_of(server, stamp)) == (stamp, [])


def test_a_quiz_that_is_failed_too_often_ends_the_visit(person):
    someone = person()
    someone.arrive()
    someone.submit(NEW)
    someone.submit({"sum": "5"})
    assert someone.view["problems"] == [{"name": "sum", "text": "count again"}]
    assert (someone.view["triesLeft"], someone.view["answers"]) == (1, {"sum": "5"})
    someone.submit({"sum": "6"})
    assert someone.view["end"]["outcome"] == "failedCheck"


# -- answers -----------------------------------------------------------------------------------------------------


def test_every_kind_of_control_comes_back_as_it_was_given(person, server):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    someone.submit(EVERYTHING)
    [row] = rows_of(server, stamp)
    assert row["answers"] == EVERYTHING
    assert list(row["answers"]) == list(EVERYTHING), "in the order of the page"
    assert row["page"] == "survey.html" and row["shown_s"] <= row["submitted_s"]
    assert (row["focus_s"], row["shown_ms"]) == (0.9, 1200)


def test_what_is_left_empty_is_kept_as_empty(person, server):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    someone.submit({})
    [row] = rows_of(server, stamp)
    empty = {"radio": None, "one": False, "several": [], "multi": [], "file": None}
    assert row["answers"] == dict.fromkeys(EVERYTHING, "") | empty


def test_the_order_of_ticking_does_not_matter(person, server):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    someone.submit({"several": ["y", "x"], "multi": ["m2"]})
    [row] = rows_of(server, stamp)
    assert (row["answers"]["several"], row["answers"]["multi"]) == (["x", "y"], ["m2"])


def test_half_characters_and_large_files_survive(person, server):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    given = {"text": "\ud83d half", "file": a_file("big", b"\x00\xff" * 2_000_000)}
    body = json.dumps({"stamp": stamp, "answers": given}).encode()
    sent = someone.client.post("/study/answer", content=body, headers=someone.headers)
    assert sent.status_code == 200
    [row] = rows_of(server, stamp)
    assert (row["answers"]["text"], row["answers"]["file"]) == (given["text"], given["file"])


def test_half_characters_come_back_with_the_next_try(person):
    someone = person()
    someone.arrive()
    someone.submit(NEW)
    body = json.dumps({"stamp": someone.view["stamp"], "answers": {"sum": "\ud83d"}}).encode()
    sent = someone.client.post("/study/answer", content=body, headers=someone.headers)
    assert (sent.status_code, sent.json()["view"]["answers"]) == (200, {"sum": "\ud83d"})


@pytest.mark.parametrize(
    "answers",
    [{"radio": "c"}, {"radio": ["a"]}, {"several": "x"}, {"several": ["z"]}, {"number": "many"}, {"number": "201"},
     {"one": "yes"}, {"file": {"file": "x", "base64": "?"}}, {"file": "x"}, {"date": "tomorrow"}, {"text": 5}],
)  # fmt: skip
def test_what_the_page_could_not_have_sent_is_refused(person, server, answers):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    assert someone.submit(answers).status_code == 422
    assert rows_of(server, stamp) == []


# -- the page ----------------------------------------------------------------------------------------------------


def test_a_page_comes_without_anything_that_acts_or_gives_the_answers_away(person):
    someone = person()
    someone.arrive()
    someone.submit(NEW)
    assert "data-" not in someone.view["html"]
    someone.submit({"sum": "4"})
    html = someone.view["html"]
    assert "steal" not in html and "<form" not in html
    assert someone.view["title"] == "About you"


def test_what_lies_beside_the_pages_is_served_and_nothing_else(person):
    client = person().client
    cat = client.get("/study/files/cat.png")
    assert (cat.status_code, cat.headers["content-type"], cat.content[:4]) == (200, "image/png", b"\x89PNG")
    again = client.get("/study/files/cat.png", headers={"If-None-Match": cat.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("quiz.html", "notes.txt", "../config.yml", "%2e%2e/config.yml", "..%2f..%2fetc/passwd", ""):
        assert client.get(f"/study/files/{path}").status_code == 404, path


# -- coming back, and who one is -----------------------------------------------------------------------------------


def test_the_same_browser_goes_on_where_it_was(person):
    someone = at_survey(person())
    back = someone.arrive().json()
    assert (back["resumed"], back["view"]["name"]) == (True, "survey")


def test_a_recruited_participant_is_not_in_two_places(person):
    one, other = person(PROLIFIC_PID="p1"), person(PROLIFIC_PID="p1")
    one.arrive()
    refused = other.arrive()
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "elsewhere")


def test_a_recruited_participant_takes_part_once(person):
    one, other = at_survey(person(PROLIFIC_PID="p2")), person(PROLIFIC_PID="p2")
    one.submit({})
    refused = other.arrive()
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "done")


def test_another_person_on_the_same_machine_is_another_visit(person):
    first = at_survey(person(userId="ada"))
    first.link = {"userId": "bob"}
    second = first.arrive().json()
    assert (second["resumed"], second["view"]["name"]) == (False, "consent")


def test_a_preview_is_marked_and_earns_no_code(person):
    someone = at_survey(person(preview="", userId="r"))
    assert someone.view["preview"] is True
    someone.submit({})
    assert someone.view["end"]["code"] == "PREVIEW"
    assert someone.arrive().json()["resumed"] is False, "researchers begin anew"


@pytest.mark.parametrize("token", [None, "x", "a" * 5000, "nothing-of-ours", "Zoë"])
def test_a_token_of_nobody_opens_nothing(server, token):
    headers = [(b"authorization", f"Bearer {token}".encode())] if token is not None else []
    with httpx.Client(base_url=server.url) as client:
        for method, path in (("GET", "/study/now"), ("POST", "/study/answer"), ("POST", "/study/withdraw")):
            answer = client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown")


# -- withdrawing -------------------------------------------------------------------------------------------------


def test_who_withdraws_keeps_their_answers_unless_they_ask(person, server):
    someone = person()
    someone.arrive()
    stamp = someone.view["stamp"]
    someone.submit(NEW)
    someone.withdraw(delete=False)
    assert someone.view["end"]["outcome"] == "withdrew"
    assert len(rows_of(server, stamp)) == 1
    assert someone.submit({"sum": "4"}, "any").json()["repeated"] is True


def test_who_withdraws_and_asks_for_it_leaves_no_answer(person, server):
    someone = at_survey(person())
    stamp = someone.view["stamp"]
    secret = "quetzalcoatl"
    someone.submit({"text": secret, "number": "9999"})  # refused: the number is too high
    someone.submit({"sum": "4"}, stamp)
    someone.withdraw(delete=True)
    with contextlib.closing(sqlite3.connect(server.records / FILE)) as database:
        documents = [text for (text,) in database.execute("SELECT document FROM visits")]
        stamps = [stamp for (stamp,) in database.execute("SELECT stamp FROM answers")]
    assert stamp not in stamps and not any(secret in text for text in documents)


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"null", b"{", b'{"stamp": 5}', b'{"answers": []}', b"[" * 100_000,
                                  b'{"answers": {"a": NaN}}', b"\xff\xfe"])  # fmt: skip
def test_a_body_that_is_none_is_refused_in_a_sentence(person, body):
    someone = person()
    someone.arrive()
    view = someone.view
    answer = someone.client.post("/study/answer", content=body, headers=someone.headers)
    assert answer.status_code == 400 and answer.json()["error"]["text"]
    someone.now()
    assert someone.view == view


def test_a_body_that_is_too_large_is_refused_before_it_is_read(person):
    someone = person()
    someone.arrive()
    for path, size in (("/study/answer", 12 * 2**20 + 1), ("/study/withdraw", 40_000), ("/study/arrive", 40_000)):
        answer = someone.client.post(path, content=b" " * size, headers=someone.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large"), path


def test_a_body_that_says_nothing_of_its_length_is_limited_too(person):
    someone = person()
    someone.arrive()
    answer = someone.client.post("/study/withdraw", content=(b" " * 10_000 for _ in range(4)), headers=someone.headers)
    assert answer.status_code == 413


def test_who_asks_too_often_is_told_to_wait(person):
    someone = person()
    someone.arrive()
    codes = {someone.now().status_code for _ in range(400)}
    assert codes == {200, 429}


# -- other web sites -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [("https://lab.example", True), ("https://lab.example:443", False), ("http://lab.example", False),
     ("https://evil.example", False), ("https://lab.example.evil.example", False), ("null", False)],
)  # fmt: skip
def test_only_listed_web_sites_may_ask(server, origin, welcome):
    with httpx.Client(base_url=server.url) as client:
        asked = client.post("/study/arrive", json={"link": {}}, headers={"Origin": origin})
        before = client.options("/study/answer", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    for answer, code in ((asked, 200), (before, 204)):
        assert answer.status_code == (code if welcome else 403)
        assert answer.headers.get("access-control-allow-origin") == (origin if welcome else None)
        assert "Origin" in answer.headers["vary"]
    if welcome:
        assert "Authorization" in before.headers["access-control-allow-headers"]


def test_nothing_of_the_study_is_kept_by_a_cache(person):
    someone = person()
    assert someone.arrive().headers["cache-control"] == "no-store"
    assert "default-src 'none'" in someone.now().headers["content-security-policy"]


# -- the server --------------------------------------------------------------------------------------------------


def test_no_answer_id_or_token_is_ever_logged(study: Path):
    canary = "canary7f3a"
    with serving(study) as server:
        with Person(server.url, {"PROLIFIC_PID": f"{canary}1", "userId": f"{canary}2"}) as someone:
            at_survey(someone)
            someone.submit({"text": f"{canary}3", "file": a_file(f"{canary}4", b"x")})
            someone.client.get(f"/study/files/{canary}5")
            someone.client.get(f"/next?projectId=pilot&userId={canary}6")
            someone.ask("POST", "/study/answer", {"stamp": f"{canary}7", "answers": {canary: canary}})
            token, visit = someone.token, someone.view["end"]["code"]
        assert server.stop() == 0
        assert not any(word in server.log for word in (canary, token, visit, "127.0.0.1"))


def test_what_was_acknowledged_is_there_after_a_restart(study: Path):
    with serving(study) as server, Person(server.url) as someone:
        at_survey(someone)
        server.process.kill()
        server.process.wait(90)
    with serving(study) as server, Person(server.url, token=someone.token) as again:
        assert again.arrive().json()["resumed"] is True
        assert again.view["stamp"] == someone.view["stamp"]
        again.submit({})
        assert again.view["end"]["outcome"] == "complete"


def test_the_ledger_and_the_key_are_for_their_owner_alone(server):
    for name in (FILE, "code.key"):
        assert stat.S_IMODE((server.records / name).stat().st_mode) == 0o600


def test_a_study_without_steps_has_none_of_this(tmp_path: Path):
    config = CONFIG[: CONFIG.index("  steps:")] + CONFIG[CONFIG.index("trial:") :]
    with serving(whole_study(tmp_path / "study", config)) as server, Person(server.url) as someone:
        assert someone.arrive().status_code in (404, 405)
        assert not (server.records / FILE).exists()


def test_a_page_that_is_missing_stops_the_server_with_a_sentence(study: Path):
    (study / "StepFiles" / "quiz.html").unlink()
    with pytest.raises(AssertionError, match=r"quiz\.html is not there"), serving(study):
        pass


def test_a_study_that_is_not_live_lets_in_previews_alone(tmp_path: Path):
    study = whole_study(tmp_path / "study", CONFIG.replace("  id: pilot", "  id: pilot\n  live: false"))
    with serving(study) as server, Person(server.url) as stranger, Person(server.url, {"preview": "1"}) as researcher:
        assert (stranger.arrive().status_code, researcher.arrive().status_code) == (404, 200)
        asked = stranger.client.get("/next", params={"projectId": "pilot", "userId": "u"})
        assert (asked.status_code, asked.json()) == (400, "Project ID Not Found")
