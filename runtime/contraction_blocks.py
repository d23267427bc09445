"""What is read from where, and how often: units of work, panels that are packed, blocks of the sum, and prefetches.

Each step takes a plan and returns one that says more, or a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import lcm, prod

from graphc.arrays import LINE, PAGE
from graphc.runtime.contraction_plan import (
    CROWD,
    FAR,
    FROM_AFAR,
    PANEL_BYTES,
    TURN,
    Axis,
    Cut,
    Plan,
    all_fmas,
    from_afar,
    reach,
)
from graphc.runtime.contraction_step import Steps
from graphc.runtime.contraction_terms import Contraction
from graphc.runtime.llvmtext import SIZEOF
from graphc.runtime.target import host

PANEL_STEPS = 256
"""The steps of the sum in a block where the scalar operand is packed too."""

BUFFER_BYTES = 128 * 1024
"""The most that the scalar operand's panel or the accumulators that wait may take; the vector operand's, twice that."""

LONG_SUM, REUSE = 2048, 16
"""From how many steps on units may be large, and for how many vectors they then use an element of a packed operand."""

TURNED_FOR = 12
"""Tiles that share what was turned, at least: turning a vector takes as long as its multiply-adds in two tiles. Four
times as many, where that leaves a few units for each core."""

WOVEN = 3
"""Tiles for which words of two rows are made once, in a panel."""

RUN_BYTES, WAITING_BYTES = 400 * 1024, 512 * 1024
"""What the panel of a row of runs side by side may take, and accumulators that wait."""

SERVES = 24
"""Multiply-adds for which a unit uses a vector from afar, up to which it takes more tiles that use it."""

SHARED = 4
"""For how many multiply-adds a vector from afar is fetched ahead of time."""

MAY_BE_AFAR = 256 * 1024
"""Bytes of an operand from which a line is fetched for many multiply-adds, though a cache may have it."""

STREAMED = 3
"""Bytes for a multiply-add of vectors from which on memory is too slow."""

UNIT_WORK = 1 << 15
"""Vector fmas, about as many cycles or half cycles, that make a unit of work worth its overhead."""

UNITS = 32
"""The number of units that a large contraction is split into, for the threads to share."""


def blocked(chosen: Plan, steps: Steps, stream: bool = False) -> Plan:
    """Says what a unit packs, and how many tiles of each axis it takes.

    Args:
        stream: whether units read both operands from memory; found out of those that are chosen as if not.
    """
    c = chosen.contraction
    allowed = [x for x in "ab" if packable(c, x, steps) and x != chosen.turns]
    must = [x for x in allowed if c.lane.stride(x) not in (0, 1)]  # vectors that do not lie in memory: gathered once
    must += [x for x in allowed if x not in must and _woven(chosen, x)]
    may = [x for x in allowed if x not in must and x == c.vectors and _pays(chosen)]
    units = _Units(chosen, must, may, stream)
    found = replace(chosen, axes=units.axes(), packed=frozenset(units.packed))
    small = units.long and not units.large and not units.packed
    return blocked(chosen, steps, True) if small and _streams(found, steps) else found


class _Units:
    """How many tiles of each axis a unit of work takes.

    The innermost axes grow first, until a unit is worth its overhead; those whose tiles share a panel grow further.
    Where the scalar operand of a long sum is packed, which reads it from far, units are as large as the cores allow,
    first along the axes that use its elements again. So they are where both operands stream from memory.

    Attributes:
        packed: the operands that a unit packs.
        long: whether the sum is; `large`: whether units are as large as the cores allow.
    """

    def __init__(self, chosen: Plan, must: Sequence[str], may: Sequence[str], stream: bool) -> None:
        """Args: operands that a unit must pack, and that it packs because it pays."""
        c, tile = chosen.contraction, _tile_bytes(chosen)
        self._chosen, self._must, self.packed = chosen, must, [*must, *may]
        self._size, self._scalars_packed = SIZEOF[c.element], c.scalars in self.packed
        self.long = chosen.steps >= LONG_SUM
        self.large, self._turned = self.long and (stream or self._scalars_packed), bool(must) and self.long
        self._kept = min(
            chosen.steps, PANEL_BYTES // tile or 1, PANEL_STEPS if self._scalars_packed else chosen.steps
        )
        self._rooms = {c.scalars: BUFFER_BYTES << self.large, c.vectors: 2 * BUFFER_BYTES}
        self._total = all_fmas(c, chosen.lanes)
        self._usual = min(max(UNIT_WORK, self._total // UNITS), 64 * UNIT_WORK)

    def axes(self) -> tuple[Axis, ...]:
        """The axes, each with the tiles that a unit takes of it."""
        axes, scalars = list(self._chosen.axes), self._chosen.contraction.scalars
        for n in sorted(range(len(axes)), key=lambda n: (self.large and bool(axes[n].dim.stride(scalars)), -n)):
            axis = axes[n]
            tiles = max(1, min(axis.tiles, self._wanted(axis, axes), self._most(axis, axes)))
            axes[n] = replace(axis, block=-(-axis.tiles // -(-axis.tiles // tiles)))
        return tuple(axes)

    def _wanted(self, axis: Axis, axes: Sequence[Axis]) -> int:
        """How many tiles are worth their overhead, and what they pack."""
        steps, spans = self._chosen.steps, prod(x.span for x in axes)
        shares = any(not axis.dim.stride(operand) for operand in self.packed)
        enough = max(self._usual, (32 if self._scalars_packed else 8) * UNIT_WORK) if shares else self._usual
        share = -(-self._total // (host().cores * spans * steps))  # so that there is not one unit more than cores
        turned_for = any(not axis.dim.stride(operand) for operand in self._must)
        least = max(TURNED_FOR, min(4 * TURNED_FOR, share // 4)) if turned_for else 1
        tiles = max(round(enough / (spans * steps)), least)
        if self.large:
            return max(tiles, share)
        if self._turned and shares:  # each unit turns its own
            return min(share, 2 * BUFFER_BYTES // (spans * self._chosen.lanes * self._size))
        return tiles

    def _most(self, axis: Axis, axes: Sequence[Axis]) -> int:
        """For how many tiles there is room: for accumulators that wait, and for what is packed."""
        c, spans = self._chosen.contraction, prod(x.span for x in axes)
        most = axis.span * self._rooms[c.scalars] // (spans * self._chosen.lanes * self._size)
        if self.large and not axis.dim.stride(c.scalars):
            most = min(most, REUSE // prod(x.span for x in axes if not x.dim.stride(c.scalars)) or 1)
        for operand in self.packed:
            if axis.dim.stride(operand):
                others = prod(x.span * x.lanes for x in axes if x is not axis and x.dim.stride(operand))
                most = min(most, self._rooms[operand] // (others * axis.small * self._kept * self._size))
        return most


def _tile_bytes(chosen: Plan) -> int:
    """Bytes of the vector operand that a tile reads in one step."""
    c = chosen.contraction
    return SIZEOF[c.element] * prod(axis.span * axis.lanes for axis in chosen.axes if axis.dim.stride(c.vectors))


def blocked_runs(chosen: Plan) -> Plan:
    """The same for rows of runs: a unit takes a whole row, which it packs, and as many results of it as can wait."""
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    axes = [replace(axis, block=axis.tiles if axis.dim is c.lane else 1) for axis in chosen.axes]
    for n, axis in reversed([*enumerate(axes)]):
        if not axis.dim.stride(c.vectors):
            one = prod(x.span for x in axes)
            share = -(-all_fmas(c, chosen.lanes) // (host().cores * one * chosen.steps))
            tiles = min(axis.tiles, max(share, TURNED_FOR), max(WAITING_BYTES // (one * chosen.lanes * size), 1))
            axes[n] = replace(axis, block=-(-axis.tiles // -(-axis.tiles // tiles)))
    return replace(chosen, axes=tuple(axes), packed=frozenset(c.vectors))


def together(chosen: Plan) -> Plan:
    """Units of many tiles where a few of them alone would read the vectors of a long sum from afar.

    The sum of such a unit is cut (`cut`): a part of the vectors meets all its tiles while it is in the cache.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    rows = [axis for axis in chosen.axes if not axis.dim.stride(c.vectors)]
    few = chosen.steps >= LONG_SUM and from_afar(c) and prod(axis.span for axis in rows) <= SERVES
    if not few or chosen.packed or chosen.turns or c.turned or c.lanes_summed:
        return chosen
    share = -(-host().cores // prod(axis.blocks for axis in chosen.axes if axis not in rows))
    waiting = size * chosen.lanes * prod(axis.span for axis in chosen.axes)
    room = min(-(-prod(axis.tiles for axis in rows) // share), WAITING_BYTES // waiting)
    axes = list(chosen.axes)
    for n, axis in reversed([*enumerate(axes)]):
        if axis in rows and room > 1:
            tiles = min(axis.tiles, room)
            axes[n] = replace(axis, block=-(-axis.tiles // -(-axis.tiles // tiles)))
            room = -(-room // tiles)
    return replace(chosen, axes=tuple(axes))


def read_once(chosen: Plan) -> Plan:
    """The loops turned where the scalar operand comes from afar for each panel of vectors: then it comes once.

    As much of it as stays in the second-level cache, if that serves more rows than a panel has columns, meets all
    panels before the next part is read: the units of one part follow one another.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    if chosen.runs or chosen.packed or c.turned or c.lanes_summed:
        return chosen
    panels = [axis for axis in chosen.axes if not axis.dim.stride(c.scalars)]
    rows = [axis for axis in chosen.axes if axis.dim.stride(c.scalars) and not axis.dim.stride(c.vectors)]
    far = size * prod(axis.dim.extent for axis in rows) * chosen.steps >= FROM_AFAR
    if not far or prod(axis.blocks for axis in panels) == 1 or any(axis.block > 1 for axis in panels):
        return chosen
    room = 2 * BUFFER_BYTES // (size * chosen.steps)
    if room <= prod(axis.tile for axis in panels):
        return chosen
    parts: list[Axis] = []
    for axis in reversed(rows):
        parts.insert(0, replace(axis, block=max(1, min(axis.block, room // axis.tile))))
        room //= axis.tile * parts[0].block
    others = [axis for axis in chosen.axes if axis not in rows and axis not in panels]
    return replace(chosen, axes=(*others, *parts, *panels))


def results_turned(chosen: Plan) -> Plan:
    """The plan with results turned by squares, if these are filled: stored by vectors so, though their lanes lie apart.

    A unit then takes tiles up to where a square ends.
    """
    c, axes = chosen.contraction, {axis.dim.name: axis for axis in chosen.axes}
    if not c.along or not c.sums or c.lanes_summed or c.turned or chosen.runs or chosen.lanes < TURN:
        return chosen
    axis = axes[c.along]
    if 2 * min(axis.dim.extent, c.lane.extent) < chosen.lanes:
        return chosen
    for tile in range(axis.tile, axis.tile // 2, -1):  # somewhat smaller ones may end where squares do
        if whole := _in_squares(replace(axis, tile=tile), chosen.lanes):
            axes[c.along] = replace(axis, tile=tile, block=whole)
            return replace(chosen, axes=tuple(axes.values()), turns_results=True)
    return chosen


def _in_squares(axis: Axis, lanes: int) -> int | None:
    """About as many tiles as a unit takes of an axis, so that all units begin at a multiple of the lanes.

    More than twice as many are taken if they leave a unit for each core.
    """
    most = max(2 * axis.block, min(lanes, -(-axis.tiles // host().cores)))
    some = range(-(-axis.block // 2), min(most, axis.tiles) + 1)
    whole = [n for n in some if all(axis.begin(tile) % lanes == 0 for tile in range(n, axis.tiles, n))]
    return axis.block if axis.blocks == 1 else min(whole, key=lambda n: abs(n - axis.block), default=None)


def _streams(chosen: Plan, steps: Steps) -> bool:
    """Whether units read both operands from afar, and so much of them that memory is slower than multiply-adds."""
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    if not all(packable(c, x, steps) and from_afar(c, x) for x in "ab"):
        return False
    read = [prod(x.span * x.lanes for x in chosen.axes if x.dim.stride(operand)) for operand in "ab"]
    return size * sum(read) > STREAMED * prod(axis.span for axis in chosen.axes)


def packable(c: Contraction, operand: str, steps: Steps) -> bool:
    """Whether a block of an operand may be copied: no part of it would be twice, and no place must not be read."""
    dims, whole = {d.name: d for d in c.outputs + c.k}, tuple([d.extent for d in c.outputs])
    bounded = any(dims[x.output].stride(operand) and dims[x.summed].stride(operand) for x in c.inside)
    return not c.lanes_summed and not c.turned and not bounded and not steps.shares("ab".index(operand), whole)


def _woven(chosen: Plan, operand: str) -> bool:
    """Whether words are put together on the way to a panel: of factors that are no neighbours in memory.

    Vectors are if several tiles use them; elements that lie side by side in any case, as one by one takes longest.
    """
    c = chosen.contraction
    if c.two(operand) in (None, 1):
        return False
    if c.lane.stride(operand):
        return prod(axis.tiles for axis in chosen.axes if not axis.dim.stride(operand)) >= WOVEN
    return any(d.stride(operand) == 1 for d in c.outputs)


def _pays(chosen: Plan) -> bool:
    """Whether the vectors' steps lie so far apart that they crowd one another out of the cache, unless copied.

    And whether enough tiles read them again. Several lines side by side at each step are fetched together, and of the
    scalar operand the next tile's line is fetched at each: neither is worth a copy.
    """
    c = chosen.contraction
    steps = [abs(d.stride(c.vectors)) * SIZEOF[c.element] for d in c.sums if d.stride(c.vectors)]
    if not steps or c.lane.stride(c.vectors) != 1 or (steps[-1] < FAR and steps[-1] % CROWD):
        return False
    again = prod(axis.tiles for axis in chosen.axes if not axis.dim.stride(c.vectors))
    return again >= 16 and _tile_bytes(chosen) <= 2 * LINE


def cut(chosen: Plan, steps: Steps) -> Cut | None:
    """Cuts the sum where the vector operand's panel would not stay in the cache till other tiles reread it.

    Packed operands are cut as well where their panels would take too much of the stack.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    if c.turned and not c.lanes_summed and c.outside:
        return Cut(c.outside - 1, 1)  # as memory lies, from channel to channel and then to the next image
    if c.lanes_summed or c.turned:
        return None
    largest = {axis.dim.name: -(-axis.groups[0].size // axis.lanes) for axis in chosen.axes}
    tile = tuple([largest[d.name] for d in c.outputs])
    panel = chosen.lanes * size * steps.touched("ab".index(c.vectors), tile, [d.extent for d in c.sums])
    again = prod(axis.block for axis in chosen.axes if not axis.dim.stride(c.vectors))
    most = float(chosen.steps)
    if again > 1 and panel > PANEL_BYTES * 3 // 2:
        most = chosen.steps * PANEL_BYTES / panel
    for operand in chosen.packed:
        step = size * prod(axis.span * axis.lanes for axis in chosen.axes if axis.dim.stride(operand))
        room = RUN_BYTES if chosen.runs else 2 * BUFFER_BYTES
        most = min(most, room / step if c.lane.stride(operand) else PANEL_STEPS)
    if (chosen.runs or chosen.turns_results) and most >= chosen.steps:
        return Cut(0, c.sums[0].extent)
    return cut_to(chosen, int(most)) if most < chosen.steps else None


def cut_to(chosen: Plan, steps: int) -> Cut | None:
    """Blocks of about `steps` steps, as equal as can be, and whole in the unrolled body and in what packing turns.

    Of more, where a block would separate what terms exist from the tile that decides it: a loop of single steps can be
    cut where only some exist, one that is unrolled cannot, nor one around it.
    """
    c, inner = chosen.contraction, 1
    for level in reversed(range(len(c.sums))):
        extent = c.sums[level].extent
        bounded = [d for d in c.sums[: level + (chosen.window[level] > 1)] if c.condition(d.name)]
        if inner * extent > steps and not bounded:
            whole = lcm(chosen.window[level], chosen.at_once if level == len(c.sums) - 1 else 1)
            size = -(-extent // -(-extent * inner // max(steps, 1)))
            size = -(-size // whole) * whole
            if size < extent:
                return Cut(level, size)
        inner *= extent
    return None


def next_vectors(chosen: Plan) -> str | None:
    """Along which dim the next tile's vectors are worth fetching, a cache line each: those that come from afar.

    That is where many multiply-adds use each, and no other block of the sum comes before the next tile.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    rows = [axis for axis in chosen.axes if not axis.dim.stride(c.vectors)]
    again = prod(axis.tile for axis in rows)
    if chosen.turns and not c.turned:  # which reads a line of each at a time
        large = reach(c, c.vectors) >= (MAY_BE_AFAR if again >= SHARED else FROM_AFAR)
        return c.lanes if large and all(axis.tiles == 1 for axis in rows) else None
    whole_lines = chosen.lanes * size == LINE and c.lane.stride(c.vectors) == 1 and c.vectors not in chosen.packed
    if c.lanes_summed or not whole_lines or not from_afar(c):
        return None
    moved = [axis for axis in chosen.axes if axis.dim.stride(c.vectors) and axis.tiles > 1]
    if again < SHARED:  # but for what taps share, if rows of pixels have more of them
        taps = {name: d.extent for d in c.sums for name, _ in c.slides[c.vectors, d.name]}
        rows = [axis for axis in moved if again * prod(taps.values()) >= SHARED and taps.get(axis.dim.name, 1) > 1]
        return rows[0].dim.name if rows and not chosen.cut else None
    return moved[-1].dim.name if moved and (not chosen.cut or moved[-1].block > 1) else None


def next_rows(chosen: Plan) -> str | None:
    """Along which dim the next tile's rows are worth fetching: rows that lie along the sum, of what comes from afar.

    Each is a stream of lines of its own, and ends before the machine has seen where it goes. Not rows that are whole
    pages apart: these meet in one set of the first-level cache, where the next tile's would drive out this one's.
    """
    c = chosen.contraction
    line = LINE // SIZEOF[c.element]
    if c.lanes_summed or c.turned or chosen.runs or c.scalars in chosen.packed or 2 * reach(c, c.scalars) < FROM_AFAR:
        return None
    run = 1  # elements side by side that steps read one after the other
    for d in reversed(c.sums):
        run *= d.extent if d.stride(c.scalars) == run else 1
    axis = next((x for x in reversed(chosen.axes) if x.dim.stride(c.scalars) and x.tiles > 1), None)
    if axis is None or run < line or axis.dim.stride(c.scalars) < line:
        return None
    return axis.dim.name if axis.dim.stride(c.scalars) * SIZEOF[c.element] % PAGE else None


def next_beside(chosen: Plan) -> str | None:
    """Along which dim the next tile's rows are worth fetching where they lie side by side, and each step reads a line.

    A product with a transposed matrix reads so. Its steps are too far apart for the machine to see where they go.
    """
    c = chosen.contraction
    line = LINE // SIZEOF[c.element]
    if c.lanes_summed or c.turned or chosen.runs or c.scalars in chosen.packed or reach(c, c.scalars) < MAY_BE_AFAR:
        return None
    axis = next((x for x in reversed(chosen.axes) if x.dim.stride(c.scalars) and x.tiles > 1), None)
    apart = all(d.stride(c.scalars) >= line for d in c.sums)
    follows = axis and axis.dim.stride(c.scalars) == 1 and (not chosen.cut or axis.block > 1)
    return axis.dim.name if axis and apart and follows else None
