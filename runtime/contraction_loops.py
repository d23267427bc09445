"""Contractions as plain loops: what the tiled kernels compute, for operands that no tile can read."""

from __future__ import annotations

from graphc.index import Var
from graphc.loops import Value
from graphc.runtime.functions import identity
from graphc.runtime.llvmtext import Val, i64
from graphc.runtime.partials import Slots
from graphc.runtime.twos import multiply, word
from graphc.runtime.values import Writer


def contract(w: Writer, value: Value) -> Val:
    """Writes a value of kind `contract`."""
    variables, by_lanes = value.data
    w.ahead(value.args)
    zero = identity("sum", value.dtype, w.scope.width if w.scope.is_vector(value) else 1)
    if not by_lanes:
        return _chain(w, value, list(variables), zero)
    b, first = w.b, variables[0]
    slots = Slots(b, zero, first.extent)
    with b.loop(0, first.extent) as index, w.scope.at(first, index):
        place = slots.place(index)
        b.store(_chain(w, value, list(variables[1:]), b.load(place, zero.type)), place)
    return slots.folded("sum", value.dtype)


def _chain(w: Writer, value: Value, variables: list[Var], start: Val) -> Val:
    """One product after the other is added to `start`, in the order of the variables."""
    b = w.b
    if len(variables) == 1 and value.args[0].dtype is not value.dtype:
        return _by_twos(w, value, variables[0], start)
    if not variables:
        x, y, *there = (w.spread(a) if start.lanes > 1 else w.value(a) for a in value.args)
        total = b.fma(x, y, start) if value.dtype.is_float else b.add(b.mul(x, y), start)
        return b.select(there[0], total, start) if there else total
    var, rest = variables[0], variables[1:]
    with b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), w.scope.at(var, index):
        out[0] = _chain(w, value, rest, running)
    return out[0]


def _by_twos(w: Writer, value: Value, var: Var, start: Val) -> Val:
    """The same of narrow factors, two terms at a time."""
    b = w.b

    def factors(index: Val) -> list[Val]:
        with w.scope.at(var, index):
            return [w.spread(a) if start.lanes > 1 else w.value(a) for a in value.args]

    def added(total: Val, lower: list[Val], upper: list[Val | None]) -> Val:
        x, y = (word(b, *both) for both in zip(lower[:2], upper[:2], "ab", strict=True))
        more = multiply(b, x, y, total)
        return b.select(lower[2], more, total) if lower[2:] else more  # both exist, or none

    total, pairs = start, var.extent // 2
    if pairs:
        with b.loop_carrying(0, 2 * pairs, [start], 2) as (index, (running,), out):
            out[0] = added(running, factors(index), [*factors(b.add(index, 1))])
        total = out[0]
    return added(total, factors(i64(var.extent - 1)), [None, None]) if var.extent % 2 else total
