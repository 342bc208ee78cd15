"""The inert pickle machine: what Python pickles comes back, what a stranger pickles does nothing."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import fractions
import gc
import io
import os
import pickle
import pickletools
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import pickle_machine
from tb_embfactor.formats.pickle_machine import Limits, Reference, Symbol, as_mapping, load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = [
    None, True, False, 0, 1, 255, 256, 65535, 65536, -1, -(2**31), 2**31, 2**63, -(2**200), 0.5, -1e300, float("inf"),
    "", "word", "wörter 词", "\ud800", "tab\tand\nline", 'quo"te\\', (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),)),
    [], [1], list(range(3000)), {}, {"a": 1}, {i: str(i) for i in range(3000)}, {(1, "a"): None, 2.5: [], None: {}}, "x" * 300,
]  # fmt: skip


class Colour(enum.Enum):
    RED = 1


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


class Slotted:
    __slots__ = ("left", "right")


class WithKeywords:
    def __new__(cls, *, size: int) -> WithKeywords:
        made = super().__new__(cls)
        made.size = size
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"size": self.size}


def run(program: bytes, **limits: int) -> Any:
    return load(program, "x.pkl", limits=Limits(**limits)).value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_are_those_that_python_builds(protocol: int) -> None:
    data = pickle.dumps(PLAIN, protocol)
    loaded = load(data, "x.pkl")
    assert loaded.value == pickle.loads(data)
    assert [type(value) for value in loaded.value] == [type(value) for value in PLAIN]
    assert loaded.end == len(data)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_are_bytes(protocol: int) -> None:
    values = [b"", b"ab\0", b"x" * 300, bytes(range(256))]
    assert run(pickle.dumps(values, protocol)) == values
    if protocol == 5:
        assert run(pickle.dumps(bytearray(b"ab"), 5)) == b"ab"


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_bytes_in_the_protocols_of_python_2_are_a_call(protocol: int) -> None:
    node = run(pickle.dumps(b"\xff\0", protocol))
    assert node.callee == Symbol("_codecs", "encode")
    assert node.args == ("\xff\0", "latin1")


def test_strings_of_python_2() -> None:
    assert run(b"S'a\\'b\\xff'\n.") == "a'b\xff"
    assert run(b'S"a"\n.') == "a"
    assert run(b"U\x02\xff\x00.") == run(b"T\x02\0\0\0\xff\x00.") == "\xff\0"
    assert run(b"Vw\\u00f6rter\n.") == "wörter"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_shared_and_circular_objects_stay_so(protocol: int) -> None:
    shared: list[Any] = [1]
    circle: list[Any] = [shared, shared]
    circle.append(circle)
    value = run(pickle.dumps(circle, protocol))
    assert value[0] is value[1] == [1]
    assert value[2] is value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_are_nodes(protocol: int) -> None:
    ordered = collections.OrderedDict(a=1, b=[2])
    ordered.note = "kept"  # type: ignore[attr-defined]
    node = run(pickle.dumps(ordered, protocol))
    assert node.callee == Symbol("collections", "OrderedDict")
    assert as_mapping(node) == {"a": 1, "b": [2]}
    assert node.state == {"note": "kept"}
    assert run(pickle.dumps(collections.deque([1, 2]), protocol)).items == [1, 2]
    assert run(pickle.dumps(Colour.RED, protocol)).callee.name == "Colour"
    fraction = run(pickle.dumps(fractions.Fraction(1, 3), protocol))
    assert fraction.callee == Symbol("fractions", "Fraction")
    when = run(pickle.dumps(datetime.date(2024, 5, 1), protocol))
    assert when.callee == Symbol("datetime", "date")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_instances_keep_class_and_state(protocol: int) -> None:
    node = run(pickle.dumps(Point(1, 2), protocol))
    symbol = Symbol(Point.__module__, "Point")
    assert symbol in (node.callee, *node.args)  # before protocol 2 a helper of copyreg makes the object
    assert node.state == {"x": 1, "y": 2}
    slotted = Slotted()
    slotted.left, slotted.right = 1, 2
    if protocol >= 2:
        assert run(pickle.dumps(slotted, protocol)).state == (None, {"left": 1, "right": 2})
        node = run(pickle.dumps(WithKeywords(size=3), protocol))
        found = node.args[1] if protocol >= 4 else node.callee.state[2]  # of functools.partial
        assert found == {"size": 3}


@pytest.mark.parametrize("protocol", [2, 4])
def test_sets_are_nodes_with_items(protocol: int) -> None:
    node = run(pickle.dumps({1, 2}, protocol))
    assert sorted(node.items or node.args[0]) == [1, 2]
    node = run(pickle.dumps(frozenset([3]), protocol))
    assert (node.items or node.args[0]) == [3]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_persistent_ids_are_references(protocol: int) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return "key-7" if isinstance(value, Point) else None

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump([Point(1, 2)])
    (reference,) = run(buffer.getvalue())
    assert isinstance(reference, Reference)
    assert reference.id == "key-7"


def test_several_pickles_in_a_row() -> None:
    data = pickle.dumps([1], 2) + pickle.dumps("two", 2) + b"the rest"
    first = load(data, "x")
    assert load(data, "x", first.end).value == "two"


def test_every_opcode_is_known_or_refused() -> None:
    tables = pickle_machine._VALUE_OF.keys() | pickle_machine._STEP_OF.keys()
    known = {opcode.name for opcode in pickletools.opcodes}
    assert known - tables == {"STOP", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
    assert tables <= known
    assert not pickle_machine._VALUE_OF.keys() & pickle_machine._STEP_OF.keys()


def test_the_opcodes_that_pickle_itself_no_longer_writes() -> None:
    assert run(b"(I1\nI2\nl.") == [1, 2]
    assert run(b"(I1\nI2\nd.") == {1: 2}
    assert run(b"(I1\n1N.") is None
    assert run(b"N2\x86.") == (None, None)
    assert run(b"I01\n.") is True and run(b"I00\n.") is False
    node = run(b"(I1\nios\npath\n.")
    assert (node.callee, node.args) == (Symbol("os", "path"), (1,))
    node = run(b"(cos\npath\nI1\no.")
    assert (node.callee, node.args) == (Symbol("os", "path"), (1,))
    assert load(b"(I1\nios\npath\n.", "x").symbols == {Symbol("os", "path")}


# ---- what strangers write


class Calls:
    """Pickles to a call of whatever it is given."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("function", [os.system, eval, os.mkdir])
def test_nothing_is_called(protocol: int, function: Any, tmp_path: Path) -> None:
    """Python's own machine makes the canary; this one, from the same bytes, does not."""
    canary = tmp_path / "canary"
    argument = {os.system: f"touch {canary}", eval: f"open({str(canary)!r}, 'w').close()", os.mkdir: str(canary)}[function]
    data = pickle.dumps([Calls(function, argument)], protocol)
    pickle.loads(data)
    assert canary.exists()
    canary.rmdir() if canary.is_dir() else canary.unlink()
    loaded = load(data, "x.pkl")
    assert not canary.exists()
    assert [symbol.name for symbol in loaded.symbols] == [function.__name__]
    assert loaded.value[0].args == (argument,)


def test_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"imported {args[0]}")

    monkeypatch.setattr("builtins.__import__", refuse)
    assert load(b"cantigravity\nfly\n.", "x").value == Symbol("antigravity", "fly")


DAMAGED = {
    "nothing on the stack": b".",
    "memo entry that is not there": b"h\x05.",
    "memo entry of 2³²": b"j\xff\xff\xff\xff.",
    "negative memo entry": b"g-1\n.",
    "mark that is not there": b"t.",
    "tuple of more than there is": b"N\x87.",
    "value without a key": b"}(Nu.",
    "list as a key": b"}]Ns.",
    "tuple of tuples as a key": b"})\x85\x85Ns.",
    "long tuple as a key": b"}(" + b"N" * 9 + b"tNs.",
    "integer of 64 bits as a key": b"}\x8a\x09" + b"\xff" * 8 + b"\x00Ns.",
    "items for what holds none": b"I1\n(Ne.",
    "entries for a list": b"](NNu.",
    "state for a list": b"]Nb.",
    "class whose name is a number": b"I1\nI2\n\x93.",
    "integer of a million digits": b"L" + b"1" * 1_000_000 + b"L\n.",
    "integer of 64 KB": b"\x8b\x00\x00\x01\x00" + bytes(65536) + b".",
    "number that is none": b"Fone\n.",
    "text that is not UTF-8": b"X\x01\x00\x00\x00\xff.",
    "string without quotes": b"Sabc\n.",
    "unknown opcode": b"\xff.",
    "opcode of the registry": b"\x82\x01.",
    "buffer beside the pickle": b"\x97.",
}

CUT_OFF = {
    "nothing": b"",
    "no end": b"N",
    "bytes of 2⁶²": b"\x8e" + struct.pack("<Q", 1 << 62) + b"ab.",
    "bytes of 2⁶⁴ - 1": b"\x8e" + b"\xff" * 8 + b"ab.",
    "bytearray of 2⁶²": b"\x96" + struct.pack("<Q", 1 << 62) + b"ab.",
    "text of 4 GB": b"X\xff\xff\xff\xffab.",
    "integer of 2 GB": b"\x8b\xff\xff\xff\x7fab.",
    "length cut off": b"\x8e\x01",
    "line without an end": b"cos.",
    "one line of two": b"cos\nsystem.",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(name: str) -> None:
    with pytest.raises(DamagedError, match=r"x\.pkl is damaged: its pickle makes no sense at byte \d+ "):
        run(DAMAGED[name])


@pytest.mark.parametrize("name", CUT_OFF)
def test_cut_off(name: str) -> None:
    with pytest.raises(IncompleteError, match=r"x\.pkl is incomplete: its pickle ends before it is complete"):
        run(CUT_OFF[name])


@pytest.mark.parametrize("opcode", [b"(", b"]", b"}", b"\x8f", b")", b"N", b"N\x94", b"cos\nsystem\n", b"NNR"])
def test_more_steps_than_allowed(opcode: bytes) -> None:
    with pytest.raises(UnsupportedError, match=r"the number of steps in its pickle is more than 1,000"):
        run(opcode * 1001 + b".", n_opcodes=1000)


def test_more_bytes_than_allowed() -> None:
    with pytest.raises(UnsupportedError, match=r"its pickle is 102 bytes, and the limit is 101"):
        run(b"B\x60\0\0\0" + bytes(96) + b".", n_bytes=101)


@pytest.mark.parametrize(
    "opcode", [b"\x85", b"]\x86", b"](NeN\x87", b"NR", b"}(Nh\0u\x86"], ids=["tuples", "pairs", "lists", "nodes", "dicts"]
)
def test_depth_and_repetition_cost_nothing(opcode: bytes) -> None:
    """A tuple in a tuple, 100,000 times, and what doubles at each level: built and thrown away without recursion."""
    assert run(b"Nq\0" + opcode * 100_000 + b".") is not None
    assert run(b"N" + b"2\x86" * 100_000 + b".") is not None


def test_a_list_that_holds_itself() -> None:
    value = run(b"]q\0h\0a.")
    assert value[0] is value


def test_garbage_collection_is_left_as_it_was() -> None:
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        try:
            run(b"N.")
            assert gc.isenabled() == was_on
            with pytest.raises(DamagedError):
                run(b".")
            assert gc.isenabled() == was_on
        finally:
            gc.enable()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_mutations_give_a_value_or_an_error_of_ours(protocol: int) -> None:
    rng = random.Random(protocol)
    values = [PLAIN, Point(1, 2), collections.OrderedDict(a=Colour.RED), {1, 2}, fractions.Fraction(1, 3)]
    data = pickle.dumps(values, protocol)[:2000]
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with contextlib.suppress(EmbfactorError):
            run(bytes(damaged))
