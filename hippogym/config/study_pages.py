"""The files in StepFiles that a study names, each with where it is named."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hippogym.config.schema import Study
from hippogym.config.steps import GAME, StepValue, page_of
from hippogym.config.yaml_lines import Path as SettingPath
from hippogym.config.yaml_lines import Problem

FOLDER = "StepFiles"


def named_pages(study: Study) -> Iterator[tuple[SettingPath, str]]:
    """Every page of every step, condition and ending: the setting's path, and the file."""
    yield from _of_steps(study.project.steps, ("project", "steps"))
    for name, condition in study.project.conditions.items():
        yield from _of_steps(condition.get("steps", {}), ("project", "conditions", name, "steps"))
    for outcome, ending in study.project.endings.items():
        if "page" in ending:
            yield ("project", "endings", outcome, "page"), ending["page"]


def variants(folder: Path, page: str) -> list[Path]:
    """The files that may be shown for ``page``: its group's name-0.html, name-1.html, … or else itself."""
    file = folder / FOLDER / page
    found: list[Path] = []
    while (one := file.with_name(f"{file.stem}-{len(found)}{file.suffix}")).is_file():
        found.append(one)
    return found or ([file] if file.is_file() else [])


def missing_pages(study: Study, folder: Path) -> list[Problem]:
    """Pages whose file is not in StepFiles, neither as such nor as the first of a group (name-0.html)."""
    return [
        Problem(path, f"{FOLDER}/{page} is not there")
        for path, page in named_pages(study)
        if not variants(folder, page)
    ]


def _of_steps(steps: Mapping[str, StepValue], at: SettingPath) -> Iterator[tuple[SettingPath, str]]:
    for key, step in steps.items():
        page = page_of(step)
        if page is not None and page != GAME:
            yield (*at, key, *(("page",) if isinstance(step, Mapping) else ())), page
