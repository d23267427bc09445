"""Rows: what is looked up only to be added elsewhere is added from where it lies, and not stored in between.

    before   %0 = gather(%x, %a)      %1 = mul(%0, %w)   %2 = scatter_add(%z, %b, %1)
    after    %0 = gather(iota, %a)    %1 = scatter_add_rows(%z, %b, %x, %0, %w)

So go the messages along a graph's edges, of which there are many times as many as nodes, and their gradients. The
numbers of the rows are checked as they were: they are read from a list that holds every number in its own place.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ir import Graph, Node, rewrite
from graphc.op import maker
from graphc.passes.nodes import elementwise


def rows(graph: Graph) -> Graph:
    return rewrite(graph, _from_rows) if any(node.op == "scatter_add" for node in graph.nodes) else graph


def _from_rows(node: Node) -> Node:
    """The node, if it adds what is looked up, as one that looks it up itself."""
    if node.op != "scatter_add":
        return node
    x, positions, updates = node.operands
    for looked_up, factors in _products(updates):
        source, *numbers = looked_up.operands if looked_up.op == "gather" else (looked_up,)
        whole = looked_up.attrs.get("axis") == 0 and len(numbers) == 1 and numbers[0].shape == positions.shape
        if not whole or looked_up.attrs["batch_dims"]:
            continue
        given = () if factors is None else _for_each(factors, positions)
        if given is not None:
            return _added(node, x, positions, looked_up, _flat(source), *given)
    return node


def _products(updates: Node) -> Iterator[tuple[Node, Node | None]]:
    """What updates are, and what they may be products of: a looked-up side and the other."""
    yield updates, None
    if updates.op == "mul" and all(elementwise(updates, side) for side in updates.operands):
        left, right = updates.operands
        yield left, right
        yield right, left


def _for_each(factors: Node, positions: Node) -> tuple[Node] | None:
    """The numbers that are broadcast over the rows at the positions: over each, or each over a part of it."""
    if factors.op != "broadcast_to":
        return None
    shape, (given,) = factors.shape, factors.operands
    own = (1,) * (len(shape) - len(given.shape)) + given.shape
    count = len(positions.shape)
    last = max((axis + 1 for axis, n in enumerate(own) if n != 1), default=0)
    if own[:count] != positions.shape or own[count:last] != shape[count : max(last, count)]:
        return None
    while given.op == "reshape":
        given = given.operands[0]
    return (given,) if given.op != "constant" else None


def _flat(source: Node) -> Node:
    """What a source is a view of, if its rows are the same."""
    while source.op == "reshape" and source.operands[0].shape[:1] == source.shape[:1]:
        source = source.operands[0]
    return source


def _added(node: Node, x: Node, positions: Node, looked_up: Node, source: Node, *factors: Node) -> Node:
    numbers = looked_up.operands[1]
    every = maker(looked_up)("iota", shape=looked_up.operands[0].shape[:1], axis=0, dtype=numbers.dtype)
    checked = maker(looked_up)("gather", every, numbers, axis=0, batch_dims=0)
    return maker(node)("scatter_add_rows", x, positions, source, checked, *factors, name=node.op)
