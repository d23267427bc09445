"""Loads and stores: which of the ways to move a vector fits how the addresses of its lanes lie.

Lanes side by side are one vector. Lanes that are near each other, in whatever order, are read by a few vectors and put
in order; a few elements apart, they are written by vectors of which only those count. Lanes further apart are gathered
and scattered. Nothing is read or written for a lane that does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from graphc.dtype import DType
from graphc.index import Ix, Quotient, Remainder, variables_of
from graphc.known import Truth, has_data
from graphc.loops import Buffer, Store, Value
from graphc.runtime.functions import ELEMENT, REGISTER
from graphc.runtime.indices import Indices, narrowed
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, suffix_of, vector
from graphc.runtime.scope import Scope
from graphc.schedule import NEAR, READ_NEAR


def to_memory(b: Builder, x: Val, dtype: DType) -> Val:
    """A value as memory holds it: a bool is an i1 in registers and a byte in memory."""
    return b.convert("zext", x, "i8") if dtype.is_bool else x


def from_memory(b: Builder, x: Val, dtype: DType) -> Val:
    """A value in memory as registers hold it; see `to_memory`."""
    return b.icmp("ne", x, 0) if dtype.is_bool else x


def _runs(stores: Sequence[tuple[Store, Val]], step: int) -> Iterator[list[tuple[Store, Val]]]:
    """Stores whose addresses differ by constants, those together that are less than a step apart."""
    left = sorted(stores, key=lambda one: one[0].address.const)
    while left:
        end = left[0][0].address.const + step
        yield [one for one in left if one[0].address.const < end]
        left = [one for one in left if one[0].address.const >= end]


class Memory:
    """Reads and writes the buffers, whose addresses it is given, where the scope stands."""

    def __init__(self, b: Builder, scope: Scope, indices: Indices, base: Mapping[Buffer, Val]) -> None:
        self._b, self._scope, self._indices, self._base = b, scope, indices, base

    def address(self, buffer: Buffer, index: Ix) -> Val:
        """Where an element is; where there are lanes that of lane 0."""
        return self._b.gep(self._base[buffer], self._indices.scalar(index), ELEMENT[buffer.dtype.short])

    def _addresses(self, buffer: Buffer, index: Ix) -> Val:
        """Where the element of each lane is."""
        lanes = self._indices.narrow_lanes(index)
        base, element = self._base[buffer], ELEMENT[buffer.dtype.short]
        return self._b.emit(
            vector("ptr", self._scope.width), f"getelementptr {element}, ptr {base.name}, {lanes.type} {lanes.name}"
        )

    # Stores

    def store_all(self, stores: Sequence[tuple[Store, Val]]) -> None:
        """Writes values; those that lie between one another's elements by whole vectors."""
        alike: dict[tuple[Buffer, Ix], list[tuple[Store, Val]]] = {}
        for store, value in stores:
            alike.setdefault((store.buffer, store.address - store.address.const), []).append((store, value))
        for (_, address), some in alike.items():
            offsets = self._near(address, READ_NEAR) if len(some) > 1 and self._across(address) else None
            offsets = offsets[: self._scope.count] if offsets and not min(offsets) else []
            step = min((abs(y - x) for x, y in pairwise(offsets)), default=1)
            for between in _runs(some, step):
                if len(between) > 1:
                    self._store_between(between, offsets)
                else:
                    self.store(*between[0])

    def _across(self, address: Ix) -> bool:
        """Whether lanes have addresses of their own."""
        return self._scope.lane_var is not None and self._scope.lane_var in address.variables

    def _store_between(self, stores: Sequence[tuple[Store, Val]], offsets: list[int]) -> None:
        """Values whose lanes lie so far from the first: every place is one lane of one of them."""
        first = stores[0][0]
        data = [to_memory(self._b, self._scope.spread(value), store.buffer.dtype) for store, value in stores]
        lane = {
            offset + store.address.const - first.address.const: (number, at)
            for number, (store, _) in enumerate(stores) for at, offset in enumerate(offsets)
        }  # fmt: skip
        self._store_near(data, self.address(first.buffer, first.address), lane)

    def store(self, store: Store, value: Val) -> None:
        b, scope, buffer, address = self._b, self._scope, store.buffer, store.address
        if not self._across(address):
            one = to_memory(b, b.extract(value, 0) if value.lanes > 1 else value, buffer.dtype)
            b.store(one, self.address(buffer, address))
            return
        data = to_memory(b, scope.spread(value), buffer.dtype)
        assert scope.lane_var is not None
        if address.coefficient(scope.lane_var) == 1:
            if scope.active is None:
                b.store(data, self.address(buffer, address))
            else:
                b.masked_store(data, self.address(buffer, address), scope.active)
        elif (offsets := self._near(address, NEAR)) is not None and min(offsets) == 0:
            lane = {offset: (0, at) for at, offset in enumerate(offsets[: scope.count])}
            self._store_near([data], self.address(buffer, address), lane)
        else:
            self._scatter(data, self._addresses(buffer, address), buffer.dtype)

    def _store_near(self, data: Sequence[Val], first: Val, lane: Mapping[int, tuple[int, int]]) -> None:
        """So far from the first lanes of these values: by whole vectors, of which only those elements are written.

        Scattering takes a store for each lane, several times as long.
        """
        b, width = self._b, self._scope.width
        for start in range(0, max(lane) + 1, width):
            places = [lane.get(at) for at in range(start, start + width)]
            numbers = sorted({place[0] for place in places if place})
            if not numbers:
                continue
            own = data[numbers[0]]
            spread = b.shuffle(own, own, [place[1] if place and place[0] == numbers[0] else 0 for place in places])
            for number in numbers[1:]:
                spread = b.shuffle(spread, data[number], [
                    width + place[1] if place and place[0] == number else at for at, place in enumerate(places)
                ])  # fmt: skip
            pointer = b.gep(first, start, own.element)
            if all(places):
                b.store(spread, pointer)
            else:
                b.masked_store(spread, pointer, const_vector([place is not None for place in places], "i1"))

    def _scatter(self, data: Val, addresses: Val, dtype: DType) -> None:
        width = self._scope.width
        name = f"llvm.masked.scatter.{suffix_of(data.type)}.v{width}p0"
        self._b.module.declare(name, "void", [data.type, addresses.type, "i32", vector("i1", width)])
        lanes_on = self._scope.active or mask(width, width)
        self._b.do(
            f"call void @{name}({data.type} {data.name}, {addresses.type} {addresses.name}, i32 "
            f"{dtype.itemsize}, {lanes_on.type} {lanes_on.name})"
        )

    # Loads

    def load(self, value: Value, truth: Truth | None, guard: Val | None) -> Val:
        """What a value of kind `load` reads; nothing, where its guard does not hold.

        Args:
            truth: what the guard is, if that is known.
            guard: what it is otherwise.
        """
        buffer, address = value.data
        b, scope, dtype = self._b, self._scope, buffer.dtype
        if truth == (False,):
            return const(0, REGISTER[dtype.short])
        if not scope.is_vector(value):
            return from_memory(b, self._load_one(buffer, address, guard), dtype)
        if scope.active is not None and not scope.active.literal:
            guard = scope.active if guard is None else b.int_op("and", scope.spread(guard), scope.active)
        on = [lane < scope.count for lane in range(scope.width)]
        if truth is not None and len(truth) > 1:
            on = [x and y for x, y in zip(on, truth, strict=True)]
        if not any(on):
            return const(0, REGISTER[dtype.short])
        if guard is None and all(on) and scope.lane_var and address.coefficient(scope.lane_var) == 1:
            type_ = vector(ELEMENT[dtype.short], scope.width)
            return from_memory(b, b.load(self.address(buffer, address), type_), dtype)
        if guard is None or guard.lanes == 1:
            offsets = self._near(address, READ_NEAR)
            if offsets is not None:
                return from_memory(b, self._load_near(buffer, address, offsets, on, guard), dtype)
        lanes_on = None if all(on) else const_vector(on, "i1")
        if guard is None and (turning := self._turning(address)) is not None:
            return from_memory(b, self._load_turning(buffer, address, turning, lanes_on), dtype)
        if guard is not None:
            guard = scope.spread(guard)
            lanes_on = guard if lanes_on is None else b.int_op("and", guard, lanes_on)
        return from_memory(b, self._load_lanes(buffer, address, lanes_on), dtype)

    def _load_one(self, buffer: Buffer, address: Ix, guard: Val | None) -> Val:
        b, element = self._b, ELEMENT[buffer.dtype.short]
        at = self._indices.scalar(address)
        if guard is not None:
            at = b.select(guard, at, i64(0))
        return b.load(b.gep(self._base[buffer], at, element), element)

    def _load_lanes(self, buffer: Buffer, address: Ix, lanes_on: Val | None) -> Val:
        """The lanes that are on; by one vector if they lie side by side, else one by one."""
        b, scope = self._b, self._scope
        type_ = vector(ELEMENT[buffer.dtype.short], scope.width)
        assert scope.lane_var is not None
        if address.coefficient(scope.lane_var) == 1:
            pointer = self.address(buffer, address)
            return b.load(pointer, type_) if lanes_on is None else b.masked_load(pointer, type_, lanes_on)
        addresses = self._addresses(buffer, address)
        lanes_on = lanes_on or mask(scope.width, scope.width)
        name = f"llvm.masked.gather.{suffix_of(type_)}.v{scope.width}p0"
        b.module.declare(name, type_, [addresses.type, "i32", lanes_on.type, type_])
        return b.emit(
            type_,
            f"call {type_} @{name}({addresses.type} {addresses.name}, i32 {buffer.dtype.itemsize}, {lanes_on.type} "
            f"{lanes_on.name}, {type_} zeroinitializer)",
        )

    def _turning(self, address: Ix) -> Quotient | Remainder | None:
        """The quotient or remainder that is all that moves an address from lane to lane, if it turns over once at most.

        Such are the rows that a vector lies in, and the places in them, where rows are as long as vectors or longer but
        do not begin where these do.
        """
        lane, steps = self._scope.lane_var, self._scope.width - 1
        moving = [(atom, by) for atom, by in address.terms if lane in variables_of(atom)]
        if len(moving) != 1 or has_data(address) or lane is None:
            return None
        ((atom, by),) = moving
        if not isinstance(atom, (Quotient, Remainder)) or atom.by >= 2**31:
            return None
        step = atom.of.coefficient(lane)
        if step is None or not 0 < step * steps < atom.by or (isinstance(atom, Remainder) and (step, by) != (1, 1)):
            return None
        return atom

    def _load_turning(self, buffer: Buffer, address: Ix, atom: Quotient | Remainder, lanes_on: Val | None) -> Val:
        """The lanes before the place where the next row begins, and those behind it: two loads, not one for each."""
        b, scope, element = self._b, self._scope, ELEMENT[buffer.dtype.short]
        assert scope.lane_var is not None
        step, type_ = atom.of.coefficient(scope.lane_var) or 0, vector(element, scope.width)
        first, place = self.address(buffer, address), self._indices.scalar(atom.of % atom.by)
        behind = scope.find(("behind", atom))
        if behind is None:
            places = const_vector([step * lane for lane in range(scope.width)], "i32")
            places = b.add(b.splat(narrowed(b, place, "i32"), scope.width), places)
            behind = scope.keep(("behind", atom), b.icmp("uge", places, atom.by))
        if isinstance(atom, Quotient):
            by = next(by for one, by in address.terms if one == atom)
            crossed = b.icmp("uge", b.add(place, step * (scope.count - 1)), atom.by)
            second = b.gep(first, b.select(crossed, i64(by), i64(0)), element)
            x, y = (b.splat(b.load(one, element), scope.width) for one in (first, second))
            return b.select(behind, y, x)
        before = b.int_op("xor", behind, const(True, behind.type))
        both = [(first, before), (b.gep(first, -atom.by, element), behind)]
        x, y = (
            b.masked_load(pointer, type_, own if lanes_on is None else b.int_op("and", own, lanes_on))
            for pointer, own in both
        )
        return b.select(behind, y, x)

    def _near(self, address: Ix, apart: int) -> list[int] | None:
        """How far from that of lane 0 each lane's address is, if that is always the same, and about `apart` at most."""
        scope = self._scope
        if has_data(address):
            return None
        assert scope.lane_var is not None
        step = address.coefficient(scope.lane_var)
        if step is not None and abs(step) * (scope.width - 1) >= apart * scope.width:
            return None
        offsets = scope.known.offsets(address)
        if offsets is None or max(offsets) - min(offsets) >= apart * scope.width:
            return None
        return offsets if len(offsets) > 1 else offsets * scope.width

    def _load_near(
        self, buffer: Buffer, address: Ix, offsets: list[int], on: list[bool], guard: Val | None
    ) -> Val:
        """The lanes that are on, from few vectors that lie side by side; nothing beyond those lanes is read."""
        b, width, element = self._b, self._scope.width, ELEMENT[buffer.dtype.short]
        used = [o for o, there in zip(offsets, on, strict=True) if there]
        low, count = min(used), max(used) - min(used) + 1
        first = b.gep(self._base[buffer], b.add(self._indices.scalar(address), low), element)
        if count == 1 and guard is None:
            return b.splat(b.load(first, element), width)
        blended = count > 2 * width and len({(o - low) % width for o in used}) == len(used)
        most = count if blended else max(count - width, 0)
        starts = [min(start, most) for start in range(0, count, width)]
        vectors = [self._load_first(b.gep(first, at, element), min(count - at, width), element, guard) for at in starts]
        places = []  # for each lane which vector has it, and where
        for offset, there in zip(offsets, on, strict=True):
            at = offset - low if there else 0
            number = next(n for n, start in reversed(list(enumerate(starts))) if start <= at)
            places.append((number, at - starts[number]))
        if len(vectors) == 1 and all(at == lane for lane, (_, at) in enumerate(places) if on[lane]):
            return vectors[0]
        return self._blended(vectors, places) if blended else self._in_order(vectors, places)

    def _load_first(self, pointer: Val, count: int, element: str, guard: Val | None) -> Val:
        """A vector of which so many lanes are read, or none where the guard does not hold."""
        b, width = self._b, self._scope.width
        lanes_on, type_ = mask(count, width) if count < width else None, vector(element, width)
        if guard is not None:
            lanes_on = b.select(guard, lanes_on or mask(width, width), mask(0, width))
        return b.load(pointer, type_) if lanes_on is None else b.masked_load(pointer, type_, lanes_on)

    def _in_order(self, vectors: list[Val], places: list[tuple[int, int]]) -> Val:
        """The lanes, from one vector after the other."""
        b, width, result = self._b, self._scope.width, vectors[0]
        for number in range(1, max(len(vectors), 2)):
            other = vectors[number] if number < len(vectors) else result
            result = b.shuffle(result, other, [
                width + at if n == number else lane if n < number and number > 1 else at if n == 0 else 0
                for lane, (n, at) in enumerate(places)
            ])  # fmt: skip
        return result

    def _blended(self, vectors: list[Val], places: list[tuple[int, int]]) -> Val:
        """Lanes of which no two come from the same place of a vector, as with odd steps: blended, then put in order.

        Lanes that do not count come from the first place of the first vector, as the nearest that counts does.
        """
        b, width, owner = self._b, self._scope.width, {at: number for number, at in places}
        result = vectors[0]
        for number in range(1, len(vectors)):
            result = b.shuffle(
                result, vectors[number], [width + at if owner.get(at) == number else at for at in range(width)]
            )
        return b.shuffle(result, result, [at for _, at in places])
