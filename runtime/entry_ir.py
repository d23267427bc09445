"""The code through which Python enters a step, as LLVM IR: it does what a `Plan` says.

It uses CPython's C API by name and relies on no layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphc.arrays import LARGE, LINE, PAGE
from graphc.runtime.entry_plan import EXPECTED_WORDS, STATUS_WORDS, Word
from graphc.runtime.llvmtext import Builder, Module, Val, i64

NULL = Val("null", "ptr")

NEAR, APART = range(-4, 26), 40
"""A load waits for a store whose address agrees with its own but for whole pages. So a large result begins, counted in
lines of the cache and but for whole pages, at none of these distances from a large argument, if that can be; best at so
many from the first of them."""

NAMES = ("graphc_enter", "graphc_fits", "graphc_held")
"""The functions that Python can call."""

API = {
    "PyLong_AsVoidPtr": ("ptr", "ptr"), "PyLong_FromVoidPtr": ("ptr", "ptr"), "PyBool_FromLong": ("ptr", "i64"),
    "PyLong_FromLong": ("ptr", "i64"),
    "PyObject_Type": ("ptr", "ptr"), "PyObject_GetAttr": ("ptr", "ptr", "ptr"),
    "PyObject_SetAttr": ("i32", "ptr", "ptr", "ptr"), "PyObject_RichCompareBool": ("i32", "ptr", "ptr", "i32"),
    "PyObject_GetBuffer": ("i32", "ptr", "ptr", "i32"), "PyBuffer_Release": ("void", "ptr"),
    "PyBytes_FromStringAndSize": ("ptr", "ptr", "i64"),
    "PyByteArray_FromStringAndSize": ("ptr", "ptr", "i64"), "PyByteArray_AsString": ("ptr", "ptr"),
    "PyList_New": ("ptr", "i64"), "PyList_SetItem": ("i32", "ptr", "i64", "ptr"), "PyList_Size": ("i64", "ptr"),
    "PyList_GetItem": ("ptr", "ptr", "i64"), "PySequence_DelSlice": ("i32", "ptr", "i64", "i64"),
    "PyErr_Clear": ("void",), "PyEval_SaveThread": ("ptr",),
    "PyEval_RestoreThread": ("void", "ptr"), "Py_IncRef": ("void", "ptr"), "Py_DecRef": ("void", "ptr"),
}  # fmt: skip

_EQUAL = Val("2", "i32")  # Py_EQ
_SIMPLE = Val("0", "i32")  # PyBUF_SIMPLE: of a C-contiguous array
_BUFFER_BYTES = 128  # more than a Py_buffer has


def entry_ir() -> str:
    """The functions as an LLVM IR module."""
    module = Module("entry")
    _enter(module)
    _fits(module)
    _held(module)
    _place(module)
    _match(module)
    _argument(module)
    _content(module)
    _buffer_address(module)
    _write(module)
    return str(module)


def _api(b: Builder, name: str, *args: Val) -> Val:
    return b.call(name, API[name][0], *args)


def _word(b: Builder, plan: Val, word: Word, type_: str = "ptr") -> Val:
    return b.load(b.gep(plan, int(word), "i64"), type_)


def _null(b: Builder, pointer: Val) -> Val:
    return b.icmp("eq", pointer, NULL)


@contextmanager
def _leave(b: Builder, cond: Val) -> Iterator[None]:
    """Runs the body, which returns, only if `cond` holds."""
    then, otherwise = b.fresh("then"), b.fresh("else")
    b.branch_if(cond, then, otherwise)
    b.start(then)
    yield
    b.start(otherwise)


def _enter(module: Module) -> None:
    """Makes memory for the results, and then, all in one as far as Python can see: matches, writes addresses, runs.

    What makes objects comes first, as it may run the garbage collector and so any Python code.
    """
    b = module.function("graphc_enter", [("ptr", "self"), ("ptr", "args"), ("i64", "count")], "ptr")
    this, args, count = b.args
    plan = _api(b, "PyLong_AsVoidPtr", this)
    memories = _word(b, plan, Word.MEMORIES, "i64")
    made = _api(b, "PyList_New", memories)
    with _leave(b, _null(b, made)):
        b.ret(NULL)
    sizes = _word(b, plan, Word.SIZES)
    with b.loop(0, memories) as k:
        memory = _api(b, "PyByteArray_FromStringAndSize", NULL, b.load(b.gep(sizes, k, "i64"), "i64"))
        with _leave(b, _null(b, memory)):
            _api(b, "Py_DecRef", made)
            b.ret(NULL)
        _api(b, "PyList_SetItem", made, k, memory)
    for check in ("match", "place"):
        fits = b.call(check, "i1", plan, made, args, count)
        with _leave(b, b.icmp("eq", fits, Val("false", "i1"))):
            _api(b, "Py_DecRef", made)
            none = _word(b, plan, Word.NONE)
            _api(b, "Py_IncRef", none)
            b.ret(none)
    b.call("write", "void", plan, made, count)
    step = _word(b, plan, Word.STEP)
    with _leave(b, _null(b, step)):
        b.ret(made)
    failed = _run(b, plan, step)
    with _leave(b, b.icmp("ne", failed, 0)):
        _api(b, "Py_DecRef", made)
        status = _word(b, plan, Word.STATUS)
        told = _api(b, "PyBytes_FromStringAndSize", status, i64(8 * STATUS_WORDS))
        with b.loop(0, STATUS_WORDS) as k:
            b.store(i64(0), b.gep(status, k, "i64"))
        b.ret(told)
    b.ret(made)


def _run(b: Builder, plan: Val, step: Val) -> Val:
    """Calls the step, without the GIL if the plan says so; whether it failed."""
    table, status = _word(b, plan, Word.TABLE), _word(b, plan, Word.STATUS)
    gives_up = b.icmp("eq", _word(b, plan, Word.KEEPS_GIL, "i64"), 0)
    result = b.alloca("i64", 1, 8)
    thread = b.alloca("ptr", 1, 8)
    with b.when(gives_up):
        b.store(_api(b, "PyEval_SaveThread"), thread)
    b.store(b.emit("i64", f"call i64 {step.name}(ptr {table.name}, ptr {status.name})"), result)
    with b.when(gives_up):
        _api(b, "PyEval_RestoreThread", b.load(thread, "ptr"))
    return b.load(result, "i64")


def _fits(module: Module) -> None:
    """Whether the code is for these arguments, as a bool; nothing else is done."""
    b = module.function("graphc_fits", [("ptr", "self"), ("ptr", "args"), ("i64", "count")], "ptr")
    this, args, count = b.args
    fits = b.call("match", "i1", _api(b, "PyLong_AsVoidPtr", this), NULL, args, count)
    b.ret(_api(b, "PyBool_FromLong", b.convert("zext", fits, "i64")))


def _held(module: Module) -> None:
    """Where the first object of a list, from one place up to another, has other than so many references; or -1.

    A reference count is the first word of an object, of at least 32 bits, in CPython with a GIL (`held` makes sure).
    """
    b = module.function("graphc_held", [("ptr", "self"), ("ptr", "args"), ("i64", "count")], "ptr")
    _, args, _ = b.args
    objects = b.load(args, "ptr")
    numbers = [_api(b, "PyLong_AsVoidPtr", b.load(b.gep(args, k, "ptr"), "ptr")) for k in (1, 2, 3)]
    start, stop, references = (b.convert("ptrtoint", number, "i64") for number in numbers)
    with b.loop(start, stop) as k:
        found = b.convert("zext", b.load(_api(b, "PyList_GetItem", objects, k), "i32"), "i64")
        with _leave(b, b.icmp("ne", found, references)):
            b.ret(_api(b, "PyLong_FromLong", k))
    b.ret(_api(b, "PyLong_FromLong", i64(-1)))


_CHECK = [("ptr", "plan"), ("ptr", "made"), ("ptr", "args"), ("i64", "count")]


def _place(module: Module) -> None:
    """Makes large results begin where a cache line does, and where no store keeps loads of large arguments waiting.

    Whether the arguments still are what is expected: taking bytes off the front of a bytearray makes objects.
    """
    b = module.function("place", _CHECK, "i1", internal=True)
    plan, made, args, count = b.args
    first, end = _word(b, plan, Word.READ), _word(b, plan, Word.READ_END)
    with _leave(b, b.icmp("eq", first, end)):
        b.ret(Val("true", "i1"))
    addresses, sizes = _word(b, plan, Word.ADDRESSES), _word(b, plan, Word.SIZES)

    def line(number: Val) -> Val:
        address = b.convert("ptrtoint", b.load(b.gep(addresses, number, "ptr"), "ptr"), "i64")
        return b.int_op("and", b.int_op("udiv", address, LINE), PAGE // LINE - 1)

    near = i64(sum(1 << n % (PAGE // LINE) for n in NEAR))
    bytes_read = b.sub(b.convert("ptrtoint", end, "i64"), b.convert("ptrtoint", first, "i64"))
    with b.loop_carrying(0, b.int_op("udiv", bytes_read, 8), [i64(0)]) as (k, (taken,), out):
        number = b.load(b.gep(first, k, "i64"), "i64")
        out[:] = [b.int_op("or", taken, b.intrinsic("fshl", "i64", near, near, line(number)))]
    free = b.int_op("xor", out[0], -1)
    best = b.add(line(b.load(first, "i64")), APART)
    turned = b.intrinsic("fshr", "i64", free, free, best)
    begin = b.add(best, b.call("llvm.cttz.i64", "i64", turned, Val("false", "i1")))
    with b.loop(0, _word(b, plan, Word.MEMORIES, "i64")) as k, b.when(
        b.icmp("sgt", b.load(b.gep(sizes, k, "i64"), "i64"), LARGE)
    ):  # fmt: skip
        memory = _api(b, "PyList_GetItem", made, k)
        address = b.convert("ptrtoint", _api(b, "PyByteArray_AsString", memory), "i64")
        off = b.int_op("and", b.sub(b.mul(begin, LINE), address), PAGE - 1)
        with b.when(b.icmp("ne", _api(b, "PySequence_DelSlice", memory, i64(0), off), Val("0", "i32"))):
            _api(b, "PyErr_Clear")  # it begins where it did
    b.ret(b.call("match", "i1", plan, made, args, count))


def _match(module: Module) -> None:
    """Whether the arguments are what is expected; notes the addresses of the tensors among them."""
    b = module.function("match", _CHECK, "i1", internal=True)
    plan, _, args, count = b.args
    closed_at = _word(b, plan, Word.CLOSED)
    few = b.icmp("slt", count, _word(b, plan, Word.LEAST, "i64"))
    many = b.icmp("sgt", count, _word(b, plan, Word.MOST, "i64"))
    shut = b.icmp("ne", b.load(closed_at, "i64"), 0)
    with _leave(b, b.int_op("or", b.int_op("or", few, many), shut)):
        b.ret(Val("false", "i1"))
    expected, addresses = _word(b, plan, Word.EXPECTED), _word(b, plan, Word.ADDRESSES)
    any_tensor = _null(b, expected)
    with b.loop_carrying(0, count, [addresses]) as (k, (into,), out):
        argument = b.load(b.gep(args, k, "ptr"), "ptr")
        facts = b.select(any_tensor, NULL, b.gep(expected, b.mul(k, EXPECTED_WORDS), "i64"))
        next_into = b.call("argument", "ptr", plan, argument, facts, into)
        with _leave(b, _null(b, next_into)):
            b.ret(Val("false", "i1"))
        out[:] = [next_into]
    b.ret(Val("true", "i1"))


def _argument(module: Module) -> None:
    """Notes the address of one argument; where the next one's is to be noted, or null if it is not what is expected."""
    b = module.function(
        "argument", [("ptr", "plan"), ("ptr", "object"), ("ptr", "facts"), ("ptr", "into")], "ptr", internal=True
    )
    plan, given, facts, into = b.args
    following = b.gep(into, 1, "ptr")
    with _leave(b, _null(b, facts)):
        address = b.call("content", "ptr", plan, given)
        b.store(address, into)
        b.ret(b.select(_null(b, address), NULL, following))
    same = b.load(facts, "ptr")
    with _leave(b, b.icmp("ne", same, NULL)):
        b.ret(b.select(b.icmp("eq", same, given), into, NULL))
    kind = _api(b, "PyObject_Type", given)
    _api(b, "Py_DecRef", kind)  # the object keeps it
    with _leave(b, b.icmp("eq", kind, _word(b, plan, Word.TENSOR))):
        _attribute_is(b, plan, given, Word.TYPE, b.load(b.gep(facts, 1, "i64"), "ptr"))
        address = b.call("content", "ptr", plan, given)
        b.store(address, into)
        b.ret(b.select(_null(b, address), NULL, following))
    with _leave(b, b.icmp("ne", kind, _word(b, plan, Word.ARRAY))):
        b.ret(NULL)
    _attribute_is(b, plan, given, Word.DTYPE, b.load(b.gep(facts, 3, "i64"), "ptr"))
    shape = _api(b, "PyObject_GetAttr", given, _word(b, plan, Word.SHAPE))
    with _leave(b, _null(b, shape)):
        _api(b, "PyErr_Clear")
        b.ret(NULL)
    alike = _api(b, "PyObject_RichCompareBool", shape, b.load(b.gep(facts, 2, "i64"), "ptr"), _EQUAL)
    _api(b, "Py_DecRef", shape)
    with _leave(b, b.icmp("ne", alike, 1)):
        b.ret(NULL)
    address = b.call("buffer_address", "ptr", given)
    with _leave(b, _null(b, address)):
        _api(b, "PyErr_Clear")  # it is not contiguous
        b.ret(NULL)
    b.store(address, into)
    b.ret(following)


def _attribute_is(b: Builder, plan: Val, given: Val, name: Word, expected: Val) -> None:
    """Returns null unless an attribute is the object that is expected."""
    found = _api(b, "PyObject_GetAttr", given, _word(b, plan, name))
    with _leave(b, _null(b, found)):
        _api(b, "PyErr_Clear")
        b.ret(NULL)
    _api(b, "Py_DecRef", found)  # only its address matters
    with _leave(b, b.icmp("ne", found, expected)):
        b.ret(NULL)


def _content(module: Module) -> None:
    """Where a Tensor's elements lie, which it is told; null if it has none yet, or is only a stand-in."""
    b = module.function("content", [("ptr", "plan"), ("ptr", "tensor")], "ptr", internal=True)
    plan, tensor = b.args
    number = _api(b, "PyObject_GetAttr", tensor, _word(b, plan, Word.ADDRESS))
    with _leave(b, _null(b, number)):
        _api(b, "PyErr_Clear")
        b.ret(NULL)
    known = _api(b, "PyLong_AsVoidPtr", number)
    _api(b, "Py_DecRef", number)
    with _leave(b, b.icmp("ne", known, NULL)):
        b.ret(known)
    for name in (Word.BUFFER, Word.CONTENT):
        holder = _api(b, "PyObject_GetAttr", tensor, _word(b, plan, name))
        _api(b, "Py_DecRef", holder)  # the tensor keeps it
        with _leave(b, b.icmp("ne", holder, _word(b, plan, Word.NONE))):
            address = b.call("buffer_address", "ptr", holder)
            with _leave(b, _null(b, address)):
                _api(b, "PyErr_Clear")
                b.ret(NULL)
            told = _api(b, "PyLong_FromVoidPtr", address)
            _api(b, "PyObject_SetAttr", tensor, _word(b, plan, Word.ADDRESS), told)
            _api(b, "Py_DecRef", told)
            b.ret(address)
    b.ret(NULL)


def _buffer_address(module: Module) -> None:
    """Where an object's memory begins; null, and an error is set, if it has none or it is not contiguous."""
    b = module.function("buffer_address", [("ptr", "object")], "ptr", internal=True)
    view = b.alloca("i8", _BUFFER_BYTES, 16)
    failed = _api(b, "PyObject_GetBuffer", b.args[0], view, _SIMPLE)
    with _leave(b, b.icmp("ne", failed, 0)):
        b.ret(NULL)
    address = b.load(view, "ptr")
    _api(b, "PyBuffer_Release", view)
    b.ret(address)


def _write(module: Module) -> None:
    """Writes the addresses of arguments and results into the table; inputs that are no arguments stay as they are."""
    b = module.function("write", [("ptr", "plan"), ("ptr", "made"), ("i64", "count")], "void", internal=True)
    plan, made, count = b.args
    table, addresses = _word(b, plan, Word.TABLE), _word(b, plan, Word.ADDRESSES)
    with _slots(b, plan, Word.INPUTS, Word.INPUTS_END) as (tensor, place, further), b.when(
        b.icmp("slt", tensor, count)
    ):  # fmt: skip
        address = b.load(b.gep(addresses, tensor, "ptr"), "ptr")
        b.store(b.gep(address, further, "i8"), b.gep(table, place, "ptr"))
    starts = _word(b, plan, Word.STARTS)
    with b.loop(0, _word(b, plan, Word.MEMORIES, "i64")) as k:
        b.store(_api(b, "PyByteArray_AsString", _api(b, "PyList_GetItem", made, k)), b.gep(starts, k, "ptr"))
    with _slots(b, plan, Word.OUTPUTS, Word.OUTPUTS_END) as (memory, place, further):
        address = b.load(b.gep(starts, memory, "ptr"), "ptr")
        b.store(b.gep(address, further, "i8"), b.gep(table, place, "ptr"))
    b.ret()


@contextmanager
def _slots(b: Builder, plan: Val, first: Word, end: Word) -> Iterator[tuple[Val, Val, Val]]:
    """Runs the body for each `Slot` of a plan."""
    with b.loop(_word(b, plan, first, "i64"), _word(b, plan, end, "i64"), 24) as at:
        slot = b.emit("ptr", f"inttoptr i64 {at.name} to ptr")
        tensor, place, further = (b.load(b.gep(slot, k, "i64"), "i64") for k in range(3))
        yield tensor, place, further
