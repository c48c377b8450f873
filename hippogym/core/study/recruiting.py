"""Which recruiting site has sent somebody, told by the parameters of the link they came by.

Prolific:         PROLIFIC_PID, STUDY_ID, SESSION_ID
Mechanical Turk:  workerId, assignmentId, hitId; while the worker only looks, ASSIGNMENT_ID_NOT_AVAILABLE
SONA Systems:     survey_code or id, a number that stands for the sign-up
otherwise:        userId, as links to HIPPO Gym always had it

All of it can be typed by anybody: it labels a visit, and opens nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

SITES: Final = ("prolific", "mturk", "sona")
NOT_ACCEPTED: Final = "ASSIGNMENT_ID_NOT_AVAILABLE"

_USER: Final = {"prolific": ("PROLIFIC_PID",), "mturk": ("workerId",), "sona": ("survey_code", "id")}
_SUBMISSION: Final = {"prolific": "SESSION_ID", "mturk": "assignmentId"}
_STUDY: Final = {"prolific": "STUDY_ID", "mturk": "hitId"}
_SONA_CODE: Final = re.compile(r"[0-9]{1,12}\Z")  # any `id` would do otherwise, and many links have one
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
_BRACES: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}")
_MOST_PARAMETERS, _LONGEST_VALUE = 30, 256
_NO: Final = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Arrived:
    """site: prolific, mturk, sona, or None. user: their name for the participant, or the link's userId, or None.

    submission, study: their names for this taking part, and for the study. preview: a researcher tries the study
    (``?preview``), or a worker looks at the task before accepting it. link: the parameters that are fit to be kept.
    """

    site: str | None
    user: str | None
    submission: str | None = None
    study: str | None = None
    preview: bool = False
    link: Mapping[str, str] | None = None


def recognise(link: Mapping[str, Any], recruiting: str | None = None) -> Arrived:
    """Who comes by this link. recruiting: the study's setting; None tells the site by the link, ``none`` is no site."""
    kept = kept_parameters(link)
    preview = "preview" in kept and kept["preview"].lower() not in _NO[1:]
    for site in SITES if recruiting is None else (recruiting,):
        user = _user(site, kept)
        if user is not None:
            looking = site == "mturk" and kept.get("assignmentId") == NOT_ACCEPTED
            submission, study = kept.get(_SUBMISSION.get(site, "")), kept.get(_STUDY.get(site, ""))
            return Arrived(site, user, None if looking else submission, study, preview or looking, kept)
    looking = kept.get("assignmentId") == NOT_ACCEPTED  # such a worker has no workerId yet
    site_of_worker = "mturk" if looking and recruiting in (None, "mturk") else None
    return Arrived(site_of_worker, kept.get("userId") or None, None, None, preview or looking, kept)


def kept_parameters(link: Mapping[str, Any]) -> dict[str, str]:
    """Those parameters that are short, plain text under a plain name, at most 30; the others are left out whole."""
    fit = {name: value for name, value in link.items() if _fit(name, value)}
    return dict(list(fit.items())[:_MOST_PARAMETERS])


def placeholders(address: str) -> tuple[str, ...]:
    """The names in braces of an ending's redirect, each once."""
    return tuple(dict.fromkeys(_BRACES.findall(address)))


def filled(address: str, values: Mapping[str, str | None]) -> str | None:
    """The address with every name in braces replaced by its value, percent-encoded.

    values: ``code``, ``userId`` and the link's parameters. None where a value is missing, or where the address would
    not be one of the web: then there is nowhere to go, and the page says so.
    """
    if any(not values.get(name) for name in placeholders(address)):
        return None
    full = _BRACES.sub(lambda found: quote(values[found[1]] or "", safe=""), address)
    parts = urlsplit(full)
    return full if parts.scheme in ("https", "http") and parts.hostname else None


def _user(site: str, link: Mapping[str, str]) -> str | None:
    for name in _USER.get(site, ()):
        value = link.get(name, "").strip()
        if value and (site != "sona" or name != "id" or _SONA_CODE.match(value)):
            return value
    return None


def _fit(name: object, value: object) -> bool:
    if not isinstance(name, str) or not isinstance(value, str) or not _NAME.match(name):
        return False
    return len(value) <= _LONGEST_VALUE and value.isprintable()
