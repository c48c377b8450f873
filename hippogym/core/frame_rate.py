"""The frame rate and who may change it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Refusal = tuple[str, str, str, str]  # code, field, expected, got


@dataclass
class FrameRate:
    """Frames per second, its inclusive bounds, and the size of a step; ``allowed``: participants may change it."""

    rate: float
    least: float
    most: float
    step: float
    allowed: bool

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "FrameRate":
        """From the ``trial`` section of the study."""
        return cls(
            rate=float(settings["startingFrameRate"]),
            least=float(settings["minFrameRate"]),
            most=float(settings["maxFrameRate"]),
            step=float(settings["frameRateStepSize"]),
            allowed=bool(settings["allowFrameRateChange"]),
        )

    def change(self, wanted: str | float) -> Refusal | None:
        """``faster``, ``slower`` or a number. Returns why not, or None when it is done.

        A step that would cross a bound goes as far as the bound; a number outside is refused.
        """
        if not self.allowed:
            return ("not_allowed", "changeFrameRate", "nothing: this study keeps its frame rate", "a change")
        if wanted == "faster":
            new = min(self.rate + self.step, self.most)
        elif wanted == "slower":
            new = max(self.rate - self.step, self.least)
        else:
            new = float(wanted)
        if new == self.rate and isinstance(wanted, str) or not self.least <= new <= self.most:
            return ("out_of_range", "changeFrameRate", f"{self.least:g} to {self.most:g}", "outside")
        self.rate = new
        return None

    def as_wire(self) -> dict[str, Any]:
        """What a client is told."""
        return {
            "rate": self.rate,
            "min": self.least,
            "max": self.most,
            "step": self.step,
            "allowed": self.allowed,
        }
