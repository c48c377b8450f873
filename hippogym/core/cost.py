"""What a study costs on AWS, by the second, from one table of prices.

US dollars without taxes, read on 2026-09-28 from AWS's price list (the offer AmazonECS of 2026-09-11) and from the list
of Spot prices behind aws.amazon.com/fargate/pricing, as others have noted them down in public; docs/cost.md says
where. Spot prices follow supply and demand, so they are those of that day. To renew the table, change it here, and
``PRICES_OF``; tests hold docs/cost.md against it.

Fargate counts from the moment at which the image begins to be fetched to the end of the task, in whole seconds, at
least a minute. A task in a public subnet pays for its public address too. 20 GB of disk are included.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

Capacity = Literal["FARGATE", "FARGATE_SPOT"]
Architecture = Literal["x86", "arm"]

PRICES_OF: Final = "2026-09-28"
HOME: Final = "us-east-1"

PUBLIC_ADDRESS_HOUR: Final = 0.005
TRAFFIC_GB: Final = 0.09  # to the internet, the first 10 TB of a month
FREE_TRAFFIC_GB: Final = 100  # a month, of the whole account

KINDS: Final[tuple[tuple[Capacity, Architecture], ...]] = (
    ("FARGATE_SPOT", "arm"), ("FARGATE_SPOT", "x86"), ("FARGATE", "arm"), ("FARGATE", "x86"),
)  # fmt: skip
"""What a task can run on, the cheapest first."""

READ: Final[dict[tuple[str, Capacity, Architecture], tuple[float, float]]] = {
    ("us-east-1", "FARGATE", "x86"): (0.04048, 0.004445),
    ("us-east-1", "FARGATE", "arm"): (0.03238, 0.00356),
    ("us-east-1", "FARGATE_SPOT", "x86"): (0.01288871, 0.00141527),
    ("us-east-1", "FARGATE_SPOT", "arm"): (0.01030969, 0.00113349),
    ("eu-west-1", "FARGATE", "arm"): (0.03238, 0.00356),
    ("eu-west-1", "FARGATE_SPOT", "x86"): (0.01224056, 0.0013441),
    ("eu-west-1", "FARGATE_SPOT", "arm"): (0.00979124, 0.00107649),
    ("ap-south-1", "FARGATE", "arm"): (0.02383, 0.00261),
}
"""What was read: dollars for a vCPU and for a GB of memory, by the hour."""

ON_DEMAND_X86: Final[dict[str, tuple[float, float]]] = {
    "us-east-1": (0.04048, 0.004445),
    "us-east-2": (0.04048, 0.004445),
    "us-west-1": (0.04656, 0.00511),
    "us-west-2": (0.04048, 0.004445),
    "ca-central-1": (0.04456, 0.004865),
    "sa-east-1": (0.0696, 0.0076),
    "eu-west-1": (0.04048, 0.004445),
    "eu-west-2": (0.04656, 0.00511),
    "eu-west-3": (0.0486, 0.0053),
    "eu-central-1": (0.04656, 0.00511),
    "eu-north-1": (0.0445, 0.0049),
    "eu-south-1": (0.0486, 0.0053),
    "me-south-1": (0.0526, 0.0058),
    "af-south-1": (0.0546, 0.006),
    "ap-south-1": (0.04256, 0.004655),
    "ap-east-1": (0.0556, 0.0061),
    "ap-southeast-1": (0.05056, 0.00553),
    "ap-southeast-2": (0.04856, 0.00532),
    "ap-northeast-1": (0.05056, 0.00553),
    "ap-northeast-2": (0.04656, 0.00511),
}
"""Fargate on x86 in each region. What was not read of a region's other kinds is in proportion to those of us-east-1."""


@dataclass(frozen=True)
class Price:
    """Dollars by the hour. estimated: worked out in proportion, not read."""

    region: str
    capacity: Capacity
    architecture: Architecture
    vcpu_hour: float
    gb_hour: float
    estimated: bool

    def task_hour(self, vcpus: float, memory_gb: float) -> float:
        """An hour of a task with its public address."""
        return vcpus * self.vcpu_hour + memory_gb * self.gb_hour + PUBLIC_ADDRESS_HOUR

    def task(self, vcpus: float, memory_gb: float, seconds: float) -> float:
        """One task, from the beginning of the image's download to its end."""
        return self.task_hour(vcpus, memory_gb) * billed_s(seconds) / 3600


@dataclass(frozen=True)
class Plan:
    """A study to be paid for.

    minutes: that a participant needs the server, at most max_runtime. start_minutes: from the beginning of a task until
    it lets somebody in. per_task: participants that share a task.
    """

    participants: int
    minutes: float
    max_runtime: float
    vcpus: float = 2
    memory_gb: float = 4
    start_minutes: float = 3
    per_task: int = 1

    @property
    def tasks(self) -> int:
        """How many tasks are run."""
        return math.ceil(self.participants / self.per_task)

    @property
    def task_minutes(self) -> float:
        """How long each runs."""
        return min(self.start_minutes + self.minutes, self.max_runtime)


@dataclass(frozen=True)
class Cost:
    """Dollars. most: if every task runs until max_runtime."""

    hour: float
    participant: float
    study: float
    most: float


@dataclass(frozen=True)
class Traffic:
    """What pictures weigh on their way to participants. dollars: as if none of it were free."""

    participant_gb: float
    study_gb: float
    participant: float
    study: float


def price(region: str, capacity: Capacity, architecture: Architecture) -> Price:
    """What AWS asks there. A region that is not in the table has the prices of us-east-1, marked as estimated."""
    read = READ.get((region, capacity, architecture))
    if read is None and (capacity, architecture) == ("FARGATE", "x86"):
        read = ON_DEMAND_X86.get(region)
    if read is not None:
        return Price(region, capacity, architecture, *read, estimated=False)
    vcpu, gb = READ[HOME, capacity, architecture]
    there, here = ON_DEMAND_X86.get(region, ON_DEMAND_X86[HOME]), ON_DEMAND_X86[HOME]
    return Price(region, capacity, architecture, vcpu * there[0] / here[0], gb * there[1] / here[1], estimated=True)


def cost(price: Price, plan: Plan) -> Cost:
    """What the plan costs at this price, without traffic."""
    one = price.task(plan.vcpus, plan.memory_gb, 60 * plan.task_minutes)
    longest = price.task(plan.vcpus, plan.memory_gb, 60 * plan.max_runtime)
    return Cost(
        hour=price.task_hour(plan.vcpus, plan.memory_gb),
        participant=one / plan.per_task,
        study=one * plan.tasks,
        most=longest * plan.tasks,
    )


def traffic(plan: Plan, frames_per_s: float, frame_kb: float) -> Traffic:
    """What it costs to show the game. frame_kb: of one picture, in 1000 bytes."""
    each_gb = 60 * min(plan.minutes, plan.max_runtime) * frames_per_s * frame_kb / 1e6
    all_gb = each_gb * plan.participants
    return Traffic(each_gb, all_gb, each_gb * TRAFFIC_GB, all_gb * TRAFFIC_GB)


def billed_s(seconds: float) -> int:
    """The seconds that are paid for."""
    return max(60, math.ceil(seconds))
