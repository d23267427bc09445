"""Reductions of few columns, which lie side by side in a vector: sixteen rows at once, in as many vectors as columns.

    a lane for each of 3 columns    for k in 0..n: total += x[k, 0..3]                 13 of 16 lanes are idle
    sixteen rows at once            for k in 0..n step 16: totals[0..3] += x[k .. k+16, 0..3]

A column's sixteen partial results then lie in different lanes of different vectors, and are folded in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.index import Ix, Var
from graphc.loops import Value, all_values, operands_of
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, i64, mask, vector
from graphc.runtime.memory import from_memory, to_memory
from graphc.runtime.partials import combine
from graphc.runtime.values import Writer
from graphc.schedule import LANES


def few_columns(value: Value, lane: Var | None) -> bool:
    """Whether the lanes are all columns of rows that lie one behind the other, so few that a vector holds several.

    With more, masks take longer to be put together than they take by themselves.
    """
    kind, var = value.data
    most = LANES // 4 if value.dtype.is_bool else LANES - 1
    if lane is None or not 1 < lane.extent <= most or var.extent < 2 * LANES or kind in ("argmax", "argmin"):
        return False
    inside = [v for v in all_values(value.args) if var in v.deps]
    return not any(v.kind in ("reduce", "contract") for v in inside) and all(
        v.data[1].coefficient(lane) == 1 and v.data[1].coefficient(var) == lane.extent and not v.args
        for v in inside if v.kind == "load"
    )  # fmt: skip


def side_by_side(w: Writer, value: Value, start: Val) -> Val:
    """A reduction of few columns, sixteen rows at once, which are as many vectors as there are columns."""
    kind, var = value.data
    b, scope, dtype, lane = w.b, w.scope, value.dtype, w.scope.lane_var
    assert lane is not None
    count, full = lane.extent, var.extent // LANES
    block, place = Var("rows", full + 1), Var("place", LANES * count)
    new = {var: Ix.of(block) * LANES + Ix.of(place) // count, lane: Ix.of(place) % count}
    body = value.args[0].substitute(new)
    around = {known.substitute(new): w.spread(known) for known in _known_around(value.args[0], var, lane)}
    repeated = [
        {known: b.shuffle(x, x, [(number * LANES + at) % count for at in range(LANES)]) for known, x in around.items()}
        for number in range(count)
    ]  # fmt: skip

    def item(number: int, there: int = LANES) -> Val:
        with scope.across(place, i64(number * LANES), there):
            for known, x in repeated[number].items():
                scope.keep(known, x)
            found = w.spread(body)
        return found if there == LANES else b.select(mask(there, LANES), found, start)

    with b.loop_carrying(0, full, [start] * count) as (index, running, out), scope.at(block, index):
        w.ahead([body])
        out[:] = [combine(b, kind, dtype, x, item(number)) for number, x in enumerate(running)]
    totals, left = list(out), var.extent % LANES * count
    with scope.at(block, i64(full)):
        for number in range(-(-left // LANES)):
            there = min(left - number * LANES, LANES)
            totals[number] = combine(b, kind, dtype, totals[number], item(number, there))
    return _folded_side_by_side(b, value, totals)


def _known_around(body: Value, var: Var, lane: Var) -> list[Value]:
    """Of what a reduction is made, what each lane has of its own, the same in all steps."""
    found: dict[Value, None] = {}
    stack = [body]
    while stack:
        value = stack.pop()
        if var in value.deps:
            stack += operands_of(value)
        elif lane in value.deps:
            found.setdefault(value)
    return list(found)


def _folded_side_by_side(b: Builder, value: Value, totals: Sequence[Val]) -> Val:
    """Folds rows that lie one behind the other in vectors, half of them to the other half, down to one."""
    element, dtype = ELEMENT[value.dtype.short], value.dtype
    stack, type_ = b.alloca(element, (len(totals) + 1) * LANES), vector(element, LANES)
    for number, total in enumerate(totals):
        b.store(to_memory(b, total, dtype), b.gep(stack, number * LANES, element))

    def read(place: int) -> Val:
        return from_memory(b, b.load(b.gep(stack, place, element), type_, align=1), dtype)

    half = len(totals) * LANES
    while half > len(totals):
        half //= 2
        for at in range(0, half, LANES):
            both = combine(b, value.data[0], dtype, read(at), read(at + half))
            b.store(to_memory(b, both, dtype), b.gep(stack, at, element), align=1)
    return read(0)
