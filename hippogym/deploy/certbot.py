"""certbot, asked for a wildcard certificate by way of Route53, with its failures as sentences that say what to do.

It runs as whoever calls it, in a folder of its own: no root, nothing in /etc, and no key but in that folder.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hippogym.deploy.problems import DeployError

PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
INSTALL = "python3 -m pip install certbot==5.8.0 certbot-dns-route53==5.8.0"

WAIT_S = 20 * 60.0  # Route53 alone is given ten minutes by certbot
ENDING_S = 60.0  # in which certbot takes back the record that it has made

CHATTER = ("Saving debug log", "Account registered", "Requesting a certificate", "Ask for help", "See the logfile")
_SENTENCES = (
    (r"plugin does not appear to be installed|unrecognized arguments: .*--dns-route53",
     "its Route53 plugin is not installed beside it: " + INSTALL),
    (r"Unable to locate credentials|NoCredentialsError|Partial credentials",
     "there are no AWS credentials: put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into .env, or: aws configure"),
    (r"InvalidClientTokenId|SignatureDoesNotMatch|UnrecognizedClient|security token included in the request is invalid",
     "AWS does not know these credentials: look at .env and ~/.aws/credentials"),
    (r"ExpiredToken", "the AWS credentials have ended: get new ones, or log in again"),
    (r"AccessDenied|not authorized to perform",
     "these credentials may not change the domain's records (route53:ListHostedZones, route53:GetChange, "
     "route53:ChangeResourceRecordSets); the policy they need is in SSL_README.md"),
    (r"Unable to find a Route53 hosted zone",
     "Route53 has no hosted zone for the domain; AWS_README.md says how to make one"),
    (r"Timed out waiting for Route53 change|Throttling|PriorRequestNotComplete",
     "Route53 took too long to change the record; give the command again in a few minutes"),
    (r"rateLimited|too many (?:certificates|failed|new|currently|requests)|Rate limit",
     "it has given as many certificates as it gives (https://letsencrypt.org/docs/rate-limits/){after}; do not try in "
     "a loop, and try things out with --staging"),
    (r"\bCAA\b",
     "a CAA record of the domain forbids it to give the certificate: in Route53, let that record name letsencrypt.org"),
    (r"(NXDOMAIN|SERVFAIL|REFUSED) looking up|DNS problem|TXT record|Challenge failed|Some challenges have failed",
     "it did not find the record that was made for it in Route53: at the domain's registrar (or in the zone above) "
     "the name servers must be the four of its hosted zone (dig +short NS the domain); just changed, they take hours"),
    (r"Another instance of Certbot is already running", "it is running already; wait until it has ended"),
    (r"invalidContact|invalid email|contact email|unsupportedContact", "it does not take the address of --email"),
    (r"serverInternal|Service busy|temporarily down|\b50[0-9] Server Error|badNonce",
     "it has trouble of its own; give the command again in an hour"),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError",
     "the server that gives certificates is not trusted from here; is the clock right, or a proxy in between?"),
    (r"ConnectionError|Max retries exceeded|NewConnectionError|NameResolutionError|timed out|Network is unreachable",
     "the server that gives certificates cannot be reached from here; is the network there?"),
    (r"No space left on device", "the disk is full"),
    (r"Permission denied: '?([^'\n]+)", "it may not write here: is its folder somebody else's?"),
)  # fmt: skip


@dataclass(frozen=True)
class Certbot:
    """folder: certbot's own, holds the account, the keys and the log. server: of the authority. region: AWS's."""

    folder: Path
    server: str = PRODUCTION
    email: str | None = None
    program: str | None = None
    region: str | None = None
    wait_s: float = WAIT_S

    @property
    def authority(self) -> str:
        """Who gives the certificate, for people."""
        names = {PRODUCTION: "Let's Encrypt", STAGING: "Let's Encrypt's staging server"}
        return names.get(self.server) or urlsplit(self.server).netloc

    @property
    def home(self) -> Path:
        """What certbot has of this authority."""
        return self.folder / re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(self.server).netloc)

    def kept(self, domain: str) -> tuple[Path, Path]:
        """Where certbot keeps what it has got: chain and key."""
        live = self.home / "config" / "live" / domain
        return live / "fullchain.pem", live / "privkey.pem"

    def found(self) -> str:
        """The program: the one that is named, or beside this Python, or in PATH. Raises DeployError."""
        beside = Path(sys.executable).parent / "certbot"
        usual = str(beside) if os.access(beside, os.X_OK) else "certbot"
        program = shutil.which(self.program or usual)
        if program is None:
            where = f"{self.program} is not a program" if self.program else "certbot is not installed"
            raise DeployError(f"{where}: {INSTALL} (SSL_README.md)")
        return program

    def issue(self, domain: str) -> None:
        """Get a new certificate for ``*.domain``; afterwards it is where ``kept`` says. Raises DeployError."""
        try:
            for folder in (self.folder, self.home):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise DeployError(
                f"{self.folder} cannot be made: {problem.strerror}; choose another --folder."
            ) from problem
        code, said = self._run([self.found(), *self._words(domain)])
        if code:
            raise DeployError(f"No certificate from {self.authority}: {self._why(code, said)}.")

    def _words(self, domain: str) -> list[str]:
        words = ["certonly", "--non-interactive", "--dns-route53", "--domains", f"*.{domain}", "--cert-name", domain,
                 "--force-renewal", "--server", self.server, "--agree-tos"]  # fmt: skip
        for option in ("config", "work", "logs"):
            words += [f"--{option}-dir", str(self.home / option)]
        return words + (
            ["--email", self.email, "--no-eff-email"] if self.email else ["--register-unsafely-without-email"]
        )

    def _run(self, words: list[str]) -> tuple[int, str]:
        """Exit code and what it printed. It ends with us: nobody else would take its record out of Route53."""
        region = {"AWS_DEFAULT_REGION": self.region} if self.region else {}
        try:
            process = subprocess.Popen(
                words, env={**os.environ, **region}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as problem:
            raise DeployError(f"{words[0]} cannot be run: {problem.strerror}. {INSTALL}") from problem
        try:
            said, _ = process.communicate(timeout=self.wait_s)
        except subprocess.TimeoutExpired as problem:
            raise DeployError(
                f"certbot did not end within {self.wait_s / 60:.0f} minutes; {self._log()}, and give the command again."
            ) from problem
        finally:
            _end(process)
        return process.returncode, said.decode(errors="replace")

    def _why(self, code: int, said: str) -> str:
        for pattern, sentence in _SENTENCES:
            if re.search(pattern, said, re.IGNORECASE):
                return sentence.replace("{after}", _again(said)) + f" ({self._log()})"
        lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(CHATTER)]
        return f"certbot ended with {code}: {(lines[-1] if lines else 'it does not say why')[:300]} ({self._log()})"

    def _log(self) -> str:
        return f"{self.home / 'logs' / 'letsencrypt.log'} says more"


def _again(said: str) -> str:
    after = re.search(r"retry after (\d{4}-\d\d-\d\d[ T][\d:]+(?: UTC|Z)?)", said)
    return f", until {after[1]}" if after else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it, with all it has started, and then end it."""
    for number, wait_s in ((signal.SIGTERM, ENDING_S), (signal.SIGKILL, ENDING_S)):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()
