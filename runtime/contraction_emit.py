"""Writes the kernel of a contraction: what a unit of work does, tile by tile.

For each register tile the sum runs with one vector accumulator per cell, then `finish` takes the cells one by one.
Where the sum is cut into blocks, raw accumulators wait in a buffer on the stack between them. Where the lanes are
summed, the sixteen partial sums of each cell are folded, several cells together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product
from math import prod

from graphc.arrays import LINE
from graphc.runtime import twos
from graphc.runtime.contraction import plan
from graphc.runtime.contraction_masked import Blanks, any_of, may_skip
from graphc.runtime.contraction_nest import Nest, Place, Side, Span
from graphc.runtime.contraction_pack import Panels, Turned, fetch, turned_steps
from graphc.runtime.contraction_plan import FAR, SHORT_SUM, Plan
from graphc.runtime.contraction_terms import LOGICAL_LANES, Contraction, Dim, Inside
from graphc.runtime.llvmtext import SIZEOF, Builder, Operand, Val, const, const_vector, i64, mask

Finish = Callable[[Builder, dict[str, tuple[Val, int]], Val, int, str], None]
"""`finish(b, coords, acc, active, across)`: writes what becomes of one accumulator.

`coords[name]` is the coordinate of every output dim as (i64 value, constant); along the lanes it is that of lane 0.
`acc` holds one element per lane, of which the first `active` exist, or is a scalar where the lanes were summed. The dim
that lies `across` the lanes is the contraction's, or that along which results lie where they are turned.
It may open blocks. It runs once for each element of the result, and is written once for each place that has one ready.
"""

Fetch = Callable[[Builder, dict[str, tuple[Val, int]], bool], None]
"""`fetch(b, coords, near)`: has brought what `finish` will read and write there, while the sum of a tile runs; near, or
as far as the second-level cache, where accumulators wait for each other.

A store to a line that is not there waits for it, and only so many stores can wait. So can only so many lines be on
their way: the sum fetches those of a few rows at a time, or its own loads would wait behind them.
"""

Taken = Callable[[Builder, dict[str, tuple[Val, int]], int, int], Val]
"""`taken(b, coords, active, lanes)`: whether `finish` takes an accumulator there of any of the lanes."""

LONG_SUM, LONG_EPILOGUE = 512, 8
"""Steps from which storing a tile costs nothing beside them: its epilogue is then written once, in a loop. It is from
fewer on where the epilogue takes longer by itself, by so many operations."""

LONGEST_EPILOGUE = 128
"""Operations from which an epilogue is written once whatever the sum: a tile has up to 24 places for it."""


def emit(
    b: Builder, c: Contraction, target_lanes: int, a: Val, bp: Val, finish: Finish, begin: Val, end: Val,
    fetch: Fetch | None = None, operations: int = 0, by_rows: bool = False, taken: Taken | None = None,
) -> None:
    """Writes the units `begin <= u < end` of a contraction, of `units(c, target_lanes)`, at the builder's place.

    Args:
        b: inside the function that is the kernel; buffers on the stack (at most 1 MB) go to its entry block.
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
        a, bp: addresses of the operands' elements at coordinate zero.
        finish: writes the epilogue of an accumulator.
        begin, end: i64.
        fetch: where the epilogue's memory is far away.
        operations: of the epilogue of an accumulator.
        by_rows: whether a tile's accumulators are finished one row after the other, as rows lie pages apart.
        taken: where a mask leaves out results: a tile of which none is taken is not summed.
    """
    _Kernel(b, plan(c, target_lanes), a, bp, finish, fetch, operations, by_rows, taken).run(begin, end)


@dataclass(frozen=True)
class _Cell:
    """One accumulator of a tile: constant offsets from the tile's corner, and how many of its lanes exist."""

    offsets: Mapping[str, int]
    active: int


class _Kernel:
    """Writes one contraction into one function."""

    def __init__(
        self, b: Builder, chosen: Plan, a: Val, bp: Val, finish: Finish, fetch: Fetch | None, operations: int,
        by_rows: bool, taken: Taken | None,
    ) -> None:  # fmt: skip
        self.b, self.plan, self.finish, self.by_rows, self.taken = b, chosen, finish, by_rows, taken
        self.nest = Nest(b, chosen)
        c = self.c = chosen.contraction
        self.lanes, self.type = self.nest.lanes, self.nest.type
        dims = (*(d for d in c.outputs if d is not c.lane or not chosen.runs), *chosen.runs, *c.k)
        lane = chosen.runs[-1] if chosen.runs else c.lane
        self.across = lane.name
        if c.halves:
            dims, lane = c.halves.outputs + c.halves.k, c.halves.lane
        self.operands = tuple(
            Side(x, address, {d.name: d.stride(x) for d in dims}, lane.stride(x), c.transform(x), two=c.two(x))
            for x, address in (("a", a), ("b", bp))
        )
        self.panels, self.turned = Panels(self.nest, self.operands), Turned(self.nest)
        self.blanks = Blanks(self.nest) if may_skip(chosen) else None
        spans = {axis.dim.name: axis.span for axis in chosen.axes if axis.lanes == 1}
        spans |= {axis.dim.name: axis.span for axis in chosen.axes if axis.lanes > 1}
        self.waiting = self.nest.stack("waiting", spans) if chosen.cut else None
        self.in_one = bool(chosen.cut and chosen.cut.level == 0 and chosen.cut.size >= c.sums[0].extent)
        self.square = b.alloca(c.element, self.lanes**2) if chosen.turns_results else None
        if self.waiting and chosen.runs:
            self.waiting = replace(self.nest.of_runs(self.waiting), padded=False)
        cells = prod(-(-axis.groups[0].size // axis.lanes) for axis in chosen.axes)
        self.once = chosen.steps >= LONG_SUM or operations >= LONGEST_EPILOGUE
        long = self.once or chosen.steps * (1 + operations // LONG_EPILOGUE) >= LONG_SUM
        self.staged = c.lanes_summed or (long and not chosen.cut)
        fetched = SHORT_SUM <= chosen.steps < LONG_SUM and not (c.lanes_summed or chosen.cut)
        self.fetch = fetch if fetched else None
        later = chosen.cut and chosen.cut.level == 0 and not (self.in_one or chosen.runs or chosen.turns_results)
        rows = any(axis.lanes == 1 for axis in chosen.axes)  # without any all is fetched at once, or nothing
        self.fetch_later, self.last_block = fetch if later and rows else None, const(0, "i1")
        trips = {n: d.extent // window for n, (d, window) in enumerate(zip(c.sums, chosen.window, strict=True))}
        always = [n for n, d in enumerate(c.sums) if trips[n] > 1 and not c.condition(d.name)]
        self.longest = max(always or trips, key=trips.__getitem__, default=0)  # loop of the sum, and its trips
        self.trips = trips.get(self.longest, 1) if rows else 1
        self.stage = b.alloca(c.element, cells * max(self.lanes, LOGICAL_LANES)) if self.staged else None
        self.on: Val | None = None  # the lanes that exist, where they are summed; None where all do

    def run(self, begin: Val, end: Val) -> None:
        with self.b.loop(begin, end) as u:
            corner = self.nest.locate(u)
            if self.waiting:
                self.in_blocks(Place((*self.operands, self.nest.shifted(self.waiting, corner))), corner)
            else:
                self.look(corner)
                self.nest.over_tiles(self.plan.axes, Place(self.panels.packed(self.operands, corner)), self.tile)

    def look(self, corner: Mapping[str, Val]) -> None:
        """Finds what a mask leaves out of the unit's next tiles."""
        if self.blanks:
            self.blanks.look(self.operands, corner)

    # Blocks of the sum

    def in_blocks(self, place: Place, corner: Mapping[str, Val]) -> None:
        """Runs the blocks in the order of the sum; raw accumulators wait in memory in between, and at the end."""
        nest, cut, waiting = self.nest, self.plan.cut, self.waiting
        assert cut and waiting
        dim = self.c.sums[cut.level]
        if not self.in_one:
            with nest.loop(0, self.lanes * prod(axis.span for axis in self.plan.axes), self.lanes) as x:
                self.b.store(const(0.0, self.type), nest.address(waiting, x))

        def block(place: Place) -> None:
            with nest.loop(0, dim.extent, cut.size) as x:
                end = self.b.add(x, cut.size)
                nest.block = (x, end if dim.extent % cut.size == 0 else nest.least(end, dim.extent))
                self.last_block = self.b.icmp("sge", end, dim.extent)
                self.look(corner)
                zero = {**corner, **place.base, dim.name: x}
                nest.over_tiles(self.plan.axes, replace(place, sides=self.panels.packed(place.sides, zero)), self.tile)

        if self.in_one:
            nest.block = (0, dim.extent)
            self.look(corner)
            packed = self.panels.packed(place.sides, {**corner, **place.base, dim.name: i64(0)})
            nest.over_tiles(self.plan.axes, replace(place, sides=packed), self.tile)
        else:
            nest.over_steps(place, block, 0, cut.level)
        self.finish_waiting(Place(place.sides[-1:]))

    def finish_waiting(self, place: Place) -> None:
        """Finishes the unit's accumulators."""
        nest, apart = self.nest, {self.c.lanes}
        finish = self.finish_vector
        if self.plan.turns_results:
            apart.add(self.c.along)
            finish = self.finish_turned
        others = [axis for axis in self.plan.axes if axis.dim.name not in apart]
        nest.over_elements(others, place, lambda place: nest.over_vectors(place, finish))

    def finish_vector(self, place: Place, active: int) -> None:
        acc = self.nest.load_lanes(place.sides[0], 0, range(active))
        self.finish(self.b, self.nest.coordinates(place), acc, active, self.across)

    def finish_turned(self, place: Place, active: int) -> None:
        """Turns vectors of results into vectors along the dim in which they lie in memory, and finishes those."""
        b, nest, along, square = self.b, self.nest, self.c.along, self.square
        assert square
        axis = next(axis for axis in self.plan.axes if axis.dim.name == along)
        for start, stop, step in nest.stretches(nest.elements(axis), axis.dim.extent, self.lanes):
            with nest.loop(start, stop, step) as x:
                here = nest.at(place, along, x)
                side = here.sides[0]
                rows = [b.load(nest.address(side, side.strides[along] * n), self.type) for n in range(step)]
                columns = b.transpose([*rows, *[const(0.0, self.type)] * (self.lanes - step)])
                for n, column in enumerate(columns[:active]):
                    b.store(column, nest.address(replace(side, address=square), n * self.lanes))
                with nest.loop(0, active) as lane:
                    acc = b.load(b.gep(square, b.mul(lane, self.lanes), nest.element), self.type)
                    coords = here.coords({}) | {self.c.lanes: (b.add(here.base[self.c.lanes], lane), 0)}
                    self.finish(b, coords, acc, step, along)

    # Tiles

    def tile(self, place: Place) -> None:
        """One tile: its accumulators run through the sum, or a block of it, and are finished or put back."""
        b, cells = self.b, self.cells(place)
        accs = [const(0.0, self.type)] * len(cells)
        if self.waiting:
            waiting = place.sides[-1]
            places = [self.nest.address(waiting, waiting.offset(cell.offsets)) for cell in cells]
            if not self.in_one:
                accs = [b.load(address, self.type) for address in places]
            accs = self.chains(self.nest.first_level, place, cells, accs)
            for address, acc in zip(places, accs, strict=True):
                b.store(acc, address)
        elif self.c.lanes_summed:
            self.finish_summed(place, cells, accs)
        else:
            if self.fetch and self.trips == 1:
                for cell in cells:
                    self.fetch(b, place.coords(cell.offsets), True)
            accs = self.summed(place, cells, accs)
            if self.stage:
                for n, acc in enumerate(accs):
                    b.store(acc, b.gep(self.stage, n * self.lanes, self.nest.element))
                self.finish_stage(place, self.stage)
                return
            for n in self.row_by_row(cells) if self.by_rows else range(len(cells)):
                self.finish(b, place.coords(cells[n].offsets), accs[n], cells[n].active, self.across)

    def summed(self, place: Place, cells: list[_Cell], accs: list[Val]) -> list[Val]:
        """The sums of a tile, if any of them is taken."""
        if self.taken is None:
            return self.chains(0, place, cells, accs)
        asked = [self.taken(self.b, place.coords(cell.offsets), cell.active, self.lanes) for cell in cells]
        some = any_of(self.b, asked)
        with self.b.loop_carrying(0, self.b.convert("zext", some, "i64"), accs) as (_, carried, out):
            out[:] = self.chains(0, place, cells, carried)
        return out

    def cells(self, place: Place) -> list[_Cell]:
        """The accumulators of a tile, in the order of the axes."""
        sizes = [(axis.dim.name, place.groups[axis.dim.name].size, axis.lanes) for axis in self.plan.axes]
        choices = [[(name, x, min(step, size - x)) for x in range(0, size, step)] for name, size, step in sizes]
        active = [{name: n for name, _, n in cell}.get(self.c.lanes, self.lanes) for cell in product(*choices)]
        return [_Cell({name: x for name, x, _ in cell}, n) for cell, n in zip(product(*choices), active, strict=True)]

    def row_by_row(self, cells: list[_Cell]) -> list[int]:
        """The accumulators in another order: those along the lanes one after the other.

        Where rows are whole pages apart, a load of the next row would take the store just before for one to its place.
        """
        across = [[x for name, x in cell.offsets.items() if name != self.c.lanes] for cell in cells]
        return sorted(range(len(cells)), key=across.__getitem__)

    def finish_stage(self, place: Place, address: Val) -> None:
        """Finishes a tile's accumulators, stored in the order of the axes."""
        c, size = self.c, 1 if self.c.lanes_summed else self.lanes
        strides: dict[str, int] = {}
        for axis in reversed(self.plan.axes):
            strides[axis.dim.name] = size // axis.lanes
            size *= -(-place.groups[axis.dim.name].size // axis.lanes)
        acc_type = c.element if c.lanes_summed else self.type

        def over(axes: Sequence[str], at: Place, active: int) -> None:
            if not axes:
                coords = {name: (self.b.add(x, at.base[name]), 0) for name, x in place.base.items()}
                self.finish(self.b, coords, self.b.load(at.sides[0].address, acc_type), active, self.across)
                return
            size, lanes = place.groups[axes[0]].size, axes[0] == c.lanes
            if lanes and not self.once:  # addresses are worked out once for its vectors
                for first in range(0, size, self.lanes):
                    over(axes[1:], self.nest.at(at, c.lanes, i64(first)), min(self.lanes, size - first))
                return
            for start, stop, step in self.nest.stretches((0, size), size, self.lanes if lanes else 1):
                with self.nest.loop(start, stop, step) as x:
                    over(axes[1:], self.nest.at(at, axes[0], x), step if lanes else active)

        order = sorted([axis.dim.name for axis in self.plan.axes], key=c.lanes.__eq__)
        over(order, Place((Side("stage", address, strides, 1),)), 1)

    # The sum

    def chains(self, level: int, place: Place, cells: list[_Cell], accs: list[Val]) -> list[Val]:
        """Runs the summed dims from `level` on; returns the accumulators after them."""
        sums, window = self.c.sums, self.plan.window
        if self.turned and level == self.c.outside:
            place = self.turned.at(place)
        spans = [self.nest.sum_span(n) for n in range(level, len(sums))]
        whole = all(span == (0, w) for span, w in zip(spans, window[level:], strict=True))
        by_words = self.c.odd and any(side.two is not None for side in place.sides[:2])
        whole = whole and not by_words
        if whole and all(self.known(d, place) for d in sums[level:]) and not (self.turned and level <= self.c.outside):
            return self.steps(place, cells, accs, window[level:])
        dim, accs = sums[level], list(accs)
        parts = self.nest.by_words(spans[0], level) if by_words else [(spans[0], dim.extent)]
        for extent, (span, live) in ((n, run) for part, n in parts for run in self.runs(dim, part, place, cells)):
            some, at_once = [cells[n] for n in live], 1 if self.nest.lone else window[level]

            def body(x: Val, accs: list[Val], step: int, some: list[_Cell] = some) -> list[Val]:
                here = self.nest.at(place, dim.name, x)
                self.enter(dim, here)
                if self.fetch and self.trips > 1 and level == self.longest and not x.literal:
                    self.fetch_some(here, x, window[level], some)
                if self.turned and level == self.c.outside:
                    here = self.turned.step(here, x)
                if window[level] == 1 and not self.nest.lone:
                    return self.chains(level + 1, here, some, accs)
                return self.steps(here, some, accs, (step, *window[level + 1 :]))

            for start, stop, step in self.nest.stretches(span, extent, at_once):
                out = [accs[n] for n in live]
                if isinstance(start, int) and isinstance(stop, int) and stop - start <= step:
                    out = body(i64(start), out, step)
                elif self.blanks:
                    out = self.skipping(self.blanks, place, (start, stop, step), out, body)
                elif self.fetch_later and level == 0:
                    out = self.fetching(place, some, (start, stop, step), out, body)
                else:
                    with self.b.loop_carrying(start, stop, out, step) as (x, carried, out):
                        out[:] = body(x, carried, step)
                for n, acc in zip(live, out, strict=True):
                    accs[n] = acc
        return accs

    def steps(self, place: Place, cells: list[_Cell], accs: list[Val], window: Sequence[int]) -> list[Val]:
        """The unrolled indices of the innermost summed dims; what several steps read is loaded once."""
        names = [d.name for d in self.c.sums[len(self.c.sums) - len(window) :]]
        loaded: dict[tuple[str, int, range], Val] = {}
        accs = list(accs)
        sides = place.sides[:2]
        corners = [[side.offset(cell.offsets) for cell in cells] for side in sides]
        streamed = corners["ab".index(self.plan.streamed)]
        order = sorted(range(len(cells)), key=streamed.__getitem__)
        conditions = [x for x in self.c.inside if self.decided(x, place)]
        steps = [dict(zip(names, index, strict=True)) for index in product(*(range(w) for w in window))]
        moves = [[side.offset(step) for step in steps] for side in sides]
        if self.plan.rows_ahead and names:
            self.fetch_rows(place, self.plan.rows_ahead, names[-1], window[-1])
        if self.plan.beside_ahead:
            self.fetch_beside(place, self.plan.beside_ahead, moves["ab".index(self.c.scalars)])
        existing: dict[tuple[int, ...], range] = {}  # by the step, and what the conditions ask of a cell
        for at, n in self.ordered(corners, moves, steps, order):
            step, last = steps[at], steps[at][names[-1]] if names else 0
            if self.plan.turns and n == order[0] and last % self.plan.at_once == 0:
                self.turn(place, cells, step, names[-1], min(self.plan.at_once, window[-1] - last), loaded)
            asked = (at, cells[n].active, *[cells[n].offsets.get(x.output, 0) for x in conditions])
            if asked not in existing:
                existing[asked] = self.there(conditions, place, cells[n], step)
            if there := existing[asked]:
                x, y = (
                    self.term(side, place, cells[n], there, step, corner[n] + move[at], loaded)
                    for side, corner, move in zip(sides, corners, moves, strict=True)
                )
                total = (twos.multiply if self.c.halves else Builder.fma)(self.b, x, y, accs[n])
                partial = len(there) < cells[n].active
                accs[n] = self.b.select(self.nest.mask(there), total, accs[n]) if partial else total
        return accs

    def fetch_rows(self, place: Place, along: str, step: str, count: int) -> None:
        """Fetches what the next tile's rows read at these steps: a line of one after the other, while this one's last.

        Args:
            along: the output dim of the rows.
            step: the summed dim along which they lie, of which the body holds `count` indices.
        """
        b, x = self.b, place.base.get(step)
        if x is None or x.literal:
            return
        side = next(side for side in place.sides if side.name == self.c.scalars)
        rows, apart = place.groups[along].size, side.strides[along]
        line = min(LINE // SIZEOF[self.c.element], self.c.sums[-1].extent)
        first, each = self.in_turn(rows, x, count, max(1, line // count))  # bodies for which it lasts
        at = self.nest.address(side, b.mul(first, apart))
        for n in range(each):
            b.prefetch(self.nest.address(replace(side, address=at), (rows + n) * apart))

    def fetch_beside(self, place: Place, along: str, moves: Sequence[int]) -> None:
        """Fetches what the next tile's rows, which lie side by side, read at these steps.

        Args:
            along: the output dim of the rows.
            moves: how far on each step reads.
        """
        side = next(side for side in place.sides if side.name == self.c.scalars)
        rows, line = place.groups[along].size, LINE // SIZEOF[self.c.element]
        for move, back in product(moves, range(0, rows, line)):
            self.b.prefetch(self.nest.address(side, move + 2 * rows - 1 - back))

    def fetch_some(self, place: Place, x: Val, step: int, cells: list[_Cell]) -> None:
        """Fetches the memory of a few rows of a tile, of others where the sum's longest loop is next.

        Args:
            x, step: where the loop is, and its step.
        """
        first, each = self.in_turn(place.groups[self.rows_of(place)].size, x, step, self.trips)
        for n in range(each):
            self.fetch_row(place, self.b.add(first, n), cells)

    def fetching(
        self, place: Place, cells: list[_Cell], stretch: tuple[Operand, Operand, int], accs: list[Val],
        body: Callable[[Val, list[Val], int], list[Val]],
    ) -> list[Val]:  # fmt: skip
        """A loop of the sum in as many parts as a tile has rows; with each of the last block's a row is fetched."""
        b, (start, stop, step) = self.b, stretch
        assert self.plan.cut
        rows = place.groups[self.rows_of(place)].size
        each = -(-self.plan.cut.size // (rows * step)) * step
        with b.loop_carrying(0, rows, accs) as (row, before, after):
            with b.when(self.last_block):
                self.fetch_row(place, row, cells)
            first = b.add(b.mul(row, each), start)
            with b.loop_carrying(first, self.nest.least(b.add(first, each), stop), before, step) as (x, carried, out):
                out[:] = body(x, carried, step)
            after[:] = out
        return after

    def skipping(
        self, blanks: Blanks, place: Place, stretch: tuple[Operand, Operand, int], accs: list[Val],
        body: Callable[[Val, list[Val], int], list[Val]],
    ) -> list[Val]:  # fmt: skip
        """A loop of the sum by blocks, of which those that a mask left nothing of are left out."""
        b, (start, stop, step) = self.b, stretch
        with b.loop_carrying(start, stop, accs, blanks.terms) as (block, before, after):
            end = self.nest.least(b.add(block, blanks.terms), stop)
            first = b.select(blanks.left_out(place, block, before), end, block)
            with b.loop_carrying(first, end, before, step) as (x, carried, out):
                out[:] = body(x, carried, step)
            after[:] = out
        return after

    def rows_of(self, place: Place) -> str:
        """The output dim of a tile's rows: the longest that does not lie across the lanes."""
        return max((x.dim.name for x in self.plan.axes if x.lanes == 1), key=lambda name: place.groups[name].size)

    def fetch_row(self, place: Place, row: Val, cells: list[_Cell]) -> None:
        """Fetches the memory of a row of a tile."""
        along, fetch = self.rows_of(place), self.fetch or self.fetch_later
        assert fetch
        for cell in cells:
            if not cell.offsets[along]:
                coords = {d.name: (place.base[d.name], cell.offsets.get(d.name, 0)) for d in self.c.outputs}
                fetch(self.b, coords | {along: (self.b.add(place.base[along], row), 0)}, self.fetch is not None)

    def in_turn(self, rows: int, x: Val, step: int, turns: int) -> tuple[Val, int]:
        """The first of the rows whose turn it is where a loop is at `x`, and how many these are."""
        each = -(-rows // turns)
        turn = self.b.int_op("urem", self.b.int_op("udiv", x, step), -(-rows // each))
        return self.b.mul(turn, each), each

    def ordered(
        self, corners: list[list[int]], moves: list[list[int]], steps: list[dict[str, int]], order: list[int]
    ) -> list[tuple[int, int]]:
        """The terms of the unrolled body, as step and cell: step by step, or as the vectors they read lie in memory.

        The latter where neighbouring steps read the same vectors and fewer of these must be held at a time so. It is
        the order of every chain too, or is not taken.
        """
        by_step = [(at, n) for at in range(len(steps)) for n in order]
        if self.plan.turns or not any(self.c.slides[x, name] for x in "ab" for name in steps[0]):
            return by_step
        across = "ab".index(self.c.vectors)
        if any(after <= before for before, after in pairwise(moves[across])):
            return by_step
        reads = {(at, n): tuple(m[at] + c[n] for m, c in zip(moves, corners, strict=True)) for at, n in by_step}
        by_place = sorted(by_step, key=lambda term: reads[term][across])
        return min(by_step, by_place, key=lambda terms: _held(terms, reads))

    def term(
        self, side: Side, place: Place, cell: _Cell, there: range, step: dict[str, int], offset: int,
        loaded: dict[tuple[str, int, range], Val],
    ) -> Val:
        """The vector that an operand gives to a cell at one step of the sum, in the lanes that are there."""
        b = self.b
        key = (side.name, offset, there if side.lane else range(0))  # a vector holds no more lanes
        if key not in loaded:
            if side.lane:
                x = self.nest.load_lanes(side, offset, there, self.on)
                if self.plan.ahead and side.name == self.c.vectors:
                    further = place.groups[self.plan.ahead].size * side.strides[self.plan.ahead]
                    b.prefetch(self.nest.address(side, offset + further))
            else:
                x = self.nest.load(side, offset)
            x = self.transformed(side, place, {**cell.offsets, **step}, step, x)
            if x.lanes == 1:
                x = b.splat(x, self.lanes)
            if self.on and (side.name == "a" or side.transform or not side.lane):
                # What does not exist is -0.0 * +0.0, which leaves every accumulator as it is.
                x = b.select(self.on, x, const(-0.0 if side.name == "a" else 0.0, self.type))
            loaded[key] = x
        return loaded[key]

    def turn(
        self, place: Place, cells: list[_Cell], step: dict[str, int], along: str, count: int,
        loaded: dict[tuple[str, int, range], Val],
    ) -> None:
        """Loads the vectors of the next `count` steps of an operand whose steps lie along memory, not its vectors."""
        side, b = next(side for side in place.sides if side.name == self.plan.turns), self.b
        if self.turned:
            at = i64(0)
            for d in self.c.sums[self.c.outside :]:
                at = b.add(at, b.mul(b.add(place.base.get(d.name, i64(0)), step.get(d.name, 0)), side.strides[d.name]))
            fetch(self.nest, side, self.nest.address(side, side.offset(step)), at, count)
        for offset, cell in {side.offset({**cell.offsets, **step}): cell for cell in cells}.items():
            for n, x in enumerate(turned_steps(self.nest, side, offset, cell.active, count)):
                here = {**step, along: step[along] + n}
                offsets = {**cell.offsets, **here}
                key = (side.name, side.offset(offsets), range(cell.active))
                loaded[key] = self.transformed(side, place, offsets, here, x)
            if self.plan.ahead:
                self.fetch_lines(place, side, offset, self.plan.ahead)

    def fetch_lines(self, place: Place, side: Side, offset: int, along: str) -> None:
        """Fetches the lines that the next tile turns at these steps; where they meet in one set to the second level."""
        apart, size = side.strides[along], place.groups[along].size
        near = apart * SIZEOF[self.c.element] % FAR != 0
        for n in range(size, size + self.lanes):
            self.b.prefetch(self.nest.address(side, offset + n * apart), near=near)

    def transformed(
        self, side: Side, place: Place, offsets: Mapping[str, int], step: Mapping[str, int], x: Val
    ) -> Val:
        """What was loaded after it went through the operand's own function; a panel has been through it."""
        if not side.transform or side.padded:
            return x
        inner = {name: (i64(0), n) for name, n in step.items() if name not in place.base}
        return side.transform(self.b, place.coords(offsets) | inner, x)

    # Terms that exist

    def runs(self, dim: Dim, span: Span, place: Place, cells: list[_Cell]) -> Iterator[tuple[Span, list[int]]]:
        """Ranges of a summed dim, each with the cells for which its terms exist."""
        everyone = list(range(len(cells)))
        condition = self.c.condition(dim.name)
        if condition is None:
            yield span, everyone
            return
        base = place.base[condition.output]
        if not self.known(dim, place):
            yield self.nest.inside(self.existing(condition, base, dim.extent), span), everyone
        elif base.literal:
            terms = [[condition.terms(x, dim.extent) for x in self.coordinates(condition, base, c)] for c in cells]
            marks = {mark for some in terms for r in some for mark in (r.start, r.stop)}
            for k in range(min(marks), max(marks) if condition.output == self.c.lanes else 0):
                # where only some lanes have a term, it is a run of its own
                if any(0 < sum(k in r for r in some) < len(some) for some in terms):
                    marks |= {k, k + 1}
            if self.turned and self.plan.turns and dim is self.c.sums[-1]:  # in what is turned at once, whole
                size = self.plan.at_once
                marks = {m for mark in marks for m in (mark // size * size, min(-(-mark // size) * size, dim.extent))}
            for lo, hi in pairwise(sorted(marks)):
                live = [n for n in everyone if any(lo < r.stop and r.start < hi for r in terms[n])]
                if live:
                    yield self.nest.inside((lo, hi), span), live
        else:
            yield span, everyone

    def coordinates(self, condition: Inside, base: Val, cell: _Cell) -> range:
        """Those of a cell along the output dim of a condition, whose base is known: of every lane, or the only one."""
        first = int(base.name) + cell.offsets.get(condition.output, 0)
        return range(first, first + (cell.active if condition.output == self.c.lanes else 1))

    def known(self, dim: Dim, place: Place) -> bool:
        """Whether it is known here which terms of a summed dim exist.

        Where the output's coordinate is not, tiles of several elements are complete.
        """
        condition = self.c.condition(dim.name)
        if condition is None or place.base[condition.output].literal:
            return True
        return next(axis.tile for axis in self.plan.axes if axis.dim.name == condition.output) > 1

    def existing(self, condition: Inside, output: Val, count: int) -> Span:
        """The terms that exist at an output coordinate known at run time."""
        b, nest, step = self.b, self.nest, abs(condition.sum_step)
        x = b.add(b.mul(output, condition.output_step), condition.start)
        below, above = b.mul(x, -1), b.sub(i64(condition.extent - 1), x)
        if condition.sum_step < 0:
            below, above = b.add(x, 1 - condition.extent), x
        lo, hi = nest.most(b.add(below, step - 1), 0), nest.most(b.add(above, step), 0)
        if step > 1:
            lo, hi = b.int_op("udiv", lo, step), b.int_op("udiv", hi, step)
        return lo, nest.least(hi, count)

    def decided(self, condition: Inside, place: Place) -> bool:
        """Whether it is known here which terms of the unrolled body a condition leaves out.

        Where it is not, the loops around it saw to it.
        """
        return place.base[condition.output].literal and place.base.get(condition.summed, i64(0)).literal

    def there(self, conditions: Sequence[Inside], place: Place, cell: _Cell, step: Mapping[str, int]) -> range:
        """The lanes in which a term of the unrolled body exists, by the conditions that are decided."""
        lanes = range(cell.active)
        for condition in conditions:
            k = int(place.base.get(condition.summed, i64(0)).name) + step.get(condition.summed, 0)
            found = [condition.holds(x, k) for x in self.coordinates(condition, place.base[condition.output], cell)]
            if not any(found):
                return range(0)
            if condition.output == self.c.lanes:
                lanes = range(found.index(True), found.index(True) + sum(found))
        return lanes

    # Lanes that are summed

    def finish_summed(self, place: Place, cells: list[_Cell], accs: list[Val]) -> None:
        """Runs the partial sums, a vector of each cell's at a time; folds and finishes them."""
        b, c, element, stage = self.b, self.c, self.nest.element, self.stage
        assert stage
        parts = -(-c.lane.extent // self.lanes)

        def part(first: Val) -> list[Val]:
            self.on = self.lanes_on(first, tail=self.tail_extent() == 1)
            return self.chains(0, self.nest.at(place, c.lanes, first), cells, accs)

        if parts == 1:
            sums = [part(i64(0))]
        else:
            with b.loop(0, parts * self.lanes, self.lanes) as first:
                here = b.gep(stage, first, element)
                for n, acc in enumerate(part(first)):
                    b.store(acc, b.gep(here, n * LOGICAL_LANES, element))
            sums = [
                [b.load(b.gep(stage, n * LOGICAL_LANES + x, element), self.type) for n in range(len(cells))]
                for x in range(0, parts * self.lanes, self.lanes)
            ]
        sums += [[const(0.0, self.type)] * len(cells)] * (LOGICAL_LANES // self.lanes - parts)
        while len(sums) > 1:
            pairs = zip(sums[: len(sums) // 2], sums[len(sums) // 2 :], strict=True)
            sums = [[b.fadd(x, y) for x, y in zip(*pair, strict=True)] for pair in pairs]
        for n in range(0, len(cells), self.lanes):
            b.store(lane_sums(b, sums[0][n : n + self.lanes]), b.gep(stage, n, element))
        self.finish_stage(place, stage)

    def tail_extent(self) -> int:
        """The extent of the dim at whose last index fewer lanes exist; 0 where there is none."""
        return next((d.extent for d in self.c.k if self.c.lane_tail and d.name == self.c.lane_tail[0]), 0)

    def enter(self, dim: Dim, place: Place) -> None:
        """At the last index of the lane tail's dim fewer lanes exist."""
        x = place.base[dim.name]
        if self.c.lane_tail and self.c.lane_tail[0] == dim.name and not x.literal:
            first = place.base[self.c.lanes]
            every = mask(self.lanes, self.lanes)
            tail, usual = self.lanes_on(first, tail=True) or every, self.lanes_on(first, tail=False) or every
            self.on = self.b.select(self.b.icmp("eq", x, dim.extent - 1), tail, usual)

    def lanes_on(self, first: Val, tail: bool) -> Val | None:
        """Which of the lanes from `first` on exist; None where all do."""
        b, extent = self.b, self.c.lane.extent
        if tail and self.c.lane_tail:
            extent = min(extent, self.c.lane_tail[1])
        if first.literal:
            return None if extent - int(first.name) >= self.lanes else mask(extent - int(first.name), self.lanes)
        if extent == LOGICAL_LANES:
            return None
        left = b.splat(b.convert("trunc", b.sub(i64(extent), first), "i32"), self.lanes)
        return b.icmp("slt", const_vector(range(self.lanes), "i32"), left)


def _held(terms: Sequence[tuple[int, int]], reads: Mapping[tuple[int, int], tuple[int, ...]]) -> int:
    """The most values at a time that were read and will be used again."""
    first: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], int] = {}
    for n, term in enumerate(terms):
        for value in enumerate(reads[term]):
            first.setdefault(value, n)
            last[value] = n
    more = [0] * len(terms)
    for value, n in first.items():
        more[n] += 1
        more[last[value]] -= 1
    return max(accumulate(more))


def lane_sums(b: Builder, vectors: list[Val]) -> Val:
    """Folds the lanes of each vector in halves, s[l] += s[l + half], two vectors in one.

    Returns a vector whose first elements are the vectors' sums, or one sum as a scalar.
    """
    lanes = width = vectors[0].lanes
    while width > 1:
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
    return vectors[0]


def _halves_added(b: Builder, x: Val, y: Val, lower: list[int], half: int) -> Val:
    """The lower halves of the lane groups of two vectors, plus their upper halves."""
    upper = [lane + half for lane in lower]
    if len(lower) == 1:
        return b.fadd(b.extract(x, lower[0]), b.extract(x, upper[0]))
    return b.fadd(b.shuffle(x, y, lower), b.shuffle(x, y, upper))
