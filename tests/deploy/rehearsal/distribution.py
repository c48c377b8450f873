"""CloudFront as the template wants it: which bucket answers for which path, with which headers; what it may read."""

import contextlib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.deploy.api_gateway import Server
from tests.deploy.pretend import MADE

HEADERS: dict[str, Callable[[Any], tuple[str, str]]] = {
    "ContentTypeOptions": lambda about: ("x-content-type-options", "nosniff"),
    "ReferrerPolicy": lambda about: ("referrer-policy", about["ReferrerPolicy"]),
    "ContentSecurityPolicy": lambda about: ("content-security-policy", about["ContentSecurityPolicy"]),
    "StrictTransportSecurity": lambda about: (
        "strict-transport-security",
        f"max-age={about['AccessControlMaxAgeSec']}",
    ),
}


class Distribution(Server):
    """What moto's CloudFormation has been told of it. requests: path and status of all that came."""

    def __init__(self, client: Callable[[str], Any], tls: Any) -> None:
        super().__init__(tls)
        [config] = [made["DistributionConfig"] for made in MADE.values() if "DistributionConfig" in made]
        self._client, self._config = client, config
        self._buckets = {one["Id"]: str(one["DomainName"]).partition(".s3.")[0] for one in config["Origins"]}
        self.requests: list[tuple[str, int]] = []

    def answer(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path = unquote(urlsplit(target).path)
        behaviour = self._behaviour(path)
        key, bucket = path.lstrip("/") or self._config["DefaultRootObject"], self._buckets[behaviour["TargetOriginId"]]
        status, kind, cache, content = 403, "application/xml", "no-cache", b""
        if may_read(bucket, key):
            with contextlib.suppress(self._client("s3").exceptions.ClientError):
                found = self._client("s3").get_object(Bucket=bucket, Key=key)
                with contextlib.closing(found["Body"]) as file:
                    status, content = 200, file.read()
                kind, cache = found["ContentType"], found.get("CacheControl", cache)
        self.requests.append((target, status))
        about = MADE[behaviour["ResponseHeadersPolicyId"]]["ResponseHeadersPolicyConfig"]
        return status, {"content-type": kind, "cache-control": cache, **policy_headers(about)}, content

    def _behaviour(self, path: str) -> Mapping[str, Any]:
        for one in self._config.get("CacheBehaviors", ()):
            if fnmatchcase(path, one["PathPattern"]):
                return dict(one)
        return dict(self._config["DefaultCacheBehavior"])


def may_read(bucket: str, key: str) -> bool:
    """Whether a policy of the bucket lets CloudFront have this object."""
    wanted = f"arn:aws:s3:::{bucket}/{key}"
    statements = [
        one
        for made in MADE.values()
        if made.get("Bucket") == bucket and "PolicyDocument" in made
        for one in made["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow" and one["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    ]
    resources = [
        each
        for one in statements
        for each in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
    ]
    return any(fnmatchcase(wanted, resource) for resource in resources)


def policy_headers(about: Mapping[str, Any]) -> dict[str, str]:
    """Of a response headers policy."""
    found: dict[str, str] = {}
    for kind, its in about.get("SecurityHeadersConfig", {}).items():
        name, value = HEADERS[kind](its)
        found[name] = " ".join(str(value).split())
    for its in about.get("CustomHeadersConfig", {}).get("Items", ()):
        found[its["Header"].lower()] = its["Value"]
    return found
