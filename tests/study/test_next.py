"""/next as existing front ends ask for it: a golden conversation, and what was wrong with the original's put right."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients import join
from tests.patience import PATIENCE_S
from tests.servers import RunningServer, serving
from tests.study.test_http import rows_of
from tests.study.whole_study import wait_for, whole_study

CONFIG = """
project:
  id: pilot
  origins: ['https://lab.example']
  steps: {1: consent.html, 2: game, 3: survey.html, finalStep: thanks.html}
trial:
  game: count-3
  maxEpisodes: 1
  maxParticipants: 1
  actionSpace: [noop, up, right, left, down, upright]
  episodePause: 0
  ui: {start: true}
"""
FRONT_END = {"Origin": "https://lab.example", "Content-Type": "application/json;charset=UTF-8"}


class FrontEnd:
    """The page of early 2021, as far as it asks for pages."""

    def __init__(self, server: RunningServer, user: str) -> None:
        self.server, self.user = server, user
        self.client = httpx.Client(base_url=server.url, timeout=PATIENCE_S, headers=FRONT_END)

    def ask(self, method: str, body: object = None) -> str:
        answer = self.client.request(method, "/next", params={"projectId": "pilot", "userId": self.user}, json=body)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"page", "css"} and answer.json()["css"] is None
        return answer.json()["page"]

    def get(self) -> str:
        return self.ask("GET")

    def submit(self, page: str, **given: str) -> str:
        """As handleSubmit does: hidden inputs too, an unnamed control under "", everything a text."""
        return self.ask("POST", {**given, "": "", "hippogym-stamp": stamp_in(page)})


def stamp_in(page: str) -> str:
    return re.search(r'<input type="hidden" name="hippogym-stamp" value="([^"]+)">', page)[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    study = whole_study(tmp_path_factory.mktemp("next") / "study", CONFIG)
    with serving(study) as running:
        yield running


@pytest.fixture
def front_end(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[FrontEnd]:
    found = FrontEnd(server, f"{request.node.name}@x")
    yield found
    found.client.close()


async def test_the_golden_conversation(front_end, server):
    consent = front_end.get()
    assert "<h1>Consent</h1>" in consent and f'src="{server.url}/study/files/cat.png"' in consent
    assert front_end.get() == consent, "GET never advances"
    assert front_end.submit(consent, agree="on") == "show_game_page"
    assert front_end.get() == "show_game_page"
    async with join(server.ws, v2=False, origin="https://lab.example") as client:
        await client.hello(front_end.user)
        other = FrontEnd(server, "another")
        assert other.submit(other.get(), agree="on") == "wait", "the only place is taken"
        other.client.close()
        await client.say(command="start", system="Linux", systemVersion="x", browser="b", browserVersion="1")
        await client.until("done")
    survey = front_end.get()
    assert "<textarea" in survey
    thanks = front_end.submit(survey, text="why", radio="b", number="33", one="yes", several="x")
    assert "<h1>Thank you</h1>" in thanks and "hippogym-stamp" not in thanks
    assert re.search(r"Your code: <strong>C[0-9A-Z-]+</strong>", thanks)
    assert front_end.get() == thanks == front_end.submit(survey, text="again"), "for ever after"
    [row] = rows_of(server, stamp_in(survey))
    said = {name: row["answers"][name] for name in ("text", "radio", "number", "one", "several", "select", "file")}
    assert said == {"text": "why", "radio": "b", "number": "33", "one": True, "several": ["x"], "select": "",
                    "file": None}  # fmt: skip
    assert "hippogym-stamp" not in row["answers"] and "" not in row["answers"]


def test_submit_pressed_twice_is_one_answer(front_end, server):
    consent = front_end.get()
    assert front_end.submit(consent, agree="on") == front_end.submit(consent, agree="on")
    assert len(rows_of(server, stamp_in(consent))) == 1


def test_a_submit_without_its_page_changes_nothing(front_end):
    consent = front_end.get()
    assert front_end.ask("POST", {"agree": "on"}) == consent
    assert front_end.ask("POST", {"agree": "on", "hippogym-stamp": "made up"}) == consent


def test_what_is_missing_is_said_on_the_page(front_end):
    consent = front_end.get()
    again = front_end.submit(consent)
    assert '<p role="alert">Please tick this box.</p>' in again
    assert stamp_in(again) == stamp_in(consent)
    assert front_end.get() == consent


def test_the_first_thing_may_be_a_submit(front_end):
    assert "<h1>Consent</h1>" in front_end.ask("POST", {"agree": "on", "hippogym-stamp": "of yesterday"})


@pytest.mark.parametrize(
    "query",
    ["", "?projectId=pilot", "?userId=u", "?projectId=other&userId=u", "?projectId=pilot&userId=",
     "?projectId=&userId=u", "?projectId=pilot&userId=" + "u" * 300],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_project_is_answered_as_ever(server, method, query):
    with httpx.Client(base_url=server.url, headers=FRONT_END) as client:
        answer = client.request(method, f"/next{query}", json={} if method == "POST" else None)
    assert (answer.status_code, answer.json()) == (400, "Project ID Not Found")
    assert answer.headers["access-control-allow-origin"] == "https://lab.example"


def test_the_preflight_of_a_listed_origin_succeeds_and_no_other(server):
    with httpx.Client(base_url=server.url) as client:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        fine = client.options("/next", headers={"Origin": "https://lab.example", **asked})
        not_fine = client.options("/next", headers={"Origin": "https://evil.example", **asked})
    assert (fine.status_code, not_fine.status_code) == (204, 403)
    assert "POST" in fine.headers["access-control-allow-methods"]
    assert "Content-Type" in fine.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in not_fine.headers


def test_a_name_that_our_own_page_knows_opens_nothing_here(server, front_end):
    with httpx.Client(base_url=server.url) as client:
        arrived = client.post("/study/arrive", json={"link": {"userId": front_end.user}}).json()
        client.post("/study/answer", json={"stamp": arrived["view"]["stamp"], "answers": {"agree": True}},
                    headers={"Authorization": f"Bearer {arrived['token']}"})  # fmt: skip
    assert "<h1>Consent</h1>" in front_end.get(), "a visit of its own"


def test_bad_bodies_are_refused(server):
    with httpx.Client(base_url=server.url, params={"projectId": "pilot", "userId": "bad"}) as client:
        for body in (b"", b"[]", b"x", b'"text"'):
            assert client.post("/next", content=body).status_code == 400
        assert client.post("/next", content=b" " * (2**20 + 1)).status_code == 413


def test_it_goes_on_after_the_server_was_killed(tmp_path: Path):
    study = whole_study(tmp_path / "study", CONFIG)
    with serving(study) as server:
        someone = FrontEnd(server, "u")
        consent = someone.get()
        assert someone.submit(consent, agree="on") == "show_game_page"
        server.process.kill()
        server.process.wait(PATIENCE_S)
        someone.client.close()
    with serving(study) as server:
        someone = FrontEnd(server, "u")
        assert someone.submit(consent, agree="on") == "show_game_page"
        assert wait_for(lambda: len(rows_of(server, stamp_in(consent))) == 1)
        someone.client.close()
