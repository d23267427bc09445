"""Which groups do the same to other buffers: such groups are lowered and compiled once.

    before   group 0 { %1 = tanh(%0) }   group 1 { %2 = tanh(%1) }   group 2 { %3 = exp(%2) }
    after    group 0, group 1 as group 0 (with %1 for %0, %2 for %1), group 2

So are those that do it at other places of their buffers, as the steps of a recurrent network do to the slices of a
sequence: what is read and written is told by where it begins after the first such place in the same buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import cache
from typing import Any, NamedTuple, cast

from graphc.fingerprint import Fingerprint, UnknownContentError
from graphc.index import Ix, Var
from graphc.ir import Node
from graphc.loop_builder import Reader
from graphc.op import TABLE, traits_of
from graphc.schedule import Group, Layout, Schedule, Twin


def alike(schedule: Schedule) -> dict[Group, Twin]:
    """For every group the first of its schedule that does the same: itself, where there is none before."""
    firsts: dict[str, tuple[Group, list[Node], dict[Node, int]]] = {}
    twins, memory = {}, _Memory(schedule)
    for group in schedule.groups:
        places = _Places(memory, group)
        try:
            text = _told(group, places)
        except UnknownContentError:
            twins[group] = Twin(group, {})
            continue
        own = list(text.numbers)
        first, nodes, begins = firsts.setdefault(str(text), (group, own, places.begins))
        if first is group:
            twins[group] = Twin(group, {})
            continue
        later = zip(begins, places.begins.values(), strict=True)
        moved = {owner: begin - begins[owner] for owner, begin in later if begin != begins[owner]}
        twins[group] = Twin(first, dict(zip(nodes, own, strict=True)), moved)
    return twins


def _told(group: Group, places: _Places) -> Fingerprint:
    """All that lowering and emission look at."""
    text, inside = Fingerprint(), set(group.nodes)
    for node in group.nodes:
        for operand in node.operands:
            if operand not in text.numbers and operand not in inside:
                if operand.op == "constant":
                    text.node(operand)
                else:
                    text.leaf(operand, f" {places.told(operand)}")
        if node in places.cuts:
            text.node(node, left_out="begin", note=f" {places.cut(node)}")
        else:
            text.node(node)
    text.role(f"stores {[places.told(s) for s in group.stores]}", group.stores)
    text.role(f"handmade {group.handmade} {group.joined}", [group.contraction] if group.contraction else [])
    return text


class _Memory:
    """How values lie in memory; what several groups ask of one is worked out once."""

    def __init__(self, schedule: Schedule) -> None:
        self.layout = schedule.layout
        self.owner, self.start, self.told = cache(schedule.owner), cache(self._start), cache(self._told)

    def _start(self, node: Node) -> int:
        """The address of its first element."""
        layout = self.layout(node)
        return layout.address((0,) * len(node.shape)).const if layout.within else 0

    def _told(self, node: Node) -> str:
        """Its layout, and those that it is within."""
        return ", ".join(_layouts(self.layout(node)))


class _Places:
    """Where a group reads and writes, counted from the first such place in each buffer.

    Attributes:
        starts: of each value that is read or written as it is, the address of its first element.
        cuts: each slice that is read of one, perhaps through other views.
        begins: for each buffer, by its owner, the first of these addresses; none, where kernels may tell them apart.
    """

    def __init__(self, memory: _Memory, group: Group) -> None:
        self._memory = memory
        self._owners: dict[Node, int] = {}
        self.starts: dict[Node, int] = {}
        self.begins: dict[Node, int] = {}
        self._shifts = group.handmade is None and all(_in_order(group, node) for node in group.nodes)
        self.cuts = self._found(group) if self._shifts else {}
        inside, between = set(group.nodes), _only_cut(group, self.cuts) if self.cuts else ()
        for node in group.nodes:
            if node in self.cuts:
                self._meet(self.cuts[node].of, self.cuts[node].start)
            for operand in () if node in self.cuts or node in between else node.operands:
                if operand not in inside and operand.op != "constant":
                    self._whole(operand)
        for node in group.stores:
            self._whole(node)

    def _found(self, group: Group) -> dict[Node, _Cut]:
        """The slices of the group that are an affine part of some value's memory."""
        inside = set(group.nodes)
        cuts = ((node, _cut(self._memory, node, inside)) for node in group.nodes if node.op == "slice")
        return {node: cut for node, cut in cuts if cut}

    def _whole(self, node: Node) -> None:
        self.starts[node] = self._memory.start(node)
        self._meet(node, self.starts[node])

    def _meet(self, node: Node, start: int) -> None:
        if self._shifts:
            self.begins.setdefault(self._memory.owner(node), start)

    def told(self, node: Node) -> str:
        """The layout, which buffer it is in, of those that the group meets, and where."""
        owner = self._memory.owner(node)
        number = self._owners.setdefault(owner, len(self._owners))
        place = f" from {self.starts[node] - self.begins.get(owner, 0)}" if node in self.starts else ""
        return f"{self._memory.told(node)} of {number}{place}"

    def cut(self, node: Node) -> str:
        """Where a slice begins, and how its axes step through the memory."""
        cut = self.cuts[node]
        return f"{cut.steps} from {cut.start - self.begins[self._memory.owner(cut.of)]}"


class _Cut(NamedTuple):
    """A slice as a part of memory: of which value, from which element on, and by what each of its axes moves on."""

    of: Node
    start: int
    steps: tuple[int, ...]


_VIEWS = ("reshape", "slice", "transpose")


def _cut(memory: _Memory, node: Node, inside: Set[Node]) -> _Cut | None:
    """The slice, through views of its group, as a part of memory; None if its addresses are not affine."""
    loops = [Var(f"i{n}", extent) for n, extent in enumerate(node.shape)]
    index: list[Any] = [Ix.of(v) for v in loops]
    while node in inside:
        if node.op not in _VIEWS:
            return None
        seen, (of,), lower = index, node.operands, TABLE[node.op].lower
        assert lower is not None
        index = lower(None, seen, Reader(of.shape, of.dtype, cast(Any, list)), **node.attrs)
        node = of
    address = memory.layout(node).address(index)
    steps = [address.coefficient(v) for v in loops]
    if node.op == "constant" or None in steps:
        return None
    return _Cut(node, address.const, tuple([step or 0 for step in steps]))


def _only_cut(group: Group, cuts: Mapping[Node, _Cut]) -> set[Node]:
    """The views of a group that only its cuts read."""
    readers: dict[Node, list[Node]] = {}
    found: set[Node] = set()
    for node in reversed(group.nodes):
        by = readers.get(node, ())
        if node.op in _VIEWS and node not in group.stores and by and all(r in cuts or r in found for r in by):
            found.add(node)
        for operand in node.operands:
            readers.setdefault(operand, []).append(node)
    return found


def _in_order(group: Group, node: Node) -> bool:
    """Whether a node reads nothing at places that it takes from memory, so that its kernel may be moved."""
    return node is group.contraction or node.op == "constant" or bool(traits_of(node) & {"elementwise", "view"})


def _straight(layout: Layout) -> bool:
    """Whether an address is a sum of one term for each axis, however many windows it is within."""
    while layout.within:
        if layout.within.shape != layout.shape:
            return False
        layout = layout.within.layout
    return not layout.blocked


def _layouts(layout: Layout) -> Iterator[str]:
    """The layout and those that it is within; where windows begin only if that is more than a distance in memory."""
    yield layout.arrangement
    while window := layout.within:
        at = "" if _straight(window.layout) else f" at {window.begin}"
        layout = window.layout
        yield f"{window.shape} by {window.step}{at} in {layout.shape} {layout.arrangement}"
