"""Blocks: two loops in squares of 16 by 16, where some loads step along the outer loop and others along the inner one.

    before   for i: for j: y[i, j] = f(x[j, i], z[i, j])       sixteen far reads for each vector of x
    after    for 16 of i: for 16 of j: sixteen vectors x[j, i..i+15], transposed, serve sixteen vectors of y
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import copysign

from graphc.index import Ix, Var
from graphc.loops import Kernel, Value
from graphc.runtime import turned
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, i64, vector
from graphc.runtime.memory import from_memory
from graphc.runtime.scope import Scope
from graphc.runtime.values import Writer
from graphc.schedule import LANES

CROSSING_SIZE = 12
"""How many expression nodes the body of a loop may have to be written 16 times, with what is turned in registers."""

TALL = 64
"""How many steps of the outer loop are done before the next of the inner one: what is turned is read in long runs."""

FEWEST = 4
"""Steps of the outer loop from which turning a square is quicker than reading its vectors lane by lane."""


@dataclass(frozen=True)
class Crossing:
    """A load that steps far along the inner loop, and by one, on or back, along the outer.

    Attributes:
        step: elements between its lines, each of which is one step of the inner loop.
        back: whether the outer loop steps back through memory, where a square begins with its last step.
        lines: how many of sixteen exist; fewer only where the inner loop is one vector.
        aligned: whether it steps by one only within sixteen steps of the outer loop, as what lies in lanes does.
    """

    load: Value
    step: int
    lines: int
    aligned: bool = False
    back: bool = False


def crossing(kernel: Kernel, outer: Var, inner: Var, scope: Scope) -> list[Crossing]:
    """The loads that cross, all of one kind; none if blocks would not serve. Others are read as everywhere."""
    if outer.extent < FEWEST or inner.extent < LANES or any(v.kind in ("reduce", "contract") for v in kernel.values):
        return []
    found = [x for v in kernel.values if v.kind == "load" and (x := _crossing(v, outer, inner, scope))]
    return [x for x in found if not x.aligned] or found


def _crossing(load: Value, outer: Var, inner: Var, scope: Scope) -> Crossing | None:
    address = load.data[1]
    step = address.coefficient(inner)
    if step in (None, 0, 1):
        return None
    lines = _lines(load, inner, scope)
    if lines and address.coefficient(outer) in (1, -1):
        return Crossing(load, step, lines, back=address.coefficient(outer) == -1)
    row = Var("row", LANES)
    within = Ix.of(Var("block", -(-outer.extent // LANES))) * LANES + Ix.of(row)
    if lines and address.substitute({outer: within}).coefficient(row) == 1:
        return Crossing(load, step, lines, aligned=True)
    return None


def _lines(load: Value, inner: Var, scope: Scope) -> int:
    """How many steps of the inner loop, the first of sixteen, a load is made in; 0 if that is not known."""
    if not load.args:
        return LANES
    with scope.across(inner, i64(0), known=_begins(inner)):
        truth = scope.truth(load.args[0])
    if truth is None or not truth[0]:
        return 0
    lines = truth.count(True)
    if len(truth) == 1:
        return LANES
    return lines if inner.extent == LANES and all(truth[:lines]) else 0


def _begins(inner: Var) -> Ix:
    """Where a whole vector of the inner loop begins."""
    return Ix.of(Var(inner.name, inner.extent // LANES)) * LANES


def write_blocks(
    w: Writer, kernel: Kernel, outer: Var, inner: Var, loads: list[Crossing], begin: Val, end: Val
) -> None:
    """Writes the two loops, from `begin` to `end` of the outer one.

    Args:
        loads: those that cross.
    """
    b, blocks, aligned = w.b, _Blocks(w, kernel, outer, inner, loads), loads[0].aligned
    rows = int(end.name) - int(begin.name) if begin.literal and end.literal else None
    if blocks.small and not aligned and (rows is None or rows >= LANES):
        begin = blocks.in_squares(begin, end)
    if begin == end:
        return
    height, first = (LANES, b.int_op("and", begin, -LANES)) if aligned else (TALL, begin)
    with b.loop(first, end, height) as top:
        bottom = b.intrinsic("smin", "i64", b.add(top, height), end)
        top = b.intrinsic("smax", "i64", top, begin) if aligned else top
        blocks.in_rows(top, bottom, squares=not aligned and rows is not None and rows % LANES == 0)


class _Blocks:
    """Writes the stores of a kernel for a range of the outer loop, and the whole inner one."""

    def __init__(self, w: Writer, kernel: Kernel, outer: Var, inner: Var, loads: list[Crossing]) -> None:
        self.w, self.stores, self.outer, self.inner, self.loads = w, kernel.stores, outer, inner, loads
        self.full = inner.extent // LANES * LANES
        self.copies = self._copies()
        self.small = not self.copies and sum(s.value.size for s in kernel.stores) <= CROSSING_SIZE

    def _copies(self) -> bool:
        """Whether what is turned is stored as it is, or zero where there is none of it, each vector in a line."""
        store = self.stores[0]
        along = store.address.coefficient(self.inner) == 1 and store.address.coefficient(self.outer) is not None
        return [_copied(s.value) for s in self.stores] == [x.load for x in self.loads] and along

    def in_squares(self, begin: Val, end: Val) -> Val:
        """As far as they fill squares: what is turned is used at once, by a copy of the body for each of 16 steps.

        Returns:
            How far that is.
        """
        b, scope = self.w.b, self.w.scope
        stop = _whole(b, begin, end)
        with b.loop(begin, stop, TALL) as top:
            bottom = b.intrinsic("smin", "i64", b.add(top, TALL), stop)
            with b.loop(0, self.full, LANES) as column, b.loop(top, bottom, LANES) as row:
                columns = []
                for x in self.loads:
                    corner, element = self._corner(x, b.add(row, LANES - 1) if x.back else row, column)
                    vectors = turned.columns(b, element, corner, i64(x.step), x.lines)
                    columns.append(vectors[::-1] if x.back else vectors)
                for j in range(LANES):
                    with scope.at(self.outer, b.add(row, j)), self._across(column):
                        for x, vectors in zip(self.loads, columns, strict=True):
                            scope.keep(x.load, from_memory(b, vectors[j], x.load.dtype))
                        self.w.store(self.stores)
            if self.full < self.inner.extent:
                self._in_memory(top, bottom, self.full, True)
        return stop

    def in_rows(self, top: Val, bottom: Val, squares: bool) -> None:
        """Any number of rows, up to `TALL`; `squares`: known to be a multiple of sixteen."""
        if not self.copies:
            self._in_memory(top, bottom, 0, squares)
            return
        self._copied(top, bottom, squares)
        if self.full < self.inner.extent:
            self._in_memory(top, bottom, self.full, squares)

    def _copied(self, top: Val, bottom: Val, squares: bool) -> None:
        """Turns whole vectors from one buffer into the other."""
        b, scope, (store,), (load,) = self.w.b, self.w.scope, self.stores, self.loads
        distance = store.address.coefficient(self.outer)
        assert distance is not None
        with b.loop(0, self.full, LANES) as column:
            with scope.at(self.outer, top), scope.at(self.inner, column):
                target = self.w.memory.address(store.buffer, store.address)
            self._turn(load, top, bottom, column, target, distance, load.lines, squares)

    def _in_memory(self, top: Val, bottom: Val, first: int, squares: bool) -> None:
        """From a column on: what is turned waits in the first-level cache for a body that is written once."""
        b = self.w.b
        elements = [ELEMENT[x.load.data[0].dtype.short] for x in self.loads]
        waiting = [b.alloca(element, TALL * TALL) for element in elements]
        with b.loop(first, self.inner.extent, TALL) as left:
            right = b.intrinsic("smin", "i64", b.add(left, TALL), i64(self.inner.extent))
            for column, count in self._vectors(left, right, first):
                for x, memory, element in zip(self.loads, waiting, elements, strict=True):
                    place = b.gep(memory, b.sub(column, left), element)
                    self._turn(x, top, bottom, column, place, TALL, min(count, x.lines), squares)
            with b.loop(top, bottom) as row, self.w.scope.at(self.outer, row):
                self.w.ahead([store.value for store in self.stores])
                for column, count in self._vectors(left, right, first):
                    with self._across(column, count):
                        place = b.add(b.mul(b.sub(row, top), TALL), b.sub(column, left))
                        for x, memory, element in zip(self.loads, waiting, elements, strict=True):
                            vectors = b.load(b.gep(memory, place, element), vector(element, LANES))
                            self.w.scope.keep(x.load, from_memory(b, vectors, x.load.dtype))
                        self.w.store(self.stores)

    def _vectors(self, left: Val, right: Val, first: int) -> Iterator[tuple[Val, int]]:
        """Within, a vector of the inner loop in [left, right), and how many of its lanes exist; then the next."""
        b, tail = self.w.b, self.inner.extent - self.full
        if first < self.full:
            with b.loop(left, b.int_op("and", right, -LANES) if tail else right, LANES) as column:
                yield column, LANES
        if tail:
            with b.when(b.icmp("eq", right, self.inner.extent)):
                yield i64(self.full), tail

    def _across(self, column: Val, count: int = LANES) -> AbstractContextManager[None]:
        """Within, the inner variable runs over the lanes, `count` of which exist, from a multiple of sixteen on."""
        known = _begins(self.inner) if count == LANES else None
        return self.w.scope.across(self.inner, column, count, known=known)

    def _turn(
        self, x: Crossing, top: Val, bottom: Val, column: Val, target: Val, distance: int, lines: int, squares: bool
    ) -> None:
        """Stores for each step of the outer variable the vector of 16 steps of the inner one, elements `distance`."""
        b, first = self.w.b, self.w.b.sub(bottom, 1) if x.back else top
        corner, element = self._corner(x, first, column)
        if x.back:
            target, distance = b.gep(target, b.mul(b.sub(first, top), distance), element), -distance
        turned.turn(b, element, corner, x.step, lines, target, distance, b.sub(bottom, top), squares)

    def _corner(self, x: Crossing, row: Val, column: Val) -> tuple[Val, str]:
        """Where a square of a load begins, and of what type its elements are."""
        scope, (buffer, address) = self.w.scope, x.load.data
        with scope.at(self.outer, row), scope.at(self.inner, column):
            return self.w.memory.address(buffer, address), ELEMENT[buffer.dtype.short]


def _copied(value: Value) -> Value:
    """The load that a value is, or is where there is something to load, being zero elsewhere."""
    if value.kind == "fn" and value.data[0] == "select":
        condition, load, other = value.args
        if load.kind == "load" and load.args == (condition,) and _is_zero(other):
            return load
    return value


def _is_zero(value: Value) -> bool:
    return value.kind == "const" and value.data[0] == 0 and copysign(1, value.data[0]) == 1


def _whole(b: Builder, begin: Val, end: Val) -> Val:
    """How far whole squares reach."""
    if begin.literal and end.literal:
        return i64(int(end.name) - (int(end.name) - int(begin.name)) % LANES)
    return b.add(begin, b.int_op("and", b.sub(end, begin), -LANES))
