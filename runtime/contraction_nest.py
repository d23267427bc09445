"""The loops that a contraction's kernel is made of: over the tiles, elements and vectors of a unit, and over the sum.

Operands, panels and waiting accumulators are all read as "address of a corner + constant": a `Side` is an address that
counts from coordinate zero and a stride for each dim. A `Place` is how far the loops have come; entering one more loop
moves every side's address along. A buffer on the stack is a side with strides of its own, whose address is shifted so
that the same coordinates hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from graphc.runtime.contraction_plan import OUTER, ROW, Axis, Group, Plan
from graphc.runtime.contraction_terms import Dim, Transform
from graphc.runtime.llvmtext import SIZEOF, Builder, Operand, Val, const_vector, i64, mask, vector
from graphc.runtime.twos import HALF, word
from graphc.schedule import NEAR

Span = tuple[Operand, Operand]
"""A half-open range of indices."""


@dataclass(frozen=True)
class Side:
    """Something in memory: where its element at coordinate zero is, and an element stride for each dim it has.

    Args:
        lane: the stride along the lanes: 0 for one element in all lanes, 1 for vectors in memory.
        transform: what each loaded value goes through.
        padded: whether lanes past the extent may be read and written.
        two: of words that are put together as they are read, of two factors: how far these are apart. Then strides
            count factors, and an address is one's.
    """

    name: str
    address: Val
    strides: Mapping[str, int]
    lane: int
    transform: Transform | None = None
    padded: bool = False
    two: int | None = None

    @property
    def along(self) -> bool:
        """Whether vectors lie in memory; those of words whose factors are apart in two rows."""
        return self.lane == 1 or (self.lane, self.two) == (2, 1)

    def offset(self, coordinates: Mapping[str, int]) -> int:
        return sum(self.strides.get(name, 0) * x for name, x in coordinates.items())


@dataclass(frozen=True)
class Place:
    """How far the loops have come: the sides' addresses there, the coordinates so far, and the tile's groups."""

    sides: tuple[Side, ...]
    base: dict[str, Val] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def coords(self, offsets: Mapping[str, int]) -> dict[str, tuple[Val, int]]:
        return {name: (x, offsets.get(name, 0)) for name, x in self.base.items()}


class Nest:
    """Writes the loops of one planned contraction.

    Attributes:
        tiles: the present unit's range of tiles along each axis.
        block: the present block's range of the summed dim that is cut.
        lone: whether the present step is the last of an odd number, and its words have one factor.
    """

    def __init__(self, b: Builder, chosen: Plan) -> None:
        self.b, self.plan, self.c = b, chosen, chosen.contraction
        self.element, self.lanes = self.c.element, chosen.lanes
        self.type = vector(self.element, self.lanes)
        self.tiles: dict[str, Span] = {}
        self.block: Span = (0, 0)
        self.lone = False
        self._tables: dict[range, Val] = {}
        self._masks: dict[tuple[str, range], Val] = {}

    # Addresses

    def stack(self, name: str, dims: Mapping[str, int], row: str = "", length: int = 0) -> Side:
        """A buffer over some dims, outermost first, of vectors along the lanes; their own dim's extent counts vectors.

        Or of rows: of whole vectors for `length` elements along `row`.
        """
        size = -(-max(length, 1) // self.lanes) * self.lanes
        strides = {row or self.c.lanes: 1}
        for dim, extent in reversed(list(dims.items())):
            strides[dim] = size // self.lanes if dim == self.c.lanes and not row else size
            size *= extent
        return Side(name, self.b.alloca(self.element, size), strides, 0 if row else 1, padded=True)

    def moved(self, side: Side, dim: str, coordinate: Val, sign: int = 1) -> Side:
        stride = side.strides.get(dim, 0)
        if not stride:
            return side
        return replace(side, address=self.address(side, self.b.mul(coordinate, sign * stride)))

    def shifted(self, side: Side, zero: Mapping[str, Val]) -> Side:
        """A buffer addressed so that the coordinates `zero` fall on its first element."""
        for dim, coordinate in zero.items():
            side = self.moved(side, dim, coordinate, -1)
        return side

    def at(self, place: Place, dim: str, coordinate: Val, group: Group | None = None) -> Place:
        """A place with one more coordinate."""
        groups = place.groups | {dim: group} if group else place.groups
        return Place(tuple(self.moved(s, dim, coordinate) for s in place.sides), place.base | {dim: coordinate}, groups)

    def address(self, side: Side, offset: Operand) -> Val:
        return self.b.gep(side.address, offset, self.element if side.two is None else HALF)

    def load(self, side: Side, offset: int) -> Val:
        """One element."""
        address = self.address(side, offset)
        if side.two is None:
            return self.b.load(address, self.element)
        if side.two == 1 and not self.lone:
            return self.b.load(address, self.element, SIZEOF[HALF])
        lower, upper = self._factors(side, offset, lambda address: self.b.load(address, HALF))
        return word(self.b, lower, upper, side.name)

    def _factors(self, side: Side, offset: int, load: Callable[[Val], Val]) -> tuple[Val, Val | None]:
        """The factors of words, as `load` reads them at an address; no upper ones where there is one only."""
        assert side.two is not None
        lower = load(self.address(side, offset))
        return lower, None if self.lone else load(self.address(side, offset + side.two))

    def load_row(self, side: Side, offset: int, on: Val | None) -> Val:
        """A vector of neighbours in memory, of words that of two rows; only the lanes that are `on`, if not all are."""
        b, size = self.b, SIZEOF[self.element if side.two is None else HALF]

        def row(address: Val, type_: str) -> Val:
            return b.load(address, type_, size) if on is None else b.masked_load(address, type_, on, size)

        if side.two is None or (side.lane != 1 and side.two == 1 and not self.lone):
            return row(self.address(side, offset), self.type)
        lower, upper = self._factors(side, offset, lambda address: row(address, vector(HALF, self.lanes)))
        return word(b, lower, upper, side.name)

    def _load_words(self, side: Side, offset: int, active: range) -> Val:
        """A vector of words, one by one if it does not lie in memory."""
        if side.lane == 1 or (side.along and not self.lone):
            whole = len(active) == self.lanes
            return self.load_row(side, offset, None if whole else const_vector(self._flags(active), "i1"))
        value = Val("zeroinitializer", self.type)
        for lane in active:
            value = self.b.insert(value, self.load(side, offset + lane * side.lane), lane)
        return value

    def load_lanes(self, side: Side, offset: int, active: range, on: Val | None = None) -> Val:
        """A vector along the lanes, +0.0 in those that do not exist: outside of `active`, or not `on`."""
        if side.two is not None:
            return self._load_words(side, offset, active)
        b, address = self.b, self.address(side, offset)
        if side.lane == 1:
            if on is None and (len(active) == self.lanes or (side.padded and not active.start)):
                return b.load(address, self.type)
            return b.masked_load(address, self.type, on or const_vector(self._flags(active), "i1"))
        if 1 < side.lane <= NEAR and on is None:
            return self._load_near(b.gep(address, active.start * side.lane, self.element), side.lane, active)
        value = Val("zeroinitializer", self.type)
        for lane in active:
            step = i64(lane * side.lane)
            if on and not on.literal:  # a lane that does not exist reads lane 0
                step = b.select(b.extract(on, lane), step, i64(0))
            value = b.insert(value, b.load(b.gep(address, step, self.element), self.element), lane)
        return value if on is None else b.select(on, value, Val("zeroinitializer", self.type))

    def _load_near(self, first: Val, step: int, active: range) -> Val:
        """Every so many elements, from whole vectors of what lies from the first to the last of the active lanes."""
        b, lanes = self.b, self.lanes
        count = (len(active) - 1) * step + 1
        result = Val("zeroinitializer", self.type)
        for start in range(0, count, lanes):
            there, source = min(count - start, lanes), b.gep(first, start, self.element)
            whole = there == lanes
            loaded = b.load(source, self.type) if whole else b.masked_load(source, self.type, mask(there, lanes))
            at = {lane: n * step - start for n, lane in enumerate(active)}
            picked = [lanes + at[x] if x in at and 0 <= at[x] < lanes else x for x in range(lanes)]
            result = b.shuffle(result, loaded, picked)
        return result

    def mask(self, active: range) -> Val:
        """Some lanes that lie side by side, to choose results of multiply-adds with.

        It is read from memory: of a constant LLVM would make blends, as many as multiply-adds; with a register of bits
        the multiply-adds themselves are of some lanes only.
        """
        b = self.b
        key = (b.block, active)
        if key not in self._masks:
            if active not in self._tables:
                name = f"{b.name}_lanes_{active.start}_{active.stop}"
                self._tables[active] = b.module.constant_array(name, "i32", self._flags(active))
            self._masks[key] = b.icmp("ne", b.load(self._tables[active], vector("i32", self.lanes)), 0)
        return self._masks[key]

    def _flags(self, active: range) -> list[bool]:
        return [lane in active for lane in range(self.lanes)]

    # Loops

    @contextmanager
    def loop(self, lo: Operand, hi: Operand, step: int = 1) -> Iterator[Val]:
        """A loop, or nothing but its index where it is known to run once."""
        if isinstance(lo, int) and isinstance(hi, int) and 0 < hi - lo <= step:
            yield i64(lo)
        else:
            with self.b.loop(lo, hi, step) as index:
                yield index

    def stretches(self, span: Span, extent: int, step: int) -> Iterator[tuple[Operand, Operand, int]]:
        """Loops (start, stop, step) that cover a part of `range(extent)`: whole steps, then at most once the rest.

        A span not known here starts at a multiple of `step`, and ends at one or at the extent.
        """
        lo, hi = span
        if isinstance(lo, int) and isinstance(hi, int):
            whole = lo + max(0, hi - lo) // step * step
            if lo < whole:
                yield lo, whole, step
            if whole < hi:
                yield whole, hi, hi - whole
            return
        whole = extent // step * step
        if whole:
            yield lo, hi if whole == extent else self.least(hi, whole), step
        if whole < extent:
            yield whole, hi, extent - whole

    def inside(self, span: Span, bounds: Span) -> Span:
        """What of a range is in another, which is all there is if it is known here."""
        if all(isinstance(x, int) for x in bounds):
            return span
        return self.most(span[0], bounds[0]), self.least(span[1], bounds[1])

    def least(self, x: Operand, y: Operand) -> Val:
        return self.b.intrinsic("smin", "i64", value(x), value(y))

    def most(self, x: Operand, y: Operand) -> Val:
        return self.b.intrinsic("smax", "i64", value(x), value(y))

    # The unit

    def locate(self, u: Val) -> dict[str, Val]:
        """Finds a unit's range of tiles along every axis, of which the innermost steps first; returns its corner."""
        b, below = self.b, 1
        for axis in reversed(self.plan.axes):
            if axis.blocks == 1:
                self.tiles[axis.dim.name] = (0, axis.tiles)
                continue
            index = b.int_op("udiv", u, below) if below > 1 else u
            below *= axis.blocks
            if below < self.plan.units:
                index = b.int_op("urem", index, axis.blocks)
            first = b.mul(index, axis.block)
            last = b.add(first, axis.block)
            self.tiles[axis.dim.name] = (first, last if axis.tiles % axis.block == 0 else self.least(last, axis.tiles))
        return {axis.dim.name: value(self._first(axis)) for axis in self.plan.axes}

    def elements(self, axis: Axis) -> Span:
        """The unit's range of elements along an axis."""
        _, hi = self.tiles[axis.dim.name]
        if isinstance(hi, int):
            return 0, axis.dim.extent
        end = self._start(axis, hi)
        return self._first(axis), end if axis.dim.extent % axis.lanes == 0 else self.least(end, axis.dim.extent)

    def _first(self, axis: Axis) -> Operand:
        """The unit's first element along an axis."""
        lo, _ = self.tiles[axis.dim.name]
        return 0 if isinstance(lo, int) else self._start(axis, lo)

    def _start(self, axis: Axis, tile: Val) -> Val:
        """The first element of a tile; one past the last tile, the extent in whole vectors."""
        start = self.b.mul(tile, axis.small)
        if axis.larger:
            start = self.b.add(start, self.b.mul(self.least(tile, axis.larger), axis.lanes))
        return start

    def over_tiles(self, axes: Sequence[Axis], place: Place, body: Callable[[Place], None]) -> None:
        """Loops over the unit's tiles; each size of tile has a body of its own."""
        if not axes:
            body(place)
            return
        axis = axes[0]
        lo, hi = self.tiles[axis.dim.name]
        for group in axis.groups:
            first, last = group.first, group.first + group.count
            if isinstance(lo, int) or isinstance(hi, int):
                span: Span = (first, last)
            else:
                span = (self.most(lo, first) if first else lo, self.least(hi, last) if last < axis.tiles else hi)
            with self.loop(*span) as t:
                x = i64(group.start)
                if group.count > 1:
                    x = self.b.add(self.b.mul(t, group.size), group.start - first * group.size)
                self.over_tiles(axes[1:], self.at(place, axis.dim.name, x, group), body)

    def over_elements(self, axes: Sequence[Axis], place: Place, body: Callable[[Place], None]) -> None:
        """Loops over the unit's elements along some axes."""
        if not axes:
            body(place)
            return
        with self.loop(*self.elements(axes[0])) as x:
            self.over_elements(axes[1:], self.at(place, axes[0].dim.name, x), body)

    def over_vectors(self, place: Place, body: Callable[[Place, int], None]) -> None:
        """Loops over the unit's vectors along the lanes, each with the number of its lanes that exist."""
        if self.plan.runs:
            self.over_runs(self.plan.runs, place, body)
            return
        axis = self.plan.across
        for start, stop, step in self.stretches(self.elements(axis), axis.dim.extent, self.lanes):
            with self.loop(start, stop, step) as x:
                body(self.at(place, axis.dim.name, x), step)

    def over_runs(self, runs: Sequence[Dim], place: Place, body: Callable[[Place, int], None]) -> None:
        """Loops over the vectors of every run of a row, each with the number of its lanes that exist."""
        d, step = runs[0], self.lanes if len(runs) == 1 else 1
        for start, stop, size in self.stretches((0, d.extent), d.extent, step):
            with self.loop(start, stop, size) as x:
                here = self.at(place, d.name, x)
                if len(runs) > 1:
                    self.over_runs(runs[1:], here, body)
                else:
                    body(here, size)

    def of_runs(self, row: Side) -> Side:
        """A row that is addressed by the dims of the runs in it, too."""
        strides, size = {**row.strides}, 1
        for d in reversed(self.plan.runs):
            strides[d.name] = size
            size *= d.extent
        return replace(row, strides=strides)

    def coordinates(self, place: Place) -> dict[str, tuple[Val, int]]:
        """Those of a place, of the dims that the contraction had before some of one came to lie in a row."""
        found = place.coords({})
        for d in self.plan.runs:
            if d.name + OUTER in found:
                outer, _ = found.pop(d.name + OUTER)
                found[d.name] = (self.b.add(self.b.mul(outer, d.extent), found[d.name][0]), 0)
        return {name: x for name, x in found.items() if name != ROW or not self.plan.runs}

    # The sum

    @property
    def first_level(self) -> int:
        """The outermost summed dim that is inside a block."""
        return self.plan.cut.level if self.plan.cut else 0

    def sum_span(self, level: int) -> Span:
        """The range of a summed dim in this block."""
        if self.plan.cut and level == self.plan.cut.level:
            return self.block
        return 0, self.c.sums[level].extent

    def by_words(self, span: Span, level: int) -> Iterator[tuple[Span, int]]:
        """A range of a summed dim's steps, and of how many in all; the last one by itself if its words have one factor.

        While that is written, `lone` says so.
        """
        extent = self.c.sums[level].extent
        if not self.c.odd or level < len(self.c.sums) - 1:
            yield span, extent
            return
        lo, hi = span
        known = isinstance(lo, int) and isinstance(hi, int)
        if extent > 1:
            yield (lo, min(hi, extent - 1) if known else self.least(hi, extent - 1)), extent - 1
        self.lone = True
        yield (extent - 1, hi) if known else (self.most(lo, extent - 1), hi), extent
        self.lone = False

    def over_steps(self, place: Place, body: Callable[[Place], None], level: int, stop: int) -> None:
        """Loops over the block's indices of the summed dims from `level` up to `stop`."""
        if level >= stop:
            body(place)
            return
        for span, _ in self.by_words(self.sum_span(level), level):
            with self.loop(*span) as x:
                self.over_steps(self.at(place, self.c.sums[level].name, x), body, level + 1, stop)


def value(x: Operand) -> Val:
    return i64(x) if isinstance(x, int) else x
