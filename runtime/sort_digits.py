"""Sorting long rows by their digits, from the last to the first."""

from __future__ import annotations

from graphc.dtype import DType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.lanes import Lanes
from graphc.runtime.llvmtext import Builder, Val, const, i64, vector
from graphc.runtime.sort_key import HALF, ordering
from graphc.runtime.sort_network import RUN

DIGITS = ((11, RUN), (8, 0))
"""The bits of a digit, for rows of more elements than the number beside it: their counts are made anew for each row."""


class Digits:
    """A stable sort by each digit in its turn, from the last to the first; all digits are counted at once.

    A digit that all elements share is left out: small integers have few others. So is a row that is in order.
    """

    def __init__(self, b: Builder, dtype: DType, descending: bool, length: int) -> None:
        self.b, self.dtype, self.descending, self.length = b, dtype, descending, length
        self.bits = next(bits for bits, above in DIGITS if length > above)
        self.width = max(HALF, 8 * dtype.itemsize)
        self.passes = -(-self.width // self.bits)
        self.counts, self.side = b.alloca("i32", self.passes << self.bits), b.alloca("i64", 1)

    def sort(self, keys: Val, low: Val, high: Val) -> Val:
        """Orders the positions (i32) at `low`, with the help of `high`; returns whether they are in `high` then."""
        b, side = self.b, self.side
        b.store(i64(0), side)
        with b.when(self._count(keys)), b.loop(0, self.passes) as number:
            counts, shift = b.gep(self.counts, b.int_op("shl", number, self.bits), "i32"), b.mul(number, self.bits)
            shared = b.load(b.gep(counts, self._digit(self._key(keys, i64(0)), shift), "i32"), "i32")
            with b.when(b.icmp("ne", shared, self.length)):
                in_high = b.icmp("ne", b.load(side, "i64"), 0)
                source, target = b.select(in_high, high, low), b.select(in_high, low, high)
                self._place(keys, source, target, counts, shift)
                b.store(b.convert("zext", b.int_op("xor", in_high, 1), "i64"), side)
        return b.icmp("ne", b.load(side, "i64"), 0)

    def _key(self, keys: Val, at: Val) -> Val:
        """The element at a place as an unsigned integer that orders as it does, in an i64."""
        b, element = self.b, ELEMENT[self.dtype.short]
        key = ordering(Lanes(b, b.load(b.gep(keys, at, element), element)), self.dtype, self.descending)
        if key.element == "i64":
            return (key ^ -(1 << 63)).val
        return (key ^ -(1 << 31)).convert("zext", "i64").val

    def _digit(self, key: Val, shift: Val) -> Val:
        return self.b.int_op("and", self.b.int_op("lshr", key, shift), (1 << self.bits) - 1)

    def _count(self, keys: Val) -> Val:
        """Counts the elements of each digit, of all digits; whether some element comes before the one before it."""
        b = self.b
        with b.loop(0, self.passes << self.bits, 16) as at:
            b.store(const(0, vector("i32", 16)), b.gep(self.counts, at, "i32"))
        with b.loop_carrying(0, self.length, [i64(0), const(0, "i1")]) as (at, (before, broken), after):
            key = self._key(keys, at)
            for number in range(self.passes):
                digit = b.add(self._digit(key, i64(number * self.bits)), number << self.bits)
                place = b.gep(self.counts, digit, "i32")
                b.store(b.add(b.load(place, "i32"), 1), place)
            after[:] = [key, b.int_op("or", broken, b.icmp("ult", key, before))]
        return after[1]

    def _place(self, keys: Val, source: Val, target: Val, counts: Val, shift: Val) -> None:
        """Positions from one place to another, in the order of one digit."""
        b = self.b
        with b.loop_carrying(0, 1 << self.bits, [const(0, "i32")]) as (at, (total,), after):
            place = b.gep(counts, at, "i32")
            count = b.load(place, "i32")
            b.store(total, place)
            after[:] = [b.add(total, count)]
        with b.loop(0, self.length) as i:
            position = b.load(b.gep(source, i, "i32"), "i32")
            digit = self._digit(self._key(keys, b.convert("zext", position, "i64")), shift)
            place = b.gep(counts, digit, "i32")
            to = b.load(place, "i32")
            b.store(b.add(to, 1), place)
            b.store(position, b.gep(target, b.convert("zext", to, "i64"), "i32"))
