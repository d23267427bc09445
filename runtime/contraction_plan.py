"""What a plan is: output dims cut into register tiles, units and blocks, and the facts of memory that decide them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import prod

from graphc.arrays import LINE, PAGE
from graphc.runtime.contraction_terms import Contraction, Dim
from graphc.runtime.llvmtext import SIZEOF

TURN = 4
"""Steps of a sum along memory that are turned into vectors along the lanes at a time, as a rule (`Plan.at_once`)."""

SQUARE = 8
"""Steps that are turned at a time where each is used once."""

ROW, OUTER = "row", "+"
"""The dim in which runs lie side by side; and what the name of one gets of which some are in the row, outside of it."""

WAYS = 8
"""How many lines a set of the first-level cache holds."""

FAR, CROWD = 2048, 1024
"""Bytes between neighbours from which they meet in few sets of the cache; and those whose multiples do so earlier."""

FROM_AFAR = 1 << 20
"""Bytes of an operand that is read from beyond the second-level cache."""

PANEL_BYTES = 64 * 1024
"""The part of the second-level cache that a tile's panel of the vector operand may fill: 256 steps of four vectors."""

SHORT_SUM = 16
"""Steps up to which it counts how the result lies in memory."""


@dataclass(frozen=True)
class Group:
    """Neighbouring tiles of one size along an axis: `count` of `size` elements from element `start`, tile `first`."""

    first: int
    count: int
    start: int
    size: int


@dataclass(frozen=True)
class Axis:
    """An output dim cut into register tiles of up to `tile` elements; a unit of work takes `block` of them.

    `lanes` is the vector's length on the dim that lies across it, else 1. Tiles are whole vectors, and as equal as
    can be: 64 by at most 14 is 13, 13, 13, 13, 12. `complete` are the coordinates at which all terms of the sum exist;
    a tile that is not among them is a group of its own, so that its terms are known when the kernel is written.
    """

    dim: Dim
    tile: int
    block: int = 1
    lanes: int = 1
    complete: range | None = None

    @property
    def vectors(self) -> int:
        """Vectors along the lanes, elements on other dims."""
        return -(-self.dim.extent // self.lanes)

    @property
    def tiles(self) -> int:
        return -(-self.dim.extent // self.tile)

    @property
    def blocks(self) -> int:
        return -(-self.tiles // self.block)

    @property
    def small(self) -> int:
        """Elements of the smaller tiles, in whole vectors."""
        return self.vectors // self.tiles * self.lanes

    @property
    def larger(self) -> int:
        """How many tiles, the first ones, are one vector larger."""
        return self.vectors % self.tiles

    @property
    def span(self) -> int:
        """The most vectors, on other dims elements, that a unit takes."""
        return self.block * self.small // self.lanes + min(self.block, self.larger)

    def begin(self, tile: int) -> int:
        """The first element of a tile."""
        return tile * self.small + min(tile, self.larger) * self.lanes

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        missing = -self.dim.extent % self.lanes
        sizes = [(self.small + self.lanes, self.larger), (self.small, self.tiles - self.larger)]
        if missing:
            sizes[1:] = [(self.small, self.tiles - self.larger - 1), (self.small - missing, 1)]
        groups: list[Group] = []
        first = start = 0
        for size, count in sizes:
            for some in self._alike(start, size, count):
                groups.append(Group(first, some, start, size))
                first, start = first + some, start + some * size
        return tuple(groups)

    def _alike(self, start: int, size: int, count: int) -> list[int]:
        """Splits `count` tiles into runs of one kind: the complete ones together, every other one alone."""
        if self.complete is None or self.tile == 1:
            return [count] if count else []
        lo, hi = self.complete.start, self.complete.stop
        whole = [lo <= x and x + size <= hi for x in range(start, start + size * count, size)]
        runs = [(kind, len(list(run))) for kind, run in groupby(whole)]
        return [n for kind, length in runs for n in ([length] if kind else [1] * length)]

    def __str__(self) -> str:
        sizes = "+".join(f"{g.count}x{g.size}" for g in self.groups)
        return f"{self.dim.name} {sizes}" + (f" in blocks of {self.block}" if self.blocks > 1 else "")


@dataclass(frozen=True)
class Cut:
    """The sum done in blocks: the dims outside `level` one index at a time, that at `level` by `size`."""

    level: int
    size: int


@dataclass(frozen=True)
class Plan:
    """How one kernel computes a contraction.

    Args:
        contraction: what is computed, its summed dims merged.
        lanes: elements in a vector.
        axes: every output dim, in the order of the loops, outermost first.
        window: how many indices of each of `contraction.sums` the innermost loop's body holds.
        streamed: the operand, "a" or "b", of which a step needs one vector at a time; the other is held in registers.
        cut: the sum's blocks, whose raw partial sums are kept between them; None where one block holds it all.
        packed: the operands ("a", "b") copied into panels before use.
        ahead: the output dim along which the vector operand of the next tile is fetched while this one is computed.
        rows_ahead: the output dim along which the rows of the next tile are, elements of the scalar operand.
        beside_ahead: that along which they are where they lie side by side, in lines that only the steps have apart.
        turns: the operand whose vectors do not lie in memory, its steps do, and which a tile turns as it reads it.
        turns_results: whether results wait till they can be turned, to be finished along `contraction.along`.
        runs: output dims whose runs lie side by side in the panel of the vector operand, and across the lanes as one.
    """

    contraction: Contraction
    lanes: int
    axes: tuple[Axis, ...]
    window: tuple[int, ...]
    streamed: str
    cut: Cut | None = None
    packed: frozenset[str] = frozenset()
    ahead: str | None = None
    rows_ahead: str | None = None
    beside_ahead: str | None = None
    turns: str | None = None
    turns_results: bool = False
    runs: tuple[Dim, ...] = ()

    @property
    def units(self) -> int:
        return prod(axis.blocks for axis in self.axes)

    @property
    def steps(self) -> int:
        """The fmas of one accumulator, of all its vectors where the lanes are summed."""
        return chain_steps(self.contraction, self.lanes)

    @property
    def at_once(self) -> int:
        """Steps of a sum along memory that are turned into vectors along the lanes at a time.

        As many as a line has where the lines of all lanes meet in one set of the first-level cache, which cannot hold
        them until the next steps: each is read once then.
        """
        c, size = self.contraction, SIZEOF[self.contraction.element]
        if c.turned:
            return min(SQUARE, self.lanes)
        crowded = self.lanes > WAYS and size * c.lane.stride(c.vectors) % PAGE == 0
        return min(LINE // size, self.lanes) if crowded else TURN

    @property
    def across(self) -> Axis:
        """The axis of the lanes, where they are not summed."""
        return next(axis for axis in self.axes if axis.dim.name == self.contraction.lanes)

    def __str__(self) -> str:
        sums = self.contraction.sums
        parts = ["; ".join(map(str, self.axes))]
        if sums:
            parts.append("sum " + " ".join(f"{d.name}:{d.extent}/{w}" for d, w in zip(sums, self.window, strict=True)))
        if self.cut:
            parts.append(f"in blocks of {sums[self.cut.level].name}:{self.cut.size}")
        if self.packed:
            parts.append("packs " + " ".join(sorted(self.packed)))
        if self.turns:
            parts.append(f"turns {self.turns}")
        if self.turns_results:
            parts.append(f"turns results along {self.contraction.along}")
        if self.runs:
            parts.append("rows of " + " ".join(f"{d.name}:{d.extent}" for d in self.runs))
        if fetched := [name for name in (self.ahead, self.rows_ahead, self.beside_ahead) if name]:
            parts.append(f"fetches {' and '.join(fetched)} ahead")
        return f"{self.units} units: " + ", ".join(parts)


def chain_steps(c: Contraction, lanes: int) -> int:
    """The fmas of one accumulator."""
    return prod(d.extent for d in c.sums) * (-(-c.lane.extent // lanes) if c.lanes_summed else 1)


def all_fmas(c: Contraction, lanes: int) -> int:
    """All fmas, of a vector each."""
    return chain_steps(c, lanes) * prod(-(-d.extent // lanes) if d.name == c.lanes else d.extent for d in c.outputs)


def from_afar(c: Contraction, operand: str = "") -> bool:
    """Whether an operand, the vectors' by default, is so large that it is read from beyond the second-level cache."""
    return reach(c, operand or c.vectors) >= FROM_AFAR


def reach(c: Contraction, operand: str) -> int:
    """Bytes from an operand's first element to its last."""
    return SIZEOF[c.element] * sum((d.extent - 1) * abs(d.stride(operand)) for d in c.outputs + c.k)
