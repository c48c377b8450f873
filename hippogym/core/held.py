"""Turns what a client says about keys and buttons into presses and releases.

A v2 client says everything that is held; a v1 client says which key went down or up. Both end in the same buffer.
"""

from hippogym.core.action_buffer import ActionBuffer
from hippogym.core.action_names import is_noop
from hippogym.core.actions import ActionTable
from hippogym.core.messages import Action, Keys

Refusal = tuple[str, str, str, str]  # code, field, expected, got


class HeldInputs:
    """Knows which on-screen controls are held, and tells the buffer what changes."""

    def __init__(self, buffer: ActionBuffer, table: ActionTable) -> None:
        self._buffer = buffer
        self._table = table
        self._controls: set[str] = set()

    def take(self, message: Keys | Action, seq: int) -> Refusal | None:
        """Handle one message. Returns why it means nothing, if so; what it names wrongly changes nothing."""
        if isinstance(message, Keys):
            return self._take_keys(message, seq)
        return self._take_action(message, seq)

    def release_all(self) -> None:
        """Nothing is held any more: the participant has paused or is gone."""
        self._controls.clear()
        self._buffer.release_all()

    def _take_keys(self, message: Keys, seq: int) -> Refusal | None:
        if any(self._table.lookup(name) is None for name in message.controls):
            return _unknown("controls")
        for name in self._controls.difference(message.controls):
            self._buffer.release(f"control {name}")
        for name in message.controls:
            if name not in self._controls:
                self._buffer.press(f"control {name}", name, seq)
        self._controls = set(message.controls)
        self._buffer.hold_codes(message.codes, seq)
        return None

    def _take_action(self, message: Action, seq: int) -> Refusal | None:
        if message.key is None:
            return None if self._buffer.tap(message.name, seq) else _unknown("action")
        if is_noop(message.name):
            self._buffer.release(f"key {message.key}")
            return None
        return None if self._buffer.press(f"key {message.key}", message.name, seq) else _unknown("action")


def _unknown(field: str) -> Refusal:
    return ("unknown_action", field, "an action of this environment", "another name")
