"""Whether a page is answered right, where its markup says what right is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hippogym.core.study.forms import Control, Form, Problem, as_number

TOLD = "That is not right yet."


@dataclass(frozen=True)
class Judgement:
    """right: None where the page asks nothing that could be right. wrong: what is told before the next try.

    attention_failed: names of the attention checks that were not passed. Nobody is told of those.
    """

    right: bool | None
    wrong: tuple[Problem, ...] = ()
    attention_failed: tuple[str, ...] = ()


def judge(form: Form, answers: Mapping[str, Any]) -> Judgement:
    """answers: as ``form.complete`` gives them."""
    judged = [control for control in form.controls if control.right is not None]
    failed = [control for control in judged if not is_right(control, answers.get(control.name))]
    asked = any(not control.attention for control in judged)
    wrong = tuple(Problem(c.name, _hint(c, answers.get(c.name))) for c in failed if not c.attention)
    return Judgement(not wrong if asked else None, wrong, tuple(c.name for c in failed if c.attention))


def is_right(control: Control, value: Any) -> bool:
    """Of several boxes exactly those marked; of a box alone its mark; of texts any, whatever the case and spaces."""
    right = control.right or ()
    if control.multiple:
        return isinstance(value, list) and set(value) == set(right)
    if control.kind == "checkbox":
        return value is bool(right)
    if not isinstance(value, str):
        return False
    if control.kind in ("radio", "select"):
        return value in right
    if control.kind in ("number", "range"):
        given = as_number(value)
        return given is not None and any(given == as_number(text) for text in right)
    return _loose(value) in {_loose(text) for text in right}


def _loose(text: str) -> str:
    return " ".join(text.split()).casefold()


def _hint(control: Control, value: Any) -> str:
    """The hint of what was chosen wrongly, or else the first of the question."""
    chosen = value if isinstance(value, list) else [value]
    of_chosen = (o.hint for o in control.options if o.hint and not o.right and o.value in chosen)
    return next(of_chosen, control.hint) or TOLD
