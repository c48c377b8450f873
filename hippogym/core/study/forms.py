"""What a step's page asks: its controls in document order, what each accepts, and which answers are right.

The page is plain HTML, read as browsers read it (HTML Living Standard, 4.10 Forms). The quiz markup is
``data-right``, ``data-attention`` and ``data-hint`` (docs/study.md); ``strip_marks`` takes it out of a page.

An answer is text for most controls; True or False for a box alone under its name; a list of the values that are
ticked or chosen for several boxes of one name and for a select with ``multiple``; None for a radio group of which
nothing is chosen; for a file {"file": its name, "type", "base64"}, or None.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hippogym.core.study.page_reader import MARKS, Field, PageReader

LONGEST_TEXT = 100_000
MOST_UNKNOWN = 200
LONGEST_NAME = 200
MOST_UNKNOWN_BYTES = 64 * 2**10  # of all that the page as written does not have

KINDS = ("text", "textarea", "radio", "checkbox", "select", "select-multiple", "number", "range", "date", "time",
         "email", "file", "hidden", "other")  # fmt: skip


@dataclass(frozen=True)
class Option:
    """A radio button, a box, or a choice of a select. right: where something is marked as right."""

    value: str
    label: str = ""
    required: bool = False
    right: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Control:
    """Everything of a page that answers under one name.

    multiple: whether the answer is a list. options: of radio, checkbox and select. min, max: as written, of numbers
    and dates. right: None where nothing is judged, else the texts or values that are right. attention: whether that
    makes it an attention check. hint: told when it is answered wrong. line: in the page, from 1.
    """

    name: str
    kind: str
    required: bool = False
    multiple: bool = False
    options: tuple[Option, ...] = ()
    min: str | None = None
    max: str | None = None
    right: tuple[str, ...] | None = None
    attention: bool = False
    label: str = ""
    hint: str = ""
    shortest: int | None = None
    longest: int | None = None
    line: int = 0

    @property
    def default(self) -> Any:
        """The answer where there is none."""
        if self.multiple:
            return []
        return {"checkbox": False, "radio": None, "file": None}.get(self.kind, "")


@dataclass(frozen=True)
class Problem:
    """A control that is not answered as it must be, with a sentence for the participant."""

    name: str
    text: str


@dataclass(frozen=True)
class Form:
    """The controls of a page. fields: every single one as it is written, for the linter."""

    controls: tuple[Control, ...]
    fields: tuple[Field, ...] = ()

    def control(self, name: str) -> Control | None:
        """The control of that name."""
        return next((control for control in self.controls if control.name == name), None)

    def check(self, answers: Mapping[str, Any]) -> list[Problem]:
        """What is missing or cannot be; empty where all is well. What is right is not asked here."""
        problems = [p for c in self.controls if (p := _problem(c, answers.get(c.name)))]
        known = {control.name for control in self.controls}
        unknown = {name: value for name, value in answers.items() if name not in known}
        wrong = [name for name, value in unknown.items() if len(name) > LONGEST_NAME or not _is_plain(value)]
        problems += [Problem(name[:LONGEST_NAME], "This answer cannot be kept; reload the page.") for name in wrong]
        if not wrong and _size(unknown) > MOST_UNKNOWN_BYTES:
            problems.append(Problem("", "This is more than can be kept beside the page's own answers."))
        return problems

    def complete(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """The answers with one for every control, in document order; what the page does not have comes after."""
        known = {c.name: _settled(c, answers.get(c.name)) for c in self.controls}
        others = [name for name in answers if name not in known and name != ""]
        return known | {name: answers[name] for name in others[:MOST_UNKNOWN]}

    def from_v1(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """What an existing front end sends (one text for each name, ticked or not), as answers of today."""
        answers: dict[str, Any] = {}
        for name, value in flat.items():
            control = self.control(name)
            if name == "" or not isinstance(value, str | bool | int | float | list):
                continue
            answers[name] = value if control is None else _from_v1(control, value)
        return answers


def read_form(html: str) -> Form:
    """The controls of a page, without those that are disabled or have no name."""
    reader = PageReader(html)
    groups: dict[str, list[Field]] = {}
    for field in reader.fields:
        if field.name and not field.disabled:
            groups.setdefault(field.name, []).append(field)
    return Form(tuple(_control(name, fields) for name, fields in groups.items()), tuple(reader.fields))


def strip_marks(html: str) -> str:
    """The page without the quiz markup, which must never reach a browser; all else stays as it is."""
    return PageReader(html).without(MARKS)


def _control(name: str, fields: list[Field]) -> Control:
    first = fields[0]
    options = tuple(option for field in fields for option in _options(field))
    several = first.kind == "select-multiple" or (first.kind == "checkbox" and len(fields) > 1)
    is_group = first.kind in ("radio", "checkbox")
    return Control(
        name=name,
        kind=first.kind,
        required=any(f.required for f in fields),
        multiple=several,
        options=options,
        min=first.attributes.get("min"),
        max=first.attributes.get("max"),
        right=_right(first, options),
        attention=any(f.attention for f in fields),
        label=(first.group_label if is_group and len(fields) > 1 else "") or first.label,
        hint=next((f.hint for f in fields if f.hint), ""),
        shortest=_count(first.attributes.get("minlength")),
        longest=_count(first.attributes.get("maxlength")),
        line=first.line,
    )


def _options(field: Field) -> list[Option]:
    if field.kind in ("radio", "checkbox"):
        value = field.attributes.get("value")
        right = field.right is not None and field.right != "false"
        return [Option("on" if value is None else value, field.label, field.required, right, field.hint)]
    return [Option(o.value, o.label, False, o.right, o.hint) for o in field.options if not o.disabled]


def _right(first: Field, options: tuple[Option, ...]) -> tuple[str, ...] | None:
    if first.kind in ("radio", "checkbox", "select", "select-multiple"):
        right = tuple(option.value for option in options if option.right)
        must_stay_empty = first.kind == "checkbox" and first.right == "false" and len(options) == 1
        return right if right or must_stay_empty else None
    if first.right is None:
        return None
    return tuple(text for part in first.right.split("|") if (text := part.strip())) or None


def _problem(control: Control, value: Any) -> Problem | None:
    words = _wrong_shape(control, value) or (_missing(control, value) or _wrong_value(control, value))
    return Problem(control.name, words) if words else None


def _wrong_shape(control: Control, value: Any) -> str:
    if value is None:
        return ""
    if control.kind == "file":
        return "" if _is_file(value) else "The file has not arrived whole; please choose it again."
    if control.multiple:
        fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return "" if fine and len(value) == len(set(value)) else "This answer has another form than the page's."
    fine = isinstance(value, bool if control.kind == "checkbox" else str)
    return "" if fine else "This answer has another form than the page's."


def _missing(control: Control, value: Any) -> str:
    ticked = [o for o in control.options if o.required]
    if control.kind == "checkbox" and control.multiple:
        return "Please tick this box." if any(o.value not in (value or []) for o in ticked) else ""
    if not control.required or value not in (None, "", [], False):
        return ""
    if control.kind == "checkbox":
        return "Please tick this box."
    return "Please choose one." if control.kind in ("radio", "select", "select-multiple") else "Please answer this."


def _wrong_value(control: Control, value: Any) -> str:
    if value in (None, "", [], False) or control.kind in ("file", "hidden"):
        return ""
    if control.kind in ("radio", "select") and value not in {o.value for o in control.options}:
        return "This is not one of the choices; reload the page."
    if control.multiple and not set(value) <= {o.value for o in control.options}:
        return "These are not among the choices; reload the page."
    return _wrong_text(control, value) if isinstance(value, str) else ""


def _wrong_text(control: Control, value: str) -> str:
    if control.kind in ("number", "range"):
        return _out_of_range(control, value)
    if control.kind in ("date", "time"):
        return _out_of_time(control, value)
    if control.kind == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        return "Please give an e-mail address."
    longest = LONGEST_TEXT if control.longest is None else min(control.longest, LONGEST_TEXT)
    if len(value) > longest:
        return f"Please use at most {longest:,} characters."
    if control.shortest is not None and len(value.encode("utf-16-le")) // 2 < control.shortest:
        return f"Please use at least {control.shortest:,} characters."
    return ""


def _out_of_range(control: Control, value: str) -> str:
    number = as_number(value)
    if number is None:
        return "Please give a number."
    low, high = as_number(control.min), as_number(control.max)
    if control.kind == "range":
        low, high = (0.0 if low is None else low), (100.0 if high is None else high)
    if low is not None and number < low:
        return f"Please give a number from {low:g}."
    return f"Please give a number up to {high:g}." if high is not None and number > high else ""


def _out_of_time(control: Control, value: str) -> str:
    form = r"\d{4,6}-\d\d-\d\d" if control.kind == "date" else r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?"
    if not re.fullmatch(form, value, re.ASCII):
        return f"Please give a {control.kind}."
    if control.min and value < control.min:
        return f"Please give a {control.kind} from {control.min}."
    return f"Please give a {control.kind} up to {control.max}." if control.max and value > control.max else ""


def _settled(control: Control, value: Any) -> Any:
    """Boxes and choices in the order of the page, whatever the order of ticking."""
    if value is None:
        return control.default
    if control.multiple and isinstance(value, list):
        return [o.value for o in control.options if o.value in value]
    return value


def _from_v1(control: Control, value: Any) -> Any:
    if control.kind == "checkbox" and not control.multiple:
        return value if isinstance(value, bool) else value == control.options[0].value
    if control.multiple:
        return value if isinstance(value, list) else [value] if value != "" else []
    if control.kind == "file":
        return None  # it only ever sent the file's name
    return None if control.kind == "radio" and value == "" else value if isinstance(value, str) else str(value)


def as_number(text: str | None) -> float | None:
    """A number as HTML writes it; None for anything else."""
    if text is None or not re.fullmatch(r"-?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?", text.strip(), re.ASCII):
        return None
    number = float(text)
    return number if abs(number) != float("inf") else None


def _is_file(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("file"), str) or not value["file"]:
        return False
    if not isinstance(value.get("base64"), str) or not isinstance(value.get("type", ""), str):
        return False
    try:
        base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_plain(value: Any) -> bool:
    """What may be kept of a control that the page as written does not have (scripts may add some)."""
    if isinstance(value, list):
        return len(value) <= MOST_UNKNOWN and all(isinstance(v, str) and len(v) <= LONGEST_TEXT for v in value)
    return value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) else None


def _size(answers: Mapping[str, Any]) -> int:
    return len(json.dumps(answers, ensure_ascii=False).encode("utf-8", "surrogatepass"))
