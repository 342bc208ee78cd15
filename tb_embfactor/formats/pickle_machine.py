"""Pickles as data: what a pickle would build, without building it.

A pickle is a program for a small stack machine, and its author chooses which functions of the reader's environment are called.
Lists of forbidden functions are no gate, since they keep being bypassed. Here nothing is imported and nothing is called,
whatever the program says: the name of a function or class becomes a `Symbol`, a call becomes a `Node` that keeps its arguments,
a reference to something outside of the pickle becomes a `Reference`. Who knows what a framework writes finds it in these.

The opcodes are those of the standard library's `pickletools`, which knows their argument's layout; protocols 0 to 5. A program
has no loops, so it ends; how long it may be, and thereby how much memory it takes, are `Limits`. What it builds may be as
deep as the program is long and may contain itself: walk it along keys that are known, or remember what was seen.

    https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

import codecs
import gc
import pickle
import pickletools
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError

MAX_INTEGER_BYTES = 1024
MAX_KEY_PARTS = 8
_N_NAMES_SHOWN, _NAME_SHOWN = 3, 60
_FOREIGN_MODULES = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "shutil",
        "socket",
        "pty",
        "commands",
        "runpy",
        "importlib",
        "imp",
        "ctypes",
        "webbrowser",
        "http",
        "urllib",
        "urllib2",
        "requests",
        "ftplib",
        "smtplib",
        "pickle",
        "_pickle",
        "marshal",
        "code",
        "codeop",
        "pdb",
        "bdb",
        "timeit",
        "cProfile",
        "profile",
        "trace",
        "pip",
        "ensurepip",
        "pydoc",
    ]
)
_FOREIGN_BUILTINS = frozenset(
    ["eval", "exec", "execfile", "compile", "open", "file", "__import__", "input", "breakpoint", "globals", "locals", "vars"]
)


class Symbol(NamedTuple):
    """A function or class that the program names: `torch._utils`, `_rebuild_tensor_v2`."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Node:
    """An object that the program makes by calling something.

    callee : a `Symbol`, or whatever else it calls. args : a tuple, or whatever it passes as one; of `NEWOBJ_EX` (args, kwargs).
    state : what `BUILD` gave it. items, entries : what was appended or added to it, and set in it by key; None where nothing was.
    """

    __slots__ = ("args", "callee", "entries", "items", "state")

    def __init__(self, callee: Any, args: Any) -> None:
        self.callee, self.args = callee, args
        self.state: Any = None
        self.items: list[Any] | None = None
        self.entries: dict[Hashable, Any] | None = None

    def __repr__(self) -> str:
        return f"<Node {self.callee if isinstance(self.callee, Symbol) else '?'}>"


class Reference:
    """A persistent id: what the program leaves to its reader to look up, as torch does with the numbers of a tensor."""

    __slots__ = ("id",)

    def __init__(self, id: Any) -> None:
        self.id = id


@dataclass(frozen=True)
class Limits:
    """How much a pickle may hold. n_opcodes : at most about 200 bytes of memory each."""

    n_bytes: int = 64 << 20
    n_opcodes: int = 2_000_000


class Loaded(NamedTuple):
    """value : what the program left. end : the position after it. symbols, references : all that it names and refers to."""

    value: Any
    end: int
    symbols: frozenset[Symbol]
    references: tuple[Reference, ...]


def load(data: bytes, path: str, start: int = 0, limits: Limits = Limits()) -> Loaded:
    """Run the pickle that starts at byte `start` of `data`. `path` is what messages call it.

    Raises
    ------
    IncompleteError : it has no end. DamagedError : it makes no sense. UnsupportedError : it is larger than `limits`.

    Cost: about 0.5 µs an opcode; strings and bytes are copied once.
    """
    if len(data) - start > limits.n_bytes:
        size, limit = f"{len(data) - start:,} bytes", f"{limits.n_bytes:,} bytes"
        raise UnsupportedError("file_too_large", path=path, what="its pickle", size=size, limit=limit)
    machine = _Machine(data, start, path)
    was_collecting = gc.isenabled()
    gc.disable()  # looking for circles in what is being built takes many times longer than building it
    try:
        value = machine.run(limits.n_opcodes)
    except (IndexError, KeyError, ValueError, TypeError, struct.error) as error:
        what = f"its pickle makes no sense at byte {machine.position} ({type(error).__name__})"
        raise DamagedError("file_damaged", path=path, what=what) from error
    finally:
        if was_collecting:
            gc.enable()
    return Loaded(value, machine.position, frozenset(machine.symbols), tuple(machine.references))


def refuse_foreign_calls(loaded: Loaded, path: str) -> None:
    """UnsupportedError for a pickle that names functions no saved model has a use for, such as `os.system`.

    To read it here would be as safe as any other. But who made it meant it to be loaded elsewhere, and that should be known.
    """
    foreign = sorted(str(symbol) for symbol in loaded.symbols if _is_foreign(symbol))
    if foreign:
        names = ", ".join(name[:_NAME_SHOWN] for name in foreign[:_N_NAMES_SHOWN]) + (
            ", …" if len(foreign) > _N_NAMES_SHOWN else ""
        )
        raise UnsupportedError("pickle_calls", path=path, n=len(foreign), names=names)


def _is_foreign(symbol: Symbol) -> bool:
    module = symbol.module.split(".")[0]
    return module in _FOREIGN_MODULES or (module in ("builtins", "__builtin__") and symbol.name in _FOREIGN_BUILTINS)


def as_mapping(value: Any) -> dict[Any, Any]:
    """The entries of a dictionary, plain or of a class that is one, as OrderedDict; of anything else, none."""
    if not isinstance(value, Node):
        return value if isinstance(value, dict) else {}
    if value.entries is None and isinstance(value.args, tuple) and len(value.args) == 1 and isinstance(value.args[0], list):
        pairs = (pair for pair in value.args[0] if isinstance(pair, list | tuple) and len(pair) == 2)  # Python 2
        return {key: entry for key, entry in pairs if isinstance(key, str)}
    return value.entries or {}


class _Machine:
    """Stack, memo and position in the program. `_stack` is what lies above the last mark, `_marked` what lies below each mark."""

    def __init__(self, data: bytes, start: int, path: str) -> None:
        self._data, self.position, self._path = data, start, path
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.symbols: set[Symbol] = set()
        self.references: list[Reference] = []

    def run(self, n_opcodes: int) -> Any:
        data, end, position = self._data, len(self._data), self.position
        for _ in range(n_opcodes):
            self.position = position
            if position >= end:
                raise self._cut_off()
            code = data[position]
            size, start = _SIZES[code], position + 1
            if size < 0:
                start, size = self._measure(code, size, start)
            position = start + size + _TAIL[code]
            if position > end:
                raise self._cut_off()
            argument = data[start : start + size]
            if (decode := _VALUES[code]) is not None:
                self._stack.append(decode(argument))
            elif code != _STOP:
                _STEPS[code](self, argument)
            else:
                self.position = position
                return self._stack.pop()
        what, limit = "the number of steps in its pickle", f"{n_opcodes:,}"
        raise UnsupportedError("file_too_large", path=self._path, what=what, size=f"more than {limit}", limit=limit)

    def _measure(self, code: int, size: int, start: int) -> tuple[int, int]:
        """Where an argument starts that tells its own length or ends with a line, and how many bytes it has."""
        if size != pickletools.UP_TO_NEWLINE:
            width = _LENGTH_BYTES[size]
            return start + width, int.from_bytes(self._data[start : start + width], "little")
        stop = start - 1
        for _ in range(_N_LINES.get(code, 1)):
            stop = self._data.find(b"\n", stop + 1)
            if stop < 0:
                raise self._cut_off()
        return start, stop - start

    def _cut_off(self) -> IncompleteError:
        return IncompleteError("file_incomplete", path=self._path, what="its pickle ends before it is complete")

    # ---- the steps; each takes the argument of its opcode, which most have not

    def _ignore(self, argument: bytes) -> None:
        pass

    def _refuse(self, argument: bytes) -> None:
        raise ValueError("an opcode that stands for something outside of the file, or for nothing")

    def _mark(self, argument: bytes) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_to_mark(self, argument: bytes = b"") -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _pop(self, argument: bytes) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_to_mark()

    def _duplicate(self, argument: bytes) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, argument: bytes) -> None:
        self._memo[int.from_bytes(argument, "little")] = self._stack[-1]

    def _put_decimal(self, argument: bytes) -> None:
        self._memo[int(argument)] = self._stack[-1]

    def _memoize(self, argument: bytes) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, argument: bytes) -> None:
        self._stack.append(self._memo[int.from_bytes(argument, "little")])

    def _get_decimal(self, argument: bytes) -> None:
        self._stack.append(self._memo[int(argument)])

    def _make_list(self, argument: bytes) -> None:
        items = self._pop_to_mark()
        self._stack.append(items)

    def _make_tuple(self, argument: bytes) -> None:
        items = self._pop_to_mark()
        self._stack.append(tuple(items))

    def _make_frozenset(self, argument: bytes) -> None:
        items = self._pop_to_mark()
        self._stack.append(Node(_FROZENSET, ()))
        self._add(items)

    def _make_tuple_of(self, n_items: int) -> None:
        if len(self._stack) < n_items:
            raise IndexError("a tuple of more than there is")
        self._stack[-n_items:] = [tuple(self._stack[-n_items:])]

    def _make_dict(self, argument: bytes) -> None:
        pairs = self._pop_to_mark()
        self._stack.append({})
        self._set(pairs)

    def _append(self, argument: bytes) -> None:
        self._add([self._stack.pop()])

    def _append_all(self, argument: bytes) -> None:
        self._add(self._pop_to_mark())

    def _add(self, items: list[Any]) -> None:
        holder = self._stack[-1]
        if isinstance(holder, Node):
            present = holder.items = [] if holder.items is None else holder.items
        else:
            present = _expect(holder, list)
        present.extend(items)

    def _set_item(self, argument: bytes) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _set_items(self, argument: bytes) -> None:
        self._set(self._pop_to_mark())

    def _set(self, pairs: list[Any]) -> None:
        holder = self._stack[-1]
        if isinstance(holder, Node):
            entries = holder.entries = {} if holder.entries is None else holder.entries
        else:
            entries = _expect(holder, dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            entries[_check_key(key)] = value

    def _global(self, argument: bytes) -> None:
        self._name(*argument.decode().split("\n"))

    def _stack_global(self, argument: bytes) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(_expect(module, str), _expect(name, str))

    def _name(self, module: str, name: str) -> None:
        symbol = Symbol(module, name)
        self.symbols.add(symbol)
        self._stack.append(symbol)

    def _call(self, argument: bytes) -> None:
        """REDUCE calls a function, NEWOBJ makes an object of a class: the same to a reader."""
        args, callee = self._stack.pop(), self._stack.pop()
        self._stack.append(Node(callee, args))

    def _call_with_keywords(self, argument: bytes) -> None:
        kwargs, args, callee = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._stack.append(Node(callee, (args, kwargs)))

    def _instance(self, argument: bytes) -> None:
        args = self._pop_to_mark()
        self._global(argument)
        self._stack.append(Node(self._stack.pop(), tuple(args)))

    def _object(self, argument: bytes) -> None:
        callee, *args = self._pop_to_mark()
        self._stack.append(Node(callee, tuple(args)))

    def _build(self, argument: bytes) -> None:
        state = self._stack.pop()
        _expect(self._stack[-1], Node).state = state

    def _refer(self, argument: bytes) -> None:
        self.references.append(Reference(self._stack.pop()))
        self._stack.append(self.references[-1])

    def _refer_by_text(self, argument: bytes) -> None:
        self._stack.append(argument.decode())
        self._refer(argument)


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a {kind.__name__} was needed")
    return value


def _check_key(key: Any) -> Hashable:
    """A key whose hash costs little: no tuples of tuples, and no integers that could be made to collide."""
    parts = key if type(key) is tuple else (key,)
    if len(parts) > MAX_KEY_PARTS or any(type(part) not in _KEY_TYPES for part in parts):
        raise TypeError("a key that is no plain value")
    if any(type(part) is int and part.bit_length() > 63 for part in parts):
        raise ValueError("a key that is a huge integer")
    return key


def _decode_integer(argument: bytes) -> int:
    if len(argument) > MAX_INTEGER_BYTES:
        raise ValueError("a huge integer")
    return int.from_bytes(argument, "little", signed=True)


def _decode_decimal(argument: bytes) -> int | bool:
    return argument == b"01" if argument in (b"00", b"01") else int(argument.removesuffix(b"L"))


def _decode_utf8(argument: bytes) -> str:
    return argument.decode("utf-8", "surrogatepass")


def _decode_latin1(argument: bytes) -> str:
    """A string of Python 2, which may be text or bytes."""
    return argument.decode("latin-1")


def _decode_quoted(argument: bytes) -> str:
    if len(argument) < 2 or argument[:1] not in b"'\"" or argument[:1] != argument[-1:]:
        raise ValueError("a string without quotes")
    return codecs.escape_decode(argument[1:-1])[0].decode("latin-1")


_SET, _FROZENSET = Symbol("builtins", "set"), Symbol("builtins", "frozenset")
_KEY_TYPES = {str, bytes, int, float, bool, type(None), Symbol, Node, Reference}
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}

_VALUE_OF: dict[str, Callable[[bytes], Any]] = {
    "INT": _decode_decimal, "LONG": _decode_decimal,
    "BININT": _decode_integer, "LONG1": _decode_integer, "LONG4": _decode_integer,
    "BININT1": lambda argument: argument[0], "BININT2": lambda argument: int.from_bytes(argument, "little"),
    "FLOAT": float, "BINFLOAT": lambda argument: struct.unpack(">d", argument)[0],
    "STRING": _decode_quoted, "BINSTRING": _decode_latin1, "SHORT_BINSTRING": _decode_latin1,
    "UNICODE": lambda argument: argument.decode("raw-unicode-escape"),
    "BINUNICODE": _decode_utf8, "SHORT_BINUNICODE": _decode_utf8, "BINUNICODE8": _decode_utf8,
    "BINBYTES": bytes, "SHORT_BINBYTES": bytes, "BINBYTES8": bytes, "BYTEARRAY8": bytes,
    "NONE": lambda argument: None, "NEWTRUE": lambda argument: True, "NEWFALSE": lambda argument: False,
    "EMPTY_TUPLE": lambda argument: (), "EMPTY_LIST": lambda argument: [], "EMPTY_DICT": lambda argument: {},
    "EMPTY_SET": lambda argument: Node(_SET, ()),
}  # fmt: skip

_STEP_OF: dict[str, Callable[[_Machine, bytes], Any]] = {
    "PROTO": _Machine._ignore, "FRAME": _Machine._ignore,
    "MARK": _Machine._mark, "POP_MARK": _Machine._pop_to_mark, "POP": _Machine._pop, "DUP": _Machine._duplicate,
    "PUT": _Machine._put_decimal, "BINPUT": _Machine._put, "LONG_BINPUT": _Machine._put, "MEMOIZE": _Machine._memoize,
    "GET": _Machine._get_decimal, "BINGET": _Machine._get, "LONG_BINGET": _Machine._get,
    "LIST": _Machine._make_list, "APPEND": _Machine._append, "APPENDS": _Machine._append_all,
    "ADDITEMS": _Machine._append_all, "FROZENSET": _Machine._make_frozenset,
    "TUPLE": _Machine._make_tuple, "TUPLE1": lambda machine, argument: machine._make_tuple_of(1),
    "TUPLE2": lambda machine, argument: machine._make_tuple_of(2), "TUPLE3": lambda machine, argument: machine._make_tuple_of(3),
    "DICT": _Machine._make_dict, "SETITEM": _Machine._set_item, "SETITEMS": _Machine._set_items,
    "GLOBAL": _Machine._global, "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call, "NEWOBJ": _Machine._call, "NEWOBJ_EX": _Machine._call_with_keywords,
    "INST": _Machine._instance, "OBJ": _Machine._object, "BUILD": _Machine._build,
    "PERSID": _Machine._refer_by_text, "BINPERSID": _Machine._refer,
}  # fmt: skip
"""What is not here is refused: `EXT1` and its like stand for what a reader has registered, buffers lie elsewhere."""

_OPCODES: dict[int, pickletools.OpcodeInfo] = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_SIZES = [opcode.arg.n if (opcode := _OPCODES.get(code)) and opcode.arg else 0 for code in range(256)]
_VALUES = [_VALUE_OF.get(opcode.name) if (opcode := _OPCODES.get(code)) else None for code in range(256)]
_STEPS = [
    _STEP_OF.get(opcode.name, _Machine._refuse) if (opcode := _OPCODES.get(code)) else _Machine._refuse for code in range(256)
]
_STOP = ord(pickle.STOP)
_N_LINES = {ord(pickle.GLOBAL): 2, ord(pickle.INST): 2}
_TAIL = [int(size == pickletools.UP_TO_NEWLINE) for size in _SIZES]  # the end of the line
