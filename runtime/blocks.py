"""Blocks: two loops in squares of 16 by 16, where some loads step along the outer loop and others along the inner one.

    before   for i: for j: y[i, j] = f(x[j, i], z[i, j])       sixteen far reads for each vector of x
    after    for 16 of i: for 16 of j: sixteen vectors x[j, i..i+15], transposed, serve sixteen vectors of y
"""

from __future__ import annotations

from graphc.index import Ix, Var
from graphc.loops import Kernel, Value
from graphc.runtime import turned
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, i64, vector
from graphc.runtime.memory import from_memory
from graphc.runtime.values import Writer
from graphc.schedule import LANES

CROSSING_SIZE = 12
"""How many expression nodes the body of a loop may have to be written 16 times, with what is turned in registers."""

TALL = 64
"""How many steps of the outer loop are done before the next of the inner one: what is turned is read in long runs."""


def crossing(kernel: Kernel, outer: Var, inner: Var) -> list[Value]:
    """The loads that step far along the inner loop and by one, on or back, along the outer; none if blocks do not do.

    Others are read as everywhere.
    """
    if min(outer.extent, inner.extent) < LANES:
        return []
    found = []
    for value in kernel.values:
        if value.kind in ("reduce", "contract"):
            return []
        if value.kind == "load" and not value.args and _crosses(value.data[1], outer, inner):
            found.append(value)
    return found


def _crosses(address: Ix, outer: Var, inner: Var) -> bool:
    return address.coefficient(outer) in (1, -1) and address.coefficient(inner) not in (None, 0, 1)


def _goes_back(load: Value, outer: Var) -> bool:
    """Whether the outer loop steps back through memory, where a square begins with its last step."""
    address: Ix = load.data[1]
    return address.coefficient(outer) == -1


def write_blocks(
    w: Writer, kernel: Kernel, outer: Var, inner: Var, loads: list[Value], begin: Val, end: Val
) -> Val:
    """Writes the two loops, from `begin` of the outer one, as far as they fill blocks; returns where they stop.

    Args:
        loads: those that cross.
    """
    b, scope = w.b, w.scope
    stop = _whole(b, begin, end)
    full, tail = inner.extent // LANES * LANES, inner.extent % LANES
    blocks = _Blocks(w, kernel, outer, inner, loads)
    with b.loop(begin, stop, TALL) as top:
        bottom = b.intrinsic("smin", "i64", b.add(top, TALL), stop)
        small = sum(s.value.size for s in kernel.stores) <= CROSSING_SIZE
        (blocks.copied if blocks.copies else blocks.in_registers if small else blocks.in_memory)(top, bottom, full)
        if tail:
            with b.loop(top, bottom) as index, scope.at(outer, index), scope.across(inner, i64(full), tail):
                w.store(kernel.stores)
    return stop


def _whole(b: Builder, begin: Val, end: Val) -> Val:
    """How far whole blocks reach."""
    if begin.literal and end.literal:
        return i64(int(end.name) - (int(end.name) - int(begin.name)) % LANES)
    return b.add(begin, b.int_op("and", b.sub(end, begin), -LANES))


class _Blocks:
    """Writes the stores of a kernel for a range of the outer loop, whole blocks, and the whole blocks of the inner."""

    def __init__(self, w: Writer, kernel: Kernel, outer: Var, inner: Var, loads: list[Value]) -> None:
        self.w, self.stores, self.outer, self.inner, self.loads = w, kernel.stores, outer, inner, loads
        self.known = Ix.of(Var(inner.name, inner.extent // LANES)) * LANES  # where a vector of the inner loop begins

    @property
    def copies(self) -> bool:
        """Whether what is turned is stored as it is, each vector in a line."""
        store = self.stores[0]
        along = store.address.coefficient(self.inner) == 1 and store.address.coefficient(self.outer) is not None
        return [s.value for s in self.stores] == self.loads and along

    def copied(self, top: Val, bottom: Val, full: int) -> None:
        """Turns from one buffer into the other."""
        b, scope, (store,) = self.w.b, self.w.scope, self.stores
        step = store.address.coefficient(self.outer)
        assert step is not None
        with b.loop(0, full, LANES) as column:
            with scope.at(self.outer, top), scope.at(self.inner, column):
                target = self.w.memory.address(store.buffer, store.address)
            self._turn(self.loads[0], top, bottom, column, target, step)

    def in_registers(self, top: Val, bottom: Val, full: int) -> None:
        """What is turned is used at once, by a copy of the body for each of 16 steps."""
        b, scope = self.w.b, self.w.scope
        with b.loop(0, full, LANES) as column, b.loop(top, bottom, LANES) as row:
            columns = []
            for load in self.loads:
                back = _goes_back(load, self.outer)
                corner, step, element = self._corner(load, b.add(row, LANES - 1) if back else row, column)
                vectors = turned.columns(b, element, corner, i64(step))
                columns.append(vectors[::-1] if back else vectors)
            for j in range(LANES):
                with scope.at(self.outer, b.add(row, j)), scope.across(self.inner, column, known=self.known):
                    for load, vectors in zip(self.loads, columns, strict=True):
                        scope.keep(load, from_memory(b, vectors[j], load.dtype))
                    self.w.store(self.stores)

    def in_memory(self, top: Val, bottom: Val, full: int) -> None:
        """What is turned waits in the first-level cache for a body that is written once."""
        b, scope = self.w.b, self.w.scope
        elements = [ELEMENT[load.data[0].dtype.short] for load in self.loads]
        waiting = [b.alloca(element, TALL * TALL) for element in elements]
        with b.loop(0, full, TALL) as left:
            right = b.intrinsic("smin", "i64", b.add(left, TALL), i64(full))
            with b.loop(left, right, LANES) as column:
                for load, memory, element in zip(self.loads, waiting, elements, strict=True):
                    self._turn(load, top, bottom, column, b.gep(memory, b.sub(column, left), element), TALL)
            with b.loop(top, bottom) as row, scope.at(self.outer, row):
                self.w.ahead([store.value for store in self.stores])
                with b.loop(left, right, LANES) as column, scope.across(self.inner, column, known=self.known):
                    place = b.add(b.mul(b.sub(row, top), TALL), b.sub(column, left))
                    for load, memory, element in zip(self.loads, waiting, elements, strict=True):
                        x = b.load(b.gep(memory, place, element), vector(element, LANES))
                        scope.keep(load, from_memory(b, x, load.dtype))
                    self.w.store(self.stores)

    def _turn(self, load: Value, top: Val, bottom: Val, column: Val, target: Val, apart: int) -> None:
        """Stores for each step of the outer variable the vector of 16 steps of the inner one, elements `apart`."""
        b, first = self.w.b, top
        if _goes_back(load, self.outer):
            first = b.sub(bottom, 1)
            target = b.gep(target, b.mul(b.sub(first, top), apart), ELEMENT[load.data[0].dtype.short])
            apart = -apart
        corner, step, element = self._corner(load, first, column)
        turned.turn(b, element, corner, step, target, apart, b.sub(bottom, top))

    def _corner(self, load: Value, row: Val, column: Val) -> tuple[Val, int, str]:
        """Where a square of a load begins, how many elements lie between its vectors, and of what type they are."""
        scope, (buffer, address) = self.w.scope, load.data
        with scope.at(self.outer, row), scope.at(self.inner, column):
            corner = self.w.memory.address(buffer, address)
        step = address.coefficient(self.inner)
        assert step is not None
        return corner, step, ELEMENT[buffer.dtype.short]
