"""Writes the kernel of a contraction: the loops over units, blocks and tiles that its plan lays out.

A unit of work is a box of register tiles. For each tile the sum runs with one accumulator per cell (a vector; where
the lanes are summed, a vector of partial sums), then `finish` takes the cells one by one while they are in registers.
Where the sum is cut into blocks, raw accumulators wait in a buffer on the stack, and `finish` reads them from there.

Operands, panels and waiting accumulators are all read as "address of the tile's corner + constant". A buffer on the
stack is an operand with other strides, whose address is shifted so that the same coordinates hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product

from graphc.runtime.contraction import (
    LOGICAL_LANES,
    TURN,
    Axis,
    Contraction,
    Dim,
    Group,
    Inside,
    Plan,
    Transform,
    plan,
)
from graphc.runtime.llvmtext import Builder, Operand, Val, const, const_vector, i64, mask, vector

Finish = Callable[[Builder, dict[str, tuple[Val, int]], Val, int], None]
"""`finish(b, coords, acc, active)`: writes what becomes of one accumulator.

`coords[name]` is the coordinate of every output dim as (i64 value, constant); along the lanes it is that of lane 0.
`acc` holds one element per lane, of which the first `active` exist, or is a scalar where the lanes were summed.
It may open blocks.
"""

Span = tuple[Operand, Operand]
"""A half-open range of indices."""


def emit(b: Builder, c: Contraction, target_lanes: int, a: Val, bp: Val, finish: Finish, begin: Val, end: Val) -> None:
    """Writes the units `begin <= u < end` of a contraction, of `units(c, target_lanes)`, at the builder's place.

    Args:
        b: inside the function that is the kernel; the stack buffers go to its entry block.
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
        a, bp: addresses of the operands' elements at coordinate zero.
        finish: writes the epilogue of each accumulator, once for each place where one is ready.
        begin, end: i64.
    """
    _Kernel(b, plan(c, target_lanes), a, bp, finish).run(begin, end)


@dataclass(frozen=True)
class _Side:
    """A thing that tiles read: an address that counts from coordinate zero, and an element stride for each dim."""

    name: str
    address: Val
    strides: Mapping[str, int]
    lane: int  # the stride along the lanes
    transform: Transform | None = None
    padded: bool = False  # lanes past the extent may be read

    def offset(self, coordinates: Mapping[str, int]) -> int:
        return sum(self.strides.get(name, 0) * x for name, x in coordinates.items())


@dataclass(frozen=True)
class _Cell:
    """One accumulator of a tile: constant offsets from the tile's corner, and how many of its lanes exist."""

    offsets: Mapping[str, int]
    active: int


@dataclass(frozen=True)
class _Place:
    """How far the loops have come: the coordinates so far, the tile's groups, and the addresses that follow."""

    sides: tuple[_Side, ...]
    base: dict[str, Val] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def coords(self, offsets: Mapping[str, int]) -> dict[str, tuple[Val, int]]:
        return {name: (x, offsets.get(name, 0)) for name, x in self.base.items()}


class _Kernel:
    """Writes one contraction into one function."""

    def __init__(self, b: Builder, chosen: Plan, a: Val, bp: Val, finish: Finish) -> None:
        self.b, self.plan, self.finish = b, chosen, finish
        c = self.c = chosen.contraction
        self.element, self.lanes = c.element, chosen.lanes
        self.type = vector(c.element, chosen.lanes)
        self.parts = -(-c.lane.extent // self.lanes) if c.lanes_summed else 1
        self.operands = tuple(
            _Side(name, address, {d.name: getattr(d, name) for d in c.outputs + c.k}, getattr(c.lane, name), transform)
            for name, address, transform in (("a", a, c.a_transform), ("b", bp, c.b_transform))
        )
        self.panels = {side.name: self.panel(side) for side in self.operands if side.name in chosen.packed}
        self.partials = self.stack("partials", self.partial_dims()) if chosen.cut else None
        self.tiles: dict[str, Span] = {}
        self.block: Span = (0, 0)
        tail_only = bool(c.lane_tail) and next(d for d in c.k if d.name == c.lane_tail[0]).extent == 1
        self.masks = [self.lane_mask(part, tail_only) for part in range(self.parts)]

    # Buffers on the stack

    def stack(self, name: str, dims: Mapping[str, int], row: str = "", length: int = 0) -> _Side:
        """A buffer over some dims, outermost first, of vectors along the lanes, of which an extent counts vectors.

        Or of rows: of whole vectors for `length` elements along `row`.
        """
        size = -(-max(length, 1) // self.lanes) * self.lanes
        strides = {row or self.c.lanes: 1}
        for dim, extent in reversed(dims.items()):
            strides[dim] = size // self.lanes if dim == self.c.lanes and not row else size
            size *= extent
        return _Side(name, self.b.alloca(self.element, size), strides, 0 if row else 1, padded=True)

    def panel(self, side: _Side) -> _Side:
        """The buffer of an operand's part in a block.

        Each of its vectors along the lanes has its steps of the sum side by side. Of an operand that is the same in all
        lanes, the elements that are neighbours in memory stay so, in rows of whole vectors.
        """
        axes = {x.dim.name: x for x in self.plan.axes if side.strides[x.dim.name]}
        own = {name: x.span for name, x in axes.items() if name != self.c.lanes}
        cut = self.plan.cut
        sums = {d.name: d.extent for d in self.c.sums}
        if cut:
            kept = self.c.sums[cut.level :]
            sums = {d.name: cut.size if d is kept[0] else d.extent for d in kept}
        if side.lane:
            return self.stack(side.name, own | {self.c.lanes: axes[self.c.lanes].span} | sums)
        row = self.row(side)
        return self.stack(side.name, sums | {name: span for name, span in own.items() if name != row}, row, own[row])

    def row(self, side: _Side) -> str:
        """The output dim along which an operand that is the same in all lanes lies in memory."""
        return next(d.name for d in self.c.outputs if side.strides[d.name] == 1)

    def partial_dims(self) -> dict[str, int]:
        axes = sorted(self.plan.axes, key=lambda x: x.dim.name == self.c.lanes)
        return {x.dim.name: x.span for x in axes} | ({self.c.lanes: self.parts} if self.c.lanes_summed else {})

    def shifted(self, side: _Side, zero: Mapping[str, Val]) -> _Side:
        """A buffer addressed so that the coordinates `zero` fall on its first element."""
        for name, coordinate in zero.items():
            side = self.moved(side, name, self.b.mul(coordinate, -1) if name in side.strides else i64(0))
        return side

    def moved(self, side: _Side, dim: str, coordinate: Val) -> _Side:
        stride = side.strides.get(dim, 0)
        if not stride:
            return side
        return replace(side, address=self.b.gep(side.address, self.b.mul(coordinate, stride), self.element))

    def at(self, place: _Place, dim: str, coordinate: Val, group: Group | None = None) -> _Place:
        """A place with one more coordinate."""
        groups = place.groups | {dim: group} if group else place.groups
        sides = tuple(self.moved(side, dim, coordinate) for side in place.sides)
        return _Place(sides, place.base | {dim: coordinate}, groups)

    # Units

    def run(self, begin: Val, end: Val) -> None:
        with self.b.loop(begin, end) as u:
            self.locate(u)
            corner = {axis.dim.name: i64(0) if axis.blocks == 1 else self.elements(axis)[0] for axis in self.plan.axes}
            if self.partials:
                self.in_blocks(_Place((*self.operands, self.shifted(self.partials, corner))), corner)
            else:
                self.over_tiles(self.plan.axes, _Place(self.packed(self.operands, corner)), self.tile)

    def locate(self, u: Val) -> None:
        """Finds the unit's range of tiles along every axis; the innermost axis steps first."""
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

    def elements(self, axis: Axis) -> Span:
        """The unit's range of elements along an axis."""
        lo, hi = self.tiles[axis.dim.name]
        if isinstance(lo, int) or isinstance(hi, int):
            return 0, axis.dim.extent
        return self.start(axis, lo), self.least(self.start(axis, hi), axis.dim.extent)

    def start(self, axis: Axis, tile: Val) -> Val:
        """The first element of a tile; one past the last tile, the extent in whole vectors."""
        start = self.b.mul(tile, axis.small)
        if axis.larger:
            start = self.b.add(start, self.b.mul(self.least(tile, axis.larger), axis.lanes))
        return start

    def over_tiles(self, axes: Sequence[Axis], place: _Place, body: Callable[[_Place], None]) -> None:
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
                x = self.b.add(self.b.mul(t, group.size), group.start - first * group.size)
                if group.count == 1:
                    x = i64(group.start)
                self.over_tiles(axes[1:], self.at(place, axis.dim.name, x, group), body)

    def over_elements(self, axes: Sequence[Axis], place: _Place, body: Callable[[_Place], None]) -> None:
        """Loops over the unit's elements along some axes."""
        if not axes:
            body(place)
            return
        with self.loop(*self.elements(axes[0])) as x:
            self.over_elements(axes[1:], self.at(place, axes[0].dim.name, x), body)

    def over_vectors(self, place: _Place, body: Callable[[_Place, int], None]) -> None:
        """Loops over the unit's vectors along the lanes, each with the number of its lanes that exist."""
        axis = next(x for x in self.plan.axes if x.dim.name == self.c.lanes)
        for start, stop, step in self.stretches(self.elements(axis), axis.dim.extent, self.lanes):
            with self.loop(start, stop, step) as x:
                body(self.at(place, self.c.lanes, x), step)

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
            yield lo, hi if whole == extent else self.least(_value(hi), whole), step
        if whole < extent:
            yield whole, hi, extent - whole

    def least(self, x: Val, y: Operand) -> Val:
        return self.b.intrinsic("smin", "i64", x, _value(y))

    def most(self, x: Val, y: Operand) -> Val:
        return self.b.intrinsic("smax", "i64", x, _value(y))

    # Blocks of the sum

    def in_blocks(self, place: _Place, corner: dict[str, Val]) -> None:
        """Runs the blocks in the order of the sum; raw accumulators wait in memory in between."""
        cut = self.plan.cut
        assert cut and self.partials

        def blocks(level: int, place: _Place, zero: dict[str, Val]) -> None:
            dim = self.c.sums[level]
            size = cut.size if level == cut.level else 1
            with self.loop(0, dim.extent, size) as x:
                self.enter(dim, x)
                zero = zero | {dim.name: x}
                if level < cut.level:
                    blocks(level + 1, self.at(place, dim.name, x), zero)
                    return
                end = self.b.add(x, size)
                self.block = (x, end if dim.extent % size == 0 else self.least(end, dim.extent))
                if size == dim.extent:
                    self.block = (0, size)
                self.over_tiles(self.plan.axes, replace(place, sides=self.packed(place.sides, zero)), self.tile)

        self.clear(self.partials)
        blocks(0, place, corner)
        self.finish_partials(replace(place, sides=place.sides[-1:]))

    def clear(self, partials: _Side) -> None:
        """Every waiting accumulator becomes +0.0."""
        size = self.lanes
        for extent in self.partial_dims().values():
            size *= extent
        with self.loop(0, size, self.lanes) as x:
            self.b.store(const(0.0, self.type), self.b.gep(partials.address, x, self.element))

    def finish_partials(self, place: _Place) -> None:
        """Finishes the accumulators that wait in memory."""
        if self.c.lanes_summed:
            self.over_tiles(self.plan.axes, place, lambda place: self.tile(place, finish_only=True))
            return

        def finish(place: _Place, active: int) -> None:
            self.finish(self.b, place.coords({}), self.b.load(place.sides[0].address, self.type), active)

        others = [x for x in self.plan.axes if x.dim.name != self.c.lanes]
        self.over_elements(others, place, lambda place: self.over_vectors(place, finish))

    def sum_span(self, level: int) -> Span:
        """The range of a summed dim in this block."""
        if self.plan.cut and level == self.plan.cut.level:
            return self.block
        return 0, self.c.sums[level].extent

    # Packing

    def packed(self, sides: tuple[_Side, ...], zero: dict[str, Val]) -> tuple[_Side, ...]:
        """The operands, those that the plan packs replaced by panels of their part in this block."""
        return tuple(self.pack(side, zero) if side.name in self.panels else side for side in sides)

    def pack(self, side: _Side, zero: dict[str, Val]) -> _Side:
        """Copies an operand's part in this block to its panel, and returns the panel."""
        panel = self.shifted(self.panels[side.name], zero)
        place = _Place((side, panel))
        row = "" if side.lane else self.row(side)
        own = [x for x in self.plan.axes if side.strides[x.dim.name] and x.dim.name not in (row, self.c.lanes)]
        if row:
            self.over_steps(place, lambda at: self.over_elements(own, at, lambda at: self.copy_row(at, row)))
        elif side.lane == 1:
            self.over_steps(place, lambda at: self.over_elements(own, at, lambda at: self.over_vectors(at, self.copy)))
        else:
            self.over_elements(own, place, lambda at: self.over_vectors(at, self.copy_scattered))
        return panel

    def over_steps(self, place: _Place, body: Callable[[_Place], None], level: int | None = None, last: int = 0) -> None:
        """Loops over the block's indices of the summed dims, but for the `last` ones."""
        level = level if level is not None else self.plan.cut.level if self.plan.cut else 0
        if level >= len(self.c.sums) - last:
            body(place)
            return
        with self.loop(*self.sum_span(level)) as x:
            self.over_steps(self.at(place, self.c.sums[level].name, x), body, level + 1, last)

    def copy(self, place: _Place, active: int) -> None:
        self.to_panel(place, {}, self.lanes_loaded(place.sides[0], place.sides[0].address, active))

    def copy_row(self, place: _Place, row: str) -> None:
        """Copies the unit's elements of an operand that is the same in all lanes."""
        b = self.b
        lo, hi = self.elements(next(x for x in self.plan.axes if x.dim.name == row))
        with self.loop(lo, hi, self.lanes) as x:
            source, target = self.at(place, row, x).sides
            left = b.splat(b.convert("trunc", b.sub(_value(hi), x), "i32"), self.lanes)
            on = b.icmp("slt", const_vector(range(self.lanes), "i32"), left)
            b.store(b.masked_load(source.address, self.type, on), target.address)  # rows are of whole vectors

    def copy_scattered(self, place: _Place, active: int) -> None:
        """Copies one vector's steps, several at a time where they lie along memory."""
        source, last = place.sides[0], len(self.c.sums) - 1
        dim = self.c.sums[last] if self.c.sums else None
        if dim is None or source.strides[dim.name] != 1 or self.lanes < TURN:
            self.over_steps(place, lambda at: self.copy(at, active))
            return

        def turned(place: _Place) -> None:
            for start, stop, step in self.stretches(self.sum_span(last), dim.extent, TURN):
                with self.loop(start, stop, step) as x:
                    self.copy_turned(self.at(place, dim.name, x), dim, step, active)

        self.over_steps(place, turned, last=1)

    def copy_turned(self, place: _Place, dim: Dim, count: int, active: int) -> None:
        """Copies up to TURN steps of a summed dim that lies along memory: a transpose in registers."""
        b, source = self.b, place.sides[0]
        four = vector(self.element, TURN)
        rows = [const(0.0, four)] * self.lanes
        for lane in range(active):
            address = b.gep(source.address, lane * source.lane, self.element)
            rows[lane] = b.load(address, four) if count == TURN else b.masked_load(address, four, mask(count, 4))
        for n, value in enumerate(_transposed(b, rows)[:count]):
            self.to_panel(place, {dim.name: n}, value)

    def to_panel(self, place: _Place, step: Mapping[str, int], value: Val) -> None:
        source, target = place.sides
        if source.transform:
            value = source.transform(self.b, place.coords(step), value)
        self.b.store(value, self.b.gep(target.address, target.offset(step), self.element))

    # Tiles

    def tile(self, place: _Place, finish_only: bool = False) -> None:
        """One tile: its accumulators run through the sum, or a block of it, and are finished or put back."""
        b, cells = self.b, self.cells(place)
        accs = [const(0.0, self.type)] * len(cells)
        waiting: list[Val] = []
        if self.partials:
            partials = place.sides[-1]
            waiting = [b.gep(partials.address, partials.offset(cell.offsets), self.element) for cell in cells]
            accs = [b.load(address, self.type) for address in waiting]
        if not finish_only:
            accs = self.chains(self.plan.cut.level if self.plan.cut else 0, place, cells, accs)
        if self.partials and not finish_only:
            for address, acc in zip(waiting, accs, strict=True):
                b.store(acc, address)
        elif self.c.lanes_summed:
            self.finish_folded(place, cells, accs)
        else:
            for cell, acc in zip(cells, accs, strict=True):
                self.finish(b, place.coords(cell.offsets), acc, cell.active)

    def cells(self, place: _Place) -> list[_Cell]:
        """The accumulators of a tile; partial sums of one element are neighbours."""
        ranges = [(axis.dim.name, place.groups[axis.dim.name].size, axis.lanes) for axis in self.plan.axes]
        if self.c.lanes_summed:
            ranges.append((self.c.lanes, self.c.lane.extent, self.lanes))
        choices = [[(name, x, min(step, size - x)) for x in range(0, size, step)] for name, size, step in ranges]
        return [
            _Cell({name: x for name, x, _ in cell}, next(n for name, _, n in cell if name == self.c.lanes))
            for cell in product(*choices)
        ]

    def chains(self, level: int, place: _Place, cells: list[_Cell], accs: list[Val]) -> list[Val]:
        """Runs the summed dims from `level` on; returns the accumulators after them."""
        sums, window = self.c.sums, self.plan.window
        spans = [self.sum_span(n) for n in range(level, len(sums))]
        if all(span == (0, w) for span, w in zip(spans, window[level:], strict=True)):
            return self.steps(place, cells, accs, window[level:])
        dim = sums[level]
        accs = list(accs)
        for span, live in self.runs(dim, spans[0], place, cells):
            some = [cells[n] for n in live]

            def body(x: Val, accs: list[Val], step: int, some: list[_Cell] = some) -> list[Val]:
                here = self.at(place, dim.name, x)
                self.enter(dim, x)
                if window[level] == 1:
                    return self.chains(level + 1, here, some, accs)
                return self.steps(here, some, accs, (step, *window[level + 1 :]))

            for start, stop, step in self.stretches(span, dim.extent, window[level]):
                out = [accs[n] for n in live]
                if isinstance(start, int) and isinstance(stop, int) and stop - start <= step:
                    out = body(i64(start), out, step)
                else:
                    with self.b.loop_carrying(start, stop, out, step) as (x, carried, out):
                        out[:] = body(x, carried, step)
                for n, acc in zip(live, out, strict=True):
                    accs[n] = acc
        return accs

    def runs(self, dim: Dim, span: Span, place: _Place, cells: list[_Cell]) -> Iterator[tuple[Span, list[int]]]:
        """Ranges of a summed dim, each with the cells for which its terms exist."""
        everyone = list(range(len(cells)))
        condition = self.c.condition(dim.name)
        if condition is None:
            yield span, everyone
            return
        base = place.base[condition.output]
        if base.literal:
            terms = [
                condition.terms(int(base.name) + cell.offsets.get(condition.output, 0), dim.extent) for cell in cells
            ]
            marks = sorted({mark for r in terms for mark in (r.start, r.stop)})
            for lo, hi in zip(marks, marks[1:], strict=False):
                live = [n for n in everyone if lo in terms[n]]
                if live:
                    yield (lo, hi), live
        elif place.groups[condition.output].size == 1:
            yield self.existing(condition, base, dim.extent), everyone
        else:
            yield span, everyone  # a tile of which no terms are missing

    def existing(self, condition: Inside, output: Val, count: int) -> Span:
        """The terms that exist at an output coordinate known at run time."""
        b, step = self.b, abs(condition.sum_step)
        x = b.add(b.mul(output, condition.output_step), condition.start)
        before = b.mul(x, -1) if condition.sum_step > 0 else b.add(x, 1 - condition.extent)
        after = b.sub(i64(condition.extent - 1), x) if condition.sum_step > 0 else x
        lo, hi = self.most(b.add(before, step - 1), 0), self.most(b.add(after, step), 0)
        if step > 1:
            lo, hi = b.int_op("udiv", lo, step), b.int_op("udiv", hi, step)
        return lo, self.least(hi, count)

    def exists(self, place: _Place, cell: _Cell, step: Mapping[str, int]) -> bool:
        """Whether a term of the unrolled body exists; where that is not known here, the loops around it saw to it."""
        for condition in self.c.inside:
            output, summed = place.base[condition.output], place.base.get(condition.summed, i64(0))
            if condition.summed in step and output.literal and summed.literal:
                x = int(output.name) + cell.offsets.get(condition.output, 0)
                k = int(summed.name) + step[condition.summed]
                if not 0 <= condition.start + condition.output_step * x + condition.sum_step * k < condition.extent:
                    return False
        return True

    def steps(self, place: _Place, cells: list[_Cell], accs: list[Val], window: Sequence[int]) -> list[Val]:
        """The unrolled indices of the innermost summed dims; what several steps read is loaded once."""
        names = [d.name for d in self.c.sums[len(self.c.sums) - len(window) :]]
        loaded: dict[tuple[str, int], Val] = {}
        accs = list(accs)
        offsets = [[side.offset(cell.offsets) for cell in cells] for side in place.sides[:2]]
        many = offsets[0] if len(set(offsets[0])) > len(set(offsets[1])) else offsets[1]
        # Of the operand with more vectors one lives at a time, and so of each group of partial sums.
        part = [cell.offsets[self.c.lanes] if self.c.lanes_summed else 0 for cell in cells]
        order = sorted(range(len(cells)), key=lambda n: (part[n], many[n]))
        for index in product(*(range(w) for w in window)):
            step = dict(zip(names, index, strict=True))
            for n in order:
                if not self.exists(place, cells[n], step):
                    continue
                x, y = (self.value(side, place, cells[n], step, loaded) for side in place.sides[:2])
                accs[n] = self.b.fma(x, y, accs[n])
        return accs

    def value(
        self, side: _Side, place: _Place, cell: _Cell, step: dict[str, int], loaded: dict[tuple[str, int], Val]
    ) -> Val:
        """The vector that an operand gives to a cell at one step of the sum."""
        offsets = {**cell.offsets, **step}
        offset = side.offset(offsets)
        if (side.name, offset) not in loaded:
            b = self.b
            lanes_on = self.masks[cell.offsets[self.c.lanes] // self.lanes] if self.c.lanes_summed else None
            address = b.gep(side.address, offset, self.element)
            if side.lane:
                value = self.lanes_loaded(side, address, cell.active, lanes_on)
            else:
                value = b.load(address, self.element)
            if side.transform:
                missing = {name: (i64(0), x) for name, x in step.items() if name not in place.base}
                value = side.transform(b, place.coords(offsets) | missing, value)
            value = b.splat(value, self.lanes) if value.lanes == 1 else value
            if lanes_on and (side.name == "a" or side.transform or not side.lane):
                # -0.0 * +0.0 leaves every accumulator as it is
                value = b.select(lanes_on, value, const(-0.0 if side.name == "a" else 0.0, self.type))
            loaded[side.name, offset] = value
        return loaded[side.name, offset]

    def lanes_loaded(self, side: _Side, address: Val, active: int, lanes_on: Val | None = None) -> Val:
        """A vector along the lanes, +0.0 where they do not exist."""
        b = self.b
        if side.lane == 1:
            if lanes_on is None and (active == self.lanes or side.padded):
                return b.load(address, self.type)
            return b.masked_load(address, self.type, lanes_on or mask(active, self.lanes))
        value = const(0.0, self.type)
        for lane in range(active):
            offset = i64(lane * side.lane)
            if lanes_on and not lanes_on.literal:
                offset = b.select(b.extract(lanes_on, lane), offset, i64(0))
            value = b.insert(value, b.load(b.gep(address, offset, self.element), self.element), lane)
        return value

    # Lanes that are summed

    def enter(self, dim: Dim, x: Val) -> None:
        """At the last index of the lane tail's dim fewer lanes exist."""
        if self.c.lane_tail and self.c.lane_tail[0] == dim.name and not x.literal:
            last = self.b.icmp("eq", x, dim.extent - 1)
            full = [self.lane_mask(part, False) or mask(self.lanes, self.lanes) for part in range(self.parts)]
            tail = [self.lane_mask(part, True) or mask(self.lanes, self.lanes) for part in range(self.parts)]
            self.masks = [self.b.select(last, t, f) for t, f in zip(tail, full, strict=True)]

    def lane_mask(self, part: int, tail: bool) -> Val | None:
        """The lanes that exist in one vector of an element's partial sums; None where all do."""
        extent = self.c.lane.extent if self.c.lanes_summed else self.lanes
        if tail and self.c.lane_tail:
            extent = min(extent, self.c.lane_tail[1])
        active = max(0, min(self.lanes, extent - part * self.lanes))
        return None if active == self.lanes else mask(active, self.lanes)

    def finish_folded(self, place: _Place, cells: list[_Cell], accs: list[Val]) -> None:
        """Folds each element's sixteen partial sums, several elements together, and finishes the sums."""
        sums = [self.folded(accs[n : n + self.parts]) for n in range(0, len(accs), self.parts)]
        for first in range(0, len(sums), self.lanes):
            some = sums[first : first + self.lanes]
            for n, total in enumerate(_lane_sums(self.b, some)):
                offsets = {name: x for name, x in cells[(first + n) * self.parts].offsets.items() if name != self.c.lanes}
                self.finish(self.b, place.coords(offsets), total, 1)

    def folded(self, parts: list[Val]) -> Val:
        """One element's partial sums folded into one vector."""
        parts = parts + [const(0.0, self.type)] * (LOGICAL_LANES // self.lanes - len(parts))
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [self.b.fadd(x, y) for x, y in zip(parts[:half], parts[half:], strict=True)]
        return parts[0]


def _value(x: Operand) -> Val:
    return i64(x) if isinstance(x, int) else x


def _lane_sums(b: Builder, vectors: list[Val]) -> list[Val]:
    """Folds the lanes of each vector in halves, s[l] += s[l + half], two vectors in one; returns their scalar sums."""
    count, lanes, width = len(vectors), vectors[0].lanes, vectors[0].lanes
    while width > 1 and lanes > 1:
        half = width // 2
        lower = [first + lane for first in range(0, lanes, width) for lane in range(half)]
        if len(vectors) == 1:
            vectors = [_halves_added(b, vectors[0], vectors[0], lower, half)]
            lanes //= 2
        else:
            other = [x + lanes for x in lower]
            pairs = [(vectors[n], vectors[min(n + 1, len(vectors) - 1)]) for n in range(0, len(vectors), 2)]
            vectors = [_halves_added(b, x, y, lower + (lower if x == y else other), half) for x, y in pairs]
        width = half
    return [b.extract(vectors[0], n) for n in range(count)] if lanes > 1 else vectors


def _halves_added(b: Builder, x: Val, y: Val, lower: list[int], half: int) -> Val:
    """The lower halves of the lane groups of two vectors, plus their upper halves."""
    upper = [lane + half for lane in lower]
    if len(lower) == 1:
        return b.fadd(b.extract(x, lower[0]), b.extract(x, upper[0]))
    return b.fadd(b.shuffle(x, y, lower), b.shuffle(x, y, upper))


def _transposed(b: Builder, rows: list[Val]) -> list[Val]:
    """Vectors of four elements turned into four vectors: element r of vector c is element c of row r."""
    quarter = len(rows) // 4
    gathered = []
    for first in range(4):
        joined = [rows[first + 4 * n] for n in range(quarter)]
        while len(joined) > 1:
            wide = range(2 * joined[0].lanes)
            joined = [b.shuffle(x, y, wide) for x, y in zip(joined[::2], joined[1::2], strict=True)]
        gathered += joined
    lanes = len(rows)
    mixed = [
        b.shuffle(gathered[n], gathered[n + 1], [g + x for g in range(0, lanes, 4) for x in pair])
        for n in (0, 2)
        for pair in ((0, lanes, 1, lanes + 1), (2, lanes + 2, 3, lanes + 3))
    ]
    return [
        b.shuffle(mixed[n], mixed[n + 2], [g + x for g in range(0, lanes, 4) for x in pair])
        for n in (0, 1)
        for pair in ((0, 1, lanes, lanes + 1), (2, 3, lanes + 2, lanes + 3))
    ]
