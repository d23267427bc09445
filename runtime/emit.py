"""Emission: a loop nest becomes the LLVM IR of one function, its vectors explicit.

    define void @name(ptr %args, i64 %begin, i64 %end)

`args` points to the addresses of the kernel's buffers, in the order of `slots`, and last to the status block.
[begin, end) are units of work: iterations of the outermost loop. A value is written in the outermost loop in which all
it depends on is known; a value that depends on the vector loop is a vector of sixteen elements, whatever the machine's
width (LLVM splits or joins them), any other a scalar.

Here are the loops: `values.py` writes what they compute, and `reductions.py` and `contraction_loops.py` those values
that are loops themselves.
Three forms of the innermost loops have modules of their own, `folded.py`, `panels.py` and `blocks.py`, and updates
that leave most rows as they are have `unchanged.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from graphc.index import Ix, Var
from graphc.known import cuts, period
from graphc.loops import Buffer, Kernel, TiledKernel, gathers
from graphc.runtime.blocks import crossing, write_blocks
from graphc.runtime.contraction_loops import contract
from graphc.runtime.folded import write_folded
from graphc.runtime.llvmtext import Builder, Module, Val, const, i64
from graphc.runtime.panels import down_columns, write_panels
from graphc.runtime.reductions import reduce, weight
from graphc.runtime.unchanged import may_stay, some_change, unchanged
from graphc.runtime.values import Writer
from graphc.schedule import LANES

SHORT = 4
"""A loop of no more steps than these is written without one, if there is room."""

COPIED = 600
"""How many expression nodes the parts of loops may have together, for loops to be cut where conditions change."""


def slots(kernel: Kernel | TiledKernel) -> tuple[Buffer, ...]:
    """The buffers whose addresses the kernel's arguments hold, in order."""
    return tuple(dict.fromkeys((*kernel.reads, *kernel.writes)))


def units(kernel: Kernel) -> int:
    """How many units of work the kernel has: iterations of its outermost loop, or vectors of it."""
    if not kernel.loops:
        return 1
    outer = kernel.loops[0]
    return -(-outer.extent // LANES) if outer is kernel.vector else outer.extent


def emit_loops(module: Module, name: str, kernel: Kernel) -> None:
    """Writes the kernel as a function of the module."""
    writer = begun(module, name, kernel)
    _, begin, end = writer.b.args
    _Nest(writer, kernel).write(list(kernel.loops), begin, end)
    writer.b.ret()


def begun(module: Module, name: str, kernel: Kernel | TiledKernel) -> Writer:
    """The kernel's function, of which only the signature is written."""
    signature = [("ptr", "args"), ("i64", "begin"), ("i64", "end")]
    builder = module.function(name, signature, attributes="nounwind alignstack(64)")  # vectors put aside: a line each
    return Writer(builder, slots(kernel), gathers(kernel), {"reduce": reduce, "contract": contract})


class _Nest:
    """Writes a kernel's loops."""

    def __init__(self, w: Writer, kernel: Kernel) -> None:
        self._w, self._kernel = w, kernel
        self._values = [store.value for store in kernel.stores]
        self._copies = 1  # how often what is being written is written

    def write(self, loops: list[Var], begin: Val | None = None, end: Val | None = None) -> None:
        """Writes the loops still to be opened, of the first of them the units [begin, end) if these are given."""
        w, b, kernel = self._w, self._w.b, self._kernel
        w.ahead(self._values)
        if not loops:
            w.store(kernel.stores)
            return
        var, rest = loops[0], loops[1:]
        if rest == [kernel.vector] and (loads := crossing(kernel, var, rest[0], w.scope)):
            write_blocks(w, kernel, var, rest[0], loads, begin or i64(0), end or i64(var.extent))
            return
        if rest and self._where_rows_change(rest, var, begin or i64(0), end or i64(var.extent)):
            return
        if var is kernel.folded and not self._turns(var):
            write_folded(w, kernel, begin or i64(0), end or i64(var.extent), lambda: self.write(rest))
            return
        outer = self._copies
        parts, step = self._parts(var, begin is None)
        self._copies *= len(parts) * (1 if var is kernel.vector else step)
        for lo, hi in parts:
            active = min(var.extent - lo * step, step)
            if hi - lo == 1 and (begin is None or len(parts) > 1 or active < step):
                with _where(b, lo, begin, end):
                    self._step(rest, var, i64(lo * step), Ix.of(lo * step), active)
                continue
            # no unit is beyond the last part: where it ends is not in the text, the same for batches of other sizes
            first, last = _most(b, begin, lo), end if end and hi == parts[-1][1] else _least(b, end, hi)
            known = Ix.of(Var(var.name, hi - lo)) * step + lo * step
            if var is kernel.vector and not rest and (down := down_columns(kernel, var)):
                write_panels(w, kernel, var, down, b.mul(first, step), b.mul(last, step), known)
                continue
            with b.loop(b.mul(first, step), b.mul(last, step), step) as index:
                self._step(rest, var, index, known, step)
        self._copies = outer

    def _where_rows_change(self, rest: list[Var], var: Var, begin: Val, end: Val) -> bool:
        """Writes a loop whose steps mostly leave memory as it is, sixteen at a time; False if it is no such loop."""
        w, b = self._w, self._w.b
        found = unchanged(self._kernel, var)
        if found is None:
            return False
        always = b.int_op("xor", may_stay(w, found), const(1, "i1"))

        def changes(base: Val, count: int) -> Val:
            return b.int_op("or", always, some_change(w, found, var, base, count))

        def rows(first: Val, last: Val) -> None:
            with b.loop(first, last) as index, b.when(changes(index, 1)):
                self._step(rest, var, index, Ix.of(var), 1)

        whole = b.add(begin, b.int_op("and", b.sub(end, begin), -LANES))
        with b.loop(begin, whole, LANES) as base, b.when(changes(base, LANES)):
            rows(base, b.add(base, LANES))
        rows(whole, end)
        return True

    def _step(self, rest: list[Var], var: Var, base: Val, known: Ix, count: int) -> None:
        """One step of a loop: so many iterations, across the lanes or one after the other."""
        w = self._w
        if var is self._kernel.vector:
            with w.scope.across(var, base, count, known=known):
                self.write(rest)
            return
        for number in range(count):
            with w.scope.at(var, w.b.add(base, number), known + number):
                self.write(rest)

    def _parts(self, var: Var, whole: bool) -> tuple[list[tuple[int, int]], int]:
        """The range of a loop in parts, and its step, in which they are given.

        What fills no vector is a part, and so is each side of a condition. Where conditions repeat, a step is their
        period; not in the outermost loop, which may begin anywhere.
        """
        vector = self._kernel.vector
        turns = self._turns(var)
        if var is vector:
            room = COPIED // (self._copies * weight(self._values))
            parts = _cut(var.extent, LANES, turns)
            return (parts if len(parts) <= room else _cut(var.extent, LANES, ())), LANES
        inside = 1 if vector is None else len(_cut(vector.extent, LANES, self._turns(vector)))
        # what conditions cost in the innermost loop counts most, so there is room for its parts first
        room = COPIED // (self._copies * weight(self._values) * inside)
        repeats = (var.extent if var.extent <= SHORT else period(self._values, var)) if whole else 1
        for step, at in ((repeats, turns), (repeats, ()), (1, turns)):
            parts = _cut(var.extent, step, at)
            if len(parts) * step <= room:
                return parts, step
        return [(0, var.extent)], 1

    def _turns(self, var: Var) -> list[int]:
        """Where conditions on the variable change, if they depend on no other loop but one that is a single vector."""
        lanes = self._kernel.vector
        others = [v for v in self._kernel.loops if v is not lanes or v.extent > LANES]
        return cuts(self._values, var, others, self._w.scope.known)


def _cut(extent: int, step: int, at: Sequence[int]) -> list[tuple[int, int]]:
    """The steps of a range in parts: cut on both sides of a step that has one of the points within, or is not full."""
    edges = {edge for point in (*at, extent) for edge in (point // step, -(-point // step))}
    return list(pairwise(sorted({0, *edges})))


@contextmanager
def _where(b: Builder, step: int, begin: Val | None, end: Val | None) -> Iterator[None]:
    """Within, what runs only if [begin, end) has the step."""
    if begin is None or end is None:
        yield
        return
    with b.when(b.int_op("and", b.icmp("sle", begin, step), b.icmp("sgt", end, step))):
        yield


def _least(b: Builder, x: Val | None, bound: int) -> Val:
    return i64(bound) if x is None else b.intrinsic("smin", "i64", x, i64(bound))


def _most(b: Builder, x: Val | None, bound: int) -> Val:
    return i64(bound) if x is None else x if bound == 0 else b.intrinsic("smax", "i64", x, i64(bound))
