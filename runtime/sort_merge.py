"""Sorting by merging runs, two and two, into longer ones."""

from __future__ import annotations

from collections.abc import Callable

from graphc.dtype import DType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, const, i64


class Merge:
    """Merges runs of positions (i32) in the order of a row's elements."""

    def __init__(self, b: Builder, dtype: DType, descending: bool) -> None:
        self._b, self._element, self._before = b, ELEMENT[dtype.short], _order(dtype, descending)

    def sort(self, keys: Val, low: Val, high: Val, length: int) -> Val:
        """Orders `length` positions at `low`, with the help of `high`; returns whether they are in `high` then."""
        width, source, target = 1, low, high
        while width < length:
            with self._b.loop(0, length, 2 * width) as first:
                self.two(keys, source, target, first, width, length)
            width, source, target = 2 * width, target, source
        return const(source is high, "i1")

    def two(self, keys: Val, source: Val, target: Val, first: Val, width: int | Val, length: int | Val) -> None:
        """Two neighbouring runs of at most `width` positions, from `first` on, into one."""
        b = self._b
        end = length if isinstance(length, Val) else i64(length)
        least = b.intrinsic("smin", "i64", b.add(first, width), end)
        most = b.intrinsic("smin", "i64", b.add(b.add(first, width), width), end)
        with b.loop_carrying(first, most, [first, least]) as (to, (left, right), after):
            # a run that is used up is read at its last place, and does not win
            x = b.load(b.gep(source, b.intrinsic("smin", "i64", left, b.sub(least, 1)), "i32"), "i32")
            y = b.load(b.gep(source, b.intrinsic("smin", "i64", right, b.sub(most, 1)), "i32"), "i32")
            wins = self._before(b, self._key(keys, y), self._key(keys, x))
            rest = b.icmp("slt", right, most)
            used_up = b.icmp("sge", left, least)
            take = b.int_op("or", used_up, b.int_op("and", rest, wins))
            b.store(b.select(take, y, x), b.gep(target, to, "i32"))
            step = b.convert("zext", take, "i64")
            after[:] = [b.add(left, b.sub(const(1, "i64"), step)), b.add(right, step)]

    def _key(self, keys: Val, position: Val) -> Val:
        return self._b.load(self._b.gep(keys, self._b.convert("sext", position, "i64"), self._element), self._element)


def _order(dtype: DType, descending: bool) -> Callable[[Builder, Val, Val], Val]:
    """Whether a key comes strictly before another; NaN is greater than every number."""

    def less(b: Builder, x: Val, y: Val) -> Val:
        if dtype.is_float:
            number = b.fcmp("ord", x, x)
            return b.int_op("or", b.fcmp("olt", x, y), b.int_op("and", number, b.fcmp("uno", y, y)))
        return b.icmp("ult" if dtype.itemsize == 1 else "slt", x, y)

    return (lambda b, x, y: less(b, y, x)) if descending else less
