"""What a store of visits must be able to do: SQLite on a server of one's own, objects in a bucket in the cloud.

The methods block, and return only when what they were given is safe. They may be called from any thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hippogym.core.study.visit import Visit


@dataclass(frozen=True)
class Held:
    """A visit as the ledger holds it. version: goes up by one with every save."""

    visit: Visit
    version: int


class Ledger(Protocol):
    """Visits, their answers, the log of assignments, and a few facts of the study."""

    def load(self, visit_id: str) -> Held | None:
        """The visit of that id."""

    def by_token(self, token_sha256: str) -> Held | None:
        """The visit whose token has this digest. Tokens themselves are not kept."""

    def by_user(self, user: str) -> Sequence[Held]:
        """All visits under a label, the newest first."""

    def create(self, visit: Visit, token_sha256: str | None, assignments: Sequence[Mapping[str, Any]] = ()) -> int:
        """Keep a new visit with the assignments that were made for it, all or nothing. Returns its version."""

    def save(
        self,
        visit: Visit,
        version: int,
        answer: Mapping[str, Any] | None = None,
        assignments: Sequence[Mapping[str, Any]] = (),
        events: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        """Keep what has become of a visit, with the answer that led there, all or nothing.

        False when the visit's version is not ``version`` any more: somebody was quicker, and nothing is written. An
        answer whose stamp the visit has answered already is never written a second time.
        """

    def all(self) -> Iterator[Held]:
        """Every visit, in the order of their beginning."""

    def answers(self, visit_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every answer of every try, in order; those of one visit where it is named."""

    def assignments(self) -> Sequence[Mapping[str, Any]]:
        """The whole log of assignments, in order."""

    def log_assignments(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add to the log: places given back, for instance."""

    def meta(self, key: str) -> str | None:
        """A fact of the study, such as the seed of its assignment."""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact of the study."""

    def forget(self, visit_id: str) -> None:
        """Remove a visit and all its answers; the log of assignments keeps its arm, without a name."""

    def close(self) -> None:
        """Finish what is being written."""
