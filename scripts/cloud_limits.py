"""Which of AWS's quotas binds first, from 10 to 100,000 participants: the tables of docs/cloud-limits.md.

python scripts/cloud_limits.py                          # print them
python scripts/cloud_limits.py docs/cloud-limits.md     # put them in their places there
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COUNTS = (10, 100, 1_000, 10_000, 100_000)
DAY_S, RUSH, RUSH_S = 10 * 3600, 0.1, 300  # a tenth of all come within five minutes of a day of ten hours
HOLD_S, START_S = 20 * 60, 2 * 60  # a server is there for 20 minutes, and takes two of them to start
VCPUS = 2
LOOK_S, TELL_S, REQUEST_S = 3, 15, 0.2  # a page that waits asks so often, one in a game hands on; a request takes
GETS, LAYERS = 8, 12  # of S3 by a request; of the registry by a start

PER_SECOND = "a second"


@dataclass(frozen=True)
class Load:
    """At the busiest moment. tasks: at a time; starts: by the second, of tasks."""

    participants: int
    per_task: int = 1

    @property
    def starts(self) -> float:
        return self.participants * RUSH / RUSH_S / self.per_task

    @property
    def stops(self) -> float:
        return self.participants / DAY_S / self.per_task

    @property
    def players(self) -> float:
        return self.participants * (RUSH + (1 - RUSH) * HOLD_S / DAY_S)

    @property
    def tasks(self) -> float:
        return self.players / self.per_task

    @property
    def requests(self) -> float:
        """To the functions, by the second: pages that wait, and games that are told of."""
        waiting = self.participants * RUSH * min(1, START_S / RUSH_S)
        return waiting / LOOK_S + self.players / TELL_S


@dataclass(frozen=True)
class Quota:
    """default: of an account that has asked for nothing. of: whose it is. ours: set by the stack, or how we work."""

    name: str
    default: float
    unit: str
    needs: Callable[[Load], float]
    remedy: str
    source: str
    ours: bool = False

    def use(self, load: Load) -> float:
        """1 is all of it."""
        return self.needs(load) / self.default


ECS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"
RUN = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html"
VPC = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
DNS = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html"
S3 = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html"

QUOTAS = (
    Quota("Fargate Spot vCPUs", 6, "at a time", lambda load: VCPUS * load.tasks,
          "ask for 2 for each server at a time, and a third more", ECS),
    Quota("Fargate on-demand vCPUs", 6, "at a time", lambda load: VCPUS * load.tasks,
          "the same: without it nobody is served when Spot has no room", ECS),
    Quota("servers of one project (MostTasks)", 50, "at a time", lambda load: load.tasks,
          "`hippogym aws setup --most-servers`, up to 5,000", "aws/template.yml", ours=True),
    Quota("starts of tasks (RunTask)", 20, PER_SECOND, lambda load: load.starts,
          "ask; invite in waves; `participantsPerTask`", RUN),
    Quota("network interfaces", 5_000, "in a region", lambda load: load.tasks, "ask", VPC),
    Quota("addresses in the stack's two subnets", 32_758, "at a time", lambda load: load.tasks,
          "a second stack in another region", "aws/template.yml", ours=True),
    Quota("network addresses of a VPC", 64_000, "at a time", lambda load: 2 * load.tasks,
          "ask, up to 256,000", "https://docs.aws.amazon.com/vpc/latest/userguide/network-address-usage.html"),
    Quota("requests to Route53", 5, PER_SECOND, lambda load: load.starts + 2 * load.stops,
          "cannot be raised: invite in waves; `participantsPerTask`; a second account", DNS),
    Quota("names in a hosted zone", 10_000, "at a time", lambda load: load.tasks, "ask", DNS),
    Quota("functions at a time (Lambda)", 1_000, "at a time", lambda load: load.requests * REQUEST_S,
          "ask; new accounts may have as few as 10",
          "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"),
    Quota("requests to the stack's API", 200, PER_SECOND, lambda load: load.requests,
          "`ThrottlingRateLimit` of `ApiStage` in the template, up to API Gateway's own",
          "aws/template.yml", ours=True),
    Quota("requests to API Gateway", 10_000, PER_SECOND, lambda load: load.requests, "ask",
          "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"),
    Quota("reads below one prefix of S3", 5_500, PER_SECOND, lambda load: GETS * load.requests,
          "S3 divides a busy prefix by itself, in minutes", S3),
    Quota("changes of one document (places, assignments)", 15, PER_SECOND,
          lambda load: load.starts * load.per_task + load.stops,
          "who comes waits up to 12 s, then is asked to come again: invite in waves",
          "measured: tests/deploy", ours=True),
    Quota("new schedules", 50, PER_SECOND, lambda load: load.starts, "ask; many regions have 1,000",
          "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"),
    Quota("messages to topics (SNS)", 300, PER_SECOND, lambda load: load.starts + load.stops,
          "ask; large regions have 9,000 and more", "https://docs.aws.amazon.com/general/latest/gr/sns.html"),
    Quota("requests to CloudFront", 250_000, PER_SECOND, lambda load: 20 * load.participants * RUSH / RUSH_S, "ask",
          "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"),
    Quota("writes of logs", 800, PER_SECOND, lambda load: load.tasks / 5,
          "ask; large regions have 5,000",
          "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"),
    Quota("layers of images (ECR)", 3_000, PER_SECOND, lambda load: LAYERS * load.starts, "ask",
          "https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html"),
    Quota("servers in one round of the janitor", 5_000, "at a time", lambda load: load.tasks,
          "a longer round repairs later; nothing else waits for it", "240 s, some 45 ms a server", ours=True),
)  # fmt: skip


def binding(load: Load) -> list[Quota]:
    """The quotas that are not enough, the worst first."""
    return sorted((one for one in QUOTAS if one.use(load) > 1), key=lambda one: -one.use(load))


def tables() -> dict[str, str]:
    """Name of the table → Markdown."""
    return {"needs": _needs(), "first": _first(), "shared": _first(8), "sources": _sources()}


def with_tables(page: str) -> str:
    """The page with the tables in their places: <!-- table: name --> … <!-- end -->."""
    for name, table in tables().items():
        before, _, rest = page.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"the page has no place for the table {name}")
        page = f"{before}<!-- table: {name} -->\n{table}{end}{after}"
    return page


def _needs() -> str:
    heads = "".join(f" {count:,} |" for count in COUNTS)
    lines = [f"| | without asking |{heads}", "|---|---:|" + "---:|" * len(COUNTS)]
    for one in QUOTAS:
        cells = "".join(f" {_cell(one, Load(count))} |" for count in COUNTS)
        lines.append(f"| {one.name}, {one.unit} | {one.default:,} |{cells}")
    return "\n".join(lines) + "\n"


def _cell(quota: Quota, load: Load) -> str:
    text = _number(quota.needs(load))
    return f"**{text}**" if quota.use(load) > 1 else text


def _first(per_task: int = 1) -> str:
    lines = ["| participants | what is not enough, the worst first |", "|---:|---|"]
    for count in COUNTS:
        found = [f"{one.name} ({one.use(Load(count, per_task)):,.1f} ×)" for one in binding(Load(count, per_task))]
        lines.append(f"| {count:,} | {', '.join(found) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def _sources() -> str:
    lines = ["| | what to do | where it is said |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.remedy} | {_link(one)} |" for one in QUOTAS]
    return "\n".join(lines) + "\n"


def _link(quota: Quota) -> str:
    is_url = quota.source.startswith("https://")
    return f"[{quota.source.split('/')[2].split('.')[0]}]({quota.source})" if is_url else quota.source


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def main(words: list[str]) -> int:
    """The command."""
    if words:
        path = Path(words[0])
        path.write_text(with_tables(path.read_text("utf-8")), "utf-8")
    else:
        print("\n".join(f"{name}\n\n{table}" for name, table in tables().items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
