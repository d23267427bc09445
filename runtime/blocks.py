"""Blocks: two loops in squares of 16 by 16, where some loads step along the outer loop and others along the inner one.

    before   for i: for j: y[i, j] = f(x[j, i], z[i, j])       sixteen far reads for each vector of x
    after    for 16 of i: for 16 of j: sixteen vectors x[j, i..i+15], transposed, serve sixteen vectors of y
"""

from __future__ import annotations

from graphc.index import Var
from graphc.loops import Kernel, Value
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Val, i64, vector
from graphc.runtime.memory import from_memory
from graphc.runtime.values import Writer
from graphc.schedule import LANES

CROSSING_SIZE = 12
"""How many expression nodes the body of a loop that is blocked for transposition may have: it is written 16 times."""


def crossing(kernel: Kernel, outer: Var, inner: Var) -> list[Value]:
    """The loads that step far along the inner loop and by one along the outer; none if blocks would not serve."""
    if min(outer.extent, inner.extent) < LANES or sum(s.value.size for s in kernel.stores) > CROSSING_SIZE:
        return []
    found = []
    for value in kernel.values():
        if value.kind in ("reduce", "contract"):
            return []
        if value.kind == "load" and inner in value.deps and value.data[1].coefficient(inner) != 1:
            if value.args or value.data[1].coefficient(inner) is None or value.data[1].coefficient(outer) != 1:
                return []
            found.append(value)
    return found


def write_blocks(
    w: Writer, kernel: Kernel, outer: Var, inner: Var, loads: list[Value], begin: Val, end: Val
) -> Val:
    """Writes the two loops, from `begin` of the outer one, as far as they fill blocks; returns where they stop.

    Args:
        loads: those that cross.
    """
    b, scope = w.b, w.scope
    blocked = b.int_op("and", b.sub(end, begin), -LANES)
    stop = b.add(begin, blocked)
    full, tail = inner.extent // LANES * LANES, inner.extent % LANES
    with b.loop(begin, stop, LANES) as row:
        with b.loop(0, full, LANES) as column:
            turned = [_turned(w, load, outer, row, inner, column) for load in loads]
            for j in range(LANES):
                with scope.at(outer, b.add(row, j)), scope.across(inner, column):
                    for load, columns in zip(loads, turned, strict=True):
                        scope.keep(load, from_memory(b, columns[j], load.dtype))
                    w.store(kernel.stores)
        if tail:
            rows = b.loop(row, b.add(row, LANES))
            with rows as index, scope.at(outer, index), scope.across(inner, i64(full), tail):
                w.store(kernel.stores)
    return stop


def _turned(w: Writer, load: Value, outer: Var, row: Val, inner: Var, column: Val) -> list[Val]:
    """For 16 steps of the outer variable the vector of 16 steps of the inner one."""
    b = w.b
    buffer, address = load.data
    element = ELEMENT[buffer.dtype.short]
    with w.scope.at(outer, row), w.scope.at(inner, column):
        corner = w.memory.address(buffer, address)
    step = address.coefficient(inner)
    assert step is not None
    type_ = vector(element, LANES)
    return b.transpose([b.load(b.gep(corner, k * step, element), type_) for k in range(LANES)])
