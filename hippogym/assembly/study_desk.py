"""The desk of a study that has steps, with everything behind it: pages, ledger, places, codes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from hippogym.bookkeeping.books import Books
from hippogym.bookkeeping.views import Views
from hippogym.config import Study
from hippogym.core.study.codes import make_code
from hippogym.core.study.factors import factors_of
from hippogym.core.study.way import build_way
from hippogym.data.code_key import code_key
from hippogym.data.ledger.keeper import LedgerThread
from hippogym.data.ledger.sqlite import FILE
from hippogym.data.users import UserFiles
from hippogym.errors import StartError
from hippogym.live.desk import Desk
from hippogym.live.overview import Overview
from hippogym.pages.asking import Reception
from hippogym.pages.next_routes import next_routes
from hippogym.pages.routes import PageSettings, strict_headers
from hippogym.pages.step_files import FOLDER, StepFiles, read_step_files
from hippogym.pages.study_routes import study_routes


@dataclass(frozen=True)
class StudyDesk:
    """The desk, the pages it shows, and the thread that keeps what happens at it."""

    desk: Desk
    files: StepFiles
    thread: LedgerThread
    study: Study

    @property
    def step_pages(self) -> tuple[str, ...]:
        """Every page as it is sent, for the page's content policy."""
        return tuple(page.html for page in self.files.pages.values())

    def routes(self, settings: PageSettings, has_place: Callable[[], bool]) -> list[BaseRoute]:
        """What is asked of it over HTTP. has_place: whether another game could begin now."""
        reception = Reception(frozenset(settings.origins), strict_headers(settings), settings.dev)
        project = self.study.project
        return [
            *study_routes(self.desk, self.files.assets, settings, reception, live=project.live),
            *next_routes(self.desk, project.id, reception, live=project.live, has_place=has_place),
        ]


@contextmanager
def study_desk(study: Study, folder: Path, records: Path) -> Iterator[StudyDesk | None]:
    """The desk while it is open; None where the study is only a game. Raises StartError.

    folder: of the study. records: where its ledger is, claimed by us.
    """
    settings = study.study_settings()
    way = build_way(settings)
    if not way.has_steps:
        yield None
        return
    files = read_step_files(folder / FOLDER, way.pages(), scripts=way.scripts)
    try:
        factors_of(settings, files.variants, seed=0)
    except ValueError as problem:
        raise StartError(f"Participants cannot be assigned: {problem}.") from problem
    key = code_key(records)
    books = Books(
        way,
        settings,
        files.pages,
        files.variants,
        sign=lambda outcome, visit_id: make_code(key, outcome, visit_id),
    )
    with LedgerThread(records / FILE, UserFiles(records, study.project.id), books.undone) as thread:
        views = Views(way, files.pages, study.trial.instructions)
        yield StudyDesk(Desk(thread, books, views, Overview(books), study.trial_settings), files, thread, study)
