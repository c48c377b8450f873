"""Settings of the trial that are others in one game or one condition: ``trial:`` inside a step or a condition."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hippogym.config.maps import At
from hippogym.config.nearest import did_you_mean
from hippogym.config.trial import Trial
from hippogym.config.values import Finding, Wrong

FOR_THE_SERVER = frozenset({"s3upload", "uploadDeadline", "maxParticipants"})
"""Settings of the section trial that concern the server, which is one for all."""


def read_overrides(value: object, at: At, wrong: list[Finding]) -> dict[str, Any]:
    """The overriding settings as they are written; what is wrong with them is added to ``wrong``."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        wrong.append(Finding(at, "settings of the trial, such as maxEpisodes: 1"))
        return {}
    sound: dict[str, Any] = {}
    for name, inner in value.items():
        if name in FOR_THE_SERVER:
            wrong.append(Finding((*at, name), said="the same for all trials of a server; it cannot be another here"))
        elif name not in Trial.model_fields:
            said = f"not a setting of the trial{did_you_mean(name, Trial.model_fields)}"
            wrong.append(Finding((*at, name), said=said))
        else:
            sound[name] = inner
    findings = list(_findings(sound, at))
    wrong.extend(findings)
    bad = {finding.at[len(at)] for finding in findings}
    return {name: inner for name, inner in sound.items() if name not in bad}


def checked(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overriding settings as the trial gets them. Raises ValidationError; they are checked with the file."""
    trial = Trial.model_validate({"game": "?"} | dict(overrides))
    return {name: getattr(trial, name) for name in overrides}


def overridden(trial: Trial, *overrides: Mapping[str, Any]) -> Trial:
    """The trial's settings with others on top, the later before the earlier."""
    changes: dict[str, Any] = {}
    for layer in overrides:
        changes |= checked(layer)
    return trial.model_copy(update=changes)


def _findings(overrides: Mapping[str, Any], at: At) -> list[Finding]:
    try:
        Trial.model_validate({"game": "?"} | dict(overrides))
    except ValidationError as error:
        found: dict[tuple[Any, ...], Finding] = {}
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0])
            cause = detail.get("ctx", {}).get("error")
            inner = cause.findings if isinstance(cause, Wrong) else (Finding(),)
            for finding in inner:
                complete = _complete(name, finding, at)
                found.setdefault((complete.at, complete.said), complete)
        return list(found.values())
    return []


def _complete(name: str, finding: Finding, at: At) -> Finding:
    """The finding under its place in the file, with the words of the setting where it has none of its own."""
    extra = Trial.model_fields[name].json_schema_extra
    words = extra if isinstance(extra, dict) else {}
    is_text = finding.is_text or (not finding.expected and bool(words.get("text")))
    return Finding((*at, name, *finding.at), finding.expected or str(words.get("expected", "")), finding.said, is_text)
