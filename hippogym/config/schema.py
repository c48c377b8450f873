"""The whole description of a study, and the list of all its settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hippogym.config.fields import Section, section
from hippogym.config.overrides import FOR_THE_SERVER, checked, overridden
from hippogym.config.project import Project
from hippogym.config.steps import final_page, plain_steps
from hippogym.config.trial import Trial

OLDER_SPELLINGS = {
    ("project", "step"): "steps",
    ("project", "ssl", "privkey.pem"): "privkey",
    ("trial", "allowFramRateChange"): "allowFrameRateChange",
}
"""Still read, with a warning: where they stand → what to write instead."""


class Study(Section):
    """A study as its file describes it.

    path: the file. sha256: of the file's bytes, in hex. warnings: sentences, each with its line; nothing to stop for.
    """

    project: Project = section(Project(), "What the study is called, its steps, and where it is placed.")
    trial: Trial = section(..., "One participant in one environment.")
    path: Path
    sha256: str
    warnings: tuple[str, ...] = ()

    def trial_settings(self, *overrides: Mapping[str, Any]) -> dict[str, Any]:
        """What the trial's process needs, as plain values that JSON can carry; ``projectId`` beside the trial's.

        overrides: settings of the trial as a condition or a step writes them, the later before the earlier.
        """
        trial = overridden(self.trial, *overrides)
        names = [name for name in Trial.model_fields if name not in FOR_THE_SERVER]
        return {"projectId": self.project.id} | {name: _plain(getattr(trial, name)) for name in names}

    def study_settings(self) -> dict[str, Any]:
        """The way around the game as plain values that JSON can carry; ``core.study.way.build_way`` reads them.

        ``steps`` is empty for a study that is only a game. A condition without steps of its own has None there.
        """
        project = self.project
        plain: dict[str, Any] = _plain(
            {
                "id": project.id,
                "name": project.name,
                "steps": plain_steps(project.steps),
                "final": {"page": final_page(project.steps)},
                "conditions": {name: _condition(arm) for name, arm in project.conditions.items()},
                "assignment": project.assignment.model_dump(),
                "endings": project.endings,
                "resume": project.resume,
                "attentionLimit": project.attentionLimit,
                "withdraw": project.withdraw,
                "scripts": project.scripts,
                "recruiting": project.recruiting,
                "maxEpisodes": self.trial.maxEpisodes,
            }
        )
        return plain


@dataclass(frozen=True)
class Setting:
    """One row of the table that docs/config.md shows and that complaints are made of."""

    path: tuple[str, ...]
    expected: str
    meaning: str
    example: str
    default: Any
    needed: bool
    shown_default: str
    is_text: bool
    section: type[BaseModel] | None

    @property
    def dotted(self) -> str:
        """The path as people write it: trial.game."""
        return ".".join(self.path)


def _rows(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        if not isinstance(info.json_schema_extra, dict):
            continue  # path, sha256 and warnings of Study: about the file, not in it
        row = _row((*above, name), info)
        yield row
        if row.section is not None:
            yield from _rows(row.section, row.path)


def _row(path: tuple[str, ...], info: FieldInfo) -> Setting:
    words = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    kinds = [info.annotation, *get_args(info.annotation)]
    below = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
    return Setting(
        path=path,
        expected=str(words["expected"]),
        meaning=info.description or "",
        example=(info.examples or [""])[0],
        default=None if info.is_required() else info.default,
        needed=info.is_required() and below is None,
        shown_default=str(words["shown"]) or _shown(info),
        is_text=bool(words["text"]),
        section=below,
    )


def _shown(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    if info.default is None:
        return "absent"
    return f"{info.default:g}" if isinstance(info.default, float) else str(info.default)


def _condition(arm: Mapping[str, Any]) -> dict[str, Any]:
    own = arm.get("steps")
    return {
        "weight": float(arm.get("weight", 1.0)),
        "quota": arm.get("quota"),
        "trial": checked(arm.get("trial", {})),
        "agent": arm.get("agent", {}),
        "steps": None if own is None else plain_steps(own),
        "final": {"page": final_page(own)} if own is not None and "finalStep" in own else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


SETTINGS: tuple[Setting, ...] = tuple(_rows(Study, ()))
"""Every section and setting, in the order of the documentation."""

BY_PATH: dict[tuple[str, ...], Setting] = {setting.path: setting for setting in SETTINGS}


def setting_of(path: tuple[str, ...]) -> Setting | None:
    """The setting that ``path`` is, or lies in: trial.ui for trial.ui.start. None at the top."""
    while path and path not in BY_PATH:
        path = path[:-1]
    return BY_PATH.get(path)
