"""Chains: groups that run over a block of their rows one after the other, then over the next block.

    before   all rows of %3 = exp(%x - max), then all rows of %4 = %3 / sum(%3)
    after    both for rows 0..3, both for rows 4..7, ...: %3 is four rows, and never leaves the cache

So a softmax or a normalisation reads its input from memory once and writes its result once, an attention never stores
its T x T matrices whole, and the layers around a convolution find its images in the cache. Kernels and results stay
what they are: a chain only says which of the kernels' units of work run when.

Rows are the steps of the kernels' outermost loops: where one has 4096 and another 4096 * 768 (of one joined loop), they
are 4096 rows of 1 and of 768 steps. Two groups may be in one chain if each row of what passes between them is written
by that row of the first and read by that row of the second only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import gcd, lcm
from typing import NamedTuple

from graphc.index import Ix
from graphc.ir import Node
from graphc.known import has_data
from graphc.loops import Buffer, Kernel, Stride, TiledKernel, accesses, gathers
from graphc.schedule import Chain, Group, Schedule, Twin

LEAST_BYTES = 1 << 18
"""What passes through a chain at least: less stays in the cache anyhow."""

BLOCK_BYTES = 1 << 14
"""About how much the rows of a block read and write: half of the first-level cache."""

LEAST_BLOCKS = 4
"""How many blocks there are at least for each thread that may share them."""

LOOK_AHEAD = 24
"""How many groups that do not fit a chain may lie between two that do."""


class Room(NamedTuple):
    """Bytes of the caches that a block may take: of the second level, and of the last one a thread's part."""

    near: int
    far: int

    def serves(self, block: float, whole: int) -> bool:
        """Whether blocks of this size serve: larger ones than the near cache only if all of it is larger than the far
        one, where it would be found again anyhow."""
        return block <= self.near or block <= self.far < whole


def chain(
    schedule: Schedule, twins: Mapping[Group, Twin], kernels: Mapping[Group, Kernel | TiledKernel | None],
    strides: Mapping[Group, Stride], buffers: Mapping[Node, Buffer], threads: int, room: Room,
) -> Schedule:  # fmt: skip
    """The schedule with its chains, whose groups follow one another.

    Args:
        kernels: of the groups that are the first of their kind.
        strides: of the same; those that are hand-made have none.
        threads: how many may share a chain at most.
        room: for one block of a chain.
    """
    walks, uses = _walks(schedule, twins, kernels, strides, buffers), _Uses(schedule, buffers)
    chains: list[Chain] = []
    taken: dict[Group, None] = {}
    groups = schedule.groups
    for at, group in enumerate(groups):
        if group in taken:
            continue
        left = (groups[n] for n in range(at, len(groups)) if groups[n] not in taken)
        found = _gathered(uses, threads, room, left, walks)
        if found:
            chains.append(found)
        taken |= dict.fromkeys(found.groups if found else (group,))
    return replace(schedule, groups=tuple(taken), chains=tuple(chains))


# How a group walks through memory


class _Walk(NamedTuple):
    """How the rows of a group step through one buffer.

    In each step of its `Stride` it uses elements from `low` to `below` plus what a step adds, `total` over all steps.
    That every row keeps to itself means `below < low`.
    """

    total: int
    low: int
    below: int

    def also(self, other: _Walk | None) -> _Walk | None:
        """Both of them, if they have rows of one size."""
        if other is None or other.total != self.total:
            return None
        return _Walk(self.total, min(self.low, other.low), max(self.below, other.below))

    @property
    def by_rows(self) -> bool:
        return self.total > 0 and self.below < self.low


@dataclass(frozen=True, eq=False)
class _Walks:
    """All walks of a group: None for a buffer that it does not walk through in equal steps."""

    steps: Stride
    buffers: dict[Buffer, _Walk | None]
    writes: frozenset[Buffer]


def _walks(
    schedule: Schedule, twins: Mapping[Group, Twin], kernels: Mapping[Group, Kernel | TiledKernel | None],
    strides: Mapping[Group, Stride], buffers: Mapping[Node, Buffer],
) -> dict[Group, _Walks]:  # fmt: skip
    """How every group that may be part of a chain walks through its buffers."""
    firsts: dict[Group, _Walks | None] = {}
    found = {}
    for group in schedule.groups:
        twin = twins[group]
        if twin.first not in firsts:
            firsts[twin.first] = _walks_of(kernels[twin.first], strides.get(twin.first))
        walks = firsts[twin.first]
        if walks is not None:
            found[group] = _renamed(walks, *twin.in_terms_of(buffers)) if twin.nodes else walks
    return found


def _renamed(walks: _Walks, own: Mapping[Buffer, Buffer], moved: Mapping[Buffer, int]) -> _Walks:
    """The walks of a group that does the same in other buffers, or further on in them."""
    found: dict[Buffer, _Walk | None] = {}
    for buffer, walk in walks.buffers.items():
        name, by = own.get(buffer, buffer), moved.get(buffer, 0)
        walk = _Walk(walk.total, walk.low + by, walk.below + by) if walk and by else walk
        found[name] = walk if name not in found or walk is None else walk.also(found[name])
    return _Walks(walks.steps, found, frozenset(own.get(buffer, buffer) for buffer in walks.writes))


def _walks_of(kernel: Kernel | TiledKernel | None, steps: Stride | None) -> _Walks | None:
    """None where a kernel cannot be part of a chain: it is hand-made, may fail, or has no loop for rows.

    Its steps are the shortest in which it writes row by row.
    """
    if kernel is None or steps is None or not kernel.stores or gathers(kernel):
        return None
    writes = frozenset(store.buffer.whole for store in kernel.stores)
    while steps.extent > 1:
        found: dict[Buffer, _Walk | None] = {}
        for seen, address in accesses(kernel):
            buffer, walk = seen.whole, _walk(address + seen.at, steps)
            found[buffer] = walk if walk is None or buffer not in found else walk.also(found[buffer])
        if all((walk := found[buffer]) is not None and walk.by_rows for buffer in writes):
            return _Walks(steps, found, writes)
        steps = steps.longer
    return None


def _walk(address: Ix, steps: Stride) -> _Walk | None:
    each = [address.coefficient(var) for var in steps.loops]
    step = each[-1]
    if step is None or has_data(address):
        return None
    inner = 1
    for var, one in zip(reversed(steps.loops), reversed(each), strict=True):
        if one != step * inner:
            return None  # loops that are not one walk
        inner *= var.extent
    low, high = (address - sum((Ix.of(v) * c for v, c in zip(steps.loops, each, strict=True) if c), Ix.of(0))).bounds
    return _Walk(step * steps.extent, low, high - step)


# Chains being formed


class _Uses:
    """Who reads and who updates the values of a schedule, and what lies in whose memory.

    Attributes:
        reads: of each group the stored values and inputs that it reads.
        updates: of each value that an input is updated to, the input.
    """

    def __init__(self, schedule: Schedule, buffers: Mapping[Node, Buffer]) -> None:
        self.buffers = buffers
        self.reads = {group: frozenset(group.reads) for group in schedule.groups}
        self.updates = {value: target for target, value in schedule.graph.updates}
        self._readers: dict[Node, list[Group]] = {}
        for group, nodes in self.reads.items():
            for node in nodes:
                self._readers.setdefault(node, []).append(group)
        tenants = Counter(buffers.values())
        self._kept = {node for node, buffer in buffers.items() if tenants[buffer] > 1} | schedule.graph.kept

    def only_by(self, node: Node, groups: Sequence[Group]) -> bool:
        """Whether nobody but these groups needs a value or its memory."""
        return node not in self._kept and all(reader in groups for reader in self._readers.get(node, ()))


def _gathered(
    uses: _Uses, threads: int, room: Room, groups: Iterator[Group], walks: Mapping[Group, _Walks]
) -> Chain | None:
    """The chain that begins with the first of these groups, if there is one worth it."""
    first = next(groups)
    links = _Links(uses, threads, room).followed_by(first, walks[first]) if first in walks else None
    if links is None:
        return None
    missing: set[Node] = set()  # what groups compute that are left out
    skipped = 0
    for group in groups:
        updates = any(s in uses.updates for s in group.stores)
        later = (skipped and updates) or not missing.isdisjoint(uses.reads[group])
        longer = None
        if not later and group in walks and links.leads_to(walks[group]):
            longer = links.followed_by(group, walks[group])
        if longer is None:
            missing.update(group.stores)
            skipped += 1
            if skipped > LOOK_AHEAD:
                break
        else:
            links = longer
    return links.chain() if len(links.groups) > 1 else None


@dataclass(frozen=True, eq=False)
class _Links:
    """A chain being formed.

    Attributes:
        groups: those that it has, in running order; `strides`: theirs.
        rows: how many rows it has.
        buffers: how it walks through them; those that it `writes`, and those that one group writes and another reads.
    """

    uses: _Uses
    threads: int
    room: Room
    groups: tuple[Group, ...] = ()
    strides: tuple[Stride, ...] = ()
    rows: int = 0
    buffers: Mapping[Buffer, _Walk | None] = field(default_factory=dict)
    writes: frozenset[Buffer] = frozenset()
    passed: frozenset[Buffer] = frozenset()

    def leads_to(self, walks: _Walks) -> bool:
        """Whether a group reads what the chain writes, row by row."""
        return any(buffer in self.writes for buffer in walks.buffers)

    def followed_by(self, group: Group, walks: _Walks) -> _Links | None:
        """The chain with one more group, if that can be part of it."""
        buffers = dict(self.buffers)
        for buffer, walk in walks.buffers.items():
            buffers[buffer] = walk if walk is None or buffer not in buffers else walk.also(buffers[buffer])
        writes = self.writes | walks.writes
        for buffer in writes:
            found = buffers[buffer]
            if found is None or not found.by_rows:
                return None
        longer = replace(
            self, groups=(*self.groups, group), strides=(*self.strides, walks.steps), buffers=buffers, writes=writes,
            rows=gcd(self.rows, walks.steps.extent), passed=self.passed | self.writes.intersection(walks.buffers),
        )  # fmt: skip
        return None if longer._targets_read() or longer._blocks() is None else longer

    def _targets_read(self) -> bool:
        """Whether one group updates an input that another one reads: that could not be written in place."""
        for group in self.groups:
            targets = {self.uses.updates[s] for s in group.stores if s in self.uses.updates}
            if targets and any(targets & self.uses.reads[g] for g in self.groups if g is not group):
                return True
        return False

    def _blocks(self) -> int | None:
        """How many rows a block has; None where blocks would be too few, or too large for the cache."""
        least = 1
        for steps in self.strides:  # blocks of whole units
            least = lcm(least, steps.steps // gcd(steps.steps, steps.extent // self.rows))
        each = sum(self._bytes(b) for b, walk in self.buffers.items() if walk and walk.total) / self.rows
        written = sum(self._bytes(b) for b in self.writes)
        most = self.rows // (LEAST_BLOCKS * self.threads)
        if least > most or not self.room.serves(written * least / self.rows, written):
            return None
        return min(max(int(BLOCK_BYTES / each) // least, 1), most // least) * least

    def _bytes(self, buffer: Buffer) -> int:
        walk = self.buffers[buffer]
        assert walk is not None
        return abs(walk.total) * buffer.dtype.itemsize

    def chain(self) -> Chain | None:
        """The chain as it is, if enough passes through it."""
        size = self._blocks()
        assert size is not None
        if sum(self._bytes(buffer) for buffer in self.passed) < LEAST_BYTES:
            return None
        steps = [size * s.extent // self.rows for s in self.strides]
        units = tuple(each // s.steps * s.each for each, s in zip(steps, self.strides, strict=True))
        blocks = -(-self.rows // size)
        return Chain(self.groups, blocks, units, self._passing(size), min(self.threads, blocks))

    def _passing(self, size: int) -> dict[Node, int]:
        """How many elements a block of so many rows has of each value that only the chain reads."""
        found = {}
        for node in (s for group in self.groups for s in group.stores):
            walk = self.buffers[self.uses.buffers[node]]
            if walk is not None and not walk.low and self.uses.only_by(node, self.groups):
                found[node] = walk.total // self.rows * size
        return found
