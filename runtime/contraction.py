"""How a contraction is run: its register tile, units of work, blocks of the sum and packed operands.

A `Plan` follows from extents, strides, vector length and registers. It decides speed only: what is computed, bit for
bit, is the `Contraction`'s own. `print(plan(c, 16))` shows a row-major product of 512 x 512 as

    40 units: i 82x6+4x5 in blocks of 18; j 8x64 in blocks of 1, sum k:512/2, in blocks of k:256, fetches i ahead

82 tiles of six rows and four of five times eight of 64 columns; a unit has 18 of the former; the sum runs in two blocks
of 256, two steps in the loop's body, while the rows of the next tile are fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import groupby, product, takewhile
from math import inf, lcm, prod
from typing import NamedTuple

from graphc.runtime.contraction_step import Steps
from graphc.runtime.contraction_terms import Contraction, Coords, Dim, Inside, Transform, complete
from graphc.runtime.llvmtext import SIZEOF
from graphc.runtime.target import host
from graphc.schedule import NEAR, RUN_STEPS, RUN_USES

__all__ = ["Contraction", "Coords", "Dim", "Inside", "Plan", "Transform", "plan", "units"]

PANEL_BYTES = 64 * 1024
"""The part of the second-level cache that a tile's panel of the vector operand may fill: 256 steps of four vectors."""

PANEL_STEPS = 256
"""The steps of the sum in a block where the scalar operand is packed too."""

BUFFER_BYTES = 128 * 1024
"""The most that the scalar operand's panel or the accumulators that wait may take; the vector operand's, twice that."""

CHAINS = 8
"""Sums that must be under way for multiply-adds to follow one another: those of several entries of a batch, if each
has fewer."""

LONG_SUM, REUSE = 2048, 16
"""From how many steps on units may be large, and for how many vectors they then use an element of a packed operand."""

TURNED_FOR = 12
"""Tiles that share what was turned, at least: turning a vector takes as long as its multiply-adds in two tiles. Four
times as many, where that leaves a few units for each core."""

TURN = 4
"""Steps of a sum along memory that are turned into vectors along the lanes at a time, as a rule (`Plan.at_once`)."""

FEW, TURNING = 12, 8
"""Vectors that do not lie in memory are turned where they are used, if what turning takes leaves a register for every
row; more rows share a panel. So do more than a few where lines crowd, and are gone before their next part is read."""

SQUARE, WHOLE_ROWS = 8, 320
"""Steps that are turned at a time where each is used once; multiply-adds of a row up to which it is written as one."""

ROW, OUTER = "row", "+"
"""The dim in which runs lie side by side; and what the name of one gets of which some are in the row, outside of it."""

RUN_ELEMENTS, RUN_BYTES, WAITING_BYTES = 400, 400 * 1024, 512 * 1024
"""Elements of the longest row of runs side by side; and what its panel may take, and its accumulators that wait."""

READ_ANEW = 64
"""Results of each element of an operand from which on it does not matter to read it again for each entry of a batch."""

LINE, PAGE, WAYS = 64, 4096, 8
"""Bytes that a cache brings at once, those after which addresses meet in one set of the first-level cache, and how many
lines a set holds."""

SERVES = 24
"""Multiply-adds for which a unit uses a vector from afar, up to which it takes more tiles that use it."""

SHARED, FROM_AFAR = 4, 1 << 20
"""For how many multiply-adds a vector is fetched ahead of time, and of how large an operand, which comes from afar; of
half as large a one where it is rows that are fetched."""

STREAMS = 3
"""Rows of a tile up to which what comes from afar and serves one result each arrives in time: rows beside one another
are as many streams of lines for the machine to follow, and a tile of many takes a part of each."""

STREAMED = 3
"""Bytes for a multiply-add of vectors from which on memory is too slow."""

TURNED_RESULTS, CROWDED = 512, 2048
"""Steps from which storing results element by element takes no longer than having them wait; and bytes between lanes of
which multiples meet in so few sets of the cache that it does."""

FAR, CROWD = 2048, 1024
"""Bytes between neighbours from which they meet in few sets of the cache; and those whose multiples do so earlier."""

UNIT_WORK = 1 << 15
"""Vector fmas, about as many cycles or half cycles, that make a unit of work worth its overhead."""

UNITS = 32
"""The number of units that a large contraction is split into, for the threads to share."""

SHORT_SUM = 16
"""Steps up to which it counts how the result lies in memory."""

MOST_VARIANTS = 12
"""The most sizes of tile, each with code of its own, in one kernel."""


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
    turns: str | None = None
    turns_results: bool = False
    runs: tuple[Dim, ...] = ()

    @property
    def units(self) -> int:
        return prod(axis.blocks for axis in self.axes)

    @property
    def steps(self) -> int:
        """The fmas of one accumulator, of all its vectors where the lanes are summed."""
        return _steps(self.contraction, self.lanes)

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
        if self.ahead or self.rows_ahead:
            parts.append(f"fetches {' and '.join(filter(None, (self.ahead, self.rows_ahead)))} ahead")
        return f"{self.units} units: " + ", ".join(parts)


def units(c: Contraction, target_lanes: int) -> int:
    """The number of independent units of work that `emit` splits the contraction into.

    Args:
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
    """
    return plan(c, target_lanes).units


@lru_cache(maxsize=512)
def plan(c: Contraction, target_lanes: int) -> Plan:
    """Chooses the register tile, the units, the blocks and the packing.

    Args:
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
    """
    lanes = max(1, target_lanes * SIZEOF["float"] // SIZEOF[c.element])
    c, runs = _side_by_side(c.merged(), lanes)
    while not c.lanes_summed and c.lane.extent <= lanes // 2 >= TURN:  # short vectors lie in two lines less often
        lanes //= 2
    search, registers = _Search(c, lanes), _registers(target_lanes)
    turns = c.vectors if _turns(c, lanes, registers, search.steps) else None
    if c.turned:  # all results are of a tile, for which everything is turned once
        tile = {d.name: lanes if d.name == c.lanes else 1 if d in c.batch else d.extent for d in c.outputs}
        turns = _turned_once(c) if lanes >= TURN else None
        window = search.steps.window(_vectors(c, lanes, tile))
        if turns:
            last, cells = c.sums[-1].extent, prod(_vectors(c, lanes, tile))
            window = (*[1] * (len(c.sums) - 1), last if last * cells <= WHOLE_ROWS else min(SQUARE, lanes))
    elif turns:  # one vector at a time, of as many steps as it has lanes, so that lines are read once
        tile = {d.name: 1 if d.stride(turns) else d.extent for d in c.outputs} | {c.lanes: lanes}
        window = (*[1] * (len(c.sums) - 1), min(lanes, c.sums[-1].extent))
    else:
        tile = search.best(registers)
        window = search.steps.window(_vectors(c, lanes, tile))
    streamed = "ab"[search.steps.streamed(_vectors(c, lanes, tile), window)]
    chosen = Plan(c, lanes, _axes(c, lanes, tile), window, streamed, turns=turns, runs=runs)
    chosen = _blocked_runs(chosen) if runs else _together(_blocked(chosen, search.steps))
    chosen = replace(chosen, turns_results=_turns_results(chosen))
    chosen = replace(chosen, cut=_cut(chosen, search.steps))
    chosen = _read_once(chosen)
    return replace(chosen, ahead=_ahead(chosen), rows_ahead=_rows_ahead(chosen))


def _side_by_side(c: Contraction, lanes: int) -> tuple[Contraction, tuple[Dim, ...]]:
    """The contraction with runs of its lanes side by side, as one dim, and the dims whose runs these are.

    The pixels of an image under a 1x1 convolution seldom fill vectors; those of some images do. They lie so in the
    panel of the vector operand only, where a tile reads them; what it computes waits until it is finished run by run.
    """
    own, others = (c.n, c.m) if c.vectors == "b" else (c.m, c.n)
    plain = not (c.batch or c.inside or c.lanes_summed or c.turned or c.a_transform or c.b_transform)
    used = prod(d.extent for d in others) >= RUN_USES and prod(d.extent for d in c.sums) >= RUN_STEPS
    if not (plain and used and own[-1] is c.lane and c.lane.stride(c.vectors) <= NEAR):
        return c, ()
    rows = {
        (n, count): count * prod(d.extent for d in own[n + 1 :])
        for n, d in enumerate(own[:-1]) for count in range(2, d.extent + 1) if d.extent % count == 0
    }  # fmt: skip
    waste = {choice: _in_vectors(size, lanes) for choice, size in rows.items() if size <= RUN_ELEMENTS}
    short = lanes // 2 if c.lane.extent <= lanes // 2 else lanes  # vectors, of which two take as long as a whole one
    most = min(0.97 * _in_vectors(c.lane.extent, short), min(waste.values(), default=0) + 0.03)
    best = max((x for x in waste if waste[x] <= most), key=lambda choice: rows[choice], default=None)
    if best is None or not _packable(c, c.vectors, Steps(c)):
        return c, ()
    (n, count), d = best, own[best[0]]
    outer = Dim(f"{d.name}{OUTER}", d.extent // count, d.a * count, d.b * count)
    row = Dim(ROW, rows[best], int(c.vectors == "a"), int(c.vectors == "b"))
    dims = (*own[:n], *([outer] if outer.extent > 1 else []), row)
    made = replace(c, n=dims, lanes=ROW) if c.vectors == "b" else replace(c, m=dims, lanes=ROW)
    return made, (replace(d, extent=count), *own[n + 1 :])


def _in_vectors(extent: int, lanes: int) -> float:
    """How many times as much vectors hold as there is."""
    return -(-extent // lanes) * lanes / extent


def _turned_once(c: Contraction) -> str | None:
    """The operand of which every element is turned for one step of one tile, and used there at once."""
    once = [x for x in "ab" if c.sums[-1].stride(x) == 1 and not any(d.stride(x) and d.extent > 1 for d in c.m + c.n)]
    return once[-1] if once else None


def _registers(target_lanes: int) -> int:
    """Vector registers: this machine's if it has such vectors, else what is usual."""
    machine = host()
    return machine.registers if machine.lanes == target_lanes else 32 if target_lanes == 16 else 16


def _axes(c: Contraction, lanes: int, tile: Mapping[str, int]) -> tuple[Axis, ...]:
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


def _steps(c: Contraction, lanes: int) -> int:
    return prod(d.extent for d in c.sums) * (-(-c.lane.extent // lanes) if c.lanes_summed else 1)


# The register tile


class _Search:
    """The search for a contraction's register tile."""

    def __init__(self, c: Contraction, lanes: int) -> None:
        self._c, self._lanes, self._loops = c, lanes, _loops(c)
        self.steps = Steps(c, [d.name for d in self._loops])
        self._count = _steps(c, lanes)
        self._cuts: dict[tuple[str, int], _AxisCost] = {}
        self._streams = _from_afar(c) and not any(d.stride(c.vectors) == 0 and d.extent > 1 for d in c.outputs)

    def best(self, registers: int) -> dict[str, int]:
        """The register tile of least cost among those that fit: elements of each output dim."""
        c, work = self._c, _work(self._c, self._lanes)
        tiles = sorted(_tiles(c, self._lanes, registers), key=lambda tile: -prod(tile.values()))
        best, least = tiles[-1], inf
        for tile in tiles:
            cells = _vectors(c, self._lanes, tile)
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
        axes = [self._cut(d, tile[d.name]) for d in self._loops]
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

    def _cut(self, d: Dim, size: int) -> _AxisCost:
        if (d.name, size) not in self._cuts:
            axis = _axis(self._c, self._lanes, d, size)
            far = size > axis.lanes and SIZEOF[self._c.element] * max(abs(d.a), abs(d.b)) >= 8 * FAR
            cut = axis.complete is not None and size > max(len(axis.complete), 1)
            rows = size if axis.lanes == 1 else 1
            step = abs(d.stride(self._c.vectors))
            apart = SIZEOF[self._c.element] * step > 2 * LINE and step > 2 * self._c.lane.extent
            step = SIZEOF[self._c.element] * d.stride(self._c.scalars)
            crowded = rows > WAYS and step != 0 and step % PAGE == 0
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
        crowded: whether they meet in one that cannot hold them, so that every step finds them in the second level.
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


def _work(c: Contraction, lanes: int) -> int:
    """All fmas, of a vector each."""
    return _steps(c, lanes) * prod(-(-d.extent // lanes) if d.name == c.lanes else d.extent for d in c.outputs)


def _tiles(c: Contraction, lanes: int, registers: int) -> Iterator[dict[str, int]]:
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
            if prod(_vectors(c, lanes, tile)) < registers:
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


def _vectors(c: Contraction, lanes: int, tile: Mapping[str, int]) -> tuple[int, ...]:
    """A tile's sizes in the order of the output dims, in vectors along the lanes."""
    return tuple([-(-tile[d.name] // lanes) if d.name == c.lanes else tile[d.name] for d in c.outputs])


# Units of work, packing and blocks of the sum


def _blocked(chosen: Plan, steps: Steps, stream: bool = False) -> Plan:
    """Says what a unit packs, and how many tiles of each axis it takes.

    Args:
        stream: whether units read both operands from memory; found out of those that are chosen as if not.
    """
    c = chosen.contraction
    packable = [x for x in "ab" if _packable(c, x, steps) and x != chosen.turns]
    must = [x for x in packable if c.lane.stride(x) not in (0, 1)]  # vectors that do not lie in memory: gathered once
    may = [x for x in packable if _far(c, x) and _pays(chosen, x)]
    units = _Units(chosen, must, may, stream)
    found = replace(chosen, axes=units.axes(), packed=frozenset(units.packed))
    small = units.long and not units.large and not units.packed
    return _blocked(chosen, steps, True) if small and _streams(found, steps) else found


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
        self._size, self._scalars_packed = SIZEOF[c.element], c.scalars in may
        self.long = chosen.steps >= LONG_SUM
        self.large, self._turned = self.long and (stream or self._scalars_packed), bool(must) and self.long
        self._kept = min(
            chosen.steps, PANEL_BYTES // tile or 1, PANEL_STEPS if self._scalars_packed else chosen.steps
        )
        self._rooms = {c.scalars: BUFFER_BYTES << self.large, c.vectors: 2 * BUFFER_BYTES}
        self._total = _work(c, chosen.lanes)
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


def _blocked_runs(chosen: Plan) -> Plan:
    """The same for rows of runs: a unit takes a whole row, which it packs, and as many results of it as can wait."""
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    axes = [replace(axis, block=axis.tiles if axis.dim is c.lane else 1) for axis in chosen.axes]
    for n, axis in reversed([*enumerate(axes)]):
        if not axis.dim.stride(c.vectors):
            one = prod(x.span for x in axes)
            share = -(-_work(c, chosen.lanes) // (host().cores * one * chosen.steps))
            tiles = min(axis.tiles, max(share, TURNED_FOR), max(WAITING_BYTES // (one * chosen.lanes * size), 1))
            axes[n] = replace(axis, block=-(-axis.tiles // -(-axis.tiles // tiles)))
    return replace(chosen, axes=tuple(axes), packed=frozenset(c.vectors))


def _together(chosen: Plan) -> Plan:
    """Units of many tiles where a few of them alone would read the vectors of a long sum from afar.

    The sum of such a unit is cut (`_cut`): a part of the vectors meets all its tiles while it is in the cache.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    rows = [axis for axis in chosen.axes if not axis.dim.stride(c.vectors)]
    few = chosen.steps >= LONG_SUM and _from_afar(c) and prod(axis.span for axis in rows) <= SERVES
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


def _read_once(chosen: Plan) -> Plan:
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


def _turns_results(chosen: Plan) -> bool:
    """Whether results are turned, by squares, and so stored a vector at a time where their lanes lie apart."""
    c, axes = chosen.contraction, {axis.dim.name: axis for axis in chosen.axes}
    if not c.along or not c.sums or c.lanes_summed or c.turned or chosen.runs or chosen.lanes < TURN:
        return False
    axis, crowded = axes[c.along], SIZEOF[c.element] * c.apart % CROWDED == 0
    filled = 2 * min(axis.dim.extent, c.lane.extent) >= chosen.lanes
    return axis.blocks == 1 and filled and (crowded or chosen.steps < TURNED_RESULTS)


def _streams(chosen: Plan, steps: Steps) -> bool:
    """Whether units read both operands from afar, and so much of them that memory is slower than multiply-adds."""
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    if not all(_packable(c, x, steps) and _from_afar(c, x) for x in "ab"):
        return False
    read = [prod(x.span * x.lanes for x in chosen.axes if x.dim.stride(operand)) for operand in "ab"]
    return size * sum(read) > STREAMED * prod(axis.span for axis in chosen.axes)


def _packable(c: Contraction, operand: str, steps: Steps) -> bool:
    """Whether a block of an operand may be copied: no part of it would be twice, and no place must not be read."""
    dims, whole = {d.name: d for d in c.outputs + c.k}, tuple([d.extent for d in c.outputs])
    bounded = any(dims[x.output].stride(operand) and dims[x.summed].stride(operand) for x in c.inside)
    return not c.lanes_summed and not c.turned and not bounded and not steps.shares("ab".index(operand), whole)


def _turns(c: Contraction, lanes: int, registers: int, steps: Steps) -> bool:
    """Whether tiles turn the vector operand: its steps lie along memory, not its vectors, and few rows use them."""
    if not c.sums or c.sums[-1].stride(c.vectors) != 1 or c.lane.stride(c.vectors) in (0, 1) or lanes < TURN:
        return False
    most, crowded = registers - TURNING, SIZEOF[c.element] * c.lane.stride(c.vectors) % FAR == 0
    uses = prod(d.extent for d in c.outputs if not d.stride(c.vectors))
    return uses <= (min(FEW, most) if crowded else most) and _packable(c, c.vectors, steps)


def _far(c: Contraction, operand: str) -> bool:
    """Whether an operand's steps lie so far apart that they crowd one another out of the cache, unless copied."""
    steps = [abs(d.stride(operand)) * SIZEOF[c.element] for d in c.sums if d.stride(operand)]
    if not steps or (steps[-1] < FAR and steps[-1] % CROWD):
        return False
    if c.lane.stride(operand):
        return c.lane.stride(operand) == 1
    return c.transform(operand) is None and any(d.stride(operand) == 1 for d in c.outputs)


def _pays(chosen: Plan, operand: str) -> bool:
    """Whether enough tiles read a packed operand again.

    Several lines side by side at each step need no packing: they are fetched together.
    """
    others = [axis for axis in chosen.axes if not axis.dim.stride(operand)]
    again = prod(axis.tiles for axis in others)
    if operand == chosen.contraction.scalars:
        long = chosen.steps >= LONG_SUM and prod(axis.vectors for axis in others) >= 2
        return long or (again >= 4 and chosen.steps >= 2 * PANEL_STEPS)
    return again >= 16 and _tile_bytes(chosen) <= 2 * LINE


def _cut(chosen: Plan, steps: Steps) -> Cut | None:
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
    return _cut_to(chosen, int(most)) if most < chosen.steps else None


def _ahead(chosen: Plan) -> str | None:
    """Along which dim the next tile's vectors are worth fetching, a cache line each: those that come from afar.

    That is where many multiply-adds use each, and no other block of the sum comes before the next tile.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    again = prod(axis.tile for axis in chosen.axes if not axis.dim.stride(c.vectors))
    whole_lines = chosen.lanes * size == LINE and c.lane.stride(c.vectors) == 1 and c.vectors not in chosen.packed
    if c.lanes_summed or not whole_lines or again < SHARED or not _from_afar(c):
        return None
    axis = next((x for x in reversed(chosen.axes) if x.dim.stride(c.vectors) and x.tiles > 1), None)
    return axis.dim.name if axis and (not chosen.cut or axis.block > 1) else None


def _rows_ahead(chosen: Plan) -> str | None:
    """Along which dim the next tile's rows are worth fetching: rows that lie along the sum, of what comes from afar.

    Each is a stream of lines of its own, and ends before the machine has seen where it goes. Not rows that are whole
    pages apart: these meet in one set of the first-level cache, where the next tile's would drive out this one's.
    """
    c = chosen.contraction
    line = LINE // SIZEOF[c.element]
    if c.lanes_summed or c.turned or chosen.runs or c.scalars in chosen.packed or 2 * _reach(c, c.scalars) < FROM_AFAR:
        return None
    run = 1  # elements side by side that steps read one after the other
    for d in reversed(c.sums):
        run *= d.extent if d.stride(c.scalars) == run else 1
    axis = next((x for x in reversed(chosen.axes) if x.dim.stride(c.scalars) and x.tiles > 1), None)
    if axis is None or run < line or axis.dim.stride(c.scalars) < line:
        return None
    return axis.dim.name if axis.dim.stride(c.scalars) * SIZEOF[c.element] % PAGE else None


def _from_afar(c: Contraction, operand: str = "") -> bool:
    """Whether an operand, the vectors' by default, is so large that it is read from beyond the second-level cache."""
    return _reach(c, operand or c.vectors) >= FROM_AFAR


def _reach(c: Contraction, operand: str) -> int:
    """Bytes from an operand's first element to its last."""
    return SIZEOF[c.element] * sum((d.extent - 1) * abs(d.stride(operand)) for d in c.outputs + c.k)


def _cut_to(chosen: Plan, steps: int) -> Cut | None:
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
