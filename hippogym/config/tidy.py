"""Brings what stands in the file under the names of today, before the schema sees it.

Older spellings are renamed with a warning, unknown names are refused with the nearest known one, and a setting with
nothing behind its colon is as if it were not there.
"""

from dataclasses import dataclass, field
from typing import Any

from hippogym.config.nearest import nearest_name
from hippogym.config.schema import BY_PATH, OLDER_SPELLINGS, SETTINGS
from hippogym.config.yaml_lines import Document, Path, Problem

_CLOSE_LOOKS = 50
"""Unknown names that are compared with every known one; a file with more of them is no config at all."""


@dataclass
class Tidied:
    """The file's values under today's names, and what there is to say about them.

    written_as: the path under today's name → where it stands in the file, where the two differ.
    """

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    written_as: dict[Path, Path] = field(default_factory=dict)

    def in_file(self, path: Path) -> Path:
        """Where ``path`` stands in the file."""
        return _replaced(path, self.written_as)

    def today(self, path: Path) -> Path:
        """The path under today's names of what stands in the file at ``path``."""
        return _replaced(path, {written: name for name, written in self.written_as.items()})


def tidy(document: Document) -> Tidied:
    """document: of a file whose top is a map."""
    tidied = Tidied()
    tidied.values = {"trial": {}} | _section(document.values, (), tidied)
    return tidied


def _replaced(path: Path, names: dict[Path, Path]) -> Path:
    for length in range(len(path), 0, -1):
        if path[:length] in names:
            return names[path[:length]] + path[length:]
    return path


def _section(values: dict[str, Any], path: Path, tidied: Tidied) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for written, value in values.items():
        name = OLDER_SPELLINGS.get((*path, written), written)
        here, setting = (*path, written), BY_PATH.get((*path, name))
        if setting is None:
            tidied.problems.append(Problem(here, _unknown(written, path, len(tidied.problems))))
            continue
        if name != written:
            if name in values:
                tidied.problems.append(Problem(here, f"an older spelling of {name}, which is there as well; keep one"))
                continue
            tidied.warnings.append(Problem(here, f"an older spelling; write {name}"))
            tidied.written_as[(*path, name)] = here
        if value is None:
            if setting.section is None and setting.default is not None:
                shown = setting.shown_default
                tidied.warnings.append(Problem(here, f"nothing stands behind it; its default holds ({shown})"))
        elif setting.section is not None and isinstance(value, dict):
            result[name] = _section(value, (*path, name), tidied)
        else:
            result[name] = value
    return result


def _unknown(written: str, path: Path, so_far: int) -> str:
    nearest = nearest_name(written, _names_in(path)) if so_far < _CLOSE_LOOKS else None
    if nearest is None:
        elsewhere = [s.dotted for s in SETTINGS if s.path[-1] == written and s.path[:-1] != path]
        nearest = elsewhere[0] if elsewhere else None
    return "not a setting we know" + (f"; did you mean {nearest}?" if nearest else "")


def _names_in(path: Path) -> list[str]:
    return [setting.path[-1] for setting in SETTINGS if setting.path[:-1] == path]
