"""Loop nests: which loops are split or joined, in which order they run, and which lies across the lanes.

    before   for i in 0..6 { for j in 0..8 { y[8*i+j] = x[8*i+j] + z[i//3] } }
    after    for i in 0..2 { for j in 0..24 vector { y[24*i+j] = x[24*i+j] + z[i] } }

Variables whose quotients and remainders occur are split so that addresses become affine, and neighbouring loops that
every address steps through as one are joined. The innermost is the vector, unless vectors along another one are fuller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from graphc.index import Ix, Quotient, Remainder, Var
from graphc.known import Known, has_data
from graphc.loop_builder import LoopBuilder
from graphc.loops import Kernel, Store, Value, all_values
from graphc.schedule import LANES, READ_NEAR


def arranged(kernel: Kernel, blocked: bool) -> Kernel:
    """The kernel with its loops in the order in which they are best run, and one of them across the lanes.

    Args:
        blocked: whether its stores have a batch in the lanes: its innermost loop.
    """
    lane = kernel.loops[-1] if blocked and _sums_by_entry(kernel) else None
    if lane is not None:
        first, *rest = kernel.loops[:-1]
        return replace(_join_loops(_split_loops(replace(kernel, loops=(first, lane, *rest)))), vector=lane)
    split = _with_vector(_join_loops(_split_loops(kernel)))
    woven = _woven(split)
    if woven is split and _narrow(split) and not _narrow(kernel) and any(v.kind == "reduce" for v in split.values):
        woven = _with_vector(_join_loops(_split_loops(kernel, inner=False)))
    return _folded(_vector_first(_crossing_last(_along_reads(_along_rows(woven)))))


def arranged_together(kernel: Kernel, few: bool) -> Kernel:
    """The same for a kernel that stores several neighbours in each step.

    Args:
        few: whether the innermost loop fills no vector.
    """
    near = few and _are_near(_addresses(kernel), kernel.loops[-1], READ_NEAR)
    kernel = _join_loops(kernel if near else _split_loops(kernel))
    return replace(kernel, vector=kernel.loops[-1] if kernel.loops else None)


def _with_vector(kernel: Kernel) -> Kernel:
    return replace(kernel, vector=_vector_loop(kernel))


def _sums_by_entry(kernel: Kernel) -> bool:
    """Whether something is reduced for entries of a blocked batch, whatever the other loops: once for sixteen entries.

    Their lanes then lie across the loops that follow, so that the reduction is known before these begin.
    """
    lane, rest = kernel.loops[-1], set(kernel.loops[1:-1])
    reductions = (v for v in kernel.values if v.kind == "reduce")
    return any(lane in v.deps and not rest <= v.deps for v in reductions)


def _addresses(kernel: Kernel) -> list[Ix]:
    found = [s.address for s in kernel.stores]
    for value in kernel.values:
        if value.kind == "load":
            found.append(value.data[1])
        elif value.kind == "position":
            found.append(value.data[0])
    return found


def splits(variables: Iterable[Var], addresses: Iterable[Ix]) -> dict[Var, list[int]]:
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


def split_variables(
    b: LoopBuilder, wanted: Mapping[Var, list[int]]
) -> tuple[dict[Var, Ix], dict[Var, tuple[Var, ...]]]:
    """For every variable its digits in a mixed radix, and the sum that stands for it."""
    new: dict[Var, Ix] = {}
    parts: dict[Var, tuple[Var, ...]] = {}
    for var, steps in wanted.items():
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


def _split_loops(kernel: Kernel, inner: bool = True) -> Kernel:
    """Splits loops of which addresses take quotients and remainders, the innermost one if `inner`."""
    wanted = splits(kernel.loops, _addresses(kernel))
    if kernel.loops and (not inner or _near(kernel.loops[-1], kernel)):
        wanted.pop(kernel.loops[-1], None)
    if not wanted:
        return kernel
    b = kernel.stores[0].value.b
    new, parts = split_variables(b, wanted)
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
        if all(steps_as_one(ix, outer, inner) for ix in addresses):
            both = b.var(outer.name.rstrip("0123456789"), outer.extent * inner.extent)
            parts = {outer: Ix.of(both) // inner.extent, inner: Ix.of(both) % inner.extent}
            new = {v: ix.substitute(parts) for v, ix in new.items()} | parts
            addresses = {ix.substitute(parts) for ix in addresses}
            loops[position : position + 2] = [both]
    return replace(kernel, loops=tuple(loops), stores=_substituted(b, kernel.stores, new)) if new else kernel


def steps_as_one(ix: Ix, outer: Var, inner: Var) -> bool:
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
                side_by_side = load.data[1].coefficient(value.data[1]) == 1
                near = load.data[1].coefficient(inner) in (0, 1)
                near = near or _are_near([load.data[1]], inner, 2 if side_by_side else READ_NEAR)
                along, far, across = along + near, far + (not near), across + side_by_side
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


FEWEST_ROWS, LONG_SUM, ROWS_BYTES = 4, 64, 1 << 14
"""Rows from which on it pays to fold what is reduced in sixteen at once; terms of a single sum up to which it does; and
bytes that sixteen rows may read for it: half of the first-level cache."""


def _folded(kernel: Kernel) -> Kernel:
    """Rows sixteen by sixteen, if what is reduced in each is folded across the lanes; see `runtime/folded.py`.

    A single sum is as well folded alone, while the machine goes on with what is made of that of the row before, or,
    where nothing is, with a longer row; and folding masks takes longer than folding numbers.
    """
    if not kernel.loops or kernel.vector not in (None, kernel.loops[-1]):
        return kernel
    row = kernel.loops[-1] if kernel.vector is None else kernel.loops[-2] if len(kernel.loops) > 1 else None
    if row is None or row.extent < FEWEST_ROWS or any(v.kind == "contract" for v in kernel.values):
        return kernel
    around = {*kernel.loops[: kernel.loops.index(row) + 1]}
    reductions = [v for v in kernel.values if v.kind == "reduce" and row in v.deps and v.deps <= around]
    serves = len(reductions) > 1 or any(v.data[0] != "sum" for v in reductions)
    if kernel.vector is None:
        serves = serves or any(v.data[1].extent < LONG_SUM for v in reductions)
        serves = serves and all(s.address.coefficient(row) == 1 for s in kernel.stores)
    serves = serves and not any(v.dtype.is_bool for v in reductions)
    return replace(kernel, folded=row) if serves and LANES * _read(reductions) <= _room(kernel) else kernel


def _read(reductions: Sequence[Value]) -> int:
    """How many bytes reductions read for one result of each, what several read once."""
    read = {
        value.data[0]: value.dtype.itemsize * var.extent
        for one in reductions for var in [one.data[1]]
        for value in all_values(one.args) if value.kind == "load" and var in value.deps
    }  # fmt: skip
    return sum(read.values())


def _room(kernel: Kernel) -> int:
    """Bytes that sixteen rows may have; fewer where each element is divided: then nothing else takes as long."""
    divided = (v for v in kernel.values if v.kind == "fn" and v.data[0] == "div")
    return ROWS_BYTES // 4 if any(kernel.vector in v.deps for v in divided) else ROWS_BYTES


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
