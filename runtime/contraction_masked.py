"""Terms that a mask leaves out of a contraction: blocks of them whose scalar factors are all +0.0.

The weights of a causal attention are +0.0 above the diagonal, and so are those of a batch's padding. A unit of work
looks at its block of the sum before it computes its tiles, sixteen rows by 64 terms at a time. Nothing here trusts a
mask: terms are left out where all of their scalar factors are seen to be +0.0 and all of their vectors finite, so that
each would be +-0.0, and where no accumulator is -0.0, the one value that adding these may change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.runtime.contraction_nest import Nest, Place, Side, value
from graphc.runtime.contraction_plan import Axis, Plan
from graphc.runtime.llvmtext import SIZEOF, Builder, Val, const, const_vector, i64, vector

ROWS, TERMS = 16, 64
"""The rows that are looked at together, about those of a tile or two; and the terms, in whole bodies of the loop."""

AHEAD = 8
"""The rows by which memory is fetched ahead: each is a stream of its own, and ends before the machine has seen it."""

MOST_FLAGS = 1 << 14
"""The most blocks that a unit may have at a time: a byte of the stack for each."""


class Blanks:
    """Which blocks of a unit's scalar operand are blank.

    Args:
        nest: of a plan that `may_skip`.
    Attributes:
        terms: how many of the sum are left out together.
    """

    def __init__(self, nest: Nest) -> None:
        self._nest, self._b = nest, nest.b
        self._rows, self._sum, self.terms = _rows_of(nest.plan), nest.c.sums[0], _together(nest.plan)
        self._blocks, groups = _counts(nest.plan)
        self._flags = nest.b.alloca("i8", self._blocks * groups)
        self._bits = vector("i32" if nest.element == "float" else "i64", nest.lanes)

    def look(self, operands: Sequence[Side], corner: Mapping[str, Val]) -> None:
        """Finds the blank blocks of the unit at a corner, in the nest's present block of the sum."""
        b, nest, name = self._b, self._nest, self._sum.name
        scalars, vectors = (self._at(operands, x, corner) for x in (nest.c.scalars, nest.c.vectors))
        start, stop = nest.sum_span(0)
        lo, hi = nest.elements(self._rows)
        rows, terms = b.sub(value(hi), lo), b.sub(value(stop), start)
        scalars, vectors = (nest.moved(side, name, value(start)) for side in (scalars, vectors))
        self._find(scalars, rows, terms)
        with b.loop(0, terms, self.terms) as x:
            with b.loop_carrying(0, rows, [const(0, "i8")], ROWS) as (row, (some,), out):
                out[:] = [b.int_op("or", some, b.load(self._flag(row, x), "i8"))]
            end = value(nest.least(b.add(x, self.terms), terms))
            blank = b.icmp("ne", out[0], 0)
            with b.when(blank), b.when(self._not_finite(vectors, x, end)), b.loop(0, rows, ROWS) as row:
                b.store(const(0, "i8"), self._flag(row, x))

    def _find(self, side: Side, rows: Val, terms: Val) -> None:
        """Says of each block whether all its factors are +0.0: row by row, as they lie in memory.

        A block that is not blank is seen to be so at its first row, as a rule, and is not looked at again.
        """
        b, nest = self._b, self._nest
        by_row, by_term = side.strides[self._rows.dim.name], side.strides[self._sum.name]
        along = by_term == 1  # what lies side by side are terms of a row, or else rows of a term
        count, size, step = (rows, ROWS, by_row) if along else (terms, self.terms, by_term)
        length, block = (terms, self.terms) if along else (rows, ROWS)

        def flag(y: Val, x: Val) -> Val:
            return self._flag(y, x) if along else self._flag(x, y)

        def blank(y: Val, x: Val) -> Val:
            found = const(0, self._bits)
            for n in range(0, block, nest.lanes):
                address = b.gep(side.address, b.add(b.mul(y, step), b.add(x, n)), nest.element)
                b.prefetch(b.gep(address, AHEAD * step, nest.element))
                left = value(nest.least(b.sub(length, b.add(x, n)), block - n))
                found = b.int_op("or", found, self._load(address, left, self._bits))
            bits = b.intrinsic("vector.reduce.or", found.element, found, suffix=f"v{nest.lanes}{found.element}")
            return b.convert("zext", b.icmp("eq", bits, 0), "i8")

        with b.loop(0, count, size) as first:
            with b.loop_carrying(0, length, [const(0, "i8")], block) as (x, (some,), out):
                found = blank(first, x)
                b.store(found, flag(first, x))
                out[:] = [b.int_op("or", some, found)]
            with (
                b.when(b.icmp("ne", out[0], 0)),
                b.loop(b.add(first, 1), nest.least(b.add(first, size), count)) as y,
                b.loop(0, length, block) as x,
                b.when(b.icmp("ne", b.load(flag(first, x), "i8"), 0)),
            ):
                b.store(blank(y, x), flag(first, x))

    def left_out(self, tile: Place, x: Val, accs: Sequence[Val]) -> Val:
        """Whether the block of terms from `x` on changes no accumulator of a tile."""
        b, nest, name = self._b, self._nest, self._rows.dim.name
        lo, _ = nest.elements(self._rows)
        first, size = b.sub(tile.base[name], lo), tile.groups[name].size
        term, last = b.sub(x, nest.sum_span(0)[0]), b.add(first, size - 1)
        blank = const(1, "i8")
        for n in range(-(-(size - 1) // ROWS) + 1):
            row = nest.least(b.add(first, n * ROWS), last)
            blank = b.int_op("and", blank, b.load(self._flag(value(row), term), "i8"))
        with b.loop_carrying(0, b.convert("zext", blank, "i64"), [const(0, "i1")]) as (_, _, out):
            out[:] = [b.icmp("eq", any_of(b, [self._negative_zero(acc) for acc in accs]), const(0, "i1"))]
        return out[0]

    def _at(self, operands: Sequence[Side], name: str, corner: Mapping[str, Val]) -> Side:
        side = next(side for side in operands if side.name == name)
        for dim, coordinate in corner.items():
            side = self._nest.moved(side, dim, coordinate)
        return side

    def _flag(self, row: Val, term: Val) -> Val:
        """Where it says whether the block of a row and a term, both counted from the unit's first, is blank."""
        b = self._b
        group, block = b.int_op("udiv", row, ROWS), b.int_op("udiv", term, self.terms)
        return b.gep(self._flags, b.add(b.mul(group, self._blocks), block), "i8")

    def _not_finite(self, side: Side, x: Val, end: Val) -> Val:
        """Whether a vector of the unit at these terms is not finite: times zero they add up to zero, or else to NaN."""
        b, nest = self._b, self._nest
        lo, hi = nest.elements(nest.plan.across)
        nought, columns = const(0.0, nest.type), b.sub(value(hi), lo)
        with b.loop_carrying(x, end, [nought]) as (k, (total,), out):
            here = nest.moved(side, self._sum.name, k)
            with b.loop_carrying(0, columns, [total], nest.lanes) as (column, (so_far,), sums):
                found = self._load(nest.address(here, column), b.sub(columns, column), nest.type)
                sums[:] = [b.fma(found, nought, so_far)]
            out[:] = sums
        return any_of(b, [b.fcmp("uno", out[0], out[0])])

    def _load(self, address: Val, count: Val, type_: str) -> Val:
        """The first `count` elements at an address, as many as there are lanes at most, and zeros."""
        b, lanes = self._b, self._nest.lanes
        few = b.splat(b.intrinsic("smin", "i64", count, i64(lanes)), lanes)
        on = b.icmp("slt", const_vector(range(lanes), "i64"), few)
        return b.masked_load(address, type_, on)

    def _negative_zero(self, acc: Val) -> Val:
        b = self._b
        element = "i32" if acc.element == "float" else "i64"
        type_ = vector(element, acc.lanes)
        return b.icmp("eq", b.bitcast(acc, type_), const(-(2 ** (8 * SIZEOF[acc.element] - 1)), type_))


def may_skip(chosen: Plan) -> bool:
    """Whether a unit looks for blank blocks: in a masked operand that lies in memory along its rows or the sum."""
    c = chosen.contraction
    if not c.masked or c.lanes_summed or c.turned or c.halves or c.inside or c.a_transform or c.b_transform:
        return False
    if len(c.sums) != 1 or c.sums[0].extent < 2 * TERMS or chosen.turns or chosen.runs or c.lane.stride(c.vectors) != 1:
        return False
    single = all(axis.block == 1 for axis in chosen.axes if axis.dim in c.batch)
    scalars, vectors = ([d for d in (*c.m, *c.n) if d.stride(x) and d.extent > 1] for x in (c.scalars, c.vectors))
    if not single or len(scalars) != 1 or vectors != [c.lane]:
        return False
    blocks, groups = _counts(chosen)
    return 1 in (scalars[0].stride(c.scalars), c.sums[0].stride(c.scalars)) and blocks * groups <= MOST_FLAGS


def _rows_of(chosen: Plan) -> Axis:
    """The axis of the scalar operand's rows."""
    c = chosen.contraction
    return next(axis for axis in chosen.axes if axis.dim not in c.batch and axis.dim.stride(c.scalars))


def _counts(chosen: Plan) -> tuple[int, int]:
    """How many blocks of terms and groups of rows a unit has at a time at most."""
    rows, extent = _rows_of(chosen), chosen.cut.size if chosen.cut else chosen.contraction.sums[0].extent
    return -(-extent // _together(chosen)), -(-min(rows.block * rows.tile, rows.dim.extent) // ROWS)


def _together(chosen: Plan) -> int:
    """About `TERMS` terms, a multiple of those in the body of the loop."""
    return -(-TERMS // chosen.window[0]) * chosen.window[0]


def any_of(b: Builder, conditions: Sequence[Val]) -> Val:
    """Whether any lane of any of the conditions holds."""
    lanes = max(condition.lanes for condition in conditions)
    wide = [x if x.lanes == lanes else b.splat(x, lanes) for x in conditions]
    found = wide[0]
    for condition in wide[1:]:
        found = b.int_op("or", found, condition)
    return found if found.lanes == 1 else b.intrinsic("vector.reduce.or", "i1", found, suffix=f"v{found.lanes}i1")
