"""Which keys give which action: the study says it, or the name, or the environment; else it gets a free key."""

from collections.abc import Mapping
from dataclasses import dataclass

from hippogym.core.action_names import is_noop, same_name
from hippogym.core.action_sets import ActionSet
from hippogym.core.env_facts import EnvFacts, Value
from hippogym.core.keymaps import FALLBACK_KEYS, NOOP_KEY, keys_for_name, parse_combination
from hippogym.core.known_environments import more_keys

Combination = frozenset[str]
Bindings = dict[Combination, str]


@dataclass(frozen=True)
class BoundKeys:
    """configured: from the study's ``keys``; defaults: all others that these leave standing."""

    configured: Bindings
    defaults: Bindings
    problems: list[str]


def bind_keys(actions: ActionSet, facts: EnvFacts, keys: Mapping[str, str | None] | None, default: str) -> BoundKeys:
    """The keys of every action. A combination in ``keys`` replaces whatever it gave before; without an action it is
    taken away. Combinations that a re-bound key was part of go with it.
    """
    problems: list[str] = []
    configured, removed = _read_keys(actions.names, keys or {}, problems)
    changed = set(configured) | removed
    changed_codes = {code for combination in changed if len(combination) == 1 for code in combination}
    own = _default_bindings(actions, facts, default)
    defaults = {
        combination: name
        for combination, name in own.items()
        if combination not in changed and not combination & changed_codes
    }
    taken = {code for combination in (*changed, *defaults) for code in combination}
    unwanted = {name for combination, name in own.items() if combination in removed}
    idle = {default} if is_noop(default) else set()
    served = {*configured.values(), *defaults.values(), *unwanted, *idle}
    defaults |= _give_free_keys(actions.names, served, taken, removed, problems)
    return BoundKeys(configured, defaults, problems)


def _read_keys(
    names: list[str], keys: Mapping[str, str | None], problems: list[str]
) -> tuple[Bindings, set[Combination]]:
    bindings: Bindings = {}
    removed: set[Combination] = set()
    for text, wanted in keys.items():
        codes = parse_combination(str(text))
        name = next((name for name in names if wanted is not None and same_name(name, str(wanted))), None)
        if codes is None:
            problems.append(
                f"trial.keys: {text!r} is not a key; write its code, such as ArrowUp, KeyW, Space or KeyW+KeyD"
            )
        elif wanted is None:
            removed.add(frozenset(codes))
        elif name is None:
            problems.append(f"trial.keys.{text}: there is no action {wanted!r}; there are {', '.join(names[:40])}")
        elif bindings.setdefault(frozenset(codes), name) != name:
            problems.append(f"trial.keys.{text}: this key is already {bindings[frozenset(codes)]!r}, which stays")
    return bindings, removed


def _default_bindings(actions: ActionSet, facts: EnvFacts, default: str) -> Bindings:
    bindings: Bindings = {}
    for name in actions.names:
        for combination in [frozenset({code}) for code in actions.keys.get(name, ())] or keys_for_name(name):
            bindings.setdefault(combination, name)
    for alike, more in more_keys(facts).items():
        for name in [name for name in actions.names if same_name(name, alike)][:1]:
            bindings |= {frozenset({code}): name for code in more if frozenset({code}) not in bindings}
    bound = set(bindings.values())
    values = dict(zip(actions.names, actions.values, strict=True))
    for codes, value in facts.keys_to_action or ():
        own = _name_of(values, value)
        # Several keys that together do nothing are the environment's way to treat opposites; here the newer one wins.
        if codes and own is not None and own not in bound and not (len(codes) > 1 and own == default):
            bindings.setdefault(frozenset(codes), own)
    if is_noop(default) and default not in bindings.values():
        bindings.setdefault(frozenset({NOOP_KEY}), default)
    return bindings


def _name_of(values: Mapping[str, Value], value: Value) -> str | None:
    return next((name for name, other in values.items() if other == value), None)


def _give_free_keys(
    names: list[str], served: set[str], taken: set[str], removed: set[Combination], problems: list[str]
) -> Bindings:
    """A digit or a letter for each action without a key: its own place among the digits where that is free."""
    free = [code for code in FALLBACK_KEYS if code not in taken]
    bindings: Bindings = {}
    keyless = []
    for index, name in enumerate(names):
        if name in served or any(same_name(name, other) for other in names[:index]):
            continue
        if not free:
            keyless.append(name)
            continue
        own = f"Digit{name if name.isdigit() else index}"
        if frozenset({own}) in removed:
            continue
        code = own if own in free else free[0]
        free.remove(code)
        bindings[frozenset({code})] = name
    if keyless:
        problems.append(f"no key is left for {', '.join(keyless[:20])}: give them keys in trial.keys")
    return bindings
