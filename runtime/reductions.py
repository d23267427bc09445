"""Reductions, each a loop of its own over values: `reduce` writes them where the loops stand.

Where no lane depends on the reduction its own variable lies across the lanes, which then are the sixteen partial
results; where every lane has a reduction of its own they lie in registers, if what is reduced is made of little, or on
the stack. What has no defined order keeps as many running results as are fast. How partial results become one says
`partials.py`. Loops that do not stand as the program has them are in modules of their own: `row_by_row.py` and
`side_by_side.py` are asked here, `panels.py` and `folded.py` by `emit.py`, as they change the loops around as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd

from graphc.arrays import PAGE
from graphc.index import Ix, Var
from graphc.loops import Value, all_values
from graphc.runtime.functions import identity
from graphc.runtime.indices import narrowed
from graphc.runtime.llvmtext import Val, const, const_vector, i64, mask, vector
from graphc.runtime.partials import Found, Partial, Slots, better_of, combine, finished, fold, fold_lanes, is_ordered
from graphc.runtime.row_by_row import row_by_row, row_length
from graphc.runtime.side_by_side import few_columns, side_by_side
from graphc.runtime.values import Writer
from graphc.schedule import LANES

CHAINS, SMALL = 4, 12
"""How many results run side by side in a reduction whose body has at most so many expression nodes."""

UNROLLED = 160
"""How many expression nodes a reduction's unrolled body may have."""

LIGHT, WRITTEN = {"add", "sub", "mul", "neg", "abs", "square", "select"}, 6
"""What a reduction may be made of, and of how many operations, for its body to be written sixteen times."""

MANY_TERMS, ONE_SET = 2048, 32
"""Terms beyond which lines are not read across, as they would fill the second-level cache; and how many lines that meet
in one set of the first-level one are gone when they are needed again."""


def reduce(w: Writer, value: Value) -> Val:
    """Writes a value of kind `reduce`."""
    kind, var = value.data
    w.ahead(value.args)
    if var.extent == 0:
        return identity(kind, value.dtype, 1)
    if w.scope.is_vector(value):
        return finished(w.b, value, _in_lanes(w, value))
    return finished(w.b, value, fold_lanes(w.b, value, across_lanes(w, value)))


def is_short(value: Value) -> bool:
    """Whether a reduction is written out instead of looped over."""
    var: Var = value.data[1]
    return var.extent <= LANES and weight(value.args) * var.extent <= UNROLLED


def weight(values: Sequence[Value]) -> int:
    """About how many operations are written for the values; what is only about indices does not count."""
    found = [v for v in all_values(values) if not _indexing(v)]
    again = (int(v.data[1].extent - 1) * weight(v.args) for v in found if v.kind == "reduce" and is_short(v))
    return max(len(found) + sum(again), 1)


def _indexing(value: Value) -> bool:
    if value.kind in ("const", "position"):
        return True
    return value.kind in ("fn", "cast") and all(_indexing(a) for a in value.args)


# Across the lanes: one reduction


def across_lanes(w: Writer, value: Value) -> Partial:
    """A reduction that no lane depends on: its own variable lies across the lanes, still to be folded."""
    kind, var = value.data
    if kind in ("argmax", "argmin"):
        return _position_across_lanes(w, value)
    if (length := row_length(value)) is not None:
        return (row_by_row(w, value, length),)
    (body,), b, scope, dtype = value.args, w.b, w.scope, value.dtype
    start = identity(kind, dtype, LANES)
    total = start
    full, tail = var.extent // LANES * LANES, var.extent % LANES
    if full:
        chains = _chains(value, full // LANES)
        whole, step = full // (LANES * chains) * LANES * chains, LANES * chains
        with b.loop_carrying(0, whole, [start] * chains, step) as (index, running, out):
            for c in range(chains):
                with scope.across(var, b.add(index, c * LANES), known=Ix.of(Var(var.name, full // LANES)) * LANES):
                    out[c] = combine(b, kind, dtype, running[c], w.spread(body))
        totals = list(out)
        for c in range((full - whole) // LANES):
            with scope.across(var, i64(whole + c * LANES)):
                totals[c] = combine(b, kind, dtype, totals[c], w.spread(body))
        total = totals[0]
        for other in totals[1:]:
            total = combine(b, kind, dtype, total, other)
    if tail:
        with scope.across(var, i64(full), tail):
            item = w.spread(body)
            total = combine(b, kind, dtype, total, b.select(mask(tail, LANES), item, start))
    return (total,)


def _chains(value: Value, count: int) -> int:
    """How many running results to keep where their order does not matter: one waits for itself at every step."""
    return 1 if is_ordered(value) or count < 2 * CHAINS or len(list(all_values(value.args))) > SMALL else CHAINS


# In lanes: a reduction of its own in every one


def _in_lanes(w: Writer, value: Value) -> Val:
    kind, var = value.data
    if kind in ("argmax", "argmin"):
        return _position_in_lanes(w, value)
    b, dtype = w.b, value.dtype
    start = identity(kind, dtype, w.scope.width)
    if w.scope.width == LANES and few_columns(value, w.scope.lane_var):
        return side_by_side(w, value, start)
    if not is_ordered(value):
        return _running(w, value, start)
    if is_short(value):
        return fold(b, kind, dtype, [combine(b, kind, dtype, start, item) for item in _each(w, value)])
    if fits_registers(value):
        return fold(b, kind, dtype, _in_registers(w, value, start))
    slots = Slots(b, start, var.extent)
    with b.loop(0, var.extent) as index, w.scope.at(var, index):
        item = w.spread(value.args[0])
        place = slots.place(index)
        b.store(combine(b, kind, dtype, b.load(place, start.type), item), place)
    return slots.folded(kind, dtype)


def fits_registers(value: Value) -> bool:
    """Whether the partial results of a reduction stay in registers, sixteen steps being written one after the other.

    Not where the lines that it then reads across would push each other out of a set of the cache before their
    neighbours are read; nor where something is looked up, which would be checked again for every vector.
    """
    var = value.data[1]
    values = [v for v in all_values(value.args) if var in v.deps]
    light = all(v.kind in ("load", "cast") or (v.kind == "fn" and v.data[0] in LIGHT) for v in values)
    if not light or len(values) > WRITTEN or not is_ordered(value):
        return False
    loads = [v for v in values if v.kind == "load"]
    steps = [(v.data[1].coefficient(var), v.dtype.itemsize) for v in loads]
    near = all(step is not None and gcd(step * size, PAGE) * var.extent < ONE_SET * PAGE for step, size in steps)
    return near and var.extent <= MANY_TERMS


def _in_registers(w: Writer, value: Value, start: Val) -> list[Val]:
    """The partial results of a reduction that each lane has of its own, sixteen steps at once."""
    kind, var = value.data
    b, scope, full = w.b, w.scope, var.extent // LANES * LANES
    with b.loop_carrying(0, full, [start] * LANES, LANES) as (index, running, out):
        for c in range(LANES):
            with scope.at(var, index, Ix.of(Var(var.name, full // LANES)) * LANES + c, beyond=c):
                out[c] = combine(b, kind, value.dtype, running[c], w.spread(value.args[0]))
    totals = list(out)
    for c in range(var.extent - full):
        with scope.at(var, i64(full + c)):
            totals[c] = combine(b, kind, value.dtype, totals[c], w.spread(value.args[0]))
    return totals


def _running(w: Writer, value: Value, start: Val) -> Val:
    """Where the order does not matter: one running result."""
    kind, var = value.data
    if is_short(value):
        total = start
        for item in _each(w, value):
            total = combine(w.b, kind, value.dtype, total, item)
        return total
    with w.b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), w.scope.at(var, index):
        out[0] = combine(w.b, kind, value.dtype, running, w.spread(value.args[0]))
    return out[0]


def _each(w: Writer, value: Value) -> Iterator[Val]:
    """What is reduced, written out."""
    _, var = value.data
    for k in range(var.extent):
        with w.scope.at(var, i64(k)):
            yield w.spread(value.args[0])


# argmax and argmin


def _counter(var: Var) -> str:
    """The type of positions while they are compared."""
    return "i32" if var.extent < 2**31 else "i64"


def _position_in_lanes(w: Writer, value: Value) -> Val:
    kind, var = value.data
    (body,), b, scope, counter = value.args, w.b, w.scope, _counter(var)
    type_ = vector(counter, scope.width)
    if is_short(value):
        (_, x), *later = enumerate(_each(w, value))
        at = const(0, type_)
        for k, item in later:
            x, at = better_of(b, kind, body.dtype, (x, at), (item, const(k, type_)))
        return at
    with scope.at(var, i64(0)):
        first = w.spread(body), const(0, type_)
    with b.loop_carrying(1, var.extent, first) as (index, (x, at), out), scope.at(var, index):
        item = w.spread(body)
        where = b.splat(narrowed(b, index, counter), scope.width)
        out[:] = better_of(b, kind, body.dtype, (x, at), (item, where))
    return out[1]


def _position_across_lanes(w: Writer, value: Value) -> Found:
    kind, var = value.data
    (body,), b, scope, counter = value.args, w.b, w.scope, _counter(var)
    steps = const_vector(range(LANES), counter)
    full, tail = var.extent // LANES * LANES, var.extent % LANES
    if full:
        with scope.across(var, i64(0)):
            first = w.spread(body), steps
        with b.loop_carrying(LANES, full, first, LANES) as (index, (x, at), out), scope.across(var, index):
            item = w.spread(body)
            where = b.add(b.splat(narrowed(b, index, counter), LANES), steps)
            out[:] = better_of(b, kind, body.dtype, (x, at), (item, where))
        x, at = out
    if tail:
        with scope.across(var, i64(full), tail):
            where, on = b.add(const(full, steps.type), steps), mask(tail, LANES)
            item = w.spread(body)
            if full:
                x, at = better_of(b, kind, body.dtype, (x, at), (item, where), on)
            else:  # lanes beyond the end lose: their value is the worst, and their position the last
                worst = identity("max" if kind == "argmax" else "min", body.dtype, LANES)
                x, at = b.select(on, item, worst), b.select(on, where, const(var.extent, steps.type))
    return x, at
