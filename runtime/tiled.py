"""Tiled kernels: a `TiledKernel` becomes a `Contraction` of strides, its stores the epilogue of every register tile."""

from __future__ import annotations

from contextlib import nullcontext
from math import prod
from typing import Any

from graphc.arrays import PAGE
from graphc.index import Ix, Var
from graphc.loops import Buffer, TiledKernel, Value
from graphc.runtime.contraction import Contraction, Dim, Inside, units
from graphc.runtime.contraction_emit import emit
from graphc.runtime.contraction_masked import any_of
from graphc.runtime.contraction_plan import FROM_AFAR
from graphc.runtime.emit import begun
from graphc.runtime.functions import ELEMENT, operations
from graphc.runtime.llvmtext import Builder, Module, Val, const, i64
from graphc.runtime.target import Target


def contraction_of(kernel: TiledKernel) -> Contraction:
    """The kernel's sum as strides in its two operands."""
    a, b = kernel.a.data[1], kernel.b.data[1]
    batch: list[Dim] = []
    rows: list[Dim] = []
    columns: list[Dim] = []
    for var in kernel.loops:
        dim = _dim(var, a, b)
        apart = bool(dim.a) != bool(dim.b) or (var is kernel.lanes and not dim.a)
        (batch if not apart else rows if dim.a and var is not kernel.lanes else columns).append(dim)
    return Contraction(
        tuple(batch), tuple(rows), tuple(columns), tuple(_dim(v, a, b) for v in kernel.summed),
        kernel.lanes.name, ELEMENT[kernel.acc.dtype.short], _lane_tail(kernel),
        tuple(
            Inside(c.output.name, c.summed.name, c.output_step, c.sum_step, c.start, c.extent) for c in kernel.inside
        ),
        twos=kernel.narrow, masked=kernel.masked == "a", **_results(kernel),
    )  # fmt: skip


def _results(kernel: TiledKernel) -> dict[str, Any]:
    """The loop along which all results lie in memory, where that is not the lanes', and how far those are apart."""
    steps = {var: {store.address.coefficient(var) or 0 for store in kernel.stores} for var in kernel.loops}
    along = [var for var, by in steps.items() if var.extent > 1 and by == {1}]
    if along in ([], [kernel.lanes]) or any(value.kind == "reduce" for value in kernel.values):
        return {}
    return {"along": along[0].name, "apart": min(steps.get(kernel.lanes, {0}))}


def _lane_tail(kernel: TiledKernel) -> tuple[str, int] | None:
    if kernel.tail is None or kernel.tail[1] == kernel.lanes.extent:
        return None
    return kernel.tail[0].name, kernel.tail[1]


def _dim(var: Var, a: Ix, b: Ix) -> Dim:
    return Dim(var.name, var.extent, a.coefficient(var) or 0, b.coefficient(var) or 0)


TOUCHED, SHARE = FROM_AFAR // 4, 8
"""Bytes that an epilogue touches from which on they are taken to be far: a step touches what other kernels do before it
comes back. And of these what is less than one part in so many stays in the first-level cache."""


def tiled_units(kernel: TiledKernel, target: Target) -> int:
    return units(contraction_of(kernel), target.lanes)


def emit_tiled(module: Module, name: str, kernel: TiledKernel, target: Target) -> None:
    """Writes the kernel as a function of the module, of the same signature as loops have."""
    writer = begun(module, name, kernel)
    builder, scope = writer.b, writer.scope
    a, b = (writer.memory.address(operand.data[0], Ix.of(operand.data[1].const)) for operand in (kernel.a, kernel.b))

    def finish(into: Builder, coords: dict[str, tuple[Val, int]], acc: Val, active: int, across: str) -> None:
        at = {var: _place(*coords[var.name]) for var in kernel.loops}
        lanes = next((var for var in kernel.loops if var.name == across), None)  # none where they are summed
        base, beyond = at.pop(lanes) if lanes else (acc, 0)
        along = scope.across(lanes, base, active, acc.lanes, beyond=beyond) if lanes else nullcontext()
        with scope.only(at), along:
            scope.keep(kernel.acc, acc)
            writer.store(kernel.stores)

    far = _far_memory(kernel)

    def fetch(into: Builder, coords: dict[str, tuple[Val, int]], near: bool) -> None:
        with scope.only({var: _place(*coords[var.name]) for var in kernel.loops}):
            for (buffer, address), to_write in far.items():
                into.prefetch(writer.memory.address(buffer, address), to_write, near)

    taken = _taken(kernel)

    def wanted(into: Builder, coords: dict[str, tuple[Val, int]], active: int, lanes: int) -> Val:
        at = {var: _place(*coords[var.name]) for var in kernel.loops}
        base, beyond = at.pop(kernel.lanes)
        with scope.only(at), scope.across(kernel.lanes, base, active, lanes, beyond=beyond):
            asked = [(writer.value(condition), value) for condition, value in taken]
        return any_of(into, [x if value else into.int_op("xor", x, const(1, x.type)) for x, value in asked])

    emit(
        builder, contraction_of(kernel), target.lanes, a, b, finish, builder.args[1], builder.args[2],
        fetch if far else None, _epilogue(kernel), pages_apart(kernel), wanted if taken else None,
    )  # fmt: skip
    builder.ret()


def _taken(kernel: TiledKernel) -> list[tuple[Value, bool]]:
    """Conditions, and what at least one of them must be for a store to take the sum; none if it always is."""
    if kernel.masked != "acc":
        return []
    depends: dict[Value, bool] = {}
    for value in kernel.values:  # operands first
        depends[value] = value is kernel.acc or any(depends[x] for x in value.args)
    found: dict[tuple[Value, bool], None] = {}
    stack = [store.value for store in kernel.stores if depends[store.value]]
    while stack:
        value = stack.pop()
        if value is kernel.acc:
            return []
        asks = value.kind == "fn" and value.data[0] == "select" and not depends[value.args[0]]
        sides = [side for side, x in enumerate(value.args[1:]) if depends[x]] if asks else []
        if len(sides) == 1:
            found[value.args[0], not sides[0]] = None
        else:
            stack += [x for x in value.args if depends[x]]
    return list(found)


def _epilogue(kernel: TiledKernel) -> int:
    """About how many operations follow the sum, for each element of the result."""
    found = [(v, v.deps) for v in kernel.values if v.kind == "fn" and v.deps]
    found += [(v, v.deps | {v.data[1]}) for v in kernel.values if v.kind == "reduce"]
    return sum(operations(v) * prod(var.extent for var in deps if var not in kernel.loops) for v, deps in found)


def pages_apart(kernel: TiledKernel) -> bool:
    """Whether rows of a result lie a whole number of pages apart."""
    apart = [
        store.buffer.dtype.itemsize * (store.address.coefficient(var) or 0)
        for store in kernel.stores for var in kernel.loops if var is not kernel.lanes and var.extent > 1
    ]  # fmt: skip
    return any(step and step % PAGE == 0 for step in apart)


def _place(base: Val, beyond: int) -> tuple[Val, int]:
    """A coordinate as what several cells of a tile have in common and what one is beyond that."""
    return (i64(int(base.name) + beyond), 0) if base.literal else (base, beyond)


def _far_memory(kernel: TiledKernel) -> dict[tuple[Buffer, Ix], bool]:
    """What the epilogue touches a vector at a time that may not be in the cache, and whether it writes it."""
    loads = [value.data for value in kernel.values if value.kind == "load" and not value.args]
    touched = dict.fromkeys(loads, False) | dict.fromkeys([(s.buffer, s.address) for s in kernel.stores], True)
    reaches = {(buffer, at): _reach(buffer, at, kernel) for buffer, at in touched}
    together = sum(reaches.values())
    far = [place for place, reach in reaches.items() if together >= TOUCHED and reach * SHARE >= together]
    return {place: touched[place] for place in far}


def _reach(buffer: Buffer, address: Ix, kernel: TiledKernel) -> int:
    """Over how many bytes of a buffer the epilogue goes; 0 if not in vectors, or in loops of its own."""
    steps = [address.coefficient(var) for var in kernel.loops]
    if None in steps or address.coefficient(kernel.lanes) != 1 or not address.variables <= {*kernel.loops}:
        return 0
    reach = sum((var.extent - 1) * abs(step or 0) for var, step in zip(kernel.loops, steps, strict=True))
    return buffer.dtype.itemsize * reach
