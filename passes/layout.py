"""Layout: chooses how stored values lie in memory.

A network that trains on batches spends its time in contractions over images. With sixteen images side by side in the
lanes of a vector (`[N/16, ..., 16]`) convolutions, dense layers, pooling and everything elementwise run on full vectors
whatever the number of channels or features, and weights are read where they lie, as scalars.

    before   %0 = conv(%x, %w)   %1 = relu(%0)   return %1
    after    %0 = copy(%x) blocked   %1 = conv(%0, %w) blocked   %2 = relu(%1) blocked   %3 = copy(%2)   return %3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphc.index import Ix, IxLike, Var
from graphc.ir import Graph, Node
from graphc.loops import LoopBuilder, Reader, Value
from graphc.op import TABLE
from graphc.passes.fuse import LEAVES, base_of, handmade, is_contraction
from graphc.schedule import LANES, Layout

MOST_IN_BATCHES = 0.8
"""Of all multiplications, the part that must run over the batch for the batch to go into the lanes."""


def layout(graph: Graph) -> tuple[Graph, dict[Node, Layout]]:
    """The graph, with copies into and out of the batch-blocked layout, and the nodes that have it where they are stored."""
    size = _batch_size(graph)
    if size is None:
        return graph, {}
    batched = _batched(graph, size)
    if not _worth_it(graph, batched):
        return graph, {}
    graph, batched = _with_copies(graph, batched)
    fixed = {*graph.outputs, *(v for _, v in graph.updates)}
    for node in graph.nodes:
        if node.op not in LEAVES and handmade(node):
            fixed.update((node, *node.operands))
    return graph, {
        n: Layout(n.shape, True) for n in batched if n not in fixed and n.op not in LEAVES
    }


def _batch_size(graph: Graph) -> int | None:
    """The first extent shared by what contractions read first, if vectors can hold it without waste."""
    sizes: dict[int, int] = {}
    for node in graph.nodes:
        if is_contraction(node) and len(node.shape) >= 2:
            first = node.operands[0].shape[0]
            sizes[first] = sizes.get(first, 0) + _products(node)
    candidates = [n for n in sizes if n % LANES == 0 and n > 0]
    return max(candidates, key=lambda n: sizes[n], default=None)


def _products(node: Node) -> int:
    """The multiplications of a contraction."""
    per_element = _recorded(node)[1]
    return prod(node.shape) * max(per_element, 1)


def _batched(graph: Graph, size: int) -> set[Node]:
    """The nodes whose first axis is the batch: entry n depends on entry n of batched operands, and on nothing else
    that differs from entry to entry."""
    found = {n for n in graph.inputs[: graph.arguments] if n.shape and n.shape[0] == size}
    uniform: set[Node] = set()  # the same for every entry: broadcast constants, parameters, totals
    for node in graph.nodes:
        if node.op in LEAVES or not node.shape or node.shape[0] != size:
            continue
        moving = [(o, index) for o, index in _recorded(node)[0] if any(_mentions_first(i) for i in index)]
        if not moving:
            uniform.add(node)
        elif all(o in uniform or (o in found and _same_entry(index)) for o, index in moving):
            (found if any(o in found for o, _ in moving) else uniform).add(node)
    return found


def _mentions_first(index: Ix) -> bool:
    return any(var.name == _FIRST for var in index.variables)


_FIRST = "first"


def _same_entry(index: Sequence[Ix]) -> bool:
    """Whether an operand is read at exactly the result's own position along the first axis."""
    terms = index[0].terms
    return (
        not index[0].const and len(terms) == 1 and terms[0][1] == 1 and isinstance(terms[0][0], Var)
        and terms[0][0].name == _FIRST
    )  # fmt: skip


def _recorded(node: Node) -> tuple[list[tuple[Node, tuple[Ix, ...]]], int]:
    """The indices at which the node's lowering reads its operands, and how many products its contraction sums."""
    lowering = TABLE[node.op].lower
    if lowering is None or handmade(node):
        return [], 0
    b = LoopBuilder()
    reads: list[tuple[Node, tuple[Ix, ...]]] = []

    def reader(operand: Node) -> Reader:
        def read(index: Sequence[IxLike]) -> Value:
            at = tuple(Ix.of(i) for i in index)
            reads.append((operand, at))
            return b.given(f"{id(operand)}{at}", operand.dtype, frozenset().union(*(i.variables for i in at)))

        return Reader(operand.shape, operand.dtype, read)

    index = [Ix.of(Var(_FIRST if d == 0 else f"i{d}", n)) for d, n in enumerate(node.shape)]
    value = lowering(b, index, *(reader(o) for o in node.operands), **node.attrs)
    summed = prod(v.extent for v in value.data[0]) if value.kind == "contract" else 0
    return reads, summed


def _worth_it(graph: Graph, batched: set[Node]) -> bool:
    total = inside = 0
    for node in graph.nodes:
        if is_contraction(node):
            products = _products(node)
            total += products
            if node in batched or all(base_of(o) in batched or o in batched for o in node.operands):
                inside += products
    return total > 0 and inside >= MOST_IN_BATCHES * total


def _with_copies(graph: Graph, batched: set[Node]) -> tuple[Graph, set[Node]]:
    """Batched inputs that contractions read are copied in; batched outputs are copied out."""
    users = graph.users()

    def copy_of(node: Node) -> Node:
        return Node("copy", (node,), {}, node.type, node.loc, node.forward)

    copied = [n for n in graph.inputs if n in batched and any(_feeds_contraction(u, n, users) for u in users.get(n, ()))]
    new: dict[Node, Node] = {node: copy_of(node) for node in copied}
    inside = set(new.values())
    for node in graph.nodes:
        if node.op != "input":
            new[node] = node.with_operands(new.get(o, o) for o in node.operands)
            if node in batched:
                inside.add(new[node])
    outputs = tuple(copy_of(new[o]) if new.get(o) in inside else new.get(o, o) for o in graph.outputs)
    updates = tuple((target, new.get(value, value)) for target, value in graph.updates)
    return replace(graph, outputs=outputs, updates=updates), inside


def _feeds_contraction(user: Node, node: Node, users: dict[Node, list[Node]]) -> bool:
    if is_contraction(user):
        return True
    if user.op in LEAVES or not TABLE[user.op].traits & {"view"} or prod(user.shape) < prod(node.shape):
        return False
    return any(_feeds_contraction(u, node, users) for u in users[user])
