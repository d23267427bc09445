"""Sorting by a network, whose steps are the same whatever the data and compare eight pairs at once.

An element of up to 32 bits and its position are one integer of 64: in the upper half an integer that orders as the
element does, in the lower the position. No two are equal, so only one order is possible.
"""

from __future__ import annotations

from graphc.dtype import DType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.lanes import Lanes
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector
from graphc.runtime.sort_key import HALF, WIDE, ordering

RUN = 2048
"""Positions that a network sorts; a power of two. What it holds, 16 KB, stays in the first-level cache."""

PAIRS = vector("i64", WIDE)
LAST = (1 << 63) - 1  # comes after every element


class Network:
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
        key = ordering(Lanes(b, x), self.dtype, self.descending).convert("sext", "i64") << HALF
        position = b.add(b.splat(b.add(first, at), WIDE), const_vector(range(WIDE), "i64"))
        taken = (key | Lanes(b, position)).val
        return taken if active == WIDE else b.select(on, taken, const(LAST, PAIRS))

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
