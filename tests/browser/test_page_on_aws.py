"""The page as a lab's participants get it: from its bucket, asking the functions, playing on a server with a ticket.

The functions are the real ones over moto's S3, the page lies where the set-up puts it, and what CloudFront lets through
and says beside it is what the template says. The server of the game is a stand-in that speaks the protocol.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from hippogym.core.study.forms import read_form
from hippogym.core.study.tickets import read, server_key, sign
from hippogym.deploy.aws import Aws
from hippogym.deploy.page_upload import PageBucket
from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.browser.fake_server import FakeServer, Study, Trial, running
from tests.browser.watching import expect_state, expect_title
from tests.deploy.api_gateway import ApiGateway
from tests.deploy.cloud import BUCKET, DOMAIN, KEY, REGION, Cloud, Service, Stopper, Visits, cloud, study_document
from tests.deploy.distribution import Distribution
from tests.deploy.rehearsal.authority import Authority
from tests.patience import PATIENCE_MS, PATIENCE_S

pytestmark = pytest.mark.browser

PAGE, API, PAGES = "page.example.org", "api.example.org", "page-of-a-lab"
LINK = f"https://{PAGE}/?projectId=pilot&userId=ann"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f0005000201fe"
    "5c3a3b0000000049454e44ae426082"
)
CONSENT = """<style>h1 { color: rgb(1, 2, 3); }</style><h1>Taking part</h1>
<p id="mark" style="color: rgb(4, 5, 6)">Words</p>
<img id="own" src="/study/files/own.png" alt=""><img id="right" src="/study/files/consent.html" alt="">
<label>Say a word <input name="word" required></label>"""


class GameServer(FakeServer):
    """What runs in a participant's task: who comes has a ticket, and what becomes of the game is said in receipts."""

    def __init__(self) -> None:
        super().__init__(Study(project_name="A pilot"))
        self.tickets: list[dict[str, Any]] = []
        self.number = 0
        self.is_silent_about_receipts = False

    async def _introduce(self, trial: Trial, resumed: bool, hello: dict[str, Any]) -> None:
        visit = json.loads(_decoded(hello["visit"]))["visit"]
        ticket = read(server_key(KEY, "pilot", visit), "ticket", hello["visit"])
        assert ticket is not None
        self.tickets.append(ticket)
        await super()._introduce(trial, resumed, hello)
        if not resumed:
            await self._send_receipt(trial, "began")

    async def _send_receipt(self, trial: Trial, kind: str, **about: Any) -> None:
        if not self.is_silent_about_receipts:
            await self._send(trial, {"receipt": self.receipt(trial, kind, **about)})

    def receipt(self, trial: Trial, kind: str, **about: Any) -> str:
        ticket = self.tickets[-1]
        self.number += 1
        said = {name: ticket[name] for name in ("visit", "step", "turn")}
        said |= {"kind": kind, "trial": trial.token, "number": self.number}
        return sign(server_key(KEY, "pilot", ticket["visit"]), "receipt", said | about)

    def finish(self) -> str:
        """All episodes have been played. Returns what is said of it."""
        trial, about = self.trial, {"reason": "finished", "episodes": 2, "ticks": 40, "score": 7.0}

        async def finish() -> None:
            await self._send_receipt(trial, "over", **about)
            await self._end(trial, "finished")

        self._call(finish())
        return self.receipt(trial, "over", **about)

    def interrupt(self) -> None:
        """Its computer is taken away: it says so, and ends in order."""
        trial = self.trial

        async def interrupt() -> None:
            await self._send_receipt(trial, "over", reason="server", episodes=1, ticks=20, score=3.0)
            await self._send(trial, {"notice": {"text": "The server is stopping."}})
            self.trials.pop(trial.token)
            await trial.socket.close(1012)

        self._call(interrupt())

    def vanish(self) -> None:
        """It is gone, without a word."""
        trial = self.trial
        self.refusing = True

        async def vanish() -> None:
            self.trials.pop(trial.token)
            await trial.socket.close(1011)

        self._call(vanish())


def _decoded(ticket: str) -> bytes:
    body = ticket.partition(".")[0]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


@dataclass
class Lab:
    """Everything that a participant meets."""

    cloud: Cloud
    api: ApiGateway
    page: Distribution
    game: GameServer
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def come(self, link: str = LINK, **options: Any) -> Page:
        shape = {"viewport": {"width": 1280, "height": 720}}
        context = self.browser.new_context(**{**shape, "ignore_https_errors": True, **options})
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        page.goto(link)
        return page

    def server_runs(self) -> None:
        """The functions have done what they were told, and the newest task is well."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.cloud.told and not self.cloud.tasks():
            assert time.monotonic() < deadline, "nobody has asked for a server"
            time.sleep(0.02)
        self.cloud.deliver()
        self.cloud.run(self.cloud.tasks()[-1])

    def spot_takes_it(self) -> None:
        """What ECS says of an interruption, from the warning to the end."""
        (old,) = self.cloud.tasks()
        gone = {**old, "stopCode": "SpotInterruption", "desiredStatus": "STOPPED"}
        self.cloud.ecs_says(Stopper, {**gone, "lastStatus": "RUNNING"})
        self.cloud.client("ecs").stop_task(cluster="hippogym", task=old["taskArn"])
        self.cloud.deliver()
        self.cloud.ecs_says(Stopper, {**gone, "lastStatus": "STOPPED"})

    def blocked(self) -> list[str]:
        """What the page's policy has not let in."""
        return [text for text in self.complaints if "Content Security Policy" in text]

    def visit(self) -> dict[str, Any]:
        s3 = self.cloud.client("s3")
        [key] = [
            one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="pilot/visits/", Delimiter="/")["Contents"]
        ]
        return dict(self.cloud.document(key.removeprefix("pilot/")))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Callable[..., Browser], Authority, Path]]:
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium here: install it, or name it in CHROMIUM")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launch = lambda rules: playwright.chromium.launch(  # noqa: E731
            executable_path=path, headless=True, args=[*ARGUMENTS, f"--host-resolver-rules={rules}"]
        )
        folder = tmp_path_factory.mktemp("authority")
        yield launch, Authority(folder), folder


@pytest.fixture
def lab(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    launch, authority, folder = chromium
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    pages = study_document()["pages"]
    pages["consent.html"] |= {"html": CONSENT, "title": "Taking part", "form": asdict(read_form(CONSENT))}
    tls = authority.context(PAGE, API, f"*.{DOMAIN}")
    game = GameServer()
    with cloud(pages=pages, events={"startServerStep": 2, "stopServerStep": 3}) as made:
        s3 = made.client("s3")
        s3.create_bucket(Bucket=PAGES, CreateBucketConfiguration={"LocationConstraint": REGION})
        outputs = {"PageBucket": PAGES, "ApiUrl": f"https://{API}", "RootDomain": DOMAIN}
        PageBucket(Aws(REGION), outputs).upload()
        s3.put_object(Bucket=BUCKET, Key="pilot/StepFiles/own.png", Body=PIXEL, ContentType="image/png")
        s3.put_object(Bucket=BUCKET, Key="pilot/StepFiles/consent.html", Body=PIXEL, ContentType="image/png")
        service = Service(made.around, Visits, clock=made.clock, is_well=lambda ip, name: made.well)
        buckets = {"PageBucket": PAGES, "StudyBucket": BUCKET}
        with (
            ApiGateway(service, tls) as api,
            Distribution(s3, buckets, outputs, tls) as page,
            running(fake=game, tls=folder / f"{PAGE}.pem"),
        ):
            places = {f"{PAGE}:443": page.port, f"{API}:443": api.port, f"*.{DOMAIN}:5000": game.port}
            browser = launch(", ".join(f"MAP {name} 127.0.0.1:{port}" for name, port in places.items()))
            there = Lab(made, api, page, game, browser)
            try:
                yield there
            finally:
                browser.close()


def consent(page: Page) -> None:
    expect(page.locator("#study-content h1")).to_have_text("Taking part")
    page.get_by_label("Say a word").fill("yes")
    page.locator("#study-submit").click()


def start(page: Page) -> None:
    expect_title(page, "Ready when you are")
    page.get_by_role("button", name="Start", exact=True).first.click()
    expect_state(page, "Playing")


def survey(page: Page) -> None:
    expect(page.locator("#study-content h1")).to_have_text("survey.html")
    page.get_by_label("Say a word").fill("good")
    page.locator("#study-submit").click()
    expect(page.locator("#study-content h1")).to_have_text("thanks.html")
    expect(page.locator("#study-code-text")).not_to_be_empty()


def test_a_whole_study_from_the_bucket_with_a_server_that_is_taken_away_in_the_middle(lab: Lab) -> None:
    page = lab.come()
    expect(page.locator("#project")).to_have_text("A pilot")
    consent(page)
    expect_title(page, "Your game is being prepared")
    expect(page).to_have_title("Waiting · A pilot · Step 2 of 3")
    lab.server_runs()
    start(page)
    first = lab.game.tickets[-1]
    lab.game.interrupt()
    expect_title(page, "Your game is being moved")
    lab.spot_takes_it()
    lab.server_runs()
    start(page)
    second = lab.game.tickets[-1]
    assert (first["turn"], first["episodes_done"], second["turn"], second["episodes_done"]) == (1, 0, 2, 1)
    lab.game.finish()
    survey(page)
    document = lab.visit()
    assert [row["answers"]["word"] for row in document["answers"]] == ["yes", "good"]
    assert document["visit"]["games"]["game"]["starts"] == 2 and document["visit"]["outcome"] == "complete"
    assert lab.blocked() == []
    assert not lab.api.problems


@pytest.mark.long
def test_a_server_that_has_gone_without_a_word_is_noticed_and_replaced(lab: Lab) -> None:
    page = lab.come(**PHONE)
    consent(page)
    lab.server_runs()
    start(page)
    lab.game.vanish()
    expect_title(page, "The connection was lost")
    lab.spot_takes_it()
    expect_title(page, "Your game is being moved")
    lab.game.refusing = False
    lab.server_runs()
    start(page)
    assert lab.game.tickets[-1]["turn"] == 2


@pytest.mark.long
def test_a_page_closed_at_the_end_of_the_game_hands_on_what_was_said_when_it_is_back(lab: Lab) -> None:
    page = lab.come()
    consent(page)
    lab.server_runs()
    start(page)
    lab.api.troubles += [503] * 1000
    lab.game.finish()
    page.wait_for_function("Object.keys(sessionStorage).some((key) => key.startsWith('hippogym.receipts'))")
    page.reload()
    lab.api.troubles.clear()
    survey(page)


@pytest.mark.long
def test_what_the_server_left_in_the_bucket_is_enough(lab: Lab) -> None:
    page = lab.come()
    consent(page)
    lab.server_runs()
    start(page)
    lab.game.is_silent_about_receipts = True
    visit, trial = lab.game.tickets[-1]["visit"], lab.game.trial
    about = {"reason": "finished", "episodes": 2, "ticks": 40, "score": 7.0}
    texts = [lab.game.receipt(trial, "over", **about), lab.game.receipt(trial, "began")]
    lab.cloud.put(f"pilot/receipts/{visit}.json", {"receipts": texts})
    lab.game.finish()
    survey(page)


def test_a_steps_own_styles_and_pictures_are_there_and_its_right_answers_are_not(lab: Lab) -> None:
    page = lab.come()
    expect(page.locator("#study-content h1")).to_have_css("color", "rgb(1, 2, 3)")
    expect(page.locator("#mark")).to_have_css("color", "rgb(4, 5, 6)")
    page.locator("#own").evaluate("image => image.decode()")
    assert page.locator("#own").evaluate("image => image.naturalWidth") == 1
    assert ("/pilot/StepFiles/own.png", 200) in lab.page.requests
    assert ("/pilot/StepFiles/consent.html", 403) in lab.page.requests
    consent(page)
    expect_title(page, "Your game is being prepared")
    assert page.evaluate("document.adoptedStyleSheets.length") == 1
    assert lab.blocked() == []


def test_a_link_without_a_study_and_one_to_a_strangers_server_lead_nowhere(lab: Lab) -> None:
    page = lab.come(f"https://{PAGE}/?projectId=pilot&server=wss://elsewhere.example:5000")
    expect_title(page, "This link does not work")
    page.goto(f"https://{PAGE}/")
    expect_title(page, "This link does not work")
    page.goto(f"https://{PAGE}/?projectId=other")
    expect(page.locator("#study-content h2")).to_have_text("This study is not there")
    assert lab.game.tickets == []
