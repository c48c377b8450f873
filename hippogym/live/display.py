"""What the agent wants shown beside the game: its ``display`` function, as messages of the protocol."""

from typing import Any

from hippogym.live.agent import Agent

BUDGETS = ("inputBudget", "usedInputBudget")


class Display:
    """Asks the agent, and says only what has changed."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._shown: dict[str, Any] = {}

    def changes(self) -> dict[str, Any]:
        """A message with what is new since the last one; empty where nothing is. Raises AgentError."""
        shown = self._ask()
        if shown == self._shown:
            return {}
        self._shown = shown
        return shown

    def again(self) -> dict[str, Any]:
        """Everything, for a page that has just been opened. Raises AgentError."""
        self._shown = self._ask()
        return self._shown

    def _ask(self) -> dict[str, Any]:
        if not self._agent.has_display:
            return {}
        rest: dict[str, Any] = dict(self._agent.display() or {})
        message = dict(rest.pop("wire", None) or {})
        message.update({name: rest.pop(name) for name in BUDGETS if name in rest})
        return {"display": rest, **message}
