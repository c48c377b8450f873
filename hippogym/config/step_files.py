"""The linter of a study's way: are its pages there and sound, and does everybody get somewhere?"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hippogym.config.page_check import Page, page_remarks, read_page
from hippogym.config.remarks import Remark, problem, warning
from hippogym.config.schema import Study
from hippogym.config.study_pages import FOLDER, named_pages, variants
from hippogym.config.way_check import way_remarks
from hippogym.config.yaml_lines import Document, NotYaml, read_yaml
from hippogym.config.yaml_lines import Path as SettingPath

LARGEST_PAGE_BYTES = 2 << 20

Pages = dict[str, list[Page]]
"""The pages as config.yml names them, each with what was read for it: itself, or the pages of its group."""


def check_step_files(study: Study) -> list[Remark]:
    """Everything there is to say about the steps and their files. Reads StepFiles/ beside the study's file."""
    if not study.project.steps:
        return []
    folder, lines = study.path.parent, _Lines(study.path)
    pages, remarks = _read(study, folder, lines)
    for page in {page.file: page for group in pages.values() for page in group}.values():
        remarks += [*page_remarks(page), *_links(page, folder)]
    remarks += way_remarks(study, pages, lines)
    remarks += _unused(folder, pages)
    return list(dict.fromkeys(remarks))


class _Lines:
    """Says where a setting stands in the study's file."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            self._document = read_yaml(path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError, NotYaml):  # it was read a moment ago; the check goes on without lines
            self._document = Document()

    def __call__(self, path: SettingPath) -> str:
        return f"{self._name}, line {self._document.line(path)}: {'.'.join(path)}"


def _read(study: Study, folder: Path, where: _Lines) -> tuple[Pages, list[Remark]]:
    last, pages = _last_pages(study), Pages()
    remarks: list[Remark] = []
    for path, name in named_pages(study):
        files = variants(folder, name)
        if not files:
            remarks.append(problem(where(path), f"{FOLDER}/{name} is not there"))
        if name in pages:
            continue
        pages[name] = []
        for file in files:
            html = _text_of(file, remarks)
            if html is not None:
                shown = f"{FOLDER}/{file.name}"
                page = read_page(shown, html, is_last=name in last, scripts=study.project.scripts)
                pages[name].append(page)
        remarks += _group(folder, name, files)
    return pages, remarks


def _last_pages(study: Study) -> set[str]:
    """Pages that are only shown at the end, when nothing is answered any more."""
    named = list(named_pages(study))
    last = {page for path, page in named if "finalStep" in path or path[1] == "endings"}
    return last - {page for path, page in named if "finalStep" not in path and path[1] != "endings"}


def _text_of(file: Path, remarks: list[Remark]) -> str | None:
    where = f"{FOLDER}/{file.name}"
    try:
        if file.stat().st_size > LARGEST_PAGE_BYTES:
            remarks.append(problem(where, "larger than 2 MiB; put images and films into files beside it"))
            return None
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        remarks.append(problem(where, "not text in UTF-8"))
    except OSError as error:
        remarks.append(problem(where, f"cannot be read: {error.strerror or error}"))
    return None


def _group(folder: Path, name: str, files: list[Path]) -> Iterator[Remark]:
    """Groups are counted from 0 without gaps; what comes after a gap is shown to nobody."""
    page = folder / FOLDER / name
    if files == [page] or not files:
        return
    if len(files) == 1:
        yield warning(f"{FOLDER}/{files[0].name}", "a group of one is the same for everybody")
    if page.is_file():
        yield warning(f"{FOLDER}/{name}", f"shown to nobody, because there is {files[0].name}")
    pattern = re.compile(rf"{re.escape(page.stem)}-(\d{{1,4}}){re.escape(page.suffix)}")
    for other in sorted(page.parent.iterdir()):
        found = pattern.fullmatch(other.name)
        if found and other not in files:
            words = f"shown to nobody, because {page.stem}-{len(files)}{page.suffix} is missing"
            yield warning(f"{FOLDER}/{other.name}", words)


def _links(page: Page, folder: Path) -> Iterator[Remark]:
    """Images, styles and the like that are not there, or that tell somebody else who takes part."""
    for tag, link, line in page.reader.links:
        parts = urlsplit(link.strip())
        elsewhere = bool(parts.scheme or parts.netloc)
        if parts.scheme == "data" or (tag == "a" and elsewhere):
            continue
        if elsewhere:
            words = f"<{tag}> comes from {parts.netloc or parts.scheme}, which is not let in; put the file in {FOLDER}"
            yield warning(page.line(line), words)
        elif parts.path.startswith("/"):
            yield problem(page.line(line), f"{parts.path} begins with a slash; write it as it lies in {FOLDER}")
        elif parts.path and not (folder / FOLDER / unquote(parts.path)).is_file():
            yield problem(page.line(line), f"{FOLDER}/{unquote(parts.path)} is not there")


def _unused(folder: Path, pages: Pages) -> Iterator[Remark]:
    shown = {page.file for group in pages.values() for page in group} | {f"{FOLDER}/{name}" for name in pages}
    stems = {name.rpartition(".")[0] for name in pages}
    for file in sorted((folder / FOLDER).glob("*.htm*")):
        of_group = re.sub(r"-\d+$", "", file.stem) in stems
        if f"{FOLDER}/{file.name}" not in shown and not of_group:
            yield warning(f"{FOLDER}/{file.name}", "no step shows it")
