"""Which recruiting site has sent somebody, told by the parameters of the link they came by.

Prolific:         PROLIFIC_PID, STUDY_ID, SESSION_ID
Mechanical Turk:  workerId, assignmentId, hitId; while a worker only looks, assignmentId says so
SONA Systems:     survey_code or id, a number that stands for the sign-up
otherwise:        userId, as links to HIPPO Gym always had it

All of it can be typed by anybody: it labels a visit, and opens nothing.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

SITES: Final = ("prolific", "mturk", "sona")
NOT_ACCEPTED: Final = "ASSIGNMENT_ID_NOT_AVAILABLE"
LONGEST_LABEL: Final = 200

_USER: Final = {"prolific": ("PROLIFIC_PID",), "mturk": ("workerId",), "sona": ("survey_code", "id")}
_SUBMISSION: Final = {"prolific": "SESSION_ID", "mturk": "assignmentId", "sona": "survey_code"}
_STUDY: Final = {"prolific": "STUDY_ID", "mturk": "hitId", "sona": "experiment_id"}
_SIGN_UP: Final = re.compile(r"[0-9]{1,12}\Z")  # SONA's codes are numbers; many other links have some id too
_NO: Final = ("false", "0", "no")


class Sent(NamedTuple):
    """site: ``prolific``, ``mturk``, ``sona``, or None. user: their name for the participant, or the link's userId."""

    site: str | None
    user: str | None


def recognise(link: Mapping[str, str], recruiting: str | None = None) -> Sent:
    """Who comes by this link. recruiting: the study's setting; None tells the site by the link, ``none`` is none."""
    for site in SITES if recruiting is None else (recruiting,):
        for name in _USER.get(site, ()):
            label = _label(link, name)
            if label is not None and (name != "id" or _SIGN_UP.match(label)):
                return Sent(site, label)
    return Sent(None, _label(link, "userId"))


def is_preview(link: Mapping[str, str]) -> bool:
    """Whether a researcher tries the study (``?preview``), or a worker looks at the task before accepting it."""
    if link.get("assignmentId") == NOT_ACCEPTED:
        return True
    return "preview" in link and link["preview"].strip().lower() not in _NO


def submission_of(site: str | None, link: Mapping[str, str]) -> str | None:
    """The site's name for this taking part: Prolific's submission, Mechanical Turk's assignment, SONA's sign-up."""
    label = _label(link, _SUBMISSION.get(site or "", ""))
    return label if label is not None or site != "sona" else _label(link, "id")


def study_of(site: str | None, link: Mapping[str, str]) -> str | None:
    """The site's name for the study: Prolific's study, Mechanical Turk's HIT."""
    return _label(link, _STUDY.get(site or "", ""))


def _label(link: Mapping[str, str], name: str) -> str | None:
    """A parameter that can be a name. One that is too long, or holds what cannot be seen, is none at all."""
    value = link.get(name)
    label = value.strip() if isinstance(value, str) else ""
    return label if label and len(label) <= LONGEST_LABEL and label.isprintable() else None
