"""Panels: an operand's part in one block of the sum, copied to the stack so that tiles read it in sequence.

The vector operand's panel has, for each of its vectors along the lanes, the steps of the sum side by side; where its
vectors do not lie in memory, they are gathered or transposed on the way. Of an operand that is the same in all lanes,
elements that are neighbours in memory stay so, in rows that follow one another.

Where the lanes are summed and lie far apart, as the images of a batch do in rows, what a tile reads in a part of the
sum is turned: the elements of the first image's plane, each beside those of the other images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphc.runtime.contraction import TURN
from graphc.runtime.contraction_nest import Nest, Place, Side, value
from graphc.runtime.contraction_terms import Dim
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector


class Panels:
    """The panels of a kernel."""

    def __init__(self, nest: Nest, operands: tuple[Side, ...]) -> None:
        self.nest = nest
        self.buffers = {side.name: self._buffer(side) for side in operands if side.name in nest.plan.packed}

    def _buffer(self, side: Side) -> Side:
        nest, cut = self.nest, self.nest.plan.cut
        spans = {axis.dim.name: axis.span for axis in nest.plan.axes if side.strides[axis.dim.name]}
        sums = {d.name: d.extent for d in nest.c.sums[nest.first_level :]}
        if cut:
            sums[nest.c.sums[cut.level].name] = cut.size
        if side.lane:
            across = spans.pop(nest.c.lanes)
            return nest.stack(side.name, spans | {nest.c.lanes: across} | sums)
        row = self._row(side)
        lines = -(-spans.pop(row) // nest.lanes) | 1  # an odd number, so that the next steps' lie in other sets
        return nest.stack(side.name, sums | spans, row, lines * nest.lanes)

    def _row(self, side: Side) -> str:
        """The output dim along which an operand that is the same in all lanes lies in memory."""
        return next(d.name for d in self.nest.c.outputs if side.strides[d.name] == 1)

    def packed(self, sides: tuple[Side, ...], zero: Mapping[str, Val]) -> tuple[Side, ...]:
        """The sides, those that the plan packs replaced by panels of their part in the block that starts at `zero`."""
        return tuple(self._pack(side, zero) if side.name in self.buffers else side for side in sides)

    def _pack(self, side: Side, zero: Mapping[str, Val]) -> Side:
        nest = self.nest
        panel = nest.shifted(self.buffers[side.name], zero)
        place = Place((side, panel))
        row = "" if side.lane else self._row(side)
        skipped = (row, nest.c.lanes)
        own = [axis for axis in nest.plan.axes if side.strides[axis.dim.name] and axis.dim.name not in skipped]
        first, last = nest.first_level, len(nest.c.sums)

        def rows(place: Place) -> None:
            nest.over_elements(own, place, lambda place: self._copy_row(place, row))

        def vectors(place: Place) -> None:
            nest.over_elements(own, place, lambda place: nest.over_vectors(place, self._copy))

        if row or side.lane == 1:  # what is contiguous innermost
            nest.over_steps(place, rows if row else vectors, first, last)
        else:
            nest.over_elements(own, place, lambda place: nest.over_vectors(place, self._copy_scattered))
        return panel

    def _copy(self, place: Place, active: int) -> None:
        self._store(place, {}, self.nest.load_lanes(place.sides[0], 0, range(active)))

    def _copy_row(self, place: Place, row: str) -> None:
        """Copies the unit's elements along `row`."""
        nest, b = self.nest, self.nest.b
        lo, hi = nest.elements(next(axis for axis in nest.plan.axes if axis.dim.name == row))
        with nest.loop(lo, hi, nest.lanes) as x:
            source, target = nest.at(place, row, x).sides
            left = b.splat(b.convert("trunc", b.sub(value(hi), x), "i32"), nest.lanes)
            on = b.icmp("slt", const_vector(range(nest.lanes), "i32"), left)
            b.store(b.masked_load(source.address, nest.type, on), target.address)  # rows are of whole vectors

    def _copy_scattered(self, place: Place, active: int) -> None:
        """Copies one vector's steps, several at a time where they lie along memory."""
        nest, source = self.nest, place.sides[0]
        first, last = nest.first_level, len(nest.c.sums) - 1
        if last < first or source.strides[nest.c.sums[last].name] != 1 or nest.lanes < TURN:
            nest.over_steps(place, lambda place: self._copy(place, active), first, last + 1)
            return
        dim = nest.c.sums[last]

        def turned(place: Place) -> None:
            for start, stop, step in nest.stretches(nest.sum_span(last), dim.extent, TURN):
                with nest.loop(start, stop, step) as x:
                    self._copy_turned(nest.at(place, dim.name, x), dim, step, active)

        nest.over_steps(place, turned, first, last)

    def _copy_turned(self, place: Place, dim: Dim, count: int, active: int) -> None:
        """Copies up to TURN steps of a summed dim that lies along memory."""
        for n, turned in enumerate(turned_steps(self.nest, place.sides[0], 0, active, count)):
            self._store(place, {dim.name: n}, turned)

    def _store(self, place: Place, step: Mapping[str, int], loaded: Val) -> None:
        source, target = place.sides
        if source.transform:
            loaded = source.transform(self.nest.b, place.coords(step), loaded)
        self.nest.b.store(loaded, self.nest.address(target, target.offset(step)))


class Turned:
    """The operands' parts that have their lanes side by side; none where they lie so already."""

    def __init__(self, nest: Nest) -> None:
        self.nest, self.regions = nest, nest.c.turned
        self._buffers = {x: nest.b.alloca(nest.element, len(r) * nest.lanes) for x, r in self.regions.items()}

    def __bool__(self) -> bool:
        return bool(self.regions)

    def at(self, place: Place) -> Place:
        """The place with its operands turned, from where the sum stands: at one step of those that are outside."""
        return replace(place, sides=tuple(self._turn(side, place) for side in place.sides))

    def _turn(self, side: Side, place: Place) -> Side:
        nest, c, region, buffer = self.nest, self.nest.c, self.regions[side.name], self._buffers[side.name]
        within = [d.name for d in (*c.m, *c.n, *c.sums[c.outside :])]
        source, target = side, Side(
            side.name, nest.b.gep(buffer, -region.start * nest.lanes, nest.element),
            {name: side.strides[name] * nest.lanes for name in within}, 1,
        )  # fmt: skip
        for name in within:
            if name in place.base:
                source = nest.moved(source, name, place.base[name], -1)
                target = nest.moved(target, name, place.base[name])
        first, whole = nest.address(source, region.start), len(region) // nest.lanes * nest.lanes
        with nest.loop(0, whole, nest.lanes) as x:
            self._turn_block(side, first, buffer, x)
        if whole < len(region):  # the last ones once more with those before them, so that there are as many
            self._turn_block(side, first, buffer, i64(len(region) - nest.lanes))
        return target

    def _turn_block(self, side: Side, first: Val, buffer: Val, x: Val) -> None:
        nest, b = self.nest, self.nest.b
        corner = b.gep(first, x, nest.element)
        rows = [b.load(b.gep(corner, lane * side.lane, nest.element), nest.type) for lane in range(nest.lanes)]
        to = b.gep(buffer, b.mul(x, nest.lanes), nest.element)
        for n, turned in enumerate(b.transpose(rows)):
            b.store(turned, b.gep(to, n * nest.lanes, nest.element))


def turned_steps(nest: Nest, side: Side, offset: int, active: int, count: int) -> list[Val]:
    """The vectors of up to TURN steps that lie along memory: of the first `active` lanes, the others are 0.0."""
    b, piece = nest.b, vector(nest.element, TURN)
    rows = [const(0.0, piece)] * nest.lanes
    for lane in range(active):
        address = nest.address(side, offset + lane * side.lane)
        rows[lane] = b.load(address, piece) if count == TURN else b.masked_load(address, piece, mask(count, TURN))
    return transposed(b, rows)[:count]


def transposed(b: Builder, rows: list[Val]) -> list[Val]:
    """Vectors of four elements turned into four vectors: element r of vector c is element c of row r."""
    lanes, gathered = len(rows), []
    for first in range(4):
        joined = rows[first::4]
        while len(joined) > 1:
            wide = range(2 * joined[0].lanes)
            joined = [b.shuffle(x, y, wide) for x, y in zip(joined[::2], joined[1::2], strict=True)]
        gathered += joined

    def paired(x: Val, y: Val, pick: tuple[int, ...]) -> Val:
        """Four lanes of two vectors, in every group of four."""
        return b.shuffle(x, y, [group + lane for group in range(0, lanes, 4) for lane in pick])

    low, high = (0, lanes, 1, lanes + 1), (2, lanes + 2, 3, lanes + 3)
    mixed = [paired(gathered[n], gathered[n + 1], pick) for n in (0, 2) for pick in (low, high)]
    left, right = (0, 1, lanes, lanes + 1), (2, 3, lanes + 2, lanes + 3)
    return [paired(mixed[n], mixed[n + 2], pick) for n in (0, 1) for pick in (left, right)]
