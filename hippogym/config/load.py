"""Reads a study's description: the file, then its values, then what they are to each other; all problems at once."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hippogym.config.complaints import complaints, quoting_complaints
from hippogym.config.rules import findings
from hippogym.config.schema import Study, setting_of
from hippogym.config.study_pages import missing_pages
from hippogym.config.tidy import Tidied, tidy
from hippogym.config.yaml_lines import Document, NotYaml, Problem, read_yaml
from hippogym.config.yaml_lines import Path as SettingPath
from hippogym.errors import ConfigError

MAX_FILE_BYTES = 1 << 20
FILE, FILE_IN_CONTAINER = "config.yml", ".trialConfig.yml"
SMALLEST = "The smallest study is two lines:\n  trial:\n    game: ALE/MsPacman-v5"


def load_study(folder: Path) -> Study:
    """The study in ``folder``, from ``config.yml``, or ``.trialConfig.yml`` where only that exists.

    Raises ConfigError, whose message lists every problem with its line, what was found and what was expected.
    """
    path = _file_in(folder)
    raw = _bytes_of(path)
    try:
        document = read_yaml(_text_of(raw, path))
    except NotYaml as error:
        raise _refusal(path, [error.problem]) from error
    if document.values is None and not document.problems:
        raise ConfigError(f"{path.name} is empty. {SMALLEST}")
    if not isinstance(document.values, dict):
        top = Problem((), "found no settings, expected the sections project and trial", document.line(()))
        raise _refusal(path, [*document.problems, top])
    study, warnings = _checked(document, path, hashlib.sha256(raw).hexdigest())
    return study.model_copy(update={"warnings": tuple(_line(w) for w in _in_order(warnings))})


def _checked(document: Document, path: Path, sha256: str) -> tuple[Study, list[Problem]]:
    tidied = tidy(document)
    about = {"path": path, "sha256": sha256}
    problems = [*document.problems, *tidied.problems, *quoting_complaints(document)]
    try:
        Study.model_validate(tidied.values | about)
    except ValidationError as error:
        problems += complaints(error, document, tidied)
    wrong = _settings_with(problems, tidied)
    study = Study.model_validate(_without(tidied.values, wrong) | about)
    problems += _placed(findings(study.project, study.trial, wrong, "problem"), tidied)
    if problems:
        raise _refusal(path, _with_lines(problems, document))
    warnings = [*tidied.warnings, *_placed(findings(study.project, study.trial, set(), "warning"), tidied)]
    if path.name == FILE:
        warnings += _placed(missing_pages(study, path.parent), tidied)
    return study, _with_lines(warnings, document)


def _settings_with(problems: list[Problem], tidied: Tidied) -> set[SettingPath]:
    """The settings that problems are about. An unknown name says nothing against the section it stands in."""
    wrong = set()
    for path in (tidied.today(problem.path) for problem in problems):
        setting = setting_of(path)
        if setting is not None and (setting.section is None or setting.path == path):
            wrong.add(setting.path)
    return wrong


def _without(values: dict[str, Any], wrong: set[SettingPath], path: SettingPath = ()) -> dict[str, Any]:
    """The values that have no problem, so that the rules between settings can be asked of the rest."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        here = (*path, name)
        setting = setting_of(here)
        if setting is not None and setting.section is not None and isinstance(value, dict):
            kept[name] = _without(value, wrong, here)
        elif here not in wrong:
            kept[name] = value
    if path == ():
        kept["trial"] = {"game": "?"} | kept.get("trial", {})
    return kept


def _placed(problems: Iterable[Problem], tidied: Tidied) -> list[Problem]:
    return [Problem(tidied.in_file(problem.path), problem.words) for problem in problems]


def _with_lines(problems: list[Problem], document: Document) -> list[Problem]:
    return [Problem(p.path, p.words, p.line or document.line(p.path)) for p in problems]


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.line)


def _refusal(path: Path, problems: list[Problem]) -> ConfigError:
    ordered = _in_order(problems)
    count = "1 thing" if len(ordered) == 1 else f"{len(ordered):,} things"
    lines = [f"  {_line(problem)}" for problem in ordered]
    return ConfigError("\n".join([f"{path.name} has {count} to fix:", *lines]))


def _line(problem: Problem) -> str:
    dotted = ".".join(part if len(part) <= 60 else part[:57] + "..." for part in problem.path)
    where = f"{dotted}: " if dotted else ""
    return f"line {problem.line}: {where}{problem.words}".replace("\n", "\\n")


def _file_in(folder: Path) -> Path:
    for name in (FILE, FILE_IN_CONTAINER):
        try:
            if (folder / name).is_file():
                return folder / name
            if (folder / name).exists():
                raise ConfigError(f"{name} in {folder} is not a file.")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{name} in {folder} cannot be reached: {error}") from error
    raise ConfigError(f"There is no {FILE} in {folder}. {SMALLEST}")


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path.name} is larger than 1 MiB; a study's description is a few kilobytes.")
    return raw


def _text_of(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem((), "found bytes that are not UTF-8, expected text in UTF-8", line)
        raise _refusal(path, [problem]) from error
