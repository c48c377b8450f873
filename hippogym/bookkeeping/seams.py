"""What the desk needs of the rest: a ledger, its thread, and the study's pages, which are handed in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from hippogym.core.study.forms import Form
from hippogym.core.study.ledger import Ledger

T = TypeVar("T")


class LedgerBook(Ledger, Protocol):
    """The ledger, with what only a server of one's own needs."""

    def answers_bytes(self, visit_id: str) -> int:
        """How much the answers of a visit take, files included."""

    def forget_answers(self, visit_id: str) -> int:
        """Remove all answers of a visit, but not the visit."""

    def events(self, visit_id: str) -> Iterator[Mapping[str, Any]]:
        """What has happened in a visit, in order."""

    def log_events(self, visit_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add to what has happened in a visit."""

    def state(self) -> object:
        """Another value after every change."""


class PageText(Protocol):
    """A page of the study, as the desk needs it. sha256: of its file. form: with what is right."""

    @property
    def html(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def form(self) -> Form: ...


class LedgerThread(Protocol):
    """The ledger's thread (hippogym.data.ledger.keeper)."""

    async def write(self, work: Callable[[LedgerBook], T], kept: Callable[[T], None] | None = None) -> T:
        """Do work in a transaction. kept: told the result, in the thread, once it is on the disk."""

    async def read(self, work: Callable[[LedgerBook], T]) -> T:
        """Ask something."""
