"""Reads YAML into plain values and remembers the line of everything, so that a complaint can point at it.

Only text, numbers, booleans, lists and maps come out. What YAML can do beyond that (tags, merge keys, dates,
numbers to the base 60) is refused or read as the text it was written as, because nobody means it here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_ALIASES = 20
MAX_DEPTH = 20
MAX_NODES = 5_000

Path = tuple[str, ...]
"""Where something stands: the keys from the top, list positions as text: ``("trial", "actionSpace", "0")``."""


@dataclass(frozen=True)
class Problem:
    """One thing to fix. path: () where it concerns the file as such. words: what was found, what was expected."""

    path: Path
    words: str
    line: int = 0


@dataclass
class Document:
    """A file's values, with the line of each and how it was written where YAML reads more than text into it."""

    values: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    unquoted_keys: dict[Path, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of the nearest thing on the way to ``path`` that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def value(self, path: Path) -> Any:
        """The value at ``path``; None where there is none."""
        here = self.values
        for part in path:
            if isinstance(here, dict):
                here = here.get(part)
            elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
                here = here[int(part)]
            else:
                return None
        return here


class NotYaml(Exception):
    """The text cannot be read at all; ``problem`` says where and why."""

    def __init__(self, words: str, line: int) -> None:
        super().__init__(words)
        self.problem = Problem((), words, line)


def read_yaml(text: str) -> Document:
    """Text → values with lines. Raises NotYaml; repeated keys and the like stand in the result's problems."""
    node = _compose(text)
    document = Document()
    if node is not None:
        document.lines[()] = node.start_mark.line + 1
        document.values = _Builder(document).build(node, ())
    return document


class _LimitedLoader(yaml.SafeLoader):
    """Composes nodes without constructing anything, and stops at files that are made to exhaust the reader."""

    depth = nodes = aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
        line = event.start_mark.line + 1
        self.nodes += 1
        self.aliases += isinstance(event, yaml.AliasEvent)
        self.depth += 1
        if self.nodes > MAX_NODES:
            raise NotYaml(f"more than {MAX_NODES:,} values; a study needs far fewer", line)
        if self.aliases > MAX_ALIASES:
            raise NotYaml(f"more than {MAX_ALIASES} aliases (*name); write the values out", line)
        if self.depth > MAX_DEPTH:
            raise NotYaml(f"nested more than {MAX_DEPTH} levels deep", line)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = _LimitedLoader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(_syntax_words(error), mark.line + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml("a character that text cannot contain (a control character)", line) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets "\UFFFFFFFF" and overlong %YAML versions through
        raise NotYaml("an escape or a directive that stands for nothing", 1) from error


def _syntax_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "unreadable"
    if "'\\t'" in problem:
        return "not readable as YAML: a tab; indent with spaces"
    if "single document" in (error.context or ""):
        return "a second document (---); a study is one"
    if "mapping values are not allowed" in problem:
        return "not readable as YAML: a second colon here; look at the indentation, or put the text in quotes"
    if "undefined alias" in problem:
        return f"not readable as YAML: {problem}; a text that begins with * needs quotes"
    return f"not readable as YAML: {problem}"


class _Builder:
    """Turns composed nodes into values, noting lines and problems on the way."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._built = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._built += 1
        if id(node) in self._open:
            raise NotYaml("an alias (*name) inside the very thing it stands for", node.start_mark.line + 1)
        if self._built > MAX_NODES:
            raise NotYaml("aliases (*name) that grow beyond all measure; write the values out", 1)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, path)
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._refuse_tag(node, path, "tag:yaml.org,2002:map")
        values: dict[str, Any] = {}
        for key_node, value_node, key in self._entries(node, path):
            here = (*path, key)
            if key in values:
                self._note(here, f"written twice; the first is on line {self._document.lines[here]}", key_node)
                continue
            self._document.lines[here] = key_node.start_mark.line + 1
            read = _scalar_value(key_node)
            if not isinstance(read, str):
                self._document.unquoted_keys[here] = read
            values[key] = self.build(value_node, here)
        return values

    def _entries(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[yaml.ScalarNode, yaml.Node, str]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(path, "a list or a map as a key; a key is one word", key_node)
            elif key_node.tag == "tag:yaml.org,2002:merge":
                self._note((*path, "<<"), "merging (<<) is not read here; write the settings out", key_node)
            elif _not_text(key_node.value):
                self._note(path, f"the key {key_node.value!a:.60} has a character that is no text", key_node)
            else:
                yield key_node, value_node, key_node.value

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        self._refuse_tag(node, path, "tag:yaml.org,2002:seq")
        items = []
        for position, item in enumerate(node.value):
            here = (*path, str(position))
            self._document.lines[here] = item.start_mark.line + 1
            items.append(self.build(item, here))
        return items

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if node.tag not in _READ_AS:
            self._refuse_tag(node, path, "tag:yaml.org,2002:str")
        if _not_text(node.value):
            self._note(path, f"{node.value!a:.60} has a character that is no text", node)
        value = _scalar_value(node)
        if not isinstance(value, str):
            self._document.written[path] = node.value
        return value

    def _refuse_tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != expected:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._note(path, f"the tag {tag!a:.60}; tags are not read here", node)

    def _note(self, path: Path, words: str, node: yaml.Node) -> None:
        self._document.problems.append(Problem(path, words, node.start_mark.line + 1))


_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def _scalar_value(node: yaml.Node) -> Any:
    read = _READ_AS.get(node.tag)
    return read(node.value) if read else node.value


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text.lower(), text)


def _integer(text: str) -> int | str:
    """Decimal, 0x and 0b. YAML would read 1:30 as 90 and 010 as 8: they stay text, and are refused as such."""
    digits = text.replace("_", "")
    if len(digits) > 40:
        return text
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", digits):
        return int(digits)
    if re.fullmatch(r"[-+]?0(x[0-9a-fA-F]+|b[01]+)", digits):
        return int(digits, 0)
    return text


def _decimal(text: str) -> float | str:
    try:
        return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.lower()).replace("_", ""))
    except ValueError:
        return text


def _nothing(text: str) -> None:
    return None


_READ_AS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": _nothing,
    "tag:yaml.org,2002:bool": _boolean,
    "tag:yaml.org,2002:int": _integer,
    "tag:yaml.org,2002:float": _decimal,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:timestamp": str,  # a date is a text to us: name: 2021-05-01
    "tag:yaml.org,2002:value": str,  # a lone equals sign
}


def _not_text(text: str) -> bool:
    """True with half a surrogate pair or a control character, which escapes can bring in."""
    return re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text) is not None
