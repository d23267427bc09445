"""Kernels written by hand, for what one formula per element does badly: writes in sequence, running sums, sorting,
elimination and the factorizations of matrices.

`KERNELS` has them by the name that an op's `def_kernel` gives. Work comes in units that share nothing, so that any
number of threads gives the same bits; within a unit the order is that of the op's NumPy meaning. Buffers are
C-contiguous and do not overlap; a bool is a byte, 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from graphc.dtype import DType, bfloat16, finite_limits, float32
from graphc.ir import TensorType
from graphc.runtime.elimination import emit_inverse, emit_lu
from graphc.runtime.factors import (
    emit_cholesky,
    emit_complete,
    emit_eigh,
    emit_qr,
    emit_svd,
    emit_triangular_solve,
)
from graphc.runtime.functions import ELEMENT, UNSIGNED, cast, constant
from graphc.runtime.lanes import Lanes, gather, where
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector
from graphc.runtime.sorting import (
    argsort_units,
    emit_argsort,
    emit_leading,
    emit_searchsorted,
    leading_steps,
    searchsorted_steps,
    searchsorted_units,
)
from graphc.schedule import LANES

Attrs = Mapping[str, Any]
Fail = Callable[[Builder, Val, Val, Val], None]

BLOCK = 64
"""Columns that one unit of work takes."""


@dataclass(frozen=True)
class Handmade:
    """A kernel.

    Attributes:
        emit: writes the work units [begin, end) into a function:
            `(b, operands, result, types, type_, attrs, begin, end, fail)`, operands and result being addresses.
            `fail(b, cond, position, value)` notes an error where `cond` holds.
        units: `(types, type_, attrs)` to the number of work units.
        steps: `(types, type_)` to the arithmetic for each element of the result, roughly.
        complaint: what an error is, of its `{position}` and `{value}`; an index out of range if not given.
    """

    emit: Callable[[Builder, list[Val], Val, list[TensorType], TensorType, Attrs, Val, Val, Fail], None]
    units: Callable[[list[TensorType], TensorType, Attrs], int]
    steps: Callable[[list[TensorType], TensorType], int] = lambda types, type_: 16
    complaint: str | None = None


# Blocks of columns


def _blocks(columns: int) -> int:
    return -(-columns // BLOCK)


@contextmanager
def _each(b: Builder, begin: Val, end: Val, blocks: int) -> Iterator[tuple[Val, Val]]:
    """Over the units: (row, number of the block in it)."""
    with b.loop(begin, end) as unit:
        if blocks == 1:
            yield unit, i64(0)
        else:
            yield b.int_op("sdiv", unit, blocks), b.int_op("srem", unit, blocks)


def _on_columns(
    b: Builder, block: Val, columns: int, body: Callable[[Val, int], None],
    of_few: Callable[[Val, int], None] | None = None,
) -> None:
    """`body(first column, how many)` for the block's columns: as vectors, and one by one what is left at the end.

    Args:
        of_few: what is done for the several that are left, in place of `body` for each.
    """
    whole, rest = divmod(columns, BLOCK)
    start = b.mul(block, BLOCK)
    if whole:
        with b.when(b.icmp("slt", block, whole)), b.loop(start, b.add(start, BLOCK), LANES) as column:
            body(column, LANES)
    if rest:
        vectors = rest // LANES * LANES
        with b.when(b.icmp("eq", block, whole)):
            if vectors:
                with b.loop(start, b.add(start, vectors), LANES) as column:
                    body(column, LANES)
            if rest > vectors + 1 and of_few:
                of_few(b.add(start, vectors), rest - vectors)
            elif rest > vectors:
                with b.loop(b.add(start, vectors), b.add(start, rest)) as column:
                    body(column, 1)


# Scatter


def _combine(kind: str, dtype: DType) -> Callable[[Builder, Val, Val], Val]:
    """What becomes of an old value and a new one; bools add and multiply as `or` and `and`."""
    if kind == "set":
        return lambda b, old, new: new
    if dtype is bfloat16:  # widened and rounded at every step, as in loops
        wide = _combine(kind, float32)

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


def _scatter(kind: str) -> Handmade:
    """`x` with each update combined into the row that its position names, in the order of the positions.

    Of extremes and products there is no `x`: rows begin with what changes nothing, and what is at no position is left
    out.
    """

    def emit(
        b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
        begin: Val, end: Val, fail: Fail,
    ) -> None:
        x, positions, updates = operands if kind not in OF_SEGMENTS else (None, operands[1], operands[0])
        rows, columns, count = type_.shape[0], prod(type_.shape[1:]), types[1].size
        element, index = ELEMENT[type_.dtype.short], ELEMENT[types[1].dtype.short]
        combine = _combine(kind, type_.dtype)
        if not type_.size and not count:
            return

        def begin_row(row: Val, block: Val) -> None:
            def write(column: Val, lanes: int) -> None:
                at, kept = b.add(b.mul(row, columns), column), vector(element, lanes)
                if x is None:
                    first = b.splat(constant(_loses(kind, type_.dtype), type_.dtype), lanes)
                else:
                    first = b.load(b.gep(x, at, element), kept)
                b.store(first, b.gep(result, at, element))

            _on_columns(b, block, columns, write)

        def update_row(number: Val, row: Val, block: Val) -> None:
            def update(column: Val, lanes: int) -> None:
                target = b.gep(result, b.add(b.mul(row, columns), column), element)
                source = b.gep(updates, b.add(b.mul(number, columns), column), element)
                old, new = b.load(target, vector(element, lanes)), b.load(source, vector(element, lanes))
                b.store(combine(b, old, new), target)

            _on_columns(b, block, columns, update)

        with b.loop(begin, end) as block:
            if rows:
                with b.loop(0, rows) as row:
                    begin_row(row, block)
            if count:
                with b.loop(0, count) as number:
                    row = _widened(b, b.load(b.gep(positions, number, index), index), types[1].dtype)
                    if x is not None:
                        fail(b, b.icmp("uge", row, rows), number, row)
                    with b.when(b.icmp("ult", row, rows)):
                        update_row(number, row, block)

    return Handmade(emit, lambda types, type_, attrs: _blocks(max(prod(type_.shape[1:]), 1)))


def _scatter_elements(kind: str) -> Handmade:
    """`x` with each update combined into the place that its position along an axis names, in row-major order.

    A position below 0 counts from the end. A unit is what one index of the axes before has, in a block of columns.
    """

    def emit(
        b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
        begin: Val, end: Val, fail: Fail,
    ) -> None:
        x, positions, updates = operands
        _, extent, columns = _around(type_.shape, attrs["axis"])
        count = types[1].shape[attrs["axis"]]
        element, index = ELEMENT[type_.dtype.short], ELEMENT[types[1].dtype.short]
        combine, blocks = _combine(kind, type_.dtype), _blocks(columns)

        def copy_rows(row: Val, block: Val) -> None:
            with b.loop(0, extent) as place:

                def copy(column: Val, lanes: int) -> None:
                    at = b.add(b.mul(b.add(b.mul(row, extent), place), columns), column)
                    b.store(b.load(b.gep(x, at, element), vector(element, lanes)), b.gep(result, at, element))

                _on_columns(b, block, columns, copy)

        def copy_all(row: Val) -> None:
            size, kept = extent * columns, vector(element, LANES)
            begin, whole = b.mul(row, size), size - size % LANES
            with b.loop(0, whole, LANES) as at:
                at = b.add(begin, at)
                b.store(b.load(b.gep(x, at, element), kept), b.gep(result, at, element))
            if size > whole and kind == "set":
                at, on = b.add(begin, whole), mask(size - whole, LANES)
                b.masked_store(b.masked_load(b.gep(x, at, element), kept, on), b.gep(result, at, element), on)
            elif size > whole:  # what is read again at once must not wait for a vector that is stored in part
                with b.loop(whole, size) as at:
                    at = b.add(begin, at)
                    b.store(b.load(b.gep(x, at, element), element), b.gep(result, at, element))

        def write(row: Val, number: Val, column: Val) -> None:
            at = b.add(b.mul(b.add(b.mul(row, count), number), columns), column)
            given = _widened(b, b.load(b.gep(positions, at, index), index), types[1].dtype)
            place = b.select(b.icmp("slt", given, 0), b.add(given, extent), given)
            wrong = b.icmp("uge", place, extent)
            fail(b, wrong, at, given)
            with b.when(b.int_op("xor", wrong, 1)):
                target = b.gep(result, b.add(b.mul(b.add(b.mul(row, extent), place), columns), column), element)
                new = b.load(b.gep(updates, at, element), element)
                b.store(combine(b, b.load(target, element), new), target)

        if not type_.size:
            return
        with _each(b, begin, end, blocks) as (row, block):
            if blocks == 1:
                copy_all(row)
            else:
                copy_rows(row, block)
            first = b.mul(block, BLOCK)
            last = b.intrinsic("smin", "i64", b.add(first, BLOCK), i64(columns))
            with b.loop(0, count) as number:
                if columns == 1:
                    write(row, number, i64(0))
                else:
                    with b.loop(first, last) as column:
                        write(row, number, column)

    return Handmade(emit, _running_units)


def _widened(b: Builder, value: Val, dtype: DType) -> Val:
    """An integer as an i64."""
    return value if dtype.itemsize == 8 else b.convert("zext" if dtype.short == "u8" else "sext", value, "i64")


def _emit_first_places(
    b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
    begin: Val, end: Val, fail: Fail,
) -> None:
    """-1 for all rows, then its number for each position whose row has none yet."""
    (positions,), rows, count = operands, type_.shape[0], types[0].size
    index, whole = ELEMENT[types[0].dtype.short], rows // LANES * LANES
    with b.loop(begin, end):
        for first, last, lanes in ((0, whole, LANES), (whole, rows, 1)):
            with b.loop(first, last, lanes) as row:
                b.store(b.splat(const(-1, "i32"), lanes) if lanes > 1 else const(-1, "i32"), b.gep(result, row, "i32"))
        with b.loop(0, count) as number:
            row = _widened(b, b.load(b.gep(positions, number, index), index), types[0].dtype)
            fail(b, b.icmp("uge", row, rows), number, row)
            with b.when(b.icmp("ult", row, rows)):
                at = b.gep(result, row, "i32")
                known = b.load(at, "i32")
                b.store(b.select(b.icmp("slt", known, 0), b.convert("trunc", number, "i32"), known), at)


# Running sums, products and extremes


def _around(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Elements before, along and after an axis."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


TOGETHER = 8
"""Rows that a thread goes along at a time."""

Carried = tuple[list[Val], Val]
"""What goes on to the next element, and what is stored for this one."""


def _running(
    begin_with: Callable[[Builder, list[Val], int, DType], Carried],
    follow: Callable[[Builder, list[Val], list[Val], Val, DType], Carried],
) -> Handmade:
    """One value for each element, made of it and of what the elements before it along the axis left.

    Args:
        begin_with: `(b, the operands' first elements, lanes, their dtype)`.
        follow: `(b, what is carried, the operands' elements, their place along the axis, their dtype)`.
    """

    def emit(
        b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
        begin: Val, end: Val, fail: Fail,
    ) -> None:
        _, length, columns = _around(type_.shape, attrs["axis"])
        if not type_.size:
            return
        element, made = ELEMENT[types[0].dtype.short], ELEMENT[type_.dtype.short]

        def run(firsts: list[Val], lanes: int, active: int) -> None:
            """What begins at each of some places, side by side: each step of one waits for the step before it."""
            kept, on = vector(element, lanes), mask(active, lanes)

            def read(at: Val) -> list[Val]:
                places = [b.gep(operand, at, element) for operand in operands]
                if active == lanes:
                    return [b.load(place, kept) for place in places]
                return [b.masked_load(place, kept, on) for place in places]

            def write(value: Val, at: Val) -> None:
                if active == lanes:
                    b.store(value, b.gep(result, at, made))
                else:
                    b.masked_store(value, b.gep(result, at, made), on)

            begun = [begin_with(b, read(first), lanes, types[0].dtype) for first in firsts]
            for (_, value), first in zip(begun, firsts, strict=True):
                write(value, first)
            if length == 1:
                return
            width = len(begun[0][0])
            with b.loop_carrying(1, length, [v for carried, _ in begun for v in carried]) as (step, carried, after):
                place = step if lanes == 1 else b.splat(step, lanes)
                for n, first in enumerate(firsts):
                    at, own = b.add(first, b.mul(step, columns)), slice(n * width, (n + 1) * width)
                    after[own], value = follow(b, carried[own], read(at), place, types[0].dtype)
                    write(value, at)

        def along(first: Val, last: Val, together: int) -> None:
            """Rows of elements that lie one after the other, so many at a time."""
            with b.loop(first, last, together) as row:
                run([b.mul(b.add(row, n), length) for n in range(together)], 1, 1)

        if columns == 1:
            whole = b.sub(end, b.int_op("srem", b.sub(end, begin), TOGETHER))
            along(begin, whole, TOGETHER)
            along(whole, end, 1)
            return
        with _each(b, begin, end, _blocks(columns)) as (row, block):
            first = b.mul(row, length * columns)
            _on_columns(
                b, block, columns, lambda column, lanes: run([b.add(first, column)], lanes, lanes),
                lambda column, active: run([b.add(first, column)], LANES, active),
            )

    return Handmade(emit, _running_units)


def _running_units(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
    rows, _, columns = _around(type_.shape, attrs["axis"])
    return rows * _blocks(columns) if type_.size else 0


def _scan(kind: str) -> Handmade:
    """Each element combined with all before it along the axis, one after the other.

    Integers may be combined in any order: of a row sixteen at a time, by steps of 1, 2, 4 and 8 places.
    """

    def follow(b: Builder, carried: list[Val], x: list[Val], place: Val, dtype: DType) -> Carried:
        total = _combine(kind, dtype)(b, carried[0], x[0])
        return [total], total

    in_order = _running(lambda b, x, lanes, dtype: (x, x[0]), follow)

    def emit(
        b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
        begin: Val, end: Val, fail: Fail,
    ) -> None:
        _, length, columns = _around(type_.shape, attrs["axis"])
        if columns != 1 or length < LANES or type_.dtype.is_float:
            in_order.emit(b, operands, result, types, type_, attrs, begin, end, fail)
            return
        element, whole = ELEMENT[type_.dtype.short], length - length % LANES
        combine, none = _combine(kind, type_.dtype), const(0 if kind == "add" else 1, vector(element, LANES))
        with b.loop(begin, end) as row:
            x, made = (b.gep(memory, b.mul(row, length), element) for memory in (operands[0], result))
            first = [const(0 if kind == "add" else 1, element)]
            with b.loop_carrying(0, whole, first, LANES) as (at, (before,), after):
                value = b.load(b.gep(x, at, element), vector(element, LANES))
                value = _so_far(b, value, none, lambda old, new: combine(b, old, new))
                b.store(combine(b, value, b.splat(before, LANES)), b.gep(made, at, element))
                after[:] = [combine(b, before, b.extract(value, LANES - 1))]
            with b.loop_carrying(whole, length, after) as (at, (before,), after):
                after[:] = [combine(b, before, b.load(b.gep(x, at, element), element))]
                b.store(after[0], b.gep(made, at, element))

    return Handmade(emit, _running_units)


def _so_far(b: Builder, value: Val, none: Val, combine: Callable[[Val, Val], Val]) -> Val:
    """Each of sixteen lanes combined with all before it; `none` changes nothing that it is combined with."""
    for step in (1, 2, 4, 8):
        moved = b.shuffle(none, value, [LANES + lane - step if lane >= step else lane for lane in range(LANES)])
        value = combine(value, moved)
    return value


def _recur(b: Builder, carried: list[Val], x: list[Val], place: Val, dtype: DType) -> Carried:
    """What the element before came to, times a factor, plus a term."""
    factor, term = x
    value = _combine("add", dtype)(b, _combine("mul", dtype)(b, carried[0], factor), term)
    return [value], value


def _extreme_so_far(least: bool, positions: bool) -> Handmade:
    """The greatest or smallest element so far along the axis, or its position: the latest of equal ones, or of NaNs.

    Elements are compared as integers, of which a step waits for one comparison and a choice.
    """

    def shown(b: Builder, x: Val, place: Val) -> Val:
        return place if positions else x

    def begin_with(b: Builder, x: list[Val], lanes: int, dtype: DType) -> Carried:
        first = shown(b, x[0], const(0, vector("i64", lanes)))
        return [_place_among(b, x[0], least, dtype), first], first

    def follow(b: Builder, carried: list[Val], x: list[Val], place: Val, dtype: DType) -> Carried:
        best, found = carried
        key = _place_among(b, x[0], least, dtype)
        better = b.icmp("sge", key, best)
        now = b.select(better, shown(b, x[0], place), found)
        return [b.select(better, key, best), now], now

    in_columns = _running(begin_with, follow)

    def emit(
        b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Attrs,
        begin: Val, end: Val, fail: Fail,
    ) -> None:
        _, length, columns = _around(type_.shape, attrs["axis"])
        if columns != 1 or length < LANES:
            in_columns.emit(b, operands, result, types, type_, attrs, begin, end, fail)
            return
        with b.loop(begin, end) as row:
            at = b.mul(row, length)
            x, place = (b.gep(p, at, ELEMENT[t.dtype.short]) for p, t in ((operands[0], types[0]), (result, type_)))
            _extremes_along(b, x, place, types[0].dtype, length, least, positions)

    return Handmade(emit, _running_units)


def _extremes_along(
    b: Builder, x: Val, result: Val, dtype: DType, length: int, least: bool, positions: bool
) -> None:
    """A row of them: of sixteen elements at a time the greatest so far, by steps of 1, 2, 4 and 8 places, and what the
    row before them came to. An element that is as great as that is the latest so far."""
    element = ELEMENT[dtype.short]
    of_key = "i64" if dtype.itemsize == 8 else "i32"
    lowest = const(-(1 << 63) if of_key == "i64" else -(1 << 31), vector(of_key, LANES))

    def greater(x: Val, y: Val) -> Val:
        return b.intrinsic("smax", x.type, x, y)

    def so_far(value: Val, none: Val, before: Val) -> Val:
        return greater(_so_far(b, value, none, greater), b.splat(before, LANES))

    def some(at: Val, carried: list[Val], active: int) -> list[Val]:
        on, place = mask(active, LANES), b.gep(x, at, element)
        whole = active == LANES
        given = b.load(place, vector(element, LANES)) if whole else b.masked_load(place, vector(element, LANES), on)
        key = _place_among(b, given, least, dtype)
        best = so_far(key, lowest, carried[0])
        numbers = b.add(b.splat(b.convert("trunc", at, "i32"), LANES), const_vector(range(LANES), "i32"))
        none = const(0, numbers.type)
        found = so_far(b.select(b.icmp("eq", key, best), numbers, none), none, carried[1])
        made = b.convert("sext", found, "i64") if positions else _element_at(b, x, found, best, least, dtype)
        target = b.gep(result, at, made.element)
        if whole:
            b.store(made, target)
        else:
            b.masked_store(made, target, on)
        return [b.extract(best, LANES - 1), b.extract(found, LANES - 1)]

    rest = length % LANES
    first = [const(-(1 << 63) if of_key == "i64" else -(1 << 31), of_key), const(0, "i32")]
    with b.loop_carrying(0, length - rest, first, LANES) as (at, carried, after):
        after[:] = some(at, carried, LANES)
    if rest:
        some(i64(length - rest), list(after), rest)


def _element_at(b: Builder, x: Val, places: Val, key: Val, least: bool, dtype: DType) -> Val:
    """The elements at some places of a row, which keys tell; but zeros of either sign have one key, and NaNs."""
    bits = ~Lanes(b, key) if least else Lanes(b, key)
    if not dtype.is_float:
        return bits.val if dtype.itemsize >= 4 else b.convert("trunc", bits.val, ELEMENT[dtype.short])
    sign = 8 * dtype.itemsize - 1
    value = (bits ^ (bits >> sign & (1 << sign) - 1)).from_bits()
    unsure = b.int_op("or", b.icmp("eq", key, (1 << sign) - 1), b.fcmp("oeq", value.val, const(0.0, value.val.type)))

    def read() -> list[Val]:
        return [gather(x, Lanes(b, b.convert("sext", places, "i64")), ELEMENT[dtype.short]).val]

    return b.unless(Lanes(b, unsure).any().val, [value.val], read)[0]


def _place_among(b: Builder, x: Val, least: bool, dtype: DType) -> Val:
    """An integer that is the greater the better an element is; the greatest of NaN."""
    if not dtype.is_float:
        wide = x if dtype.itemsize >= 4 else b.convert("zext" if dtype.short in UNSIGNED else "sext", x, "i32")
        return b.int_op("xor", wide, -1) if least else wide
    bits, sign = Lanes(b, b.fadd(x, const(0.0, x.type))).bits(), 8 * dtype.itemsize - 1  # -0 as 0
    key = bits ^ (bits >> sign & (1 << sign) - 1)
    return where(Lanes(b, b.fcmp("uno", x, x)), bits.like((1 << sign) - 1), ~key if least else key).val


def _of_matrices(
    emit: Callable[..., None], passes: int = 1, complaint: str | None = None
) -> Handmade:
    """A kernel whose units are matrices, and that goes over each `passes` times for every row it has."""

    def units(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
        return prod(types[0].shape[:-2]) if type_.size else 0

    return Handmade(emit, units, lambda types, type_: 16 + 2 * passes * min(types[0].shape[-2:]), complaint)


KERNELS: dict[str, Handmade] = {
    "scatter_add": _scatter("add"),
    "scatter_set": _scatter("set"),
    "scatter_elements_add": _scatter_elements("add"),
    "scatter_elements_set": _scatter_elements("set"),
    "segment_max": _scatter("max"),
    "segment_min": _scatter("min"),
    "segment_prod": _scatter("prod"),
    "first_places": Handmade(_emit_first_places, lambda types, type_, attrs: 1),
    "cumsum": _scan("add"),
    "cumprod": _scan("mul"),
    "recur": _running(lambda b, x, lanes, dtype: ([x[1]], x[1]), _recur),
    "cumargmax": _extreme_so_far(least=False, positions=True),
    "cumargmin": _extreme_so_far(least=True, positions=True),
    "cummax": _extreme_so_far(least=False, positions=False),
    "cummin": _extreme_so_far(least=True, positions=False),
    "argsort": Handmade(emit_argsort, argsort_units),
    "leading": Handmade(emit_leading, argsort_units, leading_steps),
    "searchsorted": Handmade(emit_searchsorted, searchsorted_units, searchsorted_steps),
    "inverse": _of_matrices(emit_inverse),
    "lu": _of_matrices(emit_lu),
    "cholesky": _of_matrices(
        emit_cholesky, 1, "matrix {position} is not positive definite: the pivot of row {value} is 0, negative or NaN"
    ),
    "triangular_solve": _of_matrices(emit_triangular_solve),
    "qr": _of_matrices(emit_qr, 2),
    "complete": _of_matrices(emit_complete, 2),
    "svd": _of_matrices(emit_svd, 32),
    "eigh": _of_matrices(emit_eigh, 32),
}
"""The kernels, by the name that ops ask for."""
