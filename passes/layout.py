"""Layout: chooses how stored values lie in memory.

A network that trains on batches spends its time in contractions over images. With sixteen images side by side in the
lanes of a vector (`[N/16, ..., 16]`) convolutions, dense layers, pooling and everything elementwise run on full vectors
whatever the number of channels or features, and weights are read where they lie, as scalars.

    before   %0 = conv(%x, %w)   %1 = relu(%0)   return %1
    after    %0 = copy(%x) blocked   %1 = conv(%0, %w) blocked   %2 = relu(%1) blocked   %3 = copy(%2)   return %3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from graphc.index import Gathered, Ix, IxLike, Var
from graphc.ir import Graph, Node
from graphc.loops import LoopBuilder, Reader, Value
from graphc.op import TABLE
from graphc.passes.fuse import base_of, handmade, is_contraction, is_free
from graphc.passes.lower import is_affine
from graphc.passes.parts import LEAVES
from graphc.schedule import LANES, Layout

MOST_IN_BATCHES = 0.8
"""Of all multiplications, the part that must run over the batch for the batch to go into the lanes."""

SLOWEST, CHANNELS, ALONG_ROWS = 2.5, 24, 1.25
"""How many times as long a convolution takes in rows, as measured: at most 2.5; 1 + 24 / c with c channels across the
vectors; 1.25 with rows of an image that fill them."""


def layout(graph: Graph) -> tuple[Graph, dict[Node, Layout]]:
    """The graph with the copies that change layouts, and the layout of every node that is not row-major when stored."""
    blocked = _blocked(graph)
    users = graph.users()
    kept = {*graph.outputs, *(value for _, value in graph.updates)}
    layouts: dict[Node, Layout] = {}
    copies: dict[tuple[Node, Layout], Node] = {}

    def copy(node: Node, to: Layout) -> Node:
        if (node, to) not in copies:
            made = copies[node, to] = Node("copy", (node,), {}, node.type, node.loc, node.forward)
            if to != Layout(node.shape):
                layouts[made] = to
        return copies[node, to]

    new: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.op == "input":
            wide = node in blocked and any(_feeds_contraction(u, node, users) for u in users[node])
            new[node] = copy(node, Layout(node.shape, True)) if wide else node
            continue
        operands = [new[o] for o in node.operands]
        if is_contraction(node):
            wanted = _wanted(node, node in blocked)
            operands = [
                copy(old if old.op == "input" else o, want) if want and layouts.get(o, Layout(o.shape)) != want else o
                for old, o, want in zip(node.operands, operands, wanted, strict=True)
            ]
            if node in blocked:
                operands = [copy(o, Layout(o.shape)) if _jumps(o) else o for o in operands]
        new[node] = made = node.with_operands(operands)
        if node in blocked:
            layouts[made] = Layout(node.shape, True)
        elif is_contraction(node) and node not in kept and (order := _stored_order(node)):
            layouts[made] = Layout(node.shape, False, order)
        if is_contraction(node) and not _is_tiled(made, layouts):
            new[node] = made.with_operands(
                copy(o, Layout(o.shape, old in blocked)) if is_free(o) and o.op != "constant" else o
                for o, old in zip(operands, node.operands, strict=True)
            )
            if made in layouts:
                layouts[new[node]] = layouts.pop(made)
    outputs = tuple(copy(new[o], Layout(o.shape)) if o in blocked else new.get(o, o) for o in graph.outputs)
    updates = tuple((target, new.get(value, value)) for target, value in graph.updates)
    return replace(graph, outputs=outputs, updates=updates), layouts


def _blocked(graph: Graph) -> set[Node]:
    """The nodes to be stored with the batch in the lanes."""
    size = _batch_size(graph)
    if size is None:
        return set()
    batched, uniform = _batched(graph, size)
    if not _worth_it(graph, batched):
        return set()
    users = graph.users()
    for node in reversed(graph.nodes):  # what is made for a batch lies as the batch does
        if node in uniform and users[node] and all(u in batched or u in uniform for u in users[node]):
            batched.add(node)
    rows = {v for _, v in graph.updates}
    for node in graph.nodes:
        if node.op not in LEAVES and handmade(node):
            rows.update((node, *node.operands))
    return batched - rows


def _wanted(node: Node, blocked: bool) -> list[Layout | None]:
    """For each operand of a contraction the layout that its kernel needs; None where any will do.

    Sums over lanes read the batch across them. A gradient of weights reads one channel of an image after the other, so
    channels come last.
    """
    reads, value = _recorded(node)
    if value is not None and value.kind == "contract" and value.data[1]:
        return [Layout(o.shape, True) for o in node.operands]
    if blocked:
        return [None] * len(node.operands)
    return [
        _channels_last(o, [index for operand, index in reads if operand is o]) or _unfilled(o) for o in node.operands
    ]


def _is_tiled(node: Node, layouts: dict[Node, Layout]) -> bool:
    """Whether a contraction reads memory at affine addresses, which a reshape before it may prevent."""
    blocked = node in layouts and layouts[node].blocked
    views: dict[Node, None] = {}
    stack = [o for o in node.operands if is_free(o) and o is not base_of(o, margins=blocked)]
    while stack:
        view = stack.pop()
        if is_free(view) and view.op != "constant" and "joins" not in TABLE[view.op].traits and view not in views:
            views[view] = None
            stack += view.operands
    if not any("reshape" in TABLE[v.op].traits for v in views):
        return True
    return is_affine(node, tuple(views), layouts)


def _jumps(weights: Node) -> bool:
    """Whether a view of large weights puts first what lies far apart, so that a sum over them jumps at every step."""
    base = base_of(weights)
    moved = weights is not base and base.op == "input" and weights.type.nbytes >= JUMPED
    return moved and len(weights.shape) > 2 and any("permutes" in TABLE[v.op].traits for v in _views(weights, base))


def _views(node: Node, base: Node) -> Iterator[Node]:
    while node is not base:
        yield node
        node = node.operands[0]


JUMPED = 128 * 1024
"""Bytes of weights from which they are copied in the order in which a convolution's gradient reads them."""


def _stored_order(node: Node) -> tuple[int, ...]:
    """How the gradient of a convolution's weights is best stored: with what lies across the vectors innermost.

    Where the sum is short, updating the weights in the order in which the gradient is computed, which is across their
    rows, takes longer than the gradient does; so the gradient is stored and they are updated in their own order.
    """
    if len(node.shape) < 3 or not _slides(node) or _products(node) > SHORT_SUM * prod(node.shape):
        return ()
    return (*range(1, len(node.shape)), 0) if node.shape[0] >= LANES and node.shape[-1] > 1 else ()


SHORT_SUM = 1024
"""Terms of a sum up to which its result is stored rather than used in an order that is not memory's."""


def _unfilled(operand: Node) -> Layout | None:
    """Rows, where a sum over the entries of a batch would stop in the middle of a vector."""
    return Layout(operand.shape) if len(operand.shape) and operand.shape[0] % LANES else None


def _channels_last(operand: Node, indices: list[tuple[Ix, ...]]) -> Layout | None:
    """The axis that an output variable steps along by itself, innermost; None for matrices, and where it is already.

    For sums over a batch: where each entry has its own result, its rows are read along.
    """
    if len(operand.shape) < 3 or len(indices) != 1:
        return None
    own = [
        axis for axis, ix in enumerate(indices[0])
        if len(ix.terms) == 1 and isinstance(ix.terms[0][0], Var) and ix.terms[0][0].name.startswith(_OUTPUT)
    ]  # fmt: skip
    if not own or 0 in own or len(operand.shape) - 1 in own:
        return None
    last = max(own, key=lambda axis: operand.shape[axis])
    if operand.shape[last] < LANES // 2:
        return None
    return Layout(operand.shape, False, (*(a for a in range(len(operand.shape)) if a != last), last))


def _batch_size(graph: Graph) -> int | None:
    """The first extent shared by what contractions read first, if vectors can hold it without more waste than gain."""
    sizes: dict[int, int] = {}
    gains: dict[int, float] = {}
    for node in graph.nodes:
        if is_contraction(node) and len(node.shape) >= 2:
            first = node.operands[0].shape[0]
            sizes[first] = sizes.get(first, 0) + _products(node)
            gains[first] = gains.get(first, 0) + _products(node) * _slower_in_rows(node, first)
    candidates = [n for n in sizes if sizes[n] * (-(-n // LANES) * LANES) <= gains[n] * n > 0]
    return max(candidates, key=lambda n: sizes[n], default=None)


def _slower_in_rows(node: Node, batch: int) -> float:
    """How many times as long a contraction takes with its vectors along rows of images or channels."""
    if not _slides(node):
        return 1.0
    if node.shape[0] != batch:
        return min(SLOWEST, 1 + CHANNELS / max(node.shape[:2]))
    width = max(node.shape[-1], 1)
    return min(SLOWEST, 1 + CHANNELS / max(node.shape[1], 1), ALONG_ROWS * -(-width // LANES) * LANES / width)


def _slides(node: Node) -> bool:
    """Whether a contraction's summed indices move along axes of the result's: a window that slides."""
    return any(len(ix.terms) > 1 for _, index in _recorded(node)[0] for ix in index)


def _products(node: Node) -> int:
    """The multiplications of a contraction."""
    value = _recorded(node)[1]
    summed = prod(v.extent for v in value.data[0]) if value is not None and value.kind == "contract" else 1
    return prod(node.shape) * summed


def _batched(graph: Graph, size: int) -> tuple[set[Node], set[Node]]:
    """The nodes whose first axis is the batch, and those that are as long but made without it.

    Entry n of a batched node depends on entry n of batched operands, and on nothing else that differs from entry to
    entry.
    """
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
    return found, uniform


def _mentions_first(index: Ix) -> bool:
    """Whether an index depends on the first axis; not through data, for it is then the data that differ by entry."""
    for atom, _ in index.terms:
        if isinstance(atom, Var):
            if atom.name == _FIRST:
                return True
        elif not isinstance(atom, Gathered) and _mentions_first(atom.of):
            return True
    return False


_FIRST = "out0"
_OUTPUT = "out"


def _same_entry(index: Sequence[Ix]) -> bool:
    """Whether an operand is read at exactly the result's own position along the first axis."""
    terms = index[0].terms
    return (
        not index[0].const and len(terms) == 1 and terms[0][1] == 1 and isinstance(terms[0][0], Var)
        and terms[0][0].name == _FIRST
    )  # fmt: skip


def _recorded(node: Node) -> tuple[list[tuple[Node, tuple[Ix, ...]]], Value | None]:
    """The indices at which the node's lowering reads its operands, and what it made of them."""
    lowering = TABLE[node.op].lower
    if lowering is None or handmade(node):
        return [], None
    b = LoopBuilder()
    reads: list[tuple[Node, tuple[Ix, ...]]] = []

    def reader(operand: Node) -> Reader:
        def read(index: Sequence[IxLike]) -> Value:
            at = tuple(Ix.of(i) for i in index)
            reads.append((operand, at))
            return b.given(f"{id(operand)}{at}", operand.dtype, frozenset().union(*(i.variables for i in at)))

        return Reader(operand.shape, operand.dtype, read)

    index = [Ix.of(Var(f"{_OUTPUT}{d}", n)) for d, n in enumerate(node.shape)]
    value = lowering(b, index, *(reader(o) for o in node.operands), **node.attrs)
    return reads, value


def _worth_it(graph: Graph, batched: set[Node]) -> bool:
    total = inside = 0
    for node in graph.nodes:
        if is_contraction(node):
            products = _products(node)
            total += products
            if node in batched or all(base_of(o) in batched or o in batched for o in node.operands):
                inside += products
    return total > 0 and inside >= MOST_IN_BATCHES * total


def _feeds_contraction(user: Node, node: Node, users: dict[Node, list[Node]]) -> bool:
    if is_contraction(user):
        return True
    if user.op in LEAVES or not TABLE[user.op].traits & {"view"} or prod(user.shape) < prod(node.shape):
        return False
    return any(_feeds_contraction(u, node, users) for u in users[user])
