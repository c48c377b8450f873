"""Which desk a server has: the study's own, one that takes tickets, or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippogym.assembly.study_desk import StudyDesk, study_desk
from hippogym.assembly.ticket_window import TicketWindow, ticket_window
from hippogym.config import Environment, Study


@contextmanager
def desk_of(
    study: Study, folder: Path, records: Path, surroundings: Environment, *, dev: bool
) -> Iterator[StudyDesk | TicketWindow | None]:
    """The desk while it is open; None where the study is only a game. Raises HippoError.

    Where there is a TICKET_KEY the study is elsewhere, and sends its participants with tickets. folder: of the study.
    records: claimed by us.
    """
    if surroundings.TICKET_KEY is not None:
        with ticket_window(study, surroundings, dev=dev) as window:
            yield window
    else:
        with study_desk(study, folder, records) as desk:
            yield desk
