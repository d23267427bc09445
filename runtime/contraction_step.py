"""What a register tile does at each step of a contraction's sum, and how many steps the loop's body holds.

The search for the best tile asks this of some hundred tiles of every contraction, so what does not depend on the tile
is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from graphc.runtime.contraction_terms import Contraction, Dim

Tile = tuple[float, ...]
"""A tile's sizes, one for each output dim in the contraction's order; along the lanes in vectors."""

Near = tuple[tuple[float | None, ...], tuple[float | None, ...]]
"""For each operand and summed dim by how much of a tile neighbouring indices move it; None where they share nothing."""

OPERANDS = (0, 1)
"""The operands "a" and "b" as numbers."""


class Step(NamedTuple):
    """One step of the sum in a register tile: fmas, loads (a vector counts as two), and registers held."""

    fmas: float
    loads: float
    registers: float


@dataclass(frozen=True)
class _Sum:
    """A summed dim: which operands it moves, and what it shares with output dims.

    Attributes:
        slides: for each operand the output dims along which neighbouring indices read the same, and how far apart.
        alone: whether it is a loop of its own: at its last index fewer lanes exist, or at each one more is turned.
        condition: the output dim that decides which of its terms exist; none where that is the lanes'.
    """

    extent: int
    moves: tuple[bool, bool]
    slides: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
    alone: bool
    condition: int | None


class Steps:
    """Answers for the tiles of one contraction, whose summed dims are merged.

    Args:
        order: the output dims in the order in which their sizes are multiplied.
    """

    def __init__(self, c: Contraction, order: Sequence[str] = ()) -> None:
        self._place = {d.name: n for n, d in enumerate(c.outputs)}
        self._order = [self._place[name] for name in order] if order else list(range(len(c.outputs)))
        self._moved = [[n for n, d in enumerate(c.outputs) if d.stride(x)] for x in "ab"]
        self._sums = [self._sum(c, d) for d in c.sums]
        self._weight = [self._load(c, x) for x in "ab"]
        self._rows_share = c.rows_share
        nothing = (None,) * len(self._sums)
        self._slides = any(slides for d in self._sums for slides in d.slides)
        self._anew = not self._slides and all(all(d.moves) for d in self._sums)  # whatever the window
        self._nothing: Near = (nothing, nothing)
        self._near: dict[Tile, Near] = {}
        self._done: dict[Tile, Step] = {}

    @staticmethod
    def _load(c: Contraction, operand: str) -> float:
        """What a load weighs: a vector's two; more where a filter moves along it, as it mostly lies in two lines."""
        anywhere = any(c.slides[operand, d.name] and d.stride(operand) % 8 for d in c.sums)
        return (3 if anywhere else 2) if c.lane.stride(operand) else 1

    def _sum(self, c: Contraction, d: Dim) -> _Sum:
        condition = c.condition(d.name)
        slides = [tuple((self._place[name], steps) for name, steps in c.slides[x, d.name]) for x in "ab"]
        alone = bool(c.lane_tail and d.name == c.lane_tail[0]) or (bool(c.turned) and d in c.sums[: c.outside + 1])
        return _Sum(
            d.extent, (bool(d.a), bool(d.b)), (slides[0], slides[1]), alone,
            self._place[condition.output] if condition and condition.output != c.lanes else None,
        )  # fmt: skip

    def step(self, tile: Tile) -> Step:
        """What the innermost loop does at each step."""
        if tile not in self._done:
            self._done[tile] = self._step(tile)
        return self._done[tile]

    def _step(self, tile: Tile) -> Step:
        fmas = prod([tile[n] for n in self._order])
        if self._anew:
            a, b = (self._count(x, tile) for x in OPERANDS)
            return Step(fmas, a * self._weight[0] + b * self._weight[1], fmas + min(a, b) + 2)
        window = self.window(tile)
        body, streamed = prod(window), self.streamed(tile, window)
        held = loads = 0.0
        for x in OPERANDS:
            held += 1 if x == streamed else self._count(x, tile)
            loads += self.touched(x, tile, window) / body * self._weight[x]
        return Step(fmas, loads, fmas + held + 1)

    def streamed(self, tile: Tile, window: Sequence[int]) -> int:
        """The operand of which one vector lives at a time, the other is held whole: the one with more vectors.

        But one of which the next step reads a part again (neighbouring pixels under a filter) is held.
        """
        near = self.near(tile)
        a, b = (not any(by and w > 1 for by, w in zip(near[x], window, strict=True)) for x in OPERANDS)
        return int((b, self._count(1, tile)) > (a, self._count(0, tile)))

    def touched(self, operand: int, tile: Tile, extents: Sequence[int]) -> float:
        """How much of an operand a tile reads over some extents of the sums: vectors along the lanes, or elements.

        Neighbouring pixels under a filter read the same elements, which count once.
        """
        touched = self._count(operand, tile)
        for d, extent, by in zip(self._sums, extents, self.near(tile)[operand], strict=True):
            if d.moves[operand] and extent > 1:
                touched *= extent if by is None else min(extent, 1 + by * (extent - 1))
        return touched

    def shares(self, operand: int, tile: Tile) -> bool:
        """Whether neighbouring indices of some summed dim read the same of an operand."""
        return any(self.near(tile)[operand])

    def window(self, tile: Tile) -> tuple[int, ...]:
        """How much of the sums the innermost body holds: the inner dims whole while it is short, then a part of one.

        A dim that slides over the tile may be longer, most of all where nothing else uses what is read. What the lanes,
        or the terms that exist, depend on at run time stays outside.
        """
        cells = prod([tile[n] for n in self._order])
        window: list[int] = []
        near = self.near(tile)
        body, whole = 1, True
        for d, a, b in zip(reversed(self._sums), reversed(near[0]), reversed(near[1]), strict=True):
            varies = d.alone or (d.condition is not None and tile[d.condition] <= 1)
            room = 1
            if whole and not varies:
                most = (256 if self._rows_share else 144) if a or b else 64
                room = max(1 if window else 2, int(most / (cells * body)))
            size = d.extent if d.extent <= room * 3 // 2 else _part(d.extent, room)
            whole = whole and size == d.extent and not varies
            window.append(size)
            body *= size
        return tuple(reversed(window))

    def near(self, tile: Tile) -> Near:
        """By how much of a tile neighbouring indices of each summed dim move the operands."""
        if not self._slides:
            return self._nothing
        if tile not in self._near:
            a, b = (tuple([_apart(d.slides[x], tile) for d in self._sums]) for x in OPERANDS)
            self._near[tile] = a, b
        return self._near[tile]

    def _count(self, operand: int, tile: Tile) -> float:
        """The vectors of an operand, or its elements, that a tile reads at one step."""
        return prod([tile[n] for n in self._moved[operand]])


def _apart(slides: tuple[tuple[int, int], ...], tile: Tile) -> float | None:
    return min([steps / tile[n] for n, steps in slides if steps < tile[n]], default=None)


def _part(extent: int, room: int) -> int:
    """How many of a dim's indices the body holds that has not room for all of them."""
    return next((u for u in (4, 5, 3, 2) if u <= room and extent % u == 0), min(4, room))
