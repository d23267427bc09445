"""Running sums, products and extremes: for each element what is made of it and of those before it along an axis."""

from __future__ import annotations

from collections.abc import Callable

from graphc.dtype import DType
from graphc.runtime.columns import around, blocks_of, each_block, on_columns, units_along
from graphc.runtime.functions import ELEMENT, UNSIGNED
from graphc.runtime.lanes import Lanes, gather, where
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector
from graphc.runtime.scatter import combine
from graphc.runtime.work import Handmade, Work
from graphc.schedule import LANES

TOGETHER = 8
"""Rows that a thread goes along at a time."""

Carried = tuple[list[Val], Val]
"""What goes on to the next element, and what is stored for this one."""


BeginWith = Callable[[Builder, list[Val], int, DType], Carried]
"""What the first element makes: `(b, the operands' first elements, lanes, their dtype)`."""

Follow = Callable[[Builder, list[Val], list[Val], Val, DType], Carried]
"""What later ones make: `(b, what is carried, the operands' elements, their place along the axis, their dtype)`."""


def running(begin_with: BeginWith, follow: Follow) -> Handmade:
    """One value for each element, made of it and of what the elements before it along the axis left."""
    return Handmade(lambda work: _Along(work, begin_with, follow).write(), units_along)


class _Along:
    """From the first element of the axis to the last: of several rows at a time, or of a block of columns."""

    def __init__(self, work: Work, begin_with: BeginWith, follow: Follow) -> None:
        self._work, self._b, self._begin_with, self._follow = work, work.b, begin_with, follow
        self._dtype = work.types[0].dtype
        self._element, self._made = ELEMENT[self._dtype.short], ELEMENT[work.type_.dtype.short]
        _, self._length, self._columns = around(work.type_.shape, work.attrs["axis"])

    def write(self) -> None:
        b, begin, end, columns = self._b, self._work.begin, self._work.end, self._columns
        if not self._work.type_.size:
            return
        if columns == 1:
            whole = b.sub(end, b.int_op("srem", b.sub(end, begin), TOGETHER))
            self._rows(begin, whole, TOGETHER)
            self._rows(whole, end, 1)
            return
        with each_block(self._work, blocks_of(columns)) as (row, block):
            first = b.mul(row, self._length * columns)
            on_columns(
                b, block, columns, lambda column, lanes: self._run([b.add(first, column)], lanes, lanes),
                lambda column, active: self._run([b.add(first, column)], LANES, active),
            )

    def _rows(self, first: Val, last: Val, together: int) -> None:
        """Rows of elements that lie one after the other, so many at a time."""
        b = self._b
        with b.loop(first, last, together) as row:
            self._run([b.mul(b.add(row, n), self._length) for n in range(together)], 1, 1)

    def _run(self, firsts: list[Val], lanes: int, active: int) -> None:
        """What begins at each of some places, side by side: each step of one waits for the step before it."""
        b, on = self._b, mask(active, lanes) if active < lanes else None
        begun = [self._begin_with(b, self._read(first, lanes, on), lanes, self._dtype) for first in firsts]
        for (_, value), first in zip(begun, firsts, strict=True):
            self._store(value, first, on)
        if self._length == 1:
            return
        width, carried_first = len(begun[0][0]), [value for carried, _ in begun for value in carried]
        with b.loop_carrying(1, self._length, carried_first) as (step, carried, after):
            place = step if lanes == 1 else b.splat(step, lanes)
            for n, first in enumerate(firsts):
                at, own = b.add(first, b.mul(step, self._columns)), slice(n * width, (n + 1) * width)
                after[own], value = self._follow(b, carried[own], self._read(at, lanes, on), place, self._dtype)
                self._store(value, at, on)

    def _read(self, at: Val, lanes: int, on: Val | None) -> list[Val]:
        b, type_ = self._b, vector(self._element, lanes)
        places = [b.gep(operand, at, self._element) for operand in self._work.operands]
        return [b.load(place, type_) if on is None else b.masked_load(place, type_, on) for place in places]

    def _store(self, value: Val, at: Val, on: Val | None) -> None:
        place = self._b.gep(self._work.result, at, self._made)
        if on is None:
            self._b.store(value, place)
        else:
            self._b.masked_store(value, place, on)


def scan(kind: str) -> Handmade:
    """Each element combined with all before it along the axis, one after the other.

    Integers may be combined in any order: of a row sixteen at a time, by steps of 1, 2, 4 and 8 places.
    """

    def follow(b: Builder, carried: list[Val], x: list[Val], place: Val, dtype: DType) -> Carried:
        total = combine(kind, dtype)(b, carried[0], x[0])
        return [total], total

    in_order = running(lambda b, x, lanes, dtype: (x, x[0]), follow)

    def emit(work: Work) -> None:
        b, dtype = work.b, work.type_.dtype
        _, length, columns = around(work.type_.shape, work.attrs["axis"])
        if columns != 1 or length < LANES or dtype.is_float:
            in_order.emit(work)
            return
        element, whole = ELEMENT[dtype.short], length - length % LANES
        both, none = combine(kind, dtype), const(0 if kind == "add" else 1, vector(element, LANES))
        with b.loop(work.begin, work.end) as row:
            x, made = (b.gep(memory, b.mul(row, length), element) for memory in (work.operands[0], work.result))
            first = [const(0 if kind == "add" else 1, element)]
            with b.loop_carrying(0, whole, first, LANES) as (at, (before,), after):
                value = b.load(b.gep(x, at, element), vector(element, LANES))
                value = _so_far(b, value, none, lambda old, new: both(b, old, new))
                b.store(both(b, value, b.splat(before, LANES)), b.gep(made, at, element))
                after[:] = [both(b, before, b.extract(value, LANES - 1))]
            with b.loop_carrying(whole, length, after) as (at, (before,), after):
                after[:] = [both(b, before, b.load(b.gep(x, at, element), element))]
                b.store(after[0], b.gep(made, at, element))

    return Handmade(emit, units_along)


def _so_far(b: Builder, value: Val, none: Val, combine: Callable[[Val, Val], Val]) -> Val:
    """Each of sixteen lanes combined with all before it; `none` changes nothing that it is combined with."""
    for step in (1, 2, 4, 8):
        moved = b.shuffle(none, value, [LANES + lane - step if lane >= step else lane for lane in range(LANES)])
        value = combine(value, moved)
    return value


def _times_and_plus(b: Builder, carried: list[Val], x: list[Val], place: Val, dtype: DType) -> Carried:
    """What the element before came to, times a factor, plus a term."""
    factor, term = x
    value = combine("add", dtype)(b, combine("mul", dtype)(b, carried[0], factor), term)
    return [value], value


RECUR = running(lambda b, x, lanes, dtype: ([x[1]], x[1]), _times_and_plus)
"""Each element the one before times a factor, plus a term."""


def extreme_so_far(least: bool, positions: bool) -> Handmade:
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

    in_columns = running(begin_with, follow)

    def emit(work: Work) -> None:
        _, length, columns = around(work.type_.shape, work.attrs["axis"])
        if columns != 1 or length < LANES:
            in_columns.emit(work)
            return
        b, dtype = work.b, work.types[0].dtype
        with b.loop(work.begin, work.end) as row:
            at = b.mul(row, length)
            x = b.gep(work.operands[0], at, ELEMENT[dtype.short])
            made = b.gep(work.result, at, ELEMENT[work.type_.dtype.short])
            _extremes_along(b, x, made, dtype, length, least, positions)

    return Handmade(emit, units_along)


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
