"""Scripted visits to a real server: reloading, going back, pressing twice, two tabs, kill -9, a full disk."""

import contextlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.study.visiting import FAILURES, WAY, Servers, Visitor, compare, must, new_visitor, together

TEXTS = st.text(st.characters(), max_size=20)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS,
        "sum": st.sampled_from(["4", " 4 ", "5", ""]),
        "box": st.booleans(),
        "several": st.sampled_from([[], ["x"], ["y"], ["x", "y"]]),
    },
)
OF_PAGE = {"one": ("text",), "quiz": ("sum",), "many": ("box", "several"), "last": ()}
WHO = st.integers(0, 1_000)
TAB = st.integers(0, 2)


def fitting(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Of these answers those that a page asks for, and something where it must be answered."""
    wanted = {key: given[key] for key in OF_PAGE.get(name, ()) if key in given}
    if name == "one" and not wanted.get("text"):
        wanted["text"] = "something"
    if name == "quiz" and wanted.get("sum") == " 4 ":
        wanted["sum"] = "4"
    return wanted


class Visits(RuleBasedStateMachine):
    """Some people at a time. ``servers`` outlives the examples; every example has visitors of its own."""

    servers: ClassVar[Servers]
    visits: ClassVar[int] = 0
    most_kills: ClassVar[int] = 10**9
    crowd: ClassVar[int] = 1  # how many come when one is said to

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Visitor] = []
        self.disk = contextlib.ExitStack()
        self.full = False
        self.killed = 0

    @initialize(count=st.integers(1, 12))
    def people_arrive(self, count: int) -> None:
        for _ in range(count * self.crowd):
            Visits.visits += 1
            someone = new_visitor(self.servers.running.url, f"visitor {Visits.visits}")
            self.people.append(someone)
            someone.arrive()

    @precondition(lambda self: len(self.people) < 24 * self.crowd)
    @rule(count=st.integers(1, 4))
    def more_arrive(self, count: int) -> None:
        self.people_arrive(count)

    @rule(who=WHO, tab=TAB)
    def opens_another_tab_or_loads_again(self, who: int, tab: int) -> None:
        someone = self.people[who % len(self.people)]
        while len(someone.tabs) <= tab:
            someone.tabs.append({})
        someone.arrive(tab)

    @rule(who=WHO, tab=TAB)
    def looks(self, who: int, tab: int) -> None:
        someone = self.people[who % len(self.people)]
        if someone.token is not None:
            someone.look(tab % len(someone.tabs))

    @rule(who=WHO, tab=TAB, given=ANSWERS)
    def submits(self, who: int, tab: int, given: dict[str, Any]) -> None:
        someone = self.people[who % len(self.people)]
        view = someone.tabs[tab % len(someone.tabs)]
        someone.submit(tab % len(someone.tabs), fitting(view.get("name", ""), given))

    @rule(who=WHO, tab=TAB, given=ANSWERS)
    def submits_what_cannot_be(self, who: int, tab: int, given: dict[str, Any]) -> None:
        """Nothing where something is needed, a value that is none, an answer to another page."""
        someone = self.people[who % len(self.people)]
        view = someone.tabs[tab % len(someone.tabs)]
        wrong = {"one": {"text": ""}, "many": {"several": ["z"]}}.get(view.get("name", ""))
        if wrong is not None:
            someone.submit(tab % len(someone.tabs), wrong)

    @rule(who=WHO, given=ANSWERS, other=ANSWERS)
    def presses_twice_with_different_answers(self, who: int, given: dict[str, Any], other: dict[str, Any]) -> None:
        someone = self.people[who % len(self.people)]
        view = someone.tabs[0]
        if view.get("kind") != "page":
            return
        stamp, name = view["stamp"], view["name"]
        both = [fitting(name, given), fitting(name, other)]
        with ThreadPoolExecutor(2) as pool:
            asked = [
                pool.submit(someone.ask, "POST", "/study/answer", {"stamp": stamp, "answers": each}) for each in both
            ]
            told = [each.result() for each in asked]
        kept = [answer.status_code == 200 and not answer.json()["repeated"] for answer in told]
        must(kept.count(True) <= 1, "one showing was answered twice")
        for answers, answer in sorted(
            zip(both, told, strict=True), key=lambda pair: kept[told.index(pair[1])], reverse=True
        ):
            moves = name != "quiz" or answers.get("sum") == "4"
            if answer.status_code == 200 and not answer.json()["repeated"]:
                someone.told(0, stamp, name, answers, moves, answer)
        if someone.token is not None:
            someone.look(0)

    @rule(given=ANSWERS)
    def everybody_submits_at_once(self, given: dict[str, Any]) -> None:
        ready = [one for one in self.people if one.tabs[0].get("kind") == "page"]
        if ready:
            together(ready, [fitting(one.tabs[0]["name"], given | {"sum": "4"}) for one in ready])

    @precondition(lambda self: not self.full and self.killed < 1)
    @rule(after_ms=st.integers(0, 30), given=ANSWERS)
    def the_server_is_killed_while_everybody_submits(self, after_ms: int, given: dict[str, Any]) -> None:
        self.killed += 1
        if self.servers.killed >= self.most_kills:  # a start takes seconds
            return
        ready = [one for one in self.people if one.tabs[0].get("kind") == "page"]
        with ThreadPoolExecutor(len(ready) + 1) as pool:
            asked = [pool.submit(one.submit, 0, fitting(one.tabs[0]["name"], given)) for one in ready]
            pool.submit(self._kill_after, after_ms).result()
            for each in asked:
                each.result()
        self.servers.start()
        for one in self.people:
            one.client.base_url = httpx.URL(self.servers.running.url)
            one.arrive()

    def _kill_after(self, after_ms: int) -> None:
        with contextlib.suppress(httpx.HTTPError):  # as a wait that does not sleep: some requests of somebody else
            with httpx.Client(base_url=self.servers.running.url, timeout=5) as client:
                for _ in range(after_ms // 3):
                    client.get("/healthz")
        self.servers.kill()

    @precondition(lambda self: not self.full)
    @rule()
    def the_disk_is_full(self) -> None:
        self.full = True
        self.disk.enter_context(self.servers.full_disk())

    @precondition(lambda self: self.full)
    @rule()
    def there_is_room_again(self) -> None:
        self.full = False
        self.disk.close()

    def teardown(self) -> None:
        """In the end everybody comes back and goes on to the end; and then the ledger is held against what was seen."""
        self.disk.close()
        for one in self.people:
            one.arrive()
            for _ in range(len(WAY)):
                view = one.tabs[0]
                if view["kind"] == "page" and random.random() < 0.9:
                    one.submit(0, fitting(view["name"], {"sum": "4", "text": "x"}))
        compare(self.servers, self.people)
        for one in self.people:
            one.client.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("visits"))
    yield found
    found.close()


def run(servers: Servers, examples: int, steps: int, kills: int, crowd: int = 1) -> None:
    """Ends with an AssertionError that says what was wrong, and what the server's log says."""
    Visits.servers, Visits.most_kills, Visits.crowd = servers, servers.killed + kills, crowd
    asked = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # a server that was killed is not shrunk
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    FAILURES.clear()
    try:
        run_state_machine_as_test(Visits, settings=asked)
    except BaseException as problem:
        raise AssertionError(f"{FAILURES[:1]} {servers.running.log[-2000:]}") from problem


def test_every_acknowledged_answer_is_stored_once_and_nobody_skips_or_repeats_a_step(servers):
    Visits.visits = 0
    run(servers, examples=8, steps=25, kills=2)
    assert Visits.visits >= 30


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_ten_thousand_visits(servers):
    Visits.visits = 0
    while Visits.visits < 10_000:
        run(servers, examples=25, steps=50, kills=12, crowd=5)
