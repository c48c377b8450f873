"""Looks at the way itself: is consent asked, can every step be reached, do ``when`` and quizzes fit the pages?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hippogym.config.nearest import did_you_mean
from hippogym.config.page_check import Page, judged
from hippogym.config.possible import can_hold
from hippogym.config.remarks import Remark, problem, warning
from hippogym.config.schema import Study
from hippogym.config.steps import GAME, details, plain_steps
from hippogym.config.study_rules import OneWay, comparisons, ways
from hippogym.config.yaml_lines import Path
from hippogym.core.study.forms import Control, Option
from hippogym.core.study.when import Comparison

Where = Callable[[Path], str]


class _Way(NamedTuple):
    """A way with everything that is known of it. conditions: those who go it; None where there are none."""

    written: OneWay
    steps: list[dict[str, Any]]
    conditions: list[str] | None
    pages: Mapping[str, Sequence[Page]]
    where: Where

    def path(self, step: Mapping[str, Any], *more: str) -> Path:
        return (*self.written.at, str(step["number"]), *more)

    def pages_of(self, step: Mapping[str, Any]) -> Sequence[Page]:
        return self.pages.get(step["page"] or "", ())


def way_remarks(study: Study, pages: Mapping[str, Sequence[Page]], where: Where) -> Iterator[Remark]:
    """where: a setting's place in the file, in words."""
    own, *others = ways(study.project)
    with_steps = {way.condition for way in others}
    rest = [name for name in study.project.conditions if name not in with_steps]
    if study.project.conditions and not rest:
        yield warning(where(own.at), "every condition has steps of its own, so nobody goes this way")
        goers: list[tuple[OneWay, list[str] | None]] = []
    else:
        goers = [(own, rest or None)]
    goers += [(way, [str(way.condition)]) for way in others]
    for written, conditions in goers:
        way = _Way(written, plain_steps(written.steps), conditions, pages, where)
        yield from _consent(way)
        yield from _reachable(way)
        yield from _whens(way)
        yield from _quizzes(way)


def _consent(way: _Way) -> Iterator[Remark]:
    """Nobody's play should be recorded before they have agreed to it."""
    first_game = next((step["number"] for step in way.steps if step["page"] == GAME), len(way.steps) + 1)
    before = [step for step in way.steps if step["number"] < first_game and step["page"]]
    consent = next((step for step in before if _asks_consent(way, step)), None)
    if consent is None:
        words = "no page before the first game speaks of consent; participants have to agree before they are recorded"
        yield warning(way.where(way.written.at), words)
    elif not any(c.required for page in way.pages_of(consent) for c in page.form.controls):
        words = f"nothing on {consent['page']} must be answered (required), so nobody has to agree to anything"
        yield warning(way.where(way.path(consent)), words)


def _asks_consent(way: _Way, step: Mapping[str, Any]) -> bool:
    texts = [step["name"], step["page"], *(page.reader.source for page in way.pages_of(step))]
    return any("consent" in text.lower() for text in texts)


def _reachable(way: _Way) -> Iterator[Remark]:
    reached: set[int] = set()
    positions = {step["name"]: index for index, step in enumerate(way.steps)}
    ahead = [0]
    while ahead:
        index = ahead.pop()
        if index in reached or index >= len(way.steps):
            continue
        reached.add(index)
        step = way.steps[index]
        if step["end"] is None or step["when"]:
            ahead.append(index + 1)
        if step["tries"] is not None and step["onFail"] in positions:
            ahead.append(positions[step["onFail"]])
    for index, step in enumerate(way.steps):
        if index not in reached:
            yield problem(way.where(way.path(step)), "nobody gets here: everybody's way ends before it")


def _whens(way: _Way) -> Iterator[Remark]:
    for step in way.steps:
        of_step = list(comparisons(way.written, step))
        by_name: dict[str, list[tuple[Comparison, Path]]] = {}
        for comparison, path in of_step:
            by_name.setdefault(comparison.name, []).append((comparison, path))
        for told in by_name.values():
            yield from _of_one_name(way, [comparison for comparison, _ in told], told[0][1])


def _of_one_name(way: _Way, together: list[Comparison], path: Path) -> Iterator[Remark]:
    name, subject, detail = together[0].name, together[0].subject, together[0].detail
    text = " and ".join(comparison.text for comparison in together)
    never = problem(way.where(path), f"{text} can never hold, so nobody is shown this step")
    if name == "condition":
        if not can_hold(together, _choice(*(way.conditions or ())), always=True):
            yield never
    elif subject == "group":
        yield from _of_group(way, together, path, never)
    elif name == "attention_failed" or _is_game(way, subject):
        low = None if detail in ("score", "reason") else "0"
        kind = "text" if detail == "reason" else "number"
        if not can_hold(together, Control(name, kind, min=low), always=name == "attention_failed"):
            yield never
    else:
        pages = way.pages_of(next(step for step in way.steps if step["name"] == subject))
        controls = [page.form.control(detail) for page in pages]
        if pages and not any(controls):
            known = [control.name for page in pages for control in page.form.controls]
            words = f"{text}: {pages[0].file} has no control called {detail}{did_you_mean(detail, known)}"
            yield problem(way.where(path), words)
        elif pages and not all(controls):
            page = next(page for page, control in zip(pages, controls, strict=True) if control is None)
            yield warning(way.where(path), f"{text}: {page.file} of the group has no control called {detail}")
        elif controls and not any(can_hold(together, control) for control in controls if control is not None):
            yield never


def _of_group(way: _Way, together: list[Comparison], path: Path, never: Remark) -> Iterator[Remark]:
    stem = together[0].detail
    groups = {page.rpartition(".")[0]: found for page, found in way.pages.items() if _is_grouped(page, found)}
    if stem not in groups:
        words = f"{together[0].text}: there is no group of pages {stem}-0, {stem}-1, …{did_you_mean(stem, groups)}"
        yield problem(way.where(path), words)
    elif not can_hold(together, _choice(*(str(arm) for arm in range(len(groups[stem])))), always=True):
        yield never


def _is_grouped(page: str, found: Sequence[Page]) -> bool:
    return bool(found) and found[0].file.rpartition("/")[2] != page


def _is_game(way: _Way, name: str) -> bool:
    return any(step["name"] == name and step["page"] == GAME for step in way.steps)


def _choice(*values: str) -> Control:
    return Control("", "radio", options=tuple(Option(value) for value in values))


def _quizzes(way: _Way) -> Iterator[Remark]:
    for step in way.steps:
        pages = way.pages_of(step)
        is_judged = any(judged(page.form) for page in pages)
        given = details(way.written.steps[str(step["number"])])
        if step["tries"] is not None and pages and not is_judged:
            words = f"nothing on {step['page']} is marked as right (data-right), so no try at it fails"
            yield warning(way.where(way.path(step, "tries")), words)
        if "onFail" in given and step["tries"] is None:
            words = "nobody fails without a number of tries; participants try until all is right"
            yield warning(way.where(way.path(step, "onFail")), words)
