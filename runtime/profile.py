"""Watching executables run: when each kernel of a step began and ended, and how much work it does.

    calls = []
    watch(calls)                # from now on every executable, of any thread, adds a Call
    ...
    unwatch(calls)
    work(calls[0].program, 3)   # of the fourth kernel: operations, bytes, threads, lines of the user's program

A step that is watched is the same step, with the clock read between its kernels: the same kernels on the same memory,
split over the pool alike, so results, updates and errors are those of any other run. When nothing is watched, nothing
of this is there.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np

from graphc.dtype import DType, bfloat16
from graphc.index import Var
from graphc.ir import NOWHERE, Location
from graphc.loops import Buffer, Kernel, TiledKernel, Value, all_values
from graphc.place import user_location
from graphc.runtime import executable as _executable
from graphc.runtime import jit, pool
from graphc.runtime.emit import slots
from graphc.runtime.executable import Executable
from graphc.runtime.functions import ELEMENT, function
from graphc.runtime.llvmtext import Module, vector
from graphc.runtime.program import Program, shared, step_text, tiled_work
from graphc.runtime.target import host
from graphc.schedule import Chain, Group

# Watching


@dataclass(frozen=True, eq=False)
class Call:
    """One run of an executable.

    Attributes:
        program: what ran.
        stamps: nanoseconds of the monotonic clock, before its first kernel and after each; fewer, if one failed.
        threads: how many the pool had.
        thread, thread_name: the one that called: the system's number, and Python's name.
        loc: the user's line that called, where the program itself knows of none (an op by itself).
        preparing: nanoseconds that went before it, into making a step that can be watched; the first time only.
    """

    program: Program
    stamps: np.ndarray
    threads: int
    thread: int
    thread_name: str
    loc: Location
    preparing: int


_watching: list[list[Call]] = []
_lock = threading.Lock()


def watch(calls: list[Call]) -> None:
    """Adds a Call to the list for every run of any executable that ends from now on, until `unwatch`."""
    with _lock:
        _watching.append(calls)
        _executable.observe(_observe)


def unwatch(calls: list[Call]) -> None:
    """Adds nothing more to this list."""
    with _lock:
        _watching[:] = [other for other in _watching if other is not calls]
        if not _watching:
            _executable.observe(None)


class _Timer:
    """The step of one executable, with the clock read before its first kernel and after each."""

    def __init__(self, executable: Executable) -> None:
        program = executable.program
        text = step_text("STEP", program.codes, program.checks, [n for _, _, n in program.commits], timed=True)
        name = f"step_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
        native = jit.compile_text([text.replace("STEP", name)], [name])
        self._step: Callable[[int, int, int], int] = native.function(
            name, ctypes.c_int64, *(ctypes.c_void_p,) * 3
        )  # fmt: skip
        self.kernels = len(program.codes)
        self.has_lines = any(loc.file for group in program.schedule.groups for loc in locations(group))

    def run(self, executable: Executable) -> tuple[int, np.ndarray]:
        """Whether an error was noted, and the time in nanoseconds at every reading of the clock."""
        readings = np.zeros((self.kernels + 1, 2), np.int64)  # seconds and nanoseconds
        failed = self._step(*executable.addresses, readings.ctypes.data)
        readings = readings[readings.any(1)]
        return failed, readings[:, 0] * 1_000_000_000 + readings[:, 1]


_timers: weakref.WeakKeyDictionary[Executable, _Timer] = weakref.WeakKeyDictionary()


def _observe(executable: Executable) -> int:
    """Runs the executable's step, whose arguments are bound, and notes when its kernels ran."""
    began = time.monotonic_ns()
    with _lock:
        timer = _timers.get(executable)
    if timer is None:
        timer = _Timer(executable)
        with _lock:
            _timers[executable] = timer
    preparing = time.monotonic_ns() - began
    thread = threading.current_thread()
    loc = NOWHERE if timer.has_lines else user_location()
    threads = pool.num_threads()
    failed, stamps = timer.run(executable)
    call = Call(executable.program, stamps, threads, threading.get_native_id(), thread.name, loc, preparing)
    with _lock:
        for calls in _watching:
            calls.append(call)
    return failed


# What a kernel has to do


@dataclass(frozen=True)
class Work:
    """What one run of a kernel takes at least.

    Attributes:
        flops: additions, multiplications and divisions of floats (a fused multiply-add is two), those of the
            polynomials of exp, tanh and others among them; 0 for integers, comparisons and hand-made kernels; of a
            loop those of all its steps.
        read, written: bytes, each element counted once.
        itemsize: bytes of the widest float that is computed, or of factors that the machine need not widen.
        units: into how many parts it can be split; 1 for a kernel that stays on one thread.
        lines: the lines of the user's program that asked for it, file and number.
        cell: the path of the Cell that did.
    """

    flops: int
    read: int
    written: int
    itemsize: int
    units: int
    lines: tuple[tuple[str, int], ...]
    cell: str


def work(program: Program, number: int) -> Work:
    """The work of a kernel or chain of the program, by its number in running order."""
    run, code = program.schedule.runs[number], program.codes[number]
    groups = run.groups if isinstance(run, Chain) else (run,)
    units = code.units if shared(program.codes)[number] else 1
    asked = [loc for group in groups for loc in locations(group)]
    lines = tuple(dict.fromkeys((loc.file, loc.line) for loc in asked if loc.file))
    cell = next((loc.scope for loc in asked if loc.scope), "")
    itemsize = max((n.dtype.itemsize for group in groups for n in group.nodes if n.dtype.is_float), default=4)
    kernels = [program.kernel(group) for group in groups]
    if kernels[0] is None:  # hand-made: its operands, then its result
        operands, result = groups[0].nodes[-1].operands, groups[0].nodes[-1]
        body = program.bodies.get(program.twins[groups[0]].first)
        each = sum(work(body, part).flops for part in range(len(body.codes))) if body else 0
        return Work(
            code.times * each, sum(node.type.nbytes for node in operands), result.type.nbytes, itemsize,
            units, lines, cell,
        )  # fmt: skip
    read: dict[Buffer, int] = {}
    written: dict[Buffer, int] = {}
    for kernel, part in zip(kernels, code.parts or (code,), strict=True):
        assert kernel is not None
        own = dict(zip(slots(kernel), part.buffers, strict=True))
        for buffer, count in _loads(kernel).items():
            read[own[buffer]] = max(count, read.get(own[buffer], 0))
        written |= {own[store.buffer]: _runs(frozenset(kernel.loops)) for store in kernel.stores}
    for buffer in code.passing:
        del written[buffer]
    for buffer in [b for b in read if b in code.passing or (code.parts and b in written)]:
        del read[buffer]  # which one kernel of a chain leaves to another in the cache
    flops = sum(_flops(kernel) for kernel in kernels if kernel is not None)
    if host().multiplies_twos and all(isinstance(kernel, TiledKernel) and kernel.narrow for kernel in kernels):
        itemsize = bfloat16.itemsize  # at whose rate factors are multiplied that are not widened
    return Work(flops, _bytes(read), _bytes(written), itemsize, units, lines, cell)


def _runs(variables: frozenset[Var]) -> int:
    """How often what depends on these loops' variables is computed: once for each of their values."""
    return prod(variable.extent for variable in variables)


def _bytes(accesses: dict[Buffer, int]) -> int:
    """The bytes of so many accesses to buffers, in which an element may come several times."""
    return sum(min(buffer.nbytes, count * buffer.dtype.itemsize) for buffer, count in accesses.items())


def _loads(kernel: Kernel | TiledKernel) -> dict[Buffer, int]:
    """How many elements the kernel loads from each buffer; of a large table of which it reads some rows, those."""
    counts: dict[Buffer, int] = {}
    for value in _values(kernel):
        if value.kind == "load":
            counts[value.data[0]] = counts.get(value.data[0], 0) + _runs(value.deps)
    return counts


def _values(kernel: Kernel | TiledKernel) -> Iterator[Value]:
    """Every expression of the kernel, each once."""
    roots = [store.value for store in kernel.stores]
    return all_values([kernel.a, kernel.b, *roots] if isinstance(kernel, TiledKernel) else roots)


def _flops(kernel: Kernel | TiledKernel) -> int:
    total = 2 * tiled_work(kernel) if isinstance(kernel, TiledKernel) else 0
    for value in _values(kernel):
        if not value.args or not value.args[0 if value.kind == "contract" else -1].dtype.is_float:
            continue
        inner = value.deps.union(*(arg.deps for arg in value.args))
        if value.kind == "contract":
            total += 2 * _runs(inner | frozenset(value.data[0]))
        elif value.kind == "reduce" and value.data[0] in ("sum", "prod"):
            total += _runs(inner | {value.data[1]})
        elif value.kind == "fn":
            total += _runs(value.deps) * _operations(value.data[0], value.args[-1].dtype, len(value.args))
    return total


@cache
def _operations(name: str, dtype: DType, operands: int) -> int:
    """The operations on one element, counted in what is emitted: for exp and others those of their polynomials."""
    if name == "select":
        return 0
    module = Module("count")
    b = module.function("count", [(vector(ELEMENT[dtype.short], 2), f"x{i}") for i in range(operands)])
    function(b, name, dtype, b.args)
    text = "\n".join(b.lines)
    single = re.findall(r" = f(?:add|sub|mul|div|rem) | call [^@]*@llvm\.sqrt", text)
    return len(single) + 2 * len(re.findall(r" call [^@]*@llvm\.fma", text))


def locations(group: Group) -> list[Location]:
    """Where the group's nodes were asked for; of a derivative, where that was which it is the derivative of."""
    found = []
    for node in group.nodes:
        loc, asked = node.loc, node.forward
        while asked is not None:
            loc, asked = loc if asked.loc == NOWHERE else asked.loc, asked.forward
        found.append(loc)
    return found
