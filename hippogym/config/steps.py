"""The participant's way as config.yml has it: numbers, each with a file, ``game``, nothing, or a map of details."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hippogym.config.maps import At, Entry, line_like, one_of, read_map, whole_between
from hippogym.config.overrides import checked, read_overrides
from hippogym.config.values import STEP_FILE, Finding, Wrong, too_many_or_none
from hippogym.core.study.way import CONTINUE, FINAL, OUTCOMES, stem_of
from hippogym.core.study.when import read_comparison

StepValue: TypeAlias = str | None | Mapping[str, Any]
"""A file, ``game``, None for a default page, or a map of details."""

GAME = "game"
RESERVED = frozenset({*OUTCOMES, CONTINUE, FINAL, "condition", "group", "attention_failed"})
"""Names that mean something of their own in ``when`` or ``onFail``."""

ENDS = ("complete", "screenedOut", "failedCheck")
"""Outcomes to which a step may lead."""

NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,59}"
STEP_NAME = "a name of letters, digits, _ and - (not one that the study uses for something else)"


def is_step_file(file: object) -> bool:
    """Nothing that could leave the folder: no slash, no leading dot, so no .. either."""
    return isinstance(file, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,99}", file) is not None


def _is_texts(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and 0 < len(text) <= 500 for text in texts)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(NAME, value) is not None and value not in RESERVED


ENTRIES: dict[str, Entry] = {
    "page": Entry(STEP_FILE, is_step_file, True),
    "name": Entry(STEP_NAME, _is_name, True),
    "when": Entry("a comparison such as survey.age >= 18, or a list of them", _is_texts),
    "trial": Entry("settings of the trial", lambda value: True),
    "tries": whole_between(1, 1_000),
    "onFail": line_like(NAME, f"{', '.join(ENDS)}, {CONTINUE}, or the name of a step"),
    "end": one_of(*ENDS),
}


def study_steps(value: object) -> dict[str, StepValue]:
    """From "1", "2", … and "finalStep" to what the step is. Raises Wrong."""
    wrong: list[Finding] = []
    steps = read_steps(value, (), wrong, needs_final=True)
    if wrong:
        raise Wrong(wrong)
    return steps


def read_steps(value: object, at: At, wrong: list[Finding], *, needs_final: bool) -> dict[str, StepValue]:
    """The steps; what is wrong with them is added to ``wrong``. needs_final: whether finalStep must be there."""
    if not isinstance(value, Mapping):
        wrong.append(Finding(at, "a map from 1, 2, 3, … and finalStep to file names" if at else ""))
        return {}
    wrong += [Finding((*at, *f.at), f.expected, f.said) for f in too_many_or_none(value, least=0)]
    wrong += _numbering(value, at, needs_final)
    steps = {key: _read_step(key, step, (*at, key), wrong) for key, step in value.items()}
    wrong += _same_names(steps, at)
    return steps


def plain_steps(steps: Mapping[str, StepValue]) -> list[dict[str, Any]]:
    """The numbered steps in order, each with all its details; every one has a name of its own."""
    numbered = [(key, details(steps[key])) for key in sorted((k for k in steps if k != FINAL), key=int)]
    taken = {step["name"] for _, step in numbered if "name" in step}
    plain = []
    for key, step in numbered:
        name = step.get("name") or _free_name(_default_name(key, step), taken)
        taken.add(name)
        when = step.get("when", [])
        plain.append(
            {
                "number": int(key),
                "name": name,
                "page": step.get("page"),
                "end": step.get("end"),
                "when": [when] if isinstance(when, str) else list(when),
                "trial": checked(step.get("trial", {})),
                "tries": step.get("tries"),
                "onFail": step.get("onFail", "failedCheck"),
            }
        )
    return plain


def final_page(steps: Mapping[str, StepValue]) -> str | None:
    """The file of finalStep; None where there is none. A game cannot be what is shown for ever."""
    page = page_of(steps.get(FINAL))
    return None if page == GAME else page


def details(step: StepValue) -> dict[str, Any]:
    """The step as a map, however it is written."""
    return dict(step) if isinstance(step, Mapping) else {} if step is None else {"page": step}


def page_of(step: StepValue) -> str | None:
    """The file or ``game``; None for a default page."""
    page: str | None = details(step).get("page")
    return page


def _numbering(steps: Mapping[str, Any], at: At, needs_final: bool) -> Iterator[Finding]:
    for key in steps:
        if not _is_number(key) and key != FINAL:
            yield Finding((*at, key), said="expected a step's number from 1, or finalStep")
    numbers = {int(key) for key in steps if _is_number(key)}
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - numbers)
    if missing:
        yield Finding(at, said=f"step {missing[0]} is missing; steps are numbered from 1 without gaps")
    if needs_final and numbers and FINAL not in steps:
        yield Finding(at, said="finalStep is missing; where there are steps it says what comes last")


def _is_number(key: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,3}", key) is not None


def _read_step(key: str, step: object, at: At, wrong: list[Finding]) -> StepValue:
    if not isinstance(step, Mapping):
        if step is not None and not is_step_file(step):
            wrong.append(Finding(at, STEP_FILE, is_text=True))
            return None
        return step if isinstance(step, str) else None
    allowed = {"page": ENTRIES["page"]} if key == FINAL else ENTRIES
    found = read_map(step, at, allowed, wrong)
    if "trial" in found:
        found["trial"] = read_overrides(found["trial"], (*at, "trial"), wrong)
    wrong += _out_of_place(found, at)
    wrong += _unreadable(found, at)
    return found


def _out_of_place(step: Mapping[str, Any], at: At) -> Iterator[Finding]:
    """Details that say nothing about a step of this kind."""
    is_game, is_end = step.get("page") == GAME, "end" in step
    if is_end and "page" in step:
        yield Finding((*at, "end"), said="a step is a page or an end, not both")
    for name in step:
        if name == "trial" and not is_game:
            yield Finding((*at, name), said="only a game has settings of the trial")
        if name in ("tries", "onFail") and (is_game or is_end or step.get("page") is None):
            yield Finding((*at, name), said="only a page with questions can be answered wrong")


def _unreadable(step: Mapping[str, Any], at: At) -> Iterator[Finding]:
    """Comparisons that cannot be read, each with what is wrong with it."""
    when = step.get("when", [])
    for position, text in enumerate([when] if isinstance(when, str) else when):
        try:
            read_comparison(text)
        except ValueError as error:
            here = (*at, "when") if isinstance(when, str) else (*at, "when", str(position))
            yield Finding(here, said=f"{text!r:.80}: {error}")


def _same_names(steps: Mapping[str, StepValue], at: At) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for key, step in steps.items():
        name = details(step).get("name")
        if name is not None and (earlier := first.setdefault(name, key)) != key:
            yield Finding((*at, key, "name"), said=f"{name!r} is the name of step {earlier} already")


def _default_name(key: str, step: Mapping[str, Any]) -> str:
    page = step.get("page")
    if page is None:
        return f"{'end' if 'end' in step else 'page'}-{key}"
    stem = re.sub(r"[^A-Za-z0-9_-]", "-", stem_of(page))[:50]
    return f"{stem}-page" if stem in RESERVED else stem


def _free_name(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(numbered for n in range(2, len(taken) + 3) if (numbered := f"{name}-{n}") not in taken)
