"""Reads a step's HTML: every single control with its label, and where the tags stand that carry a mark."""

import html as html_text
from dataclasses import dataclass, field
from html.parser import HTMLParser

MARKS = ("data-right", "data-attention", "data-hint")
"""The quiz markup."""

_BUTTONS = ("submit", "button", "reset", "image")
_INPUT_KINDS = ("text", "radio", "checkbox", "number", "range", "date", "time", "email", "file", "hidden")
_OTHER_INPUTS = ("tel", "url", "search", "password", "color", "month", "week", "datetime-local")
_VOID = frozenset(
    "area base br col embed hr img input link meta source track wbr".split()
)  # elements without an end, so that nothing is ever inside them


@dataclass
class Choice:
    """An ``option`` of a select."""

    value: str
    label: str
    disabled: bool
    right: bool
    hint: str


@dataclass
class Field:
    """One control as it is written. right: what data-right says, None without it. line: from 1."""

    kind: str
    name: str
    attributes: dict[str, str]
    disabled: bool
    line: int
    options: list[Choice] = field(default_factory=list)
    label: str = ""
    group_label: str = ""
    right: str | None = None
    attention: bool = False

    @property
    def required(self) -> bool:
        return "required" in self.attributes

    @property
    def hint(self) -> str:
        return self.attributes.get("data-hint", "").strip()


@dataclass
class _Open:
    """An element that has begun and not ended. text: what it has said so far."""

    tag: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    legend: str = ""


class PageReader(HTMLParser):
    """Reads a whole page at once. source: its text. fields: the controls, in order. tags: each with its first line.

    links: tag, what its ``src`` or ``href`` points to, and line. handlers: lines with an ``on…`` attribute.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = html
        self._line_starts = [0]
        for position, character in enumerate(html):
            if character == "\n":
                self._line_starts.append(position + 1)
        self._open: list[_Open] = []
        self._labels: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._marked: list[tuple[int, int, str, list[tuple[str, str | None]]]] = []
        self._labelled: list[tuple[Field, str]] = []
        self._groups: list[_Open] = []
        self.fields: list[Field] = []
        self.tags: dict[str, int] = {}
        self.links: list[tuple[str, str, int]] = []
        self.handlers: list[int] = []
        self.feed(html)
        self.close()
        while self._open:
            self._leave()
        self._name_all()

    def without(self, marks: tuple[str, ...]) -> str:
        """The page without these attributes."""
        pieces, end = [], 0
        for start, length, tag, attributes in self._marked:
            kept = [(name, value) for name, value in attributes if name not in marks]
            pieces += [self.source[end:start], _written(tag, kept)]
            end = start + length
        return "".join([*pieces, self.source[end:]])

    # What the parser calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, str] = {}
        for name, value in attrs:
            attributes.setdefault(name, value or "")
        self._note_marks(tag, attrs)
        self._note_about(tag, attributes)
        if tag == "option":
            self._leave_if_open("option")
        if any(opened.tag in ("template", "textarea") for opened in self._open):
            return  # of a template nothing is shown or sent, and what stands in a textarea is its text
        if tag in ("input", "textarea", "select"):
            self._begin_field(tag, attributes)
        if tag not in _VOID:
            self._open.append(_Open(tag, attributes))
            if self.fields and tag in ("textarea", "select"):
                self._open[-1].fields.append(self.fields[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # to a browser, the slash means nothing

    def handle_endtag(self, tag: str) -> None:
        if any(opened.tag == tag for opened in self._open):
            while self._open[-1].tag != tag:
                self._leave()
            self._leave()

    def handle_data(self, data: str) -> None:
        for opened in reversed(self._open):
            opened.text.append(data)
            if opened.tag in ("select", "textarea", "script", "style"):
                return  # what can be chosen or was filled in is no part of the words around it

    # Controls, their choices and what they are called

    def _begin_field(self, tag: str, attributes: dict[str, str]) -> None:
        kind = _kind(tag, attributes)
        if kind in _BUTTONS:
            return
        disabled = "disabled" in attributes or any(
            opened.tag == "fieldset" and "disabled" in opened.attributes for opened in self._open
        )
        here = Field(kind, attributes.get("name", ""), attributes, disabled, self.getpos()[0])
        here.right, here.attention = attributes.get("data-right"), "data-attention" in attributes
        self.fields.append(here)
        for opened in self._open:
            if opened.tag == "label" or _is_group(opened):
                opened.fields.append(here)

    def _leave_if_open(self, tag: str) -> None:
        if self._open and self._open[-1].tag == tag:
            self._leave()

    def _leave(self) -> None:
        done = self._open.pop()
        text = " ".join("".join(done.text).split())
        if "id" in done.attributes:
            self._texts.setdefault(done.attributes["id"], text)
        if done.tag == "option":
            self._take_choice(done, text)
        elif done.tag == "label":
            if "for" in done.attributes:
                self._labels.setdefault(done.attributes["for"], text)
            elif done.fields:
                self._labelled.append((done.fields[0], text))
        elif done.tag == "legend" and self._open and self._open[-1].tag == "fieldset":
            self._open[-1].legend = self._open[-1].legend or text
        elif _is_group(done):
            self._groups.append(done)

    def _take_choice(self, option: _Open, text: str) -> None:
        owner = next((o.fields[0] for o in reversed(self._open) if o.tag == "select" and o.fields), None)
        if owner is not None:
            attributes = option.attributes
            right = attributes.get("data-right", "false") != "false"
            disabled = "disabled" in attributes or any(
                o.tag == "optgroup" and "disabled" in o.attributes for o in self._open
            )
            hint = attributes.get("data-hint", "").strip()
            value = attributes.get("value", text)
            owner.options.append(Choice(value, attributes.get("label") or text, disabled, right, hint))
            owner.attention = owner.attention or "data-attention" in attributes

    def _name_all(self) -> None:
        """Once everything is read, because a name may stand after what it names."""
        wrapped = {id(here): text for here, text in reversed(self._labelled)}
        for here in self.fields:
            own_id = here.attributes.get("id", "")
            beside = self._labels.get(own_id, "") if own_id else ""
            here.label = self._aria(here.attributes) or beside or wrapped.get(id(here), "") or _title(here.attributes)
        for group in self._groups:  # the inner ones first
            for here in group.fields:
                here.group_label = here.group_label or group.legend or self._aria(group.attributes)

    def _aria(self, attributes: dict[str, str]) -> str:
        named = [self._texts.get(part, "") for part in attributes.get("aria-labelledby", "").split()]
        return " ".join(part for part in named if part) or attributes.get("aria-label", "").strip()

    def _note_about(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.getpos()[0]
        self.tags.setdefault(tag, line)
        self.links += [(tag, attributes[name], line) for name in ("src", "href") if attributes.get(name)]
        if any(name.startswith("on") for name in attributes):
            self.handlers.append(line)

    def _note_marks(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if any(name in MARKS for name, _ in attrs):
            line, column = self.getpos()
            written = self.get_starttag_text() or ""
            self._marked.append((self._line_starts[line - 1] + column, len(written), tag, attrs))


def _is_group(opened: _Open) -> bool:
    return opened.tag == "fieldset" or opened.attributes.get("role") in ("group", "radiogroup")


def _title(attributes: dict[str, str]) -> str:
    return attributes.get("title", "").strip()


def _kind(tag: str, attributes: dict[str, str]) -> str:
    if tag == "select":
        return "select-multiple" if "multiple" in attributes else "select"
    if tag == "textarea":
        return tag
    kind = attributes.get("type", "text").strip().lower()
    if kind in _INPUT_KINDS or kind in _BUTTONS:
        return kind
    return "other" if kind in _OTHER_INPUTS else "text"


def _written(tag: str, attributes: list[tuple[str, str | None]]) -> str:
    pieces = [tag]
    for name, value in attributes:
        pieces.append(name if value is None else f'{name}="{html_text.escape(value)}"')
    return f"<{' '.join(pieces)}>"
