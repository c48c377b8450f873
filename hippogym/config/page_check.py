"""Looks at one page of StepFiles: would every answer be kept, is everything labelled, does its quiz make sense?"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hippogym.config.remarks import Remark, problem, warning
from hippogym.core.study.forms import Control, Form, as_number, read_form
from hippogym.core.study.page_reader import Field, PageReader

OURS = "hippogym-stamp"
"""A control of that name belongs to the page around the form."""

_GROUPS = ("radio", "checkbox")
_CHOICES = (*_GROUPS, "select", "select-multiple")
_NEVER_JUDGED = ("file", "hidden")


class Page(NamedTuple):
    """A page as it was read. file: StepFiles/quiz.html. is_last: whether nothing on it can be answered."""

    file: str
    form: Form
    reader: PageReader
    is_last: bool
    scripts: bool

    def line(self, line: int) -> str:
        """Where something is, in words."""
        return f"{self.file}, line {line}"


def read_page(file: str, html: str, *, is_last: bool, scripts: bool) -> Page:
    """is_last: whether it is shown at the end. scripts: whether the study runs the pages' scripts."""
    return Page(file, read_form(html), PageReader(html), is_last, scripts)


def page_remarks(page: Page) -> Iterator[Remark]:
    """Everything there is to say about a page by itself."""
    if page.is_last and page.form.controls:
        first = page.form.controls[0]
        yield warning(page.line(first.line), f"{first.name}: nothing is kept of what is entered on a last page")
    yield from _names(page)
    yield from _labels(page)
    for control in page.form.controls:
        yield from _quiz(page, control)
    yield from _left_out(page)


def _names(page: Page) -> Iterator[Remark]:
    first: dict[str, Field] = {}
    boxes: set[tuple[str, str]] = set()
    for field in page.form.fields:
        where = page.line(field.line)
        if not field.name:
            if not field.disabled:
                yield problem(where, f"a control ({field.kind}) without a name; its answer would not be kept")
            continue
        if field.name == OURS:
            yield problem(where, f"the name {OURS} is taken; call it something else")
        earlier = first.setdefault(field.name, field)
        if earlier is not field and (field.kind not in _GROUPS or earlier.kind != field.kind):
            words = f"the name {field.name} is taken (line {earlier.line}); only one of the answers would be kept"
            yield problem(where, words)
        value = field.attributes.get("value", "on")
        if field.kind in _GROUPS:
            if (field.name, value) in boxes:
                yield problem(where, f"{field.name} has two choices with the value {value!r}; give each its own")
            boxes.add((field.name, value))


def _labels(page: Page) -> Iterator[Remark]:
    grouped: dict[str, list[Field]] = {}
    for field in page.form.fields:
        if field.kind != "hidden" and not field.label:
            what = field.name or field.kind
            words = f"{what} has no label (<label>, or aria-label); nobody can tell what to answer by ear"
            yield problem(page.line(field.line), words)
        if field.kind in _GROUPS and field.name:
            grouped.setdefault(field.name, []).append(field)
    for name, fields in grouped.items():
        if len(fields) > 1 and not fields[0].group_label:
            words = f"the choices of {name} have no question of their own (<fieldset> with a <legend>)"
            yield warning(page.line(fields[0].line), words)


def _quiz(page: Page, control: Control) -> Iterator[Remark]:
    where, name = page.line(control.line), control.name
    fields = [field for field in page.form.fields if field.name == name]
    if any(choice.right and choice.disabled for field in fields for choice in field.options):
        yield problem(where, f"{name}: a choice that is marked as right is disabled, so nobody can choose it")
    if control.right is None:
        if any(field.right is not None for field in fields):
            yield problem(where, f"{name}: {_why_not_judged(control)}")
        elif control.attention:
            yield problem(where, f"{name} has data-attention, but nothing says what is right (data-right)")
        elif control.hint or any(option.hint for option in control.options):
            yield warning(where, f"{name} has data-hint, but nothing says what is right (data-right)")
        return
    if control.kind in _NEVER_JUDGED:
        yield problem(where, f"{name}: a {control.kind} control cannot be answered right")
    if control.kind in ("radio", "select") and all(option.right for option in control.options):
        yield problem(where, f"{name}: every choice is marked as right")
    if control.kind in ("number", "range") and any(as_number(text) is None for text in control.right):
        yield problem(where, f"{name}: data-right is no number, and only numbers can be entered")
    if _needs_a_step(control, fields[0]):
        yield problem(where, f'{name}: only whole numbers can be entered here, unless the control has step="any"')
    if control.kind in _CHOICES and any(f.right not in (None, "", "true", "false", "data-right") for f in fields):
        yield problem(where, f"{name}: data-right stands on the right choice itself, without a value")
    if control.kind not in _CHOICES and not control.right:
        yield problem(where, f"{name}: data-right is empty; write the right answers, with | between them")
    elif control.kind not in _NEVER_JUDGED and not _can_be_right(control):
        yield problem(where, f"{name}: what is marked as right cannot be answered on this page, so nobody can pass")
    if not control.attention and not control.required and control.kind != "checkbox":
        words = f"{name} is not required, so leaving it empty counts as a wrong try"
        yield warning(where, words)


def _can_be_right(control: Control) -> bool:
    """Whether the page lets a right answer through."""
    right = control.right or ()
    whole: list[list[str] | bool] = [list(right)] if control.multiple else [bool(right)]
    answers = whole if control.multiple or control.kind == "checkbox" else right
    return any(not Form((control,)).check({control.name: answer}) for answer in answers)


def _needs_a_step(control: Control, field: Field) -> bool:
    """Browsers take whole numbers only, where nothing else is said."""
    numbers = [number for text in control.right or () if (number := as_number(text)) is not None]
    in_steps = control.kind in ("number", "range") and "step" not in field.attributes and control.min is None
    return in_steps and bool(numbers) and not any(number.is_integer() for number in numbers)


def _why_not_judged(control: Control) -> str:
    if control.kind in ("select", "select-multiple"):
        return "data-right stands on the right <option>, not on the <select>"
    if control.kind in _GROUPS:
        return 'data-right="false" says something only on a box that is alone under its name'
    return "data-right is empty; write the right answers, with | between them"


def _left_out(page: Page) -> Iterator[Remark]:
    """What is in the file, and not in what participants see."""
    tags = page.reader.tags
    if "script" in tags and not page.scripts:
        yield warning(page.line(tags["script"]), "scripts are not run here (project.scripts: true lets them)")
    if page.reader.handlers and not page.scripts:
        yield warning(page.line(page.reader.handlers[0]), "on… attributes are scripts, and not run here")
    if "form" in tags:
        yield warning(page.line(tags["form"]), "the page stands inside a form of ours; this <form> is left out")
    for tag in ("iframe", "object", "embed"):
        if tag in tags:
            yield warning(page.line(tags[tag]), f"<{tag}> is left out")
    for button in re.finditer(r"(?i)<(input|button)\b[^>]*type\s*=\s*[\"']?(submit|image)\b", page.reader.source):
        line = page.reader.source.count("\n", 0, button.start()) + 1
        yield warning(page.line(line), "a Submit button stands below every page already")


def judged(form: Form) -> bool:
    """Whether a try at the page can be wrong: something is marked as right, and not as an attention check."""
    return any(control.right is not None and not control.attention for control in form.controls)
