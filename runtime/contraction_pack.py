"""Panels: an operand's part in one block of the sum, copied to the stack so that tiles read it in sequence.

The vector operand's panel has, for each of its vectors along the lanes, the steps of the sum side by side; where its
vectors do not lie in memory, they are gathered or transposed on the way. Of an operand that is the same in all lanes,
elements that are neighbours in memory stay so, in rows that follow one another.

Where the lanes lie far apart in both operands, as the images of a batch or the channels do in rows, what a tile reads
is turned while the sum goes on: the elements of the first lane's plane, each beside those of the other lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphc.arrays import LINE
from graphc.runtime.contraction_nest import Nest, Place, Side, value
from graphc.runtime.contraction_plan import ROW, SQUARE, TURN
from graphc.runtime.contraction_terms import LOGICAL_LANES, Dim, Stream
from graphc.runtime.llvmtext import SIZEOF, Val, const, const_vector, i64, mask, vector
from graphc.runtime.twos import HALF


class Panels:
    """The panels of a kernel."""

    def __init__(self, nest: Nest, operands: tuple[Side, ...]) -> None:
        self.nest = nest
        self.buffers = {side.name: self._buffer(side) for side in operands if side.name in nest.plan.packed}

    def _buffer(self, side: Side) -> Side:
        nest, cut = self.nest, self.nest.plan.cut
        spans = {axis.dim.name: axis.span for axis in nest.plan.axes if axis.dim.stride(side.name)}
        sums = {d.name: d.extent for d in nest.c.sums[nest.first_level :]}
        if cut:
            sums[nest.c.sums[cut.level].name] = cut.size
        if nest.plan.runs and side.lane:
            vectors = spans.pop(ROW) + 1  # what the last run's last vector holds besides lies there
            return replace(nest.of_runs(nest.stack(side.name, spans | sums, ROW, (vectors | 1) * nest.lanes)), lane=1)
        if side.lane:
            across = spans.pop(nest.c.lanes)
            return nest.stack(side.name, spans | {nest.c.lanes: across} | sums)
        row = self._row(side)
        lines = -(-spans.pop(row) // nest.lanes) | 1  # an odd number, so that the next steps' lie in other sets
        return nest.stack(side.name, sums | spans, row, lines * nest.lanes)

    def _row(self, side: Side) -> str:
        """The output dim along which an operand that is the same in all lanes lies in memory."""
        return next(d.name for d in self.nest.c.outputs if d.stride(side.name) == 1)

    def packed(self, sides: tuple[Side, ...], zero: Mapping[str, Val]) -> tuple[Side, ...]:
        """The sides, those that the plan packs replaced by panels of their part in the block that starts at `zero`."""
        return tuple(self._pack(side, zero) if side.name in self.buffers else side for side in sides)

    def _pack(self, side: Side, zero: Mapping[str, Val]) -> Side:
        nest = self.nest
        panel = nest.shifted(self.buffers[side.name], zero)
        place = Place((side, panel))
        row = "" if side.lane else self._row(side)
        skipped = (row, nest.c.lanes)
        own = [axis for axis in nest.plan.axes if axis.dim.name not in skipped and side.strides[axis.dim.name]]
        first, last = nest.first_level, len(nest.c.sums)

        def rows(place: Place) -> None:
            nest.over_elements(own, place, lambda place: self._copy_row(place, row))

        def vectors(place: Place) -> None:
            nest.over_elements(own, place, lambda place: nest.over_vectors(place, self._copy))

        if nest.plan.runs and side.lane:
            nest.over_elements(own, place, self._copy_runs)
        elif row or side.along:  # what is contiguous innermost
            nest.over_steps(place, rows if row else vectors, first, last)
        else:
            nest.over_elements(own, place, lambda place: nest.over_vectors(place, self._copy_scattered))
        return panel

    def _copy_runs(self, place: Place) -> None:
        """Copies runs side by side, one after the other: what a run's last vector holds besides is the next one's."""
        nest = self.nest
        first, last, runs = nest.first_level, len(nest.c.sums), nest.plan.runs

        def steps(place: Place) -> None:
            nest.over_steps(place, lambda place: nest.over_runs(runs[1:], place, self._copy), first, last)

        with nest.loop(0, runs[0].extent) as x:
            steps(nest.at(place, runs[0].name, x))

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
            b.store(nest.load_row(source, 0, on), target.address)  # rows are of whole vectors

    def _copy_scattered(self, place: Place, active: int) -> None:
        """Copies one vector's steps, several at a time where they lie along memory."""
        nest, source = self.nest, place.sides[0]
        first, last = nest.first_level, len(nest.c.sums) - 1
        if last < first or nest.c.sums[last].stride(source.name) != 1 or nest.lanes < TURN:
            nest.over_steps(place, lambda place: self._copy(place, active), first, last + 1)
            return
        dim = nest.c.sums[last]

        def turned(place: Place) -> None:
            for span, extent in nest.by_words(nest.sum_span(last), last):
                for start, stop, step in nest.stretches(span, extent, 1 if nest.lone else nest.plan.at_once):
                    with nest.loop(start, stop, step) as x:
                        self._copy_turned(nest.at(place, dim.name, x), dim, step, active)

        nest.over_steps(place, turned, first, last)

    def _copy_turned(self, place: Place, dim: Dim, count: int, active: int) -> None:
        """Copies some steps of a summed dim that lies along memory."""
        for n, turned in enumerate(turned_steps(self.nest, place.sides[0], 0, active, count)):
            self._store(place, {dim.name: n}, turned)

    def _store(self, place: Place, step: Mapping[str, int], loaded: Val) -> None:
        source, target = place.sides
        if source.transform:
            loaded = source.transform(self.nest.b, place.coords(step), loaded)
        self.nest.b.store(loaded, self.nest.address(target, target.offset(step)))


KEPT = 256
"""Elements of each lane that are kept turned at least: sixteen lanes of them are half of the first-level cache."""

AHEAD, NEXT = 128, 1024
"""Elements from what is turned to what is fetched, and how many of a lane at once: long runs come faster. Of channels
that are no further apart than NEXT those of the next tile are fetched, which follow in memory."""


class Turned:
    """Operands that have their lanes side by side; none where they lie so already.

    They are turned in squares, as far as the next step of the sum's outermost dim within the lanes reads, into a buffer
    for some of these steps; what is still needed when it is full is moved to its beginning. An operand that the plan
    `turns` is none of them.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.streams = {x: stream for x, stream in nest.c.turned.items() if x != nest.plan.turns}
        self._by_steps = len(nest.c.sums) - nest.c.outside > 1
        self._room = {x: self._room_for(stream) for x, stream in self.streams.items()}
        self._buffers = {x: nest.b.alloca(nest.element, room * nest.lanes) for x, room in self._room.items()}
        self._done = {x: nest.b.alloca("i64", 1) for x in self.streams}  # how many elements are turned
        self._moved = {x: nest.b.alloca("i64", 1) for x in self.streams}  # and how many of them are forgotten
        self._sources: dict[str, Side] = {}
        self._active = nest.lanes

    def __bool__(self) -> bool:
        return bool(self.nest.c.turned)

    def _room_for(self, stream: Stream) -> int:
        """In elements of each lane, whole squares: for a few steps, where that is not much."""
        lanes, size = self.nest.lanes, len(stream.region)
        few = min(stream.window + 4 * stream.step, 8 * KEPT)
        most = max(KEPT, few, stream.window + stream.step) + 2 * LOGICAL_LANES
        return -(-min(size, most if self._by_steps else size) // lanes) * lanes

    def at(self, place: Place) -> Place:
        """The place before the first step."""
        nest, c, b = self.nest, self.nest.c, self.nest.b
        self._active = nest.lanes if c.lanes_summed else min(place.groups[c.lanes].size, nest.lanes)
        within = [d.name for d in (*c.m, *c.n, *c.sums[c.outside + self._by_steps :])]
        sides = []
        for side in place.sides:
            if side.name in self.streams:
                start = self.streams[side.name].region.start
                source, target = side, Side(
                    side.name, self._buffers[side.name], {name: side.strides[name] * nest.lanes for name in within}, 1,
                    padded=True,
                )  # fmt: skip
                for name in within:
                    if name in place.base:
                        source = nest.moved(source, name, place.base[name], -1)
                        target = nest.moved(target, name, place.base[name])
                self._sources[side.name] = replace(source, address=nest.address(source, start))
                b.store(i64(0), self._done[side.name])
                b.store(i64(0), self._moved[side.name])
                if not self._by_steps:
                    self._turn(side.name, i64(len(self.streams[side.name].region)))
                    target = replace(target, address=nest.address(target, -start * nest.lanes))
                side = target
            sides.append(side)
        return replace(place, sides=tuple(sides))

    def step(self, place: Place, x: Val) -> Place:
        """The place at a step, what it reads being turned."""
        if not self._by_steps:
            return place
        nest, b, sides = self.nest, self.nest.b, []
        for side in place.sides:
            if side.name in self.streams:
                stream, size = self.streams[side.name], len(self.streams[side.name].region)
                first = b.sub(b.mul(x, stream.step), stream.region.start)
                until = nest.least(b.add(first, stream.window), size)
                if self._room[side.name] < size:
                    self._move(side.name, nest.most(first, 0), until)
                self._turn(side.name, until)
                at = b.sub(first, b.load(self._moved[side.name], "i64"))
                side = replace(side, address=nest.address(side, b.mul(at, nest.lanes)))
            sides.append(side)
        return replace(place, sides=tuple(sides))

    def _move(self, name: str, first: Val, until: Val) -> None:
        """Makes room up to an element, if there is none, by forgetting those before `first`."""
        nest, b, lanes = self.nest, self.nest.b, self.nest.lanes
        moved = b.load(self._moved[name], "i64")
        with b.when(b.icmp("sgt", b.sub(until, moved), self._room[name] - lanes)):
            done = nest.most(b.load(self._done[name], "i64"), b.mul(b.int_op("udiv", first, lanes), lanes))
            first = nest.least(first, done)  # where steps skip rows, not so much is turned yet
            source = b.gep(self._buffers[name], b.mul(b.sub(first, moved), lanes), nest.element)
            with b.loop(0, b.mul(b.sub(done, first), lanes), lanes) as x:
                kept = b.load(b.gep(source, x, nest.element), nest.type)
                b.store(kept, b.gep(self._buffers[name], x, nest.element))
            b.store(first, self._moved[name])
            b.store(done, self._done[name])

    def _turn(self, name: str, until: Val) -> None:
        """Turns the squares that are missing up to an element."""
        nest, b, lanes = self.nest, self.nest.b, self.nest.lanes
        size, done = len(self.streams[name].region), self._done[name]
        whole, start = size // lanes * lanes, b.load(done, "i64")
        with b.loop(start, nest.least(until, whole), lanes) as x:
            self._turn_square(name, x, lanes)
            b.store(b.add(x, lanes), done)
        if whole < size:
            with b.when(b.int_op("and", b.icmp("sgt", until, whole), b.icmp("sle", start, whole))):
                self._turn_square(name, i64(whole), size - whole)
                b.store(i64(size + lanes), done)

    def _turn_square(self, name: str, x: Val, count: int) -> None:
        nest, b, source = self.nest, self.nest.b, self._sources[name]
        corner, rows = b.gep(source.address, x, nest.element), [const(0.0, nest.type)] * nest.lanes
        for lane in range(self._active):
            address = b.gep(corner, lane * source.lane, nest.element)
            on = None if count == nest.lanes else mask(count, nest.lanes)
            rows[lane] = b.load(address, nest.type) if on is None else b.masked_load(address, nest.type, on)
        fetch(nest, source, b.gep(source.address, x, nest.element), x, nest.lanes)
        to = b.gep(self._buffers[name], b.mul(b.sub(x, b.load(self._moved[name], "i64")), nest.lanes), nest.element)
        for n, turned in enumerate(b.transpose(rows)[:count]):
            b.store(turned, b.gep(to, n * nest.lanes, nest.element))


def fetch(nest: Nest, side: Side, corner: Val, x: Val, count: int) -> None:
    """Fetches `count` elements of every lane, which will be turned later, to the second-level cache.

    Args:
        corner: where the first of those elements lies that are turned now, the element `x` of its lane.
    """
    b, lanes = nest.b, nest.lanes
    if not nest.c.lanes_summed and side.lane <= NEXT:
        corner = b.gep(corner, b.add(b.mul(x, lanes - 1), lanes * side.lane), nest.element)
        for further in range(0, count * lanes, LINE // SIZEOF[nest.element]):
            b.prefetch(b.gep(corner, further, nest.element), near=False)
        return
    into = b.int_op("and", x, AHEAD - 1)  # the next run of some of the lanes
    some = max(count * lanes // AHEAD, 1)
    first = b.mul(b.int_op("udiv", into, AHEAD * some // lanes), some)
    first = b.int_op("and", first, lanes - 1)
    corner = b.gep(corner, b.sub(i64(AHEAD), into), nest.element)
    for n in range(some):
        line = b.gep(corner, b.mul(b.add(first, n), side.lane), nest.element)
        for further in range(0, AHEAD, LINE // SIZEOF[nest.element]):
            b.prefetch(b.gep(line, further, nest.element), near=False)


def turned_steps(nest: Nest, side: Side, offset: int, active: int, count: int) -> list[Val]:
    """The vectors of up to as many steps as lanes, along memory: of the first `active` lanes, the others are 0.0."""
    wide = next(size for size in (TURN, SQUARE, nest.lanes) if count <= size or size == nest.lanes)
    b, piece = nest.b, vector(nest.element, wide)
    if nest.lone:
        return [nest.load_lanes(side, offset, range(active))]
    align = None if side.two is None else SIZEOF[HALF]
    rows = [const(0.0, piece)] * nest.lanes
    for lane in range(active):
        address = nest.address(side, offset + lane * side.lane)
        some = None if count == wide else mask(count, wide)
        rows[lane] = b.load(address, piece, align) if some is None else b.masked_load(address, piece, some, align)
    return b.transpose(rows)[:count]
