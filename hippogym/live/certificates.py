"""The certificate files of a server: usable or not, said in one line before anything listens."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from hippogym.errors import StartError

SOON = timedelta(days=7)


@dataclass(frozen=True)
class Certificates:
    """``fullchain.pem`` and ``privkey.pem`` of a folder.

    fetch: brings newer files into the folder, where they come from elsewhere, and returns whether there were any; may
    take its time, and raises HippoError.
    """

    folder: Path
    fetch: Callable[[], bool] | None = None

    @property
    def fullchain(self) -> Path:
        """The certificate and those that vouch for it."""
        return self.folder / "fullchain.pem"

    @property
    def privkey(self) -> Path:
        """Its private key."""
        return self.folder / "privkey.pem"

    def context(self) -> ssl.SSLContext:
        """A context for TLS 1.2 and later. Raises StartError naming the file and what is wrong with it."""
        context = _new_context()
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Check the files and use them from now on; a context keeps what it had when they are unusable."""
        self.check()
        self._load(context)

    def check(self) -> None:
        """Raise StartError unless both files are there, belong together, and the certificate is valid now."""
        for path in (self.fullchain, self.privkey):
            _read(path)
        left = self.valid_for()
        if left <= timedelta(0):
            raise StartError(f"{self.fullchain} expired on {self.ends():%Y-%m-%d}. Renew it and start again.")
        if datetime.now(UTC) < self._first().not_valid_before_utc:
            raise StartError(f"{self.fullchain} is not valid yet. Is the clock of this machine right?")
        self._load(_new_context())

    def valid_for(self) -> timedelta:
        """How long the certificate is still valid."""
        return self.ends() - datetime.now(UTC)

    def ends(self) -> datetime:
        """When the certificate ends (UTC)."""
        return self._first().not_valid_after_utc

    def warning(self) -> str | None:
        """A sentence when the certificate ends soon."""
        if self.valid_for() >= SOON:
            return None
        return f"{self.fullchain} ends on {self.ends():%Y-%m-%d %H:%M} UTC: renew it, then send this process a SIGHUP."

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.fullchain, self.privkey)
        except ssl.SSLError as problem:
            why = "is not the key of fullchain.pem" if "MISMATCH" in str(problem) else "is not a private key"
            raise StartError(f"{self.privkey} {why}.") from problem

    def _first(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificates(_read(self.fullchain))[0]
        except ValueError as problem:
            raise StartError(f"{self.fullchain} is not a certificate in PEM form.") from problem


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as problem:
        raise StartError(
            f"{path} is missing: without `dev` the server speaks TLS and needs it (SSL_README.md)."
        ) from problem
    except OSError as problem:
        raise StartError(f"{path} cannot be read: {problem.strerror}.") from problem
