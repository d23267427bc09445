"""Rows that an update leaves as they are: read and written only where something is taken from them.

    before   for i: for j: w[i, j] = w[i, j] - rate * (0 if none[i] else row(i, j))
    after    for 16 of i: unless none[i] for all of them, and 0 * rate is 0: the same

An embedding's gradient is zero but for the rows that were looked up, and a number less zero is the number, bit for bit.
A rate that is infinite, not a number or negative changes every row, and so does an update that is not in place: both
are seen when the kernel runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign

from graphc.dtype import float32, float64
from graphc.index import Ix, Var
from graphc.loops import Buffer, Kernel, Store, Value
from graphc.runtime.functions import constant, function
from graphc.runtime.llvmtext import Val, const, suffix_of
from graphc.runtime.values import Writer

_BITS = {float32: "i32", float64: "i64"}


@dataclass(frozen=True)
class Unchanged:
    """When a kernel would store what is there already.

    Attributes:
        none: the condition on a row under which nothing is taken from it.
        factors: by what zero is multiplied then.
        places: the buffers that must be the same, in pairs.
    """

    none: Value
    factors: tuple[Value, ...]
    places: tuple[tuple[Buffer, Buffer], ...]


def unchanged(kernel: Kernel, rows: Var) -> Unchanged | None:
    """When all stores of a kernel leave a row as it is; None if that is not known."""
    if rows is kernel.vector:
        return None
    found = [_of_store(store, rows) for store in kernel.stores]
    stores = [x for x in found if x]
    if not stores or len(stores) < len(found) or any(x.none is not stores[0].none for x in stores):
        return None
    factors = tuple(dict.fromkeys(factor for x in stores for factor in x.factors))
    return Unchanged(stores[0].none, factors, tuple(place for x in stores for place in x.places))


def _of_store(store: Store, rows: Var) -> Unchanged | None:
    value = store.value
    if value.dtype not in _BITS or value.kind != "fn" or value.data[0] != "sub":
        return None
    old, taken = value.args
    if old.kind != "load" or old.args or old.data[1] != store.address:
        return None
    factors: list[Value] = []
    while taken.kind == "fn" and taken.data[0] == "mul":
        constants = [x for x in taken.args if not x.deps]
        if len(constants) != 1:
            return None
        factors.append(constants[0])
        taken = next(x for x in taken.args if x is not constants[0])
    if taken.kind != "fn" or taken.data[0] != "select" or taken.args[0].deps != {rows} or not _is_zero(taken.args[1]):
        return None
    return Unchanged(taken.args[0], tuple(factors), ((store.buffer, old.data[0]),))


def _is_zero(value: Value) -> bool:
    return value.kind == "const" and value.data[0] == 0 and copysign(1, value.data[0]) == 1


def may_stay(w: Writer, found: Unchanged) -> Val:
    """Whether rows from which nothing is taken stay as they are, in this run of the kernel."""
    b, stays = w.b, const(1, "i1")
    for new, old in found.places:
        same = b.icmp("eq", w.memory.address(new, Ix.of(0)), w.memory.address(old, Ix.of(0)))
        stays = b.int_op("and", stays, same)
    for factor in found.factors:
        zero = function(b, "mul", factor.dtype, [constant(0.0, factor.dtype), w.value(factor)])
        stays = b.int_op("and", stays, b.icmp("eq", b.bitcast(zero, _BITS[factor.dtype]), 0))
    return stays


def some_change(w: Writer, found: Unchanged, rows: Var, base: Val, count: int) -> Val:
    """Whether something is taken from one of so many rows, from `base` on."""
    b = w.b
    if count == 1:
        with w.scope.at(rows, base):
            return b.int_op("xor", w.value(found.none), const(1, "i1"))
    with w.scope.across(rows, base, count, count):
        none = w.spread(found.none)
        return b.icmp("eq", b.intrinsic("vector.reduce.and", "i1", none, suffix=suffix_of(none.type)), 0)
