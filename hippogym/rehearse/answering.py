"""Answers to a page, made from its markup: sensible ones, all kinds of them, and every control has one. Pure.

Texts have quotes, accents, signs beyond the basic plane and line ends in them, so that whatever mangles answers shows.
"""

import base64
import datetime
import random
from collections.abc import Mapping, Sequence
from typing import Any

from hippogym.core.study.forms import Control, Form, as_number

TEXTS = (
    "I liked the game, and the controls were easy.",
    "Nothing to add.",
    'It felt "fair" most of the time – but 2 < 3 & 4 > 3?',
    "Täglich etwa 1½ Stunden; früher öfter.",
    "第三关很难。 क्या यह खत्म हुआ? 🎮👩‍🚀",
    "tab\there, and  two blanks",
)
LINES = ("One line.", "One line.\nAnd another, after a break.", "- a list\n- of two\n\nand an empty line above")
CONSENT = ("yes", "agree", "i agree", "consent", "i consent", "true", "on", "ok", "accept")
SKIPPED = 0.15  # of what need not be answered


def answers_to(
    form: Form,
    chance: random.Random,
    right: Mapping[str, Control] | None = None,
    avoid: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """An answer for every control of the page.

    right: controls of the page as the researcher wrote it, whose right answers are taken. avoid: answers that were
    wrong before.
    """
    answers = {}
    for control in form.controls:
        known = (right or {}).get(control.name)
        judged = known is not None and known.right is not None
        if judged or control.required or control.kind == "hidden" or chance.random() >= SKIPPED:
            source = known if judged and known is not None else control
            answers[control.name] = _answer(form, source, chance, (avoid or {}).get(control.name, ()), judged)
        else:
            answers[control.name] = _skipped(control, chance)
    return answers


def wrong_answers(answers: Mapping[str, Any], right: Mapping[str, Control]) -> dict[str, Any] | None:
    """The answers with one that is judged made wrong, yet possible; None where nothing is judged."""
    for name, control in right.items():
        if control.right is None or control.attention or name not in answers:
            continue
        others = [option.value for option in control.options if option.value not in control.right]
        if control.kind == "checkbox" and not control.multiple:
            return {**answers, name: not control.right}
        if control.multiple and control.right != tuple(option.value for option in control.options):
            return {**answers, name: [option.value for option in control.options]}
        if control.kind in ("radio", "select") and others:
            return {**answers, name: others[0]}
        if control.kind in ("text", "textarea"):
            return {**answers, name: "something else altogether"}
    return None


def without_required(form: Form, answers: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """(a control that must be answered, the answers without its); None where the page has none."""
    for control in form.controls:
        if control.required and control.kind != "hidden" and form.check({**answers, control.name: control.default}):
            return control.name, {**answers, control.name: control.default}
    return None


def _answer(form: Form, control: Control, chance: random.Random, avoid: Sequence[Any], judged: bool) -> Any:
    if judged and control.right is not None:
        return _right(control)
    values = [option.value for option in control.options]
    match control.kind:
        case "radio" | "select":
            return _choice(control, chance, [v for v in values if v not in avoid and v != ""] or values)
        case "checkbox" if not control.multiple:
            return control.required or chance.random() < 0.5
        case "checkbox" | "select-multiple":
            must = {option.value for option in control.options if option.required}
            ticked = [v for v in values if v in must or chance.random() < 0.5]
            return ticked or (values[:1] if control.required else [])
        case "number" | "range":
            return _number(control, chance)
        case "date":
            return _date(control, chance)
        case "time":
            return control.min or f"{chance.randrange(24):02d}:{chance.randrange(60):02d}"
        case "email":
            return f"somebody{chance.randrange(1000)}@example.org"
        case "file":
            return _file(chance)
        case "hidden" | "other":
            return next((f.attributes.get("value") or "" for f in form.fields if f.name == control.name), "")
        case _:
            return _text(control, chance)


def _right(control: Control) -> Any:
    right = control.right or ()
    if control.multiple:
        return [option.value for option in control.options if option.value in right]
    return bool(right) if control.kind == "checkbox" else right[0]


def _skipped(control: Control, chance: random.Random) -> Any:
    """What a browser sends for a control that nobody has touched."""
    if control.kind == "range":
        return _number(control, chance)
    if control.kind == "select" and control.options:
        return control.options[0].value
    return control.default


def _choice(control: Control, chance: random.Random, values: Sequence[str]) -> str | None:
    """Who takes part agrees to take part: where one of few choices is yes, it is taken."""
    if not values:
        return None
    if len(values) <= 3:
        for option in control.options:
            if option.value in values and (
                option.value.casefold() in CONSENT or option.label.strip().casefold().startswith(("yes", "i agree"))
            ):
                return option.value
    return chance.choice(list(values))


def _number(control: Control, chance: random.Random) -> str:
    is_range = control.kind == "range"
    low, high = as_number(control.min), as_number(control.max)
    if "age" in f"{control.name} {control.label}".lower().replace("_", " ").split():
        low, high = max(18.0, low or 0.0), min(80.0, high or 80.0)
    low = (0.0 if is_range else 1.0) if low is None else low
    high = (100.0 if is_range else max(low, 100.0)) if high is None else high
    return str(chance.randint(round(low), max(round(low), int(high))))


def _date(control: Control, chance: random.Random) -> str:
    low = _day(control.min) or datetime.date(1950, 1, 1)
    high = _day(control.max) or max(low, datetime.date(2005, 12, 31))
    return (low + datetime.timedelta(days=chance.randint(0, max(0, (high - low).days)))).isoformat()


def _day(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _file(chance: random.Random) -> dict[str, str]:
    content = chance.randbytes(chance.randint(1, 3000))
    return {
        "file": "drawing.bin",
        "type": "application/octet-stream",
        "base64": base64.b64encode(content).decode(),
    }


def _text(control: Control, chance: random.Random) -> str:
    text = chance.choice(TEXTS + (LINES if control.kind == "textarea" else ()))
    while len(text) < (control.shortest or 0):
        text += " " + text
    return text if control.longest is None else text[: control.longest]
