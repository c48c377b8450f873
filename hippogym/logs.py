"""Logging: plain lines in ``dev``, one JSON object a line otherwise; every line names its trial.

Lines hold the server's own trial ids and nothing of a participant: no names, words, tokens or addresses.
"""

import json
import logging
import sys
from contextvars import ContextVar

trial_label: ContextVar[str] = ContextVar("trial_label", default="-")


def start_logging(*, plain: bool) -> None:
    """Send the log of this process to its standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines() if plain else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn.error", "uvicorn.access", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # their info lines hold addresses and query strings


class PlainLines(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        label = trial_label.get()
        text = super().format(record)
        return text if label == "-" else f"{text}  [{label}]"


class JsonLines(logging.Formatter):
    """For a log service."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "trial": trial_label.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
