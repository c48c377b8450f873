"""The lab of cloud.py over AWS in memory: the same tests, in a tenth of the time that moto takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.deploy.cloud import Cloud, Starter
from tests.deploy.world import World


class MemoryCloud(Cloud):
    """ECS, Route53 and the scheduler only remember; what they would tell is the test's to tell."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings)
        self._services = world.services
        world.ecs.on_task = self._on_task
        world.scheduler.on_made = lambda name, at_s, message: None
        for here in (world.ecs, world.bucket):
            here.clock = self.clock

    def client(self, service: str) -> Any:
        return self._services[service]

    def tasks(self) -> list[dict[str, Any]]:
        return [task for task in self._services["ecs"].all.values() if task["desiredStatus"] != "STOPPED"]

    def run(self, task: dict[str, Any]) -> None:
        task["lastStatus"] = "RUNNING"
        self.ecs_says(Starter, dict(task))

    def names(self) -> dict[str, str]:
        there = self._services["route53"].there.values()
        return {one["Name"].rstrip("."): one["ResourceRecords"][0]["Value"] for one in there}

    def schedules(self) -> list[str]:
        return list(self._services["scheduler"].there)

    def _on_task(self, task: dict[str, Any]) -> None:
        if task["desiredStatus"] == "STOPPED":
            task["lastStatus"] = "STOPPED"


@contextmanager
def memory_cloud(**changes: Any) -> Iterator[MemoryCloud]:
    """A lab with one study in it."""
    yield MemoryCloud(World(most_tasks=2, **changes))
