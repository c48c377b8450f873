"""Which action is applied at a tick, given what a participant pressed and let go of since the last one.

An input is in force while it is held, and for at least ``lifespan`` ticks: letting go earlier does not cut it short,
so that a tap between two ticks reaches the environment, but the next input does. Everything in force combines as the
table says (up and right are upright); what does not combine gives way to what was pressed last.

In turn mode nothing is in force: every press is one turn, in the order of the presses, however long it is held.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hippogym.core.actions import ActionTable, Choice
from hippogym.core.env_facts import Value

Origin = Literal["held", "buffered", "default"]

MOST_HELD = 32  # more than hands can hold; what is beyond comes from no person
MOST_TURNS = 8


@dataclass(frozen=True)
class Applied:
    """The action of one tick.

    origin: ``held`` (its newest input is held now), ``buffered`` (it was let go of, or waited for its turn) or
    ``default``. age_ticks: ticks since its newest input, 0 at the first tick after it. seq: number of that input,
    None for the default. name: several joined by ``&`` where several inputs were mixed into one value.
    """

    name: str
    value: Value
    origin: Origin
    age_ticks: int
    seq: int | None


@dataclass
class _Input:
    """source: what holds it (a key's code, a button), None where nothing does, or not any more."""

    tokens: tuple[str, ...]
    source: tuple[str, str] | None
    seq: int
    age_ticks: int = 0


class ActionBuffer:
    """lifespan: ticks, at least 1. turn: whether the environment waits for its participant.

    dropped: how many turns came while MOST_TURNS were waiting already, and were lost.
    """

    def __init__(self, table: ActionTable, lifespan: int, turn: bool) -> None:
        if lifespan < 1:
            raise ValueError(f"actionBufferLifespan is {lifespan}; an input lives for at least 1 tick")
        self.dropped = 0
        self._table = table
        self._lifespan = lifespan
        self._turn = turn
        self._inputs: list[_Input] = []  # oldest press first
        self._turns: deque[tuple[Choice, _Input]] = deque()
        self._last_choice: tuple[tuple[str, ...], Choice | None] = ((), None)

    @property
    def waiting(self) -> bool:
        """Whether ``next()`` would return an action; always, unless in turn mode."""
        return bool(self._turns) or not self._turn

    def press(self, source: str, name: str, seq: int) -> bool:
        """Something (a key, a button) is pressed that means the action ``name``, until ``release(source)``.

        A source that is held already and means the same goes on being held: it becomes the newest, but is no new
        input. Returns False, and does nothing, for an unknown name.
        """
        tokens = self._table.tokens_of_name(name)
        if not tokens:
            return False
        already = self._held_by(("name", source))
        if already is not None and already.tokens == tokens:
            self._inputs.remove(already)
            self._inputs.append(already)
            return True
        self.release(source)
        self._add([_Input(tokens, ("name", source), seq)])
        return True

    def release(self, source: str) -> None:
        """What ``press`` said of this source is over."""
        self._let_go(("name", source))

    def tap(self, name: str, seq: int) -> bool:
        """A press without a release, such as a click. Returns False, and does nothing, for an unknown name."""
        tokens = self._table.tokens_of_name(name)
        if tokens:
            self._add([_Input(tokens, None, seq)])
        return bool(tokens)

    def hold_codes(self, codes: Sequence[str], seq: int) -> None:
        """These keys are held now, in the order of their presses, and no others; those new among them are presses.

        Keys that are not bound to anything count as not held.
        """
        bound = [code for code in dict.fromkeys(codes) if self._table.tokens_of_code(code)][:MOST_HELD]
        for held in list(self._inputs):
            if held.source and held.source[0] == "code" and held.source[1] not in bound:
                self._let_go(held.source)
        new = [code for code in bound if self._held_by(("code", code)) is None]
        if new:
            self._add([_Input(self._table.tokens_of_code(code), ("code", code), seq) for code in new])

    def release_all(self) -> None:
        """Nothing is held any more, as when the page has lost its focus; what was pressed last lives out its span."""
        for held in list(self._inputs):
            if held.source:
                self._let_go(held.source)

    def clear(self) -> None:
        """Nothing is held, nothing lives on, no turn waits: as new, but for ``dropped``."""
        self._inputs.clear()
        self._turns.clear()

    def next(self) -> Applied | None:
        """The action of this tick; called once for each. In turn mode None until there is an input."""
        return self._next_turn() if self._turn else self._next_tick()

    def _next_turn(self) -> Applied | None:
        applied = None
        if self._turns:
            choice, pressed = self._turns.popleft()
            applied = Applied(choice.name, choice.value, "buffered", pressed.age_ticks, pressed.seq)
        for waiting in {id(pressed): pressed for _, pressed in self._turns}.values():
            waiting.age_ticks += 1
        return applied

    def _next_tick(self) -> Applied:
        self._inputs = [each for each in self._inputs if each.source or each.age_ticks < self._lifespan]
        choice = self._choose(self._inputs)
        applied = Applied(self._table.default, self._table.value_of(self._table.default), "default", 0, None)
        if choice is not None:
            cause = next(each for each in reversed(self._inputs) if not choice.used.isdisjoint(each.tokens))
            origin: Origin = "held" if cause.source else "buffered"
            applied = Applied(choice.name, choice.value, origin, cause.age_ticks, cause.seq)
        for each in self._inputs:
            each.age_ticks += 1
        return applied

    def _add(self, new: list[_Input]) -> None:
        """The next input ends the life of what is no longer held; what is held goes on, and may combine with it."""
        held = [each for each in self._inputs if each.source]
        self._inputs = [*held, *new][-MOST_HELD:]
        if self._turn:
            self._queue_turns(new)

    def _queue_turns(self, new: list[_Input]) -> None:
        """One turn for the new inputs that combine, with what was held before; one each for those that do not."""
        turns: list[tuple[Choice, _Input]] = []
        inputs = list(self._inputs)
        while new and (choice := self._choose(inputs)) is not None:
            combined = [each for each in new if not choice.used.isdisjoint(each.tokens)]
            if not combined:
                break
            turns.insert(0, (choice, combined[-1]))
            new = [each for each in new if each not in combined]
            inputs = [each for each in inputs if each not in combined]
        room = MOST_TURNS - len(self._turns)
        self._turns.extend(turns[:room])
        self.dropped += len(turns[room:])

    def _choose(self, inputs: Sequence[_Input]) -> Choice | None:
        newest_last = dict.fromkeys(token for each in reversed(inputs) for token in reversed(each.tokens))
        tokens = tuple(reversed(newest_last))
        if tokens != self._last_choice[0]:
            self._last_choice = (tokens, self._table.choose(tokens))
        return self._last_choice[1]

    def _held_by(self, source: tuple[str, str]) -> _Input | None:
        return next((each for each in self._inputs if each.source == source), None)

    def _let_go(self, source: tuple[str, str]) -> None:
        held = self._held_by(source)
        if held is not None:
            held.source = None
