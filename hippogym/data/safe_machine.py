"""A pickle machine for plain data: a stack, marks, a memo, and limits. What it can do stands in safe_opcodes.py."""

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hippogym.core.plain import MAX_NODES, key_ok
from hippogym.data.safe_builders import BUILDERS, HalfArray

MAX_OPCODES = 4 * MAX_NODES
MAX_MEMO = 2 * MAX_NODES
MAX_EQUAL_HASHES = 100  # keys of one dict or set that share a hash: more is an attack on its speed
MAX_NAME_BYTES = 100


class RefusedError(ValueError):
    """The pickle holds something that plain data does not need; the message says what."""


class TooLongError(RefusedError):
    """The pickle has so many opcodes that nobody should look for its end."""


class CutShortError(ValueError):
    """The bytes end before the pickle does."""


class Machine:
    """Runs one pickle. Any exception out of it means that the pickle is not one of plain data."""

    __slots__ = ("at", "containers", "data", "hashes", "marks", "memo", "stack", "table", "trailer", "wanted")

    def __init__(self, data: bytes, start: int, table: "Table", *, trailer: bool) -> None:
        self.data = data
        self.at = start
        self.table = table
        self.trailer = trailer
        self.wanted = start  # how far the latest argument reaches
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.containers = 0
        self.hashes: dict[int, tuple[Any, Counter[int]]] = {}

    def run(self) -> Any:
        """What the pickle builds. self.at is then the offset after its STOP."""
        data, table = self.data, self.table
        for _ in range(MAX_OPCODES):
            self.wanted = self.at + 1
            opcode = data[self.at]
            self.at += 1
            if opcode == 0x2E:  # STOP
                return self._result()
            act = table.get(opcode)
            if act is None:
                raise RefusedError(f"the opcode 0x{opcode:02x}, which plain data does not need")
            act(self)
        raise TooLongError("too many opcodes")

    def past_the_end(self) -> bool:
        """True when the latest argument reaches beyond the data."""
        return self.wanted > len(self.data)

    def _result(self) -> Any:
        if len(self.stack) != 1 or self.marks:
            raise RefusedError("a pickle that is malformed")
        return self.stack[0]

    # arguments

    def take(self, length: int) -> bytes:
        start, self.at = self.at, self.at + length
        self.wanted = self.at
        if self.at > len(self.data):
            raise CutShortError("the pickle is cut short")
        return self.data[start : self.at]

    def number(self, form: struct.Struct) -> Any:
        start, self.at = self.at, self.at + form.size
        self.wanted = self.at
        return form.unpack_from(self.data, start)[0]

    def byte(self) -> int:
        self.at += 1
        self.wanted = self.at
        return self.data[self.at - 1]

    def line(self, limit: int) -> bytes:
        """The text up to the next newline, at most ``limit`` bytes of it."""
        end = self.data.find(b"\n", self.at, self.at + limit + 1)
        if end < 0:
            if self.at + limit >= len(self.data):
                raise CutShortError("the pickle is cut short")
            raise RefusedError("a line that is too long")
        line = self.data[self.at : end]
        self.at = end + 1
        return line

    # the stack

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        """What was put on the stack since the latest mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def top(self, *kinds: type) -> Any:
        value = self.stack[-1]
        if type(value) not in kinds:
            raise RefusedError("a pickle that is malformed")
        return value

    def put_new(self, container: object) -> None:
        """Put a container, array or the like, of which there may only be so many."""
        self.containers += 1
        if self.containers > MAX_NODES:
            raise RefusedError("too many values")
        self.stack.append(container)

    def remember(self, index: int) -> None:
        if len(self.memo) >= MAX_MEMO:
            raise RefusedError("too many values")
        value = self.memo[index] = self.stack[-1]
        if type(value) is HalfArray:
            value.remembered.append(index)

    # names and keys

    def put_name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise RefusedError("a name that is not text")
        builder = BUILDERS.get((module, name))
        if builder is None:
            raise RefusedError(f"{module[:MAX_NAME_BYTES]}.{name[:MAX_NAME_BYTES]}, which is not plain data")
        self.stack.append(builder)

    def check_keys(self, container: object, keys: list[Any]) -> None:
        """Refuse keys or members that are not plain, or that were chosen to make the container slow."""
        for key in keys:
            if type(key) is str or type(key) is bytes:
                continue  # Python salts their hashes
            if not key_ok(key):
                raise RefusedError("a key that is not plain")
            _, counts = self.hashes.setdefault(id(container), (container, Counter()))
            value = hash(key)
            counts[value] += 1
            if counts[value] > MAX_EQUAL_HASHES:
                raise RefusedError("keys chosen to share a hash")


Table: TypeAlias = Mapping[int, Callable[[Machine], None]]
