"""The search for a contraction's register tile: the one of least cost among those that fit the registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product, takewhile
from math import gcd, inf, prod
from typing import NamedTuple

from graphc.arrays import LINE, PAGE
from graphc.runtime.contraction_plan import (
    FAR,
    PANEL_BYTES,
    SHORT_SUM,
    WAYS,
    Axis,
    all_fmas,
    chain_steps,
    from_afar,
)
from graphc.runtime.contraction_step import Steps
from graphc.runtime.contraction_terms import Contraction, Dim, complete
from graphc.runtime.llvmtext import SIZEOF
from graphc.runtime.target import host

CHAINS = 8
"""Sums that must be under way for multiply-adds to follow one another: those of several entries of a batch, if each
has fewer."""

READ_ANEW = 64
"""Results of each element of an operand from which on it does not matter to read it again for each entry of a batch."""

STREAMS = 3
"""Rows of a tile up to which what comes from afar and serves one result each arrives in time: rows beside one another
are as many streams of lines for the machine to follow, and a tile of many takes a part of each."""

MOST_VARIANTS = 12
"""The most sizes of tile, each with code of its own, in one kernel."""


class Search:
    """The search for a contraction's register tile."""

    def __init__(self, c: Contraction, lanes: int) -> None:
        self._c, self._lanes, self._loops = c, lanes, _loops(c)
        self.steps = Steps(c, [d.name for d in self._loops])
        self._count = chain_steps(c, lanes)
        self._cuts: dict[tuple[str, int], _AxisCost] = {}
        self._streams = from_afar(c) and not any(d.stride(c.vectors) == 0 and d.extent > 1 for d in c.outputs)

    def best(self, registers: int) -> dict[str, int]:
        """The register tile of least cost among those that fit: elements of each output dim."""
        c, work = self._c, all_fmas(self._c, self._lanes)
        tiles = sorted(tiles_worth_trying(c, self._lanes, registers), key=lambda tile: -prod(tile.values()))
        best, least = tiles[-1], inf
        for tile in tiles:
            cells = vectors_of(c, self._lanes, tile)
            if max(1, 8 / prod(cells)) * work < least:  # else its chains are too few to be best
                cost = self._cost(tile, least)
                if cost < least and self.steps.step(cells).registers <= registers:
                    best, least = tile, cost
        return best

    def _cost(self, tile: Mapping[str, int], least: float) -> float:
        """Half cycles for all tiles: two fmas and two loads a cycle, a latency of four, and some work for each tile.

        Where the sum is short, work for each of its rows too, which lie apart in memory. Where not all terms exist for
        any of a tile's elements, the sum runs in pieces, before, among and after those that do.

        Args:
            least: the cost from which on it does not matter how high it is; most tiles are found to be there by what
                they cost without a load.
        """
        axes = [self._along(d, tile[d.name]) for d in self._loops]
        variants, tiles = prod([axis.variants for axis in axes]), prod([axis.tiles for axis in axes])
        fmas: float = prod([axis.mean for axis in axes])
        if variants > MOST_VARIANTS or tiles * (self._count * max(fmas, 8) + 2 * fmas + 16) >= least:
            return inf
        mean = {d.name: axis.mean for d, axis in zip(self._loops, axes, strict=True)}
        fmas, loads, _ = self.steps.step(tuple([mean[d.name] for d in self._c.outputs]))
        crowded = prod([axis.rows for axis in axes]) if any(axis.crowded for axis in axes) else 0
        each = self._count * max(fmas + 0.3 * loads, 0.8 * loads, 2 * crowded, 8) + 2 * fmas + 16
        if self._count < SHORT_SUM:
            each += 3 * prod([axis.rows for axis in axes])
        far = sum([axis.far for axis in axes])
        if self._streams and prod([axis.streams for axis in axes]) > STREAMS:
            each *= 2
        pieces = prod([axis.pieces for axis in axes])
        return tiles * each * (1 + 0.01 * variants * pieces + 0.02 * far)

    def _along(self, d: Dim, size: int) -> _AxisCost:
        if (d.name, size) not in self._cuts:
            axis = _axis(self._c, self._lanes, d, size)
            far = size > axis.lanes and SIZEOF[self._c.element] * max(abs(d.a), abs(d.b)) >= 8 * FAR
            cut = axis.complete is not None and size > max(len(axis.complete), 1)
            rows = size if axis.lanes == 1 else 1
            step = abs(d.stride(self._c.vectors))
            apart = SIZEOF[self._c.element] * step > 2 * LINE and step > 2 * self._c.lane.extent
            step = SIZEOF[self._c.element] * d.stride(self._c.scalars)
            crowded = step != 0 and rows * gcd(step, PAGE) > WAYS * PAGE
            self._cuts[d.name, size] = _AxisCost(
                axis.tiles, axis.vectors / axis.tiles, len(axis.groups), rows, rows if apart else 1, far, crowded,
                3 if cut else 1,
            )  # fmt: skip
        return self._cuts[d.name, size]


class _AxisCost(NamedTuple):
    """What a tile's cost depends on along one axis.

    Attributes:
        tiles: how many there are, of `variants` kinds.
        mean: their mean size, in vectors along the lanes.
        rows: elements of a tile across the lanes.
        streams: those that begin lines of their own.
        far: whether neighbours of a tile meet in few sets of the cache.
        crowded: whether these cannot hold them, so that every step finds them in the second level.
        pieces: that the sum runs in.
    """

    tiles: int
    mean: float
    variants: int
    rows: int
    streams: int
    far: bool
    crowded: bool
    pieces: int


def registers_of(target_lanes: int) -> int:
    """Vector registers: this machine's if it has such vectors, else what is usual."""
    machine = host()
    return machine.registers if machine.lanes == target_lanes else 32 if target_lanes == 16 else 16


def axes_of(c: Contraction, lanes: int, tile: Mapping[str, int]) -> tuple[Axis, ...]:
    """The output dims cut into tiles."""
    return tuple(_axis(c, lanes, d, tile[d.name]) for d in _loops(c))


def _axis(c: Contraction, lanes: int, d: Dim, size: int) -> Axis:
    condition = c.condition(d.name)
    count = next((k.extent for k in c.sums if condition and k.name == condition.summed), 1)
    whole = complete(condition, d.extent, count) if condition else None
    return Axis(d, size, 1, lanes if d.name == c.lanes else 1, whole)


def _loops(c: Contraction) -> tuple[Dim, ...]:
    """The order of the loops: batches outermost, then the vector operand's dims, then those that reuse it.

    But where all of the other operand stays in the cache, or what is read of it is used often, memory is walked through
    as it lies: a depthwise convolution goes from image to image, and in each from channel to channel.
    """
    own, reusing = (c.n, c.m) if c.vectors == "b" else (c.m, c.n)
    scalars = SIZEOF[c.element] * prod(d.extent for d in c.outputs + c.k if d.stride(c.scalars))
    apart = max((abs(d.stride(c.vectors)) for d in c.batch), default=0)
    further = tuple(takewhile(lambda d: abs(d.stride(c.vectors)) > apart, own))
    again = prod(d.extent for d in own[len(further) :])
    if scalars > PANEL_BYTES and again < READ_ANEW:
        further = ()
    return further + c.batch + own[len(further) :] + reusing


def tiles_worth_trying(c: Contraction, lanes: int, registers: int) -> Iterator[dict[str, int]]:
    """The register tiles worth trying, down to a single vector."""
    m, n = (tuple(d for d in dims if d.name != c.lanes) for dims in (c.m, c.n))
    vectors = 1 if c.lanes_summed else -(-c.lane.extent // lanes)
    few = vectors * prod(d.extent for d in m + n) < CHAINS and not c.turned
    batches = list(_boxes(c.batch[-1:], registers // 2)) if few else [{}]
    for along in _sizes(vectors, 8):
        others = list(_boxes(n, (registers - 4) // along)) if along == 1 or c.rows_share else [{}]
        for rows, columns, batch in product(_boxes(m, registers - 4), others, batches):
            tile = {d.name: 1 for d in c.outputs} | rows | columns | batch
            if not c.lanes_summed:
                tile[c.lanes] = along * lanes
            if prod(vectors_of(c, lanes, tile)) < registers:
                yield tile


def _sizes(extent: int, most: int) -> list[int]:
    """The tile sizes worth trying: the balanced ones."""
    return sorted({-(-extent // -(-extent // size)) for size in range(1, min(extent, most) + 1)})


def _boxes(dims: tuple[Dim, ...], most: int) -> Iterator[dict[str, int]]:
    """Tiles over some dims: a part of any one of them, or the innermost whole and a part of the next."""
    yield {}
    whole: dict[str, int] = {}
    for d in reversed(dims):
        for size in _sizes(d.extent, most):
            yield {d.name: size}
            if whole and prod(whole.values()) * size <= most:
                yield {**whole, d.name: size}
        whole[d.name] = d.extent


def vectors_of(c: Contraction, lanes: int, tile: Mapping[str, int]) -> tuple[int, ...]:
    """A tile's sizes in the order of the output dims, in vectors along the lanes."""
    return tuple([-(-tile[d.name] // lanes) if d.name == c.lanes else tile[d.name] for d in c.outputs])
