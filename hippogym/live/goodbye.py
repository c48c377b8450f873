"""The last thing that a participant is told."""

import logging
from dataclasses import dataclass

from hippogym.live.connection import Connection
from hippogym.live.outbox import Overfull

logger = logging.getLogger(__name__)

FAILED = "Something went wrong in the game. It is not your fault, and what you did has been kept."
TEXTS = {
    "finished": "That was the last episode. Thank you!",
    "stopped": "Thank you!",
    "ended": "The researcher has ended the game. What you did has been kept.",
    "withdrew": "You have left the study.",
    "time": "The time for this game is over. What you did has been kept.",
    "failed": FAILED,
    "server": "The server is stopping. What you did has been kept.",
    "abandoned": "You were away for too long; the game has been closed.",
}
CLOSE_CODES = {"failed": 4500, "server": 1012}
FINAL = ("finished", "stopped", "ended", "withdrew", "time")  # who has been told one of these must not begin again


@dataclass(frozen=True)
class Goodbye:
    """reason: as in the protocol's ``done``; text: a sentence. receipt: what the page is to hand on to the study."""

    reason: str
    text: str
    receipt: str | None = None

    @classmethod
    def because(cls, reason: str, text: str | None = None, receipt: str | None = None) -> "Goodbye":
        """With the sentence that goes with the reason, if there is no better one."""
        return cls(reason, text or TEXTS.get(reason, FAILED), receipt)

    def say(self, connection: Connection) -> None:
        """Tell it, and close."""
        try:
            if self.receipt is not None:
                connection.outbox.put_message({"receipt": self.receipt})
            connection.outbox.put_message({"done": {"reason": self.reason, "text": self.text}})
        except Overfull:
            logger.info("the last message did not fit any more")
        connection.outbox.close(CLOSE_CODES.get(self.reason, 1000), self.reason)
