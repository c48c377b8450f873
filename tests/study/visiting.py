"""What a property test of visits needs: a server that can be killed and whose disk can be full, and what should be."""

import contextlib
import itertools
import json
import resource
import signal
import sqlite3
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hippogym.data.ledger.sqlite import FILE
from tests.patience import PATIENCE_S
from tests.servers import RunningServer, serving
from tests.study.whole_study import whole_study

CONFIG = """
project:
  id: pilot
  steps: {1: one.html, 2: quiz.html, 3: many.html, 4: last.html, finalStep: thanks.html}
trial: {game: count-3, maxEpisodes: 1, actionSpace: [noop, up, right, left, down, upright], episodePause: 0}
"""
PAGES: dict[str, str | bytes] = {
    "one.html": '<label>Text <input name="text" required></label>',
    "quiz.html": '<label>Sum <input name="sum" data-right="4"></label>',
    "many.html": '<label><input type="checkbox" name="box"> box</label>'
    '<label><input type="checkbox" name="several" value="x"> x</label>'
    '<label><input type="checkbox" name="several" value="y"> y</label>',
    "last.html": "<p>Nothing is asked here.</p>",
    "thanks.html": "<h1>Thank you</h1>",
}
WAY = ("one", "quiz", "many", "last", "finalStep")
NO_TLS = ssl.create_default_context()  # making one takes longer than a visit
_ADDRESSES = itertools.count(2)


FAILURES: list[str] = []  # what was wrong, in words: a server that was killed does not do it again when asked to


def must(fine: bool, what: str) -> None:
    """What has to be so."""
    if not fine:
        FAILURES.append(what)
        raise AssertionError(what)


class Servers:
    """One server after the other for the same study, as they are killed."""

    def __init__(self, folder: Path) -> None:
        self.study = whole_study(folder / "study", CONFIG, PAGES)
        self._stack = ExitStack()
        self.running: RunningServer = self._stack.enter_context(serving(self.study))
        self.killed = 0

    def kill(self) -> None:
        self.running.process.send_signal(signal.SIGKILL)
        self.running.process.wait(PATIENCE_S)
        self.killed += 1

    def start(self) -> None:
        self._stack.close()
        self.running = self._stack.enter_context(serving(self.study))

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Nothing can be written meanwhile."""
        pid, unlimited = self.running.process.pid, resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))

    def rows(self, visit: str) -> list[dict[str, Any]]:
        """The answers of a visit, as the ledger has them."""
        return self._ask("SELECT document FROM answers WHERE visit = ? ORDER BY n", visit)

    def visit(self, user: str) -> dict[str, Any] | None:
        """The visit of a user; there must not be two."""
        found = self._ask("SELECT document FROM visits WHERE user = ?", user)
        must(len(found) <= 1, f"{len(found)} visits of one browser")
        return found[0] if found else None

    def _ask(self, query: str, value: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self.running.records / FILE)) as database:
            return [json.loads(text) for (text,) in database.execute(query, (value,))]

    def close(self) -> None:
        self._stack.close()


@dataclass
class Visitor:
    """A participant with some tabs, and what is known of their visit.

    at: the place in the way. acknowledged, unsure: stamp → answers; unsure: nobody has said whether they were kept.
    tabs: the views that stand open, each perhaps of long ago.
    """

    user: str
    client: httpx.Client
    token: str | None = None
    at: int = 0
    tabs: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    acknowledged: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    unsure: dict[str, tuple[str, dict[str, Any], bool]] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        content = None if body is None else json.dumps(body).encode()  # ASCII, as half characters cannot be UTF-8
        return self.client.request(method, path, content=content, headers=headers)

    def arrive(self, tab: int = 0) -> None:
        """Open the link, or load the page again."""
        answer = self.ask("POST", "/study/arrive", {"link": {"userId": self.user}})
        if answer.status_code == 503:
            return
        must(answer.status_code == 200, answer.text)
        told = answer.json()
        must(self.token in (None, told["token"]), "another token")
        self.token = told["token"]
        self._see(tab, told["view"])

    def look(self, tab: int) -> None:
        answer = self.ask("GET", "/study/now")
        must(answer.status_code == 200, answer.text)
        self._see(tab, answer.json()["view"])

    def submit(self, tab: int, answers: dict[str, Any]) -> None:
        """Press Submit in a tab, whatever it shows."""
        view = self.tabs[tab]
        if view.get("kind") != "page":
            return
        stamp, name = view["stamp"], view["name"]
        moves = name != "quiz" or answers.get("sum") == "4"
        try:
            answer = self.ask("POST", "/study/answer", {"stamp": stamp, "answers": answers})
        except httpx.HTTPError:  # the server was killed meanwhile
            self.unsure.setdefault(stamp, (name, answers, moves))
            return
        self.told(tab, stamp, name, answers, moves, answer)

    def told(
        self, tab: int, stamp: str, name: str, answers: dict[str, Any], moves: bool, answer: httpx.Response
    ) -> None:
        """What the server says to an answer."""
        if answer.status_code in (422, 503):
            return
        must(answer.status_code == 200, answer.text)
        if not answer.json()["repeated"]:
            must(stamp not in self.acknowledged, "the same showing was answered twice")
            must(name == WAY[self.at], f"an answer to {name}, and {WAY[self.at]} is due")
            self.acknowledged[stamp] = name, answers
            self.unsure.pop(stamp, None)
            self.at += moves
        self._see(tab, answer.json()["view"])

    def _see(self, tab: int, view: dict[str, Any]) -> None:
        """A view has come; it must be of the current step, wherever it was asked for."""
        if view["name"] != WAY[self.at] or self._must_be_over(view):
            self._find_out(view)
        must(view["name"] == WAY[self.at], f"{view['name']} is shown, and {WAY[self.at]} is due: {self}")
        must((view["kind"] == "end") == (self.at == len(WAY) - 1), f"{view['kind']} at {view['name']}")
        self.tabs[tab] = view

    def _must_be_over(self, view: dict[str, Any]) -> bool:
        """Another try of the same page: an answer of which nobody knew was kept."""
        return any(name == view["name"] and stamp != view["stamp"] for stamp, (name, _, _) in self.unsure.items())

    def _find_out(self, view: dict[str, Any]) -> None:
        """What was not known is known now: the visit has moved, so that answer was kept."""
        for stamp, (name, answers, moves) in list(self.unsure.items()):
            if name == WAY[self.at] and stamp != view["stamp"]:
                self.acknowledged[stamp] = name, answers
                del self.unsure[stamp]
                self.at += moves
                return


def new_visitor(url: str, user: str) -> Visitor:
    """Somebody from an address of their own, as most people are."""
    number = next(_ADDRESSES)
    address = f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255 or 1}"
    transport = httpx.HTTPTransport(verify=NO_TLS, local_address=address)
    return Visitor(user, httpx.Client(base_url=url, transport=transport, timeout=PATIENCE_S))


def compare(servers: Servers, visitors: list[Visitor]) -> None:
    """Every acknowledged answer is stored once, as it was given, and nobody has skipped or repeated a step."""
    for visitor in visitors:
        visit = servers.visit(visitor.user)
        if visit is not None:
            compare_one(visit, servers.rows(visit["id"]), visitor)


def compare_one(visit: dict[str, Any], rows: list[dict[str, Any]], visitor: Visitor) -> None:
    """The same for one visit."""
    twice = [stamp for stamp, n in Counter(row["stamp"] for row in rows).items() if n > 1]
    must(not twice, f"stored twice: {twice}")
    given = {row["stamp"]: (row["step"], row["answers"]) for row in rows}
    for stamp, (step, answers) in visitor.acknowledged.items():
        kept, sent = given.pop(stamp, None), (step, complete(step, answers))
        must(kept == sent, f"{kept} is kept, {sent} was acknowledged")
    for stamp, (step, answers) in given.items():
        name, unsure, _ = visitor.unsure.get(stamp, ("", {}, False))
        must((step, answers) == (name, complete(name, unsure)), f"nobody has sent {answers} to {step}")
    steps = [row["step"] for row in rows]
    must(steps == sorted(steps, key=WAY.index), f"not in the order of the way: {steps}")
    must(all(n == 1 for step, n in Counter(steps).items() if step != "quiz"), f"a step twice: {steps}")
    right = [row["right"] for row in rows if row["step"] == "quiz"]
    must(True not in right[:-1], f"another try after a right one: {right}")
    missing = set(WAY[: WAY.index(visit["step"])]) - set(steps)
    must(not missing, f"these were skipped: {missing}")


def complete(step: str, answers: dict[str, Any]) -> dict[str, Any]:
    """An answer as it is kept: with what was left out, in the order of the page."""
    empty: dict[str, dict[str, Any]] = {"one": {"text": ""}, "quiz": {"sum": ""}, "many": {"box": False, "several": []}}
    return {**empty.get(step, {}), **answers}


def together(visitors: list[Visitor], answers: list[dict[str, Any]]) -> None:
    """All of them press Submit at the same moment."""
    with ThreadPoolExecutor(len(visitors)) as pool:
        for done in [pool.submit(one.submit, 0, given) for one, given in zip(visitors, answers, strict=True)]:
            done.result()
