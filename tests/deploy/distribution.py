"""CloudFront as a little server: what aws/template.yml says of buckets, paths, headers and who may read what, over S3.

    with Distribution(s3, {"PageBucket": "a", "StudyBucket": "b"}, {"RootDomain": "lab.example.org", …}, tls) as page:

What the template has no leave for is answered with 403, as it would be there.
"""

import contextlib
import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from tests.deploy.api_gateway import Server

TEMPLATE = Path(__file__).resolve().parents[2] / "aws" / "template.yml"


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms, as what stands after them."""


def _after(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    made = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return made(node, deep=True)  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _after)


def resources() -> dict[str, Any]:
    """The template's, with references as the names that they refer to."""
    return dict(yaml.load(TEMPLATE.read_text("utf-8"), _Loader)["Resources"])  # noqa: S506 a safe loader, of our own file


class Distribution(Server):
    """values: what is put in the place of ${…}; the API's address stands under ``ApiUrl``. requests: (path, status)."""

    def __init__(self, s3: Any, buckets: Mapping[str, str], values: Mapping[str, str], tls: Any = None) -> None:
        super().__init__(tls)
        self._s3, self._buckets, self._values = s3, buckets, values
        self._resources = resources()
        self._config = self._resources["PageDistribution"]["Properties"]["DistributionConfig"]
        self.requests: list[tuple[str, int]] = []

    def answer(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path = unquote(urlsplit(target).path)
        behaviour = self._behaviour(path)
        key = path.lstrip("/") or self._config["DefaultRootObject"]
        origin = next(one for one in self._config["Origins"] if one["Id"] == behaviour["TargetOriginId"])
        bucket = origin["DomainName"].partition(".")[0]
        status, said, content = 403, {"content-type": "application/xml"}, b"<Error/>"
        if method in behaviour["AllowedMethods"] and self._may_read(bucket, key):
            with contextlib.suppress(self._s3.exceptions.ClientError):
                found = self._s3.get_object(Bucket=self._buckets[bucket], Key=key)
                with contextlib.closing(found["Body"]) as file:
                    status, content = 200, file.read()
                said = {"content-type": found["ContentType"], "etag": found["ETag"]}
                said |= {"cache-control": found["CacheControl"]} if "CacheControl" in found else {}
        self.requests.append((path, status))
        return status, said | self._headers(behaviour["ResponseHeadersPolicyId"]), content

    def _behaviour(self, path: str) -> Mapping[str, Any]:
        for one in self._config["CacheBehaviors"]:
            if fnmatch.fnmatchcase(path, one["PathPattern"]):
                return dict(one)
        return dict(self._config["DefaultCacheBehavior"])

    def _may_read(self, bucket: str, key: str) -> bool:
        """Whether a statement of the bucket's policy lets CloudFront read it."""
        for statement in self._resources[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}:
                found = statement["Resource"]
                patterns = found if isinstance(found, list) else [found]
                if any(fnmatch.fnmatchcase(f"${{{bucket}.Arn}}/{key}", re.sub(r"\[", "[[]", one)) for one in patterns):
                    return True
        return False

    def _headers(self, policy: str) -> dict[str, str]:
        config = self._resources[policy]["Properties"]["ResponseHeadersPolicyConfig"]
        its = config["SecurityHeadersConfig"]
        policy = self._filled(its["ContentSecurityPolicy"]["ContentSecurityPolicy"])
        found = {
            "content-security-policy": " ".join(policy.split()),
            "referrer-policy": its["ReferrerPolicy"]["ReferrerPolicy"],
            "x-content-type-options": "nosniff",
        }  # fmt: skip
        return found | {one["Header"].lower(): one["Value"] for one in config["CustomHeadersConfig"]["Items"]}

    def _filled(self, text: str) -> str:
        text = text.replace("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}", self._values["ApiUrl"])
        return re.sub(r"\$\{(\w+)\}", lambda found: self._values[found[1]], text)
