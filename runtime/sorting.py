"""Sorting: the order of each row's elements, equal ones as they stand, or its beginning; and searching what is sorted.

A row of up to `RUN` positions is sorted by a network, whose steps are the same whatever the data and compare eight
pairs at once. In the network an element of up to 32 bits and its position are one
integer of 64: in the upper half an integer that orders as the element does, in the lower the position. No two are
equal, so only one order is possible. Longer rows, and rows of 64 bits that are not short, are sorted by their digits,
from the last to the first; short ones of 64 bits are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from graphc.dtype import DType
from graphc.ir import TensorType
from graphc.runtime.functions import ELEMENT, UNSIGNED
from graphc.runtime.lanes import Lanes, gather, where
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector
from graphc.runtime.work import Work
from graphc.schedule import LANES

RUN = 2048
"""Positions that a network sorts; a power of two. What it holds, 16 KB, stays in the first-level cache."""

WIDE = 8
PAIRS = vector("i64", WIDE)
LAST = (1 << 63) - 1  # comes after every element
HALF = 32

SHORT = 128
"""From so many elements of 64 bits on, digits are better than merges."""

DIGITS = ((11, RUN), (8, 0))
"""The bits of a digit, for rows of more elements than the number beside it: their counts are made anew for each row."""


def argsort_units(types: list[TensorType], type_: TensorType, attrs: Mapping[str, Any]) -> int:
    """A row each."""
    return prod(type_.shape[:-1]) if type_.size else 0


def emit_argsort(work: Work) -> None:
    """The positions of each row's elements, in their order.

    Rows that the network cannot hold go as i32 between the two halves of the row's own result of i64, and are widened
    at the end; so no memory is needed that grows with them.
    """
    b, length, dtype, descending = work.b, work.type_.shape[-1], work.types[0].dtype, work.attrs["descending"]
    if not work.type_.size:
        return
    element, narrow = ELEMENT[dtype.short], dtype.itemsize * 8 <= HALF
    network = _Network(b, dtype, descending) if narrow and length <= RUN else None
    digits = _Digits(b, dtype, descending, length) if network is None and length >= SHORT else None
    with b.loop(work.begin, work.end) as row:
        start = b.mul(row, length)
        keys, out = b.gep(work.operands[0], start, element), b.gep(work.result, start, "i64")
        if network:
            network.sort(keys, i64(0), length)
            network.store(out, "i64", length)
        else:
            low, high = out, b.gep(out, length, "i32")
            with b.loop(0, length) as i:
                b.store(b.convert("trunc", i, "i32"), b.gep(low, i, "i32"))
            if digits:
                _widen(b, low, high, digits.sort(keys, low, high), length)
            else:
                _merge_all(b, low, high, keys, element, _order(dtype, descending), length)


def emit_leading(work: Work) -> None:
    """The positions of each row's first `count` elements in their order."""
    b, length, dtype, count = work.b, work.types[0].shape[-1], work.types[0].dtype, work.type_.shape[-1]
    if not work.type_.size:
        return
    if dtype.itemsize * 8 > HALF:
        chosen = _Chosen(b, dtype, work.attrs["descending"], length, count)
        with b.loop(work.begin, work.end) as row:
            keys = b.gep(work.operands[0], b.mul(row, length), ELEMENT[dtype.short])
            chosen.store(keys, b.gep(work.result, b.mul(row, count), "i64"))
        return
    network = _Network(b, dtype, work.attrs["descending"])
    with b.loop(work.begin, work.end) as row:
        keys = b.gep(work.operands[0], b.mul(row, length), ELEMENT[dtype.short])
        network.sort_leading(keys, length, count)
        network.store(b.gep(work.result, b.mul(row, count), "i64"), "i64", count)


def leading_steps(types: list[TensorType], type_: TensorType) -> int:
    """What is done for each position that is found."""
    return 16 * max(1, types[0].shape[-1] // max(1, type_.shape[-1]))


def _integer(x: Lanes, dtype: DType, descending: bool) -> Lanes:
    """An i32 or i64 that orders as the element does: zeros are equal, NaNs too, and greater than every number."""
    if dtype.is_float:
        bits, sign = (x + 0.0).bits(), 8 * dtype.itemsize - 1  # of -0, those of 0
        key = where(Lanes(x.b, x.b.fcmp("uno", x.val, x.val)), bits.like((1 << sign) - 1),
                    bits ^ (bits >> sign & (1 << sign) - 1))
    elif x.element in ("i32", "i64"):
        key = x
    else:
        key = x.convert("zext" if dtype.short in UNSIGNED else "sext", "i32")
    return ~key if descending else key


# Where to insert


PLACES = 1024
"""Elements that one unit of work finds the places of."""


def searchsorted_units(types: list[TensorType], type_: TensorType, attrs: Mapping[str, Any]) -> int:
    """So many elements of a row each."""
    return type_.shape[0] * -(-type_.shape[1] // PLACES)


def searchsorted_steps(types: list[TensorType], type_: TensorType) -> int:
    """What is done for each element."""
    return 4 * types[0].shape[1].bit_length()


def emit_searchsorted(work: Work) -> None:
    """How many elements of the row come before each one, by halving, sixteen at a time."""
    b, (_, length), (_, count), dtype = work.b, work.types[0].shape, work.type_.shape, work.types[0].dtype
    element, blocks = ELEMENT[dtype.short], max(1, -(-count // PLACES))
    than = ("o" if dtype.is_float else "s") + ("le" if work.attrs["right"] else "lt")
    compare = b.fcmp if dtype.is_float else b.icmp

    def find(row: Val, at: Val, lanes: int) -> None:
        keys, place = b.gep(work.operands[0], b.mul(row, length), element), b.add(b.mul(row, count), at)
        wanted = b.load(b.gep(work.operands[1], place, element), vector(element, lanes))
        base, zero, left = const(0, vector("i64", lanes)), const(0, vector("i64", lanes)), length
        while left:
            half = max(1, left // 2)
            tested = gather(keys, Lanes(b, b.add(base, const(half - 1, base.type))), element).val
            step = b.select(compare(than, tested, wanted), const(half, base.type), zero)
            base, left = b.add(base, step), left - half
        b.store(base, b.gep(work.result, place, "i64"))

    if not work.type_.size:
        return
    with b.loop(work.begin, work.end) as unit:
        row, first = b.int_op("sdiv", unit, blocks), b.mul(b.int_op("srem", unit, blocks), PLACES)
        last = b.intrinsic("smin", "i64", b.add(first, PLACES), i64(count))
        whole = b.sub(last, b.int_op("srem", b.sub(last, first), LANES))
        with b.loop(first, whole, LANES) as at:
            find(row, at, LANES)
        with b.loop(whole, last) as at:
            find(row, at, 1)


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
        key = _integer(Lanes(b, x), self.dtype, self.descending).convert("sext", "i64") << HALF
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


# Long rows, by digits


class _Digits:
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
        key = _integer(Lanes(b, b.load(b.gep(keys, at, element), element)), self.dtype, self.descending)
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


CANDIDATES = 4096
"""So many positions of a long row are sorted at most, to find the first of all."""


INSERTED = 64
"""Up to so many first elements of a row of at most CANDIDATES are held in order while the others are looked at."""


class _Chosen:
    """The first few of a row of elements of 64 bits.

    Of a long row, from the first digit that is not shared on, the elements of each digit are counted, among those that
    begin as the last one wanted does, until few enough come before it or begin like it. These are sorted.
    """

    BITS = 11

    def __init__(self, b: Builder, dtype: DType, descending: bool, length: int, count: int) -> None:
        self.b, self.dtype, self.descending, self.length, self.count = b, dtype, descending, length, count
        self.element = ELEMENT[dtype.short]
        room = min(length, CANDIDATES)
        self.found, self.other = b.alloca("i32", room + 1), b.alloca("i32", room + 1)
        self.counts = b.alloca("i32", 1 << self.BITS)
        self.prefix, self.shift, self.below, self.border = (b.alloca("i64", 1) for _ in range(4))

    def store(self, keys: Val, out: Val) -> None:
        """Writes the positions (i64) of the first elements of a row."""
        b = self.b
        few = self.length <= CANDIDATES and self.count <= INSERTED
        found = self._inserted(keys) if few else self._sorted(keys)
        with b.loop(0, self.count) as i:
            b.store(b.convert("zext", b.load(b.gep(found, i, "i32"), "i32"), "i64"), b.gep(out, i, "i64"))

    def _sorted(self, keys: Val) -> Val:
        """Where the positions (i32) of the first elements are, after those that may be among them were put in order."""
        b = self.b
        if self.length <= CANDIDATES:
            with b.loop(0, self.length) as i:
                b.store(b.convert("trunc", i, "i32"), b.gep(self.found, i, "i32"))
            held = i64(self.length)
        else:
            self._choose(keys)
            held = self._collect(keys)
        self._sort(keys, held)
        return self.found

    def _inserted(self, keys: Val) -> Val:
        """Where the positions (i32) of the first elements are, which were held in order while the others were seen."""
        b, count = self.b, self.count
        best, places = b.alloca("i64", count + 1), b.alloca("i32", count + 1)
        b.store(i64(0), best)  # before which none comes
        whole = self.length - (self.length - count) % WIDE

        def last() -> Val:
            return b.load(b.gep(best, count, "i64"), "i64")

        def insert(at: Val, filled: Val) -> None:
            """Puts an element among those held, of which the one at `filled`, if there is one, is lost."""
            key, position = self._key(keys, at).val, b.convert("trunc", at, "i32")

            def move(carried: list[Val]) -> tuple[Val, Sequence[Val]]:
                (place,) = carried
                before = b.sub(place, 1)
                other = b.load(b.gep(best, before, "i64"), "i64")
                moves = b.icmp("ugt", other, key)
                b.store(b.select(moves, other, key), b.gep(best, place, "i64"))
                held = b.load(b.gep(places, before, "i32"), "i32")
                b.store(b.select(moves, held, position), b.gep(places, place, "i32"))
                return moves, [before]

            b.repeat([filled], move)

        with b.loop(0, count) as at:
            insert(at, b.add(at, 1))
        def look(at: Val) -> None:
            with b.when(b.icmp("ult", self._key(keys, at).val, last())):
                insert(at, i64(count))

        if count < whole:
            with b.loop(count, whole, WIDE) as at:
                before = b.icmp("ult", self._key(keys, at, WIDE).val, b.splat(last(), WIDE))
                with b.when(Lanes(b, before).any().val), b.loop(at, b.add(at, WIDE)) as one:
                    look(one)
        if whole < self.length:
            with b.loop(whole, self.length) as at:
                look(at)
        return b.gep(places, 1, "i32")

    def _key(self, keys: Val, at: Val, lanes: int = 1) -> Lanes:
        """Elements as unsigned integers that order as they do."""
        x = self.b.load(self.b.gep(keys, at, self.element), vector(self.element, lanes))
        return _integer(Lanes(self.b, x), self.dtype, self.descending) ^ -(1 << 63)

    def _set(self, place: Val, value: Val) -> None:
        self.b.store(value, place)

    def _get(self, place: Val) -> Val:
        return self.b.load(place, "i64")

    def _choose(self, keys: Val) -> None:
        """Finds what the last one wanted begins with, and how many come before that."""
        b = self.b
        first = self._key(keys, i64(0)).val
        whole = self.length - self.length % WIDE
        with b.loop_carrying(0, whole, [const(0, PAIRS)], WIDE) as (at, (differs,), after):
            other = b.int_op("xor", self._key(keys, at, WIDE).val, b.splat(first, WIDE))
            after[:] = [b.binary("or", differs, other)]
        differs = b.intrinsic("vector.reduce.or", "i64", after[0], suffix=f"v{WIDE}i64")
        with b.loop_carrying(whole, self.length, [differs]) as (at, (differs,), after):
            after[:] = [b.binary("or", differs, b.int_op("xor", self._key(keys, at).val, first))]
        differs = b.int_op("or", after[0], 1)
        top = b.sub(i64(63), b.intrinsic("ctlz", "i64", differs, Val("true", "i1")))
        self._set(self.shift, b.mul(b.int_op("udiv", top, self.BITS), self.BITS))
        self._set(self.prefix, first)
        self._set(self.below, i64(0))
        self._set(self.border, i64(self.length))
        with b.loop(0, -(-64 // self.BITS)) as number:
            many = b.icmp("ugt", b.add(self._get(self.below), self._get(self.border)), CANDIDATES)
            more = b.icmp("ne", self._get(self.shift), 0)
            with b.when(b.int_op("and", many, b.int_op("or", b.icmp("eq", number, 0), more))):
                below = b.select(b.icmp("eq", number, 0), i64(0), i64(self.BITS))
                self._set(self.shift, b.sub(self._get(self.shift), below))
                self._refine(keys)

    def _refine(self, keys: Val) -> None:
        """Takes one digit more of the last one wanted."""
        b, shift, prefix = self.b, self._get(self.shift), self._get(self.prefix)
        with b.loop(0, 1 << self.BITS, 16) as at:
            b.store(const(0, vector("i32", 16)), b.gep(self.counts, at, "i32"))
        above = b.int_op("lshr", b.int_op("lshr", prefix, shift), self.BITS)
        with b.loop(0, self.length) as at:
            part = b.int_op("lshr", self._key(keys, at).val, shift)
            same = b.icmp("eq", b.int_op("lshr", part, self.BITS), above)
            place = b.gep(self.counts, b.int_op("and", part, (1 << self.BITS) - 1), "i32")
            b.store(b.add(b.load(place, "i32"), b.convert("zext", same, "i32")), place)
        start = [self._get(self.below), i64(0), i64(0), i64(0)]
        with b.loop_carrying(0, 1 << self.BITS, start) as (digit, (total, chosen, below, border), after):
            size = b.convert("zext", b.load(b.gep(self.counts, digit, "i32"), "i32"), "i64")
            following = b.add(total, size)
            here = b.int_op("and", b.icmp("ult", total, self.count), b.icmp("uge", following, self.count))
            after[:] = [
                following, b.select(here, digit, chosen), b.select(here, total, below), b.select(here, size, border)
            ]  # fmt: skip
        _, chosen, below, border = after
        self._set(self.prefix, b.int_op("shl", b.add(b.int_op("shl", above, self.BITS), chosen), shift))
        self._set(self.below, below)
        self._set(self.border, border)

    def _collect(self, keys: Val) -> Val:
        """Notes the positions of those that come before, or begin as the last one does; how many they are.

        Where too many begin like it they are equal, and the first are wanted.
        """
        b, shift = self.b, self._get(self.shift)
        bound = b.int_op("lshr", self._get(self.prefix), shift)
        most = b.intrinsic("umin", "i64", self._get(self.border), b.sub(i64(CANDIDATES), self._get(self.below)))
        whole = self.length - self.length % WIDE

        def look(at: Val, held: Val, taken: Val) -> list[Val]:
            part = b.int_op("lshr", self._key(keys, at).val, shift)
            equal = b.int_op("and", b.icmp("eq", part, bound), b.icmp("ult", taken, most))
            b.store(b.convert("trunc", at, "i32"), b.gep(self.found, held, "i32"))
            kept = b.int_op("or", equal, b.icmp("ult", part, bound))
            return [b.add(held, b.convert("zext", kept, "i64")), b.add(taken, b.convert("zext", equal, "i64"))]

        held, taken = b.alloca("i64", 1), b.alloca("i64", 1)
        self._set(held, i64(0))
        self._set(taken, i64(0))

        def look_at(at: Val) -> None:
            found = look(at, self._get(held), self._get(taken))
            self._set(held, found[0])
            self._set(taken, found[1])

        with b.loop(0, whole, WIDE) as at:
            parts = b.int_op("lshr", self._key(keys, at, WIDE).val, b.splat(shift, WIDE))
            some = Lanes(b, b.icmp("ule", parts, b.splat(bound, WIDE))).any()
            with b.when(some.val), b.loop(at, b.add(at, WIDE)) as one:
                look_at(one)
        with b.loop(whole, self.length) as at:
            look_at(at)
        return self._get(held)

    def _sort(self, keys: Val, held: Val) -> None:
        """Puts so many positions in order, by merging; in as many rounds as bring them back to where they were."""
        b, before = self.b, _order(self.dtype, self.descending)
        rounds = (min(self.length, CANDIDATES) - 1).bit_length()
        with b.loop(0, rounds + rounds % 2) as number:
            odd, width = b.icmp("ne", b.int_op("and", number, 1), 0), b.int_op("shl", i64(1), number)
            source, target = b.select(odd, self.other, self.found), b.select(odd, self.found, self.other)
            pairs = b.int_op("udiv", b.add(held, b.sub(b.add(width, width), 1)), b.add(width, width))
            with b.loop(0, pairs) as pair:
                first = b.mul(pair, b.add(width, width))
                _merge(b, source, target, keys, self.element, before, first, width, held)


# Short rows of 64 bits, by merging


def _merge_all(
    b: Builder, low: Val, high: Val, keys: Val, element: str, before: Callable[[Builder, Val, Val], Val], length: int
) -> None:
    """Merges positions (i32) at `low` into the row's, as i64; `high` is what lies behind them."""
    width, source, target = 1, low, high
    while width < length:
        with b.loop(0, length, 2 * width) as first:
            _merge(b, source, target, keys, element, before, first, width, length)
        width, source, target = 2 * width, target, source
    _widen(b, low, high, const(source is high, "i1"), length)


def _widen(b: Builder, low: Val, high: Val, in_high: Val, length: int) -> None:
    """Makes i64 of the positions (i32), from the end that keeps what is not yet read: upwards from the high half,
    downwards from the low one."""
    source = b.select(in_high, high, low)
    with b.loop(0, length) as i:
        at = b.select(in_high, i, b.sub(i64(length - 1), i))
        b.store(b.convert("sext", b.load(b.gep(source, at, "i32"), "i32"), "i64"), b.gep(low, at, "i64"))


def _merge(
    b: Builder, source: Val, target: Val, keys: Val, element: str, before: Callable[[Builder, Val, Val], Val],
    first: Val, width: int | Val, length: int | Val,
) -> None:
    """Two neighbouring runs of at most `width` positions, from `first` on, into one."""
    end = length if isinstance(length, Val) else i64(length)
    least = b.intrinsic("smin", "i64", b.add(first, width), end)
    most = b.intrinsic("smin", "i64", b.add(b.add(first, width), width), end)
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
