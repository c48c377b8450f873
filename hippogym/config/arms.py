"""Conditions and endings, as config.yml has them."""

import re
from collections.abc import Mapping
from typing import Any

from hippogym.config.maps import Entry, is_plain, line_like, number_between, read_map, whole_between
from hippogym.config.overrides import read_overrides
from hippogym.config.steps import is_step_file, read_steps
from hippogym.config.values import Finding, Wrong, too_many_or_none
from hippogym.core.study.way import OUTCOMES

CONDITION_NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}"

REDIRECT = "an address (https://…) that may have {code}, {userId} and link parameters in braces after its host"
_REDIRECT = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?([/?#]([^\s{}<>\"]|\{[A-Za-z_]\w{0,59}\})*)?")


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value.strip()) <= 10_000


def _is_redirect(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 2_000 and _REDIRECT.fullmatch(value) is not None


OF_CONDITION: dict[str, Entry] = {
    "weight": number_between(0.001, 1_000),
    "quota": whole_between(1, 1_000_000),
    "trial": Entry("settings of the trial", lambda value: True),
    "steps": Entry("a map from 1, 2, 3, … to file names", _is_map),
    "agent": Entry("a map of plain values for the agent", lambda value: _is_map(value) and is_plain(value)),
}

OF_ENDING: dict[str, Entry] = {
    "page": Entry("the name of a file in StepFiles", lambda value: is_step_file(value) and value != "game", True),
    "text": Entry("text of 1 to 10,000 characters", _is_short_text, True),
    "code": line_like(r"[^\n\t]{1,100}", "signed, none, or a code of your own (a line of text)"),
    "redirect": Entry(REDIRECT, _is_redirect, True),
}


def study_conditions(value: object) -> dict[str, dict[str, Any]]:
    """From the name of a condition to what is different in it. Raises Wrong."""
    if not isinstance(value, Mapping):
        raise Wrong([Finding()])
    wrong: list[Finding] = list(too_many_or_none(value, least=0))
    conditions = {}
    for name, condition in value.items():
        if not re.fullmatch(CONDITION_NAME, name):
            wrong.append(Finding((name,), said="expected a name of letters, digits, _ and - (at most 40)"))
        conditions[name] = _condition(condition, name, wrong)
    if wrong:
        raise Wrong(wrong)
    return conditions


def study_endings(value: object) -> dict[str, dict[str, Any]]:
    """From an outcome to what the participant is shown. Raises Wrong."""
    if not isinstance(value, Mapping):
        raise Wrong([Finding()])
    wrong: list[Finding] = []
    anything = Entry("a map: page, text, code, redirect", lambda inner: True)
    known = read_map(value, (), dict.fromkeys(OUTCOMES, anything), wrong)
    endings = {outcome: read_map(ending, (outcome,), OF_ENDING, wrong) for outcome, ending in known.items()}
    if wrong:
        raise Wrong(wrong)
    return endings


def _condition(value: object, name: str, wrong: list[Finding]) -> dict[str, Any]:
    found = read_map(value, (name,), OF_CONDITION, wrong)
    if "trial" in found:
        found["trial"] = read_overrides(found["trial"], (name, "trial"), wrong)
    if "steps" in found:
        found["steps"] = read_steps(found["steps"], (name, "steps"), wrong, needs_final=False)
    return found
