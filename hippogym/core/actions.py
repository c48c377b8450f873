"""The actions of a study: their names, the values behind them, the keys that give them, and which one is meant.

Holding keys, pressing buttons on the screen and sending names are one thing here: everything held is turned into
*tokens* (``up``, ``right``), and the tokens are turned into one action (``upright``). So W and the right arrow, or a
touched ``fire`` and a held key, combine like two arrows do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hippogym.core.action_mixing import Mixing
from hippogym.core.action_names import atoms_of, is_noop, same_name, squash
from hippogym.core.action_sets import ActionSet, describe, name_actions
from hippogym.core.env_facts import EnvFacts, Value
from hippogym.core.key_bindings import BoundKeys, Combination, bind_keys
from hippogym.core.keymaps import sort_codes

__all__ = ["ActionTable", "Choice", "EnvFacts", "Value", "build_action_table", "is_noop"]

Tokens = frozenset[str]


@dataclass(frozen=True)
class Choice:
    """What a set of tokens means. name: one of the table's, or several joined by ``&`` where values were mixed.

    used: the tokens that it came from; the others had to give way.
    """

    name: str
    value: Value
    used: Tokens


@dataclass(frozen=True)
class ActionTable:
    """names and values go together; a value is what the environment takes, as int, float, str or tuples of them.

    default: the name used when nothing is pressed. bindings: keys held together, and the action they give.
    problems: sentences for the researcher about what looks wrong but does not prevent playing.
    """

    names: tuple[str, ...]
    values: tuple[Value, ...]
    default: str
    bindings: tuple[tuple[Combination, str], ...]
    problems: tuple[str, ...] = ()
    mixing: Mixing = field(default_factory=Mixing)

    def lookup(self, name: str) -> str | None:
        """The table's name for a name however it is spelt; ``noop`` is the default where there is none."""
        exact = self._by_spelling.get(squash(name))
        if exact is not None:
            return exact
        atoms = atoms_of(name)
        if atoms:
            return next((own for own in self.names if atoms_of(own) == atoms), None)
        return self.default if is_noop(name) else None

    def value_of(self, name: str) -> Value:
        """The value of one of the table's names; KeyError for any other."""
        return self._values[name]

    def resolve(self, codes: Sequence[str]) -> str:
        """The name of what these keys mean, held together and pressed in this order.

        The largest combination that contains the newest key; a key without a meaning counts as not pressed. Keys that
        do not combine (left and right, or two directions where there is no diagonal): the newest wins.
        """
        return self._name_of_choice([token for code in codes for token in self.tokens_of_code(code)])

    def resolve_names(self, names: Sequence[str]) -> str:
        """As resolve, for actions held by name: ``up`` and ``right`` are ``upright`` where there is such an action."""
        return self._name_of_choice([token for name in names for token in self.tokens_of_name(name)])

    def tokens_of_code(self, code: str) -> tuple[str, ...]:
        """What a held key contributes to a choice; nothing for a key that is not bound."""
        return self._code_tokens.get(code, ())

    def tokens_of_name(self, name: str) -> tuple[str, ...]:
        """What an action held by name contributes to a choice; nothing for an unknown name."""
        own = self.lookup(name)
        return self._expand(own) if own is not None else ()

    def choose(self, tokens: Sequence[str]) -> Choice | None:
        """The action that tokens mean, given in the order in which they were pressed; None if they mean nothing."""
        rank = {token: place for place, token in enumerate(tokens)}
        picks: list[tuple[str, Tokens]] = []
        while pick := self._pick(rank):
            picks.append(pick)
            rank = {token: place for token, place in rank.items() if token not in pick[1]}
            if self.mixing.kind == "none":
                break
        return self._mix(picks) if picks else None

    def legend(self) -> list[dict[str, str | list[list[str]]]]:
        """Each action with its keys: ``[{"action": "upright", "keys": [["ArrowUp", "ArrowRight"], …]}, …]``."""
        return [
            {"action": name, "keys": [list(sort_codes(codes)) for codes, bound in self.bindings if bound == name]}
            for name in self.names
        ]

    def _name_of_choice(self, tokens: Sequence[str]) -> str:
        choice = self.choose(tokens)
        return choice.name if choice else self.default

    def _pick(self, rank: Mapping[str, int]) -> tuple[str, Tokens] | None:
        """The largest meaningful set of tokens with the newest one that has a meaning; of equals, the newer ones."""
        possible = [(tokens, name) for tokens, name in self._meanings.items() if tokens <= rank.keys()]
        for newest in sorted(rank, key=lambda token: rank[token], reverse=True):
            with_newest = [(tokens, name) for tokens, name in possible if newest in tokens]
            if with_newest:
                tokens, name = max(with_newest, key=lambda found: (len(found[0]), _recency(found[0], rank)))
                return name, tokens
        return None

    def _mix(self, picks: list[tuple[str, Tokens]]) -> Choice:
        """One pick stands for itself; several, newest first, become one value."""
        if len(picks) == 1:
            return Choice(picks[0][0], self._values[picks[0][0]], picks[0][1])
        value, contributed = self.mixing.mix([self._values[name] for name, _ in picks])
        kept = [picks[index] for index in contributed] or picks[:1]
        names = sorted((name for name, _ in kept), key=self.names.index)
        return Choice("&".join(names), value, frozenset().union(*(tokens for _, tokens in kept)))

    def _expand(self, name: str) -> tuple[str, ...]:
        """``upright`` as ``up`` and ``right`` where both are actions, so that it combines with what else is held."""
        atoms = sorted(atoms_of(name), key=("up", "down", "left", "right", "fire").index)
        parts = tuple(self._by_atom.get(atom, "") for atom in atoms)
        return parts if len(parts) > 1 and all(parts) else (name,)

    @cached_property
    def _values(self) -> dict[str, Value]:
        return dict(zip(reversed(self.names), reversed(self.values), strict=True))

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        return {squash(name): next(first for first in self.names if same_name(first, name)) for name in self.names}

    @cached_property
    def _by_atom(self) -> dict[str, str]:
        single = {name: atoms_of(name) for name in reversed(self.names)}
        return {atom: name for name, atoms in single.items() if len(atoms) == 1 for atom in atoms}

    @cached_property
    def _code_tokens(self) -> dict[str, tuple[str, ...]]:
        """A key with an action of its own stands for that action; one that only combines stands for itself."""
        own = {code: self._expand(name) for codes, name in self.bindings if len(codes) == 1 for code in codes}
        return {code: own.get(code, (f"key:{code}",)) for codes, _ in self.bindings for code in codes}

    @cached_property
    def _meanings(self) -> dict[Tokens, str]:
        meanings: dict[Tokens, str] = {}
        for codes, name in self.bindings:
            meanings.setdefault(self.tokens_of_combination(codes), name)
        for name in self.names:
            meanings.setdefault(frozenset(self._expand(name)), name)
        return meanings

    def tokens_of_combination(self, codes: Iterable[str]) -> Tokens:
        """What keys held together contribute, whatever their order."""
        return frozenset(token for code in codes for token in self.tokens_of_code(code))


def _recency(tokens: Tokens, rank: Mapping[str, int]) -> list[int]:
    return sorted((rank[token] for token in tokens), reverse=True)


def build_action_table(
    facts: EnvFacts,
    action_space: Sequence[str] | Mapping[str, Value] | None = None,
    keys: Mapping[str, str | None] | None = None,
    default_action: str | None = None,
) -> ActionTable:
    """The table for an environment and what the study says about it.

    action_space: names in the environment's order, or a map from name to value, or None: ask the environment.
    keys: from a combination of keys (``ArrowUp+ArrowRight``, also ``w+d``) to an action's name, or to None to take
        the keys away; every other key keeps what it gives by itself.
    default_action: the name used when nothing is pressed, or None: the one that does nothing, else the first one.

    Raises ValueError with a sentence where it cannot be played like this.
    """
    actions = name_actions(facts, action_space)
    default = _choose_default(actions, facts, default_action)
    bound = bind_keys(actions, facts, keys, default)
    names, values = tuple(actions.names), tuple(actions.values)
    draft = ActionTable(names, values, default, _bindings(bound.configured, bound.defaults), mixing=actions.mixing)
    bindings, clashes = _without_clashes(draft, bound)
    return ActionTable(names, values, default, bindings, (*actions.problems, *bound.problems, *clashes), actions.mixing)


def _choose_default(actions: ActionSet, facts: EnvFacts, wanted: str | None) -> str:
    if wanted is not None:
        found = next((name for name in actions.names if same_name(name, wanted)), None)
        if found is None:
            raise ValueError(
                f"trial.defaultAction: there is no action {wanted!r}; there are {', '.join(actions.names[:40])}"
            )
        return found
    idle = next((name for name in actions.names if is_noop(name)), None)
    if idle is not None:
        return idle
    if actions.neutral is not None:
        same = next((n for n, v in zip(actions.names, actions.values, strict=True) if v == actions.neutral), None)
        return same if same is not None else _add_noop(actions, actions.neutral)
    if actions.complete or not facts.space or facts.space["type"] != "Discrete":
        return actions.names[0]
    first = facts.space.get("start", 0)
    actions.problems.append(
        f"when nothing is pressed, {describe(facts)} gets {first}: name the action that does nothing noop, "
        "or choose one with trial.defaultAction"
    )
    return _add_noop(actions, first) if first not in actions.values else actions.names[actions.values.index(first)]


def _add_noop(actions: ActionSet, value: Value) -> str:
    if actions.complete:
        return actions.names[0]
    actions.names.append("noop")
    actions.values.append(value)
    return "noop"


def _bindings(*parts: Mapping[Combination, str]) -> tuple[tuple[Combination, str], ...]:
    return tuple(binding for part in parts for binding in part.items())


def _without_clashes(draft: ActionTable, bound: BoundKeys) -> tuple[tuple[tuple[Combination, str], ...], list[str]]:
    """What the study binds comes first; a default that would mean the same keys falls away, another one is told."""
    meanings: dict[Tokens, str] = {}
    kept, clashes = [], []
    for codes, name in draft.bindings:
        tokens = draft.tokens_of_combination(codes)
        if meanings.setdefault(tokens, name) == name:
            kept.append((codes, name))
        elif codes in bound.configured:
            clashes.append(
                f"trial.keys: {'+'.join(sort_codes(codes))} is pressed for {name!r}, but its keys together already "
                f"mean {meanings[tokens]!r}, which stays"
            )
    return tuple(kept), clashes
