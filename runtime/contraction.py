"""Contractions: every matrix product and every pass of a convolution, described by affine strides, and planned.

A `Contraction` says what is summed; its `Plan` says how one kernel computes it (register tile, blocking, packing);
`contraction_emit.emit` writes that kernel. The arithmetic belongs to the description alone: each output element is

    acc = +0.0;  for k in the given nested order:  acc = fma(a, b, acc)

so the bits do not depend on the plan, on the vector width, or on how the units of work are shared out. Row-major
`C[i, j] = sum_k A[i, k] * B[k, j]` with M x K and K x N operands is

    Contraction(m=(Dim("i", M, a=K, b=0),), n=(Dim("j", N, a=0, b=1),), k=(Dim("k", K, a=1, b=N),), lanes="j")

When `lanes` names a summed dim of extent L <= 16, each output element is sixteen such chains, one for each index of
that dim (those past L are +0.0), folded by s[l] += s[l + 8], then + 4, + 2, + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import groupby, product
from math import inf, lcm, prod

from graphc.runtime.llvmtext import SIZEOF, Builder, Val
from graphc.runtime.target import host

PANEL_BYTES = 64 * 1024
"""The part of the second-level cache that a tile's panel of the vector operand may fill: 256 steps of four vectors."""

TURN = 4
"""Steps of a sum along memory that packing turns into vectors along the lanes at a time."""

FAR = 2048
"""Bytes between neighbours from which they meet in few sets of the cache."""

PANEL_STEPS = 256
"""The steps of the sum in a block where the scalar operand is packed too."""

LINE = 64
"""Bytes that a cache brings at once."""

BUFFER_BYTES = 128 * 1024
"""The most that the panels of one packed operand, or the accumulators that wait between blocks, may take."""

UNIT_WORK = 1 << 15
"""Vector multiply-adds, about as many cycles or half cycles, that make a unit of work worth its overhead."""

UNITS = 32
"""The number of units that a large contraction is split into, for the threads to share."""

LOGICAL_LANES = 16
"""The number of partial sums when the lanes lie along a summed dim, whatever the machine's vectors hold."""

Coords = Mapping[str, tuple[Val, int]]
"""A dim's coordinate: an i64 value plus a constant."""

Transform = Callable[[Builder, Coords, Val], Val]
"""Maps a loaded operand, scalar or vector along the lanes, given the coordinates of lane 0, before it is multiplied."""


@dataclass(frozen=True)
class Dim:
    """One coordinate of a contraction: its extent, and its element strides in the operands (0: does not move it)."""

    name: str
    extent: int
    a: int
    b: int

    def __str__(self) -> str:
        return f"{self.name}:{self.extent}({self.a},{self.b})"


@dataclass(frozen=True)
class Inside:
    """A condition on the terms of a sum: 0 <= start + output_step * output + sum_step * summed < extent.

    Terms that do not meet it are left out of the chain: so a convolution reads an operand as if it had a margin.
    """

    output: str
    summed: str
    output_step: int
    sum_step: int
    start: int
    extent: int

    def terms(self, output: int, count: int) -> range:
        """The indices, of `count`, of the summed dim that exist at an output coordinate."""
        found = [k for k in range(count) if 0 <= self.start + self.output_step * output + self.sum_step * k < self.extent]
        return range(found[0], found[-1] + 1) if found else range(0)

    @lru_cache(maxsize=256)  # noqa: B019 - frozen, and few
    def everywhere(self, outputs: int, count: int) -> range:
        """The output coordinates at which all terms exist."""
        found = [x for x in range(outputs) if len(self.terms(x, count)) == count]
        return range(found[0], found[-1] + 1) if found else range(0)


@dataclass(frozen=True)
class Contraction:
    """C[batch, m, n] = the sum over k of A * B.

    Args:
        batch: output dims that move both operands, or neither.
        m: output dims that move A only.
        n: output dims that move B only.
        k: summed dims, outermost first; their nested order is the order of the sum.
        lanes: the dim that lies across the vector.
        element: "float" or "double".
        lane_tail: (dim, valid): at the last index of that summed dim only `valid` lanes exist (lanes in k only).
        inside: which terms exist, where that depends on the output's coordinates; not for the dim of the lanes.
        a_transform, b_transform: applied to every loaded value before it is multiplied.
    Raises:
        ValueError: the dims contradict each other.
    """

    batch: tuple[Dim, ...] = ()
    m: tuple[Dim, ...] = ()
    n: tuple[Dim, ...] = ()
    k: tuple[Dim, ...] = ()
    lanes: str = ""
    element: str = "float"
    lane_tail: tuple[str, int] | None = None
    inside: tuple[Inside, ...] = ()
    a_transform: Transform | None = None
    b_transform: Transform | None = None

    def __post_init__(self) -> None:
        dims = self.outputs + self.k
        names = [d.name for d in dims]
        if len(set(names)) != len(names):
            raise ValueError(f"contraction: dims need different names, got {', '.join(names)}")
        for d in dims:
            if d.extent < 1:
                raise ValueError(f"contraction: dim {d.name} has extent {d.extent}, expected at least 1")
        for group, operand, stray in ((self.m, "B", "b"), (self.n, "A", "a")):
            for d in group:
                if getattr(d, stray):
                    raise ValueError(f"contraction: dim {d.name} must not move {operand}, got stride {getattr(d, stray)}")
        if self.lanes not in names:
            raise ValueError(f"contraction: lanes {self.lanes!r} is not a dim, got {', '.join(names)}")
        if self.element not in ("float", "double"):
            raise ValueError(f"contraction: element must be float or double, got {self.element}")
        if self.lanes_summed and self.lane.extent > LOGICAL_LANES:
            raise ValueError(
                f"contraction: {self.lanes} sums over {self.lane.extent} lanes, expected at most {LOGICAL_LANES}"
            )
        if self.lane_tail is not None:
            name, valid = self.lane_tail
            if not self.lanes_summed or name == self.lanes or name not in [d.name for d in self.k] or valid < 1:
                raise ValueError(
                    f"contraction: lane_tail {self.lane_tail} needs lanes in k, another summed dim, and a count >= 1"
                )

        for x in self.inside:
            outputs, sums = [d.name for d in self.outputs], [d.name for d in self.k]
            if x.output not in outputs or x.summed not in sums or self.lanes in (x.output, x.summed) or not x.sum_step:
                raise ValueError(f"contraction: {x} does not relate an output dim to a summed one, neither the lanes'")
        bounded = [name for x in self.inside for name in (x.output, x.summed)]
        if len(set(bounded)) != len(bounded):
            raise ValueError(f"contraction: at most one condition for each dim, got {', '.join(bounded)}")

    @property
    def outputs(self) -> tuple[Dim, ...]:
        return self.batch + self.m + self.n

    @property
    def lane(self) -> Dim:
        return next(d for d in self.outputs + self.k if d.name == self.lanes)

    @property
    def lanes_summed(self) -> bool:
        return any(d.name == self.lanes for d in self.k)

    @property
    def sums(self) -> tuple[Dim, ...]:
        """The summed dims a chain runs over: all but one that lies across the lanes."""
        return tuple(d for d in self.k if d.name != self.lanes)

    def condition(self, dim: str) -> Inside | None:
        """The condition on the terms that a dim, an output's or a summed one, takes part in."""
        return next((x for x in self.inside if dim in (x.output, x.summed)), None)

    def merged(self) -> Contraction:
        """The same sum with the fewest `sums`: neighbours that step as one become one, those of extent 1 go."""
        if self.a_transform or self.b_transform:
            return self
        fixed = {x.summed for x in self.inside} | ({self.lane_tail[0]} if self.lane_tail else set())
        sums: list[Dim] = []
        for d in self.sums:
            outer = sums[-1] if sums else None
            if d.extent == 1 and d.name not in fixed:
                continue
            if outer and {outer.name, d.name}.isdisjoint(fixed) and (
                outer.a == d.a * d.extent and outer.b == d.b * d.extent
            ):
                sums[-1] = Dim(f"{outer.name}.{d.name}", outer.extent * d.extent, d.a, d.b)
            else:
                sums.append(d)
        return replace(self, k=tuple(sums) + ((self.lane,) if self.lanes_summed else ()))

    def __str__(self) -> str:
        groups = (("batch", self.batch), ("m", self.m), ("n", self.n), ("k", self.k))
        dims = "  ".join(f"{name} {' '.join(map(str, dims))}" for name, dims in groups if dims)
        return f"{self.element} {dims}  lanes {self.lanes}"


# The plan


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
    can be: 64 by at most 14 is 13, 13, 13, 13, 12. `whole` are the coordinates at which all terms of the sum exist; a
    tile that is not among them is a group of its own, so that its terms are known when the kernel is written.
    """

    dim: Dim
    tile: int
    block: int = 1
    lanes: int = 1
    whole: range | None = None

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        short = -self.dim.extent % self.lanes
        sizes = [(self.small + self.lanes, self.larger), (self.small, self.tiles - self.larger)]
        if short:
            sizes = [*sizes[:1], (self.small, self.tiles - self.larger - 1), (self.small - short, 1)]
            if self.larger == self.tiles:
                raise AssertionError("the last tile is a smaller one")
        groups: list[Group] = []
        first = start = 0
        for size, count in sizes:
            for some in self._alike(start, size, count):
                groups.append(Group(first, some, start, size))
                first, start = first + some, start + some * size
        return tuple(groups)

    def _alike(self, start: int, size: int, count: int) -> Iterator[int]:
        """Splits `count` tiles into runs of one kind: those inside `whole` together, every other one alone."""
        if not self.whole_matters:
            if count:
                yield count
            return
        assert self.whole is not None
        inner = [self.whole.start <= x and x + size <= self.whole.stop for x in range(start, start + size * count, size)]
        for inside, run in groupby(inner):
            yield from [len(list(run))] if inside else [1 for _ in run]

    @property
    def whole_matters(self) -> bool:
        """Whether some terms do not exist somewhere, in a tile of several elements."""
        return self.whole is not None and self.tile > 1

    @property
    def tiles(self) -> int:
        return -(-self.dim.extent // self.tile)

    @property
    def blocks(self) -> int:
        return -(-self.tiles // self.block)

    @property
    def small(self) -> int:
        """The size of the smaller tiles, in whole vectors."""
        return -(-self.dim.extent // self.lanes) // self.tiles * self.lanes

    @property
    def larger(self) -> int:
        """How many tiles, the first ones, are one vector larger."""
        return -(-self.dim.extent // self.lanes) % self.tiles

    @property
    def span(self) -> int:
        """The most elements, on the dim of the lanes vectors, that a unit takes along this axis."""
        return self.block * self.small // self.lanes + min(self.block, self.larger)

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
        cut: the sum's blocks, whose raw partial sums are kept between them; None where one block holds it all.
        packed: the operands ("a", "b") copied into panels before use.
    """

    contraction: Contraction
    lanes: int
    axes: tuple[Axis, ...]
    window: tuple[int, ...]
    cut: Cut | None = None
    packed: frozenset[str] = frozenset()

    @property
    def units(self) -> int:
        return prod(axis.blocks for axis in self.axes)

    def __str__(self) -> str:
        sums = self.contraction.sums
        parts = ["; ".join(map(str, self.axes))]
        if sums:
            parts.append("sum " + " ".join(f"{d.name}:{d.extent}/{w}" for d, w in zip(sums, self.window, strict=True)))
        if self.cut:
            parts.append(f"in blocks of {sums[self.cut.level].name}:{self.cut.size}")
        if self.packed:
            parts.append("packs " + " ".join(sorted(self.packed)))
        return f"{self.units} units: " + ", ".join(parts)


def units(c: Contraction, target_lanes: int) -> int:
    """The number of independent units of work that `emit` splits the contraction into.

    Args:
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
    """
    return plan(c, target_lanes).units


def plan(c: Contraction, target_lanes: int) -> Plan:
    """Chooses the register tile, the blocks and the packing from the extents and strides alone."""
    lanes = max(1, target_lanes * 4 // SIZEOF[c.element])
    c = c.merged()
    tile = min(_tiles(c, lanes, _registers(target_lanes)), key=lambda t: _cost(c, lanes, t))
    vectors = {name: -(-size // lanes) if name == c.lanes else size for name, size in tile.items()}
    chosen = _blocked(Plan(c, lanes, _axes(c, lanes, tile), _window(c, vectors)))
    return replace(chosen, cut=_cut(chosen))


def _registers(target_lanes: int) -> int:
    """Vector registers of a machine; of one with other vectors than this one's, what is usual."""
    machine = host()
    return machine.registers if machine.lanes == target_lanes else 32 if target_lanes == 16 else 16


def _axes(c: Contraction, lanes: int, tile: Mapping[str, int]) -> tuple[Axis, ...]:
    """The output dims cut into tiles: batches outermost, then the vector operand's dims, then those that reuse it."""
    last = c.m if _vector_operand(c) == "b" else c.n
    axes = []
    for d in c.batch + (c.n if last is c.m else c.m) + last:
        condition = c.condition(d.name)
        count = next((k.extent for k in c.sums if condition and k.name == condition.summed), 0)
        whole = condition.everywhere(d.extent, count) if condition else None
        axes.append(Axis(d, tile[d.name], 1, lanes if d.name == c.lanes else 1, whole))
    return tuple(axes)


def _vector_operand(c: Contraction) -> str:
    """The operand that is read a vector at a time."""
    return "b" if c.lane.b else "a"


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


def _tiles(c: Contraction, lanes: int, registers: int) -> Iterator[dict[str, int]]:
    """Every register tile that fits: elements of each output dim."""
    parts = -(-c.lane.extent // lanes) if c.lanes_summed else 1
    m, n = (tuple(d for d in dims if d.name != c.lanes) for dims in (c.m, c.n))
    vectors = 1 if c.lanes_summed else -(-c.lane.extent // lanes)
    for along in _sizes(vectors, 8):
        for rows, columns in product(_boxes(m, registers - 4), list(_boxes(n, registers - 4)) if along == 1 else [{}]):
            tile = {d.name: 1 for d in c.outputs} | rows | columns
            if not c.lanes_summed:
                tile[c.lanes] = along * lanes
            cells = tile | ({} if c.lanes_summed else {c.lanes: along})
            count = prod(cells.values())
            if count == 1 or (count * parts < registers and _step(c, cells, parts).registers <= registers):
                yield tile


def _touched(c: Contraction, operand: str, tile: Mapping[str, float], extents: Sequence[int]) -> float:
    """How much of an operand a tile reads over some extents of the sums: vectors along the lanes, or elements.

    Neighbouring pixels under a filter read the same elements, which count once.
    """
    touched = prod(tile[d.name] for d in c.outputs if getattr(d, operand))
    for d, extent in zip(c.sums, extents, strict=True):
        if getattr(d, operand):
            apart = _apart(c, operand, tile, d)
            touched *= extent if apart is None else min(extent, 1 + apart * (extent - 1))
    return touched


def _apart(c: Contraction, operand: str, tile: Mapping[str, float], d: Dim) -> float | None:
    """By how much of a tile neighbouring indices of a summed dim move it; None where they share nothing."""
    step, strides = abs(getattr(d, operand)), {t.name: abs(getattr(t, operand)) for t in c.outputs}
    shares = [step // s / tile[name] for name, s in strides.items() if step and s and step % s == 0]
    return min((share for share in shares if share < 1), default=None)


@dataclass(frozen=True)
class _Step:
    """One step of the sum in a register tile: fmas, loads (a vector counts as two), and registers held."""

    fmas: float
    loads: float
    registers: float


def _step(c: Contraction, tile: Mapping[str, float], parts: int = 1) -> _Step:
    """What the innermost loop does at each step, for a tile of vectors along the lanes.

    Of the operand with more vectors one lives at a time, the other is held whole; and so is one of which the next
    step reads a part again, which it then need not load.
    """
    fmas = prod(tile.values())
    window = _window(c, tile)
    one = {x: _touched(c, x, tile, [1] * len(window)) for x in "ab"}
    many = {x: _touched(c, x, tile, window) / prod(w for d, w in zip(c.sums, window, strict=True)) for x in "ab"}
    reread = {x: many[x] < one[x] and all(w == 1 or getattr(d, x) for d, w in zip(c.sums, window, strict=True)) for x in "ab"}
    held = sum(one[x] if reread[x] or one[x] < one[y] or (one[x] == one[y] and x == "a") else 1 for x, y in ("ab", "ba"))
    loads = sum(many[x] * (2 if getattr(c.lane, x) else 1) for x in "ab")
    return _Step(fmas, loads, parts * fmas + held + 1)


def _cost(c: Contraction, lanes: int, tile: Mapping[str, int]) -> float:
    """Half cycles for all tiles: two fmas and two loads a cycle, a latency of four, and some work for each tile."""
    axes = _axes(c, lanes, tile)
    tiles = prod(axis.tiles for axis in axes)
    step = _step(c, {axis.dim.name: -(-axis.dim.extent // axis.lanes) / axis.tiles for axis in axes})
    far = sum(axis.tile > axis.lanes and max(abs(axis.dim.a), abs(axis.dim.b)) >= 2 * FAR for axis in axes)
    variants = prod(len(axis.groups) for axis in axes)
    if variants > 12:
        return inf
    each = _steps(c, lanes) * max(step.fmas + 0.3 * step.loads, 0.8 * step.loads, 8) + 2 * step.fmas + 16
    return tiles * each * (1 + 0.01 * variants + 0.02 * far)


def _window(c: Contraction, tile: Mapping[str, float]) -> tuple[int, ...]:
    """How much of the sums the innermost body holds: the inner dims whole while it stays short, then a part of the next.

    What the lanes, or the terms that exist, depend on at run time stays outside.
    """
    cells = prod(tile.values())
    window: list[int] = []
    for d in reversed(c.sums):
        condition = c.condition(d.name)
        slides = any(_apart(c, x, tile, d) is not None for x in "ab")
        room = max(1 if window else 2, int((144 if slides else 64) / (cells * prod(window))))
        if (
            any(w < s.extent for w, s in zip(reversed(window), reversed(c.sums), strict=False))
            or (c.lane_tail and d.name == c.lane_tail[0])
            or (condition and tile[condition.output] <= 1)
        ):
            room = 1
        if d.extent <= room * 3 // 2:
            window.insert(0, d.extent)
        else:
            window.insert(0, next((u for u in (4, 5, 3, 2) if u <= room and d.extent % u == 0), min(4, room)))
    return tuple(window)


def _steps(c: Contraction, lanes: int) -> int:
    """The fmas of one accumulator."""
    return prod(d.extent for d in c.sums) * (-(-c.lane.extent // lanes) if c.lanes_summed else 1)


def _blocked(chosen: Plan) -> Plan:
    """Says how many tiles of each axis a unit takes, and what it packs.

    The innermost axes grow first, until a unit is worth its overhead. Where panels are shared, a unit is larger; where
    that of the scalar operand is, the axes that move it stop when a block of it fills its share of the cache.
    """
    c, size = chosen.contraction, SIZEOF[chosen.contraction.element]
    vectors, scalar = ("b", "a") if _vector_operand(c) == "b" else ("a", "b")
    steps = _steps(c, chosen.lanes)
    tile = prod(axis.span * axis.lanes for axis in chosen.axes if getattr(axis.dim, vectors)) * size
    must = [x for x in "ab" if _scattered(c, x)]
    again = {x: prod(axis.tiles for axis in chosen.axes if not getattr(axis.dim, x)) for x in "ab"}
    pays = {vectors: tile <= 2 * LINE and again[vectors] >= 16, scalar: steps >= 2 * PANEL_STEPS and again[scalar] >= 4}
    may = [x for x in "ab" if _far(c, x) and pays[x]]
    kept = min(steps, PANEL_BYTES // tile, PANEL_STEPS if scalar in may else steps)
    total = steps * prod(-(-axis.dim.extent // axis.lanes) for axis in chosen.axes)
    enough = min(max(UNIT_WORK, total // UNITS), 64 * UNIT_WORK)
    enough = max(enough, (32 if scalar in may else 8 if must or may else 0) * UNIT_WORK)
    axes = list(chosen.axes)
    for n in reversed(range(len(axes))):
        axis = axes[n]

        def room(operand: str, most: int) -> int:
            """How many tiles of this axis a block of an operand can have in so many bytes."""
            moved = [x.span * x.lanes for x in axes if x is not axis and getattr(x.dim, operand)]
            return most // (prod(moved) * axis.small * kept * size)

        spans = prod(x.span for x in axes)
        tiles = min(round(enough / (spans * steps)), axis.span * BUFFER_BYTES // (spans * chosen.lanes * size))
        if getattr(axis.dim, scalar) and scalar in may:
            tiles = min(tiles, room(scalar, BUFFER_BYTES))
        if getattr(axis.dim, vectors) and vectors in must + may:
            tiles = min(tiles, room(vectors, 2 * BUFFER_BYTES))
        tiles = max(1, min(axis.tiles, tiles))
        axes[n] = replace(axis, block=-(-axis.tiles // -(-axis.tiles // tiles)))
    return replace(chosen, axes=tuple(axes), packed=frozenset(must + may))


def _packable(c: Contraction, operand: str) -> bool:
    """Whether a block of an operand may be copied: no part of it twice, and no place that must not be read."""
    whole = {d.name: d.extent for d in c.outputs}
    return not c.lanes_summed and all(_apart(c, operand, whole, d) is None for d in c.sums)


def _scattered(c: Contraction, operand: str) -> bool:
    """Whether an operand's vectors do not lie in memory, so that they are better gathered once."""
    return getattr(c.lane, operand) not in (0, 1) and _packable(c, operand)


def _far(c: Contraction, operand: str) -> bool:
    """Whether an operand's steps lie so far apart that they crowd one another out of the cache, unless copied."""
    steps = [abs(getattr(d, operand)) for d in c.sums if getattr(d, operand)]
    if not steps or steps[-1] * SIZEOF[c.element] < FAR or not _packable(c, operand):
        return False
    if getattr(c.lane, operand):
        return getattr(c.lane, operand) == 1
    transform = c.a_transform if operand == "a" else c.b_transform
    return transform is None and any(getattr(d, operand) == 1 for d in c.outputs)


def _cut(chosen: Plan) -> Cut | None:
    """Cuts the sum where the vector operand's panel would not stay in the first-level cache till other tiles reread it.

    A packed operand is cut as well where its panels would take too much of the stack.
    """
    c = chosen.contraction
    if c.lanes_summed:
        return None
    side = _vector_operand(c)
    size = chosen.lanes * SIZEOF[c.element]
    tile = {axis.dim.name: -(-axis.groups[0].size // axis.lanes) for axis in chosen.axes}
    panel = size * _touched(c, side, tile, [d.extent for d in c.sums])
    again = prod(axis.block for axis in chosen.axes if not getattr(axis.dim, side))
    steps = most = _steps(c, chosen.lanes)
    if again > 1 and panel > PANEL_BYTES * 3 // 2:
        most = max(1, int(steps * PANEL_BYTES / panel))
    if any(getattr(c.lane, operand) == 0 for operand in chosen.packed):
        most = min(most, PANEL_STEPS)
    for operand in chosen.packed:
        moved = [axis for axis in chosen.axes if getattr(axis.dim, operand)]
        bytes_ = SIZEOF[c.element] * prod(axis.span * axis.lanes for axis in moved)
        most = min(most, max(chosen.window[-1], (BUFFER_BYTES if getattr(c.lane, operand) == 0 else 2 * BUFFER_BYTES) // bytes_))
    return _cut_to(c, chosen.window, most) if most < steps else None


def _cut_to(c: Contraction, window: Sequence[int], steps: int) -> Cut | None:
    """Blocks of about `steps` steps, as equal as can be, and whole in the unrolled body."""
    inner = 1
    for level in reversed(range(len(c.sums))):
        extent = c.sums[level].extent
        if inner * extent > steps:
            size = -(-extent // -(-extent * inner // steps))
            whole = lcm(window[level], TURN if level == len(c.sums) - 1 else 1)
            size = -(-size // whole) * whole
            cut = Cut(level, size) if size < extent else Cut(level - 1, 1)
            return cut if cut.level >= 0 and not any(c.condition(d.name) for d in c.sums[: cut.level + 1]) else None
        inner *= extent
    return None
