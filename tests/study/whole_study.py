"""A study with everything in it, and a participant that is a program: for tests that ask over HTTP."""

import base64
import time
from pathlib import Path
from typing import Any

import httpx

from tests.patience import PATIENCE_S
from tests.servers import ROOT, write_study

COUNTING = ROOT / "tests" / "agents" / "counting.py"

CONFIG = """
project:
  id: pilot
  name: A pilot
  origins: ['https://lab.example']
  steps:
    1: consent.html
    2: {page: quiz.html, tries: 2, onFail: failedCheck}
    3: survey.html
    finalStep: thanks.html
trial:
  game: count-3
  maxEpisodes: 1
  actionSpace: [noop, up, right, left, down, upright]
  episodePause: 0
"""

PAGES = {
    "consent.html": '<h1>Consent</h1><img src="cat.png" alt="a cat"><link rel="stylesheet" href="look.css">'
    '<label><input type="checkbox" name="agree" required> I agree</label>',
    "quiz.html": '<h1>Quiz</h1><label>2+2 <input name="sum" data-right="4" data-hint="count again"></label>',
    "survey.html": """<title>About you</title><form action="https://elsewhere.example/steal">
<label>Text <input name="text"></label> <label>Long <textarea name="long"></textarea></label>
<fieldset><legend>Radio</legend>
<label><input type="radio" name="radio" value="a"> a</label><label><input type="radio" name="radio" value="b"> b</label>
</fieldset>
<label><input type="checkbox" name="one" value="yes"> one</label>
<fieldset><legend>Several</legend><label><input type="checkbox" name="several" value="x"> x</label>
<label><input type="checkbox" name="several" value="y"> y</label></fieldset>
<label>Select <select name="select"><option value="">none</option><option value="s1">1</option></select></label>
<label>Multi <select name="multi" multiple><option value="m1">1</option><option value="m2">2</option></select></label>
<label>Number <input type="number" name="number" min="0" max="200"></label>
<label>Range <input type="range" name="range"></label> <label>Date <input type="date" name="date"></label>
<label>Time <input type="time" name="time"></label> <label>Mail <input type="email" name="email"></label>
<label>File <input type="file" name="file"></label> <input type="hidden" name="hidden" value="h">
<script>steal()</script><p onclick="steal()">Thanks</p></form>""",
    "thanks.html": "<h1>Thank you</h1>",
    "cat.png": b"\x89PNG\r\n\x1a\nnot much of a cat",
    "look.css": "h1 { color: red }",
    "notes.txt": "for the researcher alone",
}


def whole_study(folder: Path, config: str = CONFIG, pages: dict[str, str | bytes] | None = None) -> Path:
    """A study with steps in this folder."""
    write_study(folder, config, COUNTING)
    (folder / "StepFiles").mkdir()
    for name, content in (PAGES if pages is None else pages).items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "StepFiles" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "StepFiles" / name).write_bytes(data)
    return folder


class Person:
    """A participant: a browser tab that asks as our page does. view: what it shows."""

    def __init__(self, url: str, link: dict[str, str] | None = None, token: str | None = None) -> None:
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_S)
        self.link = link or {}
        self.token = token
        self.view: dict[str, Any] = {}

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *problem: object) -> None:
        self.client.close()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """One request; the view is what it says afterwards, if it does."""
        answer = self.client.request(
            method, path, json=body, headers={**self.headers, **more.pop("headers", {})}, **more
        )
        if answer.status_code == 200:
            told = answer.json()
            self.token = told.get("token", self.token)
            self.view = told["view"]
        return answer

    def arrive(self, **more: Any) -> httpx.Response:
        return self.ask("POST", "/study/arrive", {"link": self.link, "client": {"language": "en"}}, **more)

    def now(self) -> httpx.Response:
        return self.ask("GET", "/study/now")

    def submit(self, answers: dict[str, Any], stamp: str | None = None, **more: Any) -> httpx.Response:
        body = {"stamp": stamp or self.view["stamp"], "answers": answers, "shownMs": 1200, "focusMs": 900, **more}
        return self.ask("POST", "/study/answer", body)

    def withdraw(self, *, delete: bool) -> httpx.Response:
        return self.ask("POST", "/study/withdraw", {"delete": delete})


def a_file(name: str, content: bytes, media_type: str = "application/octet-stream") -> dict[str, str]:
    """A file as our page sends it."""
    return {"file": name, "type": media_type, "base64": base64.b64encode(content).decode()}


EVERYTHING: dict[str, Any] = {
    "text": "naïve “text” =1+1 \U0001f600",
    "long": "two\nlines\t'",
    "radio": "a",
    "one": False,
    "several": ["y"],
    "select": "s1",
    "multi": ["m1", "m2"],
    "number": "33.50",
    "range": "50",
    "date": "2026-02-28",
    "time": "13:05",
    "email": "ada@example.org",
    "file": a_file("a/../b.bin", bytes(range(256))),
    "hidden": "h",
}


def wait_for(what: Any, deadline_s: float = PATIENCE_S) -> Any:
    """The first true value of a function, within a deadline."""
    end_s = time.monotonic() + deadline_s
    while not (found := what()):
        assert time.monotonic() < end_s, "it has not come"
        time.sleep(0.05)
    return found
