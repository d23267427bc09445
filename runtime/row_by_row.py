"""Reductions that go through rows whose places are data, or which begin anywhere in a vector: row by row.

    as it stands    for k in 0..4000*64: sum += x[64*rows[k / 64] + k mod 64]          a lookup for each element
    row by row      for row in 0..4000: for k in 0..64: sum += x[64*rows[row] + k]     a lookup for each row

A row begins in the lane where the one before it has ended, and leaves the others as they are: each element is added to
the same partial result as ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.index import Atom, Gathered, Ix, Quotient, Remainder, Var, variables_of
from graphc.known import has_data
from graphc.loops import Value, all_values, gathered
from graphc.runtime.functions import identity
from graphc.runtime.llvmtext import Val, const_vector, i64
from graphc.runtime.partials import combine
from graphc.runtime.values import Writer
from graphc.schedule import LANES

SHORTEST = 4
"""Elements of a row from which on it is quicker to go row by row than to work out the place of each element."""


def row_length(value: Value) -> int | None:
    """How long the rows are that a reduction goes through, if their places are data, as in a sum of what is gathered,
    or begin anywhere in a vector, as in a sum of what is repeated; None if it goes through no such rows."""
    var = value.data[1]
    anywhere: set[int] = set()
    lengths: set[int] = set()
    for load in all_values(value.args):
        if load.kind != "load" or var not in load.deps:
            continue
        address = load.data[1]
        parts = (atom for atom in _atoms(address) if isinstance(atom, (Quotient, Remainder)))
        found = {part.by for part in parts if part.of == Ix.of(var)}
        if has_data(address):
            lengths |= found
        elif sum(var in variables_of(atom) for atom, _ in address.terms) > 1:
            anywhere |= found
    length = min(lengths | anywhere, default=0)
    if not lengths and length % LANES == 0:
        return None
    return length if length >= SHORTEST and var.extent % length == 0 else None


def _atoms(ix: Ix) -> Iterator[Atom]:
    """What an index is made of, with what the indices are made of that it reads from memory."""
    for atom, _ in ix.terms:
        yield atom
        if isinstance(atom, Gathered):
            for load in all_values([atom.value]):
                if load.kind in ("load", "position"):
                    yield from _atoms(load.data[-1])
        elif not isinstance(atom, Var):
            yield from _atoms(atom.of)


def row_by_row(w: Writer, value: Value, length: int) -> Val:
    """The partial results of a reduction of which what is the same in a row is worked out once for it."""
    kind, var = value.data
    b, scope, start = w.b, w.scope, identity(kind, value.dtype, LANES)
    row, place = Var("row", var.extent // length), Var("place", length)
    new = {var: Ix.of(row) * length + Ix.of(place)}
    body = value.args[0].substitute(new)
    for atom in gathered(all_values(value.args)):
        w.indices.checks_also(atom, atom.substitute(new))
    steps = const_vector(range(LANES), "i64")
    with b.loop_carrying(0, row.extent, [start]) as (at, (total,), out), scope.at(row, at):
        w.ahead([body])
        before = b.int_op("and", b.mul(at, length), LANES - 1) if length % LANES else i64(0)
        with b.loop_carrying(b.sub(i64(0), before), length, [total], LANES) as (first, (running,), done):
            on = None
            if length % LANES:
                places = b.add(b.splat(first, LANES), steps)
                on = b.icmp("ult", places, length)
            with scope.across(place, first, on=on):
                item = w.spread(body)
            done[0] = combine(b, kind, value.dtype, running, item if on is None else b.select(on, item, start))
        out[0] = done[0]
    return out[0]
