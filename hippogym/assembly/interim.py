"""Stands in for codes and recruiting until they are there."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def make_code(key: bytes, outcome: str, visit_id: str) -> str:
    digest = hmac.digest(key, f"{outcome}/{visit_id}".encode(), hashlib.sha256)
    return base64.b32encode(digest[:15]).decode()


def recognise(link: Mapping[str, str]) -> tuple[str | None, str | None]:
    for site, name in (("prolific", "PROLIFIC_PID"), ("mturk", "workerId"), ("sona", "survey_code"), (None, "userId")):
        if link.get(name):
            return site, link[name]
    return None, None
