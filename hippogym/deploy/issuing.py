"""``get_ssl_certs.py``: a wildcard certificate for participants' servers, got when needed and put into its bucket.

What lies in the bucket decides. What certbot got earlier, and what did not arrive there, is put there before another
one is asked for: an authority gives only a few of the same in a week.
"""

import argparse
import os
import shlex
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hippogym.config import Study
from hippogym.deploy.aws import Aws
from hippogym.deploy.certbot import PRODUCTION, STAGING, Certbot
from hippogym.deploy.certificate_pair import Pair, PairBucket, days_left, utc_now
from hippogym.deploy.plan import Item, Plan, as_text
from hippogym.deploy.problems import DeployError
from hippogym.deploy.stack import Stack

TERMS = "https://letsencrypt.org/repository/"
NEEDED = {
    "domain": "project.awsSetup.rootDomain",
    "region": "project.awsSetup.region",
    "bucket": "project.ssl.sslBucket",
    "fullchain": "project.ssl.fullchain",
    "privkey": "project.ssl.privkey",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--study", type=Path, default=Path(), help="folder of config.yml and .env (this one)")
    for name, setting in NEEDED.items():
        parser.add_argument(f"--{name}", help=f"instead of {setting}")
    parser.add_argument("--email", help="an address for the authority's letters (none)")
    parser.add_argument("--force", action="store_true", help="a new one, however long the old one still lasts")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and change nothing")
    parser.add_argument("--staging", action="store_true", help="try everything with certificates that nobody trusts")
    parser.add_argument("--yes", action="store_true", help="ask nothing; you agree to the authority's terms")
    parser.add_argument("--quiet", action="store_true", help="say nothing where there is nothing to do")
    parser.add_argument("--cron", action="store_true", help="print the line for crontab that renews it, and end")
    parser.add_argument("--folder", type=Path, help="certbot's own (~/.local/share/hippogym/certbot)")
    parser.add_argument("--certbot", metavar="PROGRAM", help="another one than beside this Python, or in PATH")
    parser.add_argument("--server", help="another authority that speaks ACME (Let's Encrypt)")


@dataclass(frozen=True)
class Wanted:
    """For which domain, and where it is put; fullchain and privkey are keys in the bucket."""

    domain: str
    region: str
    bucket: str
    fullchain: str
    privkey: str


def wanted(arguments: argparse.Namespace, study: Study | None) -> Wanted:
    """What the study says, or the command line where that says something else. Raises DeployError."""
    found: dict[str, str] = {
        name: getattr(arguments, name) or _of(study, setting) or "" for name, setting in NEEDED.items()
    }
    missing = [f"{NEEDED[name]} is missing in config.yml; or say --{name}." for name in NEEDED if not found[name]]
    if missing:
        raise DeployError("\n".join(missing))
    return Wanted(**found)


def run(
    arguments: argparse.Namespace, study: Study | None, program: Path, aws: Aws | None = None,
    now: datetime | None = None,
) -> int:  # fmt: skip
    """Returns 0 when the certificate is as it must be. program: this command, for crontab. Raises DeployError."""
    about = wanted(arguments, study)
    certbot = _certbot(arguments, about.region)
    if arguments.cron:
        sys.stdout.write(cron_line(arguments, about, certbot, program))
        return 0
    issuing = Issuing(about, certbot, aws or Aws(about.region), now or utc_now())
    plan = issuing.trial_plan() if arguments.staging else issuing.look(arguments.force)
    if arguments.quiet and not plan.changes:
        return 0
    sys.stdout.write(as_text(plan))
    sys.stdout.flush()
    if arguments.dry_run or not plan.changes:
        return 0
    _ask(arguments, certbot)
    sys.stdout.writelines(f"{line}\n" for line in issuing.carry_out(plan))
    return 0


class Issuing:
    """One certificate, looked at ``now``."""

    def __init__(self, about: Wanted, certbot: Certbot, aws: Aws, now: datetime) -> None:
        self._about, self._certbot, self._aws, self._now = about, certbot, aws, now
        self._bucket = PairBucket(aws, about.bucket, about.fullchain, about.privkey)
        self._there: Pair | None = None

    def look(self, force: bool) -> Plan:
        """What would be done. Asks the bucket, and Route53 where something is to be done; changes nothing."""
        self._there = self._bucket.read()
        wrong, soon = self._state(self._there)
        due = wrong or ("asked for by --force" if force else None) or ("that is soon" if soon else None)
        now = wrong if self._there is None or wrong else days_left(self._there.certificate(), self._now)
        if not due:
            return self._plan(Item("issue", "certificate", now or ""), Item("put", "in the bucket", "as it must be"))
        self._bucket.refuse_public()
        why = f" ({due})" if due != now else ""
        put = Item(
            "put", "in the bucket", f"s3://{self._about.bucket}", f"{self._about.fullchain}, {self._about.privkey}"
        )
        kept = None if force else self._kept()
        if kept is not None and self._state(kept) == (None, False):
            has = f"one {days_left(kept.certificate(), self._now)}, is here: it was got before"
            return self._plan(Item("issue", "certificate", f"{now}{why}; {has}"), put)
        self._before_asking()
        change = f"get one from {self._certbot.authority}"
        return self._plan(Item("issue", "certificate", f"{now}{why}", change), put)

    def trial_plan(self) -> Plan:
        """A certificate that nobody trusts, and nothing is put anywhere."""
        self._before_asking()
        return self._plan(
            Item("issue", "certificate", "a trial", f"get one from {self._certbot.authority}"),
            Item("put", "in the bucket", "left as it is"),
        )

    def carry_out(self, plan: Plan) -> list[str]:
        """Do it; each part can be repeated. Returns what is to be said. Raises DeployError."""
        keys = [item.key for item in plan.changes]
        if "issue" in keys:
            sys.stdout.write(f"Asking {self._certbot.authority}; it takes a minute or two …\n")
            sys.stdout.flush()
            self._certbot.issue(self._about.domain)
        new = self._kept()
        fault = "certbot left none" if new is None else new.fault(self._about.domain, self._now)
        if new is None or fault:
            raise DeployError(f"What {self._certbot.authority} gave cannot be used: {fault} ({self._certbot.home}).")
        said = f"The certificate of *.{self._about.domain} lasts {days_left(new.certificate(), self._now)}"
        if "put" not in keys:
            return [f"{said}: it works. Nothing was put into the bucket, as nobody trusts it. Now without --staging."]
        self._bucket.put(new, self._there)
        where = f"s3://{self._about.bucket}/{self._about.fullchain}"
        return [f"{said}, in {where}.", "Running servers fetch it within a quarter of an hour; new ones start with it."]

    def _plan(self, *items: Item) -> Plan:
        costs = ("Nothing.",) if items[0].change and self._certbot.server in (PRODUCTION, STAGING) else ()
        return Plan(f"The certificate of *.{self._about.domain}", items, costs=costs)

    def _state(self, pair: Pair | None) -> tuple[str | None, bool]:
        """What is wrong with it, and whether it ends soon."""
        if pair is None:
            return "not there", False
        wrong = pair.fault(self._about.domain, self._now)
        return wrong, wrong is None and pair.ends_soon(self._now)

    def _kept(self) -> Pair | None:
        """What certbot got, now or before. Raises DeployError."""
        chain, key = self._certbot.kept(self._about.domain)
        try:
            return Pair(chain.read_bytes(), key.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise DeployError(f"{problem.filename} cannot be read: {problem.strerror}.") from problem

    def _before_asking(self) -> None:
        """What can be known beforehand: the program, and the domain's zone. Raises DeployError."""
        self._certbot.found()
        Stack(self._aws, "hippogym").zone(self._about.domain)


def cron_line(arguments: argparse.Namespace, about: Wanted, certbot: Certbot, program: Path) -> str:
    """Every day, at a minute of the domain's own so that not all ask at once; silent unless it does something."""
    minute = zlib.crc32(about.domain.encode())
    words = [sys.executable, str(program), "--study", str(arguments.study.absolute()), "--yes", "--quiet"]
    for name in (*NEEDED, "email", "server"):
        words += [f"--{name}", value] if (value := getattr(arguments, name)) else []
    words += ["--folder", str(certbot.folder), "--certbot", os.path.abspath(certbot.found())]
    return f"{minute % 60} {2 + minute // 60 % 4} * * * {shlex.join(words).replace('%', chr(92) + '%')}\n"


def _certbot(arguments: argparse.Namespace, region: str) -> Certbot:
    if arguments.staging and arguments.server:
        raise DeployError("--staging is Let's Encrypt's own, so it does not go with --server.")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    server = STAGING if arguments.staging else arguments.server or PRODUCTION
    folder = (arguments.folder or data / "hippogym" / "certbot").expanduser().absolute()
    return Certbot(folder, server, arguments.email, arguments.certbot, region)


def _of(study: Study | None, setting: str) -> str | None:
    value: object = study
    for name in setting.split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, str) else None


def _ask(arguments: argparse.Namespace, certbot: Certbot) -> None:
    """Raises DeployError where the answer is no, or nobody is there."""
    if arguments.yes:
        return
    terms = TERMS if certbot.server in (PRODUCTION, STAGING) else "see its own pages"
    sys.stdout.write(f"Do it? You agree to the terms of {certbot.authority} ({terms}) [y/n] ")
    sys.stdout.flush()
    words: Sequence[str] = sys.stdin.readline().strip().lower()
    if words[:1] != "y":
        raise DeployError("Nothing was changed." if words else "\nNobody said yes: nothing was changed. --yes says it.")
