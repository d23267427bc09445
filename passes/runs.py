"""Short runs: views along which neighbours are read at equal steps only a few at a time.

    %1 = transpose(%0)   %2 = tanh(%1)        runs of two, as of a pixel shuffle: tanh of vectors with two of 16 lanes

Stored by itself, such a view is turned with what vectors serve best, and what is computed of it fills them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise, takewhile
from math import prod

from graphc.index import Ix, IxLike
from graphc.ir import Node
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Buffer, Value
from graphc.op import TABLE
from graphc.passes.nodes import CHEAP, base_of, elementwise, is_free, permutes
from graphc.schedule import LANES, READ_NEAR, Layout, layout_of, unravel

COSTLY, STORED, WOVEN = 8, 4, 64
"""How many cheap ops take as long as another one; as writing a value and reading it; and how many of any kind may be
computed of values that lie between each other, for each of which they are written."""


def in_short_runs(view: Node, users: Mapping[Node, Sequence[Node]], layouts: Mapping[Node, Layout]) -> bool:
    """Whether a view is better stored than read where something is computed of it, element by element."""
    few = view.type.size < LANES * LANES
    if few or not any(elementwise(user, view) and not is_free(user) for user in users[view]):
        return False
    base = base_of(view)
    layout = layout_of(base, layouts)
    moved = base.type.size == view.type.size and permutes(view, base)
    if layout.blocked or not (layout.order or moved):
        return False
    places = _places(view, base, layout)
    steps = [after - before for before, after in pairwise(places)]
    run = 1 + len(list(takewhile(lambda step: step == steps[0], steps)))
    if run == len(places):
        return False
    if layout.order:
        return True
    computed = _computed(view, users)
    if steps[0] == 1:
        work = sum(1 if node.op in CHEAP else COSTLY for node in computed)
        return work * (LANES - run) > STORED * run
    woven = run <= READ_NEAR and places[run] == places[0] + 1 and steps[0] >= LANES
    return not woven or len(computed) * run > WOVEN or not _alone(view, computed)


def _places(view: Node, base: Node, layout: Layout) -> list[int]:
    """Where the first elements of a view lie in the memory of its base, as many as a vector has."""
    b = LoopBuilder()
    memory = Buffer("", base.dtype, layout.elements)

    def value(member: Node, index: Sequence[IxLike]) -> Value:
        if member is base:
            return b.load(memory, layout.address(index))
        (operand,), lower = member.operands, TABLE[member.op].lower
        assert lower is not None, f"op {member.op} has no lowering"
        read: Value = lower(b, index, Reader(operand.shape, operand.dtype, partial(value, operand)), **member.attrs)
        return read

    loops = [b.var("i", n) for n in view.shape]
    address = value(view, [Ix.of(v) if v.extent > 1 else Ix.of(0) for v in loops]).data[1]
    first = [unravel(Ix.of(n), view.shape) for n in range(min(LANES, prod(view.shape)))]
    return [address.substitute(dict(zip(loops, index, strict=True))).const for index in first]


def _computed(view: Node, users: Mapping[Node, Sequence[Node]]) -> dict[Node, None]:
    """What is computed of a view element by element, as far as it counts."""
    found: dict[Node, None] = {}
    stack = [view]
    while stack and len(found) <= WOVEN:
        node = stack.pop()
        for user in users[node]:
            if user not in found and not is_free(user) and elementwise(user, node):
                found[user] = None
                stack.append(user)
    return found


def _alone(view: Node, computed: Collection[Node]) -> bool:
    """Whether that is computed of no other value with as many elements."""
    return all(
        operand is view or operand in computed or base_of(operand).type.size < view.type.size
        for node in computed for operand in node.operands
    )  # fmt: skip
