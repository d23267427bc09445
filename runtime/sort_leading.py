"""The first few of a row of elements of 64 bits, in order, without sorting the others."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.dtype import DType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.lanes import Lanes
from graphc.runtime.llvmtext import Builder, Val, const, i64, vector
from graphc.runtime.sort_key import WIDE, ordering
from graphc.runtime.sort_merge import Merge
from graphc.runtime.sort_network import PAIRS

CANDIDATES = 4096
"""So many positions of a long row are sorted at most, to find the first of all."""

INSERTED = 64
"""Up to so many first elements of a row of at most CANDIDATES are held in order while the others are looked at."""


class Chosen:
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
        return ordering(Lanes(self.b, x), self.dtype, self.descending) ^ -(1 << 63)

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
        b, merge = self.b, Merge(self.b, self.dtype, self.descending)
        rounds = (min(self.length, CANDIDATES) - 1).bit_length()
        with b.loop(0, rounds + rounds % 2) as number:
            odd, width = b.icmp("ne", b.int_op("and", number, 1), 0), b.int_op("shl", i64(1), number)
            source, target = b.select(odd, self.other, self.found), b.select(odd, self.found, self.other)
            pairs = b.int_op("udiv", b.add(held, b.sub(b.add(width, width), 1)), b.add(width, width))
            with b.loop(0, pairs) as pair:
                first = b.mul(pair, b.add(width, width))
                merge.two(keys, source, target, first, width, held)
