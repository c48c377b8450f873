"""What a certificate says of itself: until when, and for which names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from hippogym.deploy.problems import DeployError

FULLCHAIN, PRIVKEY = "fullchain.pem", "privkey.pem"
FOLDER = "certificates"
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Certificate:
    """The first of a chain. ends: UTC. names: such as *.lab.example.org."""

    ends: datetime
    names: tuple[str, ...]

    def covers(self, domain: str) -> bool:
        """Whether a server directly below ``domain`` can show it."""
        return f"*.{domain}".lower() in (name.lower() for name in self.names)

    def remark(self, now: datetime | None = None) -> str | None:
        """A sentence where it has ended, or ends soon."""
        left = self.ends - (now or datetime.now(UTC))
        if left <= timedelta(0):
            return f"The certificate ended on {self.ends:%Y-%m-%d}: renew it (SSL_README.md)."
        if left < SOON:
            return f"The certificate ends on {self.ends:%Y-%m-%d}, in {left.days} days: renew it (SSL_README.md)."
        return None


def read_certificate(pem: bytes, where: str) -> Certificate:
    """The first certificate of a chain. Raises DeployError."""
    try:
        first = x509.load_pem_x509_certificates(pem)[0]
    except ValueError as problem:
        raise DeployError(f"{where} is not a certificate in PEM form.") from problem
    return Certificate(first.not_valid_after_utc, tuple(_names(first)))


def certificate_files(*folders: Path) -> Path | None:
    """The first folder that has both files; None where none has."""
    for folder in folders:
        if (folder / FULLCHAIN).is_file() and (folder / PRIVKEY).is_file():
            return folder
    return None


def _names(certificate: x509.Certificate) -> Iterable[str]:
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return others.value.get_values_for_type(x509.DNSName)
