"""Sorting: the order of each row's elements, equal ones as they stand, or its beginning.

A row is sorted in runs of up to `RUN` positions by a network, whose steps are the same whatever the data and compare
eight pairs at once; longer rows then merge runs. In the network an element of up to 32 bits and its position are one
integer of 64: in the upper half an integer that orders as the element does, in the lower the position. No two are
equal, so only one order is possible. Rows of 64 bits are merged from runs of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from graphc.dtype import DType
from graphc.ir import TensorType
from graphc.runtime.functions import ELEMENT, UNSIGNED
from graphc.runtime.lanes import Lanes, where
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector

RUN = 2048
"""Positions that a network sorts; a power of two. What it holds, 16 KB, stays in the first-level cache."""

WIDE = 8
PAIRS = vector("i64", WIDE)
LAST = (1 << 63) - 1  # comes after every element
HALF = 32


def argsort_units(types: list[TensorType], type_: TensorType, attrs: Mapping[str, Any]) -> int:
    """A row each."""
    return prod(type_.shape[:-1]) if type_.size else 0


def emit_argsort(
    b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Mapping[str, Any],
    begin: Val, end: Val, fail: object,
) -> None:
    """The positions of each row's elements, in their order.

    Rows longer than a run are merged as i32, between the two halves of the row's own result of i64, and widened at the
    end; so no memory is needed that grows with them.
    """
    length, dtype, descending = type_.shape[-1], types[0].dtype, attrs["descending"]
    if not type_.size:
        return
    element, run = ELEMENT[dtype.short], RUN if dtype.itemsize * 8 <= HALF else 1
    network = _Network(b, dtype, descending) if run > 1 else None
    with b.loop(begin, end) as row:
        start = b.mul(row, length)
        keys, out = b.gep(operands[0], start, element), b.gep(result, start, "i64")
        if network and length <= run:
            network.sort(keys, i64(0), length)
            network.store(out, "i64", length)
        else:
            low, high = out, b.gep(out, length, "i32")
            if network:
                whole = length - length % run
                for first, last, count in ((0, whole, run), (whole, length, length % run)):
                    if first < last:
                        with b.loop(first, last, run) as at:
                            network.sort(b.gep(keys, at, element), at, count)
                            network.store(b.gep(low, at, "i32"), "i32", count)
            else:
                with b.loop(0, length) as i:
                    b.store(b.convert("trunc", i, "i32"), b.gep(low, i, "i32"))
            _merge_all(b, low, high, keys, element, _order(dtype, descending), run, length)


def emit_leading(
    b: Builder, operands: list[Val], result: Val, types: list[TensorType], type_: TensorType, attrs: Mapping[str, Any],
    begin: Val, end: Val, fail: object,
) -> None:
    """The positions of each row's first `count` elements in their order, of up to 32 bits."""
    length, dtype, count = types[0].shape[-1], types[0].dtype, type_.shape[-1]
    if not type_.size:
        return
    network = _Network(b, dtype, attrs["descending"])
    with b.loop(begin, end) as row:
        keys = b.gep(operands[0], b.mul(row, length), ELEMENT[dtype.short])
        network.sort_leading(keys, length, count)
        network.store(b.gep(result, b.mul(row, count), "i64"), "i64", count)


def leading_steps(types: list[TensorType], type_: TensorType) -> int:
    """What is done for each position that is found."""
    return 16 * max(1, types[0].shape[-1] // max(1, type_.shape[-1]))


# Runs, by a network


class _Network:
    """A bitonic network (Batcher, "Sorting networks and their applications", 1968).

    Its merges begin with the second run turned round, so that every comparison puts the lesser of two before the other.
    What comes after every element may then stand beyond the last one, or as well not be there.
    """

    def __init__(self, b: Builder, dtype: DType, descending: bool) -> None:
        self.b, self.dtype, self.descending = b, dtype, descending
        self.held = b.alloca("i64", RUN)

    def sort(self, keys: Val, first: Val, count: int) -> None:
        """`held` becomes `count` elements in order, each with its position, which is `first` for the first."""
        b, room = self.b, -(-count // WIDE) * WIDE
        whole, rest = count - count % WIDE, count % WIDE
        if whole:
            with b.loop(0, whole, WIDE) as at:
                b.store(self._taken(keys, at, first), b.gep(self.held, at, "i64"))
        if rest:
            b.store(self._taken(keys, i64(whole), first, rest), b.gep(self.held, whole, "i64"))
        self._arrange(room)

    def sort_leading(self, keys: Val, length: int, count: int) -> None:
        """`held` begins with the first `count` of `length` elements in order, each with its position.

        Once what is held is in order, only vectors with an element before the last of those are looked at again, which
        are few. The lanes beside it do no harm.
        """
        b, room = self.b, min(RUN, max(16 * WIDE, 1 << (4 * count - 1).bit_length()))
        if length <= room:
            self.sort(keys, i64(0), length)
            return
        kept = i64(-(-count // WIDE) * WIDE)

        def settled() -> list[Val]:
            self._arrange(room)
            return [kept, b.load(b.gep(self.held, count - 1, "i64"), "i64")]

        def keep(x: Val, filled: Val, limit: Val) -> list[Val]:
            b.store(x, b.gep(self.held, filled, "i64"))
            filled = b.add(filled, WIDE)
            return b.unless(b.icmp("eq", filled, room), [filled, limit], settled)

        def look(x: Val, filled: Val, limit: Val) -> list[Val]:
            before = Lanes(b, b.icmp("slt", x, b.splat(limit, WIDE))).any()
            return b.unless(before.val, [filled, limit], lambda: keep(x, filled, limit))

        whole = length - length % WIDE
        with b.loop_carrying(0, whole, [i64(0), i64(LAST)], WIDE) as (at, carried, out):
            out[:] = look(self._taken(keys, at, i64(0)), *carried)
        filled, limit = out
        if length % WIDE:
            filled, limit = look(self._taken(keys, i64(whole), i64(0), length % WIDE), filled, limit)
        with b.loop(filled, room, WIDE) as at:
            b.store(const(LAST, PAIRS), b.gep(self.held, at, "i64"))
        self._arrange(room)

    def _arrange(self, room: int) -> None:
        """Puts so many places, whole vectors, in order."""
        b = self.b
        self._in_vectors(room, (1, 3, 1, 7, 2, 1))
        merges = (room - 1).bit_length() - (WIDE - 1).bit_length()
        if merges > 0:
            with b.loop(0, merges) as level:
                size = b.int_op("shl", i64(WIDE), level)
                self._compare(room, size, turned=True)
                with b.loop(0, level) as step:
                    self._compare(room, b.int_op("lshr", size, b.add(step, 1)), turned=False)
                self._in_vectors(room, (4, 2, 1))

    def store(self, place: Val, element: str, count: int) -> None:
        """The positions of the first `count` that are held."""
        b = self.b
        with b.loop(0, count) as i:
            position = b.load(b.gep(self.held, i, "i64"), "i64")
            if element == "i64":
                position = b.int_op("and", position, (1 << HALF) - 1)
            else:
                position = b.convert("trunc", position, element)
            b.store(position, b.gep(place, i, element))

    def _taken(self, keys: Val, at: Val, first: Val, active: int = WIDE) -> Val:
        """The elements from `at` on, each with its position, which is `first` more; behind them what comes last."""
        b, type_ = self.b, vector(ELEMENT[self.dtype.short], WIDE)
        place, on = b.gep(keys, at, ELEMENT[self.dtype.short]), mask(active, WIDE)
        x = b.load(place, type_) if active == WIDE else b.masked_load(place, type_, on)
        key = self._integer(Lanes(b, x)).convert("sext", "i64") << HALF
        position = b.add(b.splat(b.add(first, at), WIDE), const_vector(range(WIDE), "i64"))
        taken = (key | Lanes(b, position)).val
        return taken if active == WIDE else b.select(on, taken, const(LAST, PAIRS))

    def _integer(self, x: Lanes) -> Lanes:
        """An i32 that orders as the element does: zeros are equal, NaNs too, and greater than every number."""
        if self.dtype.is_float:
            bits = (x + 0.0).bits()  # of -0, those of 0
            key = where(Lanes(self.b, self.b.fcmp("uno", x.val, x.val)), bits.like((1 << HALF - 1) - 1),
                        bits ^ (bits >> HALF - 1 & (1 << HALF - 1) - 1))
        elif x.element == "i32":
            key = x
        else:
            key = x.convert("zext" if self.dtype.short in UNSIGNED else "sext", "i32")
        return ~key if self.descending else key

    def _in_vectors(self, room: int, distances: tuple[int, ...]) -> None:
        """In each vector, compares the lanes whose numbers differ by the bits of a distance, one after the other."""
        b = self.b
        with b.loop(0, room, WIDE) as at:
            place = b.gep(self.held, at, "i64")
            x = b.load(place, PAIRS)
            for distance in distances:
                less, more = self._sorted(x, b.shuffle(x, x, [lane ^ distance for lane in range(WIDE)]))
                x = b.shuffle(less, more, [lane if lane < lane ^ distance else WIDE + lane for lane in range(WIDE)])
            b.store(x, place)

    def _compare(self, room: int, apart: Val, turned: bool) -> None:
        """Compares, in every two runs of `apart` elements, each of one with its like in the other, or the last with the
        first if `turned`."""
        b = self.b
        runs = b.int_op("and", i64(room), b.sub(i64(0), b.add(apart, apart)))  # in whole pairs
        rest = b.intrinsic("smax", "i64", b.sub(b.sub(i64(room), runs), apart), i64(0))
        inside, back = b.sub(apart, 1), [WIDE - 1 - lane for lane in range(WIDE)]
        with b.loop(0, b.add(b.int_op("lshr", runs, 1), rest), WIDE) as pair:
            within = b.int_op("and", pair, inside)
            begin = b.int_op("shl", b.sub(pair, within), 1)
            middle = b.add(begin, apart)
            place = b.gep(self.held, b.sub(b.sub(middle, WIDE), within) if turned else b.add(begin, within), "i64")
            other = b.gep(self.held, b.add(middle, within), "i64")
            x, y = b.load(place, PAIRS), b.load(other, PAIRS)
            less, more = self._sorted(x, b.shuffle(y, y, back) if turned else y)
            b.store(less, place)
            b.store(b.shuffle(more, more, back) if turned else more, other)

    def _sorted(self, x: Val, y: Val) -> tuple[Val, Val]:
        return self.b.intrinsic("smin", PAIRS, x, y), self.b.intrinsic("smax", PAIRS, x, y)


# Long rows, by merging


def _merge_all(
    b: Builder, low: Val, high: Val, keys: Val, element: str, before: Callable[[Builder, Val, Val], Val], run: int,
    length: int,
) -> None:
    """Merges positions (i32) at `low`, in order in runs, into the row's, as i64; `high` is what lies behind them."""
    width, source, target = run, low, high
    while width < length:
        with b.loop(0, length, 2 * width) as first:
            _merge(b, source, target, keys, element, before, first, width, length)
        width, source, target = 2 * width, target, source
    # widen from the end that keeps what is not yet read: upwards from the high half, downwards from the low one
    with b.loop(0, length) as i:
        at = i if source is high else b.sub(i64(length - 1), i)
        b.store(b.convert("sext", b.load(b.gep(source, at, "i32"), "i32"), "i64"), b.gep(low, at, "i64"))


def _merge(
    b: Builder, source: Val, target: Val, keys: Val, element: str, before: Callable[[Builder, Val, Val], Val],
    first: Val, width: int, length: int,
) -> None:
    """Two neighbouring runs of at most `width` positions, from `first` on, into one."""
    least = b.intrinsic("smin", "i64", b.add(first, width), i64(length))
    most = b.intrinsic("smin", "i64", b.add(first, 2 * width), i64(length))
    with b.loop_carrying(first, most, [first, least]) as (to, (left, right), after):
        # a run that is used up is read at its last place, and does not win
        x = b.load(b.gep(source, b.intrinsic("smin", "i64", left, b.sub(least, 1)), "i32"), "i32")
        y = b.load(b.gep(source, b.intrinsic("smin", "i64", right, b.sub(most, 1)), "i32"), "i32")
        wins = before(b, _key(b, keys, y, element), _key(b, keys, x, element))
        rest = b.icmp("slt", right, most)
        used_up = b.icmp("sge", left, least)
        take = b.int_op("or", used_up, b.int_op("and", rest, wins))
        b.store(b.select(take, y, x), b.gep(target, to, "i32"))
        step = b.convert("zext", take, "i64")
        after[:] = [b.add(left, b.sub(const(1, "i64"), step)), b.add(right, step)]


def _key(b: Builder, keys: Val, position: Val, element: str) -> Val:
    return b.load(b.gep(keys, b.convert("sext", position, "i64"), element), element)


def _order(dtype: DType, descending: bool) -> Callable[[Builder, Val, Val], Val]:
    """Whether a key comes strictly before another; NaN is greater than every number."""

    def less(b: Builder, x: Val, y: Val) -> Val:
        if dtype.is_float:
            number = b.fcmp("ord", x, x)
            return b.int_op("or", b.fcmp("olt", x, y), b.int_op("and", number, b.fcmp("uno", y, y)))
        return b.icmp("ult" if dtype.itemsize == 1 else "slt", x, y)

    return (lambda b, x, y: less(b, y, x)) if descending else less
