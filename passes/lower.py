"""Lowering: every group of the schedule becomes a loop nest, written by its ops' own lowerings.

    before   group 0 loops { computes %0 tanh, %1 transpose; writes %1: f32[3,2] rows }
    after    kernel tanh(x: f32[6], y: f32[6]) {
               for i in 0..3 { for j in 0..2 vector { y[2*i+j] = tanh(x[i+3*j]) } }
             }

Reading an operand is calling it: what is stored becomes a load, anything else is written in place. Then the loops are
arranged (`nest`); or those of a contraction split so that addresses become affine, and its lanes chosen (`across`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from graphc.index import Ix, IxLike, Var
from graphc.ir import Graph, Node
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Buffer, Condition, Kernel, Store, TiledKernel, Value
from graphc.op import TABLE, unrolled
from graphc.passes.across import lane_choice
from graphc.passes.nest import arranged, arranged_together, split_variables, splits, steps_as_one
from graphc.passes.relative import relative
from graphc.schedule import LANES, Group, Layout, Schedule, unravel


def is_affine(node: Node, views: Sequence[Node], layouts: Mapping[Node, Layout]) -> bool:
    """Whether a contraction that reads memory through `views` can be tiled: its operands' addresses are affine."""
    b = LoopBuilder()
    members = {*views, node}
    reads = {o for n in members for o in n.operands if o not in members and o.op != "constant"}
    schedule = Schedule(Graph("", (), ()), (), dict(layouts))
    buffers = {n: Buffer("", n.dtype, schedule.layout(n).elements) for n in reads}
    loops, index = _domain(b, schedule.layout(node))
    lowering = _Lowering(b, schedule, Group((*views, node), (node,), node), buffers)
    return _tiled(b, lowering, node, loops, index, [schedule.layout(node)]) is not None


def lower(schedule: Schedule, buffers: Mapping[Node, Buffer]) -> Iterator[Kernel | TiledKernel | None]:
    """One kernel for each group, as they are asked for; None for a hand-made one, which has its own code."""
    return (None if g.handmade else relative(_lower_group(schedule, g, buffers)) for g in schedule.groups)


def _lower_group(schedule: Schedule, group: Group, buffers: Mapping[Node, Buffer]) -> Kernel | TiledKernel:
    b = LoopBuilder()
    if 0 in group.stores[0].shape or group.joined:
        return Kernel(group.name, (b.var("i", 0),), ())
    layouts = [schedule.layout(s) for s in group.stores]
    layout = next((one for one in layouts if one.blocked or one.order), layouts[0])
    together = unrolled(group.stores[0])
    if together:
        return _unrolled(b, schedule, group, buffers, together)
    loops, index = _domain(b, layout)
    lowering = _Lowering(b, schedule, group, buffers)
    tiled = None
    if group.contraction is not None:
        found = _tiled(b, lowering, group.contraction, loops, index, layouts)
        if found is not None:
            tiled, index = found
            lowering.given = b.given("acc", group.contraction.dtype, frozenset(tiled.loops))
            lowering.given_index = tuple(index)
    stores = tuple(
        Store(buffers[s], schedule.layout(s).address(index), _filled(b, layout, lowering, s, index))
        for s in group.stores
    )
    if tiled is not None:
        assert lowering.given is not None
        return replace(tiled, name=group.name, stores=stores, acc=lowering.given)
    return arranged(Kernel(group.name, loops, stores), layout.blocked)


def _unrolled(
    b: LoopBuilder, schedule: Schedule, group: Group, buffers: Mapping[Node, Buffer], together: Sequence[int]
) -> Kernel:
    """Loops that stand at several neighbours of a result at once, so that they share what they compute."""
    (node,) = group.stores
    layout, lowering = schedule.layout(node), _Lowering(b, schedule, group, buffers)
    reduced = tuple(n // by for n, by in zip(node.shape, together, strict=True))
    loops, first = _domain(b, replace(layout, shape=reduced))
    if not (layout.blocked or layout.order):
        inner = b.var("i", prod(reduced[-2:]))
        loops, first = (*loops[:-2], inner), [*first[:-2], *unravel(Ix.of(inner), reduced[-2:])]
    stores = []
    for own in product(*map(range, together)):
        index = [ix * by + at for ix, by, at in zip(first, together, own, strict=True)]
        stores.append(Store(buffers[node], layout.address(index), _filled(b, layout, lowering, node, index)))
    kernel = Kernel(group.name, loops, tuple(stores))
    return arranged_together(kernel, few=reduced[-1] < LANES)


def _domain(b: LoopBuilder, layout: Layout) -> tuple[tuple[Var, ...], list[Ix]]:
    """Loops over a layout in the order of its memory, and the index of the element they stand at."""
    if not layout.blocked:
        by_axis = {axis: b.var("i", layout.shape[axis]) for axis in layout.axes}
        return tuple(by_axis.values()), [Ix.of(by_axis[axis]) for axis in range(len(layout.shape))]
    block, *rest = (b.var("i", n) for n in (-(-layout.shape[0] // LANES), *layout.shape[1:]))
    lane = b.var("lane", LANES)
    return (block, *rest, lane), [Ix.of(block) * LANES + Ix.of(lane), *(Ix.of(v) for v in rest)]


def _filled(b: LoopBuilder, layout: Layout, lowering: _Lowering, node: Node, index: list[Ix]) -> Value:
    """The element to store; zero in the entries that fill the last block of a batch up."""
    entries = layout.shape[0] if layout.shape else 0
    if not layout.blocked or entries % LANES == 0 or lowering.given is not None:
        return lowering.value(node, index)
    return b.inside([(index[0], 0, entries)], lambda: lowering.value(node, index), b.const(0, node.dtype))


class _Lowering:
    """Writes the members of one group: memoised by node, index and guard."""

    def __init__(
        self, b: LoopBuilder, schedule: Schedule, group: Group, buffers: Mapping[Node, Buffer]
    ) -> None:
        self.b, self.schedule, self.buffers = b, schedule, buffers
        self.members = set(group.nodes)
        self.contraction = group.contraction
        self.given: Value | None = None
        self.given_index: tuple[Ix, ...] = ()
        self._done: dict[tuple[Node, tuple[Ix, ...], Value | None], Value] = {}

    def value(self, node: Node, index: Sequence[IxLike]) -> Value:
        """The element of `node` at `index`."""
        at = tuple(Ix.of(i) for i in index)
        key = (node, at, self.b.guard)
        if key not in self._done:
            self._done[key] = self._write(node, at)
        return self._done[key]

    def _write(self, node: Node, at: tuple[Ix, ...]) -> Value:
        if node.op == "constant":
            return self.b.const(node.attrs["value"], node.dtype)
        if node not in self.members:
            return self.b.load(self.buffers[node], self.schedule.layout(node).address(at))
        if node is self.contraction and self.given is not None:
            assert at == self.given_index, "an epilogue reads its contraction at the index it stores"
            return self.given
        lowering = TABLE[node.op].lower
        assert lowering is not None, f"op {node.op} has no lowering"
        outer, self.b.author = self.b.author, node
        value: Value = lowering(self.b, list(at), *(self.reader(o) for o in node.operands), **node.attrs)
        self.b.author = outer
        return value

    def forget(self) -> None:
        """Drops what was written so far (a contraction's own loops, once it is tiled)."""
        self._done.clear()

    def reader(self, node: Node) -> Reader:
        return Reader(node.shape, node.dtype, lambda index: self.value(node, index))


# Contractions


def _tiled(
    b: LoopBuilder, lowering: _Lowering, node: Node, loops: tuple[Var, ...], index: list[Ix], held: Sequence[Layout]
) -> tuple[TiledKernel, list[Ix]] | None:
    """The contraction in tiled form, if its operands are memory read at affine addresses, and the index it stores.

    Args:
        held: the layouts of what is stored.
    """
    with b.unguarded():
        value = lowering.value(node, index)
    lowering.forget()
    if value.kind != "contract":
        return None
    operands, there = value.args[:2], value.args[2:]
    narrow = operands[0].dtype is not value.dtype
    if any(x.kind != "load" or x.args not in ((), there) for x in operands):
        return None
    summed, by_lanes = value.data
    wanted = splits((*loops, *summed[by_lanes:]), [x.data[1] for x in operands])
    new, parts = split_variables(b, wanted)
    if by_lanes:
        block, lane = b.var("k", -(-summed[0].extent // LANES)), b.var("lane", LANES)
        new[summed[0]], parts[summed[0]] = Ix.of(block) * LANES + Ix.of(lane), (block,)
    with b.unguarded():
        a, c = (b.load(x.data[0], x.data[1].substitute(new)) for x in operands)
    outer = tuple(p for v in loops for p in parts.get(v, (v,)))
    inner = tuple(p for v in summed for p in parts.get(v, (v,)))
    at = [ix.substitute(new) for ix in index]
    if by_lanes:
        inner = (*inner, lane)
        apart = [x.data[1].coefficient(lane) != 1 for x in (a, c)]
        if any(apart) and (not all(apart) or summed[0].extent % LANES):  # the kernel turns both, or none
            return None
    if any(x.data[1].coefficient(v) is None for x in (a, c) for v in (*outer, *inner)):
        return None
    if narrow and prod(v.extent for v in inner[:-1]) > 1 and inner[-1].extent % 2:  # which would part two terms
        return None
    inside = _conditions(there[0].substitute(new), outer, inner) if there else ()
    if inside is None:
        return None
    if not by_lanes and not held[0].blocked:
        addresses = [a.data[1], c.data[1], *(one.address(at) for one in held)]
        outer, new = _as_one(b, outer, {x.output for x in inside}, addresses)
        a, c, at = a.substitute(new), c.substitute(new), [ix.substitute(new) for ix in at]
    choice = (lane, False) if by_lanes else lane_choice(outer, inner, a, c, inside)
    if choice is None:
        return None
    lanes, swap = choice
    if swap:
        a, c = c, a
    tail = (inner[0], summed[0].extent % LANES or LANES) if by_lanes else None
    return TiledKernel("", outer, inner, a, c, a, lanes, (), tail, inside, _masked(node, swap)), at


def _masked(node: Node, swapped: bool) -> str:
    """What a mask leaves blocks out of, as `TiledKernel.masked` says it; not of vectors, which are read in any case."""
    if node.op != "masked_matmul":
        return ""
    return (("", "a", "acc") if swapped else ("a", "", "acc"))[node.attrs["where"]]


def _as_one(
    b: LoopBuilder, loops: tuple[Var, ...], apart: Collection[Var], addresses: Sequence[Ix]
) -> tuple[tuple[Var, ...], dict[Var, Ix]]:
    """The innermost loops, but for those `apart`, as one, if every address steps through them so: vectors are fuller.

    Returns the loops, and what those that were joined are now.
    """
    first = len(loops) - 1
    while first > 0 and not {*loops[first - 1 :]}.intersection(apart) and all(
        steps_as_one(ix, loops[first - 1], loops[first]) for ix in addresses
    ):  # fmt: skip
        first -= 1
    run = loops[first:]
    if len(run) < 2:
        return loops, {}
    both = b.var("i", prod(v.extent for v in run))
    return (*loops[:first], both), dict(zip(run, unravel(Ix.of(both), [v.extent for v in run]), strict=True))


def _conditions(
    guard: Value, loops: Sequence[Var], summed: Sequence[Var]
) -> tuple[Condition, ...] | None:
    """A guard as conditions between one output variable and one summed one; None where it is of another form."""
    ranges: dict[Ix, tuple[int, int]] = {}
    stack = [guard]
    while stack:
        value = stack.pop()
        name = value.data[0] if value.kind == "fn" else ""
        if name == "and":
            stack += value.args
        elif name in ("ge", "lt") and value.args[0].kind == "position" and value.args[1].kind == "const":
            ix, bound = value.args[0].data[0], value.args[1].data[0]
            least, most = ranges.get(ix, (ix.bounds[0], ix.bounds[1] + 1))
            ranges[ix] = (max(least, bound), most) if name == "ge" else (least, min(most, bound))
        else:
            return None
    found = []
    for ix, (least, most) in ranges.items():
        outputs = [(v, c) for v, c in ix.terms if v in loops]
        sums = [(v, c) for v, c in ix.terms if v in summed]
        if len(outputs) != 1 or len(sums) != 1 or len(ix.terms) != 2:
            return None
        (output, step), (total, by) = outputs[0], sums[0]
        assert isinstance(output, Var) and isinstance(total, Var)
        found.append(Condition(output, total, step, by, ix.const - least, most - least))
    return tuple(found)
