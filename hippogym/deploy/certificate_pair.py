"""A certificate and its key, and the two objects of a bucket in which servers find them.

Two objects cannot be changed in one moment. So the key is put first, and only over the one that was looked at; the
certificate follows at once; and where that fails the old key is put back. Servers refuse two that do not belong
together, and keep what they have.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.certificates import SOON, Certificate, read_certificate
from hippogym.deploy.problems import DeployError

OTHERS = "Somebody else has put another certificate there at the same time; give the command again to look at it."
PEM = "application/x-pem-file"
SHUT = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True)
class Pair:
    """Both in PEM form."""

    chain: bytes
    key: bytes = field(repr=False)

    def fault(self, domain: str, now: datetime) -> str | None:
        """Why servers cannot use it, as part of a sentence; None where they can."""
        try:
            certificate = self.certificate()
            if not self._belongs():
                return "key and certificate do not belong together"
        except (ValueError, TypeError, DeployError):  # TypeError: the key is encrypted
            return "key or certificate cannot be read"
        if not certificate.covers(domain):
            return f"it is for {', '.join(certificate.names) or 'no name'}"
        return f"it ended on {certificate.ends:%Y-%m-%d}" if certificate.ends <= now else None

    def ends_soon(self, now: datetime) -> bool:
        """Under 30 days left; of one that lives for less than 60 days, under half of them."""
        first = x509.load_pem_x509_certificates(self.chain)[0]
        life = first.not_valid_after_utc - first.not_valid_before_utc
        return first.not_valid_after_utc - now < min(SOON, life / 2)

    def certificate(self) -> Certificate:
        """What the certificate says of itself. Raises DeployError."""
        return read_certificate(self.chain, "The certificate")

    def _belongs(self) -> bool:
        of_chain = x509.load_pem_x509_certificates(self.chain)[0].public_key()
        of_key = load_pem_private_key(self.key, password=None).public_key()
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return of_chain.public_bytes(*form) == of_key.public_bytes(*form)


@dataclass
class PairBucket:
    """Two objects. fullchain, privkey: their keys in the bucket."""

    aws: Aws
    bucket: str
    fullchain: str
    privkey: str
    _tag: str | None = None

    def read(self) -> Pair | None:
        """What is there; None where one of the two is missing. Raises DeployError."""
        chain, (key, self._tag) = self._get(self.fullchain)[0], self._get(self.privkey)
        return None if chain is None or key is None else Pair(chain, key)

    def refuse_public(self) -> None:
        """Raise DeployError unless nobody but the account can be let in."""
        with told(f"s3://{self.bucket}"):
            try:
                found = self.aws("s3").get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
            except ClientError as problem:
                if code_of(problem) != "NoSuchPublicAccessBlockConfiguration":
                    raise
                found = {}
        if not all(found.get(name) for name in SHUT):
            settings = ",".join(f"{name}=true" for name in SHUT)
            raise DeployError(
                f"The bucket {self.bucket} could be opened to everybody, so no private key is put there. Shut it: aws "
                f"s3api put-public-access-block --bucket {self.bucket} --public-access-block-configuration {settings}"
            )

    def put(self, new: Pair, old: Pair | None) -> None:
        """Put both. old: what ``read`` found, put back where only half of it could be done. Raises DeployError."""
        over = {"IfMatch": self._tag} if self._tag else {"IfNoneMatch": "*"}
        problem: DeployError | None = None
        try:
            self._put(self.privkey, new.key, **over)
            self._put(self.fullchain, new.chain)
        except DeployError as raised:
            problem = raised
        try:
            arrived = self._settle(new, old)
        except DeployError as also:
            raise DeployError(
                f"{problem or also} It may be that key and certificate there do not belong together now, and that no "
                "new server can start: give the command again soon."
            ) from also
        if not arrived:
            raise problem or DeployError(OTHERS)

    def _settle(self, new: Pair, old: Pair | None) -> bool:
        """Whether both are there now; where it is only the key, the old one is put back."""
        chain, key = self._get(self.fullchain)[0], self._get(self.privkey)[0]
        if key == new.key and old is not None and chain == old.chain:
            self._put(self.privkey, old.key)
        return (chain, key) == (new.chain, new.key)

    def _get(self, key: str) -> tuple[bytes | None, str | None]:
        with told(f"s3://{self.bucket}/{key}"):
            try:
                answer = self.aws("s3").get_object(Bucket=self.bucket, Key=key)
                with answer["Body"] as body:
                    return bytes(body.read()), str(answer["ETag"])
            except ClientError as problem:
                if code_of(problem) in ("NoSuchKey", "404"):
                    return None, None
                raise

    def _put(self, key: str, content: bytes, **over: Any) -> None:
        """No ACL is said: what is put without is private, and buckets that know none refuse to hear of them."""
        with told(f"s3://{self.bucket}/{key}"):
            try:
                self.aws("s3").put_object(
                    Bucket=self.bucket, Key=key, Body=content, ContentType=PEM, ServerSideEncryption="AES256",
                    CacheControl="no-store", **over,
                )  # fmt: skip
            except ClientError as problem:
                if code_of(problem) not in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                    raise
                if self._get(key)[0] != content:  # else it is ours, and the answer to the first attempt was lost
                    raise DeployError(OTHERS) from problem


def days_left(certificate: Certificate, now: datetime) -> str:
    """Such as: until 2027-01-31, 70 days."""
    return f"until {certificate.ends:%Y-%m-%d}, {(certificate.ends - now) // timedelta(days=1)} days"


def utc_now() -> datetime:
    """The clock, where no other is handed in."""
    return datetime.now(UTC)
