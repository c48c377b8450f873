"""A simulated day of a study: participants who come, wait, play and leave, and a cloud in which not all goes well."""

import random
from dataclasses import dataclass, field
from typing import Any

from hippogym.core.cost import Capacity, Plan, cost, price
from hippogym.core.study.tickets import server_key, sign, visit_of_token
from tests.deploy.cloud import KEY
from tests.deploy.world import FAULTS, Calls, World

REGION, VCPUS, MEMORY_GB = "us-west-2", 2, 4
DAY_S, MAX_RUNTIME_S, END_S = 10 * 3600.0, 30 * 60.0, 30.0
INTERRUPTIONS_PER_S = 0.05 / 3600
NO_ROOM_S = (5 * 3600.0, 6 * 3600.0)
POLL_S, HEARTBEAT_S = 5.0, 60.0


@dataclass
class Mishaps(Calls):
    """One call of AWS in a thousand goes wrong, in any way."""

    dice: random.Random = field(default_factory=lambda: random.Random(2))

    def __call__(self, operation: str, ask: Any) -> Any:
        goes_wrong = self.dice.random() < 0.001
        self.said.clear()
        self.at, self.fault = int(goes_wrong), self.dice.choice(FAULTS)
        return super().__call__(operation, ask)


@dataclass
class Participant:
    """fate: plays, leaves (withdraws half-way) or vanishes (closes the browser half-way, without a word)."""

    day: "Day"
    arrive_s: float
    read_s: float
    game_s: float
    fate: str
    token: str = ""
    view: dict[str, Any] = field(default_factory=dict)
    since_s: float | None = None
    plays_until_s: float | None = None
    left_s: float = 0.0
    task: str = ""
    waits_s: list[float] = field(default_factory=list)
    how: str = ""

    @property
    def needs_s(self) -> float:
        """How long a server is there for them once it has begun."""
        whole = {"plays": self.game_s, "leaves": self.game_s / 2, "vanishes": MAX_RUNTIME_S}
        return whole[self.fate] + END_S

    def asks(self, method: str, path: str, body: object, then: Any) -> None:
        """As a page does: again after a while where it was not answered."""
        status, answer = self.day.world.ask(method, path, self.token or None, body)
        if status == 200:
            self.view = answer["view"]
            self.token = answer.get("token", self.token)
            then()
        else:
            assert status == 503, answer
            self.day.world.after(POLL_S, lambda: self.asks(method, path, body, then))

    def arrives(self) -> None:
        def read() -> None:
            body = {"stamp": self.view["stamp"], "answers": {"word": "yes"}}
            self.day.world.after(self.read_s, lambda: self.asks("POST", "/study/answer", body, self.comes))

        self.asks("POST", "/study/arrive", {"link": {}}, read)

    def comes(self) -> None:
        """To the game, for the first time or again."""
        self.left_s = self.left_s or (self.game_s if self.fate == "plays" else self.game_s / 2)
        self.since_s = self.day.world.now_s
        self.looks()

    def looks(self) -> None:
        self.asks("GET", "/study/now", None, self.sees)

    def sees(self) -> None:
        if self.view["game"] is None:
            self.answers_the_survey()
            return
        place, world = self.view["game"]["place"], self.day.world
        task = self.day.task_of(place["url"]) if place["state"] == "ready" else None
        if task is None:
            world.after(POLL_S, self.looks)
            return
        assert self.since_s is not None
        self.waits_s.append(world.now_s - self.since_s)
        self.since_s, self.task, self.plays_until_s = None, task, world.now_s + self.left_s
        self.beats()

    def beats(self) -> None:
        """The game goes on: what the server says of it is handed on, every minute."""
        world = self.day.world
        if self.plays_until_s is None or self.fate == "vanishes" and world.now_s >= self.plays_until_s:
            return
        left_s = self.plays_until_s - world.now_s
        if left_s > 0:
            self.asks("POST", "/study/now", self.receipts("began", "progress"), lambda: None)
            world.after(min(HEARTBEAT_S, left_s), self.beats)
        elif self.fate == "leaves":
            self.plays_until_s, self.how = None, "left"
            self.asks("POST", "/study/withdraw", {}, lambda: None)
        else:
            self.plays_until_s = None
            self.asks("POST", "/study/now", self.receipts("began", "over"), self.answers_the_survey)

    def moved(self) -> None:
        """Spot has taken the server away."""
        if self.plays_until_s is not None and self.plays_until_s > self.day.world.now_s:
            self.left_s = self.plays_until_s - self.day.world.now_s
            self.plays_until_s = None
            self.comes()

    def answers_the_survey(self) -> None:
        if self.view.get("end") is not None:
            self.how = str(self.view["end"]["outcome"])
            return
        body = {"stamp": self.view["stamp"], "answers": {"word": "yes"}}

        def done() -> None:
            self.how = str(self.view["end"]["outcome"])

        self.day.world.after(40.0, lambda: self.asks("POST", "/study/answer", body, done))

    def receipts(self, *kinds: str) -> dict[str, Any]:
        visit = str(visit_of_token(KEY, "pilot", self.token))
        server = self.day.server_of(self)
        about = {"visit": visit, "trial": "t1", "reason": "finished", "episodes": 2}
        return {"receipts": [sign(server_key(KEY, "pilot", server), "receipt", {"kind": k, **about}) for k in kinds]}


class Day:
    """count: participants; a tenth of them come within five minutes. per_task: that share a server."""

    def __init__(self, count: int, seed: int = 1, per_task: int = 1, day_s: float = DAY_S) -> None:
        self.dice, self.day_s = random.Random(seed), day_s
        self.starts_s: list[float] = []
        self.world = World(
            Mishaps(), most_tasks=200, begins_s=self._begins_s, ends_s=END_S, maxRuntime=MAX_RUNTIME_S / 60,
            awsSetup={"participantsPerTask": per_task},
        )  # fmt: skip
        self.begin_s = self.world.now_s
        self.world.ecs.room = self._has_room
        self.people = [self._somebody(number < count / 10) for number in range(count)]
        for one in self.people:
            self.world.after(one.arrive_s, one.arrives)

    def run(self) -> None:
        """To the end of the day, and two hours more."""
        self.world.run(lambda: False, self.day_s + 2 * 3600)

    # -- what came of it ---------------------------------------------------------------------------------------------

    def bill(self) -> float:
        """Dollars, task by task."""
        prices = {capacity: price(REGION, capacity, "x86") for capacity in ("FARGATE", "FARGATE_SPOT")}
        return sum(
            prices[task["capacityProviderName"]].task(VCPUS, MEMORY_GB, lived_s) for task, lived_s in self.world.lives()
        )

    def model(self) -> float:
        """Dollars, as ``hippogym cost`` has them for so many participants and so many minutes."""
        first_s, last_s = (at * self.day_s / DAY_S for at in NO_ROOM_S)
        late = [one for one in self.people if first_s <= one.arrive_s < last_s]
        plain = [one for one in self.people if one not in late]
        return self._planned(plain, "FARGATE_SPOT") + self._planned(late, "FARGATE")

    def _planned(self, people: list[Participant], capacity: Capacity) -> float:
        start_minutes = sum(self.starts_s) / len(self.starts_s) / 60
        minutes = sum(min(one.needs_s / 60, MAX_RUNTIME_S / 60 - start_minutes) for one in people) / len(people)
        plan = Plan(len(people), minutes, MAX_RUNTIME_S / 60, VCPUS, MEMORY_GB, start_minutes)
        return cost(price(REGION, capacity, "x86"), plan).study

    # -- what the cloud does -----------------------------------------------------------------------------------------

    def _begins_s(self, task: dict[str, Any]) -> float | None:
        """A task starts within two minutes or so, one in twenty takes five, and one in thirty does not start."""
        chance, spot = self.dice.random(), task["capacityProviderName"] == "FARGATE_SPOT"
        life_s = self.dice.expovariate(INTERRUPTIONS_PER_S)
        if chance < 1 / 30:
            return None
        begins_s = 300.0 if chance < 1 / 30 + 1 / 20 else self.dice.uniform(70, 130)
        self.starts_s.append(begins_s)
        if spot:
            self.world.after(life_s, lambda: self._interrupt(task))
        return begins_s

    def _interrupt(self, task: dict[str, Any]) -> None:
        if task["desiredStatus"] == "STOPPED":
            return
        self.world.interrupt(task)
        for one in self.people:
            if one.task == task["taskArn"]:
                one.moved()

    def _has_room(self, capacity: str) -> bool:
        first_s, last_s = (self.begin_s + at * self.day_s / DAY_S for at in NO_ROOM_S)
        return capacity != "FARGATE_SPOT" or not first_s <= self.world.now_s < last_s

    def task_of(self, url: str) -> str | None:
        """The task that answers at this address, if one does."""
        record = self.world.route53.there.get(url.removeprefix("wss://").removesuffix(":5000") + ".")
        task = self.world.running.get(record["ResourceRecords"][0]["Value"]) if record else None
        return task["taskArn"] if task is not None and task["desiredStatus"] == "RUNNING" else None

    def server_of(self, one: Participant) -> str:
        return str(self.world.ecs.all[one.task]["startedBy"].split("/")[1])

    def _somebody(self, in_the_rush: bool) -> Participant:
        arrive_s = self.dice.uniform(0.1, 0.1 + 300 / self.day_s) if in_the_rush else self.dice.random()
        fate = self.dice.choices(["plays", "leaves", "vanishes"], [94, 3, 3])[0]
        return Participant(self, arrive_s * self.day_s, self.dice.uniform(15, 60), self.dice.uniform(480, 1080), fate)
