"""Turns what the schema refuses into sentences: what was found in the file, and what was expected there."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from hippogym.config.schema import Setting, setting_of
from hippogym.config.tidy import Tidied
from hippogym.config.values import ACTION_NAME, STEP_FILE, Finding, Wrong
from hippogym.config.yaml_lines import Document, Path, Problem

_NAMES_AS_KEYS = {("trial", "ui"), ("trial", "keys"), ("trial", "actionSpace")}
_TEXT_INSIDE = {ACTION_NAME, STEP_FILE}


def complaints(error: ValidationError, document: Document, tidied: Tidied) -> Iterator[Problem]:
    """One problem for each finding, under the path as it is written in the file."""
    for detail in error.errors(include_url=False):
        path = tuple(str(part) for part in detail["loc"])
        setting = setting_of(path)
        if setting is None:
            continue
        here = tidied.in_file(path)
        if detail["type"] == "missing":
            yield Problem(here, f"missing; expected {setting.expected}")
            continue
        cause = detail.get("ctx", {}).get("error")
        found = cause.findings if isinstance(cause, Wrong) else (Finding(),)
        for finding in found:
            yield _complaint(here, finding, setting, document)


def quoting_complaints(document: Document) -> Iterator[Problem]:
    """Names that YAML takes for something else, such as up: on or the key 1 in ui."""
    for path, read in document.unquoted_keys.items():
        if path[-3:-1] in _NAMES_AS_KEYS:
            yield Problem(path, f"YAML reads {path[-1] or 'nothing'} as {read}; write it in quotes: '{path[-1]}'")


def _complaint(here: Path, finding: Finding, setting: Setting, document: Document) -> Problem:
    path = here + finding.at
    if finding.said:
        return Problem(path, finding.said)
    value, written = document.value(path), document.written.get(path)
    is_text = finding.is_text or (finding.expected in _TEXT_INSIDE if finding.expected else setting.is_text)
    words = f"found {found_words(value, written)}, expected {finding.expected or setting.expected}"
    return Problem(path, words + _hint(value, written, is_text))


def found_words(value: Any, written: str | None) -> str:
    """What stands in the file, short enough for a line. written: its text, where YAML reads more into it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        kind = "a list" if isinstance(value, list) else "a map"
        return kind if value else f"{kind} with nothing in it"
    if isinstance(value, str):
        return _short(repr(value))
    text = _short(written if written is not None else str(value))
    read_as = isinstance(value, bool) and text.lower() not in ("true", "false")
    return f"{text} (which YAML reads as {value})" if read_as else text


def _hint(value: Any, written: str | None, is_text: bool) -> str:
    if is_text and isinstance(value, bool | int | float):
        return f"; write it in quotes: '{_short(str(written))}'"
    if not is_text and isinstance(value, str) and _is_number_or_truth(value):
        return "; write it without quotes"
    return ""


def _is_number_or_truth(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
