"""The opcodes of pickle that plain data needs, and nothing else: no persistent ids, no extension codes, no
instances, no out-of-band buffers, no text of Python 2. REDUCE calls only our own builders."""

import struct
from collections.abc import Callable
from typing import Any

from hippogym.core.plain import MAX_INT_BYTES
from hippogym.data.safe_builders import FROZENSET, SET, Builder, Dtype, HalfArray
from hippogym.data.safe_machine import MAX_NAME_BYTES, CutShortError, Machine, RefusedError, Table

_U16, _I32, _U32, _U64, _F64 = (struct.Struct(code) for code in ("<H", "<i", "<I", "<Q", ">d"))
_MAX_NUMBER_CHARS = 3 * MAX_INT_BYTES


def _proto(machine: Machine) -> None:
    if not 2 <= machine.byte() <= 5:
        raise RefusedError("a pickle of an unknown protocol")


def _frame(machine: Machine) -> None:
    length = machine.number(_U64)
    if machine.at + length > len(machine.data):
        raise CutShortError("the pickle is cut short")


def _pop(machine: Machine) -> None:
    """Only the trailer's constant is ever dropped, just before the STOP."""
    dropped = machine.stack.pop()
    if not machine.trailer or type(dropped) is not bytes or machine.at != len(machine.data) - 1:
        raise RefusedError("a value that is dropped")


def _long(machine: Machine, length: int) -> None:
    if length > MAX_INT_BYTES:
        raise RefusedError("an integer of too many digits")
    machine.stack.append(int.from_bytes(machine.take(length), "little", signed=True))


def _number_text(machine: Machine, kind: type[int] | type[float], suffix: bytes) -> None:
    text = machine.line(_MAX_NUMBER_CHARS)
    try:
        machine.stack.append(kind(text.removesuffix(suffix)))
    except ValueError:
        raise RefusedError("a number that is malformed") from None


def _text(machine: Machine, length: int) -> None:
    machine.stack.append(machine.take(length).decode("utf-8", "surrogatepass"))


def _text_line(machine: Machine) -> None:
    machine.stack.append(machine.line(len(machine.data)).decode("raw-unicode-escape"))


def _tuple(machine: Machine, count: int) -> None:
    if len(machine.stack) < count:
        raise RefusedError("a pickle that is malformed")
    items = tuple(machine.stack[-count:])
    del machine.stack[-count:]
    machine.put_new(items)


def _append(machine: Machine) -> None:
    value = machine.stack.pop()
    machine.top(list).append(value)


def _appends(machine: Machine) -> None:
    items = machine.to_mark()
    machine.top(list).extend(items)


def _set_items(machine: Machine, items: list[Any]) -> None:
    if len(items) % 2:
        raise RefusedError("a pickle that is malformed")
    target = machine.top(dict)
    keys = items[::2]
    machine.check_keys(target, keys)
    target.update(zip(keys, items[1::2], strict=True))


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _add_items(machine: Machine) -> None:
    items = machine.to_mark()
    target = machine.top(set)
    machine.check_keys(target, items)
    target.update(items)


def _put_set(machine: Machine, kind: type[set[Any]] | type[frozenset[Any]], members: list[Any]) -> None:
    machine.check_keys(object(), members)
    machine.put_new(kind(members))


def _global(machine: Machine) -> None:
    module = machine.line(MAX_NAME_BYTES).decode()
    machine.put_name(module, machine.line(MAX_NAME_BYTES).decode())


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.put_name(module, name)


def _reduce(machine: Machine) -> None:
    arguments, builder = machine.stack.pop(), machine.stack.pop()
    if type(builder) is not Builder or type(arguments) is not tuple:
        raise RefusedError("a call of something that is not a name")
    result = builder.call(arguments)
    if builder is SET:
        _put_set(machine, set, result)
    elif builder is FROZENSET:
        _put_set(machine, frozenset, result)
    else:
        machine.put_new(result)


def _build(machine: Machine) -> None:
    """Give a dtype or an array of numpy's own pickles its state."""
    state = machine.stack.pop()
    target = machine.top(Dtype, HalfArray)
    if type(target) is Dtype:
        target.set_state(state)
        return
    array = machine.stack[-1] = target.with_state(state)
    for index in target.remembered:
        if machine.memo.get(index) is target:
            machine.memo[index] = array


def _put(value: object) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(value)


TABLE: Table = {
    # frame and end
    0x80: _proto,
    0x95: _frame,
    ord("0"): _pop,
    # values
    ord("N"): _put(None),
    0x88: _put(True),
    0x89: _put(False),
    ord("K"): lambda m: m.stack.append(m.byte()),
    ord("M"): lambda m: m.stack.append(m.number(_U16)),
    ord("J"): lambda m: m.stack.append(m.number(_I32)),
    0x8A: lambda m: _long(m, m.byte()),
    0x8B: lambda m: _long(m, m.number(_U32)),
    ord("L"): lambda m: _number_text(m, int, b"L"),
    ord("G"): lambda m: m.stack.append(m.number(_F64)),
    ord("F"): lambda m: _number_text(m, float, b""),
    0x8C: lambda m: _text(m, m.byte()),
    ord("X"): lambda m: _text(m, m.number(_U32)),
    0x8D: lambda m: _text(m, m.number(_U64)),
    ord("V"): _text_line,
    ord("C"): lambda m: m.stack.append(m.take(m.byte())),
    ord("B"): lambda m: m.stack.append(m.take(m.number(_U32))),
    0x8E: lambda m: m.stack.append(m.take(m.number(_U64))),
    0x96: lambda m: m.put_new(bytearray(m.take(m.number(_U64)))),
    # containers
    ord("("): Machine.mark,
    ord(")"): _put(()),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("t"): lambda m: m.put_new(tuple(m.to_mark())),
    ord("]"): lambda m: m.put_new([]),
    ord("a"): _append,
    ord("e"): _appends,
    ord("}"): lambda m: m.put_new({}),
    ord("s"): _set_item,
    ord("u"): lambda m: _set_items(m, m.to_mark()),
    0x8F: lambda m: m.put_new(set()),
    0x90: _add_items,
    0x91: lambda m: _put_set(m, frozenset, m.to_mark()),
    # memo
    ord("q"): lambda m: m.remember(m.byte()),
    ord("r"): lambda m: m.remember(m.number(_U32)),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.stack.append(m.memo[m.byte()]),
    ord("j"): lambda m: m.stack.append(m.memo[m.number(_U32)]),
    # names, each a builder of ours
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _reduce,
    ord("b"): _build,
}
