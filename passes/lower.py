"""Lowering: every group of the schedule becomes a loop nest, written by its ops' own lowerings.

    before   group 0 loops { computes %0 tanh, %1 transpose; writes %1: f32[3,2] rows }
    after    kernel tanh(x: f32[6], y: f32[6]) {
               for i in 0..3 { for j in 0..2 vector { y[2*i+j] = tanh(x[i+3*j]) } }
             }

Reading an operand is calling it: what is stored becomes a load, anything else is written in place. Then variables whose
quotients and remainders occur are split so that addresses become affine, and neighbouring loops that every address
steps through as one are joined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product, takewhile
from math import prod

from graphc.index import Ix, IxLike, Quotient, Remainder, Var
from graphc.ir import Graph, Node
from graphc.known import Known, has_data
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Buffer, Condition, Kernel, Store, TiledKernel, Value, all_values
from graphc.op import TABLE, unrolled
from graphc.passes.relative import relative
from graphc.schedule import LANES, NEAR, READ_NEAR, RUN_STEPS, RUN_USES, TAPS, TURNED, Group, Layout, Schedule, unravel


def is_affine(node: Node, views: Sequence[Node], layouts: Mapping[Node, Layout]) -> bool:
    """Whether a contraction that reads memory through `views` can be tiled: its operands' addresses are affine."""
    b = LoopBuilder()
    members = {*views, node}
    reads = {o for n in members for o in n.operands if o not in members and o.op != "constant"}
    schedule = Schedule(Graph("", (), ()), (), dict(layouts))
    buffers = {n: Buffer("", n.dtype, schedule.layout(n).elements) for n in reads}
    loops, index = _domain(b, schedule.layout(node))
    lowering = _Lowering(b, schedule, Group((*views, node), (node,), node), buffers)
    return _tiled(b, lowering, node, loops, index, [schedule.layout(node)])[0] is not None


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
        tiled, index = _tiled(b, lowering, group.contraction, loops, index, layouts)
        if tiled is not None:
            lowering.given = b.given("acc", group.contraction.dtype, frozenset(tiled.loops))
            lowering.given_index = tuple(index)
    stores = tuple(
        Store(buffers[s], schedule.layout(s).address(index), _filled(b, layout, lowering, s, index))
        for s in group.stores
    )
    if tiled is not None:
        assert lowering.given is not None
        return replace(tiled, name=group.name, stores=stores, acc=lowering.given)
    kernel = Kernel(group.name, loops, stores)
    lane = loops[-1] if layout.blocked and _sums_by_entry(kernel) else None
    if lane is not None:
        kernel = replace(kernel, loops=(loops[0], lane, *loops[1:-1]))
    split = _join_loops(_split_loops(b, kernel))
    if lane is not None:
        return replace(split, vector=lane)
    split = replace(split, vector=_vector_loop(split))
    woven = _woven(split)
    if woven is split and _narrow(split) and not _narrow(kernel) and any(v.kind == "reduce" for v in split.values):
        whole = _join_loops(_split_loops(b, kernel, inner=False))
        woven = replace(whole, vector=_vector_loop(whole))
    return _vector_first(_crossing_last(_along_reads(_along_rows(woven))))


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
    few = reduced[-1] < LANES and _are_near(_addresses(kernel), loops[-1], READ_NEAR)
    kernel = _join_loops(kernel if few else _split_loops(b, kernel))
    return replace(kernel, vector=kernel.loops[-1] if kernel.loops else None)


def _sums_by_entry(kernel: Kernel) -> bool:
    """Whether something is reduced for entries of a blocked batch, whatever the other loops: once for sixteen entries.

    Their lanes then lie across the loops that follow, so that the reduction is known before these begin.
    """
    lane, rest = kernel.loops[-1], set(kernel.loops[1:-1])
    reductions = (v for v in kernel.values if v.kind == "reduce")
    return any(lane in v.deps and not rest <= v.deps for v in reductions)


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
) -> tuple[TiledKernel | None, list[Ix]]:
    """The contraction in tiled form, if its operands are memory read at affine addresses; and the index it stores.

    Args:
        held: the layouts of what is stored.
    """
    with b.unguarded():
        value = lowering.value(node, index)
    lowering.forget()
    if value.kind != "contract":
        return None, index
    operands, there = value.args[:2], value.args[2:]
    if any(x.kind != "load" or x.args not in ((), there) for x in operands):
        return None, index
    summed, by_lanes = value.data
    splits = _splits((*loops, *summed[by_lanes:]), [x.data[1] for x in operands])
    new, parts = _split_variables(b, splits)
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
            return None, index
    if any(x.data[1].coefficient(v) is None for x in (a, c) for v in (*outer, *inner)):
        return None, index
    inside = _conditions(there[0].substitute(new), outer, inner) if there else ()
    if inside is None:
        return None, index
    if not by_lanes and not held[0].blocked:
        addresses = [a.data[1], c.data[1], *(one.address(at) for one in held)]
        outer, new = _as_one(b, outer, {x.output for x in inside}, addresses)
        a, c, at = a.substitute(new), c.substitute(new), [ix.substitute(new) for ix in at]
    choice = (lane, False) if by_lanes else _lane_choice(outer, inner, a, c, inside)
    if choice is None:
        return None, index
    lanes, swap = choice
    if swap:
        a, c = c, a
    tail = (inner[0], summed[0].extent % LANES or LANES) if by_lanes else None
    return TiledKernel("", outer, inner, a, c, a, lanes, (), tail, inside), at


def _as_one(
    b: LoopBuilder, loops: tuple[Var, ...], apart: Collection[Var], addresses: Sequence[Ix]
) -> tuple[tuple[Var, ...], dict[Var, Ix]]:
    """The innermost loops, but for those `apart`, as one, if every address steps through them so: vectors are fuller.

    Returns the loops, and what those that were joined are now.
    """
    first = len(loops) - 1
    while first > 0 and not {*loops[first - 1 :]}.intersection(apart) and all(
        _steps_as_one(ix, loops[first - 1], loops[first]) for ix in addresses
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


SCATTERED, SCATTERED_APART, SHORT = 14, 60, 16
"""Steps of a sum that take as long as turning its vector to store it; where no window slides, so that whole
rows of the result begin lines of their own; and steps up to which it takes longer than the sum."""

SIDE_BY_SIDE, TURNING = 0.96, 6
"""What vectors are worth that hold runs of several rows side by side, which a kernel copies so; and for how many
results a vector is used in the time that turning one takes."""

TURNED_ONCE, TURNED_BOTH, ALONG_TAPS, EVERY_FEW, GATHERED, TOGETHER = 0.95, 0.4, 0.95, 0.65, 0.1, 0.9
"""What lanes are worth whose vectors a kernel must turn once; for which it turns both operands; of rows that it reads
under one tap after the other, at any address and with lanes left out at the margins; of rows of which a tap reads every
second element or so, from whole vectors; those that it reads element by element; and of depthwise channels that lie
side by side, whose weights it turns once."""


def _lane_choice(
    loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value, inside: Sequence[Condition]
) -> tuple[Var, bool] | None:
    """The variable to lie across the lanes, and whether the operands change sides so that it moves the second.

    Its operand should be contiguous along it (otherwise it is packed, or read element by element where not all of its
    terms exist), it should fill the vectors, and the innermost loop comes first: there the result is contiguous too.
    Where a window slides and the sum is long, the latter counts little, and vectors of channels are better than rows.
    """
    slide = {v for v in loops if any(_slides(x.data[1], v, summed) for x in (a, c))}
    steps = max(prod(v.extent for v in summed), 1)
    best: tuple[float, Var, bool] | None = None
    innermost = next((v for v in reversed(loops) if v.extent > 1), None)
    for var in loops:
        in_a, in_c = (bool(x.data[1].coefficient(var)) for x in (a, c))
        together = in_a and in_c and slide and var not in slide
        swap = a.data[1].coefficient(var) == 1 if together else in_a
        own, other = (a, c) if swap else (c, a)
        if var.extent <= 1 or (in_a == in_c and not (together and own.data[1].coefficient(var) == 1)):
            continue
        fill = var.extent / (-(-var.extent // LANES) * LANES)
        if not inside and not slide and _in_runs(var, loops, summed, a, c):
            fill = max(fill, SIDE_BY_SIDE)
        score = fill * (TOGETHER if together else _worth(var, loops, slide, own.data[1], other.data[1], inside))
        if var is not innermost:
            score *= _stored_apart(steps, bool(slide), own.data[1].coefficient(var) == 1)
        if best is None or score > best[0]:
            best = score, var, swap
    both = _turned_lanes(loops, summed, a, c) if slide else None
    if both is not None and (best is None or best[0] < TURNED_BOTH * both.extent / (-(-both.extent // LANES) * LANES)):
        return both, False
    if best is None:
        spare = next((v for v in reversed(loops) if not (a.data[1].coefficient(v) and c.data[1].coefficient(v))), None)
        return None if spare is None else (spare, bool(a.data[1].coefficient(spare)))
    return best[1], best[2]


def _worth(
    var: Var, loops: Sequence[Var], slide: Collection[Var], own: Ix, other: Ix, inside: Sequence[Condition]
) -> float:
    """What vectors along a variable are worth, by how the operand that it moves, `own`, is read."""
    step = own.coefficient(var) or 0
    if step == 1:
        return ALONG_TAPS if var in slide else 1.0
    if var in slide and 1 < step <= NEAR:
        return EVERY_FEW
    if any(own.coefficient(i.output) and own.coefficient(i.summed) for i in inside):
        return GATHERED
    if slide:
        return TURNED_ONCE if var not in slide else 0.75
    uses = prod(v.extent for v in loops if other.coefficient(v))
    return max(0.75, 1 / (1 + TURNING / max(uses, 1)))


def _stored_apart(steps: int, slides: bool, along: bool) -> float:
    """What is left of that where the result is not stored along the variable, after a sum of so many steps."""
    apart = 1 / (1 + (SCATTERED if slides else SCATTERED_APART) / steps)
    if slides:
        return apart
    floor = (steps + 1) / (steps + LANES) if steps < SHORT else 0.7  # a store for each lane, or one
    return max(floor, apart if along else 0.0)


def _in_runs(var: Var, loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value) -> bool:
    """Whether a kernel can copy runs along a variable side by side, so that vectors are full: pixels of some images."""
    steps = {v: (a.data[1].coefficient(v) or 0, c.data[1].coefficient(v) or 0) for v in loops if v.extent > 1}
    own = 0 if steps[var][0] else 1
    uses = prod(v.extent for v, by in steps.items() if by[1 - own])
    return (
        0 < steps[var][own] <= NEAR and any(by[own] for v, by in steps.items() if v is not var)
        and all(bool(x) != bool(y) for x, y in steps.values())
        and uses >= RUN_USES and prod(v.extent for v in summed) >= RUN_STEPS
    )  # fmt: skip


def _turned_lanes(loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value) -> Var | None:
    """The variable that lies across the lanes if a kernel turns both operands while the sum goes on, each element once.

    Such are the channels of a depthwise convolution in the gradient of its weights, whose taps are all of a tile.
    """
    steps = {v: (a.data[1].coefficient(v) or 0, c.data[1].coefficient(v) or 0) for v in (*loops, *summed)}
    taps = [v for v in loops if not all(steps[v]) and v.extent > 1]
    far = [v for v in loops if v.extent > 1 and min(steps[v]) >= LANES]
    if not far or prod(v.extent for v in taps) > TAPS or min(map(min, steps.values())) < 0:
        return None
    lanes = max(far, key=lambda v: v.extent)
    sums = [v for v in summed if v.extent > 1]
    outside = takewhile(lambda v: all(by >= across for by, across in zip(steps[v], steps[lanes], strict=True)), sums)
    within = sums[len(list(outside)) :]
    for side in (0, 1):
        at_once = sum(steps[v][side] * (v.extent - 1) for v in (*taps, *within[1:]))
        whole = at_once + sum(steps[v][side] * (v.extent - 1) for v in within[:1])
        more = at_once + steps[within[0]][side] if len(within) > 1 else whole
        if whole + 1 < LANES or more >= TURNED:
            return None
    return lanes


def _slides(address: Ix, var: Var, summed: Sequence[Var]) -> bool:
    """Whether a summed index moves along an output's, as the taps of a filter do along rows: neither steps over all of
    the other's steps."""
    step = abs(address.coefficient(var) or 0)
    taps = ((abs(address.coefficient(v) or 0), v.extent) for v in summed)
    return any(0 < tap <= step * (var.extent - 1) and step <= tap * (extent - 1) for tap, extent in taps)


# Loops


def _addresses(kernel: Kernel) -> list[Ix]:
    found = [s.address for s in kernel.stores]
    for value in kernel.values:
        if value.kind == "load":
            found.append(value.data[1])
        elif value.kind == "position":
            found.append(value.data[0])
    return found


def _splits(variables: Iterable[Var], addresses: Iterable[Ix]) -> dict[Var, list[int]]:
    """The variables whose quotients or remainders occur, with the steps at which to split them, largest first."""
    wanted: dict[Var, set[int]] = {}

    def visit(ix: Ix) -> None:
        for atom, _ in ix.terms:
            if isinstance(atom, (Quotient, Remainder)):
                inner = atom.of
                if len(inner.terms) == 1 and not inner.const:
                    var, step = inner.terms[0]
                    if isinstance(var, Var) and step == 1 and var.extent % atom.by == 0:
                        wanted.setdefault(var, set()).add(atom.by)
                visit(inner)

    for address in addresses:
        visit(address)
    allowed = set(variables)
    chains = {v: sorted(steps, reverse=True) for v, steps in wanted.items() if v in allowed}
    return {v: s for v, s in chains.items() if all(x % y == 0 for x, y in pairwise(s))}


def _split_variables(
    b: LoopBuilder, splits: Mapping[Var, list[int]]
) -> tuple[dict[Var, Ix], dict[Var, tuple[Var, ...]]]:
    """For every variable its digits in a mixed radix, and the sum that stands for it."""
    new: dict[Var, Ix] = {}
    parts: dict[Var, tuple[Var, ...]] = {}
    for var, steps in splits.items():
        digits, total, above = [], Ix.of(0), var.extent
        for step in [*steps, 1]:
            digit = b.var(var.name.rstrip("0123456789"), above // step)
            digits.append(digit)
            total = total + Ix.of(digit) * step
            above = step
        new[var], parts[var] = total, tuple(digits)
    return new, parts


def _narrow(kernel: Kernel) -> bool:
    """Whether the innermost loop leaves most lanes of a vector empty: then to reduce costs more than to read apart."""
    return not kernel.loops or kernel.loops[-1].extent < LANES // 2


def _split_loops(b: LoopBuilder, kernel: Kernel, inner: bool = True) -> Kernel:
    """Splits loops of which addresses take quotients and remainders, the innermost one if `inner`."""
    splits = _splits(kernel.loops, _addresses(kernel))
    if kernel.loops and (not inner or _near(kernel.loops[-1], kernel)):
        splits.pop(kernel.loops[-1], None)
    if not splits:
        return kernel
    new, parts = _split_variables(b, splits)
    loops = tuple(p for v in kernel.loops for p in parts.get(v, (v,)))
    return replace(kernel, loops=loops, stores=_substituted(b, kernel.stores, new))


def _near(inner: Var, kernel: Kernel) -> bool:
    """Whether sixteen neighbours along a loop always read what lies close together: whole vectors hold it."""
    read = (a for a in _addresses(kernel) if inner in a.variables and not a.coefficient(inner))
    return all(s.address.coefficient(inner) == 1 for s in kernel.stores) and _are_near(read, inner)


def _are_near(addresses: Iterable[Ix], inner: Var, apart: int = 2) -> bool:
    """Whether sixteen neighbours along a loop, from a multiple of sixteen on, always are about so far apart at most."""
    known = Known().across(inner, Ix.of(Var(inner.name, max(inner.extent // LANES, 1))) * LANES, LANES)
    found = map(known.offsets, addresses)
    return all(offsets is not None and max(offsets) - min(offsets) < apart * LANES for offsets in found)


def _join_loops(kernel: Kernel) -> Kernel:
    """Makes one loop of neighbours that every address steps through as one; drops loops that run once."""
    b = kernel.stores[0].value.b
    new = {v: Ix.of(0) for v in kernel.loops if v.extent == 1}
    loops = [v for v in kernel.loops if v not in new]
    addresses = {ix.substitute(new) for ix in _addresses(kernel)}
    for position in reversed(range(len(loops) - 1)):
        outer, inner = loops[position : position + 2]
        if all(_steps_as_one(ix, outer, inner) for ix in addresses):
            both = b.var(outer.name.rstrip("0123456789"), outer.extent * inner.extent)
            parts = {outer: Ix.of(both) // inner.extent, inner: Ix.of(both) % inner.extent}
            new = {v: ix.substitute(parts) for v, ix in new.items()} | parts
            addresses = {ix.substitute(parts) for ix in addresses}
            loops[position : position + 2] = [both]
    return replace(kernel, loops=tuple(loops), stores=_substituted(b, kernel.stores, new)) if new else kernel


def _steps_as_one(ix: Ix, outer: Var, inner: Var) -> bool:
    far, near = ix.coefficient(outer), ix.coefficient(inner)
    return far is not None and near is not None and far == near * inner.extent


def _substituted(b: LoopBuilder, stores: Sequence[Store], new: Mapping[Var, Ix]) -> tuple[Store, ...]:
    values = b.substitute([s.value for s in stores], new)
    return tuple(
        Store(s.buffer, s.address.substitute(new), value) for s, value in zip(stores, values, strict=True)
    )


FEW_TERMS, MORE_TERMS = 8, 11
"""From how many terms on a reduction is better done along its own variable than by turning what sixteen of them read;
and if something is made of what comes out, which sixteen lanes do at once."""


def _vector_loop(kernel: Kernel) -> Var | None:
    """The innermost loop, unless the reductions in it read along their own variable rather than along it."""
    if not kernel.loops:
        return None
    inner = kernel.loops[-1]
    if any(s.address.coefficient(inner) != 1 for s in kernel.stores):
        return None
    along = across = far = 0
    fewest = FEW_TERMS if all(s.value.kind == "reduce" for s in kernel.stores) else MORE_TERMS
    for value in all_values([s.value for s in kernel.stores]):
        if value.kind != "reduce" or inner not in value.deps or value.data[1].extent < fewest:
            continue
        for load in all_values([value.args[0]]):
            if load.kind == "load" and inner in load.deps and value.data[1] in load.deps:
                near = load.data[1].coefficient(inner) in (0, 1) or _are_near([load.data[1]], inner)
                along, far = along + near, far + (not near)
                across += load.data[1].coefficient(value.data[1]) == 1
    return None if across > along or far > along else inner


WOVEN = 160
"""How many values a kernel may have that weaves rows into one, for each of which it writes them."""


def _woven(kernel: Kernel) -> Kernel:
    """Vectors along rows that are woven into one, as by a pixel shuffle: along that one each would hold a few elements.

    The steps of the innermost loop are written side by side, and their vectors are stored as one run.
    """
    if kernel.vector is None or kernel.vector is not kernel.loops[-1] or len(kernel.loops) < 2:
        return kernel
    *others, along, across = kernel.loops
    read = [value.data[1] for value in kernel.values if value.kind == "load"]
    much = across.extent > READ_NEAR or across.extent * len(kernel.values) > WOVEN
    if much or along.extent <= min(across.extent, LANES // 2 - 1) or any(v.kind == "reduce" for v in kernel.values):
        return kernel
    if any(s.address.coefficient(along) != across.extent for s in kernel.stores):
        return kernel
    if any(a.coefficient(along) not in (0, 1) or a.coefficient(across) is None for a in read) or not any(
        abs(a.coefficient(across) or 0) >= LANES for a in read
    ):
        return kernel
    b = kernel.stores[0].value.b
    stores = [_substituted(b, kernel.stores, {across: Ix.of(step)}) for step in range(across.extent)]
    return replace(kernel, loops=(*others, along), stores=tuple(s for some in stores for s in some), vector=along)


def _along_rows(kernel: Kernel) -> Kernel:
    """Vectors of features, if a reduction looks up a row of them for each entry: the lanes would read apart.

    The result is then stored element by element, once where the reduction reads many.
    """
    inner = kernel.loops[-1] if kernel.loops else None
    rows = [
        load.data[1]
        for value in kernel.values if value.kind == "reduce" and value.data[1].extent >= LANES
        for load in all_values([value.args[0]]) if load.kind == "load" and has_data(load.data[1])
    ]  # fmt: skip
    if not rows or inner is None or any(row.coefficient(inner) is not None for row in rows):
        return kernel
    along = [v for v in kernel.loops if v.extent >= LANES and all(row.coefficient(v) == 1 for row in rows)]
    if not along:
        return kernel
    loops = (*(v for v in kernel.loops if v is not along[-1]), along[-1])
    return replace(kernel, loops=loops, vector=along[-1])


def _along_reads(kernel: Kernel) -> Kernel:
    """Vectors along what is read, where along what is stored they would be short: their elements are stored apart."""
    inner = kernel.vector
    if inner is None or inner.extent >= LANES // 2 or any(v.kind == "reduce" for v in kernel.values):
        return kernel
    read = [value.data[1] for value in kernel.values if value.kind == "load"]
    stored = [store.address for store in kernel.stores]
    along = [
        v for v in kernel.loops
        if LANES <= v.extent <= SCATTERED_LINES and all(a.coefficient(v) in (-1, 0, 1) for a in read)
        and any(a.coefficient(v) for a in read) and all(a.coefficient(v) is not None for a in stored)
    ]  # fmt: skip
    if not along:
        return kernel
    loops = (*(v for v in kernel.loops if v is not along[-1]), along[-1])
    return replace(kernel, loops=loops, vector=along[-1])


SCATTERED_LINES = 256
"""Lines of the first-level cache that vectors stored apart may meet before they meet the first again."""


def _crossing_last(kernel: Kernel) -> Kernel:
    """Puts the loop along which a load is contiguous that steps far along the vector next to it, to be transposed."""
    inner = kernel.vector
    if inner is None or len(kernel.loops) < 3:
        return kernel
    for value in kernel.values:
        if value.kind == "load" and inner in value.deps and value.data[1].coefficient(inner) not in (None, 0, 1):
            along = next((v for v in kernel.loops[:-1] if value.data[1].coefficient(v) == 1), None)
            if along is not None:
                return replace(kernel, loops=(*(v for v in kernel.loops[:-1] if v is not along), along, inner))
    return kernel


def _vector_first(kernel: Kernel) -> Kernel:
    """Opens a loop that is one vector as soon as something is known in its lanes, which loops within then share."""
    lane, outer = kernel.vector, kernel.loops[:-1]
    if lane is None or lane.extent != LANES or lane is not kernel.loops[-1]:
        return kernel
    read = [v for v in kernel.values if v.kind in ("load", "reduce") and lane in v.deps]
    if any(v.kind == "load" and v.data[1].coefficient(lane) not in (0, 1) for v in read):
        return kernel
    depth = min((max((n for n, v in enumerate(outer, 1) if v in r.deps), default=0) for r in read), default=len(outer))
    at = max(depth, 1)
    return replace(kernel, loops=(*outer[:at], lane, *outer[at:]))
