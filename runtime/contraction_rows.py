"""A few rows times a large matrix: the matrix comes from memory once, along its own rows.

Each of its elements serves a few multiply-adds, so what matters is how it is read. Sums step from row to row of it, and
a tile reads a line or two of each: streams that end before the machine has seen where they go, and lines that meet in
few sets of the cache, where they are gone before the next tile wants what else they hold. So the sum is cut into short
blocks, of each of which many tiles are computed side by side: a few rows are read from end to end.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from graphc.arrays import LINE
from graphc.runtime.contraction_blocks import cut_to
from graphc.runtime.contraction_plan import FROM_AFAR, Plan, reach
from graphc.runtime.llvmtext import SIZEOF
from graphc.runtime.target import host

FEWEST, MOST = 8, 128
"""Steps of the sum in a block: as many as there are rows, which is what each line is used for, but so many at least.
With more rows a panel of the matrix is better packed."""

TILES, UNITS = 8, 2
"""How many tiles a unit of work takes at least, and how many units suffice for each core."""

WAITING = 128 * 1024
"""Bytes of accumulators that may wait while the other tiles of a unit are computed."""


def along_rows(chosen: Plan) -> Plan | None:
    """The plan with its units and its sum cut so; None where operands are read in another way, are too small,
    or have no tile along a row for each core."""
    c = chosen.contraction
    size, large = SIZEOF[c.element], max("ab", key=lambda x: reach(c, x))
    axis = next((x for x in reversed(chosen.axes) if x.dim.stride(large) == 1), None)
    if axis is None or len(c.sums) != 1 or c.lanes_summed or c.turned or chosen.runs or c.lane.stride(c.vectors) != 1:
        return None  # sums of another kind, or vectors that do not lie in memory
    if c.two(c.scalars) not in (None, 1):
        return None  # elements that are to be put together first
    others = [x for x in chosen.axes if not x.dim.stride(large)]
    rows, apart = prod(x.dim.extent for x in others), c.sums[0].stride(large) * size
    if rows > MOST or apart < LINE or apart * c.sums[0].extent < FROM_AFAR:
        return None
    cores = host().cores
    if axis.tiles < cores:
        return None
    waiting = size * chosen.lanes * prod(x.tile // x.lanes for x in (axis, *others))
    tiles = min(max(TILES, -(-axis.tiles // (UNITS * cores))), -(-axis.tiles // cores), max(WAITING // waiting, 1))
    taken = {axis.dim.name: -(-axis.tiles // -(-axis.tiles // tiles)), **{x.dim.name: x.tiles for x in others}}
    found = replace(
        chosen, axes=tuple(replace(x, block=taken.get(x.dim.name, 1)) for x in chosen.axes), packed=frozenset()
    )
    return replace(found, cut=cut_to(found, max(rows, FEWEST)))
