"""Executables: compiled kernels, the step that calls them, the memory they run in; and how Python runs one.

In steady state a run patches the addresses of its arguments and outputs into a table and makes one native call.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from graphc.ir import Node, TensorType
from graphc.loops import Buffer, Kernel, TiledKernel, gathers
from graphc.runtime import jit, pool
from graphc.runtime.emit import emit_loops, slots, units
from graphc.runtime.handmade import KERNELS
from graphc.runtime.llvmtext import Builder, Module, Val, const, i64
from graphc.runtime.target import Target, host
from graphc.runtime.tiled import emit_tiled, tiled_units
from graphc.schedule import Group, Home, MemoryPlan, Schedule
from graphc.tensor import Tensor, aligned_empty

_BYTE, _WORD = np.dtype(np.uint8), np.dtype(np.int64)

KERNEL_NS, STEP_NS = 40_000, 1_000_000
"""Estimated times below which a kernel, and a whole step, stay on one core: waking a parked worker takes some 50 us."""

BRIEF_NS = 100_000
"""Estimated time below which a step keeps the GIL. Giving it up costs as much as the shortest steps take, and where
another thread computes in Python it comes back only after `sys.getswitchinterval()`, 5 ms."""

OPERATIONS_PER_NS, BYTES_PER_NS = 48, 15
"""What one core is taken to do for these estimates: three vectors of sixteen per nanosecond, and main memory's rate."""

STATUS_WORDS = 8
"""The status block, in i64: lock, whether an error is noted, the kernel's arguments, check, position, value."""


@dataclass(frozen=True)
class Code:
    """A kernel's function: the module's text with the function's name in it, and its units of work."""

    name: str
    text: str
    units: int
    flops: int
    buffers: tuple[Buffer, ...]

    @property
    def estimate(self) -> float:
        """Nanoseconds on one core, roughly."""
        return max(self.flops / 2 / OPERATIONS_PER_NS, sum(b.nbytes for b in self.buffers) / BYTES_PER_NS)


def emit(kernel: Kernel | TiledKernel | None, group: Group, buffers: dict[Node, Buffer], target: Target) -> Code:
    """The LLVM IR of one group; its function is named by the hash of what it does, so equal kernels are one."""
    module = Module("kernel")
    if kernel is None:
        return _emit_handmade(group, buffers)
    if isinstance(kernel, TiledKernel):
        emit_tiled(module, "kernel", kernel, target)
        count, flops = tiled_units(kernel, target), 2 * tiled_work(kernel)
    else:
        emit_loops(module, "kernel", kernel)
        count, flops = units(kernel), _loop_work(kernel)
    name, text = _named(str(module), group.name)
    return Code(name, text, count, flops, slots(kernel))


def _named(text: str, hint: str) -> tuple[str, str]:
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    name = f"k_{hint[:40]}_{digest}"
    return name, text.replace("@kernel(", f"@{name}(", 1).replace("; kernel", f"; {name}", 1)


def _loop_work(kernel: Kernel) -> int:
    count = 1
    for var in kernel.loops:
        count *= var.extent
    inner = sum(_cost(s.value) for s in kernel.stores)
    return count * inner


def _cost(value: object, depth: int = 0) -> int:
    from graphc.loops import Value

    assert isinstance(value, Value)
    own = 8 if value.kind == "fn" and value.data[0] in _SLOW else 1
    inner = sum(_cost(a, depth + 1) for a in value.args) if depth < 12 else value.size
    if value.kind == "reduce":
        return int(inner * value.data[1].extent)
    if value.kind == "contract":
        for var in value.data[0]:
            inner *= var.extent
    return own + inner


_SLOW = {"exp", "log", "tanh", "sigmoid", "erf", "pow", "sin", "cos", "random_bits", "sqrt", "div"}


def tiled_work(kernel: TiledKernel) -> int:
    """The products that the kernel sums; terms that are left out do not count."""
    count = prod(var.extent for var in (*kernel.loops, *kernel.summed))
    for c in kernel.inside:
        there = sum(
            0 <= c.start + c.output_step * x + c.sum_step * k < c.extent
            for x in range(c.output.extent) for k in range(c.summed.extent)
        )  # fmt: skip
        count = count * there // (c.output.extent * c.summed.extent)
    return count


def _emit_handmade(group: Group, buffers: dict[Node, Buffer]) -> Code:
    node = group.nodes[-1]
    made = KERNELS[str(group.handmade)]
    module = Module("kernel")
    b = module.function("kernel", [("ptr", "args"), ("i64", "begin"), ("i64", "end")])
    args, begin, end = b.args
    nodes = [*node.operands, node]
    pointers = [b.load(b.gep(args, i, "ptr"), "ptr") for i in range(len(nodes))]
    status = b.load(b.gep(args, len(nodes), "ptr"), "ptr")

    def fail(into: Builder, cond: Val, position: Val, value: Val, bound: int) -> None:
        with into.when(cond):
            into.call("graphc_index_error", "void", status, args, i64(0), position, value)

    types = [o.type for o in node.operands]
    made.emit(b, pointers[:-1], pointers[-1], types, node.type, node.attrs, begin, end, fail)
    b.ret()
    name, text = _named(str(module), group.name)
    count = made.units(types, node.type, node.attrs)
    return Code(name, text, count, node.type.size * 16, tuple(buffers[n] for n in nodes))


def shared(codes: Sequence[Code]) -> list[bool]:
    """For each kernel of a step, whether it is split over the pool."""
    long_enough = sum(code.estimate for code in codes) >= STEP_NS
    return [code.units > 1 and code.estimate >= KERNEL_NS and long_enough for code in codes]


def step_text(
    name: str, codes: Sequence[Code], checks: Sequence[bool], commits: Sequence[int], timed: bool = False
) -> str:
    """The function that runs the kernels in order: `i64 step(ptr table, ptr status)`, 0 or 1 if an error was noted.

    The table holds every kernel's arguments one after the other, then (to, from) pairs that `commits`, in bytes, copies
    at the end. With `timed` there is a third argument, where it notes the time (a `timespec` of the monotonic clock)
    before the first kernel and after each.
    """
    module = Module(name)
    b = module.function(name, [("ptr", "table"), ("ptr", "status"), *[("ptr", "times")] * timed], "i64")
    table, status = b.args[:2]

    def note_time(number: int) -> None:
        if timed:
            clock = const(time.CLOCK_MONOTONIC, "i32")
            b.call("clock_gettime", "i32", clock, b.gep(b.args[2], 2 * number, "i64"))

    note_time(0)
    at = 0
    for number, (code, checked, split) in enumerate(zip(codes, checks, shared(codes), strict=True)):
        args = b.gep(table, at, "ptr")
        if split:
            module.declare(code.name, "void", ["ptr", "i64", "i64"])
            b.call("graphc_parallel", "void", Val(f"@{code.name}", "ptr"), args, i64(code.units))
        elif code.units:
            b.call(code.name, "void", args, i64(0), i64(code.units))
        note_time(number + 1)
        at += len(code.buffers) + 1
        if checked:
            with b.when(b.icmp("ne", b.load(b.gep(status, 1, "i64"), "i64"), 0)):
                b.do("ret i64 1")
                b.start(b.fresh("dead"))
    for nbytes in commits:
        to, source = (b.load(b.gep(table, at + i, "ptr"), "ptr") for i in range(2))
        b.call("memcpy", "ptr", to, source, i64(nbytes))
        at += 2
    b.ret(i64(0))
    return str(module)


ERRORS = """; errors
declare void @llvm.trap()
define void @graphc_index_error(ptr %status, ptr %args, i64 %check, i64 %position, i64 %value) nounwind noinline {
entry:
  br label %acquire
acquire:
  %held = atomicrmw xchg ptr %status, i64 1 acquire
  %busy = icmp ne i64 %held, 0
  br i1 %busy, label %acquire, label %locked
locked:
  %p.noted = getelementptr i64, ptr %status, i64 1
  %p.args = getelementptr i64, ptr %status, i64 2
  %p.check = getelementptr i64, ptr %status, i64 3
  %p.position = getelementptr i64, ptr %status, i64 4
  %p.value = getelementptr i64, ptr %status, i64 5
  %noted = load i64, ptr %p.noted
  %old.check = load i64, ptr %p.check
  %old.position = load i64, ptr %p.position
  %first = icmp eq i64 %noted, 0
  %same = icmp eq i64 %check, %old.check
  %before = icmp slt i64 %position, %old.position
  %lower = icmp slt i64 %check, %old.check
  %nearer = and i1 %same, %before
  %earlier = or i1 %lower, %nearer
  %write = or i1 %first, %earlier
  br i1 %write, label %note, label %release
note:
  %where = ptrtoint ptr %args to i64
  store i64 1, ptr %p.noted
  store i64 %where, ptr %p.args
  store i64 %check, ptr %p.check
  store i64 %position, ptr %p.position
  store i64 %value, ptr %p.value
  br label %release
release:
  store atomic i64 0, ptr %status release, align 8
  ret void
}
"""


@dataclass(frozen=True)
class Program:
    """What compiling produced: code, and where every buffer lives. It can be instantiated any number of times.

    Attributes:
        codes: one for each group, in running order.
        homes: for each code, the home of each of its buffers.
        commits: updates that could not be written in place: (input position, home of the value, bytes).
    """

    schedule: Schedule
    plan: MemoryPlan
    codes: tuple[Code, ...]
    homes: tuple[tuple[Home, ...], ...]
    kernels: tuple[Kernel | TiledKernel | None, ...]
    commits: tuple[tuple[int, Home, int], ...]
    checks: tuple[bool, ...]
    outputs: tuple[TensorType, ...]

    def texts(self) -> list[str]:
        """Every module of LLVM IR, the step last."""
        distinct = dict.fromkeys(code.text for code in self.codes)
        return [*distinct, ERRORS, self.step]

    @property
    def step(self) -> str:
        body = step_text("STEP", self.codes, self.checks, [n for _, _, n in self.commits])
        digest = hashlib.sha256(body.encode()).hexdigest()[:20]
        return body.replace("STEP", f"step_{digest}")

    @property
    def step_name(self) -> str:
        return self.step.split("\n", 1)[0].removeprefix("; ")


def build(
    schedule: Schedule, plan: MemoryPlan, kernels: Sequence[Kernel | TiledKernel | None], buffers: dict[Node, Buffer]
) -> Program:
    """Emits every kernel and settles where each of its buffers lives."""
    target = host()
    codes = [emit(k, g, buffers, target) for k, g in zip(kernels, schedule.groups, strict=True)]
    owner = {buffer: schedule.owner(node) for node, buffer in buffers.items()}
    homes = tuple(tuple(plan.homes[owner[b]] for b in code.buffers) for code in codes)
    graph = schedule.graph
    commits = []
    for target_node, value in graph.updates:
        position = graph.inputs.index(target_node)
        if plan.homes[value] != Home("input", position):
            commits.append((position, plan.homes[value], value.type.nbytes))
    checks = tuple(_may_fail(k, g) for k, g in zip(kernels, schedule.groups, strict=True))
    return Program(
        schedule, plan, tuple(codes), homes, tuple(kernels), tuple(commits), checks,
        tuple(o.type for o in graph.outputs),
    )  # fmt: skip


def _may_fail(kernel: Kernel | TiledKernel | None, group: Group) -> bool:
    return group.handmade is not None if kernel is None else bool(gathers(kernel))


_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)(
    ("PyByteArray_FromStringAndSize", ctypes.pythonapi)
)
"""A bytearray of so many bytes whose content is not set: kernels write all of it."""

SMALL_BYTES = 16_384
"""Up to this size memory that comes set to zero is had sooner than memory that does not."""


def _allocator(nbytes: int) -> Callable[[], Any]:
    """What makes new memory of so many bytes, each time it is called, as a ctypes object."""
    kind = ctypes.c_char * max(nbytes, 1)
    return kind if nbytes <= SMALL_BYTES else lambda: kind.from_buffer(_new_bytes(None, nbytes))


observer: Callable[[Executable], int] | None = None
"""While a profile is open, what runs a step in place of its native function (`graphc.runtime.profile`)."""


class Executable:
    """A program with its memory: call it with the arguments' tensors."""

    def __init__(self, program: Program, bound: Sequence[Tensor]) -> None:
        self.program, self.bound = program, tuple(bound)
        jit.publish("graphc_parallel", pool.address)
        self._native = jit.compile_text(program.texts(), [program.step_name])
        brief = sum(code.estimate for code in program.codes) < BRIEF_NS
        self._step: Callable[[int, int], int] = self._native.function(
            program.step_name, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, keeps_gil=brief
        )
        self._arena = aligned_empty((max(program.plan.arena_bytes, 1),), _BYTE)
        self._status = aligned_empty((STATUS_WORDS,), _WORD)
        self._status[:] = 0
        self._lock = threading.Lock()
        self._arguments = program.schedule.graph.arguments
        self._fill_table()

    def _fill_table(self) -> None:
        program = self.program
        self._input_slots: list[list[int]] = [[] for _ in program.schedule.graph.inputs]
        output_slots: list[list[int]] = [[] for _ in program.outputs]
        self._starts: list[int] = []
        entries: list[int] = []
        arena, status = self._arena.ctypes.data, self._status.ctypes.data

        def add(home: Home) -> None:
            if home.kind == "output":
                output_slots[home.at].append(len(entries))
            elif home.kind == "input":
                self._input_slots[home.at].append(len(entries))
            entries.append(arena + home.at if home.kind == "arena" else 0)

        for homes in program.homes:
            self._starts.append(len(entries))
            for home in homes:
                add(home)
            entries.append(status)
        for position, home, _ in program.commits:
            add(Home("input", position))
            add(home)
        self._table = (ctypes.c_void_p * max(len(entries), 1))(*entries)
        self._table_address = ctypes.addressof(self._table)
        for tensor, at in zip(self.bound, self._input_slots[self._arguments :], strict=True):
            for slot in at:
                self._table[slot] = tensor.address()
        self._status_address = status
        self._outputs = [(_allocator(t.nbytes), at) for t, at in zip(program.outputs, output_slots, strict=True)]

    def __call__(self, leaves: Sequence[Tensor], results: list[Tensor] | None = None) -> list[Tensor]:
        """Runs the program on the arguments.

        Args:
            leaves: a tensor for each argument; or for each input, in place of those that were bound.
            results: promised tensors that are to hold the results; new ones are made otherwise.
        Raises:
            IndexError: an index read from data is out of range; parameters and other state are as before.
        """
        with self._lock:
            buffers, addresses = self.bind(leaves)
            watching = observer
            if self._step(self._table_address, self._status_address) if watching is None else watching(self):
                self._raise()
        if results is None:
            return list(map(Tensor.from_buffer, buffers, addresses, self.program.outputs))
        for promised, buffer, address in zip(results, buffers, addresses, strict=True):
            promised.hold(buffer, address)
        return results

    def bind(self, leaves: Sequence[Tensor]) -> tuple[list[Any], list[int]]:
        """Puts the addresses of the arguments and of new memory for the outputs into the table.

        Returns:
            The memory of each output, and its address.
        """
        table = self._table
        for tensor, at in zip(leaves, self._input_slots):  # inputs after the leaves stay as they were bound
            address = tensor._address or tensor.address()
            for slot in at:
                table[slot] = address
        buffers, addresses = [], []
        for allocate, at in self._outputs:
            buffer = allocate()
            address = ctypes.addressof(buffer)
            for slot in at:
                table[slot] = address
            buffers.append(buffer)
            addresses.append(address)
        return buffers, addresses

    @property
    def addresses(self) -> tuple[int, int]:
        """What a step is called with: the addresses of the table and of the status block."""
        return self._table_address, self._status_address

    def _raise(self) -> None:
        args, check, position, value = (int(w) for w in self._status[2:6])
        self._status[:] = 0
        number = self._starts.index((args - self._table_address) // 8)
        group, kernel = self.program.schedule.groups[number], self.program.kernels[number]
        node = group.nodes[-1]
        what, extent = "index", node.shape[0] if node.shape else 1
        if kernel is not None:
            gathered = gathers(kernel)[check]
            node, what, extent = gathered.author or node, gathered.what, gathered.extent
        where = f"; {node.loc}" if str(node.loc) else ""
        raise IndexError(f"{node.op}: {what} {value} at position {position} is out of range [0, {extent}){where}")
