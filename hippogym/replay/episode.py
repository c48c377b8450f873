"""Re-executes what a record says was done, with the study's agent, and holds every answer against the recorded one.

The agent's functions are called as the trial called them, in the same order and as often: messages, reset or step,
render where there was a frame, display.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from hippogym.core.plain import plainify
from hippogym.core.record_format import HIPPO_KEY, encode_entry
from hippogym.data.manifest import json_safe
from hippogym.data.safe_pickle import load
from hippogym.data.summary import COMMON
from hippogym.errors import AgentError
from hippogym.live.agent import Agent
from hippogym.live.frames import encode_jpeg
from hippogym.replay.outcome import MISSING, Outcome

OnFrame = Callable[[int | None, int, tuple[int, int], bytes], None]  # episode, tick, (width, height), JPEG
Entry = dict[Any, Any]
DEFAULT_QUALITY = 80
_REFUSED = {"error", "code"}


class Replayer:
    """Takes the entries of a trial in order. ``finished`` holds the outcome of each episode that is over.

    on_frame (may be set anew between records): is given every picture.
    """

    def __init__(self, agent: Agent, on_frame: OnFrame | None = None) -> None:
        self.finished: list[Outcome] = []
        self.agent_is_lost = ""  # why the agent cannot go on, once it has raised
        self._agent = agent
        self.on_frame = on_frame
        self._now: Outcome | None = None
        self._tick = 0
        self._score = 0.0
        self._quality: int | None = None

    def take(self, source: str, entry: Entry) -> None:
        """The next entry of a record. Never raises for what the record says or the agent does."""
        ours = entry.get(HIPPO_KEY)
        if type(ours) is not dict:
            self._begin(source, None, {}) if self._now is None else None
            self.give_up("it holds no seeds and no applied actions: a record of the first HIPPO Gym")
            return
        kind = ours.get("kind")
        if kind == "reset":
            self.end_episode()
            header = {name: value for name, value in ours.items() if name not in COMMON}
            self._begin(source, ours.get("episode"), header)
        elif self._now is None:
            self._begin(source, ours.get("episode"), {})
            self.give_up("its beginning is missing")
        try:
            self._do(str(kind), ours, entry)
        except AgentError as problem:
            self._raised(problem, ours)
        if kind == "end":
            self.end_episode()

    def give_up(self, why: str) -> None:
        """No more of this episode can be replayed."""
        if self._now is not None and not self._now.gap:
            self._now.gap = why

    def end_episode(self) -> None:
        """Its record is over."""
        if self._now is not None:
            self.finished.append(self._now)
            self._now = None

    def _begin(self, source: str, number: object, header: Entry) -> None:
        told = {str(name): value for name, value in header.items() if name in ("versions", "agent_sha256", "game")}
        self._now = Outcome(source, number if type(number) is int else None, header=json_safe(told))
        self._tick, self._score = 0, 0.0
        quality = header.get("jpeg_quality")
        self._quality = quality if type(quality) is int and 1 <= quality <= 100 else None
        if self.agent_is_lost:
            self.give_up(self.agent_is_lost)

    def _do(self, kind: str, ours: Entry, entry: Entry) -> None:
        """One entry, once more. Raises AgentError."""
        now = self._now
        if now is None or now.gap:
            return
        self._give_messages(ours)
        if kind == "reset":
            self._reset(now, ours, entry)
        elif kind == "tick":
            self._step(now, ours, entry)
        elif kind == "end" and not now.gap and "return" in ours:
            now.compare("return", self._tick, ours["return"], self._score)

    def _give_messages(self, ours: Entry) -> None:
        """To the agent, as the trial did, except those that the trial could not read either."""
        if not self._agent.has_message:
            return
        given = ours.get("inputs")
        for one in given if type(given) is list else ():
            message = one.get("message") if type(one) is dict else None
            if type(message) is dict and message.keys() != _REFUSED:
                self._agent.message(dict(message))

    def _reset(self, now: Outcome, ours: Entry, entry: Entry) -> None:
        seed = ours.get("seed")
        result = self._agent.reset(seed if type(seed) is int else None)
        now.compare("seed_used", 0, ours.get("seed_used", MISSING), result.seed_used)
        self._compare(now, {"observation": result.observation, "info": result.info}, ours, entry)

    def _step(self, now: Outcome, ours: Entry, entry: Entry) -> None:
        applied = ours.get("action")
        if type(applied) is not dict or "value" not in applied:
            self.give_up(f"tick {self._tick + 1} does not say which action was applied")
            return
        if ours.get("tick") != self._tick + 1:
            self.give_up(f"what follows tick {self._tick} is missing")
            return
        self._tick += 1
        result = self._agent.step(applied["value"])
        self._score += result.reward or 0.0
        if result.action_reported is not None or "reported_action" in ours:
            reported = _as_read({"value": result.action_reported})["value"]
            now.compare("reported_action", self._tick, ours.get("reported_action", MISSING), reported)
        self._compare(now, result.record, ours, entry)
        now.ticks += 1

    def _compare(self, now: Outcome, record: dict[str, Any], ours: Entry, entry: Entry) -> None:
        replayed = _as_read(record)
        for name in dict.fromkeys((*replayed, *_of_the_agent(entry, ours))):
            now.compare(str(name), self._tick, entry.get(name, MISSING), replayed.get(name, MISSING))
        self._look(now, ours.get("frame"))
        if self._agent.has_display:
            self._agent.display()

    def _look(self, now: Outcome, frame: object) -> None:
        """Render where the trial did, and only there, as that may change the game; compare the picture."""
        if type(frame) is not dict:
            now.unencoded += 1
            return
        pixels = self._agent.render()
        size = (pixels.shape[1], pixels.shape[0])
        image = b""
        if self._quality is not None or self.on_frame is not None:
            image = encode_jpeg(pixels, self._quality or DEFAULT_QUALITY)
        if self._quality is None:
            now.missing = "it does not say how its frames were made, so they were not compared"
        else:
            seen = {"width": size[0], "height": size[1], "bytes": len(image), "sha256": sha256(image).hexdigest()}
            now.compare("frame", self._tick, {name: frame.get(name, MISSING) for name in seen}, seen)
            now.frames += 1
        if self.on_frame is not None:
            self.on_frame(now.number, self._tick, size, image)

    def _raised(self, problem: AgentError, ours: Entry) -> None:
        """The agent raised: as it did then, or not."""
        now = self._now
        assert now is not None
        as_then = ours.get("kind") == "end" and (ours.get("reason"), ours.get("hook")) == ("agent_error", problem.hook)
        if not as_then:
            now.raised(self._tick, problem.hook, f"the record goes on, but the replay does not: {problem}")
        self.agent_is_lost = "the agent raised before"
        self.give_up("" if as_then else f"the agent raised at tick {self._tick}")


def _as_read(record: dict[str, Any]) -> dict[Any, Any]:
    """The agent's answer as it would come back from a record."""
    value, _ = load(encode_entry(plainify(record, {}), 0), trailer=True)
    plain: dict[Any, Any] = value
    return plain


def _of_the_agent(entry: Entry, ours: Entry) -> list[Any]:
    """The names at the top level that no client's field explains."""
    given = ours.get("inputs")
    messages = [one.get("message") for one in given if type(one) is dict] if type(given) is list else []
    fields = {name for message in messages if type(message) is dict for name in message}
    return [name for name in entry if name not in fields and name != HIPPO_KEY]
