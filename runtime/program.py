"""Programs: how an executable came about. Every kernel as LLVM IR, the step that calls them, and where buffers live.

Groups that do the same are lowered and written once. What a run needs of a program is its `Binary`; the rest is for
dumps, errors and profiles, and is made again when somebody asks (see `graphc.programs`).
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from graphc.dtype import uint8
from graphc.ir import Node
from graphc.loops import Buffer, Kernel, TiledKernel, gathers, structure
from graphc.runtime import executable, jit, turned
from graphc.runtime.binary import Binary
from graphc.runtime.chain import Link, emit_chain
from graphc.runtime.emit import emit_loops, slots, units
from graphc.runtime.functions import operations
from graphc.runtime.handmade import KERNELS
from graphc.runtime.llvmtext import Module, Val, const, i64
from graphc.runtime.recurrence import Part, emit_scan
from graphc.runtime.target import Target, host
from graphc.runtime.tiled import emit_tiled, tiled_units
from graphc.runtime.work import Work
from graphc.schedule import Chain, Group, Home, MemoryPlan, Schedule, Twin

BRIEF_NS = 100_000
"""Estimated time below which a step keeps the GIL. Giving it up costs as much as the shortest steps take, and where
another thread computes in Python it comes back only after `sys.getswitchinterval()`, 5 ms."""

OPERATIONS_PER_NS, BYTES_PER_NS, BYTES_AGAIN_PER_NS = 48, 15, 40
"""What one core is taken to do for these estimates: three vectors of sixteen per nanosecond, and main memory's rate, or
that of the second-level cache for what a loop's steps read again."""


@dataclass(frozen=True)
class Code:
    """A function that the step calls: the module's text with the function's name in it, and its units of work.

    Attributes:
        parts: the kernels that it calls, if it is a chain's or a loop's; `times`: how often.
        passing: of its buffers those that only pass between these.
    """

    name: str
    text: str
    units: int
    flops: int
    buffers: tuple[Buffer, ...]
    parts: tuple[Code, ...] = ()
    passing: frozenset[Buffer] = frozenset()
    times: int = 1

    @property
    def estimate(self) -> float:
        """Nanoseconds on one core, roughly."""
        return self._estimate(BYTES_PER_NS)

    def _estimate(self, bytes_per_ns: float) -> float:
        if self.parts:
            each = bytes_per_ns if self.times == 1 else BYTES_AGAIN_PER_NS
            return self.times * sum(part._estimate(each) for part in self.parts)
        return max(self.flops / 2 / OPERATIONS_PER_NS, sum(b.nbytes for b in self.buffers) / bytes_per_ns)

    def texts(self) -> Iterator[str]:
        """The modules of what it calls, and its own."""
        for part in self.parts:
            yield from part.texts()
        yield self.text


def emit(kernel: Kernel | TiledKernel | None, group: Group, buffers: dict[Node, Buffer], target: Target) -> Code:
    """The LLVM IR of one group; its function is named by the hash of what it does, so equal kernels are one."""
    if kernel is None:
        return _emit_handmade(group, buffers)
    module = Module("kernel")
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
    """About how many operations the kernel does: each value once for every index that it depends on."""
    total = 0
    for value in kernel.values:
        inner = value.deps.union(*(arg.deps for arg in value.args))
        if value.kind == "contract":
            inner |= frozenset(value.data[0])
        total += operations(value) * prod(var.extent for var in inner)
    return total


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
    nodes = _in_order(group)
    pointers = [b.load(b.gep(args, i, "ptr"), "ptr") for i in range(len(nodes))]
    status = b.load(b.gep(args, len(nodes), "ptr"), "ptr")

    def fail(cond: Val, position: Val, value: Val) -> None:
        with b.when(cond, seldom=True):
            b.call("graphc_index_error", "void", status, args, i64(0), position, value)

    types = [o.type for o in node.operands]
    made.emit(Work(b, pointers[:-1], pointers[-1], types, node.type, node.attrs, begin, end, fail))
    b.ret()
    name, text = _named(str(module), group.name)
    count = made.units(types, node.type, node.attrs)
    return Code(name, text, count, node.type.size * made.steps(types, node.type), tuple(buffers[n] for n in nodes))


def _in_order(group: Group) -> list[Node]:
    """What a hand-made kernel is given: the operands, then the result."""
    return [*group.nodes[-1].operands, group.nodes[-1]]


def _loop(group: Group, body: Program, buffers: tuple[Buffer, ...]) -> Code:
    """The code that runs the body of a loop for every step.

    Args:
        buffers: the operands and the result; the memory that the body works in comes after them.
    """
    buffers = (*buffers, Buffer("work", uint8, body.plan.arena_bytes))
    node, module = group.nodes[-1], Module("kernel")
    attrs, graph = node.attrs, body.schedule.graph
    once = body.schedule.steady([n for n, read in zip(graph.inputs, attrs["reads"], strict=True) if not read[2]])
    parts = []
    split = shared(body.codes, attrs["count"])
    for run, code, homes, divided in zip(body.schedule.runs, body.codes, body.homes, split, strict=True):
        groups = run.groups if isinstance(run, Chain) else (run,)
        once_only = all(n in once for group in groups for n in group.stores)
        parts.append(Part(code.name, code.units, divided, homes, once_only))
    types = [n.type for n in graph.inputs], [n.type for n in graph.outputs]
    emit_scan(module, "kernel", parts, len(buffers), *types, attrs)
    name, text = _named(str(module), group.name)
    flops = attrs["count"] * sum(code.flops for code in body.codes)
    return Code(name, text, 1, flops, buffers, body.codes, times=attrs["count"])


def shared(codes: Sequence[Code], times: int = 1) -> list[bool]:
    """For each kernel of a step, whether it is split over the pool.

    Args:
        times: how often the step runs.
    """
    long_enough = times * sum(code.estimate for code in codes) >= executable.STEP_NS
    return [code.units > 1 and code.estimate >= executable.KERNEL_NS and long_enough for code in codes]


def step_text(
    name: str, codes: Sequence[Code], checks: Sequence[bool], commits: Sequence[int], timed: bool = False
) -> str:
    """The function that runs the kernels in order: `i64 step(ptr table, ptr status)`, 0 or 1 if an error was noted.

    The table holds every kernel's arguments one after the other, then (to, from) pairs that `commits`, in bytes, copies
    at the end. Kernels are called in a loop over constants: LLVM takes 50 us for each call that is written. With
    `timed` there is a third argument, where it notes the time (a `timespec` of the monotonic clock) before the first
    kernel and after each.
    """
    module = Module(name)
    b = module.function(name, [("ptr", "table"), ("ptr", "status"), *[("ptr", "times")] * timed], "i64")
    table, status = b.args[:2]

    def note_time(number: Val) -> None:
        if timed:
            clock = const(time.CLOCK_MONOTONIC, "i32")
            b.call("clock_gettime", "i32", clock, b.gep(b.args[2], b.mul(number, 2), "i64"))

    rows, at = [], 0
    for code, split in zip(codes, shared(codes), strict=True):
        module.declare(code.name, "void", ["ptr", "i64", "i64"])
        units = (0, code.units) if split else (code.units, 0)
        rows.append((Val(f"@{code.name}", "ptr"), i64(at), *map(i64, units)))
        at += len(code.buffers) + 1
    note_time(i64(0))
    if rows:
        calls = module.constant_rows(f"{name}.calls", rows)
        with b.loop(0, len(rows)) as number:
            types = enumerate(("ptr", "i64", "i64", "i64"))
            here = b.gep(calls, b.mul(number, 4), "i64")
            kernel, first, alone, together = (b.load(b.gep(here, n, "i64"), type_) for n, type_ in types)
            args = b.gep(table, first, "ptr")
            with b.when(b.icmp("ne", alone, 0)):
                b.do(f"call void {kernel.name}(ptr {args.name}, i64 0, i64 {alone.name})")
            if any(shared(codes)):
                with b.when(b.icmp("ne", together, 0)):
                    b.call("graphc_parallel", "void", kernel, args, together)
            note_time(b.add(number, 1))
            if any(checks):
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
    """What compiling produced: code, and where every buffer lives.

    Attributes:
        twins: for each group the first that does the same, whose kernel it is computed by.
        kernels: of the first groups; None for a hand-made one.
        codes: one for each of the schedule's `runs`.
        homes: for each code, the home of each of its buffers.
        commits: updates that could not be written in place: (input position, home of the value, bytes).
        checks: for each code, whether it may note an error.
        bodies: of the first groups that are loops.
    """

    schedule: Schedule
    plan: MemoryPlan
    twins: dict[Group, Twin]
    kernels: dict[Group, Kernel | TiledKernel | None]
    codes: tuple[Code, ...]
    homes: tuple[tuple[Home, ...], ...]
    commits: tuple[tuple[int, Home, int], ...]
    checks: tuple[bool, ...]
    bodies: dict[Group, Program]

    def texts(self) -> list[str]:
        """Every module of LLVM IR, the step last."""
        distinct = dict.fromkeys(text for code in self.codes for text in code.texts())
        return [*distinct, *turned.texts_for(distinct), ERRORS, self.step]

    @functools.cached_property
    def step(self) -> str:
        """The module of the function that runs all kernels."""
        body = step_text("STEP", self.codes, self.checks, [n for _, _, n in self.commits])
        digest = hashlib.sha256(body.encode()).hexdigest()[:20]
        return body.replace("STEP", f"step_{digest}")

    @property
    def step_name(self) -> str:
        return self.step.split("\n", 1)[0].removeprefix("; ")

    def binary(self) -> Binary:
        """What a run needs of all this."""
        sources = tuple(jit.source(text) for text in self.texts())
        brief = sum(code.estimate for code in self.codes) < BRIEF_NS
        return Binary(self.step_name, sources, self.homes, self.commits, self.plan.arena_bytes, brief)

    def kernel(self, group: Group) -> Kernel | TiledKernel | None:
        """What a group is computed by; with the buffers of the first that does the same."""
        return self.kernels[self.twins[group].first]

    def check(self, number: int, check: int) -> tuple[Node, str, int]:
        """What a check is about: the node that reads an index, what the index is called, and what it must be below.

        Args:
            number: of the code; a chain has no checks.
            check: of the check, in the kernel.
        """
        group = self.schedule.runs[number]
        assert isinstance(group, Group)
        kernel = self.kernel(group)
        twin, node = self.twins[group], group.nodes[-1]
        if kernel is None:
            return node, "index", node.shape[node.attrs.get("axis", 0)] if node.shape else 1
        gathered = gathers(kernel)[check]
        return twin.own(gathered.author) if gathered.author else node, gathered.what, gathered.extent

    def error(self, number: int, check: int, position: int, value: int) -> Exception:
        """What a failed check tells: that an index is out of range, or what the hand-made kernel complains of.

        Args:
            number, check: as of `check`.
            position, value: what the kernel noted.
        """
        group, (node, what, extent) = self.schedule.runs[number], self.check(number, check)
        where = f"; {node.loc}" if str(node.loc) else ""
        made = KERNELS.get(group.handmade or "") if isinstance(group, Group) else None
        if made is not None and made.complaint:
            return RuntimeError(f"{node.op}: {made.complaint.format(position=position, value=value)}{where}")
        asked = node.attrs.get("name", node.op)
        return IndexError(f"{asked}: {what} {value} at position {position} is out of range [0, {extent}){where}")


def write(
    lowered: Iterable[tuple[Group, Kernel | TiledKernel | None]], buffers: dict[Node, Buffer],
    bodies: Mapping[Group, Program], begin: Callable[[str], None],
) -> tuple[dict[Group, Kernel | TiledKernel | None], dict[Group, Code]]:  # fmt: skip
    """Emits every kernel once; returns the kernels and their code.

    Args:
        lowered: the groups and what computes them, those that take LLVM longest first.
        begin: is given the text of each kernel as soon as it is written.
    """
    target = host()
    kernels: dict[Group, Kernel | TiledKernel | None] = {}
    made: dict[Group, Code] = {}
    written: dict[Hashable, Code] = {}  # by what kernels do, whatever the buffers
    for group, kernel in lowered:
        kernels[group] = kernel
        key = None if kernel is None else structure(kernel)
        if key is not None and key in written:
            assert kernel is not None
            made[group] = replace(written[key], buffers=slots(kernel))
            continue
        if group in bodies:
            made[group] = _loop(group, bodies[group], tuple(buffers[n] for n in _in_order(group)))
        else:
            made[group] = emit(kernel, group, buffers, target)
        if key is not None:
            written[key] = made[group]
        begin(made[group].text)
    for text in turned.texts_for(code.text for code in made.values()):
        begin(text)
    return kernels, made


def build(
    schedule: Schedule, plan: MemoryPlan, twins: dict[Group, Twin],
    kernels: dict[Group, Kernel | TiledKernel | None], made: Mapping[Group, Code], buffers: dict[Node, Buffer],
    bodies: dict[Group, Program], begin: Callable[[str], None],
) -> Program:  # fmt: skip
    """Writes what calls the kernels, and settles where each group's buffers live.

    Args:
        made: the kernels' code, as of `write`.
        bodies: of the first groups that are loops.
        begin: is given each text as soon as it is written.
    """
    homes_of = {buffer: plan.homes[schedule.owner(node)] for node, buffer in buffers.items()}
    own = {group: _own_code(made[twins[group].first], twins[group], buffers) for group in schedule.groups}
    for group, home in plan.rooms.items():
        *given, work = own[group].buffers
        room = Buffer(work.name, work.dtype, work.elements)
        homes_of[room] = home
        own[group] = replace(own[group], buffers=(*given, room))
    codes = []
    for run in schedule.runs:
        if isinstance(run, Group):
            codes.append(own[run])
            continue
        codes.append(_chained(run, [own[group] for group in run.groups], buffers))
        begin(codes[-1].text)
    homes = tuple(tuple(_home(homes_of[b.whole], b) for b in code.buffers) for code in codes)
    graph = schedule.graph
    commits = []
    for target_node, value in graph.updates:
        position = graph.inputs.index(target_node)
        if plan.homes[value] != Home("input", position):
            commits.append((position, plan.homes[value], value.type.nbytes))
    fails = {group: _may_fail(kernel, group) for group, kernel in kernels.items()}
    checks = tuple(isinstance(run, Group) and fails[twins[run].first] for run in schedule.runs)
    return Program(schedule, plan, twins, kernels, tuple(codes), homes, tuple(commits), checks, bodies)


def _own_code(code: Code, twin: Twin, buffers: Mapping[Node, Buffer]) -> Code:
    """The code of the first group that does the same, for the buffers of this one."""
    if not twin.nodes:
        return code
    own, moved = twin.in_terms_of(buffers)
    seen = (own.get(b.whole, b.whole).since(b.at + moved.get(b.whole, 0)) for b in code.buffers)
    return replace(code, buffers=tuple(seen))


def _chained(chain: Chain, parts: Sequence[Code], buffers: Mapping[Node, Buffer]) -> Code:
    """The code that calls the kernels of a chain block by block."""
    passing = {buffers[n]: size * n.dtype.itemsize for n, size in chain.passing.items()}
    module = Module("kernel")
    emit_chain(module, "kernel", chain, [Link(p.name, p.units, p.buffers) for p in parts], passing)
    name, text = _named(str(module), "chain")
    together = tuple(buffer for part in parts for buffer in part.buffers)
    return Code(name, text, chain.threads, sum(p.flops for p in parts), together, tuple(parts), frozenset(passing))


def _home(home: Home, buffer: Buffer) -> Home:
    return replace(home, beyond=buffer.at * buffer.dtype.itemsize) if buffer.at else home


def _may_fail(kernel: Kernel | TiledKernel | None, group: Group) -> bool:
    return group.handmade in KERNELS if kernel is None else bool(gathers(kernel))
