"""The schedule: a graph cut into groups, one kernel each, in the order in which they run; and where values live.

A `Group` computes some nodes and stores those of them that are read elsewhere. A `Layout` says at which address a
stored value keeps the element at an index. A `MemoryPlan` gives every stored value a home: an input's own buffer, an
output's, or an offset in the arena.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING

from graphc.index import Ix, IxLike
from graphc.ir import Graph, Node
from graphc.irtext import node_names

if TYPE_CHECKING:
    from graphc.loops import Buffer

LANES = 16
"""How many images of a batch lie side by side in the batch-blocked layout; a vector of floats on the widest target."""

NEAR, READ_NEAR = 4, 9
"""Elements from lane to lane up to which kernels move whole vectors and put them in order, instead of one by one; and
up to which they read so, as a filter of 3 x 3, and write several values of which each lies between the others."""

TURNED, TAPS = 4096, 25
"""Elements of each lane that a kernel turns, where lanes lie far apart, for one step of a sum at most; and how many
results it then has at most in a tile: those that a filter's taps are summed to."""

RUN_USES, RUN_STEPS = 64, 64
"""For how many results, and over how many steps of a sum, a kernel copies runs of rows side by side to fill vectors."""

FAR = 64
"""Elements: neighbours whose distance is a multiple of it meet in few sets of the first-level cache."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor lies in memory.

    Attributes:
        shape: the tensor's.
        blocked: `[N/16, ..., 16]`: sixteen entries of the first (batch) axis innermost, so that a vector holds the same
            element of sixteen images and no other axis needs padding (the first is filled up to a multiple of 16).
        order: otherwise the axes from the outermost to the innermost; row-major if empty.
        within: where it lies inside the memory of another value, if it does.
    """

    shape: tuple[int, ...]
    blocked: bool = False
    order: tuple[int, ...] = ()
    within: Window | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes from the outermost to the innermost, where the layout is not blocked."""
        return self.order or tuple(range(len(self.shape)))

    @property
    def extents(self) -> tuple[int, ...]:
        """The extents of the memory, outermost first, gaps included that keep neighbours from meeting in the cache."""
        if self.blocked:
            blocks, channels, plane = -(-self.shape[0] // LANES), prod(self.shape[1:2]), prod(self.shape[2:])
            return blocks, channels, plane + (plane * LANES % FAR == 0), LANES
        found = tuple(self.shape[a] for a in self.axes)
        return (*found[:-1], found[-1] + LANES * (found[-1] % FAR == 0)) if self.order else found

    @property
    def elements(self) -> int:
        return prod(self.extents)

    def address(self, index: Sequence[IxLike]) -> Ix:
        """The offset, in elements, of the element at `index`."""
        if self.within:
            return self.within.address(index, self.shape)
        if not self.blocked:
            return ravel([index[a] for a in self.axes], self.extents)
        image, channel = Ix.of(index[0]), (*index[1:2], 0)[0]
        return ravel([image // LANES, channel, ravel(index[2:], self.shape[2:]), image % LANES], self.extents)

    def walks_like(self, other: Layout) -> bool:
        """Whether the memory of both, of one shape, is walked through in the same order."""
        return (self.shape, self.blocked, self.order) == (other.shape, other.blocked, other.order)

    @property
    def arrangement(self) -> str:
        """The order of its elements, wherever it lies."""
        if self.blocked:
            return f"[{self.shape[0]}/{LANES},{','.join(map(str, (*self.shape[1:], LANES)))}]"
        return f"axes {self.order}" if self.order else "rows"

    def __str__(self) -> str:
        return f"{self.arrangement} {self.within}" if self.within else self.arrangement


@lru_cache(maxsize=4096)
def rows(shape: tuple[int, ...]) -> Layout:
    """Row-major, as everything lies that has no other layout."""
    return Layout(shape)


def layout_of(node: Node, layouts: Mapping[Node, Layout]) -> Layout:
    """How a node lies if it is stored: as `layouts` say, or in rows."""
    return layouts.get(node) or rows(node.shape)


@dataclass(frozen=True, slots=True)
class Window:
    """The place of a value inside another one, `whole`, of which it is a part.

    Attributes:
        layout: that of the whole.
        begin, step: the index of the part's first element, and the steps to its neighbours.
        shape: the part's as the whole sees it: its own, or one that it is reshaped to.
    """

    whole: Node
    layout: Layout
    begin: tuple[int, ...]
    step: tuple[int, ...]
    shape: tuple[int, ...]

    def address(self, index: Sequence[IxLike], shape: tuple[int, ...]) -> Ix:
        """The offset in the whole's memory of the part's element at `index`, the part being of `shape`."""
        seen = index if shape == self.shape else unravel(ravel(index, shape), self.shape)
        return self.layout.address([Ix.of(i) * s + lo for i, lo, s in zip(seen, self.begin, self.step, strict=True)])

    def __str__(self) -> str:
        steps = f" by {list(self.step)}" if any(s != 1 for s in self.step) else ""
        return f"at {list(self.begin)}{steps}"


def ravel(index: Sequence[IxLike], shape: Sequence[int]) -> Ix:
    """The row-major position of `index` in an array of `shape`."""
    position = Ix.of(0)
    for i, extent in zip(index, shape, strict=True):
        position = position * extent + Ix.of(i)
    return position


def unravel(position: IxLike, shape: Sequence[int]) -> list[Ix]:
    """The index of the element at a row-major position."""
    rest = Ix.of(position)
    index: list[Ix] = []
    for extent in reversed(shape[1:]):
        index.append(rest % extent)
        rest = rest // extent
    return [rest, *reversed(index)] if shape else []


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes computed together by one kernel.

    Attributes:
        nodes: operands first; nodes that are only an index (views, broadcasts) may belong to several groups.
        stores: those that are written to memory, of one shape.
        contraction: the node whose result the others are an epilogue of, where the group is tiled.
        handmade: the name of the hand-made kernel, where it is one (of a single node); of a loop, `scan`.
        joined: whether it is a concatenation whose parts are computed inside it, so that nothing is left to do.
    """

    nodes: tuple[Node, ...]
    stores: tuple[Node, ...]
    contraction: Node | None = None
    handmade: str | None = None
    joined: bool = False

    @cached_property
    def reads(self) -> tuple[Node, ...]:
        """The stored values and inputs that it reads, in order of first use."""
        own = set(self.nodes)
        return tuple(dict.fromkeys([o for n in self.nodes for o in n.operands if o not in own and o.op != "constant"]))

    @property
    def name(self) -> str:
        """What it computes, in a few words: the ops that are more than an index."""
        words = [n.op for n in self.nodes if n.op not in ("broadcast_to", "reshape", "constant", "transpose")]
        return "_".join(dict.fromkeys(words[-4:])) or self.nodes[-1].op


@dataclass(frozen=True, eq=False)
class Chain:
    """Groups that all run over one block of rows, then over the next: what one writes the next finds in the cache.

    Attributes:
        groups: in running order.
        blocks: how many there are.
        units: of each group the units of work that make a block; the last block may have fewer.
        passing: the stored values that nobody else reads, each with the elements that a block has of it. No more of
            them is kept than a block for each thread.
        threads: how many may run the chain at once.
    """

    groups: tuple[Group, ...]
    blocks: int
    units: tuple[int, ...]
    passing: dict[Node, int]
    threads: int

    @property
    def name(self) -> str:
        """What its groups compute."""
        return " ".join(group.name for group in self.groups)


@dataclass(frozen=True, eq=False)
class Schedule:
    """The groups of a graph in running order, the layout of every stored value, and which groups run in chains."""

    graph: Graph
    groups: tuple[Group, ...]
    layouts: dict[Node, Layout]
    chains: tuple[Chain, ...] = ()

    def layout(self, node: Node) -> Layout:
        return layout_of(node, self.layouts)

    @cached_property
    def runs(self) -> tuple[Chain | Group, ...]:
        """What the step calls, in running order."""
        return tuple(dict.fromkeys(self.chain_of(group) or group for group in self.groups))

    def chain_of(self, group: Group) -> Chain | None:
        return self._chained.get(group)

    @cached_property
    def _chained(self) -> dict[Group, Chain]:
        return {group: chain for chain in self.chains for group in chain.groups}

    @cached_property
    def _passing(self) -> dict[Node, int]:
        """How many elements are kept of each value that only passes from group to group of a chain."""
        return {node: size * chain.threads for chain in self.chains for node, size in chain.passing.items()}

    def elements(self, node: Node) -> int:
        """How many elements of memory a stored value takes."""
        return self._passing.get(node) or self.layout(node).elements

    def chains_text(self) -> str:
        """Which groups run in chains."""
        names = node_names(self.graph)
        number = {group: at for at, group in enumerate(self.groups)}
        lines = [f"chains {self.graph.name} {{"]
        for chain in self.chains:
            lines.append(f"  {chain.blocks} blocks {{")
            for group, units in zip(chain.groups, chain.units, strict=True):
                lines.append(f"    group {number[group]} {group.name}: {units} units each")
            for node, elements in chain.passing.items():
                lines.append(f"    {names[node]} passes: {elements} elements of {prod(node.shape)}")
            lines.append("  }")
        return "\n".join([*lines, "}"])

    def owner(self, node: Node) -> Node:
        """The stored value in whose memory the node's lies: its own, as a rule."""
        while (layout := self.layouts.get(node)) and layout.within:
            node = layout.within.whole
        return node

    def steady(self, inputs: Collection[Node]) -> set[Node]:
        """What is stored and follows from these inputs alone, by its owner; but outputs, and what reads them."""
        same, found = set(inputs), set[Node]()
        for run in self.runs if inputs else ():
            groups = run.groups if isinstance(run, Chain) else (run,)
            stores = {node for group in groups for node in group.stores}
            reads = {node for group in groups for node in group.reads}
            if reads <= same | stores and stores.isdisjoint(self.graph.outputs):
                same |= stores
                found |= {self.owner(node) for node in stores}
        return found

    def __str__(self) -> str:
        names = node_names(self.graph)
        lines = [f"schedule {self.graph.name} {{"]
        for number, group in enumerate(self.groups):
            kind = "tiled" if group.contraction else "handmade" if group.handmade else "loops"
            kind = "joined" if group.joined else kind
            computes = ", ".join(f"{names[n]} {n.op}" for n in group.nodes if n.op != "constant")
            lines.append(f"  group {number} {kind} {group.name} {{")
            lines.append(f"    computes {computes}")
            lines.append(f"    reads    {', '.join(names[n] for n in group.reads) or '-'}")
            writes = ", ".join(f"{names[n]}: {n.type} {self.layout(n)}" for n in group.stores)
            lines.append(f"    writes   {writes}")
            lines.append("  }")
        return "\n".join([*lines, "}"])


@dataclass(frozen=True, eq=False)
class Twin:
    """A group that does what a group before it does, to other buffers; or what the group itself does.

    Attributes:
        first: the earlier group, or itself.
        nodes: for each node that the earlier one computes or reads, the one that stands in its place; none for itself.
        moved: by how many elements further on it reads and writes, for each buffer of the earlier one, by its owner.
    """

    first: Group
    nodes: dict[Node, Node]
    moved: dict[Node, int] = field(default_factory=dict)

    def own(self, node: Node) -> Node:
        """What stands in the place of a node of the first group."""
        return self.nodes.get(node, node)

    def in_terms_of(self, buffers: Mapping[Node, Buffer]) -> tuple[dict[Buffer, Buffer], dict[Buffer, int]]:
        """`nodes` and `moved` by the buffers of values."""
        own = {buffers[first]: buffers[node] for first, node in self.nodes.items() if first in buffers}
        return own, {buffers[owner]: by for owner, by in self.moved.items()}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a stored value lives.

    Attributes:
        kind: `arena` (at an offset in bytes), `input` (the buffer of the input at this position), `output` (the
            buffer that the caller gives for the output at this position).
        at: the offset or the position.
        beyond: bytes from there on, of what a kernel sees of the value.
    """

    kind: str
    at: int
    beyond: int = 0

    def __str__(self) -> str:
        return f"{self.kind}+{self.at}" if self.kind == "arena" else f"{self.kind} {self.at}"


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """A home for every stored value.

    Attributes:
        homes: by node; inputs are their own.
        arena_bytes: the size of the arena.
        bound_bytes: the largest sum of sizes that are live at once: no plan can be smaller.
        live: for every arena value the first and the last group that needs it.
        rooms: where groups have memory of their own, in which they work.
    """

    homes: dict[Node, Home]
    arena_bytes: int
    bound_bytes: int
    live: dict[Node, tuple[int, int]]
    rooms: dict[Group, Home] = field(default_factory=dict)

    def text(self, schedule: Schedule) -> str:
        """Peak, bound and who holds it; then every value with its offset and live range."""
        names = node_names(schedule.graph)
        lines = [
            f"memory {schedule.graph.name}: arena {self.arena_bytes} bytes, largest live set {self.bound_bytes} bytes"
        ]
        by_size = sorted(self.live, key=lambda n: (-schedule.elements(n) * n.dtype.itemsize, names[n]))
        for node in by_size:
            first, last = self.live[node]
            size = schedule.elements(node) * node.dtype.itemsize
            lines.append(f"  {names[node]:<12} {size:>10} bytes at {self.homes[node]}, live in groups {first}..{last}")
        for number, group in enumerate(schedule.groups):
            if group in self.rooms:
                lines.append(f"  work of {group.name} at {self.rooms[group]}, in group {number}")
        return "\n".join(lines)
