"""A trial's process: what it does before there is a trial to run, and after it."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hippogym.core.actions import ActionTable, build_action_table
from hippogym.errors import AgentError, RecordError
from hippogym.live.agent import Agent, load_agent
from hippogym.live.channel import Channel, ServerGone
from hippogym.live.spaces import read_spaces
from hippogym.live.trial_spec import NOBODY
from hippogym.live.worker import settle_in
from hippogym.logs import start_logging, trial_label

logger = logging.getLogger("trial")


class RunningTrial(Protocol):
    """The trial (trial.py). reason: why it is over. closed: its record is, with everything in it."""

    reason: str | None
    closed: bool

    def run(self) -> None:
        """Play until it is over. Raises AgentError, RecordError."""
        ...

    def summary(self) -> dict[str, Any]:
        """What the server is told at the end."""
        ...


Begin = Callable[[Agent, ActionTable, Channel, dict[str, Any]], RunningTrial]


def run_trial(sock: socket.socket, spec: dict[str, Any], begin: Begin) -> None:
    """What a trial's process does, from its start to its end. begin: makes the trial, once its agent is there."""
    settle_in()
    start_logging(plain=spec["dev"])
    trial_label.set(spec["trial"])
    channel = Channel(sock)
    agent: Agent | None = None
    trial: RunningTrial | None = None
    reason = "failed"
    try:
        agent, table = prepare(channel, spec)
        trial = begin(agent, table, channel, spec_with_header(spec, agent, table))
        trial.run()
        reason = trial.reason or reason
    except AgentError as problem:
        logger.error("%s", problem, exc_info=problem.__cause__ or problem)
    except RecordError as problem:
        logger.error("the record could not be written: %s", problem)
    except ServerGone:
        return  # nobody is left to tell; the record is closed
    say_how_it_ended(channel, trial, reason)
    if trial is not None and agent is not None:
        close_agent(agent)


def prepare(channel: Channel, spec: dict[str, Any]) -> tuple[Agent, ActionTable]:
    """Load the agent, start its environment, find out what its actions are. Raises AgentError."""
    settings = spec["settings"]
    channel.send_note(busy="start")
    agent = load_agent(Path(spec["study"]) / "agent.py")
    about = spec.get("about", NOBODY)
    agent.meet({**{name: about[name] for name in ("condition", "parameters", "step")}, "trial": spec["trial"]})
    agent.start(settings["game"])
    try:
        table = build_action_table(agent.facts(), settings["actionSpace"], settings["keys"], settings["defaultAction"])
    except ValueError as problem:
        raise AgentError("start", f"The actions of {settings['game']} cannot be named: {problem}") from problem
    ready = {"actions": list(table.names), "problems": list(table.problems), "default": table.default}
    channel.send_note(busy=None, ready=ready)
    return agent, table


def spec_with_header(spec: dict[str, Any], agent: Agent, table: ActionTable) -> dict[str, Any]:
    """The trial's description, with all that its record says at the beginning of each episode."""
    actions = {"names": list(table.names), "values": list(table.values), "default": table.default}
    about = {"trial": spec["trial"], "participant": spec["participant"]}
    return {**spec, "header": {**spec["header"], **about, "actions": actions, "spaces": read_spaces(agent.env)}}


def say_how_it_ended(channel: Channel, trial: RunningTrial | None, reason: str) -> None:
    """The last note to the server."""
    ended: dict[str, Any] = {"reason": reason, "closed": trial is None or trial.closed}
    if trial is not None:
        ended |= trial.summary()
    try:
        channel.send_note(ended=ended)
    except ServerGone:
        return


def close_agent(agent: Agent) -> None:
    """The record is closed and the participant told: an error here is the researcher's to see, nobody else's."""
    try:
        agent.close()
    except AgentError as problem:
        logger.error("%s", problem, exc_info=problem.__cause__ or problem)


def look_at_agent(sock: socket.socket, spec: dict[str, Any]) -> None:
    """Before anything listens: does agent.py load, and has it what it needs?"""
    settle_in()
    channel = Channel(sock)
    try:
        load_agent(Path(spec["study"]) / "agent.py")
        channel.send_note(ended={"problem": None})
    except AgentError as problem:
        channel.send_note(ended={"problem": str(problem)})
