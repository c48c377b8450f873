"""The few errors that somebody can act on; everywhere else the built-in that fits is raised."""


class HippoError(Exception):
    """What went wrong is a sentence for a person: what was found, where, and what to do."""


class ConfigError(HippoError):
    """The study's description has problems; the message lists all of them."""


class AgentError(HippoError):
    """A function of the researcher's agent is missing, raised, or returned what cannot be used.

    hook: the function's name (``start``, ``step``, …).
    """

    def __init__(self, hook: str, message: str) -> None:
        super().__init__(message)
        self.hook = hook


class RecordError(HippoError):
    """A record could not be written or read.

    disk_full: True where the write was taken back and may be tried again when there is room.
    """

    def __init__(self, message: str, *, disk_full: bool = False) -> None:
        super().__init__(message)
        self.disk_full = disk_full


class StorageError(HippoError):
    """A store did not take, give or delete what it was asked to; may be tried again.

    The sentence names no key: keys hold participants' names. denied: the store says that we may not, so that
    somebody has to change something.
    """

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class StartError(HippoError):
    """The server cannot start: port taken, certificate unusable, records folder not writable."""
