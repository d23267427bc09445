"""Scattering: updates combined into the places that positions name, one after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import prod

from graphc.dtype import DType, bfloat16, finite_limits, float32
from graphc.ir import TensorType
from graphc.runtime.columns import BLOCK, around, blocks_of, each_block, on_columns, units_along
from graphc.runtime.functions import ELEMENT, UNSIGNED, cast, constant
from graphc.runtime.llvmtext import Builder, Val, const, i64, mask, vector
from graphc.runtime.work import Handmade, Work
from graphc.schedule import LANES


def combine(kind: str, dtype: DType) -> Callable[[Builder, Val, Val], Val]:
    """What becomes of an old value and a new one; bools add and multiply as `or` and `and`."""
    if kind == "set":
        return lambda b, old, new: new
    if dtype is bfloat16:  # widened and rounded at every step, as in loops
        wide = combine(kind, float32)

        def rounded(b: Builder, old: Val, new: Val) -> Val:
            return cast(b, wide(b, *(cast(b, x, bfloat16, float32) for x in (old, new))), float32, bfloat16)

        return rounded
    if kind in EXTREMES:
        return lambda b, old, new: b.select(_beats(b, EXTREMES[kind][0], old, new, dtype), new, old)
    if dtype.is_bool:
        return lambda b, old, new: b.int_op("or" if kind == "add" else "and", old, new)
    if kind == "add":
        return lambda b, old, new: b.fadd(old, new) if dtype.is_float else b.add(old, new)
    return lambda b, old, new: b.fmul(old, new) if dtype.is_float else b.mul(old, new)


def _loses(kind: str, dtype: DType) -> float | int | bool:
    """What changes nothing that it is combined with."""
    return 1 if kind == "prod" else finite_limits(dtype)[EXTREMES[kind][1]]


def _beats(b: Builder, than: str, old: Val, new: Val, dtype: DType) -> Val:
    """Whether a new value is greater (`gt`) or smaller (`lt`, `ge`, `le`) than an old one, or is NaN."""
    if dtype.is_float:
        return b.int_op("or", b.fcmp(f"o{than}", new, old), b.fcmp("uno", new, new))
    return b.icmp(("u" if dtype.short in UNSIGNED else "s") + than, new, old)


EXTREMES = {"max": ("gt", 0), "min": ("lt", 1)}
"""What a new value must be to stay, and which of a type's finite limits loses against all others."""

OF_SEGMENTS = (*EXTREMES, "prod")
"""What is made of updates alone."""


def scatter(kind: str, from_rows: bool = False) -> Handmade:
    """`x` with each update combined into the row that its position names, in the order of the positions.

    Of extremes and products there is no `x`: rows begin with what changes nothing, and what is at no position is left
    out.

    Args:
        from_rows: whether an update is the row of a source that another number names, times its factors if there are
            any; one that is not there is left out.
    """
    return Handmade(
        lambda work: _Rows(work, kind, from_rows).write(),
        lambda types, type_, attrs: blocks_of(max(prod(type_.shape[1:]), 1)),
    )


class _Rows:
    """A unit is a block of columns, of all rows."""

    def __init__(self, work: Work, kind: str, from_rows: bool) -> None:
        self._work, self._b, self._kind, self._from_rows = work, work.b, kind, from_rows
        self._x: Val | None = None
        if kind in OF_SEGMENTS:
            self._updates, self._positions = work.operands
        else:
            self._x, self._positions, self._updates, *self._others = work.operands
        self._dtype, self._combine = work.type_.dtype, combine(kind, work.type_.dtype)
        self._element, self._columns = ELEMENT[self._dtype.short], prod(work.type_.shape[1:])

    def write(self) -> None:
        b, rows, types = self._b, self._work.type_.shape[0], self._work.types
        count = types[1].size
        if not self._work.type_.size and not count:
            return
        with b.loop(self._work.begin, self._work.end) as block:
            if rows:
                with b.loop(0, rows) as row:
                    on_columns(b, block, self._columns, functools.partial(self._begin, row))
            if count:
                with b.loop(0, count) as number:
                    row = self._number(self._positions, number, types[1])
                    if self._x is not None:
                        self._work.fail(b.icmp("uge", row, rows), number, row)
                    there, taken = b.icmp("ult", row, rows), number
                    if self._from_rows:
                        taken = self._number(self._others[0], number, types[3])
                        there = b.int_op("and", there, b.icmp("ult", taken, types[2].shape[0]))
                    with b.when(there):
                        update = functools.partial(self._update, number, row, taken)
                        on_columns(b, block, self._columns, update)

    def _number(self, memory: Val, at: Val, of: TensorType) -> Val:
        """One of the integers in memory."""
        index = ELEMENT[of.dtype.short]
        return widened(self._b, self._b.load(self._b.gep(memory, at, index), index), of.dtype)

    def _begin(self, row: Val, column: Val, lanes: int) -> None:
        b, at = self._b, self._at(row, column)
        if self._x is None:
            first = b.splat(constant(_loses(self._kind, self._dtype), self._dtype), lanes)
        else:
            first = b.load(b.gep(self._x, at, self._element), vector(self._element, lanes))
        b.store(first, b.gep(self._work.result, at, self._element))

    def _update(self, number: Val, row: Val, taken: Val, column: Val, lanes: int) -> None:
        """Adds a few columns of row `taken` of the updates to a row, times the factors of their number."""
        b, type_, types = self._b, vector(self._element, lanes), self._work.types
        factors = types[4].size // types[1].size if len(types) > 4 else 0  # of each number
        alike = self._columns // factors if factors else self._columns  # neighbours with one factor
        if lanes > 1 and factors > 1 and alike % lanes:
            for lane in range(lanes):
                self._update(number, row, taken, b.add(column, lane), 1)
            return
        target = b.gep(self._work.result, self._at(row, column), self._element)
        source = b.gep(self._updates, self._at(taken, column), self._element)
        old, new = b.load(target, type_), b.load(source, type_)
        if factors:
            part = b.int_op("sdiv", column, alike) if factors > 1 else i64(0)
            place = b.gep(self._others[1], b.add(b.mul(number, factors), part), self._element)
            new = combine("prod", self._dtype)(b, new, b.splat(b.load(place, self._element), lanes))
        b.store(self._combine(b, old, new), target)

    def _at(self, row: Val, column: Val) -> Val:
        return self._b.add(self._b.mul(row, self._columns), column)


def scatter_elements(kind: str) -> Handmade:
    """`x` with each update combined into the place that its position along an axis names, in row-major order.

    A position below 0 counts from the end. A unit is what one index of the axes before has, in a block of columns.
    """
    return Handmade(lambda work: _Elements(work, kind).write(), units_along)


class _Elements:
    """Rows are indices of the axes before, places are along the axis, columns are indices of the axes after it."""

    def __init__(self, work: Work, kind: str) -> None:
        self._work, self._b, self._kind = work, work.b, kind
        self._x, self._positions, self._updates = work.operands
        self._combine, self._element = combine(kind, work.type_.dtype), ELEMENT[work.type_.dtype.short]
        _, self._extent, self._columns = around(work.type_.shape, work.attrs["axis"])
        self._count = work.types[1].shape[work.attrs["axis"]]

    def write(self) -> None:
        if not self._work.type_.size:
            return
        b, blocks = self._b, blocks_of(self._columns)
        with each_block(self._work, blocks) as (row, block):
            if blocks == 1:
                self._copy_all(row)
            else:
                self._copy_block(row, block)
            first = b.mul(block, BLOCK)
            last = b.intrinsic("smin", "i64", b.add(first, BLOCK), i64(self._columns))
            with b.loop(0, self._count) as number:
                if self._columns == 1:
                    self._update(row, number, i64(0))
                else:
                    with b.loop(first, last) as column:
                        self._update(row, number, column)

    def _copy_block(self, row: Val, block: Val) -> None:
        b = self._b
        with b.loop(0, self._extent) as place:
            on_columns(b, block, self._columns, lambda column, lanes: self._copy(self._at(row, place, column), lanes))

    def _copy_all(self, row: Val) -> None:
        b, size = self._b, self._extent * self._columns
        begin, whole = b.mul(row, size), size - size % LANES
        with b.loop(0, whole, LANES) as at:
            self._copy(b.add(begin, at), LANES)
        if size > whole and self._kind == "set":
            at, on = b.add(begin, whole), mask(size - whole, LANES)
            given = b.masked_load(b.gep(self._x, at, self._element), vector(self._element, LANES), on)
            b.masked_store(given, b.gep(self._work.result, at, self._element), on)
        elif size > whole:  # what is read again at once must not wait for a vector that is stored in part
            with b.loop(whole, size) as at:
                self._copy(b.add(begin, at), 1)

    def _copy(self, at: Val, lanes: int) -> None:
        b, element = self._b, self._element
        b.store(b.load(b.gep(self._x, at, element), vector(element, lanes)), b.gep(self._work.result, at, element))

    def _update(self, row: Val, number: Val, column: Val) -> None:
        b, extent, of_positions = self._b, self._extent, self._work.types[1].dtype
        index = ELEMENT[of_positions.short]
        at = b.add(b.mul(b.add(b.mul(row, self._count), number), self._columns), column)
        given = widened(b, b.load(b.gep(self._positions, at, index), index), of_positions)
        place = b.select(b.icmp("slt", given, 0), b.add(given, extent), given)
        wrong = b.icmp("uge", place, extent)
        self._work.fail(wrong, at, given)
        with b.when(b.int_op("xor", wrong, 1)):
            target = b.gep(self._work.result, self._at(row, place, column), self._element)
            new = b.load(b.gep(self._updates, at, self._element), self._element)
            b.store(self._combine(b, b.load(target, self._element), new), target)

    def _at(self, row: Val, place: Val, column: Val) -> Val:
        b = self._b
        return b.add(b.mul(b.add(b.mul(row, self._extent), place), self._columns), column)


def widened(b: Builder, value: Val, dtype: DType) -> Val:
    """An integer as an i64."""
    return value if dtype.itemsize == 8 else b.convert("zext" if dtype.short == "u8" else "sext", value, "i64")


def emit_first_places(work: Work) -> None:
    """-1 for all rows, then its number for each position whose row has none yet."""
    b, (positions,), result, (type_,) = work.b, work.operands, work.result, work.types
    rows, count, index = work.type_.shape[0], type_.size, ELEMENT[type_.dtype.short]
    whole = rows // LANES * LANES
    with b.loop(work.begin, work.end):
        for first, last, lanes in ((0, whole, LANES), (whole, rows, 1)):
            with b.loop(first, last, lanes) as row:
                b.store(b.splat(const(-1, "i32"), lanes) if lanes > 1 else const(-1, "i32"), b.gep(result, row, "i32"))
        with b.loop(0, count) as number:
            row = widened(b, b.load(b.gep(positions, number, index), index), type_.dtype)
            work.fail(b.icmp("uge", row, rows), number, row)
            with b.when(b.icmp("ult", row, rows)):
                at = b.gep(result, row, "i32")
                known = b.load(at, "i32")
                b.store(b.select(b.icmp("slt", known, 0), b.convert("trunc", number, "i32"), known), at)
