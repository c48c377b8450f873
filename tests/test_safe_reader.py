"""The reader of records is safe on files from strangers: nothing is executed, nothing crashes, memory is bounded."""

import io
import os
import pickle
import pickletools
import random
import struct
import warnings
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from hippogym.core.plain import MAX_NODES
from hippogym.core.record_format import encode_entry
from hippogym.data.reader import DamagedRange, ReadReport, read_entries
from hippogym.data.safe_pickle import CutShortError, RefusedError, load
from hippogym.errors import RecordError


def entries_of(count: int = 5) -> list[dict]:
    return [{"n": n, "observation": np.full((3, 4), n, np.float32), "hippogym": {"kind": "tick"}} for n in range(count)]


def file_of(entries: list[dict], first_seq: int = 0) -> bytes:
    return b"".join(encode_entry(entry, seq) for seq, entry in enumerate(entries, first_seq))


def read(source, **more) -> tuple[list[dict], ReadReport]:
    report = ReadReport()
    return list(read_entries(source, report=report, **more)), report


# -- what is read ------------------------------------------------------------------------------------------------


class Stream(io.RawIOBase):
    """A file that cannot seek, as one from a network."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._inner.readinto(memoryview(buffer)[:1000])


def test_a_record_is_read_from_a_path_from_bytes_and_from_an_open_file(tmp_path):
    data = file_of(entries_of())
    path = tmp_path / "episode_0000.pkl"
    path.write_bytes(data)
    for source in (path, str(path), data, io.BytesIO(data), path.open("rb"), Stream(data)):
        entries, report = read(source)
        assert [entry["n"] for entry in entries] == [0, 1, 2, 3, 4]
        assert report.verified and report.format == "HGR1" and report.intact and report.bytes == len(data)
        assert (report.first_seq, report.last_seq, report.entries, report.ended) == (0, 4, 5, False)
        if isinstance(source, io.BufferedReader):
            source.close()


def test_an_empty_file_has_no_entries():
    entries, report = read(b"")
    assert entries == [] and report.format == "empty" and not report.verified and report.intact


def test_damage_is_passed_over_and_reported():
    pieces = [encode_entry(entry, seq) for seq, entry in enumerate(entries_of())]
    start, end = len(pieces[0] + pieces[1]), len(pieces[0] + pieces[1] + pieces[2])
    data = bytearray(b"".join(pieces))
    data[start + 9] ^= 0xFF
    entries, report = read(bytes(data) + b"torn")
    assert [entry["n"] for entry in entries] == [0, 1, 3, 4]
    assert report.missing == [(2, 2)] and report.verified and not report.intact
    assert report.damaged == [
        DamagedRange(start, end, "damaged"),
        DamagedRange(len(data), len(data) + 4, "damaged"),
    ]
    with pytest.raises(RecordError, match=f"bytes {start} to {end} of the record: damaged"):
        list(read_entries(bytes(data), strict=True))


def test_a_gap_in_the_numbers_is_reported():
    data = file_of(entries_of(2), 3) + file_of(entries_of(1), 9)
    _, report = read(data)
    assert report.missing == [(0, 2), (5, 8)]
    with pytest.raises(RecordError, match="entries 0 to 2 of the record are missing"):
        list(read_entries(data, strict=True))


def test_an_entry_that_stands_twice_is_given_once():
    data = file_of(entries_of(3))
    entries, report = read(data + data[: len(data) // 3])
    assert [entry["n"] for entry in entries] == [0, 1, 2]
    assert [item.reason for item in report.damaged] == ["entry 0 stands here again"]


def test_a_damaged_record_never_passes_for_plain_pickles_without_checksums():
    data = bytearray(file_of(entries_of(1)))
    data[data.index(b"HGR1")] ^= 1
    assert pickle.loads(data)["n"] == 0  # a plain loop would take it
    entries, report = read(bytes(data))
    assert entries == [] and not report.verified and len(report.damaged) == 1


def test_a_valid_checksum_makes_nothing_safe():
    evil = b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R"
    length = len(evil) + 20
    crc = zlib.crc32(struct.pack("<II", 0, length), zlib.crc32(evil))
    data = evil + b"C\x10HGR1" + struct.pack("<III", 0, length, crc) + b"0."
    entries, report = read(data + encode_entry({"n": 1}, 1))
    assert entries == [{"n": 1}]
    assert report.damaged == [DamagedRange(0, length, "refused: os.system, which is not plain data")]


# -- plain pickles of earlier systems -----------------------------------------------------------------------------


def legacy_entry(n: int) -> dict:
    board = np.arange(6, dtype=np.int64).reshape(2, 3) * n
    return {
        "observation": np.full((210, 160, 3), n, np.uint8),
        "fortran": np.asfortranarray(board),
        "same": [board, board],
        "reward": np.float64(n),
        "lives": np.int32(3),
        "done": np.bool_(n == 4),
        "info": {"ale.lives": 3, 7: (1, 2.5, None, True), "names": ["a", "é" * 300], "set": {1, 2}},
        "big": 2**90,
        "bytes": bytes(range(256)) * 2,
        "array": bytearray(b"xy"),
        "text": np.array(["up", "left"]),
        "big endian": np.arange(3, dtype=">f4"),
        "ordered": OrderedDict(position=np.zeros(2), speed=1.0),
        "complex": 1 + 2j,
        "humanAction": "up",
    }


def check_legacy(entries: list[dict], count: int) -> None:
    assert len(entries) == count
    for n, entry in enumerate(entries):
        expected = legacy_entry(n)
        assert entry.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_equal(entry[name], value)
        assert entry["observation"].dtype == np.uint8 and type(entry["reward"]) is np.float64
        assert entry["same"][0] is entry["same"][1]
        assert entry["big endian"].dtype == np.dtype(">f4")
        entry["observation"][0] = 1  # it can be written to


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("numpy_1", [False, True], ids=["numpy 2", "numpy 1"])
def test_the_originals_files_are_read_as_unverified(protocol, numpy_1):
    data = b"".join(pickle.dumps(legacy_entry(n), protocol) for n in range(30))
    if numpy_1:  # numpy 1 wrote another module name, which is one byte shorter
        data = b"".join(old_names(piece) for piece in (pickle.dumps(legacy_entry(n), protocol) for n in range(30)))
    entries, report = read(data)
    check_legacy(entries, 30)
    assert report.format == "pickle" and not report.verified and report.intact and report.bytes == len(data)


def old_names(data: bytes) -> bytes:
    """The pickle as numpy 1 would have written it; frames are left out, their lengths would no longer be right."""
    out, last = [], 0
    for _, _, at in [*pickletools.genops(data), (None, None, len(data))]:
        piece, last = data[last:at], at
        if piece[:1] == b"\x95":
            continue
        if b"numpy._core" in piece:
            if piece[:1] == b"\x8c":
                piece = b"\x8c" + bytes([piece[1] - 1]) + piece[2:].replace(b"numpy._core", b"numpy.core")
            else:
                piece = piece.replace(b"numpy._core", b"numpy.core")
        out.append(piece)
    made = b"".join(out)
    assert b"numpy.core.multiarray" in made and b"_core" not in made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pickle.loads(made)
    return made


@pytest.mark.parametrize("chunk", [1, 50, 1000, 2**20])
def test_plain_pickles_may_be_larger_or_smaller_than_what_is_read_at_once(chunk, monkeypatch):
    monkeypatch.setattr("hippogym.data.reader._CHUNK", chunk)
    small = [{"n": n} for n in range(20)]
    data = b"".join(pickle.dumps(entry, 4) for entry in [*small, {"x": "y" * 5000}, *small])
    entries, report = read(data)
    assert entries == [*small, {"x": "y" * 5000}, *small] and report.intact


def test_a_plain_pickle_with_a_strange_class_costs_only_itself():
    data = pickle.dumps({"n": 0}) + pickle.dumps({"path": Path("x")}) + pickle.dumps([1]) + pickle.dumps({"n": 3})
    entries, report = read(data)
    assert entries == [{"n": 0}, {"n": 3}]
    assert [item.reason.removeprefix("refused: ") for item in report.damaged] == [
        "pathlib.PosixPath, which is not plain data",
        "an entry that is not a dict",
    ]


def test_plain_pickles_cut_short_give_what_is_whole():
    pieces = [pickle.dumps({"n": n, "x": np.zeros(5)}, 4) for n in range(3)]
    data = b"".join(pieces)
    for end in range(len(data)):
        whole = [n for n in range(3) if end >= len(b"".join(pieces[: n + 1]))]
        entries, report = read(data[:end])
        assert [entry["n"] for entry in entries] == whole
        assert report.intact is (end in (0, len(pieces[0]), len(pieces[0] + pieces[1])))


# -- files from strangers ---------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(" + b"".join(arguments) + b"tR"


def p3(body: bytes) -> bytes:
    return b"\x80\x03" + body + b"."


def p4(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def executing(place: str) -> dict[str, bytes]:
    """Pickles that make a folder at ``place`` when they are loaded in the ordinary way."""
    mkdir, code = text(place), text(f"__import__('os').mkdir({place!r})")
    get_os = call("builtins", "__import__", text("os"))
    return {
        "posix.mkdir": p3(call("posix", "mkdir", mkdir)),
        "os.mkdir": p3(call("os", "mkdir", mkdir)),
        "os.system": p3(call("os", "system", text(f"mkdir '{place}'"))),
        "builtins.eval": p3(call("builtins", "eval", code)),
        "builtins.exec": p3(call("builtins", "exec", code)),
        "subprocess": p3(call("subprocess", "call", b"](" + text("mkdir") + mkdir + b"e")),
        "getattr chain": p3(b"cbuiltins\ngetattr\n(" + get_os + text("mkdir") + b"tR(" + mkdir + b"tR"),
        "STACK_GLOBAL": p4(b"\x8c\x02os\x8c\x05mkdir\x93(" + mkdir + b"tR"),
        "STACK_GLOBAL from the memo": p4(b"\x8c\x02os\x94\x8c\x05mkdir\x940h\x00h\x01\x93(" + mkdir + b"tR"),
        "dotted STACK_GLOBAL": p4(b"\x8c\x07pathlib\x8c\x08os.mkdir\x93(" + mkdir + b"tR"),
        "INST": p3(b"(" + mkdir + b"ios\nmkdir\n"),
        "OBJ": p3(b"(cos\nmkdir\n" + mkdir + b"o"),
        "NEWOBJ": p3(b"c" + b"os\nmkdir\n" + mkdir + b"\x85R0cbuiltins\nobject\n)\x81"),
        "NEWOBJ_EX": p4(b"cos\nmkdir\n" + mkdir + b"\x85R0cbuiltins\nobject\n)}\x92"),
        "BUILD of a dict": p3(call("os", "mkdir", mkdir) + b"0}}b"),
        "dropped before the value": p3(call("os", "mkdir", mkdir) + b"0}"),
        "inside a dict": p3(b"}" + text("a") + call("os", "mkdir", mkdir) + b"s"),
        "as a key": p3(b"}" + call("os", "mkdir", mkdir) + b"Ns"),
        "inside a set": p4(b"\x8f(" + call("os", "mkdir", mkdir) + b"\x90"),
        "state of an array": p3(
            b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR("
            + b"K\x01K\x01\x85cnumpy\ndtype\nX\x02\0\0\0u1\x85R\x89C\x01a"
            + call("os", "mkdir", mkdir)
            + b"0tb"
        ),
        "shape of an array": p3(b"cnumpy\nndarray\n(" + call("os", "mkdir", mkdir) + b"0K\x01\x85X\x02\0\0\0u1tR"),
        "a callable that numpy loads": p3(
            call("numpy", "load", text("x")).replace(b"cnumpy\nload", b"cos\nmkdir").replace(text("x"), mkdir)
        ),
        "a helper of the standard library": p3(call("runpy", "_run_code", code, b"}")),
        "codecs with a wrong name": p3(
            call("os", "mkdir", mkdir) + b"0" + call("_codecs", "encode", text("a"), text("rot13"))
        ),
        "pickle in a pickle": p3(
            call("_pickle", "loads", b"B" + struct.pack("<I", len(inner := p3(call("os", "mkdir", mkdir)))) + inner)
        ),
        "operator.methodcaller": p3(b"coperator\nmethodcaller\n(" + text("mkdir") + mkdir + b"tR(" + get_os + b"tR"),
        "functools.partial": p3(b"cfunctools\npartial\n(cos\nmkdir\n" + mkdir + b"tR)R"),
        "map in a list": p3(b"cbuiltins\nlist\n(cbuiltins\nmap\n(cos\nmkdir\n](" + mkdir + b"etRtR"),
    }


LONG = 2**31 - 1
ARRAY = b"cnumpy\nndarray\n"
RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
DTYPE = b"cnumpy\ndtype\n"


def array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return p3(ARRAY + shape + dtype + b"cbuiltins\nbytearray\nB" + struct.pack("<I", len(data)) + data + b"\x85R\x87R")


def doubling(opcode_of_container: bytes, times: int) -> bytes:
    """Each list holds the one before twice: two to the power of ``times`` values in a few bytes."""
    body = b"]q\x00"
    for n in range(times):
        body += opcode_of_container + b"(h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1])
    return p3(body)


def equal_hashes(count: int) -> bytes:
    prime = 2**61 - 1
    keys = b"".join(b"\x8a\x0a" + (n * prime).to_bytes(10, "little", signed=True) + b"N" for n in range(count))
    return p3(b"}(" + keys + b"u")


HOSTILE = {
    "PERSID": p3(b"Pabc\n"),
    "BINPERSID": p3(b"NQ"),
    "EXT1": p3(b"\x82\x01"),
    "EXT2": p3(b"\x83\x01\x00"),
    "EXT4": p3(b"\x84\x01\0\0\0"),
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05N\x98.",
    "DUP": p3(b"}2\x86"),
    "POP_MARK": p3(b"}(N1"),
    "POP of the last": p3(b"}N0"),
    "GET of text": p3(b"}p0\ng0\n"),
    "protocol 0": b"(dp0\nS'a'\np1\nI1\ns.",
    "unknown opcode": p3(b"\xff"),
    "protocol 200": b"\x80\xc8}.",
    "stack underflow": p3(b"s"),
    "mark underflow": p3(b"u"),
    "nothing": p3(b""),
    "two values": p3(b"}}"),
    "open mark": p3(b"(}"),
    "mark in the result": p3(b"}(("),
    "memo that is not there": p3(b"h\x05"),
    "memo flood": p4(b"}" + b"\x94" * 900_000),
    "a list in a dict key": p3(b"}]Ns"),
    "unhashable member": p4(b"\x8f(]\x90"),
    "a name as a value": p3(b"}X\x01\0\0\0acnumpy\nndarray\ns"),
    "a name as a key": p3(b"}cnumpy\nndarray\nNs"),
    "a dtype as a value": p3(b"}X\x01\0\0\0a" + DTYPE + b"X\x02\0\0\0u1\x85Rs"),
    "half an array as a value": p3(b"}X\x01\0\0\0a" + RECONSTRUCT + b"s"),
    "half an array in a list, then built": p3(
        b"]q\x00" + RECONSTRUCT + b"q\x01ah\x01K\x01K\x01\x85" + DTYPE + b"X\x02\0\0\0u1\x85R\x89C\x01atb0"
    ),
    "call of a dict": p3(b"})R"),
    "call with a list": p3(b"cbuiltins\nset\n]R"),
    "a call that is called": p3(b"cbuiltins\nset\n)R)R"),
    "a list that is built": p3(b"]}b"),
    "append to a dict": p3(b"}Na"),
    "append to a tuple": p3(b")Na"),
    "items of a list": p3(b"](NNu"),
    "odd items": p3(b"}(Nu"),
    "add to a frozenset": p4(b"(\x91(N\x90"),
    "name with a newline trick": p4(b"\x8c\x09os\nsystem\x8c\x01a\x93"),
    "name that is not text": p4(b"NN\x93"),
    "name of 10 KB": p3(b"c" + b"a" * 10_000 + b"\nb\n)R"),
    "name that is not UTF-8": p3(b"c\xff\nb\n)R"),
    "builtins without its module": p3(b"c\nset\n)R"),
    "attribute of numpy": p4(b"\x8c\x05numpy\x8c\x0cload.__self__\x93"),
    "numpy.frombuffer": p3(call("numpy", "frombuffer", b"C\x01a")),
    "numpy ufunc": p3(call("numpy._core", "_ufunc_reconstruct", text("os"), text("system"))),
    "numpy.ndarray of a stranger": p3(b"cnumpy.core.multiarray\n_reconstruct\ncbuiltins\nset\nK\x00\x85C\x01b\x87R"),
    "10 GB of text": p3(b"}X\xff\xff\xff\x7f"),
    "2 to the 62 bytes": p4(b"}\x8e" + struct.pack("<Q", 2**62)),
    "2 to the 64 bytes of text": p4(b"}\x8d" + struct.pack("<Q", 2**64 - 1)),
    "bytearray of 8 exabytes": b"\x80\x05}\x96" + struct.pack("<Q", 2**63) + b".",
    "frame of 8 exabytes": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"}.",
    "negative length of an integer": p3(b"\x8b\xff\xff\xff\xff"),
    "an integer of 100 KB": p3(b"\x8b" + struct.pack("<I", 100_000) + b"\x01" * 100_000),
    "an integer of 5,000 digits": p3(b"L" + b"9" * 5000 + b"L\n"),
    "a number that is none": p3(b"Lx\n"),
    "a float that is none": p3(b"F__\n"),
    "text that is not UTF-8": p3(b"X\x02\0\0\0\xff\xff"),
    "bad escape": p3(b"V\\uzzzz\n"),
    "dtype O": array(b"K\x01\x85", text("O"), bytes(8)),
    "dtype |O8": array(b"K\x01\x85", text("|O8"), bytes(8)),
    "dtype of Python": array(b"K\x01\x85", text("object"), bytes(8)),
    "dtype with a comma": array(b"K\x01\x85", text("O,i4"), bytes(12)),
    "dtype StringDType": array(b"K\x01\x85", text("T"), bytes(16)),
    "fields with objects": array(b"K\x01\x85", b"](" + text("a") + text("|O8") + b"\x86e", bytes(8)),
    "fields in fields with objects": array(
        b"K\x01\x85", b"](" + text("a") + b"](" + text("b") + text("O") + b"\x86e\x86e", bytes(8)
    ),
    "fields as a dict": array(b"K\x01\x85", b"}", bytes(8)),
    "dtype without size": array(b"K\x01\x85", text("S0"), b""),
    "field of 2 to the 39 items": array(
        b"K\x00\x85", b"](" + text("a") + text("u1") + b"\x8a\x05\0\0\0\0\x40\x87e", b""
    ),
    "negative shape": array(b"J\xff\xff\xff\xff\x85", text("|u1"), b"a"),
    "two negative lengths": array(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", text("|u1"), b"a"),
    "shape that overflows": array(b"\x8a\x08\0\0\0\0\0\0\0\x40K\x04\x86", text("|u1"), b""),
    "shape that is a list": array(b"](K\x01e", text("|u1"), b"a"),
    "shape of booleans": array(b"\x88\x85", text("|u1"), b"a"),
    "shape beyond the bytes": array(b"J\0\0\0\x40\x85", text("|u1"), b"a"),
    "shape short of the bytes": array(b"K\x01\x85", text("|u1"), b"ab"),
    "33 dimensions": array(b"(" + b"K\x01" * 33 + b"t", text("|u1"), b"a"),
    "booleans of 7": array(b"K\x01\x85", text("|b1"), b"\x07"),
    "characters beyond Unicode": array(b"K\x01\x85", text("<U1"), b"\xff\xff\xff\x7f"),
    "a date without a unit": array(b"K\x01\x85", text("<M8"), b"\x01" + bytes(7)),
    "array without bytes": p3(ARRAY + b"K\x01\x85" + text("|u1") + b"N\x87R"),
    "array over text": p3(ARRAY + b"K\x01\x85" + text("|u1") + text("a") + b"\x87R"),
    "array with strides": p3(ARRAY + b"(K\x01\x85" + text("|u1") + b"C\x01aK\x00J\0\0\0\x40\x85tR"),
    "state with an unknown dtype": p3(RECONSTRUCT + b"(K\x01K\x01\x85N\x89C\x01atb"),
    "state with objects": p3(RECONSTRUCT + b"(K\x01K\x01\x85" + DTYPE + b"X\x02\0\0\0O8\x85R\x89](NetbN"),
    "state of one number": p3(RECONSTRUCT + b"K\x01b"),
    "dtype state with fields": p3(DTYPE + b"X\x02\0\0\0V8\x85R(K\x03X\x01\0\0\0<NX\x01\0\0\0a\x85}K\x08K\x01K\x10tb"),
    "dtype state with metadata": p3(DTYPE + b"X\x02\0\0\0M8\x85R(K\x04X\x01\0\0\0<NNNK\x08K\x08K\x00}tb"),
    "scalar of objects": p3(b"cnumpy.core.multiarray\nscalar\n" + DTYPE + b"X\x02\0\0\0O8\x85RC\x08aaaaaaaa\x86R"),
    "scalar with too many bytes": p3(b"cnumpy.core.multiarray\nscalar\n" + DTYPE + b"X\x02\0\0\0u1\x85RC\x02aa\x86R"),
    "ten thousand lists deep": p3(b"]" * 10_000 + b"a" * 9_999),
    "a million tuples deep": p3(b")" + b"\x85" * 1_000_000),
    "a key a hundred thousand tuples deep": p3(b"})" + b"\x85" * 100_000 + b"Ns"),
    "a list in itself": p3(b"]q\x00h\x00a"),
    "a dict in itself": p3(b"}q\x00X\x01\0\0\0ah\x00s"),
    "billion laughs": doubling(b"]", 60),
    "billion laughs in a key": p3(
        b"}N\x85q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"Ns"
    ),
    "a million lists": p3(b"](" + b"]" * 1_000_000 + b"e"),
    "a million sets": p4(b"](" + b"\x8f" * 1_000_000 + b"e"),
    "a million numbers": p3(b"](" + b"K\x01" * 1_000_000 + b"e"),
    "a million marks": p3(b"(" * 1_000_000),
    "keys that share a hash": equal_hashes(20_000),
    "keys that share a hash, one by one": p3(
        b"}"
        + b"".join(b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little", signed=True) + b"Ns" for n in range(20_000))
    ),
    "members that share a hash": p3(
        b"cbuiltins\nset\n]("
        + b"".join(b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little") for n in range(20_000))
        + b"e\x85R"
    ),
}


@pytest.mark.parametrize("name", executing("x"))
def test_what_an_ordinary_load_would_execute_is_refused(name, tmp_path):
    place = tmp_path / "executed"
    data = executing(str(place))[name]
    for data_read in (data, pickle.dumps({"n": 0}) + data):
        entries, report = read(data_read)
        assert len(entries) in (0, 1) and len(report.damaged) >= 1
        assert not place.exists()
    with pytest.raises((RefusedError, CutShortError)):
        load(data)


def test_the_corpus_does_execute_when_it_is_loaded_in_the_ordinary_way(tmp_path):
    """Otherwise the test above would show nothing."""
    harmless = []
    for name in executing("x"):
        place = tmp_path / "executed"
        try:
            pickle.loads(executing(str(place))[name])
        except Exception:
            pass  # some fail after they have done it
        if not place.exists():
            harmless.append(name)
        else:
            place.rmdir()
    assert harmless == []


@pytest.mark.parametrize("name", HOSTILE)
def test_what_plain_data_does_not_need_is_refused(name):
    with pytest.raises((RefusedError, CutShortError)):
        load(HOSTILE[name])
    entries, report = read(HOSTILE[name])
    assert entries == [] and report.damaged[0].start == 0
    assert report.damaged[-1].end == report.bytes == len(HOSTILE[name])


def test_the_whole_corpus_takes_a_bounded_amount_of_memory(tmp_path):
    """In a child, whose highest use of memory the kernel counts from zero."""
    corpus = [*HOSTILE.values(), *executing(str(tmp_path / "x")).values()]
    assert len(corpus) > 100
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            Path("/proc/self/clear_refs").write_text("5")
            before = memory_peak_kb()
            for data in corpus:
                read(data)
            code = 0 if memory_peak_kb() - before < 256 * 1024 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def memory_peak_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def test_a_memo_index_of_four_billion_costs_nothing():
    """In Python's own unpickler the memo is an array as long as its largest index."""
    bombs = b"".join(b"r" + struct.pack("<I", 2**32 - 1 - 7919 * n) for n in range(300))
    assert load(p3(b"}" + bombs))[0] == {}


def test_shared_values_that_are_few_are_read():
    entry = {"a": [1, 2]}
    entry["b"] = [entry["a"], entry["a"]]
    assert load(pickle.dumps(entry, 4))[0] == entry


def test_many_different_numbers_as_keys_are_read():
    entry = {
        "seen": set(range(20_000)),
        "table": {(n, n % 7): float(n) for n in range(5000)},
        "f": {n / 3 for n in range(5000)},
    }
    assert load(pickle.dumps(entry, 4))[0] == entry


def test_a_list_of_as_many_numbers_as_a_record_may_hold_is_read():
    entry = {"pixels": [7] * (MAX_NODES - 10)}
    assert load(pickle.dumps(entry, 3))[0] == entry


def test_a_stream_of_noise_is_read_to_its_end(tmp_path):
    noise = random.Random(8).randbytes(3 * 2**20)
    for data in (noise, file_of(entries_of(3)) + noise, b"C\x10HGR1" * 200_000):
        entries, report = read(data)
        assert len(entries) in (0, 3) and report.damaged


# -- mutations --------------------------------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    small = {**legacy_entry(2), "observation": np.zeros((4, 4), np.uint8), "bytes": b"abc"}
    escaped = encode_entry({"typed": "C\x10HGR1", "a": np.arange(3), "b": [1.5, 2**70, b"x", 1j, {1}]}, 0)[:-20] + b"."
    structured = encode_entry({"a": np.zeros(2, [("x", "<f4"), ("y", "<U3", (2,))])}, 0)[:-20] + b"."
    return [pickle.dumps(small, protocol) for protocol in (2, 3, 4, 5)] + [escaped, structured]


INTERESTING = [
    b"\x00",
    b"\xff",
    b"(",
    b".",
    b"R",
    b"b",
    b"0",
    b"2",
    b"h\x00",
    b"\x94",
    b"K\x01",
    b"]",
    b"}",
    b"\x85",
    b"t",
    b"u",
]


def mutated(data: bytes, others: list[bytes], random_: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(random_.choice([1, 1, 1, 2, 4, 8])):
        at = random_.randrange(len(made) + 1)
        match random_.randrange(6):
            case 0 if at < len(made):
                made[at] = random_.randrange(256)
            case 1 if at < len(made):
                made[at] ^= 1 << random_.randrange(8)
            case 2:
                del made[at : at + random_.choice([1, 2, 8, 50])]
            case 3:
                made[at:at] = random_.choice(INTERESTING)
            case 4:
                other = random_.choice(others)
                cut = random_.randrange(len(other))
                made[at:at] = other[cut : cut + random_.choice([1, 5, 20, 100])]
            case 5:
                made[at : at + 4] = struct.pack("<I", random_.choice([0, 1, 2**31, 2**32 - 1, 255, 70_000]))
    return bytes(made)


def check_mutations(count: int, seed: int) -> None:
    random_, corpus = random.Random(seed), seeds()
    refused = 0
    for _ in range(count):
        data = mutated(random_.choice(corpus), corpus, random_)
        try:
            value, end = load(data)
        except (RefusedError, CutShortError):
            refused += 1
            continue
        assert 0 < end <= len(data)
        check_usable(value)
    assert refused > count / 3


def check_usable(value) -> None:
    """What was accepted can be written down, compared and copied without harm."""
    repr(value)
    pickle.dumps(value)


def test_mutated_pickles_are_read_or_refused_but_never_do_harm():
    check_mutations(8_000, seed=9)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_mutated_pickles_do_no_harm():
    check_mutations(1_000_000, seed=10)


def test_mutated_files_of_either_kind_are_read_to_the_end():
    random_ = random.Random(11)
    legacy = b"".join(pickle.dumps({"n": n, "a": np.arange(n)}, 4) for n in range(6))
    files = [legacy, file_of(entries_of(6))]
    for _ in range(600):
        data = mutated(random_.choice(files), files, random_)
        for entry in read(data)[0]:
            assert type(entry) is dict
            check_usable(entry)
