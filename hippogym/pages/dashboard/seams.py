"""What the dashboard needs of the rest. The rest is handed in: nothing here knows a session, a ledger or a spool."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Observatory(Protocol):
    """The sessions that go on (``hippogym.live.observing``).

    What asks something of a session returns None when it has been done, or the sentence that says why not.
    """

    def snapshot(self) -> list[dict[str, Any]]:
        """One dict for each session, with ``trial``; the other facts are shown as far as they are there."""
        ...

    def pulse(self, after: int) -> list[dict[str, Any]]:
        """How it went lately: points with ``n`` above ``after``, oldest first."""
        ...

    def happened(self, after: int) -> list[dict[str, Any]]:
        """What happened lately: ``{"n", "t_s", "kind", "trial", "text"}`` with ``n`` above ``after``, oldest first."""
        ...

    def watch(self, trial: str) -> AsyncIterator[bytes]:
        """The session's frames as its participant gets them, until it is over. Who is slow gets the newest."""
        ...

    def pause(self, trial: str) -> str | None: ...

    def resume(self, trial: str) -> str | None: ...

    def end(self, trial: str) -> str | None: ...

    def say(self, trial: str, text: str) -> str | None: ...


class Waiting(Protocol):
    """A record that is not uploaded yet."""

    @property
    def closed(self) -> bool: ...

    @property
    def reason(self) -> str | None: ...


class Uploads(Protocol):
    """How things stand with the uploads (``hippogym.data.upload_status``)."""

    @property
    def where(self) -> str | None: ...

    @property
    def waiting(self) -> Sequence[Waiting]: ...

    @property
    def waiting_bytes(self) -> int: ...

    @property
    def verified(self) -> int: ...

    @property
    def trouble(self) -> str | None: ...

    @property
    def trouble_since(self) -> str | None: ...


Overview = Callable[[], Awaitable[Mapping[str, Any]]]
UploadStatus = Callable[[Path], Uploads]
