"""What AWS sends by itself: words of a topic, what rules catch, schedules when it is time; with a clock to turn.

Functions are called one after the other, and a call that fails is repeated twice, as Lambda does it.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

from tests.deploy.rehearsal.account import ACCOUNT, REGION

TRIES = 3
LOOK_S = 0.5
EVERY_S = {"rate(5 minutes)": 300.0}


@dataclass
class Clock:
    """The stack's. It goes as ours does, and can be put forward."""

    shift_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.shift_s


@dataclass
class Events:
    """client: of the account. call: a function's name or ARN, and an event."""

    client: Callable[[str], Any]
    call: Callable[[str, Mapping[str, Any]], Any]
    clock: Clock = field(default_factory=Clock)
    said: list[tuple[float, str, Any]] = field(default_factory=list)  # everything that was sent, in order
    given_up: list[str] = field(default_factory=list)
    _waiting: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    _pending: int = 0  # what is on its way, or being done
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _last: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> "Events":
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._deliver, self._watch)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    # -- what is sent ------------------------------------------------------------------------------------------------

    def publish(self, topic: str, message: str) -> None:
        """To everybody who has subscribed."""
        self._note(topic.rpartition(":")[2], json.loads(message))
        found = self.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        event = {"Records": [{"EventSource": "aws:sns", "Sns": {"TopicArn": topic, "Message": message}}]}
        for one in found:
            if one["Protocol"] == "lambda":
                self._send(one["Endpoint"], event)

    def happened(self, source: str, kind: str, detail: Mapping[str, Any]) -> None:
        """An event on the default bus: to the targets of every rule that it fits."""
        event = {
            "version": "0", "source": source, "detail-type": kind, "account": ACCOUNT, "region": REGION,
            "time": datetime.fromtimestamp(self.clock.now(), UTC).isoformat(), "detail": json.loads(_json(detail)),
        }  # fmt: skip
        self._note(kind, {key: event["detail"].get(key) for key in ("lastStatus", "desiredStatus", "stopCode")})
        for rule in self.client("events").list_rules()["Rules"]:
            if "EventPattern" in rule and fits(json.loads(rule["EventPattern"]), event):
                self._to_targets(rule["Name"], event)

    def turn_clock(self, seconds: float) -> None:
        """It is so much later."""
        self.clock.shift_s += seconds

    def settled(self, within_s: float) -> bool:
        """Wait until nothing is on its way; False where it does not come to that."""
        deadline = time.monotonic() + within_s
        while self._pending and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self._pending

    def _send(self, arn: str, event: Mapping[str, Any]) -> None:
        with self._lock:
            self._pending += 1
        self._waiting.put((arn, event, 1))

    def _note(self, what: str, detail: Any) -> None:
        self.said.append((self.clock.now(), what, detail))

    def _to_targets(self, rule: str, event: Mapping[str, Any]) -> None:
        for target in self.client("events").list_targets_by_rule(Rule=rule)["Targets"]:
            self._send(target["Arn"], event)

    # -- delivering --------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        while not self._ended.is_set():
            try:
                arn, event, attempt = self._waiting.get(timeout=0.1)
            except Empty:
                continue
            try:
                self.call(arn, event)
            except Exception as problem:
                if attempt < TRIES:
                    self._ended.wait(0.2 * attempt)
                    self._waiting.put((arn, event, attempt + 1))
                    continue
                self.given_up.append(f"{arn.rpartition(':')[2]}: {problem}")
            with self._lock:
                self._pending -= 1

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._rules_with_a_time()
            self._schedules()

    def _rules_with_a_time(self) -> None:
        now_s = self.clock.now()
        for rule in self.client("events").list_rules()["Rules"]:
            every_s = EVERY_S.get(rule.get("ScheduleExpression", ""))
            if every_s is None:
                continue
            if now_s - self._last.setdefault(rule["Name"], now_s) >= every_s:
                self._last[rule["Name"]] = now_s
                self._to_targets(rule["Name"], {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
                self._note(rule["Name"], None)

    def _schedules(self) -> None:
        scheduler = self.client("scheduler")
        for one in scheduler.list_schedules()["Schedules"]:
            with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):  # somebody was quicker
                self._schedule(scheduler, one["GroupName"], one["Name"])

    def _schedule(self, scheduler: Any, group: str, name: str) -> None:
        about = scheduler.get_schedule(GroupName=group, Name=name)
        if self.clock.now() >= due_s(about["ScheduleExpression"]):
            self._note(f"schedule {name}", None)
            self.publish(about["Target"]["Arn"], about["Target"]["Input"])
            if about.get("ActionAfterCompletion") == "DELETE":
                scheduler.delete_schedule(GroupName=group, Name=name)


def fits(pattern: Any, value: Any) -> bool:
    """EventBridge's rules, as far as the template uses them: nested names, and lists of what a value may be."""
    if isinstance(pattern, Mapping):
        return isinstance(value, Mapping) and all(fits(wanted, value.get(key)) for key, wanted in pattern.items())
    return value in pattern


def due_s(expression: str) -> float:
    """at(2026-01-01T00:00:00), UTC → seconds since 1970."""
    return datetime.fromisoformat(expression.removeprefix("at(").removesuffix(")")).replace(tzinfo=UTC).timestamp()


def _json(value: Any) -> str:
    return json.dumps(value, default=str)
